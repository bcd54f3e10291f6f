//! Time as one word: nanoseconds since a host was made.

use std::{num::NonZeroU64, time::Instant};

/// A clock that starts with its host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The reading at `instant`; at least 1.
    pub(crate) fn at(&self, instant: Instant) -> NonZeroU64 {
        NonZeroU64::new(nanos(self.start, instant)).unwrap_or(NonZeroU64::MIN)
    }

    /// Nanoseconds from now until the clock reads `at`; 0 if it has.
    pub(crate) fn until(&self, at: NonZeroU64) -> u64 {
        at.get().saturating_sub(nanos(self.start, Instant::now()))
    }
}

fn nanos(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_nanos()).unwrap_or(u64::MAX - 1)
}
