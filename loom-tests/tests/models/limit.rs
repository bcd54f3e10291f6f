//! `shard.rs`, `slot.rs`: what is sent past the buffer limit.

use loom::{sync::Arc, thread};
use nylon_ring_loom_tests::{Bound, NOBODY, build, drain, model, settings};
use nylon_ring_runtime::{DoorbellKind, NrStatus, Runtime, Turn};

/// Two producers on one stream, behind a full ring and past the limit: the frame of one is queued as a mark, that of the other
/// refused on the strength of it. The other one then ends the stream, and by then there is room in the ring. Legal: the stream ends
/// with an overflow, because a frame was lost; its end never overtakes the mark.
#[test]
fn who_is_refused_stays_behind_the_mark() {
    model("limit::who_is_refused_stays_behind_the_mark", Bound::Two, || {
        let builder = Runtime::builder().shards(1).cells(1).slots(2).seed(1).buffer_limit(1);
        let runtime = Arc::new(builder.doorbell(DoorbellKind::Waker).build().unwrap());
        let filler = runtime.open(0).unwrap();
        let mut stream = runtime.open_stream(0).unwrap();
        let sid = stream.sid();
        runtime.send(filler.sid(), NrStatus::Ok, b"");
        let first = runtime.clone();
        let first = thread::spawn(move || first.send(sid, NrStatus::Ok, b"1"));
        let second = runtime.clone();
        let second = thread::spawn(move || {
            second.send(sid, NrStatus::Ok, b"2");
            while second.reactor(0).unwrap().turn(64) == Turn::More {}
            second.send(sid, NrStatus::StreamEnd, b"");
        });
        first.join().unwrap();
        second.join().unwrap();
        while runtime.reactor(0).unwrap().turn(64) == Turn::More {}
        let mut seen = Vec::new();
        let last = loop {
            let frame = stream.try_next().unwrap().unwrap();
            if frame.status().is_terminal() {
                break frame;
            }
            seen.extend_from_slice(&frame);
        };
        assert!(last.is_overflow() || seen.contains(&b'2'), "{seen:?}: a frame is missing, and nothing says so");
    });
}

/// Two producers answer one call, behind a ring that is full and stays so, and past the limit; then the same for the next call in the
/// same slot. Legal: one result passes, for each call, and the other is dropped at the door.
#[test]
fn one_result_of_each_call_passes() {
    model("limit::one_result_of_each_call_passes", Bound::Two, || {
        let runtime = Arc::new(build(settings(1, 1).buffer_limit(1)));
        for round in 1..=2 {
            runtime.send(NOBODY, NrStatus::Ok, b"");
            let mut call = runtime.open(0).unwrap();
            let sid = call.sid();
            let other = runtime.clone();
            let other = thread::spawn(move || other.send(sid, NrStatus::Ok, b"1"));
            runtime.send(sid, NrStatus::Ok, b"2");
            other.join().unwrap();
            let m = runtime.metrics();
            assert_eq!(m.overflow_dropped, round, "{m:?}");
            drain(runtime.reactor(0).unwrap());
            let reply = call.try_take().expect("no result passed").unwrap();
            assert!(matches!(&reply[..], [b'1' | b'2']), "{reply:?}");
        }
        assert_eq!((runtime.metrics().delivered, runtime.metrics().duplicate, runtime.metrics().buffered), (2, 0, 0));
    });
}
