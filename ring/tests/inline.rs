//! Inline scopes: answers that come on the caller's own thread wake nobody, and keep nobody from waking.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Waker},
    thread,
};

use nylon_ring_runtime::{DoorbellKind, NrStatus, Runtime, RuntimeError, Turn};
use support::{many, small};

fn rung(runtime: &Runtime, shard: usize) -> bool {
    let reactor = runtime.reactor(shard).unwrap();
    reactor.doorbell().poll_rung(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Two shards, whose reactors have armed their rings and sleep.
fn asleep() -> Runtime {
    let runtime = Runtime::builder()
        .shards(2)
        .slots(if cfg!(miri) { 8 } else { 256 })
        .cells(64)
        .doorbell(DoorbellKind::Waker)
        .build()
        .unwrap();
    for shard in 0..2 {
        assert_eq!(runtime.reactor(shard).unwrap().turn(64), Turn::Sleep);
    }
    runtime
}

fn sent(runtime: &Runtime) -> u64 {
    let m = runtime.metrics();
    m.delivered + m.unknown_sid + m.duplicate + m.after_end + m.overflow_dropped
}

#[test]
fn an_inline_answer_does_not_ring() {
    let runtime = asleep();
    for _ in 0..many(200) {
        let mut call = runtime.open(0).unwrap();
        let sid = call.sid();
        call.inline(|| runtime.send(sid, NrStatus::Ok, b"x"));
        assert_eq!(&call.try_take().unwrap().unwrap()[..], b"x");
    }
    assert!(!rung(&runtime, 0));
    assert_eq!((sent(&runtime), runtime.metrics().in_flight), (many(200) as u64, 0));
    // The reactor is armed still: the next answer from anywhere rings.
    let call = runtime.open(0).unwrap();
    runtime.send(call.sid(), NrStatus::Ok, b"x");
    assert!(rung(&runtime, 0));
}

/// A record that goes through the ring inside the scope takes the mark, and the scope puts it back.
#[test]
fn a_record_for_another_call_of_the_shard_does_not_ring() {
    let runtime = asleep();
    let (mut here, mut other) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
    let sid = other.sid();
    here.inline(|| runtime.send(sid, NrStatus::Ok, b"other"));
    assert!(!rung(&runtime, 0));
    assert_eq!(&other.try_take().unwrap().unwrap()[..], b"other");
    assert!(here.try_take().is_none());
    runtime.send(here.sid(), NrStatus::Ok, b"here");
    assert!(rung(&runtime, 0));
}

#[test]
fn an_answer_for_another_shard_rings() {
    let runtime = asleep();
    let (mut here, there) = (runtime.open(0).unwrap(), runtime.open(1).unwrap());
    here.inline(|| runtime.send(there.sid(), NrStatus::Ok, b"x"));
    assert!(rung(&runtime, 1));
    assert!(!rung(&runtime, 0));
}

#[test]
fn the_first_answer_counts_whichever_way_it_came() {
    let runtime = asleep();
    // Two on this thread.
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| {
        runtime.send(sid, NrStatus::Ok, b"first");
        runtime.send(sid, NrStatus::Err, b"second");
    });
    assert_eq!(&call.try_take().unwrap().unwrap()[..], b"first");
    assert_eq!(runtime.metrics().duplicate, 1);
    // One that another thread sent before, through the ring.
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| {
        thread::scope(|scope| scope.spawn(|| runtime.send(sid, NrStatus::Ok, b"ring")).join().unwrap());
        runtime.send(sid, NrStatus::Ok, b"inline");
    });
    assert_eq!(&call.try_take().unwrap().unwrap()[..], b"ring");
    // The same, drained before the inline answer.
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| {
        thread::scope(|scope| scope.spawn(|| runtime.send(sid, NrStatus::Ok, b"ring")).join().unwrap());
        let _ = runtime.reactor(0).unwrap().drain(64);
        runtime.send(sid, NrStatus::Ok, b"inline");
    });
    assert_eq!(&call.try_take().unwrap().unwrap()[..], b"ring");
    // One that comes through the ring, and is delivered, after the inline answer.
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| {
        runtime.send(sid, NrStatus::Ok, b"inline");
        thread::scope(|scope| scope.spawn(|| runtime.send(sid, NrStatus::Ok, b"ring")).join().unwrap());
        let _ = runtime.reactor(0).unwrap().drain(64);
    });
    assert_eq!(&call.try_take().unwrap().unwrap()[..], b"inline");
    let _ = runtime.reactor(0).unwrap().turn(64);
    assert_eq!((sent(&runtime), runtime.metrics().delivered, runtime.metrics().in_flight), (8, 4, 0));
}

#[test]
fn the_first_of_two_scopes_counts() {
    let runtime = asleep();
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| runtime.send(sid, NrStatus::Ok, &[1; 5000]));
    call.inline(|| runtime.send(sid, NrStatus::Ok, b"2"));
    assert_eq!(call.try_take().unwrap().unwrap()[..], [1; 5000]);
    let m = runtime.metrics();
    assert_eq!((m.duplicate, m.buffered, sent(&runtime)), (1, 0, 2));
}

/// However scopes are nested: a record is either served, or its reactor is rung for.
#[test]
fn nested_scopes_pay_their_debts() {
    for shards in [[0, 1], [1, 0], [0, 0]] {
        let runtime = asleep();
        let [mut outer, mut inner] = shards.map(|shard| runtime.open(shard).unwrap());
        let sids = [outer.sid(), inner.sid()];
        let send = |text: &[u8]| sids.iter().for_each(|sid| runtime.send(*sid, NrStatus::Ok, text));
        outer.inline(|| {
            inner.inline(|| send(b"inner"));
            send(b"outer");
        });
        for (call, first) in [(&mut inner, "inner"), (&mut outer, "inner")] {
            assert_eq!(&call.try_take().unwrap().unwrap()[..], first.as_bytes(), "shards {shards:?}");
        }
        for shard in 0..2 {
            while runtime.reactor(shard).unwrap().turn(64) == Turn::More {}
            let later = runtime.open(shard).unwrap();
            runtime.send(later.sid(), NrStatus::Ok, b"x");
            assert!(rung(&runtime, shard), "a scope was left behind: shards {shards:?}");
        }
        assert_eq!(sent(&runtime), 4 + 2 - 2, "what was sent later is not drained yet");
    }
}

#[test]
fn a_scope_that_unwinds_pays_too() {
    let runtime = asleep();
    let (mut call, mut other) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
    let sid = other.sid();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        call.inline(|| {
            runtime.send(sid, NrStatus::Ok, b"x");
            panic!("in the scope");
        })
    }));
    assert!(unwound.is_err());
    assert!(other.try_take().is_some());
    runtime.send(call.sid(), NrStatus::Ok, b"x");
    assert!(rung(&runtime, 0));
}

#[test]
fn a_scope_serves_more_than_a_batch() {
    let (room, count) = if cfg!(miri) { (128, 100) } else { (1024, 1000) };
    let runtime = small(room, room as u32).build().unwrap();
    let mut calls: Vec<_> = (0..count).map(|_| runtime.open(0).unwrap()).collect();
    let sids: Vec<_> = calls.iter().map(|call| call.sid()).collect();
    calls[0].inline(|| sids.iter().for_each(|sid| runtime.send(*sid, NrStatus::Ok, b"x")));
    assert!(calls.iter_mut().all(|call| call.try_take().is_some()));
}

#[test]
fn large_and_refused_answers_are_accounted_for() {
    let runtime = Runtime::builder().shards(1).slots(16).cells(16).buffer_limit(1 << 20).build().unwrap();
    let large = vec![7; 1 << 19];
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| runtime.send(sid, NrStatus::Ok, &large));
    assert_eq!(call.try_take().unwrap().unwrap().len(), large.len());
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| runtime.send(sid, NrStatus::Ok, &vec![7; 2 << 20]));
    assert!(matches!(call.try_take(), Some(Err(RuntimeError::Overflow { .. }))));
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| runtime.send(sid, NrStatus::Ok, &large));
    call.refuse();
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| runtime.send(sid, NrStatus::Ok, &large));
    drop(call);
    let m = runtime.metrics();
    assert_eq!((m.buffered, m.in_flight, sent(&runtime)), (0, 0, 4));
}
