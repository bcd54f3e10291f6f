//! What the tests share.

#![allow(dead_code, reason = "every test file uses a part of it")]

use std::{
    sync::mpsc,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use nylon_ring_runtime::{DoorbellKind, Metrics, Runtime, RuntimeBuilder, Turn};

/// Whatever wakes a reactor. Miri knows eventfds, and not `poll`.
pub const KINDS: &[DoorbellKind] =
    if cfg!(miri) { &[DoorbellKind::Waker] } else { &[DoorbellKind::Native, DoorbellKind::Waker] };

/// This many, and few under Miri, to which everything takes a thousand times as long.
pub const fn many(count: usize) -> usize {
    if cfg!(miri) { count.div_ceil(200) } else { count }
}

/// A runtime with one shard.
pub fn small(cells: usize, slots: u32) -> RuntimeBuilder {
    Runtime::builder().shards(1).cells(cells).slots(slots).doorbell(KINDS[0])
}

/// Takes turns until nothing is left.
pub fn drain(runtime: &Runtime, shard: usize) {
    while runtime.reactor(shard).unwrap().turn(1024) == Turn::More {}
}

/// Runs `f`, which takes so long at most, on a thread of its own; fails when it does not come back, not even in five times as long:
/// a sanitizer takes its time, and so does a machine that has more to do.
pub fn within<T: Send + 'static>(seconds: u64, f: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, finished) = mpsc::channel();
    let worker = thread::spawn(move || {
        let _ = done.send(f());
    });
    match finished.recv_timeout(Duration::from_secs(5 * seconds)) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("hangs: not done after 5 * {seconds} s"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match worker.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("the worker sends before it ends"),
        },
    }
}

/// Polls a call once with a waker that does nothing.
pub fn poll_once<F: Future + Unpin>(call: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(call).poll(&mut Context::from_waker(Waker::noop()))
}

/// Every record that was sent is accounted for exactly once.
pub fn assert_books(metrics: &Metrics, sent: u64) {
    let booked = metrics.delivered + metrics.unknown_sid + metrics.duplicate + metrics.after_end;
    assert_eq!(booked + metrics.overflow_dropped, sent, "{metrics:?}");
}
