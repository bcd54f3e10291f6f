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

/// While it lives, this thread works for the call.
#[derive(Debug)]
#[must_use]
pub(crate) struct Scope {
    /// What this thread worked for before.
    outer: Option<Here>,
    handles: bool,
}

impl Scope {
    /// The `handle` of the call; at its end the call is counted if it is still open.
    pub(crate) fn handle(link: &'static Link, sid: u64) -> Self {
        let outer = HERE.replace(Some(Here { link, sid, unanswered: true }));
        Self { outer, handles: true }
    }

    /// Any other work for the call.
    pub(crate) fn enter(link: &'static Link, sid: u64) -> Self {
        let outer = HERE.replace(Some(Here { link, sid, unanswered: false }));
        Self { outer, handles: false }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let here = HERE.replace(self.outer);
        if self.handles
            && let Some(Here { link, unanswered: true, .. }) = here
        {
            link.count_call();
        }
    }
}

/// The call has been answered. Whether that was within its `handle`, on the same thread: then it is not counted.
pub(crate) fn answered_within(link: &'static Link, sid: u64) -> bool {
    match HERE.get() {
        Some(here) if here.unanswered && here.sid == sid && ptr::eq(here.link, link) => {
            HERE.set(Some(Here { unanswered: false, ..here }));
            true
        }
        _ => false,
    }
}

/// The call that this thread works for.
#[cfg(feature = "tracing")]
pub(crate) fn current() -> Option<(&'static Link, u64)> {
    HERE.get().map(|here| (here.link, here.sid))
}
