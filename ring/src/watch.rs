//! What a plugin wants to be told of: a closure that is called exactly once.
//!
//! It lies in the list of its call (`state.rs`). Three may take it out, and the first does: the owner of the slot, when what it waits
//! for happens; whoever frees the list, when the call is over; and the thread that put it there, if it finds that it came too late.
//! Then the place is free for another one: lists only grow, and a stream may wait for room any number of times.
//!
//! | state | closure | leaves it |
//! | --- | --- | --- |
//! | `ARMED` | there | who takes it: `BUSY` |
//! | `BUSY` | belongs to the thread that set this | the same: `SPENT` or `ARMED` |
//! | `SPENT` | none | who puts another one there: `BUSY` |
//!
//! 1. A closure is put there before the slot's word is touched (`Slot::announce`) or the window's (`window.rs`), and the owner looks for
//!    closures after it has touched the same word: it finds it, or the thread that put it there finds that it is too late.
//! 2. The state carries a number that changes with every closure, so that a thread takes back none but its own.
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | arm | a closure, to who takes it | `watch::a_place_is_used_again` |
//! | spend | an empty place, to who puts another one there | the same |

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::sync::{AtomicU32, Ordering, UnsafeCell};

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

const ARMED: u32 = 0;
const BUSY: u32 = 1;
const SPENT: u32 = 2;
const STATE: u32 = 3;

/// A place for a closure, in the list of a call.
pub(crate) struct Watch {
    /// Whether the closure waits for room in the window, and not only for the caller to give up.
    for_room: bool,
    /// The number of the closure, and one of the states above.
    state: AtomicU32,
    closure: UnsafeCell<Option<Tell>>,
}

// SAFETY: the closure is `Send`, and `state` lets one thread at it.
unsafe impl Sync for Watch {}

/// Says which closure of a place is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket(u32);

impl Watch {
    pub(crate) fn new(for_room: bool, closure: Tell) -> (Self, Ticket) {
        (Self { for_room, state: AtomicU32::new(ARMED), closure: UnsafeCell::new(Some(closure)) }, Ticket(ARMED))
    }

    /// Puts a closure that waits for room into an empty place for one; returns it if this is none.
    pub(crate) fn use_again(&self, closure: Tell) -> Result<Ticket, Tell> {
        // Ordering: Relaxed; the exchange below counts.
        let now = self.state.load(Ordering::Relaxed);
        // Ordering: Acquire; pairs with [spend]. Relaxed on failure: another place will do.
        let ours = |to| self.state.compare_exchange(now, to, Ordering::Acquire, Ordering::Relaxed).is_ok();
        if !self.for_room || now & STATE != SPENT || !ours(now & !STATE | BUSY) {
            return Err(closure);
        }
        self.closure.with_mut(|place| {
            // SAFETY: `BUSY`, and this thread has set it.
            unsafe { *place = Some(closure) };
        });
        let armed = (now & !STATE).wrapping_add(STATE + 1) | ARMED;
        // Ordering: Release; [arm]. A store will do: nobody else changes a place that is `BUSY`.
        self.state.store(armed, Ordering::Release);
        Ok(Ticket(armed))
    }

    /// Calls the closure, if this is what it waits for and it is still there.
    pub(crate) fn tell(&self, event: Event) {
        if event == Event::Writable && !self.for_room {
            return;
        }
        let Some(closure) = self.spend(|_| true) else { return };
        // It is foreign code: if it panics, the others must be told all the same.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| closure(event))) {
            mem::forget(payload);
        }
    }

    /// Drops the closure of this ticket without calling it; false if it was called.
    pub(crate) fn take_back(&self, ticket: Ticket) -> bool {
        self.spend(|state| state == ticket.0).is_some()
    }

    /// Takes the closure, if there is one and `may` allows.
    fn spend(&self, may: impl Fn(u32) -> bool) -> Option<Tell> {
        // Ordering: Relaxed, here and on failure; the exchange counts.
        let mut now = self.state.load(Ordering::Relaxed);
        loop {
            if now & STATE != ARMED || !may(now) {
                return None;
            }
            // Ordering: Acquire; pairs with [arm].
            match self.state.compare_exchange_weak(now, now & !STATE | BUSY, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => break,
                Err(other) => now = other,
            }
        }
        let closure = self.closure.with_mut(|place| {
            // SAFETY: `BUSY`, and this thread has set it.
            unsafe { (*place).take() }
        });
        // Ordering: Release; [spend]. A store, as in `use_again`.
        self.state.store(now & !STATE | SPENT, Ordering::Release);
        closure
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("for_room", &self.for_room).finish_non_exhaustive()
    }
}
