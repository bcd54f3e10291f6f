//! The consumer token: who holds it may consume a shard's ring. It is tried, never waited for.
//!
//! | word | meaning |
//! | --- | --- |
//! | `FREE` | nobody consumes |
//! | `HELD` | somebody consumes |
//! | `HELD_AND_WANTED` | somebody consumes, and the reactor came by: who lets go rings the doorbell for it |
//!
//! A caller that finds the token held simply goes on: the reactor is awake, or armed, or will be rung for, so its result
//! cannot be forgotten. The reactor must not go to sleep on that ground alone, because it *is* the ground: it leaves the
//! `WANTED` mark.
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | hand-over | the consumer's position and all slots it touched | `shard::help_against_reactor` |

use crate::sync::{AtomicU32, Ordering};

const FREE: u32 = 0;
const HELD: u32 = 1;
const HELD_AND_WANTED: u32 = 2;

/// The word that says who consumes.
#[derive(Debug)]
pub(crate) struct Token(AtomicU32);

/// What letting go found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a reactor that came by in vain must be told"]
pub(crate) enum LetGo {
    /// Nobody came by.
    Quiet,
    /// The reactor came by: ring the doorbell.
    Wanted,
}

impl Token {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(FREE))
    }

    /// Takes the token if it is free.
    #[inline]
    pub(crate) fn try_take(&self) -> bool {
        // Ordering: Acquire; pairs with [hand-over]. Relaxed on failure: nothing was learnt.
        self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes the token if it is free; otherwise leaves the mark that makes its holder ring when it lets go.
    pub(crate) fn take_or_want(&self) -> bool {
        loop {
            if self.try_take() {
                return true;
            }
            // Ordering: Relaxed; the mark carries nothing but itself. The doorbell orders what follows from it.
            match self.0.compare_exchange(HELD, HELD_AND_WANTED, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) | Err(HELD_AND_WANTED) => return false,
                Err(_) => {}
            }
        }
    }

    /// Lets go. Only the holder may call it.
    #[inline]
    pub(crate) fn let_go(&self) -> LetGo {
        // Ordering: Release; [hand-over], pairs with the Acquire in `try_take`.
        match self.0.swap(FREE, Ordering::Release) {
            HELD_AND_WANTED => LetGo::Wanted,
            _ => LetGo::Quiet,
        }
    }
}
