//! What a plugin wants to be told of: a closure that is called exactly once.
//!
//! It lies in the list of its call (`state.rs`). Three may call it, and the one that takes the mark *spent* first does: the owner of
//! the slot, when what it waits for happens; whoever frees the list, when the call is over; and the thread that adds it takes it back
//! if it finds that it came too late.
//!
//! 1. It is added before the slot's word is touched (`Slot::announce`) or the window's (`window.rs`), and the owner looks for watches
//!    after it has touched the same word: it finds the watch, or the thread that adds it finds that it is too late.

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::sync::{AtomicBool, Ordering, UnsafeCell};

/// Why a closure is called that waits for something to happen to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Nothing happened, and nothing will: the call is over.
    Over,
    /// The caller has given the call up.
    GivenUp,
    /// The stream's window has room again.
    Writable,
}

/// What became of a closure that was to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "the closure may have been dropped without being called"]
pub enum Watching {
    /// It is, or was, called exactly once.
    Registered,
    /// What it waits for is so now; it was dropped.
    Already,
    /// The call is over, given up or unknown; it was dropped.
    Closed,
    /// The buffer limit is reached; it was dropped.
    Refused,
}

/// A closure that waits to be called.
pub(crate) type Tell = Box<dyn FnOnce(Event) + Send>;

/// One closure in the list of a call.
pub(crate) struct Watch {
    /// Whether it waits for room in the window, and not only for the caller to give up.
    for_room: bool,
    spent: AtomicBool,
    /// Taken by who takes the mark.
    closure: UnsafeCell<Option<Tell>>,
}

// SAFETY: the closure is `Send`, and the mark `spent` lets one thread at it.
unsafe impl Sync for Watch {}

impl Watch {
    pub(crate) fn new(for_room: bool, closure: Tell) -> Self {
        Self { for_room, spent: AtomicBool::new(false), closure: UnsafeCell::new(Some(closure)) }
    }

    /// Calls the closure, if this is what it waits for and it was not called before.
    pub(crate) fn tell(&self, event: Event) {
        if event == Event::Writable && !self.for_room {
            return;
        }
        let Some(closure) = self.spend() else { return };
        // It is foreign code: if it panics, the others must be told all the same.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| closure(event))) {
            mem::forget(payload);
        }
    }

    /// Drops the closure without calling it; false if it was called.
    pub(crate) fn take_back(&self) -> bool {
        self.spend().is_some()
    }

    fn spend(&self) -> Option<Tell> {
        // Ordering: Relaxed; whoever has found the entry sees the closure, and the mark goes to one.
        if self.spent.swap(true, Ordering::Relaxed) {
            return None;
        }
        self.closure.with_mut(|closure| {
            // SAFETY: the mark was not set, and this thread alone has set it: nobody else comes here.
            unsafe { (*closure).take() }
        })
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("for_room", &self.for_room).finish_non_exhaustive()
    }
}
