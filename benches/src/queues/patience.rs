//! How everyone waits for a full or an empty queue.

use std::{hint, thread};

/// Looks again after a few pause instructions, and after a yield to the scheduler once that has not helped for a while.
#[derive(Debug, Default)]
pub(super) struct Patience {
    tries: u32,
}

impl Patience {
    /// Tries without a yield.
    const AWAKE: u32 = 6;

    /// Waits a little, longer from time to time.
    #[inline]
    pub(super) fn wait(&mut self) {
        if !self.is_out() {
            for _ in 0..1_u32 << self.tries {
                hint::spin_loop();
            }
            self.tries += 1;
        } else {
            thread::yield_now();
        }
    }

    /// Whether it yields by now.
    #[inline]
    pub(super) fn is_out(&self) -> bool {
        self.tries >= Self::AWAKE
    }

    /// It helped.
    #[inline]
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}
