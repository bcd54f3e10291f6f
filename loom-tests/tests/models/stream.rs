//! `slot.rs` and `receiver.rs`: the life of a stream.

use std::sync::Arc;

use loom::{future::block_on, thread};
use nylon_ring_loom_tests::{Bound, MARKED, marked, model, react_until, small};
use nylon_ring_runtime::{DoorbellKind, NrStatus, Runtime, Turn};

/// Sends a frame and the end, and drains them, all on a thread of its own.
fn play(runtime: &Arc<Runtime>, sid: u64) -> thread::JoinHandle<()> {
    let runtime = runtime.clone();
    thread::spawn(move || {
        runtime.send(sid, NrStatus::Ok, &[1; MARKED]);
        runtime.send(sid, NrStatus::StreamEnd, &[2; MARKED]);
        while runtime.reactor(0).unwrap().turn(64) == Turn::More {}
    })
}

/// A receiver parks while its frames are delivered. Legal: it gets both, in order, and is counted as ended, not as given up.
#[test]
fn frames_against_a_parking_receiver() {
    model("stream::frames_against_a_parking_receiver", Bound::Two, || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let mut frames = runtime.open_stream(0).unwrap();
        let playing = {
            let (runtime, sid) = (runtime.clone(), frames.sid());
            thread::spawn(move || {
                runtime.send(sid, NrStatus::Ok, &[1; MARKED]);
                runtime.send(sid, NrStatus::StreamEnd, &[2; MARKED]);
                react_until(runtime.reactor(0).unwrap(), || runtime.metrics().delivered == 2);
            })
        };
        assert_eq!(block_on(frames.next()).unwrap().unwrap()[0], 1);
        let end = block_on(frames.next()).unwrap().unwrap();
        assert_eq!((end.status(), end[0]), (NrStatus::StreamEnd, 2));
        assert!(block_on(frames.next()).is_none());
        playing.join().unwrap();
        let metrics = runtime.metrics();
        assert_eq!((metrics.delivered, metrics.in_flight, metrics.buffered), (2, 0, 0));
        assert_eq!(metrics.cancelled, 0, "a stream that ended was not given up");
        drop((end, frames));
        drop(runtime);
        assert_eq!(marked(), before);
    });
}

/// A receiver parks while the only frame is delivered: no end follows that would wake it. Legal: it gets the frame.
#[test]
fn one_frame_against_a_parking_receiver() {
    model("stream::one_frame_against_a_parking_receiver", Bound::Three, || {
        let runtime = Arc::new(small(2, 1));
        let mut frames = runtime.open_stream(0).unwrap();
        let (shared, sid) = (runtime.clone(), frames.sid());
        let playing = thread::spawn(move || {
            shared.send(sid, NrStatus::Ok, &[1]);
            react_until(shared.reactor(0).unwrap(), || shared.metrics().delivered == 1);
        });
        assert_eq!(block_on(frames.next()).unwrap().unwrap()[0], 1);
        playing.join().unwrap();
        drop(frames);
        assert_eq!((runtime.metrics().in_flight, runtime.metrics().buffered), (0, 0));
    });
}

/// A receiver is dropped while its frames are delivered, and another stream uses its slot. Legal: whatever came late is
/// dropped; the second stream gets nothing of the first, and nothing leaks.
#[test]
fn drop_against_frames() {
    model("stream::drop_against_frames", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let first = runtime.open_stream(0).unwrap();
        let playing = play(&runtime, first.sid());
        drop(first);
        let mut second = runtime.open_stream(0).unwrap();
        assert!(second.try_next().is_none(), "a frame of the first stream");
        playing.join().unwrap();
        assert!(second.try_next().is_none(), "a frame of the first stream");
        runtime.send(second.sid(), NrStatus::StreamEnd, &[3]);
        assert_eq!(&second.try_next().unwrap().unwrap()[..], [3]);
        let metrics = runtime.metrics();
        assert_eq!((metrics.in_flight, metrics.buffered), (0, 0));
        assert_eq!(metrics.delivered + metrics.unknown_sid + metrics.after_end, 3);
        drop(second);
        drop(runtime);
        assert_eq!(marked(), before);
    });
}

/// A receiver is dropped while its frames are delivered, and nobody uses its slot again. Legal: nothing stays buffered.
#[test]
fn nothing_stays_buffered() {
    model("stream::nothing_stays_buffered", Bound::Three, || {
        let runtime = Arc::new(small(2, 1));
        let first = runtime.open_stream(0).unwrap();
        let playing = play(&runtime, first.sid());
        drop(first);
        playing.join().unwrap();
        assert_eq!((runtime.metrics().in_flight, runtime.metrics().buffered), (0, 0));
    });
}

/// Two threads end one stream. Legal: the receiver sees one end; the other comes after it.
#[test]
fn first_end_wins() {
    model("stream::first_end_wins", Bound::Two, || {
        let runtime = Arc::new(small(2, 1));
        let mut frames = runtime.open_stream(0).unwrap();
        let ends = [NrStatus::StreamEnd, NrStatus::Err].map(|status| {
            let (runtime, sid) = (runtime.clone(), frames.sid());
            thread::spawn(move || runtime.send(sid, status, &[]))
        });
        let seen = |m: nylon_ring_runtime::Metrics| m.delivered + m.after_end + m.unknown_sid;
        react_until(runtime.reactor(0).unwrap(), || seen(runtime.metrics()) == 2);
        assert!(frames.try_next().unwrap().unwrap().status().is_terminal());
        assert!(frames.try_next().unwrap().is_err());
        ends.into_iter().for_each(|end| end.join().unwrap());
        assert_eq!((runtime.metrics().delivered, runtime.metrics().in_flight), (1, 0));
    });
}

/// Two producers on one stream, while the ring is full and nothing more may be buffered. One of them makes room in between, and
/// ends the stream. Legal: it ends with an overflow, or as its plugin ended it and with every frame that was sent before.
#[test]
fn a_lost_frame_is_never_hidden() {
    model("stream::a_lost_frame_is_never_hidden", Bound::Three, || {
        let builder = Runtime::builder().shards(1).cells(1).slots(2).seed(1).buffer_limit(1);
        let runtime = Arc::new(builder.doorbell(DoorbellKind::Waker).build().unwrap());
        let filler = runtime.open(0).unwrap();
        let mut stream = runtime.open_stream(0).unwrap();
        let sid = stream.sid();
        runtime.send(filler.sid(), NrStatus::Ok, b"");
        let other = runtime.clone();
        let other = thread::spawn(move || other.send(sid, NrStatus::Ok, b"1"));
        let reactor = runtime.reactor(0).unwrap();
        runtime.send(sid, NrStatus::Ok, b"2");
        while reactor.turn(64) == Turn::More {}
        runtime.send(sid, NrStatus::StreamEnd, b"");
        other.join().unwrap();
        while reactor.turn(64) == Turn::More {}
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
