//! Reactors: parked, timed, many on one shard, and inside `block_on`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::{
    future::poll_fn,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use nylon_ring_runtime::{NrStatus, Runtime, Turn};
use support::{KINDS, many, small, within};

/// Drives a shard on the calling thread until `stop`.
fn react(runtime: &Runtime, shard: usize, stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        runtime.reactor(shard).unwrap().park(Some(Duration::from_secs(5)));
    }
}

#[test]
fn block_on_serves_calls_answered_by_another_thread() {
    for &kind in KINDS {
        within(10, move || {
            let runtime = small(4, 4).doorbell(kind).build().unwrap();
            let reactor = runtime.reactor(0).unwrap();
            thread::scope(|scope| {
                let (sids, to_answer) = std::sync::mpsc::channel::<u64>();
                let runtime = &runtime;
                scope.spawn(move || to_answer.iter().for_each(|sid| runtime.send(sid, NrStatus::Ok, b"pong")));
                for _ in 0..many(5_000) {
                    let call = runtime.open(0).unwrap();
                    sids.send(call.sid()).unwrap();
                    assert_eq!(&reactor.block_on(call).unwrap()[..], b"pong");
                }
                drop(sids);
            });
            assert_eq!(runtime.metrics().in_flight, 0);
        });
    }
}

#[test]
fn a_future_that_wakes_itself_is_polled_again() {
    for &kind in KINDS {
        within(10, move || {
            let runtime = small(4, 4).doorbell(kind).build().unwrap();
            let mut polls = 0;
            let third = poll_fn(|cx| {
                polls += 1;
                cx.waker().wake_by_ref();
                if polls == 3 { Poll::Ready(polls) } else { Poll::Pending }
            });
            assert_eq!(runtime.reactor(0).unwrap().block_on(third), 3);
        });
    }
}

#[test]
fn a_park_comes_back_when_its_time_is_over() {
    for &kind in KINDS {
        within(10, move || {
            let runtime = small(4, 4).doorbell(kind).build().unwrap();
            let start = Instant::now();
            runtime.reactor(0).unwrap().park(Some(Duration::from_millis(30)));
            assert!(start.elapsed() >= Duration::from_millis(25));
        });
    }
}

#[test]
fn a_park_ends_when_a_result_comes() {
    for &kind in KINDS {
        within(10, move || {
            let runtime = small(4, 4).doorbell(kind).build().unwrap();
            let mut call = runtime.open(0).unwrap();
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(Duration::from_millis(20));
                    runtime.send(call.sid(), NrStatus::Ok, b"");
                });
                while runtime.metrics().delivered == 0 {
                    runtime.reactor(0).unwrap().park(Some(Duration::from_secs(5)));
                }
            });
            assert!(call.try_take().is_some());
        });
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes Miri minutes")]
fn a_turn_keeps_to_its_budget() {
    let runtime = small(1024, 512).build().unwrap();
    let calls: Vec<_> = (0..512).map(|_| runtime.open(0).unwrap()).collect();
    calls.iter().for_each(|call| runtime.send(call.sid(), NrStatus::Ok, b""));
    let reactor = runtime.reactor(0).unwrap();
    assert_eq!(reactor.turn(128), Turn::More);
    assert_eq!(runtime.metrics().delivered, 128);
    while reactor.turn(128) == Turn::More {}
    assert_eq!(runtime.metrics().delivered, 512);
}

/// A reactor that sleeps is not forgotten when another one on the same shard leaves with the ring that was meant for both.
#[test]
#[cfg_attr(miri, ignore = "several reactors sleep on one bell, which needs `poll`")]
fn a_reactor_that_leaves_takes_the_turn_first() {
    within(20, || {
        let (runtime, stop) = (small(64, 64).build().unwrap(), AtomicBool::new(false));
        thread::scope(|scope| {
            let (runtime, stop) = (&runtime, &stop);
            // It sleeps until the doorbell rings: a lost ring is one that nobody makes up for.
            scope.spawn(move || {
                while !stop.load(Relaxed) {
                    runtime.reactor(0).unwrap().park(None);
                }
            });
            for _ in 0..500 {
                // It comes, sleeps once, and is gone.
                let leaver = scope.spawn(move || runtime.reactor(0).unwrap().park(Some(Duration::from_millis(5))));
                let call = runtime.open(0).unwrap();
                let sid = call.sid();
                scope.spawn(move || runtime.send(sid, NrStatus::Ok, b"x"));
                assert_eq!(&futures::executor::block_on(call).unwrap()[..], b"x");
                leaver.join().unwrap();
            }
            stop.store(true, Relaxed);
            for _ in 0..100 {
                std::task::Waker::from(runtime.reactor(0).unwrap().doorbell().clone()).wake();
                thread::sleep(Duration::from_millis(1));
            }
        });
    });
}

#[test]
#[cfg_attr(miri, ignore = "several reactors sleep on one bell, which needs `poll`")]
fn several_reactors_share_a_shard() {
    within(20, || {
        let (runtime, stop) = (small(8, 256).build().unwrap(), AtomicBool::new(false));
        thread::scope(|scope| {
            let runtime = &runtime;
            (0..3).for_each(|_| drop(scope.spawn(|| react(runtime, 0, &stop))));
            let (work, inbox) = std::sync::mpsc::channel::<Vec<u64>>();
            scope.spawn(move || inbox.iter().flatten().for_each(|sid| runtime.send(sid, NrStatus::Ok, b"x")));
            let workers: Vec<_> = (0..2)
                .map(|worker| {
                    let work = work.clone();
                    scope.spawn(move || {
                        for round in 0..2_000 {
                            let calls: Vec<_> = (0..8).map(|_| runtime.open(0).unwrap()).collect();
                            let sids: Vec<u64> = calls.iter().map(|call| call.sid()).collect();
                            if (round + worker) % 2 == 0 {
                                work.send(sids).unwrap();
                            } else {
                                sids.iter().for_each(|&sid| runtime.send(sid, NrStatus::Ok, b"x"));
                            }
                            for call in calls {
                                assert_eq!(&futures::executor::block_on(call).unwrap()[..], b"x");
                            }
                        }
                    })
                })
                .collect();
            drop(work);
            workers.into_iter().for_each(|worker| worker.join().unwrap());
            stop.store(true, Relaxed);
            for _ in 0..3 {
                std::task::Waker::from(runtime.reactor(0).unwrap().doorbell().clone()).wake();
                thread::sleep(Duration::from_millis(1));
            }
        });
        assert_eq!((runtime.metrics().in_flight, runtime.metrics().delivered), (0, 32_000));
    });
}
