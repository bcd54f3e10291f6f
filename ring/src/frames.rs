//! The frames of one stream, on their way from the shard's consumer to the stream's receiver.
//!
//! They are handed over in *runs* of up to [`RUN`] frames: the consumer collects the frames of one stream that it meets in a
//! row, and pushes the run onto the slot's stack by one exchange; the receiver takes the whole stack by another, and turns it
//! round. So a frame costs a fraction of an atomic operation on either side.
//!
//! A run carries its sid: one that was pushed while its receiver gave up is told from those of the slot's next stream.
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | hand over | a run, from the consumer to the receiver | `stream::frames_against_a_parking_receiver` |

use std::{mem, ptr};

use arrayvec::ArrayVec;

use crate::{
    reply::Reply,
    sync::{AtomicPtr, Ordering, UnsafeCell},
};

/// The most frames of a run.
pub(crate) const RUN: usize = 16;

/// Frames of one stream, in a row.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) sid: u64,
    /// What the frames were charged to the ledger.
    pub(crate) cost: u64,
    /// Oldest first, until the receiver turns them round.
    pub(crate) frames: ArrayVec<Reply, RUN>,
    /// The run below this one on the stack, the run after it in a [`Runs`], or null. Owned.
    next: *mut Run,
    /// Shows loom, which cannot see plain memory, when the run is filled and taken. Of no size.
    watch: UnsafeCell<()>,
}

// SAFETY: a run owns what `next` points to, and replies are `Send`.
unsafe impl Send for Run {}
// SAFETY: `&Run` gives nothing but `&`s of its fields, which are `Sync`.
unsafe impl Sync for Run {}

/// The stack of runs that wait for their receiver.
#[derive(Debug)]
pub(crate) struct Frames {
    /// The latest run. Pushed by the consumer, taken by the receiver; owns the runs below it.
    latest: AtomicPtr<Run>,
}

/// Runs that were taken, oldest first, each with its oldest frame last.
#[derive(Debug, Default)]
pub(crate) struct Runs(Option<Box<Run>>);

impl Run {
    /// Takes over the run that `next` points to.
    fn take_next(&mut self) -> Option<Box<Run>> {
        let next = mem::replace(&mut self.next, ptr::null_mut());
        // SAFETY: `next` is null, or was made by `Box::into_raw` and is owned by this run, which has just given it up.
        (!next.is_null()).then(|| unsafe { Box::from_raw(next) })
    }
}

impl Run {
    pub(crate) fn new(sid: u64) -> Box<Self> {
        Box::new(Self { sid, cost: 0, frames: ArrayVec::new(), next: ptr::null_mut(), watch: UnsafeCell::new(()) })
    }
}

impl Frames {
    pub(crate) fn new() -> Self {
        Self { latest: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Pushes a run. Only for the consumer.
    pub(crate) fn push(&self, run: Box<Run>) {
        run.watch.with_mut(|_| ());
        let run = Box::into_raw(run);
        // Ordering: Relaxed; the pointer is only linked and compared.
        let mut below = self.latest.load(Ordering::Relaxed);
        loop {
            // SAFETY: the run is ours until it is on the stack; those below become its own when the exchange succeeds.
            unsafe { (*run).next = below };
            // Ordering: Release; [hand over]. The chain of pushes below it stays visible: they were made by consumers, one
            // after the other. Relaxed on failure: as above.
            match self.latest.compare_exchange_weak(below, run, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => below = now,
            }
        }
    }

    /// Takes all runs.
    pub(crate) fn take(&self) -> Runs {
        // Ordering: Relaxed; a hint that spares the exchange. Who must not miss a run has parked before (`Slot::park`).
        if self.latest.load(Ordering::Relaxed).is_null() {
            return Runs(None);
        }
        // Ordering: Acquire; pairs with [hand over].
        let latest = self.latest.swap(ptr::null_mut(), Ordering::Acquire);
        if latest.is_null() {
            return Runs(None);
        }
        // SAFETY: made by `Box::into_raw` in `push`, and on the stack, so it was nobody else's.
        let mut stack = Some(unsafe { Box::from_raw(latest) });
        let mut runs: Option<Box<Run>> = None;
        while let Some(mut run) = stack {
            run.watch.with_mut(|_| ());
            stack = run.take_next();
            run.frames.reverse();
            run.next = runs.map_or(ptr::null_mut(), Box::into_raw);
            runs = Some(run);
        }
        Runs(runs)
    }
}

impl Runs {
    /// The oldest run.
    #[inline]
    pub(crate) fn first(&mut self) -> Option<&mut Run> {
        self.0.as_deref_mut()
    }

    /// Drops the oldest run.
    pub(crate) fn drop_first(&mut self) {
        self.0 = self.0.take().and_then(|mut run| run.take_next());
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        // One by one: a long list must not be dropped by recursion.
        while self.0.is_some() {
            self.drop_first();
        }
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        drop(self.take());
    }
}
