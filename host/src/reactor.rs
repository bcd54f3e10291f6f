//! A shard's reactor as a tokio task.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::{Duration, Instant},
};

use nylon_ring_runtime::{Doorbell, Reactor, Turn};

use crate::{context::Context, seats::Tenancy};

/// The most records that are drained before other tasks get their turn.
const BUDGET: usize = 512;

/// How often a reactor of a shard where nothing comes lets others run and looks again, before it arms the ring and sleeps.
/// Waking it costs a producer some microseconds; as long as results come faster than that, nobody rings.
const PATIENCE: usize = 4;

/// After so many times that patience was in vain, it is tried only once in [`PROBE`] times.
const IN_VAIN: u32 = 2;
const PROBE: u32 = 64;

/// Letting other threads run may take no longer than this: else they are not our producers, and it was in vain.
const DETOUR: Duration = Duration::from_micros(100);

/// Drains until nothing has come for a while, and lets others run in between: the tasks of this runtime, and a producer that
/// shares our core, which otherwise would be put off by our waking for each single result. True if that was worth it.
async fn be_patient(reactor: Reactor<'_>) -> bool {
    let (mut patience, mut found) = (PATIENCE, false);
    let mut drained = reactor.drain(BUDGET);
    while patience > 0 {
        tokio::task::yield_now().await;
        let start = Instant::now();
        thread::yield_now();
        let before = mem::replace(&mut drained, reactor.drain(BUDGET));
        if start.elapsed() > DETOUR {
            return false;
        }
        found |= drained != before;
        patience = if drained != before { PATIENCE } else { patience - 1 };
    }
    found
}

/// Drains a shard until the tenancy ends.
pub(crate) async fn run(context: &'static Context, mut tenancy: Tenancy) {
    let Ok(reactor) = context.runtime.reactor(tenancy.shard) else { return };
    let Some(bell) = Bell::hang_up(reactor.doorbell()) else { return tenancy.evict() };
    let mut in_vain = 0_u32;
    loop {
        if in_vain < IN_VAIN || in_vain.is_multiple_of(PROBE) {
            in_vain = if be_patient(reactor).await { 0 } else { in_vain.saturating_add(1) };
        } else {
            in_vain = in_vain.saturating_add(1);
        }
        let turn = reactor.turn(BUDGET);
        if !tenancy.stays() {
            // The ring is left armed: whoever serves the shard now sleeps on the same doorbell.
            return;
        }
        match turn {
            Turn::More => tokio::task::yield_now().await,
            Turn::Sleep if bell.rung().await => {}
            Turn::Sleep => return tenancy.evict(),
        }
    }
}

#[cfg(target_os = "linux")]
use linux::Bell;
#[cfg(not(target_os = "linux"))]
use portable::Bell;

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::BorrowedFd;

    use tokio::io::{Interest, unix::AsyncFd};

    use super::*;

    /// The doorbell's eventfd, edge-triggered: it is never read, and every write is an edge.
    pub(super) struct Bell(AsyncFd<BorrowedFd<'static>>);

    impl Bell {
        /// `None` when the runtime does no I/O.
        pub(super) fn hang_up(doorbell: &'static Doorbell) -> Option<Self> {
            let fd = doorbell.eventfd()?;
            // tokio has no way to ask whether a runtime does I/O; registering on one that does not panics.
            let bell = catch_unwind(AssertUnwindSafe(|| {
                // SAFETY: the doorbell, and with it the open descriptor, lives for ever.
                unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }
            }));
            bell.ok()?.ok().map(Self)
        }

        /// Waits for a ring; false when the runtime's I/O is going down.
        pub(super) async fn rung(&self) -> bool {
            match self.0.readable().await {
                Ok(mut ready) => {
                    ready.clear_ready();
                    true
                }
                Err(_) => false,
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use super::*;

    /// The doorbell itself, which calls the waker of this task.
    pub(super) struct Bell(&'static Doorbell);

    impl Bell {
        pub(super) fn hang_up(doorbell: &'static Doorbell) -> Option<Self> {
            Some(Self(doorbell))
        }

        pub(super) async fn rung(&self) -> bool {
            std::future::poll_fn(|cx| self.0.poll_rung(cx)).await;
            true
        }
    }
}
