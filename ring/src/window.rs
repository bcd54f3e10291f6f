//! The window of one stream: how many of its frames that were sent against credit lie between sender and receiver.
//!
//! It lies in the list of the call (`state.rs`), from the first `try_send` on. A sender takes a credit before it sends; the receiver gives
//! it back when it takes the frame. Frames sent without credit do not count.
//!
//! A sender that waits for room sets `WAITING` by a read-modify-write of the word that credits come back to, after it has added its
//! watch. One comes first: the sender finds room, or the receiver finds `WAITING`, and then the watch too (`watch.rs`, 1).
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | room | a watch, from a sender to the receiver | `window::waiting_against_taking` |

use crate::sync::{AtomicU64, Ordering};

/// Some sender waits for room.
const WAITING: u64 = 1 << 63;

/// Credits in use, and whether anyone waits for one.
#[derive(Debug)]
pub(crate) struct Window {
    word: AtomicU64,
}

impl Window {
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(0) }
    }

    /// Takes a credit of `size`; false if there is none.
    pub(crate) fn take(&self, size: u64) -> bool {
        // Ordering: Relaxed, here and below; credits are numbers, and the frame goes through the ring.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & !WAITING >= size {
                return false;
            }
            match self.word.compare_exchange_weak(word, word + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Gives a credit back; true if someone waits and is to be told, for half of the window is free.
    pub(crate) fn give_back(&self, size: u64) -> bool {
        // Ordering: Relaxed; a number. What comes with the mark is acquired below.
        let before = self.word.fetch_sub(1, Ordering::Relaxed);
        if before & WAITING == 0 || !has_room(before - 1, size) {
            return false;
        }
        // Ordering: Acquire; pairs with [room]: whoever set the mark has added its watch.
        self.word.fetch_and(!WAITING, Ordering::Acquire);
        true
    }

    /// Sets the mark for a sender whose watch was added; true if half of the window is free now.
    pub(crate) fn wait(&self, size: u64) -> bool {
        // Ordering: Release; [room].
        has_room(self.word.fetch_or(WAITING, Ordering::Release), size)
    }

    /// How many credits are left.
    pub(crate) fn credits(&self, size: u64) -> u64 {
        // Ordering: Relaxed; a number.
        size.saturating_sub(self.word.load(Ordering::Relaxed) & !WAITING)
    }
}

/// Whether half of the window is free.
fn has_room(word: u64, size: u64) -> bool {
    word & !WAITING <= size / 2
}
