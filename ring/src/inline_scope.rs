//! What a caller's thread sends to itself: answers that a plugin gives inside `handle`.
//!
//! The thread that publishes such an answer is the one that looks for it a moment later. Inside a *scope* it is spared the
//! way around.
//!
//! # What is kept
//!
//! A scope is entered for one call. What this thread sends for it is kept for the caller instead of going through the ring, if
//! nothing could have come before it: the first result of a unary call, and the frames of a stream.
//!
//! 1. The ring is quiescent (everything claimed has been released) and nothing is spilled. A record that was sent before
//!    this one, by any thread, happened before it; so it was claimed, hence consumed, and the slot shows it.
//! 2. The slot of a unary call is still open: the result is the first, and whatever comes through the ring from now on is a duplicate.
//!    In the slot of a stream lie no frames, not even one that has ended it: all frames so far are kept or were taken, and those that come
//!    through the ring are taken after them. The terminal one is kept by who holds the token, and ends the stream in the consumer's
//!    place: what others have sent lies in the slot by then, or comes after the end.
//!
//! Otherwise it goes into the ring like any other, and so does every later frame. When the scope ends, the thread drains the shard, for
//! it is what the caller waits for. (What is sent inside a further scope, of another shard, is left to the reactor.)
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
//! Models in `loom-tests`: `shard::inline_answer_keeps_the_reactor_armed`, `shard::inline_answer_is_the_first`,
//! `inline::kept_frames_come_first`, `inline::kept_frames_and_what_is_spilled`, `inline::a_second_scope_keeps_again`.

use std::{cell::Cell, mem::ManuallyDrop, ptr};

use nylon_ring::NrStatus;

use crate::{frames::KeptFrames, reply::Reply, shard::Shard, slot::Slot, sync::thread_local};

#[cfg(not(nylon_loom))]
thread_local! {
    /// The innermost scope of this thread, or null.
    static SCOPE: Cell<*const Scope> = const { Cell::new(ptr::null()) };
}

#[cfg(nylon_loom)]
thread_local! {
    static SCOPE: Cell<*const Scope> = Cell::new(ptr::null());
}

/// Where what the caller's thread sends is kept: the caller's own place for it, so that it is moved only once.
pub(crate) enum Place<'a> {
    /// The first result of a unary call, if an earlier scope has not found it.
    Answer(&'a mut Option<Reply>),
    /// The frames of a stream.
    Frames(&'a mut KeptFrames),
}

/// The same, for the scope. It borrows the place mutably for as long as it exists, and makes no reference of it that lasts; whoever gets
/// this from it uses it before the scope ends.
#[derive(Clone, Copy)]
pub(crate) enum RawPlace {
    Answer(AnswerPlace),
    Frames(*mut KeptFrames),
}

/// Where a unary call's answer is kept.
#[derive(Clone, Copy)]
pub(crate) struct AnswerPlace(*mut Option<Reply>);

/// One scope; lives on the stack of the thread that is in it.
pub(crate) struct Scope {
    /// The scope around this one, or null.
    outer: *const Scope,
    shard: *const Shard,
    /// The call that it was entered for.
    sid: u64,
    /// The slot of that call, which may have another by now if a unary one is over; null for a stream that is over.
    slot: *const Slot,
    place: RawPlace,
    due: Cell<Due>,
}

/// What is to be done when a scope ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    /// To drain: something that the caller waits for went into the ring.
    Look,
    /// That, and to pay: the shard's reactor is owed a doorbell.
    Settle,
}

/// Makes a scope the innermost one until it leaves, and pays the debt then.
struct Entered<'a> {
    scope: &'a Scope,
    shard: &'a Shard,
}

impl Entered<'_> {
    #[inline(always)]
    fn leave(&self) {
        SCOPE.with(|innermost| innermost.set(self.scope.outer));
        match self.scope.due.get() {
            Due::Nothing => {}
            Due::Look => self.shard.help(),
            Due::Settle => self.shard.settle(),
        }
    }
}

impl Drop for Entered<'_> {
    /// By unwinding.
    fn drop(&mut self) {
        self.leave();
    }
}

/// Runs `f` in a scope for the call `sid` of `shard`, which has this slot while it is open; what is sent for that call is kept in `place`.
#[inline(always)]
pub(crate) fn run<R>(shard: &Shard, sid: u64, slot: Option<&Slot>, place: Place<'_>, f: impl FnOnce() -> R) -> R {
    let slot = slot.map_or(ptr::null(), ptr::from_ref);
    let place = match place {
        Place::Answer(answer) => RawPlace::Answer(AnswerPlace(answer)),
        Place::Frames(kept) => RawPlace::Frames(kept),
    };
    let outer = SCOPE.with(Cell::get);
    let scope = Scope { outer, shard, sid, slot, place, due: Cell::new(Due::Nothing) };
    SCOPE.with(|innermost| innermost.set(&scope));
    let entered = Entered { scope: &scope, shard };
    let result = f();
    ManuallyDrop::new(entered).leave();
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

/// The innermost scope of this thread, and its shard, if it was entered for a call of this sid, in whichever runtime.
///
/// # Safety
///
/// As [`innermost`].
#[inline(always)]
pub(crate) unsafe fn entered_for<'a>(sid: u64) -> Option<(&'a Shard, &'a Scope)> {
    // SAFETY: as in `innermost`.
    let scope = unsafe { SCOPE.with(Cell::get).as_ref() }.filter(|scope| scope.is_for(sid))?;
    // SAFETY: the scope borrows its shard.
    unsafe { scope.shard.as_ref() }.map(|shard| (shard, scope))
}

impl Scope {
    /// Whether this scope was entered for the call `sid`.
    #[inline(always)]
    pub(crate) fn is_for(&self, sid: u64) -> bool {
        self.sid == sid
    }

    /// The slot of that call; of a unary one that is over, the slot that it had.
    #[inline(always)]
    pub(crate) fn slot(&self) -> Option<&Slot> {
        // SAFETY: whoever runs the scope lent it a slot for as long, if any.
        unsafe { self.slot.as_ref() }
    }

    /// Where the answer of a unary call is kept, or the frames of a stream.
    #[inline(always)]
    pub(crate) fn place(&self) -> RawPlace {
        self.place
    }

    /// Notes that something went into the ring that the caller is about to look for.
    #[inline(always)]
    pub(crate) fn pass_on(&self) {
        if self.due.get() == Due::Nothing {
            self.due.set(Due::Look);
        }
    }

    /// Notes that the reactor is owed a doorbell.
    pub(crate) fn owe(&self) {
        self.due.set(Due::Settle);
    }
}

impl AnswerPlace {
    /// Whether there is no answer yet.
    #[inline(always)]
    pub(crate) fn is_empty(self) -> bool {
        // SAFETY: see `RawPlace`; the reference is gone at once.
        unsafe { (*self.0).is_none() }
    }

    /// Keeps an answer; there is none yet.
    #[inline(always)]
    pub(crate) fn keep(self, reply: Reply) {
        // SAFETY: see `RawPlace`; there is no answer yet, so nothing is overwritten.
        unsafe { self.0.write(Some(reply)) };
    }

    /// The same for one of at most [`INLINE`](crate::INLINE) bytes.
    #[inline(always)]
    pub(crate) fn keep_short(self, status: NrStatus, bytes: &[u8]) {
        self.keep(Reply::without_bytes(status as u32));
        // SAFETY: see `RawPlace`; the reference is gone at once.
        let answer = unsafe { &mut *self.0 };
        if !bytes.is_empty()
            && let Some(answer) = answer
        {
            answer.set_short(bytes);
        }
    }
}
