//! Closing a runtime.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Wake, Waker},
    thread,
};

use nylon_ring_runtime::{NrStatus, Runtime, RuntimeError};
use support::{KINDS, small, within};

#[test]
fn close_wakes_everybody_who_waits() {
    for &kind in KINDS {
        within(10, move || {
            let runtime = Runtime::builder().shards(4).slots(8).doorbell(kind).build().unwrap();
            thread::scope(|scope| {
                for shard in 0..3 {
                    let runtime = &runtime;
                    let (call, mut frames) = (runtime.open(shard).unwrap(), runtime.open_stream(shard).unwrap());
                    scope.spawn(move || {
                        let reactor = runtime.reactor(shard).unwrap();
                        assert!(matches!(reactor.block_on(call), Err(RuntimeError::Closed)));
                        assert!(matches!(reactor.block_on(frames.next()), Some(Err(RuntimeError::Closed))));
                        assert!(reactor.block_on(frames.next()).is_none());
                    });
                }
                thread::sleep(std::time::Duration::from_millis(20));
                runtime.close();
            });
            assert!(runtime.is_closed());
            assert!(matches!(runtime.open(0), Err(RuntimeError::Closed)));
            assert!(matches!(runtime.open_stream(3), Err(RuntimeError::Closed)));
            assert_eq!(runtime.metrics().in_flight, 0);
            assert_eq!(runtime.metrics().cancelled, 6);
        });
    }
}

/// Nobody has drained it yet: whoever is sent away looks into the ring first.
#[test]
fn what_was_sent_before_the_end_is_taken() {
    let runtime = small(4, 2).build().unwrap();
    let (mut call, mut stream) = (runtime.open(0).unwrap(), runtime.open_stream(0).unwrap());
    runtime.send(call.sid(), NrStatus::Ok, b"in time");
    runtime.close();
    let answer = support::poll_once(&mut call);
    assert!(matches!(answer, std::task::Poll::Ready(Ok(reply)) if reply[..] == *b"in time"));
    runtime.send(stream.sid(), NrStatus::Ok, b"too");
    let frame = stream.poll_next(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(frame, std::task::Poll::Ready(Some(Ok(reply))) if reply[..] == *b"too"));
    let frame = stream.poll_next(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(frame, std::task::Poll::Ready(Some(Err(RuntimeError::Closed)))));
}

#[test]
fn results_sent_after_close_are_dropped_and_counted() {
    let runtime = small(4, 2).build().unwrap();
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    runtime.close();
    assert!(matches!(support::poll_once(&mut call), std::task::Poll::Ready(Err(RuntimeError::Closed))));
    runtime.send(sid, NrStatus::Ok, b"late");
    support::drain(&runtime, 0);
    assert_eq!(runtime.metrics().unknown_sid, 1);
}

#[test]
fn no_call_is_opened_once_the_last_one_is_gone() {
    within(10, || {
        let runtime = Runtime::builder().shards(2).slots(16).build().unwrap();
        thread::scope(|scope| {
            let callers: Vec<_> = (0..3)
                .map(|caller| {
                    let runtime = &runtime;
                    scope.spawn(move || {
                        loop {
                            match runtime.open(caller % 2) {
                                Ok(mut call) => {
                                    runtime.send(call.sid(), NrStatus::Ok, b"x");
                                    while call.try_take().is_none() {
                                        thread::yield_now();
                                    }
                                }
                                Err(error) => return assert!(matches!(error, RuntimeError::Closed)),
                            }
                        }
                    })
                })
                .collect();
            thread::sleep(std::time::Duration::from_millis(20));
            while runtime.stop_opening() != 0 {
                thread::yield_now();
            }
            let opened = runtime.metrics().opened;
            callers.into_iter().for_each(|caller| caller.join().unwrap());
            assert!(matches!(runtime.open(0), Err(RuntimeError::Closed)));
            assert_eq!((runtime.metrics().opened, runtime.metrics().in_flight), (opened, 0));
            assert!(!runtime.is_closed());
        });
    });
}

/// A waker that uses the runtime it is woken by.
struct Curious {
    runtime: Arc<Runtime>,
    woken: AtomicU64,
}

impl Wake for Curious {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Relaxed);
        // The shard was not set up yet: this is the way that takes the runtime's only mutex.
        assert!(self.runtime.open(1).is_err());
        self.runtime.close();
    }
}

#[test]
fn a_waker_may_use_the_runtime_that_closes() {
    within(10, || {
        let runtime = Arc::new(Runtime::builder().shards(2).slots(2).build().unwrap());
        let curious = Arc::new(Curious { runtime: runtime.clone(), woken: AtomicU64::new(0) });
        let mut call = runtime.open(0).unwrap();
        let waker = Waker::from(curious.clone());
        assert!(Pin::new(&mut call).poll(&mut Context::from_waker(&waker)).is_pending());
        runtime.close();
        assert_eq!(curious.woken.load(Relaxed), 1);
    });
}
