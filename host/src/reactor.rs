//! A shard's reactor as a tokio task.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use nylon_ring_runtime::{Doorbell, Turn};

use crate::{context::Context, idle::BusyPoll, seats::Tenancy};

/// The most records that are drained before other tasks get their turn.
pub(crate) const BUDGET: usize = 64;

/// How often a reactor looks that cannot sleep on its doorbell.
const LOOK: Duration = Duration::from_millis(1);

/// Drains a shard until the tenancy ends.
pub(crate) async fn run(context: &'static Context, mut tenancy: Tenancy) {
    let Ok(reactor) = context.runtime.reactor(tenancy.shard) else { return };
    let bell = loop {
        if let Some(bell) = Bell::hang_up(reactor.doorbell()) {
            break bell;
        }
        if tenancy.evict() {
            return;
        }
        // The system is short of threads or descriptors, and nobody can watch the doorbell. Still, nobody may wait for ever.
        // This runtime may have no timer either.
        reactor.drain(16 * BUDGET);
        if !tenancy.stays() {
            return;
        }
        tokio::task::yield_now().await;
        thread::sleep(LOOK);
    };
    let mut busy_poll = BusyPoll::new(tenancy.idle());
    loop {
        let last = busy_poll
            .drain(reactor, || {
                tenancy.be_followed();
                tenancy.is_current()
            })
            .await;
        tenancy.be_followed();
        let turn = reactor.turn(BUDGET);
        if !tenancy.stays() {
            // The ring is left armed: whoever serves the shard now sleeps on the same doorbell.
            return;
        }
        match turn {
            Turn::More => tokio::task::yield_now().await,
            Turn::Sleep if bell.rung().await => busy_poll.adapt(last.elapsed()),
            Turn::Sleep => {
                tenancy.evict();
                return;
            }
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
