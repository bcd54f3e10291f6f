//! What call this thread is working for.
//!
//! It serves two ends. What is logged within a call carries its sid. And a call that is answered while its `handle` runs,
//! on the same thread, need not be counted, for no instance is freed while a `handle` runs: on the shortest path there is
//! no atomic operation. A call that is still open when its `handle` returns is counted then; what ends it takes the count
//! back. If another thread ends it before that, the count is below zero for a moment, which nobody looks at until the
//! last `handle` has returned.

use std::{cell::Cell, ptr};

use crate::ffi::Link;

/// A call on this thread. The link outlives it: it is that of a function on this thread's stack.
#[derive(Debug, Clone, Copy)]
struct Here {
    link: &'static Link,
    sid: u64,
    /// This is its `handle`, and this thread has not answered it yet.
    unanswered: bool,
}

thread_local! {
    static HERE: Cell<Option<Here>> = const { Cell::new(None) };
}

/// What this thread worked for before, put back in the end.
struct Outer<'t> {
    here: &'t Cell<Option<Here>>,
    outer: Option<Here>,
}

impl<'t> Outer<'t> {
    fn leave(here: &'t Cell<Option<Here>>, inner: Here) -> Self {
        let outer = here.replace(Some(inner));
        Self { here, outer }
    }
}

impl Drop for Outer<'_> {
    fn drop(&mut self) {
        // Only `handle` leaves a call unanswered here.
        if let Some(Here { link, unanswered: true, .. }) = self.here.replace(self.outer) {
            link.count_call();
        }
    }
}

/// Runs the `handle` of the call; at its end the call is counted if it is still open.
pub(crate) fn handle<T>(link: &'static Link, sid: u64, f: impl FnOnce() -> T) -> T {
    HERE.with(|here| {
        let _outer = Outer::leave(here, Here { link, sid, unanswered: true });
        f()
    })
}

/// Runs any other work for the call.
pub(crate) fn enter<T>(link: &'static Link, sid: u64, f: impl FnOnce() -> T) -> T {
    HERE.with(|here| {
        let _outer = Outer::leave(here, Here { link, sid, unanswered: false });
        f()
    })
}

/// The call has been answered. Whether that was within its `handle`, on the same thread: then it is not counted.
pub(crate) fn answered_within(link: &'static Link, sid: u64) -> bool {
    HERE.with(|here| match here.get() {
        Some(inner) if inner.unanswered && inner.sid == sid && ptr::eq(inner.link, link) => {
            here.set(Some(Here { unanswered: false, ..inner }));
            true
        }
        _ => false,
    })
}

/// The call that this thread works for.
#[cfg(feature = "tracing")]
pub(crate) fn current() -> Option<(&'static Link, u64)> {
    HERE.get().map(|here| (here.link, here.sid))
}
