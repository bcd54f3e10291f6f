//! How long `handle` takes, of one call in so many: a histogram for hosts that were told to keep one.
//!
//! Each thread counts its own calls, so that those which are not timed touch nothing that another thread writes. A time that would have
//! to wait for another one to be noted is left out.

use std::{
    cell::Cell,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

/// A longer time counts as this one, in nanoseconds: an hour.
const LONGEST: u64 = 3_600_000_000_000;
/// Figures of a time that are kept.
const FIGURES: u8 = 2;

thread_local! {
    /// The calls of this thread since one was timed.
    static SINCE: Cell<u32> = const { Cell::new(0) };
}

/// The clock at the calls of one host.
pub(crate) struct HandleClock {
    every: u32,
    times: Mutex<Histogram<u64>>,
}

impl HandleClock {
    /// Times one call in `every` (at least 1). `None` if a histogram of such bounds cannot be had, which is not so.
    pub(crate) fn new(every: u32) -> Option<Self> {
        Some(Self { every, times: Mutex::new(Histogram::new_with_max(LONGEST, FIGURES).ok()?) })
    }

    /// Runs `f`, which is a call of `handle`.
    pub(crate) fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        let since = SINCE.get().saturating_add(1);
        if since < self.every {
            SINCE.set(since);
            return f();
        }
        SINCE.set(0);
        let start = Instant::now();
        let result = f();
        self.note(start.elapsed());
        result
    }

    fn note(&self, time: Duration) {
        let mut times = match self.times.try_lock() {
            Ok(times) => times,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        times.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(LONGEST));
    }

    pub(crate) fn snapshot(&self) -> HandleTimes {
        let times: MutexGuard<'_, _> = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        HandleTimes { times: times.clone() }
    }
}

impl fmt::Debug for HandleClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandleClock").field("every", &self.every).finish_non_exhaustive()
    }
}

/// How long `handle` took, of those calls that were timed ([`HostBuilder::time_handles`](crate::HostBuilder::time_handles)).
#[derive(Clone)]
pub struct HandleTimes {
    times: Histogram<u64>,
}

impl HandleTimes {
    /// How many were timed.
    pub fn samples(&self) -> u64 {
        self.times.len()
    }

    /// The time that so large a part of them did not exceed: 0.5 is the median, 1.0 the longest. To two figures; 0 of none.
    pub fn quantile(&self, part: f64) -> Duration {
        Duration::from_nanos(self.times.value_at_quantile(part))
    }
}

impl fmt::Debug for HandleTimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandleTimes")
            .field("samples", &self.samples())
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("longest", &self.quantile(1.0))
            .finish()
    }
}
