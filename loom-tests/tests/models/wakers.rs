//! `slot.rs`, `pending.rs`, `receiver.rs`, `consumer.rs`, `doorbell.rs`: which waker is woken, and what it may do.
//!
//! Wakers of these models count, or call back into the runtime: they run on the thread that delivers.

use std::{
    future::Future,
    panic::resume_unwind,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use loom::{future::block_on, thread};
use nylon_ring_loom_tests::{Bound, NOBODY, Woken, drain, model, outcomes, react_until, send, small, step, waker};
use nylon_ring_runtime::{NrStatus, Pending, Runtime};

/// A producer that also drains, on a thread of its own.
fn answer(runtime: &Arc<Runtime>, sids: impl IntoIterator<Item = u64> + 'static) -> thread::JoinHandle<()> {
    let runtime = runtime.clone();
    thread::spawn(move || {
        for sid in sids {
            step();
            runtime.send(sid, NrStatus::Ok, b"x");
        }
        drain(runtime.reactor(0).unwrap());
    })
}

fn is_done(call: &mut Pending<'_>, waker: &Waker) -> bool {
    step();
    Pin::new(call).poll(&mut Context::from_waker(waker)).is_ready()
}

/// A future is polled with one waker, then with another, while its result is delivered. Legal: the result is found by the first
/// poll, or by the second; or the second waker is woken. A waker that was replaced or not needed is dropped.
#[test]
fn the_last_waker_of_a_call_is_woken() {
    let legal = ["first poll", "second poll", "woken"];
    outcomes("wakers::the_last_waker_of_a_call_is_woken", Bound::Three, legal, || {
        let runtime = Arc::new(small(2, 1));
        let ((one, first), (two, second)) = (Woken::new(), Woken::new());
        let mut call = runtime.open(0).unwrap();
        let answering = answer(&runtime, [call.sid()]);
        let outcome = if is_done(&mut call, &first) {
            "first poll"
        } else if is_done(&mut call, &second) {
            "second poll"
        } else {
            "woken"
        };
        answering.join().unwrap();
        // A caller that had the token sent the other thread away, and has rung for it.
        drain(runtime.reactor(0).unwrap());
        if outcome == "woken" {
            assert!(two.times() > 0, "the waker of the last poll was not woken");
            assert!(is_done(&mut call, Waker::noop()));
        }
        drop((first, second, call));
        assert_eq!((Arc::strong_count(&one), Arc::strong_count(&two)), (1, 1), "a waker stays behind");
        outcome
    });
}

/// The same for a stream. Legal: the same.
#[test]
fn the_last_waker_of_a_stream_is_woken() {
    let legal = ["first poll", "second poll", "woken"];
    outcomes("wakers::the_last_waker_of_a_stream_is_woken", Bound::Three, legal, || {
        let runtime = Arc::new(small(2, 1));
        let ((one, first), (two, second)) = (Woken::new(), Woken::new());
        let mut stream = runtime.open_stream(0).unwrap();
        let answering = answer(&runtime, [stream.sid()]);
        let mut is_there = |waker: &Waker| {
            step();
            stream.poll_next(&mut Context::from_waker(waker)).is_ready()
        };
        let outcome = if is_there(&first) {
            "first poll"
        } else if is_there(&second) {
            "second poll"
        } else {
            "woken"
        };
        answering.join().unwrap();
        // A caller that had the token sent the other thread away, and has rung for it.
        drain(runtime.reactor(0).unwrap());
        if outcome == "woken" {
            assert!(two.times() > 0, "the waker of the last poll was not woken");
            assert!(is_there(Waker::noop()));
        }
        drop((first, second, stream));
        assert_eq!((Arc::strong_count(&one), Arc::strong_count(&two)), (1, 1), "a waker stays behind");
        outcome
    });
}

/// One task polls the portable doorbell, with one waker, then with another, while somebody rings. Legal: a poll finds it rung, or the
/// second waker is woken; it keeps no other.
#[test]
fn the_last_waker_of_a_doorbell_is_woken() {
    let legal = ["first poll", "second poll", "woken"];
    outcomes("wakers::the_last_waker_of_a_doorbell_is_woken", Bound::Any, legal, || {
        let runtime = Arc::new(small(2, 1));
        let ((one, first), (two, second)) = (Woken::new(), Woken::new());
        let bell = runtime.reactor(0).unwrap().doorbell();
        let ringing = {
            let runtime = runtime.clone();
            thread::spawn(move || {
                step();
                Waker::from(runtime.reactor(0).unwrap().doorbell().clone()).wake();
            })
        };
        let poll = |waker: &Waker| {
            step();
            bell.poll_rung(&mut Context::from_waker(waker)).is_ready()
        };
        let outcome = if poll(&first) {
            "first poll"
        } else if poll(&second) {
            "second poll"
        } else {
            "woken"
        };
        ringing.join().unwrap();
        assert!(outcome != "woken" || two.times() > 0, "the waker of the last poll was not woken");
        assert!(poll(&second));
        drop(first);
        assert_eq!(Arc::strong_count(&one), 1, "a waker that was replaced stays behind");
        outcome
    });
}

/// A call is dropped with its waker while its result is delivered. Legal: the waker is woken or not, and dropped.
#[test]
fn a_waker_goes_with_its_call() {
    outcomes("wakers::a_waker_goes_with_its_call", Bound::Three, ["done", "given up", "woken"], || {
        let runtime = Arc::new(small(2, 1));
        let (woken, waker) = Woken::new();
        let mut call = runtime.open(0).unwrap();
        let answering = answer(&runtime, [call.sid()]);
        let done = is_done(&mut call, &waker);
        step();
        drop((call, waker));
        answering.join().unwrap();
        assert_eq!(Arc::strong_count(&woken), 1, "a waker stays behind");
        assert_eq!(runtime.metrics().in_flight, 0);
        match woken.times() {
            _ if done => "done",
            0 => "given up",
            _ => "woken",
        }
    });
}

/// A caller that sleeps is given up, and its slot opened by another one that comes to sleep, while the result of the first is delivered.
/// Legal: the first waker is woken or not; the second one is there for its own result, and each is dropped once.
#[test]
fn a_late_result_takes_no_other_waker() {
    outcomes("wakers::a_late_result_takes_no_other_waker", Bound::Three, ["abandoned", "unknown"], || {
        let runtime = Arc::new(small(2, 1));
        let ((one, first), (two, second)) = (Woken::new(), Woken::new());
        let mut call = runtime.open(0).unwrap();
        assert!(!is_done(&mut call, &first));
        let answering = answer(&runtime, [call.sid()]);
        step();
        drop((call, first));
        let mut call = runtime.open(0).unwrap();
        assert!(!is_done(&mut call, &second));
        answering.join().unwrap();
        assert_eq!(two.times(), 0, "the second waker was woken by the first result");
        assert_eq!((Arc::strong_count(&one), Arc::strong_count(&two)), (1, 3), "a waker stays behind, or is gone");
        runtime.send(call.sid(), NrStatus::Ok, b"x");
        drain(runtime.reactor(0).unwrap());
        assert_eq!(two.times(), 1);
        assert!(is_done(&mut call, &second));
        drop((call, second));
        assert_eq!(Arc::strong_count(&two), 1, "a waker stays behind");
        if runtime.metrics().abandoned == 1 { "abandoned" } else { "unknown" }
    });
}

/// A waker sends to another call of its shard, opens a call, answers it and takes a turn, all while it is woken; another producer sends
/// meanwhile. Legal: all is done as outside of a waker, for they are called without the token; the call that was opened has its result
/// at once, or later, if the ring is claimed before it and not published.
#[test]
fn a_waker_may_use_the_ring() {
    outcomes("wakers::a_waker_may_use_the_ring", Bound::Two, ["at once", "later"], || {
        let runtime = Arc::new(small(4, 3));
        let (mut first, mut second) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
        let (shared, sid) = (runtime.clone(), second.sid());
        let calling = waker(move || {
            shared.send(sid, NrStatus::Ok, b"from inside");
            let mut inner = shared.open(0).unwrap();
            shared.send(inner.sid(), NrStatus::Ok, b"x");
            drain(shared.reactor(0).unwrap());
            drop(inner.try_take());
        });
        assert!(!is_done(&mut first, &calling));
        let producers = [answer(&runtime, [first.sid()]), send(&runtime, [(NOBODY, 0)])];
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        drain(runtime.reactor(0).unwrap());
        assert!(is_done(&mut first, Waker::noop()));
        assert_eq!(&second.try_take().unwrap().unwrap()[..], b"from inside");
        drop((first, second, calling));
        let m = runtime.metrics();
        assert_eq!((m.in_flight, m.delivered + m.unknown_sid), (0, 4));
        if m.delivered == 3 { "at once" } else { "later" }
    });
}

/// A runtime whose calls wakers may own: they outlive every borrow. Freed by hand, when nothing holds a call of it.
struct Stage(&'static Runtime);

impl Stage {
    fn new(cells: usize, slots: u32) -> Self {
        Self(Box::leak(Box::new(small(cells, slots))))
    }

    /// # Safety
    ///
    /// Nothing refers to the runtime any more.
    unsafe fn free(self) {
        // SAFETY: made by `Box::leak` in `new`; by the contract nothing refers to it.
        drop(unsafe { Box::from_raw(std::ptr::from_ref(self.0).cast_mut()) });
    }
}

/// What the waker of one call does with another call of the same shard, whose result is delivered at the same time.
fn a_waker_meets_another_call(act: fn(&mut Pending<'static>) -> &'static str) -> &'static str {
    let stage = Stage::new(2, 2);
    let runtime = stage.0;
    let (mut first, second) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
    let sids = (first.sid(), second.sid());
    let (second, seen) = (Arc::new(Mutex::new(Some(second))), Arc::new(Mutex::new("not woken")));
    let calling = {
        let (second, seen) = (second.clone(), seen.clone());
        waker(move || {
            // Out of the mutex first: loom does not know it.
            let call = second.lock().unwrap().take();
            if let Some(mut call) = call {
                let outcome = act(&mut call);
                *seen.lock().unwrap() = outcome;
            }
        })
    };
    assert!(!is_done(&mut first, &calling));
    let producers = [sids.0, sids.1].map(|sid| {
        thread::spawn(move || {
            step();
            runtime.send(sid, NrStatus::Ok, b"x");
            drain(runtime.reactor(0).unwrap());
        })
    });
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    drain(runtime.reactor(0).unwrap());
    assert!(is_done(&mut first, Waker::noop()));
    assert!(second.lock().unwrap().is_none(), "the waker was not woken");
    assert_eq!((runtime.metrics().in_flight, runtime.metrics().buffered), (0, 0));
    let outcome = *seen.lock().unwrap();
    drop((first, second, calling));
    // SAFETY: both calls are gone, the waker that held one with them, and both threads have ended.
    unsafe { stage.free() };
    outcome
}

/// A waker polls another call of its shard. Legal: it is done, or the waker leaves it to sleep and gives it up.
#[test]
fn a_waker_may_poll_another_call() {
    outcomes("wakers::a_waker_may_poll_another_call", Bound::Two, ["done", "pending"], || {
        a_waker_meets_another_call(|call| match Pin::new(call).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(reply) => reply.map(|_| "done").unwrap(),
            Poll::Pending => "pending",
        })
    });
}

/// A waker drops another call of its shard. Legal: the result of that call is dropped, before or after it was delivered.
#[test]
fn a_waker_may_drop_another_call() {
    outcomes("wakers::a_waker_may_drop_another_call", Bound::Two, ["dropped"], || {
        a_waker_meets_another_call(|_| "dropped")
    });
}

/// A waker panics. Legal: the token is free, and the other caller, who sleeps, is woken all the same, be it of the same batch or not.
#[test]
fn a_waker_that_panics_keeps_nobody_asleep() {
    model("wakers::a_waker_that_panics_keeps_nobody_asleep", Bound::Two, || {
        let runtime = Arc::new(small(2, 2));
        let (mut first, second) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
        // Without the message that a panic prints.
        let panicking = waker(|| resume_unwind(Box::new(())));
        assert!(!is_done(&mut first, &panicking));
        let (shared, sids) = (runtime.clone(), [first.sid(), second.sid()]);
        let answering = thread::spawn(move || {
            sids.into_iter().for_each(|sid| shared.send(sid, NrStatus::Ok, b"x"));
            react_until(shared.reactor(0).unwrap(), || shared.metrics().drained == 2);
        });
        assert_eq!(&block_on(second).unwrap()[..], b"x");
        answering.join().unwrap();
        assert!(first.try_take().is_some(), "the token was not let go");
        assert_eq!(runtime.metrics().in_flight, 0);
    });
}
