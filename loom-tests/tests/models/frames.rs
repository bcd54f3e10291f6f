//! `frames.rs`, `receiver.rs`, `slot.rs`: frames on their way to a receiver that parks, cancels or leaves.

use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use loom::{future::block_on, thread};
use nylon_ring_loom_tests::{Bound, MARKED, drain, marked, model, outcomes, react_until, send, small, step};
use nylon_ring_runtime::{NrStatus, Receiver, Runtime};

/// Sends these frames and drains after each, so that each is a run of its own.
fn play(runtime: &Arc<Runtime>, sid: u64, frames: &'static [(NrStatus, u8)]) -> thread::JoinHandle<()> {
    let runtime = runtime.clone();
    thread::spawn(move || {
        for (status, byte) in frames {
            step();
            runtime.send(sid, *status, &[*byte; MARKED]);
            let _ = runtime.reactor(0).unwrap().drain(64);
        }
    })
}

const ONE: &[(NrStatus, u8)] = &[(NrStatus::Ok, 1)];
const TWO_AND_END: &[(NrStatus, u8)] = &[(NrStatus::Ok, 1), (NrStatus::Ok, 2), (NrStatus::StreamEnd, 3)];

/// The first bytes of what is there, without helping.
fn seen(stream: &mut Receiver<'_>) -> Vec<u8> {
    step();
    std::iter::from_fn(|| stream.try_next()?.ok()).map(|frame| frame[0]).collect()
}

/// The only frame is the end, and the receiver parks meanwhile; nothing follows that would wake it. Legal: it gets the end.
#[test]
fn an_end_against_a_parking_receiver() {
    model("frames::an_end_against_a_parking_receiver", Bound::Three, || {
        let runtime = Arc::new(small(2, 1));
        let mut stream = runtime.open_stream(0).unwrap();
        let (shared, sid) = (runtime.clone(), stream.sid());
        let playing = thread::spawn(move || {
            shared.send(sid, NrStatus::StreamEnd, &[1]);
            react_until(shared.reactor(0).unwrap(), || shared.metrics().drained == 1);
        });
        assert_eq!(block_on(stream.next()).unwrap().unwrap().status(), NrStatus::StreamEnd);
        playing.join().unwrap();
        assert!(block_on(stream.next()).is_none());
        assert_eq!((runtime.metrics().in_flight, runtime.metrics().cancelled), (0, 0));
    });
}

/// Three runs are handed over while the receiver takes what is there, twice. Legal: their order, whatever it takes at once.
#[test]
fn runs_keep_their_order() {
    let legal = [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0], [1, 1], [1, 2], [2, 0], [2, 1], [3, 0]];
    outcomes("frames::runs_keep_their_order", Bound::Three, legal, || {
        let before = marked();
        let runtime = Arc::new(small(4, 1));
        let mut stream = runtime.open_stream(0).unwrap();
        let playing = play(&runtime, stream.sid(), TWO_AND_END);
        let (first, second) = (seen(&mut stream), seen(&mut stream));
        playing.join().unwrap();
        let all = [&first[..], &second[..], &seen(&mut stream)[..]].concat();
        assert_eq!(all, [1, 2, 3]);
        assert_eq!((runtime.metrics().in_flight, runtime.metrics().buffered, marked()), (0, 0, before));
        [first.len(), second.len()]
    });
}

/// A producer, a reactor and a receiver that helps: two consumers hand over frames of one stream, one after the other. Legal: the order in
/// which they were sent.
#[test]
fn two_consumers_hand_over_in_order() {
    model("frames::two_consumers_hand_over_in_order", Bound::Two, || {
        let runtime = Arc::new(small(4, 1));
        let mut stream = runtime.open_stream(0).unwrap();
        let producer = send(&runtime, [1, 2].map(|byte| (stream.sid(), byte)));
        let shared = runtime.clone();
        let consumer = thread::spawn(move || drain(shared.reactor(0).unwrap()));
        let mut all = seen(&mut stream);
        producer.join().unwrap();
        consumer.join().unwrap();
        all.extend(seen(&mut stream));
        assert_eq!(all, [1, 2]);
    });
}

/// What became of a stream of two frames and an end whose receiver took what was there, so many times, and left.
fn left_after(looks: usize, leave: fn(Receiver<'_>)) -> (usize, &'static str) {
    let before = marked();
    let runtime = Arc::new(small(4, 1));
    let mut stream = runtime.open_stream(0).unwrap();
    let playing = play(&runtime, stream.sid(), TWO_AND_END);
    let taken = (0..looks).map(|_| seen(&mut stream).len()).sum();
    let open = stream.is_open();
    step();
    leave(stream);
    step();
    let mut next = runtime.open_stream(0).unwrap();
    assert!(runtime.open(0).is_err(), "the one slot was freed twice");
    playing.join().unwrap();
    assert!(seen(&mut next).is_empty(), "a frame of another stream");
    drop(next);
    let m = runtime.metrics();
    assert_eq!((m.in_flight, m.buffered, marked()), (0, 0, before), "{m:?}");
    assert_eq!(m.delivered + m.unknown_sid + m.after_end, 3, "{m:?}");
    let outcome = match m.cancelled - 1 {
        0 if open => "abandoned",
        0 => "ended",
        _ => "given up",
    };
    assert!(outcome == "given up" || m.delivered == 3, "{m:?}");
    (taken, outcome)
}

/// How a stream that was left can have gone: so many frames were taken, and the end too; or it had come; or it had not.
const LEFT: [(usize, &str); 7] = [
    (0, "given up"),
    (0, "abandoned"),
    (1, "given up"),
    (1, "abandoned"),
    (2, "given up"),
    (2, "abandoned"),
    (3, "ended"),
];

/// A receiver looks once and is dropped. Legal: it has seen nothing, one frame, two, or the end; the frames that came for nobody are
/// dropped, on their way or handed over already, and never reach the slot's next stream.
#[test]
fn dropped_at_any_time() {
    outcomes("frames::dropped_at_any_time", Bound::Three, LEFT, || left_after(1, |stream| drop(stream)));
}

/// The same, and it cancels instead, and finds the stream closed. Legal: the same.
#[test]
fn cancelled_at_any_time() {
    outcomes("frames::cancelled_at_any_time", Bound::Three, LEFT, || {
        left_after(1, |mut stream| {
            stream.cancel();
            assert!(!stream.is_open() && stream.try_next().unwrap().is_err());
        })
    });
}

/// The plugin refused the stream, and sends frames all the same. Legal: none of them is seen, and they are dropped as above.
#[test]
fn refused_although_frames_come() {
    outcomes("frames::refused_although_frames_come", Bound::Two, LEFT.into_iter().take(2), || {
        left_after(0, |stream| stream.refuse())
    });
}

/// A receiver is dropped while it sleeps, and a frame arrives. Legal: its waker is woken or not, and dropped; nothing stays buffered.
#[test]
fn dropped_asleep() {
    model("frames::dropped_asleep", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let mut stream = runtime.open_stream(0).unwrap();
        let playing = play(&runtime, stream.sid(), ONE);
        step();
        let _ = stream.poll_next(&mut Context::from_waker(Waker::noop()));
        step();
        drop(stream);
        playing.join().unwrap();
        drain(runtime.reactor(0).unwrap());
        assert_eq!((runtime.metrics().in_flight, runtime.metrics().buffered, marked()), (0, 0, before));
    });
}

/// A frame follows the end from the same producer, while the receiver parks. Legal: it is dropped, as one after the end or for nobody;
/// it never counts as delivered.
#[test]
fn nothing_is_delivered_after_the_end() {
    outcomes("frames::nothing_is_delivered_after_the_end", Bound::Three, ["after the end", "unknown"], || {
        let runtime = Arc::new(small(2, 1));
        let mut stream = runtime.open_stream(0).unwrap();
        let playing = play(&runtime, stream.sid(), &[(NrStatus::StreamEnd, 1), (NrStatus::Ok, 2)]);
        step();
        let ended = stream.poll_next(&mut Context::from_waker(Waker::noop())).is_ready();
        playing.join().unwrap();
        assert_eq!(stream.try_next().is_some_and(|frame| frame.is_ok()), !ended);
        drain(runtime.reactor(0).unwrap());
        let m = runtime.metrics();
        assert_eq!((m.delivered, m.after_end + m.unknown_sid, m.abandoned), (1, 1, 0), "{m:?}");
        if m.after_end == 1 { "after the end" } else { "unknown" }
    });
}

struct Quiet;

impl Wake for Quiet {
    fn wake(self: Arc<Self>) {}
}

/// A receiver parks while the end is delivered, and takes it. Legal: afterwards the caller's is the only handle to its waker.
#[test]
fn no_waker_stays_behind() {
    model("frames::no_waker_stays_behind", Bound::Three, || {
        let runtime = Arc::new(small(1, 1));
        let quiet = Arc::new(Quiet);
        {
            let mut stream = runtime.open_stream(0).unwrap();
            let playing = play(&runtime, stream.sid(), &[(NrStatus::StreamEnd, 1)]);
            let waker = Waker::from(quiet.clone());
            let mut cx = Context::from_waker(&waker);
            let polled = stream.poll_next(&mut cx);
            playing.join().unwrap();
            if polled.is_pending() {
                assert!(matches!(stream.poll_next(&mut cx), Poll::Ready(Some(Ok(_)))));
            }
        }
        assert_eq!(Arc::strong_count(&quiet), 1);
    });
}

/// A receiver leaves its frames behind, and somebody else opens the slot as soon as it is free. Legal: the slot is not free yet, or
/// the other one gets its own frame, and nobody takes it away.
#[test]
fn a_slot_is_free_without_its_frames() {
    outcomes("frames::a_slot_is_free_without_its_frames", Bound::Three, [true, false], || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let first = runtime.open_stream(0).unwrap();
        runtime.send(first.sid(), NrStatus::Ok, &[1; MARKED]);
        drain(runtime.reactor(0).unwrap());
        let shared = runtime.clone();
        let second = thread::spawn(move || {
            step();
            let Ok(mut second) = shared.open_stream(0) else { return false };
            shared.send(second.sid(), NrStatus::StreamEnd, &[2; MARKED]);
            drain(shared.reactor(0).unwrap());
            assert_eq!(seen(&mut second), [2]);
            true
        });
        drop(first);
        let opened = second.join().unwrap();
        drain(runtime.reactor(0).unwrap());
        assert_eq!((runtime.metrics().in_flight, runtime.metrics().buffered, marked()), (0, 0, before));
        opened
    });
}

/// A receiver leaves while its frames are delivered, and another stream has its slot, which does not look for frames yet. Legal: they
/// are dropped; none of them waits with the other stream.
#[test]
fn another_stream_does_not_keep_them() {
    model("frames::another_stream_does_not_keep_them", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let first = runtime.open_stream(0).unwrap();
        let playing = play(&runtime, first.sid(), ONE);
        step();
        drop(first);
        let second = runtime.open_stream(0).unwrap();
        playing.join().unwrap();
        assert_eq!((runtime.metrics().buffered, marked()), (0, before));
        drop(second);
    });
}

/// Frames of another thread come after the end, while the receiver takes it and leaves. Legal: nothing is seen after the end; the late
/// frame was dropped as one after the end, or as one for nobody; or it came before the end after all.
#[test]
fn frames_after_the_end() {
    let legal = [(vec![2], "after the end"), (vec![2], "unknown"), (vec![1, 2], "delivered")];
    outcomes("frames::frames_after_the_end", Bound::Two, legal, || {
        let runtime = Arc::new(small(4, 1));
        let mut stream = runtime.open_stream(0).unwrap();
        let ending = play(&runtime, stream.sid(), &[(NrStatus::StreamEnd, 2)]);
        let late = send(&runtime, [(stream.sid(), 1)]);
        let mut all = seen(&mut stream);
        ending.join().unwrap();
        late.join().unwrap();
        all.extend(seen(&mut stream));
        assert!(!stream.is_open());
        drain(runtime.reactor(0).unwrap());
        let m = runtime.metrics();
        assert_eq!((m.delivered + m.after_end + m.unknown_sid, m.in_flight, m.buffered), (2, 0, 0), "{m:?}");
        (
            all,
            if m.after_end == 1 {
                "after the end"
            } else if m.unknown_sid == 1 {
                "unknown"
            } else {
                "delivered"
            },
        )
    });
}
