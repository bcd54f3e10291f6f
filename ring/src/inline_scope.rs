//! What a caller's thread sends to itself: answers that a plugin gives inside `handle`.
//!
//! The thread that publishes such an answer is the one that looks for it a moment later. Inside a *scope* it is spared the
//! way around.
//!
//! # The answer
//!
//! A scope is entered for one unary call. The first result that this thread sends for it is kept in the scope instead of
//! going through the ring, if nothing could have come before it:
//!
//! 1. The ring is quiescent (everything claimed has been released) and nothing is spilled. A record that was sent before
//!    this one, by any thread, happened before it; so it was claimed, hence consumed, and the slot shows it.
//! 2. The slot is still open. So the answer is the first, and whatever comes through the ring from now on is a duplicate.
//!
//! Otherwise it goes into the ring like any other. Frames of streams always do.
//!
//! # The debt
//!
//! If the reactor sleeps, the next record in the ring is the one it waits for, and its publisher owes it a doorbell: a system
//! call for every call. Inside a scope the debt is noted; when the scope ends, the thread drains the shard and *arms the ring
//! again* on behalf of the reactor, which never notices. If it cannot (somebody else consumes), it rings.
//!
//! 3. Whoever removes the mark `AWAITED` from a cell owes the reactor a doorbell or a new mark. A scope pays when it ends, even
//!    by unwinding.
//!
//! Models in `loom-tests`: `shard::inline_answer_keeps_the_reactor_armed`, `shard::inline_answer_is_the_first`.

use std::{cell::Cell, ptr};

use crate::{reply::Reply, shard::Shard, sync::thread_local};

#[cfg(not(nylon_loom))]
thread_local! {
    /// The innermost scope of this thread, or null.
    static SCOPE: Cell<*const Scope> = const { Cell::new(ptr::null()) };
}

#[cfg(nylon_loom)]
thread_local! {
    static SCOPE: Cell<*const Scope> = Cell::new(ptr::null());
}

/// One scope; lives on the stack of the thread that is in it.
pub(crate) struct Scope {
    shard: *const Shard,
    /// The unary call whose first answer is kept here.
    sid: Option<u64>,
    /// Where that answer is kept: the caller's own place for it, so that it is moved only once.
    answer: *mut Option<Reply>,
    answered: Cell<bool>,
    /// Whether the shard's reactor is owed a doorbell.
    owes: Cell<bool>,
}

/// Makes a scope the innermost one until it is dropped, and pays the debt then.
struct Entered<'a> {
    scope: &'a Scope,
    shard: &'a Shard,
    outer: *const Scope,
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        SCOPE.with(|innermost| innermost.set(self.outer));
        if self.scope.owes.get() {
            self.shard.settle();
        }
    }
}

/// Runs `f` in a scope of `shard`; the first answer that it gives to the unary call of `unary` is kept in the place beside.
#[inline(always)]
pub(crate) fn run<R>(shard: &Shard, unary: Option<(u64, &mut Option<Reply>)>, f: impl FnOnce() -> R) -> R {
    let scope = Scope {
        shard,
        sid: unary.as_ref().map(|(sid, _)| *sid),
        answered: Cell::new(unary.as_ref().is_some_and(|(_, answer)| answer.is_some())),
        answer: unary.map_or(ptr::null_mut(), |(_, answer)| ptr::from_mut(answer)),
        owes: Cell::new(false),
    };
    let outer = SCOPE.with(|innermost| innermost.replace(&scope));
    let entered = Entered { scope: &scope, shard, outer };
    let result = f();
    drop(entered);
    result
}

/// The innermost scope of this thread, if that is one of `shard`.
///
/// # Safety
///
/// The reference must be gone when the caller returns.
#[inline(always)]
pub(crate) unsafe fn innermost(shard: &Shard) -> Option<&Scope> {
    let scope = SCOPE.with(Cell::get);
    // SAFETY: `run` sets the pointer to a scope on this thread's stack, and resets it before that scope is gone; it is further down
    // than the frame that the caller vouches for.
    unsafe { scope.as_ref() }.filter(|scope| ptr::eq(scope.shard, shard))
}

impl Scope {
    /// Whether this scope is that of the unary call `sid`.
    #[inline(always)]
    pub(crate) fn is_for(&self, sid: u64) -> bool {
        self.sid == Some(sid)
    }

    /// Whether the call has its answer.
    #[inline(always)]
    pub(crate) fn is_answered(&self) -> bool {
        self.answered.get()
    }

    /// Keeps the first answer.
    #[inline(always)]
    pub(crate) fn keep(&self, reply: Reply) {
        // SAFETY: null, or a place that `run` has borrowed mutably for as long as the scope exists; no other reference is
        // made of it, and this one ends here.
        if let Some(answer) = unsafe { self.answer.as_mut() } {
            self.answered.set(true);
            *answer = Some(reply);
        }
    }

    /// Notes that the reactor is owed a doorbell.
    pub(crate) fn owe(&self) {
        self.owes.set(true);
    }
}
