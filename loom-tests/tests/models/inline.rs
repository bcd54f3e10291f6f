//! `inline_scope.rs`: what a caller's thread sends to itself, and what it owes a reactor that sleeps.
//!
//! The reactor of most of these models sleeps for good: its ring is armed before the race, and afterwards it must have been told of what
//! came, or be told of what comes next.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use loom::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};
use nylon_ring_loom_tests::{
    Bound, build, drain, is_guarded, model, outcomes, react_until, send, settings, small, step,
};
use nylon_ring_runtime::{NrStatus, Pending, Runtime, Turn};

/// A runtime whose reactor sleeps.
fn asleep(cells: usize, slots: u32) -> Arc<Runtime> {
    let runtime = small(cells, slots);
    assert_eq!(runtime.reactor(0).unwrap().turn(64), Turn::Sleep);
    Arc::new(runtime)
}

fn is_told(runtime: &Runtime) -> bool {
    is_guarded(runtime, runtime.reactor(0).unwrap())
}

/// Consumes beside whoever settles, once.
fn helper(runtime: &Arc<Runtime>) -> thread::JoinHandle<()> {
    let runtime = runtime.clone();
    thread::spawn(move || {
        step();
        let _ = runtime.reactor(0).unwrap().drain(64);
    })
}

fn byte(call: &mut Pending<'_>) -> Option<u8> {
    step();
    call.try_take().map(|reply| reply.unwrap()[0])
}

/// The thread of a scope sends to another call, which takes the mark of the sleeping reactor, while somebody else consumes. Legal: the
/// reactor was told, or is armed again.
#[test]
fn a_debt_is_paid_although_another_consumes() {
    model("inline::a_debt_is_paid_although_another_consumes", Bound::Any, || {
        let runtime = asleep(2, 2);
        let (mut scoped, mut other) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
        let helping = helper(&runtime);
        let sid = other.sid();
        step();
        scoped.inline(|| runtime.send(sid, NrStatus::Ok, &[1]));
        helping.join().unwrap();
        assert!(is_told(&runtime), "the reactor sleeps, and nobody owes it anything");
        assert_eq!(byte(&mut other), Some(1));
    });
}

/// The same, and what runs in the scope panics. Legal: the same.
#[test]
fn a_debt_is_paid_by_unwinding() {
    model("inline::a_debt_is_paid_by_unwinding", Bound::Any, || {
        let runtime = asleep(2, 2);
        let (mut scoped, mut other) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
        let helping = helper(&runtime);
        let sid = other.sid();
        step();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            scoped.inline(|| {
                runtime.send(sid, NrStatus::Ok, &[1]);
                // Without the message that a panic prints.
                resume_unwind(Box::new(()));
            });
        }));
        assert!(panicked.is_err());
        helping.join().unwrap();
        assert!(is_told(&runtime), "the reactor sleeps, and nobody owes it anything");
        // The thread is in no scope any more.
        runtime.send(scoped.sid(), NrStatus::Ok, &[2]);
        assert_eq!((byte(&mut other), byte(&mut scoped)), (Some(1), Some(2)));
        assert_eq!(runtime.metrics().in_flight, 0);
    });
}

/// A scope inside another of the same shard, while another thread answers a third call. The inner scope sends the outer call's result,
/// and then its own. Legal: the outer call's first result counts, whatever follows it; the inner call has its own, at once unless the ring
/// is claimed before it and not published; and the reactor is told.
#[test]
fn a_scope_inside_another() {
    outcomes("inline::a_scope_inside_another", Bound::Three, [Some(2), None], || {
        let runtime = asleep(4, 3);
        let (mut outer, mut third) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
        let producer = send(&runtime, [(third.sid(), 4)]);
        let sid = outer.sid();
        let inner = outer.inline(|| {
            let mut inner = runtime.open(0).unwrap();
            let own = inner.sid();
            step();
            inner.inline(|| {
                runtime.send(sid, NrStatus::Ok, &[1]);
                runtime.send(own, NrStatus::Ok, &[2]);
            });
            let reply = inner.try_take().map(|reply| reply.unwrap()[0]);
            runtime.send(sid, NrStatus::Ok, &[3]);
            reply
        });
        producer.join().unwrap();
        assert!(is_told(&runtime));
        assert_eq!((byte(&mut outer), byte(&mut third)), (Some(1), Some(4)));
        assert_eq!(runtime.metrics().in_flight, 0);
        inner
    });
}

/// A scope of one shard inside that of another. What the inner one sends to the outer one's shard is owed to nobody: it wakes the
/// reactor there, who sleeps on a thread of its own. Legal: the result reaches its call, and the scopes' own calls have theirs.
#[test]
fn a_scope_inside_that_of_another_shard() {
    model("inline::a_scope_inside_that_of_another_shard", Bound::Three, || {
        let runtime = Arc::new(build(settings(2, 2).shards(2)));
        runtime.reactor(1).unwrap();
        let (mut outer, mut other) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
        let mut inner = runtime.open(1).unwrap();
        let reacting = {
            let runtime = runtime.clone();
            thread::spawn(move || react_until(runtime.reactor(0).unwrap(), || runtime.metrics().drained > 0))
        };
        let sids = (outer.sid(), inner.sid(), other.sid());
        step();
        outer.inline(|| {
            inner.inline(|| {
                runtime.send(sids.2, NrStatus::Ok, &[3]);
                runtime.send(sids.1, NrStatus::Ok, &[2]);
            });
            reacting.join().unwrap();
            runtime.send(sids.0, NrStatus::Ok, &[1]);
        });
        assert_eq!((byte(&mut outer), byte(&mut inner), byte(&mut other)), (Some(1), Some(2), Some(3)));
        assert_eq!(runtime.metrics().in_flight, 0);
    });
}

/// A call's own thread answers twice, and another thread once. Legal: its first answer, or the other thread's; its second one never, and
/// what lost is counted.
#[test]
fn a_second_answer_inside_is_a_duplicate() {
    outcomes("inline::a_second_answer_inside_is_a_duplicate", Bound::Any, [1, 3], || {
        let runtime = asleep(4, 1);
        let mut call = runtime.open(0).unwrap();
        let sid = call.sid();
        let producer = send(&runtime, [(sid, 3)]);
        step();
        call.inline(|| {
            runtime.send(sid, NrStatus::Ok, &[1]);
            step();
            runtime.send(sid, NrStatus::Ok, &[2]);
        });
        let now = byte(&mut call);
        producer.join().unwrap();
        let winner = now.or_else(|| byte(&mut call)).unwrap();
        assert!(is_told(&runtime));
        drop(call);
        let _ = runtime.reactor(0).unwrap().drain(64);
        let m = runtime.metrics();
        assert_eq!((m.delivered, m.duplicate + m.unknown_sid, m.in_flight), (1, 2, 0), "{m:?}");
        winner
    });
}

/// What a call's own thread answered is refused, or given up, while another thread answers as well. Legal: both results are dropped and
/// counted.
fn closed_after_an_answer(close: fn(Pending<'_>)) {
    let runtime = Arc::new(small(2, 1));
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    let producer = send(&runtime, [(sid, 2)]);
    let helping = helper(&runtime);
    step();
    call.inline(|| runtime.send(sid, NrStatus::Ok, &[1]));
    step();
    close(call);
    producer.join().unwrap();
    helping.join().unwrap();
    let _ = runtime.reactor(0).unwrap().drain(64);
    let m = runtime.metrics();
    assert_eq!((m.delivered + m.duplicate + m.unknown_sid, m.cancelled + m.abandoned), (2, 1), "{m:?}");
    assert_eq!((m.delivered, m.in_flight, m.buffered), (m.abandoned, 0, 0), "{m:?}");
}

/// As above, by refusing.
#[test]
fn refused_after_an_answer() {
    model("inline::refused_after_an_answer", Bound::Two, || closed_after_an_answer(|call| call.refuse()));
}

/// As above, by dropping the call.
#[test]
fn dropped_after_an_answer() {
    model("inline::dropped_after_an_answer", Bound::Two, || closed_after_an_answer(|call| drop(call)));
}

/// A stream's own thread sends it a frame and the end, which go through the ring, while another thread sends to another call. Legal: both
/// frames, in order; the reactor is told of the rest.
#[test]
fn frames_inside_keep_their_order() {
    model("inline::frames_inside_keep_their_order", Bound::Three, || {
        let runtime = asleep(4, 2);
        let (mut stream, mut other) = (runtime.open_stream(0).unwrap(), runtime.open(0).unwrap());
        let producer = send(&runtime, [(other.sid(), 9)]);
        let sid = stream.sid();
        step();
        stream.inline(|| {
            runtime.send(sid, NrStatus::Ok, &[1]);
            runtime.send(sid, NrStatus::StreamEnd, &[2]);
        });
        producer.join().unwrap();
        assert!(is_told(&runtime));
        let mut next = || stream.try_next().unwrap().unwrap()[0];
        assert_eq!([next(), next()], [1, 2]);
        assert_eq!(byte(&mut other), Some(9));
    });
}

/// The thread of a stream's scope sends frames and the end; another one sends a frame as soon as the first was sent, drains the ring, and
/// says so. Legal: the first frame comes first, and a frame that was sent before the second one is taken before it. Every frame is
/// taken, or came after the end.
#[test]
fn kept_frames_come_first() {
    model("inline::kept_frames_come_first", Bound::Three, || {
        let runtime = Arc::new(small(2, 1));
        let mut frames = runtime.open_stream(0).unwrap();
        let (sid, begun, sent) = (frames.sid(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let other = thread::spawn({
            let (runtime, begun, sent) = (runtime.clone(), begun.clone(), sent.clone());
            move || {
                let begun = begun.load(Ordering::Acquire);
                runtime.send(sid, NrStatus::Ok, &[9]);
                sent.store(true, Ordering::Release);
                let _ = runtime.reactor(0).unwrap().drain(64);
                begun
            }
        });
        let between = frames.inline(|| {
            runtime.send(sid, NrStatus::Ok, &[1]);
            begun.store(true, Ordering::Release);
            let between = sent.load(Ordering::Acquire);
            runtime.send(sid, NrStatus::Ok, &[2]);
            runtime.send(sid, NrStatus::StreamEnd, &[3]);
            between
        });
        let after_first = other.join().unwrap();
        let seen: Vec<u8> = std::iter::from_fn(|| frames.try_next()?.ok().map(|frame| frame[0])).collect();
        let own: Vec<u8> = seen.iter().copied().filter(|byte| *byte != 9).collect();
        assert_eq!(own, [1, 2, 3]);
        let place = seen.iter().position(|byte| *byte == 9);
        assert!(!after_first || place != Some(0), "it was sent after the first: {seen:?}");
        assert!(!between || place.is_some_and(|place| place < 2), "it was sent before the second: {seen:?}");
        drain(runtime.reactor(0).unwrap());
        let metrics = runtime.metrics();
        assert_eq!((metrics.in_flight, metrics.buffered, metrics.cancelled, metrics.abandoned), (0, 0, 0, 0));
        assert_eq!(metrics.delivered, seen.len() as u64);
        assert_eq!(metrics.delivered + metrics.after_end + metrics.unknown_sid, 4);
    });
}

/// A stream has two scopes, and takes in between what has come; another thread sends a frame, drains, and says so. Legal: the scopes' frames
/// in order, and the other's before the second scope's if it was sent before that began. Every frame is taken, or came after the end.
#[test]
fn a_second_scope_keeps_again() {
    model("inline::a_second_scope_keeps_again", Bound::Three, || {
        let runtime = Arc::new(small(2, 1));
        let mut frames = runtime.open_stream(0).unwrap();
        let (sid, sent) = (frames.sid(), Arc::new(AtomicBool::new(false)));
        let other = thread::spawn({
            let (runtime, sent) = (runtime.clone(), sent.clone());
            move || {
                runtime.send(sid, NrStatus::Ok, &[9]);
                sent.store(true, Ordering::Release);
                let _ = runtime.reactor(0).unwrap().drain(64);
            }
        });
        frames.inline(|| runtime.send(sid, NrStatus::Ok, &[1]));
        let mut seen: Vec<u8> = frames.try_next().into_iter().flatten().map(|frame| frame[0]).collect();
        let before = sent.load(Ordering::Acquire);
        frames.inline(|| {
            runtime.send(sid, NrStatus::Ok, &[2]);
            runtime.send(sid, NrStatus::StreamEnd, &[3]);
        });
        other.join().unwrap();
        seen.extend(std::iter::from_fn(|| frames.try_next()?.ok().map(|frame| frame[0])));
        assert_eq!(seen.iter().copied().filter(|byte| *byte != 9).collect::<Vec<u8>>(), [1, 2, 3]);
        let place = seen.iter().position(|byte| *byte == 9);
        assert!(!before || place.is_some_and(|place| place < 2), "it was sent before the second scope: {seen:?}");
        drain(runtime.reactor(0).unwrap());
        let metrics = runtime.metrics();
        assert_eq!((metrics.in_flight, metrics.buffered, metrics.cancelled, metrics.abandoned), (0, 0, 0, 0));
        assert_eq!(metrics.delivered + metrics.after_end + metrics.unknown_sid, 4);
    });
}

/// The ring is full when a frame is sent, before the scope; another thread drains. Legal: that frame comes first, and the scope's after it.
#[test]
fn kept_frames_and_what_is_spilled() {
    model("inline::kept_frames_and_what_is_spilled", Bound::Three, || {
        let runtime = Arc::new(small(1, 2));
        let filler = runtime.open(0).unwrap();
        runtime.send(filler.sid(), NrStatus::Ok, &[0]);
        let mut frames = runtime.open_stream(0).unwrap();
        let sid = frames.sid();
        let other = runtime.clone();
        // Twice: the second time there may be nothing but what was spilled.
        let other = thread::spawn(move || {
            (0..2).for_each(|_| {
                let _ = other.reactor(0).unwrap().drain(64);
            })
        });
        runtime.send(sid, NrStatus::Ok, &[1]);
        frames.inline(|| {
            runtime.send(sid, NrStatus::Ok, &[2]);
            runtime.send(sid, NrStatus::StreamEnd, &[3]);
        });
        other.join().unwrap();
        let seen: Vec<u8> = std::iter::from_fn(|| frames.try_next()?.ok().map(|frame| frame[0])).collect();
        assert_eq!(seen, [1, 2, 3]);
        drop(filler);
        assert_eq!((runtime.metrics().in_flight, runtime.metrics().buffered), (0, 0));
    });
}
