//! A clock that is cheap enough to time a function of 50 ns.

use std::time::Instant;

/// The processor's time stamp counter; constant rate on every processor of the last decade.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and it touches no memory.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Nanoseconds since the first call.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(crate) fn ticks() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// What timing nothing at all shows, in ticks: the median of many tries.
pub(crate) fn overhead() -> u64 {
    let mut tries: Vec<u64> = (0..1001)
        .map(|_| {
            let start = ticks();
            ticks().saturating_sub(start)
        })
        .collect();
    tries.sort_unstable();
    tries[tries.len() / 2]
}

/// One moment on both clocks.
pub(crate) struct Mark {
    instant: Instant,
    ticks: u64,
}

impl Mark {
    pub(crate) fn now() -> Self {
        Self { instant: Instant::now(), ticks: ticks() }
    }

    /// The rate of [`ticks`] since then.
    pub(crate) fn ticks_per_ns(&self) -> f64 {
        let ticks = ticks().saturating_sub(self.ticks);
        let ns = self.instant.elapsed().as_nanos().max(1);
        ticks as f64 / ns as f64
    }
}
