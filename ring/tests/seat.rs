//! A thread's seat at a shard: what it frees is kept for it, and nobody else notices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    collections::HashSet,
    sync::{
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    thread,
};

use nylon_ring_runtime::{NrStatus, Pending, Runtime, RuntimeError};

/// Miri is slow.
const CALLS: u64 = if cfg!(miri) { 50 } else { 1000 };

fn runtime(slots: u32) -> Runtime {
    Runtime::builder().shards(2).slots(slots).cells(64).build().unwrap()
}

fn answered(runtime: &Runtime, shard: usize) -> u64 {
    let mut call = runtime.open(shard).unwrap();
    let sid = call.sid();
    runtime.send(sid, NrStatus::Ok, b"x");
    assert_eq!(&*call.try_take().unwrap().unwrap(), b"x");
    sid
}

#[test]
fn there_is_one_at_a_time() {
    let runtime = runtime(64);
    let seat = runtime.take_seat(1).unwrap();
    assert!(matches!(runtime.take_seat(1), Err(RuntimeError::SeatTaken { shard: 1 })));
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(matches!(runtime.take_seat(1), Err(RuntimeError::SeatTaken { .. })));
            assert!(runtime.take_seat(0).is_ok());
        });
    });
    drop(seat);
    thread::scope(|scope| {
        scope.spawn(|| assert!(runtime.take_seat(1).is_ok()));
    });
    assert!(matches!(runtime.take_seat(2), Err(RuntimeError::NoSuchShard { .. })));
}

#[test]
fn every_sid_is_new() {
    let runtime = runtime(64);
    let _seat = runtime.take_seat(0).unwrap();
    let sids: HashSet<u64> = (0..CALLS).map(|_| answered(&runtime, 0)).collect();
    assert_eq!(sids.len() as u64, CALLS);
    assert_eq!(runtime.metrics().opened, CALLS);
    assert_eq!(runtime.metrics().in_flight, 0);
}

#[test]
fn a_late_result_of_a_kept_slot_is_dropped() {
    let runtime = runtime(64);
    let _seat = runtime.take_seat(0).unwrap();
    let old = answered(&runtime, 0);
    let mut call = runtime.open(0).unwrap();
    runtime.send(old, NrStatus::Ok, b"late");
    assert!(call.try_take().is_none());
    runtime.send(call.sid(), NrStatus::Ok, b"own");
    assert_eq!(&*call.try_take().unwrap().unwrap(), b"own");
    assert_eq!(runtime.metrics().unknown_sid, 1);
}

/// One slot in eight is kept, and no more than 256; whoever has no seat finds all others, and the seat's thread those too.
#[test]
fn others_find_the_slots_that_are_not_kept() {
    let all = |runtime: &Runtime| {
        let mut calls: Vec<Pending<'_>> = Vec::new();
        loop {
            match runtime.open(0) {
                Ok(call) => calls.push(call),
                Err(RuntimeError::Full { .. }) => return calls.len(),
                Err(error) => panic!("{error}"),
            }
        }
    };
    let elsewhere = |runtime: &Runtime| thread::scope(|scope| scope.spawn(|| all(runtime)).join().unwrap());
    let sizes: &[(usize, usize)] = if cfg!(miri) { &[(64, 8)] } else { &[(64, 8), (4096, 256)] };
    for &(slots, kept) in sizes {
        let runtime = runtime(slots as u32);
        let seat = runtime.take_seat(0).unwrap();
        for _ in 0..3 {
            assert_eq!(all(&runtime), slots);
            assert_eq!(elsewhere(&runtime), slots - kept);
        }
        drop(seat);
        assert_eq!(elsewhere(&runtime), slots);
    }
}

/// A call may end on a thread that has no seat, and its slot is then for everybody.
#[test]
fn a_call_that_ends_elsewhere() {
    let runtime = runtime(8);
    let _seat = runtime.take_seat(0).unwrap();
    let (send, calls) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || calls.into_iter().for_each(|call: Pending<'_>| drop(call)));
        for _ in 0..CALLS {
            match runtime.open(0) {
                Ok(call) => send.send(call).unwrap(),
                Err(RuntimeError::Full { .. }) => thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        drop(send);
    });
    assert_eq!(runtime.metrics().in_flight, 0);
    assert_eq!(runtime.stop_opening(), 0);
}

#[test]
fn kept_slots_are_not_in_flight_when_opening_stops() {
    let runtime = runtime(64);
    let seat = runtime.take_seat(0).unwrap();
    let sid = answered(&runtime, 0);
    let call = runtime.open(0).unwrap();
    assert_ne!(call.sid(), sid);
    assert_eq!(runtime.stop_opening(), 1);
    assert!(matches!(runtime.open(0), Err(RuntimeError::Closed)));
    drop(call);
    assert_eq!(runtime.stop_opening(), 0);
    assert_eq!(runtime.handing_over(), 0);
    assert!(matches!(runtime.open(0), Err(RuntimeError::Closed)));
    assert_eq!(runtime.stop_opening(), 0);
    drop(seat);
    assert_eq!(runtime.stop_opening(), 0);
    assert!(matches!(runtime.open(0), Err(RuntimeError::Closed)));
    assert_eq!(runtime.handing_over(), 0);
}

/// Threads that call and stop calling while another one stops the runtime. Once none is in flight, none ever is.
#[test]
fn stopping_while_seats_are_busy() {
    for _ in 0..CALLS / 5 {
        let (runtime, stopped) = (runtime(64), AtomicBool::new(false));
        (0..2).for_each(|shard| drop(runtime.open(shard).unwrap()));
        thread::scope(|scope| {
            for shard in 0..2 {
                let (runtime, stopped) = (&runtime, &stopped);
                scope.spawn(move || {
                    let _seat = runtime.take_seat(shard).unwrap();
                    while let Ok(mut call) = runtime.open(shard) {
                        call.inline(|| assert!(!stopped.load(SeqCst), "handed over after the last one"));
                        let sid = call.sid();
                        runtime.send(sid, NrStatus::Ok, b"x");
                        assert!(call.try_take().unwrap().is_ok());
                    }
                });
            }
            while runtime.stop_opening() != 0 || runtime.handing_over() != 0 {
                thread::yield_now();
            }
            stopped.store(true, SeqCst);
        });
        assert_eq!(runtime.metrics().in_flight, 0);
    }
}

/// The consumer is the thread that opens: what it frees on the way is kept for it, and must be found.
#[test]
fn the_slot_of_an_orphan_is_found_by_the_thread_that_frees_it() {
    let runtime = runtime(8);
    let _seat = runtime.take_seat(0).unwrap();
    let calls: Vec<_> = (0..7).map(|_| runtime.open(0).unwrap()).collect();
    let leased = runtime.open(0).unwrap();
    runtime.set_state(leased.sid(), "key", b"value").unwrap();
    assert!(runtime.get_state(leased.sid(), "key").is_some());
    drop(leased);
    drop(runtime.open(0).unwrap());
    drop(calls);
    assert_eq!(runtime.metrics().in_flight, 0);
}
