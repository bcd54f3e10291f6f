//! `shard.rs`, `consumer.rs`, `token.rs`, `doorbell.rs`, `inline_scope.rs`: who consumes, who is woken, and in which order.
//!
//! A reactor of these models acts only when its doorbell rang. A wake-up that is lost leaves all threads asleep, which loom
//! reports as a deadlock.

use std::sync::Arc;

use loom::{
    future::block_on,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};
use nylon_ring_loom_tests::{Bound, model, react_until, small, stop, wait_for};
use nylon_ring_runtime::{NrStatus, Runtime, Turn};

/// Sends from a thread of its own.
fn send(runtime: &Arc<Runtime>, sids: impl IntoIterator<Item = (u64, u8)> + 'static) -> thread::JoinHandle<()> {
    let runtime = runtime.clone();
    thread::spawn(move || sids.into_iter().for_each(|(sid, byte)| runtime.send(sid, NrStatus::Ok, &[byte])))
}

/// A reactor on a thread of its own, until `done`.
fn reactor(runtime: &Arc<Runtime>, done: &Arc<AtomicBool>) -> thread::JoinHandle<()> {
    let (runtime, done) = (runtime.clone(), done.clone());
    thread::spawn(move || react_until(runtime.reactor(0).unwrap(), || done.load(Ordering::Acquire)))
}

/// Two producers and a reactor that sleeps whenever its turn says so. Legal: both results are delivered, in any order.
#[test]
fn two_producers_wake_a_sleeping_reactor() {
    model("shard::two_producers_wake_a_sleeping_reactor", Bound::Two, || {
        let runtime = Arc::new(small(2, 2));
        let (mut one, mut two) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
        let producers = [send(&runtime, [(one.sid(), 1)]), send(&runtime, [(two.sid(), 2)])];
        react_until(runtime.reactor(0).unwrap(), || runtime.metrics().delivered == 2);
        assert_eq!(&one.try_take().unwrap().unwrap()[..], [1]);
        assert_eq!(&two.try_take().unwrap().unwrap()[..], [2]);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        assert_eq!(runtime.metrics().in_flight, 0);
    });
}

/// The same through one cell: who finds the ring full goes through the overflow queue, and rings. Legal: both results are
/// delivered, in any order.
#[test]
fn overflow_rings() {
    model("shard::overflow_rings", Bound::Two, || {
        let runtime = Arc::new(small(1, 2));
        let (mut one, mut two) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
        let producers = [send(&runtime, [(one.sid(), 1)]), send(&runtime, [(two.sid(), 2)])];
        react_until(runtime.reactor(0).unwrap(), || runtime.metrics().delivered == 2);
        assert_eq!(&one.try_take().unwrap().unwrap()[..], [1]);
        assert_eq!(&two.try_take().unwrap().unwrap()[..], [2]);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        assert_eq!(runtime.metrics().buffered, 0);
    });
}

/// One producer, three frames, one cell: some go through the ring, some through the queue, whatever the reactor empties
/// meanwhile. Legal: the frames come in the order in which they were sent.
#[test]
fn overflow_keeps_order() {
    model("shard::overflow_keeps_order", Bound::Three, || {
        let runtime = Arc::new(small(1, 1));
        let mut frames = runtime.open_stream(0).unwrap();
        let producer = send(&runtime, [(frames.sid(), 1), (frames.sid(), 2), (frames.sid(), 3)]);
        react_until(runtime.reactor(0).unwrap(), || runtime.metrics().delivered == 3);
        for byte in 1..=3 {
            assert_eq!(&frames.try_next().unwrap().unwrap()[..], [byte]);
        }
        producer.join().unwrap();
        drop(frames);
        assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
    });
}

/// Two producers through one cell, so that a record may wait in the overflow queue for a claim of the other that is not
/// published yet. Legal: each producer's frames in order, whatever the merge.
#[test]
fn overflow_waits_for_the_ring() {
    model("shard::overflow_waits_for_the_ring", Bound::Two, || {
        let runtime = Arc::new(small(2, 2));
        let (mut a, mut b) = (runtime.open_stream(0).unwrap(), runtime.open(0).unwrap());
        let producers = [send(&runtime, [(b.sid(), 9)]), send(&runtime, [(a.sid(), 1), (a.sid(), 2)])];
        react_until(runtime.reactor(0).unwrap(), || runtime.metrics().delivered == 3);
        assert_eq!(&a.try_next().unwrap().unwrap()[..], [1]);
        assert_eq!(&a.try_next().unwrap().unwrap()[..], [2]);
        assert_eq!(&b.try_take().unwrap().unwrap()[..], [9]);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
    });
}

/// A caller consumes for itself before it sleeps, while the reactor consumes as well. Legal: the caller gets its result,
/// from its own hands or by a wake-up, and the other call's result is delivered whoever meets it.
#[test]
fn help_against_reactor() {
    model("shard::help_against_reactor", Bound::Two, || {
        let (runtime, done) = (Arc::new(small(2, 1)), Arc::new(AtomicBool::new(false)));
        let mut call = runtime.open(0).unwrap();
        let reacting = reactor(&runtime, &done);
        let producer = send(&runtime, [(call.sid(), 1)]);
        let reply = call.try_take().unwrap_or_else(|| block_on(call));
        assert_eq!(&reply.unwrap()[..], [1]);
        producer.join().unwrap();
        done.store(true, Ordering::Release);
        stop(runtime.reactor(0).unwrap());
        reacting.join().unwrap();
        assert_eq!((runtime.metrics().delivered, runtime.metrics().in_flight), (1, 0));
    });
}

/// A reactor that finds the token held by a caller who helps leaves its mark and sleeps. Legal: the second result, which
/// nobody armed the ring for, reaches its caller all the same.
#[test]
fn reactor_leaves_its_mark() {
    model("shard::reactor_leaves_its_mark", Bound::Two, || {
        let (runtime, done) = (Arc::new(small(2, 2)), Arc::new(AtomicBool::new(false)));
        let (mut one, two) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
        runtime.send(one.sid(), NrStatus::Ok, &[1]);
        let reacting = reactor(&runtime, &done);
        let producer = send(&runtime, [(two.sid(), 2)]);
        let first = one.try_take().map(|reply| reply.unwrap()[0]);
        assert!(first.is_none_or(|byte| byte == 1));
        assert_eq!(&block_on(two).unwrap()[..], [2]);
        producer.join().unwrap();
        done.store(true, Ordering::Release);
        stop(runtime.reactor(0).unwrap());
        reacting.join().unwrap();
        assert_eq!(runtime.metrics().delivered, 2);
    });
}

/// Inside its scope a thread sends a result for another call of its shard, which takes the mark of the sleeping reactor;
/// then a second thread answers a third call. Legal: the last result wakes the reactor all the same.
#[test]
fn inline_answer_keeps_the_reactor_armed() {
    model("shard::inline_answer_keeps_the_reactor_armed", Bound::Two, || {
        let runtime = Arc::new(small(2, 4));
        let mut scoped = runtime.open(0).unwrap();
        let (mut other, mut later) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
        let waiting = {
            let runtime = runtime.clone();
            thread::spawn(move || react_until(runtime.reactor(0).unwrap(), || runtime.metrics().delivered == 2))
        };
        let sid = other.sid();
        scoped.inline(|| runtime.send(sid, NrStatus::Ok, &[1]));
        let producer = send(&runtime, [(later.sid(), 2)]);
        producer.join().unwrap();
        // The scope's own thread may have delivered the last one; then the reactor is told to look again.
        if runtime.metrics().delivered == 2 {
            stop(runtime.reactor(0).unwrap());
        }
        waiting.join().unwrap();
        assert_eq!(&other.try_take().unwrap().unwrap()[..], [1]);
        assert_eq!(&later.try_take().unwrap().unwrap()[..], [2]);
        drop(scoped);
    });
}

/// A caller's own thread and another one answer the same call, while a third drains. Legal: either result, whole; the
/// other is counted as a duplicate, or as unknown if it came after the call was done.
#[test]
fn inline_answer_is_the_first() {
    model("shard::inline_answer_is_the_first", Bound::Two, || {
        let runtime = Arc::new(small(2, 1));
        let mut call = runtime.open(0).unwrap();
        let sid = call.sid();
        let producer = send(&runtime, [(sid, 2)]);
        let shared = runtime.clone();
        let draining = thread::spawn(move || shared.reactor(0).unwrap().drain(64));
        call.inline(|| runtime.send(sid, NrStatus::Ok, &[1]));
        let reply = call.try_take().unwrap().unwrap();
        assert!(matches!(reply[..], [1] | [2]));
        producer.join().unwrap();
        draining.join().unwrap();
        let _ = runtime.reactor(0).unwrap().drain(64);
        let m = runtime.metrics();
        assert_eq!((m.delivered, m.duplicate + m.unknown_sid, m.in_flight), (1, 1, 0), "{m:?}");
    });
}

/// Another thread answers first, and the caller's own thread knows it. Legal: only the first result.
#[test]
fn inline_answer_is_not_the_first() {
    model("shard::inline_answer_is_not_the_first", Bound::Three, || {
        let runtime = Arc::new(small(2, 1));
        let mut call = runtime.open(0).unwrap();
        let sid = call.sid();
        let shared = runtime.clone();
        let draining = thread::spawn(move || shared.reactor(0).unwrap().drain(64));
        call.inline(|| {
            send(&runtime, [(sid, 2)]).join().unwrap();
            runtime.send(sid, NrStatus::Ok, &[1]);
        });
        draining.join().unwrap();
        assert_eq!(&call.try_take().unwrap().unwrap()[..], [2]);
        let _ = runtime.reactor(0).unwrap().drain(64);
        let m = runtime.metrics();
        assert_eq!((m.delivered, m.duplicate + m.unknown_sid, m.in_flight), (1, 1, 0), "{m:?}");
    });
}

/// A runtime closes while a caller parks. Legal: the caller gets its result or learns that the runtime is closed; it does
/// not sleep for ever.
#[test]
fn close_against_park() {
    model("shard::close_against_park", Bound::Three, || {
        let runtime = Arc::new(small(1, 1));
        let call = runtime.open(0).unwrap();
        let shared = runtime.clone();
        let closer = thread::spawn(move || shared.close());
        assert!(matches!(block_on(call), Err(nylon_ring_runtime::RuntimeError::Closed)));
        closer.join().unwrap();
        assert_eq!(runtime.metrics().in_flight, 0);
    });
}

/// Rings that come together cost one wake-up, but never none. Legal: the reactor sees both records after any one ring.
#[test]
fn rings_collapse() {
    model("shard::rings_collapse", Bound::Three, || {
        let runtime = Arc::new(small(2, 2));
        let (mut one, mut two) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
        let reactor = runtime.reactor(0).unwrap();
        assert_eq!(reactor.turn(64), Turn::Sleep);
        let producers = [send(&runtime, [(one.sid(), 1)]), send(&runtime, [(two.sid(), 2)])];
        wait_for(reactor);
        react_until(reactor, || runtime.metrics().delivered == 2);
        assert!(one.try_take().is_some() && two.try_take().is_some());
        producers.into_iter().for_each(|producer| producer.join().unwrap());
    });
}

/// The first result goes through the overflow queue, and a reactor delivers it while the caller's own thread sends a second
/// one. Legal: the caller gets the first.
#[test]
fn inline_answer_comes_after_an_overflow() {
    model("shard::inline_answer_comes_after_an_overflow", Bound::Three, || {
        let runtime = Arc::new(small(1, 2));
        let (other, mut call) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
        let shared = runtime.clone();
        let reacting = thread::spawn(move || {
            react_until(shared.reactor(0).unwrap(), || shared.metrics().drained >= 2);
        });
        let sid = call.sid();
        runtime.send(other.sid(), NrStatus::Ok, &[0]);
        runtime.send(sid, NrStatus::Ok, &[1]);
        call.inline(|| runtime.send(sid, NrStatus::Ok, &[2]));
        let reply = block_on(call).unwrap();
        assert_eq!(&reply[..], [1], "the second result won");
        stop(runtime.reactor(0).unwrap());
        reacting.join().unwrap();
        drop(other);
    });
}
