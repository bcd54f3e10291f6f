//! `reactor.rs`, `doorbell.rs`, `token.rs`: how a reactor sleeps, and who consumes beside it.
//!
//! `Reactor::block_on`, and `Reactor::park` without a timeout, block the thread of the operating system, on which loom runs all threads
//! of a model: what they are made of is driven here, and `park` with a timeout of nothing. A reactor that spins would be woken more
//! often than somebody rang, so the models count its turns.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::Context,
    time::Duration,
};

use loom::{future::block_on, thread};
use nylon_ring_loom_tests::{
    Bound, Woken, is_guarded, is_rung, model, outcomes, react_until, send, small, step, stop, wait_for,
};
use nylon_ring_runtime::{NrStatus, Runtime, Turn};

/// A reactor on a thread of its own, until `done`, which loom does not see: whoever sets it rings.
fn reactor(runtime: &Arc<Runtime>, done: &Arc<AtomicBool>) -> thread::JoinHandle<()> {
    let (runtime, done) = (runtime.clone(), done.clone());
    thread::spawn(move || react_until(runtime.reactor(0).unwrap(), || done.load(Relaxed)))
}

fn end(runtime: &Runtime, done: &AtomicBool, reactors: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    done.store(true, Relaxed);
    for reactor in reactors {
        stop(runtime.reactor(0).unwrap());
        reactor.join().unwrap();
    }
}

/// How many turns a reactor takes until it has seen `records` results, each from a thread of its own.
fn turns(cells: usize, records: usize) -> u64 {
    let runtime = Arc::new(small(cells, 2));
    let mut calls = (0..records).map(|_| runtime.open(0).unwrap()).collect::<Vec<_>>();
    let producers = calls.iter().map(|call| send(&runtime, [(call.sid(), 1)])).collect::<Vec<_>>();
    let (reactor, turns) = (runtime.reactor(0).unwrap(), Cell::new(0));
    step();
    react_until(reactor, || {
        turns.set(turns.get() + 1);
        runtime.metrics().drained == records as u64
    });
    assert!(calls.iter_mut().all(|call| call.try_take().is_some()));
    producers.into_iter().for_each(|producer| producer.join().unwrap());
    turns.get()
}

/// One result. Legal: the reactor finds it in its first turn, or sleeps, is rung, and finds it in its second.
#[test]
fn one_record_costs_two_turns() {
    outcomes("reactor::one_record_costs_two_turns", Bound::Any, [1, 2], || turns(2, 1));
}

/// Two results. Legal: one turn more at most for each, and no turn for nothing.
#[test]
fn two_records_cost_three_turns() {
    outcomes("reactor::two_records_cost_three_turns", Bound::Two, [1, 2, 3], || turns(2, 2));
}

/// Two results through one cell: who finds the ring full rings whether or not the reactor sleeps. Legal: as many turns, for a ring
/// for what was met already comes too late to cost one.
#[test]
fn overflow_costs_three_turns() {
    outcomes("reactor::overflow_costs_three_turns", Bound::Two, [1, 2, 3], || turns(1, 2));
}

/// A reactor that drains without arming before each turn, as one that polls does. Legal: no result is left behind.
#[test]
fn draining_before_sleeping_loses_nothing() {
    model("reactor::draining_before_sleeping_loses_nothing", Bound::Two, || {
        let runtime = Arc::new(small(2, 2));
        let mut calls = [runtime.open(0).unwrap(), runtime.open(0).unwrap()];
        let producer = send(&runtime, [(calls[0].sid(), 1), (calls[1].sid(), 2)]);
        let reactor = runtime.reactor(0).unwrap();
        step();
        while reactor.drain(64) < 2 {
            if reactor.turn(64) == Turn::Sleep && runtime.metrics().drained < 2 {
                wait_for(reactor);
            }
        }
        assert!(calls.iter_mut().all(|call| call.try_take().is_some()));
        producer.join().unwrap();
    });
}

/// One reactor sleeps, another takes turns beside it, and answers rings that woke the first. Legal: the result reaches its caller,
/// who sleeps, whichever reactor finds it.
#[test]
fn two_reactors_serve_one_shard() {
    model("reactor::two_reactors_serve_one_shard", Bound::One, || {
        let (runtime, done) = (Arc::new(small(2, 1)), Arc::new(AtomicBool::new(false)));
        let call = runtime.open(0).unwrap();
        let sleeping = reactor(&runtime, &done);
        let shared = runtime.clone();
        let passing = thread::spawn(move || {
            step();
            let _ = shared.reactor(0).unwrap().turn(64);
        });
        let producer = send(&runtime, [(call.sid(), 1)]);
        assert_eq!(&block_on(call).unwrap()[..], [1]);
        producer.join().unwrap();
        passing.join().unwrap();
        end(&runtime, &done, [sleeping]);
        assert_eq!((runtime.metrics().delivered, runtime.metrics().in_flight), (1, 0));
    });
}

/// While one reactor sleeps, another parks once, for no time, and leaves; two results are sent meanwhile. Legal: both are delivered, or
/// the first was woken, or the bell is still rung. The other took one turn, or a second because it was rung.
#[test]
fn who_is_rung_takes_the_turn() {
    let legal = [(1, 0), (1, 1), (1, 2), (2, 1), (2, 2)];
    outcomes("reactor::who_is_rung_takes_the_turn", Bound::Three, legal, || {
        let runtime = Arc::new(small(2, 2));
        let calls = [runtime.open(0).unwrap(), runtime.open(0).unwrap()];
        let (woken, sleeper) = Woken::new();
        let reactor = runtime.reactor(0).unwrap();
        assert_eq!(reactor.turn(64), Turn::Sleep);
        assert!(reactor.doorbell().poll_rung(&mut Context::from_waker(&sleeper)).is_pending());
        let producer = send(&runtime, [(calls[0].sid(), 1), (calls[1].sid(), 2)]);
        step();
        reactor.park(Some(Duration::ZERO));
        producer.join().unwrap();
        let m = runtime.metrics();
        assert!(m.delivered == 2 || woken.times() > 0 || is_rung(reactor), "{} delivered, nobody is told", m.delivered);
        assert!(woken.times() > 0 || is_guarded(&runtime, reactor));
        (m.turns - 1, m.delivered)
    });
}

/// Two callers look into the ring at once, each for its own result, and nobody else does. Legal: either has its own, or both;
/// who found the token held may not, and finds it later.
#[test]
fn two_helpers_share_the_ring() {
    let legal = [(true, true), (true, false), (false, true)];
    outcomes("reactor::two_helpers_share_the_ring", Bound::Three, legal, || {
        let runtime = Arc::new(small(2, 2));
        let helper = {
            let runtime = runtime.clone();
            thread::spawn(move || {
                let mut call = runtime.open(0).unwrap();
                step();
                runtime.send(call.sid(), NrStatus::Ok, &[1]);
                let first = call.try_take().is_some();
                std::mem::forget(call);
                first
            })
        };
        let mut call = runtime.open(0).unwrap();
        step();
        runtime.send(call.sid(), NrStatus::Ok, &[2]);
        let mine = call.try_take().is_some();
        let other = helper.join().unwrap();
        assert!(mine || call.try_take().is_some_and(|reply| reply.unwrap()[..] == [2]));
        let _ = runtime.reactor(0).unwrap().drain(64);
        assert_eq!(runtime.metrics().delivered, 2);
        (mine, other)
    });
}

/// Two callers who look into the ring and sleep, and a reactor who does: whoever holds the token when the reactor comes by rings for it. Legal: both results
/// reach their callers.
#[test]
fn two_callers_sleep_beside_a_reactor() {
    model("reactor::two_callers_sleep_beside_a_reactor", Bound::One, || {
        let (runtime, done) = (Arc::new(small(2, 2)), Arc::new(AtomicBool::new(false)));
        let reacting = reactor(&runtime, &done);
        let other = {
            let runtime = runtime.clone();
            thread::spawn(move || {
                let mut call = runtime.open(0).unwrap();
                runtime.send(call.sid(), NrStatus::Ok, &[1]);
                let reply = call.try_take().unwrap_or_else(|| block_on(call));
                assert_eq!(&reply.unwrap()[..], [1]);
            })
        };
        let mut call = runtime.open(0).unwrap();
        step();
        runtime.send(call.sid(), NrStatus::Ok, &[2]);
        let reply = call.try_take().unwrap_or_else(|| block_on(call));
        assert_eq!(&reply.unwrap()[..], [2]);
        other.join().unwrap();
        end(&runtime, &done, [reacting]);
        assert_eq!((runtime.metrics().delivered, runtime.metrics().in_flight), (2, 0));
    });
}
