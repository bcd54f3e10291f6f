//! What the tests share.

#![allow(dead_code, reason = "every test file uses a part of it")]

use std::{
    sync::mpsc,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use nylon_ring_runtime::{Metrics, Pending, Runtime, RuntimeBuilder, RuntimeError, Turn};

/// A runtime with one shard.
pub fn small(cells: usize, slots: u32) -> RuntimeBuilder {
    Runtime::builder().shards(1).cells(cells).slots(slots)
}

/// Takes turns until nothing is left.
pub fn drain(runtime: &Runtime, shard: usize) {
    while runtime.reactor(shard).unwrap().turn(1024) == Turn::More {}
}

/// Runs `f` on a thread of its own; fails when it does not come back.
pub fn within<T: Send + 'static>(seconds: u64, f: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, finished) = mpsc::channel();
    let worker = thread::spawn(move || {
        let _ = done.send(f());
    });
    match finished.recv_timeout(Duration::from_secs(seconds)) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("hangs: not done after {seconds} s"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match worker.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("the worker sends before it ends"),
        },
    }
}

/// Polls a call once with a waker that does nothing.
pub fn poll_once(call: &mut Pending<'_>) -> Poll<Result<nylon_ring_runtime::Reply, RuntimeError>> {
    std::pin::Pin::new(call).poll(&mut Context::from_waker(Waker::noop()))
}

/// Every record that was sent is accounted for exactly once.
pub fn assert_books(metrics: &Metrics, sent: u64) {
    let booked = metrics.delivered + metrics.unknown_sid + metrics.duplicate + metrics.after_end;
    assert_eq!(booked + metrics.overflow_dropped, sent, "{metrics:?}");
}
