//! What wakes a sleeping reactor.
//!
//! A producer never calls a waker: waking a tokio task from a foreign thread takes a mutex. It rings, and ringing is at
//! most one `write` to an eventfd, only when the reactor sleeps and nobody has rung before. The portable bell, for
//! platforms without eventfd, calls the one waker registered with it; it is the documented exception.
//!
//! # Protocol
//!
//! `rung` collapses any number of rings into one. A producer publishes, then swaps `rung` to true, and strikes the bell
//! only if it was false. The reactor swaps `rung` to false ([`Doorbell::answer`]) *before* it drains. Both are
//! read-modify-writes of one word: a producer that found `rung` true comes before the reactor's swap, which therefore
//! sees what it published.
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | ring | whatever was published before ringing | `shard::overflow_rings` |

use std::{
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use crate::{
    consumer::wake,
    error::RuntimeError,
    sync::{AtomicBool, AtomicWaker, Ordering},
};

/// How a doorbell wakes its reactor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum DoorbellKind {
    /// An eventfd where there is one (Linux), otherwise [`Waker`](Self::Waker).
    #[default]
    Native,
    /// The waker of the task that polls [`Doorbell::poll_rung`]; its `wake` runs on the thread that rings: a producer's, or that of
    /// another function that takes a sid. A panic of it is contained.
    Waker,
}

/// The bell of one shard's reactor.
#[derive(Debug)]
pub struct Doorbell {
    /// Set by whoever rings, cleared by the reactor.
    rung: AtomicBool,
    bell: Bell,
}

#[derive(Debug)]
enum Bell {
    #[cfg(all(target_os = "linux", not(nylon_loom)))]
    EventFd(std::os::fd::OwnedFd),
    Waker(AtomicWaker),
}

impl Doorbell {
    pub(crate) fn new(kind: DoorbellKind) -> Result<Self, RuntimeError> {
        let bell = match kind {
            #[cfg(all(target_os = "linux", not(nylon_loom)))]
            DoorbellKind::Native => Bell::EventFd(eventfd()?),
            _ => Bell::Waker(AtomicWaker::new()),
        };
        Ok(Self { rung: AtomicBool::new(false), bell })
    }

    /// Wakes the reactor, unless somebody has since it last answered.
    pub(crate) fn ring(&self) {
        // Ordering: Release; [ring], pairs with the swap in `answer`.
        if self.rung.swap(true, Ordering::Release) {
            return;
        }
        match &self.bell {
            #[cfg(all(target_os = "linux", not(nylon_loom)))]
            Bell::EventFd(fd) => ring(fd),
            Bell::Waker(waker) => waker.take().into_iter().for_each(wake),
        }
    }

    /// Whether somebody has rung and no reactor has answered.
    pub(crate) fn is_rung(&self) -> bool {
        // Ordering: Relaxed; a hint to answer, which acquires.
        self.rung.load(Ordering::Relaxed)
    }

    /// Says that the reactor is up; it must drain after this.
    pub(crate) fn answer(&self) {
        // Ordering: Acquire; pairs with [ring]: what was published before ringing is visible to the drain that follows.
        self.rung.swap(false, Ordering::Acquire);
    }

    /// Ready when somebody has rung since the reactor's last turn. Only for a doorbell of the kind
    /// [`Waker`](DoorbellKind::Waker), polled by one task at a time; any other is polled through its file descriptor,
    /// and for it this is always ready.
    pub fn poll_rung(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.bell {
            #[cfg(all(target_os = "linux", not(nylon_loom)))]
            Bell::EventFd(_) => Poll::Ready(()),
            Bell::Waker(waker) => {
                waker.register(cx.waker());
                // Ordering: Relaxed; `answer` acquires. The waker's own state orders this after a ring that missed us.
                if self.rung.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
            }
        }
    }

    /// Blocks the thread until somebody rings, or `timeout` is over. For reactors that own their thread.
    pub(crate) fn wait(self: &Arc<Self>, timeout: Option<Duration>) {
        match &self.bell {
            #[cfg(all(target_os = "linux", not(nylon_loom)))]
            Bell::EventFd(fd) => wait(fd, timeout),
            Bell::Waker(_) => {
                let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
                if self.poll_rung(&mut Context::from_waker(&waker)).is_pending() {
                    match timeout {
                        Some(timeout) => std::thread::park_timeout(timeout),
                        None => std::thread::park(),
                    }
                }
            }
        }
    }
}

/// Unparks a thread that waits for a portable bell.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A waker that rings: for futures driven by a reactor that owns its thread.
impl Wake for Doorbell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

#[cfg(all(target_os = "linux", not(nylon_loom)))]
impl Doorbell {
    /// The eventfd: readable once somebody has rung. `None` for a doorbell of the kind [`Waker`](DoorbellKind::Waker).
    ///
    /// Register it edge-triggered; it need not be read.
    pub fn eventfd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        use std::os::fd::AsFd;
        match &self.bell {
            Bell::EventFd(fd) => Some(fd.as_fd()),
            Bell::Waker(_) => None,
        }
    }
}

#[cfg(all(target_os = "linux", not(nylon_loom)))]
pub(crate) use on_linux::{eventfd, ring, wait};

#[cfg(all(target_os = "linux", not(nylon_loom)))]
mod on_linux {
    use std::{os::fd::OwnedFd, time::Duration};

    use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, poll};

    use crate::error::RuntimeError;

    /// A bell that any process may strike.
    pub(crate) fn eventfd() -> Result<OwnedFd, RuntimeError> {
        let fd = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        fd.map_err(|errno| RuntimeError::Doorbell(errno.into()))
    }

    /// Strikes it.
    pub(crate) fn ring(fd: &OwnedFd) {
        // The write fails only when the counter would overflow, and then the bell is ringing anyway.
        let _ = rustix::io::write(fd, &1u64.to_ne_bytes());
    }

    /// Sleeps until it is struck, or `timeout` is over.
    pub(crate) fn wait(fd: &OwnedFd, timeout: Option<Duration>) {
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(t.subsec_nanos()),
        });
        // An interrupted wait is a spurious wake-up, which whoever sleeps must expect.
        let _ = poll(&mut [PollFd::new(fd, PollFlags::IN)], timeout.as_ref());
        let _ = rustix::io::read(fd, &mut [0u8; 8]);
    }
}
