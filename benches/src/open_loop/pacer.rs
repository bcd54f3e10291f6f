//! Waits for a moment to within microseconds, without a thread that spins.
//!
//! tokio's own timers count in milliseconds: at 50,000 requests a second 50 of them would come at once. So on Linux the
//! pacer has a timer of the system's (`timerfd`), which wakes the runtime as a socket does. Elsewhere it has tokio's.

use std::{io, time::Instant};

/// After so many requests that were due at once, or were late, the others get their turn.
const BURST: u32 = 64;

/// Waits for one moment after the other.
pub(super) struct Pacer {
    timer: Timer,
    at_once: u32,
}

impl Pacer {
    /// In a runtime.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { timer: Timer::new()?, at_once: 0 })
    }

    /// Returns at once if the moment has come.
    pub(super) async fn wait_until(&mut self, moment: Instant) -> io::Result<()> {
        if self.at_once == BURST {
            self.at_once = 0;
            tokio::task::yield_now().await;
        }
        while Instant::now() < moment {
            self.at_once = 0;
            self.timer.wait_until(moment).await?;
        }
        self.at_once += 1;
        Ok(())
    }
}

#[cfg(target_os = "linux")]
struct Timer(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Timer {
    fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // SAFETY: the descriptor is owned by what is registered, stays the same, and is closed when that is dropped.
        let registered = unsafe { tokio::io::unix::AsyncFd::register(fd) };
        Ok(Self(registered?))
    }

    async fn wait_until(&mut self, moment: Instant) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let after = moment.saturating_duration_since(Instant::now());
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        // All zero would be no timer at all.
        let value = Timespec { tv_sec: after.as_secs() as i64, tv_nsec: after.subsec_nanos().max(1).into() };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: none, it_value: value })?;
        let mut ready = self.0.readable().await?;
        let _ = ready.try_io(|fd| Ok(rustix::io::read(fd, &mut [0; 8])?));
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
struct Timer;

#[cfg(not(target_os = "linux"))]
impl Timer {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn wait_until(&mut self, moment: Instant) -> io::Result<()> {
        tokio::time::sleep_until(moment.into()).await;
        Ok(())
    }
}
