//! One thread's queue of jobs: this project's own ring, whichever host is measured.
//!
//! It is the cheapest way at hand from the host's threads to one of the plugin's, and it tells who pushes whether the thread
//! sleeps. What handing a job over costs is the same for every contender, and the less it is, the less it hides how they differ.

use std::{cell::Cell, io};

use nylon_ring_runtime::internals::{Armed, Cell as Place, Published, Region, Ring};

use crate::pool::Job;

/// Jobs on their way to one thread.
pub(crate) struct Jobs(Ring<Job>);

/// The one thread's end.
pub(crate) struct Taker<'a> {
    jobs: &'a Jobs,
    position: Cell<u64>,
}

/// Jobs that are taken before their places are free again.
const BATCH: u64 = 64;

impl Jobs {
    /// Room for at least `len` jobs that were not taken.
    pub(crate) fn new(len: usize) -> io::Result<Self> {
        // Some places may be those of jobs that were taken and are not free again.
        let len = (len + BATCH as usize).next_power_of_two();
        Region::new(len, |index| Place::new(index, len)).map(|cells| Self(Ring::new(cells))).map_err(io::Error::other)
    }

    /// Gives a job to the thread. Whether it must be woken for it; `None` when there is no room.
    #[inline]
    pub(crate) fn push(&self, job: Job) -> Option<bool> {
        self.0.push(job).ok().map(|published| published == Published::Awaited)
    }

    /// Whether there seems to be nothing.
    #[inline]
    pub(crate) fn looks_empty(&self) -> bool {
        !self.0.looks_ready()
    }

    /// The end to take jobs at.
    ///
    /// # Safety
    ///
    /// There is only one in the life of the queue.
    pub(crate) unsafe fn taker(&self) -> Taker<'_> {
        Taker { jobs: self, position: Cell::new(0) }
    }
}

impl Taker<'_> {
    /// The next job.
    #[inline]
    pub(crate) fn take(&self) -> Option<Job> {
        let position = self.position.get();
        // SAFETY: there is one taker, and the position advances by one with every job taken.
        let job = unsafe { self.jobs.0.take(position) }?;
        self.position.set(position + 1);
        if (position + 1).is_multiple_of(BATCH) {
            self.release();
        }
        Some(job)
    }

    /// Frees the places of all jobs that were taken; whoever looks from outside sees them gone.
    pub(crate) fn release(&self) {
        // SAFETY: there is one taker, and every job before the position was taken.
        unsafe { self.jobs.0.release(self.position.get()) };
    }

    /// Whether the thread may sleep: whoever pushes the next job wakes it.
    pub(crate) fn may_sleep(&self) -> bool {
        // SAFETY: there is one taker, and this is its position.
        unsafe { self.jobs.0.arm(self.position.get()) == Armed::Asleep }
    }
}
