//! `receiver.rs`, `consumer.rs`: a receiver that goes while frames are handed over.

use loom::{sync::Arc, thread};
use nylon_ring_loom_tests::{Bound, MARKED, marked, model, small};
use nylon_ring_runtime::{NrStatus, Turn};

/// One frame, and no end: nothing in the slot's word tells that it was handed over. Legal: the receiver takes it along when it
/// goes, or the consumer does; it is dropped once, and nothing stays buffered.
#[test]
fn one_frame_is_taken_along() {
    model("giving_up::one_frame_is_taken_along", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let stream = runtime.open_stream(0).unwrap();
        let (shared, sid) = (runtime.clone(), stream.sid());
        let playing = thread::spawn(move || {
            shared.send(sid, NrStatus::Ok, &[1; MARKED]);
            while shared.reactor(0).unwrap().turn(64) == Turn::More {}
        });
        drop(stream);
        playing.join().unwrap();
        let m = runtime.metrics();
        assert_eq!((m.in_flight, m.buffered, m.delivered + m.unknown_sid), (0, 0, 1));
        assert_eq!(m.abandoned, m.delivered);
        assert_eq!(marked(), before);
    });
}
