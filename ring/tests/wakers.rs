//! Wakers are foreign code: they may panic, and they may use the runtime that wakes them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
};

use nylon_ring_runtime::{NrStatus, Pending, Runtime, Turn};
use support::{drain, small, within};

/// A waker that runs a closure.
struct Calls<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Calls<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn waker(f: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Calls(f)))
}

/// A waker that counts.
fn counter(count: Arc<AtomicU64>) -> Waker {
    waker(move || {
        count.fetch_add(1, Relaxed);
    })
}

fn park(call: &mut Pending<'_>, waker: &Waker) {
    assert!(Pin::new(call).poll(&mut Context::from_waker(waker)).is_pending());
}

/// A runtime that lives as long as the program, so that wakers may refer to it.
fn leaked(cells: usize, slots: u32) -> &'static Runtime {
    Box::leak(Box::new(small(cells, slots).build().unwrap()))
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_waking() {
    let runtime = leaked(8, 4);
    let woken = Arc::new(AtomicU64::new(0));
    let mut calls: Vec<_> = (0..3).map(|_| runtime.open(0).unwrap()).collect();
    for (number, call) in calls.iter_mut().enumerate() {
        let woken = woken.clone();
        let waker = waker(move || {
            woken.fetch_add(1, Relaxed);
            assert!(number != 1, "a waker panics, as this test wants it");
        });
        park(call, &waker);
    }
    calls.iter().for_each(|call| runtime.send(call.sid(), NrStatus::Ok, b"x"));
    drain(runtime, 0);
    assert_eq!(woken.load(Relaxed), 3);
    assert!(calls.iter_mut().all(|call| matches!(call.try_take(), Some(Ok(_)))));
    // The token was let go.
    let mut next = runtime.open(0).unwrap();
    runtime.send(next.sid(), NrStatus::Ok, b"y");
    assert!(next.try_take().is_some());
}

/// What a panic carries can panic once more, when it is dropped.
#[test]
fn a_waker_that_panics_twice_keeps_nobody_from_waking() {
    struct Again;
    impl Drop for Again {
        fn drop(&mut self) {
            panic!("a panic's payload panics, as this test wants it");
        }
    }
    let runtime = leaked(8, 4);
    let woken = Arc::new(AtomicU64::new(0));
    let (mut first, mut second) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
    park(&mut first, &waker(|| std::panic::panic_any(Again)));
    park(&mut second, &counter(woken.clone()));
    runtime.send(first.sid(), NrStatus::Ok, b"x");
    runtime.send(second.sid(), NrStatus::Ok, b"x");
    drain(runtime, 0);
    assert_eq!(woken.load(Relaxed), 1);
    assert!(first.try_take().is_some() && second.try_take().is_some());
}

#[test]
fn a_waker_may_poll_inline() {
    within(10, || {
        let runtime = leaked(8, 4);
        let call = Arc::new(Mutex::new(Some(runtime.open(0).unwrap())));
        let (done, inner) = (Arc::new(AtomicU64::new(0)), call.clone());
        let count = done.clone();
        let inline = waker(move || {
            let mut call = inner.lock().unwrap();
            let polled = Pin::new(call.as_mut().unwrap()).poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Ready(Ok(_))));
            *call = None;
            // And it starts the next call, answers it, and takes a turn, all from inside.
            let mut next = runtime.open(0).unwrap();
            runtime.send(next.sid(), NrStatus::Ok, b"next");
            assert_eq!(runtime.reactor(0).unwrap().turn(64), Turn::Sleep);
            assert!(next.try_take().is_some());
            count.fetch_add(1, Relaxed);
        });
        let sid = {
            let mut call = call.lock().unwrap();
            park(call.as_mut().unwrap(), &inline);
            call.as_ref().unwrap().sid()
        };
        runtime.send(sid, NrStatus::Ok, b"x");
        drain(runtime, 0);
        assert_eq!((done.load(Relaxed), runtime.metrics().in_flight), (1, 0));
    });
}

#[test]
fn a_waker_may_drop_another_call_of_the_batch() {
    within(10, || {
        let runtime = leaked(8, 4);
        let victim = Arc::new(Mutex::new(Some(runtime.open(0).unwrap())));
        let woken = Arc::new(AtomicU64::new(0));
        park(victim.lock().unwrap().as_mut().unwrap(), &counter(woken.clone()));
        let (mut killer, inner) = (runtime.open(0).unwrap(), victim.clone());
        park(&mut killer, &waker(move || drop(inner.lock().unwrap().take())));
        let sid = victim.lock().unwrap().as_ref().unwrap().sid();
        runtime.send(killer.sid(), NrStatus::Ok, b"first");
        runtime.send(sid, NrStatus::Ok, b"second");
        drain(runtime, 0);
        // The victim's waker was taken with the batch: it may be woken, for nothing.
        assert!(woken.load(Relaxed) <= 1);
        assert!(killer.try_take().is_some());
        assert_eq!((runtime.metrics().in_flight, runtime.metrics().abandoned), (0, 1));
    });
}

#[test]
fn a_receiver_is_woken_once_a_batch() {
    let runtime = leaked(64, 2);
    let woken = Arc::new(AtomicU64::new(0));
    let counting = counter(woken.clone());
    let mut frames = runtime.open_stream(0).unwrap();
    assert!(frames.poll_next(&mut Context::from_waker(&counting)).is_pending());
    for _ in 0..20 {
        runtime.send(frames.sid(), NrStatus::Ok, b"x");
    }
    drain(runtime, 0);
    assert_eq!(woken.load(Relaxed), 1);
    for _ in 0..20 {
        assert!(frames.poll_next(&mut Context::from_waker(&counting)).is_ready());
    }
    assert!(frames.poll_next(&mut Context::from_waker(&counting)).is_pending());
    runtime.send(frames.sid(), NrStatus::StreamEnd, b"");
    drain(runtime, 0);
    assert_eq!(woken.load(Relaxed), 2);
}

#[test]
fn frames_of_a_batch_wake_every_stream_they_belong_to() {
    let runtime = leaked(64, 8);
    let woken = Arc::new(AtomicU64::new(0));
    let mut streams: Vec<_> = (0..4).map(|_| runtime.open_stream(0).unwrap()).collect();
    for frames in &mut streams {
        let counting = counter(woken.clone());
        assert!(frames.poll_next(&mut Context::from_waker(&counting)).is_pending());
    }
    for _ in 0..5 {
        streams.iter().for_each(|frames| runtime.send(frames.sid(), NrStatus::Ok, b"x"));
    }
    drain(runtime, 0);
    assert_eq!(woken.load(Relaxed), 4);
}
