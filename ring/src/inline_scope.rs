//! Lets a caller serve the answers that come on its own thread without waking its reactor.
//!
//! A plugin that answers inside `handle` publishes on the very thread that will look for the answer a moment later. If the
//! reactor sleeps, that record is the one it waits for, and the publisher owes it a doorbell: a system call for every
//! call. Inside a scope the debt is noted instead; when the scope ends, the thread drains the shard itself and *arms the
//! ring again* on behalf of the reactor, which never notices. If it cannot (somebody else consumes), it rings.
//!
//! Invariant: whoever removes the mark `AWAITED` from a cell owes the reactor a doorbell or a new mark. A scope settles its
//! debt when it is dropped. Model in `loom-tests`: `shard::inline_answer_keeps_the_reactor_armed`.

use std::{cell::Cell, ptr};

use crate::{shard::Shard, sync::thread_local};

#[cfg(not(nylon_loom))]
thread_local! {
    /// The shard whose scope this thread is in, and whether it owes that shard's reactor a doorbell.
    static SCOPE: Cell<(*const Shard, bool)> = const { Cell::new((ptr::null(), false)) };
}

#[cfg(nylon_loom)]
thread_local! {
    static SCOPE: Cell<(*const Shard, bool)> = Cell::new((ptr::null(), false));
}

/// While it lives, results for its shard that are sent by this thread do not wake the reactor. Keep it short.
#[derive(Debug)]
#[must_use = "the scope ends when this is dropped"]
pub struct InlineScope<'rt> {
    shard: &'rt Shard,
    outer: (*const Shard, bool),
}

impl<'rt> InlineScope<'rt> {
    #[inline]
    pub(crate) fn enter(shard: &'rt Shard) -> Self {
        let outer = SCOPE.with(|scope| scope.replace((ptr::from_ref(shard), false)));
        Self { shard, outer }
    }
}

/// Notes that the reactor of `shard` is owed a doorbell, if this thread is in a scope of that shard.
pub(crate) fn owe(shard: &Shard) -> bool {
    SCOPE.with(|scope| {
        let inside = ptr::eq(scope.get().0, shard);
        if inside {
            scope.set((ptr::from_ref(shard), true));
        }
        inside
    })
}

impl Drop for InlineScope<'_> {
    #[inline]
    fn drop(&mut self) {
        let (_, owed) = SCOPE.with(|scope| scope.replace(self.outer));
        if owed {
            self.shard.settle();
        }
    }
}
