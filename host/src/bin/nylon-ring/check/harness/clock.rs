//! How long `handle` takes, in a way that does not depend on what else the machine does.

use std::{
    mem,
    time::{Duration, Instant},
};

/// What one call of `handle` took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Took {
    pub(crate) wall: Duration,
    /// Of this thread alone.
    pub(crate) cpu: Duration,
    /// How often this thread gave the processor up to wait for something: not counting when it was taken away.
    pub(crate) waits: u64,
}

impl Took {
    /// Whether the thread waited, for at least so long in all.
    pub(crate) fn waited(&self, least: Duration) -> bool {
        let gave_up = if cfg!(target_os = "linux") { self.waits > 0 } else { self.cpu < self.wall / 2 };
        gave_up && self.wall >= least
    }
}

/// Runs something and measures it.
pub(crate) fn measure<T>(run: impl FnOnce() -> T) -> (T, Took) {
    let (waits, cpu, began) = (waits(), cpu(), Instant::now());
    let done = run();
    let took = Took {
        wall: began.elapsed(),
        cpu: self::cpu().saturating_sub(cpu),
        waits: self::waits().saturating_sub(waits),
    };
    (done, took)
}

/// Of this thread.
fn cpu() -> Duration {
    // SAFETY: all zero is a valid value of this C struct.
    let mut time: libc::timespec = unsafe { mem::zeroed() };
    // SAFETY: it writes to the struct, which lives longer than the call.
    if unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) } != 0 {
        return Duration::ZERO;
    }
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Voluntary context switches of this thread.
#[cfg(target_os = "linux")]
fn waits() -> u64 {
    // SAFETY: all zero is a valid value of this C struct.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    // SAFETY: it writes to the struct, which lives longer than the call.
    let got = unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    if got == 0 { usage.ru_nvcsw.unsigned_abs() } else { 0 }
}

/// Elsewhere it cannot be told: see [`Took::waited`].
#[cfg(not(target_os = "linux"))]
fn waits() -> u64 {
    0
}
