//! A clock that is cheap enough to time a function of 50 ns.
//!
//! The processor may run a plain read of its counter before earlier instructions are done, and a short function would
//! then seem to take no time at all. So the reads are fenced: [`start`] is not passed by what follows, and [`end`]
//! waits for what came before. What the fences cost is in [`overhead`], and whoever reads the times takes it off.
//!
//! The counter may advance in steps (10 ns on some AMD processors): a single time is no finer than that, a mean is.

use std::time::Instant;

/// Before what is timed.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn start() -> u64 {
    use core::arch::x86_64::{_mm_lfence, _rdtsc};
    // SAFETY: every x86-64 processor has the instruction, and it touches no memory.
    unsafe { _mm_lfence() };
    // SAFETY: as above.
    let ticks = unsafe { _rdtsc() };
    // SAFETY: as above.
    unsafe { _mm_lfence() };
    ticks
}

/// After what is timed.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn end() -> u64 {
    start()
}

/// Before what is timed: nanoseconds since the first call.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(crate) fn start() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// After what is timed.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(crate) fn end() -> u64 {
    start()
}

/// What timing nothing at all shows, in ticks: the mean of many tries, less the slowest tenth of them.
pub(crate) fn overhead() -> f64 {
    let mut tries: Vec<u64> = (0..10_000)
        .map(|_| {
            let start = start();
            end().saturating_sub(start)
        })
        .collect();
    tries.sort_unstable();
    tries.truncate(tries.len() / 10 * 9);
    tries.iter().sum::<u64>() as f64 / tries.len() as f64
}

/// One moment on both clocks.
pub(crate) struct Mark {
    instant: Instant,
    ticks: u64,
}

impl Mark {
    pub(crate) fn now() -> Self {
        Self { instant: Instant::now(), ticks: start() }
    }

    /// How many ticks there were in each nanosecond since then.
    pub(crate) fn ticks_per_ns(&self) -> f64 {
        let ticks = end().saturating_sub(self.ticks);
        let ns = self.instant.elapsed().as_nanos().max(1);
        ticks as f64 / ns as f64
    }
}
