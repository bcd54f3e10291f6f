//! The frames of one stream, on their way from the shard's consumer to the stream's receiver.
//!
//! They are handed over in *runs* of up to [`RUN`] frames: the consumer collects the frames of one stream that it meets in a
//! row, and pushes the run onto the slot's stack by one exchange; the receiver takes the whole stack by another, and turns it
//! round, run by run. So a frame costs a fraction of an atomic operation on either side.
//!
//! Frames that the receiver's own thread sends are *kept* ([`KeptFrames`], `inline_scope.rs`): runs of the same kind, which nobody else sees.
//!
//! A run carries its sid: one that was pushed while its receiver gave up is told from those of the slot's next stream.
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | hand over | a run, from the consumer to the receiver | `stream::frames_against_a_parking_receiver` |

use std::{mem, ptr};

use arrayvec::ArrayVec;
use nylon_ring::NrStatus;

use crate::{
    reply::{INLINE, QUEUED, Reply},
    sync::{AtomicPtr, Ordering, UnsafeCell},
};

/// The most frames of a run.
pub(crate) const RUN: usize = 16;

/// What a run of kept frames costs beside their bytes on the heap, until it is known how many there are.
const RUN_COST: u64 = RUN as u64 * QUEUED;

/// Frames of one stream, in a row.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) sid: u64,
    /// What is charged to the ledger for it, or will be.
    pub(crate) cost: u64,
    /// Oldest first.
    pub(crate) frames: ArrayVec<Reply, RUN>,
    /// How many of them the receiver has taken.
    taken: usize,
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

/// Runs that were taken, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Runs(Option<Box<Run>>);

/// Frames that the receiver's own thread has sent.
#[derive(Debug)]
pub(crate) struct KeptFrames {
    /// The latest run, on top of those before it.
    latest: Option<Box<Run>>,
    pub(crate) frames: u64,
    /// What the latest run costs that nobody has charged yet: a shared counter is better written once for several.
    pub(crate) uncharged: u64,
    /// No more are kept.
    pub(crate) is_closed: bool,
}

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
        let mut run = Box::<Self>::new_uninit();
        // In its place: made on the stack and returned, all of it would be copied, the room for frames too.
        run.write(Self {
            sid,
            cost: 0,
            frames: ArrayVec::new(),
            taken: 0,
            next: ptr::null_mut(),
            watch: UnsafeCell::new(()),
        });
        // SAFETY: written above.
        unsafe { run.assume_init() }
    }

    /// Takes the oldest frame that is left, if it is a plain one and there are others behind it.
    #[inline(always)]
    pub(crate) fn pop_plain(&mut self) -> Option<Reply> {
        let [frame, _, ..] = self.frames.get_mut(self.taken..)? else { return None };
        let frame = frame.take_plain()?;
        self.taken += 1;
        Some(frame)
    }

    /// Moves the oldest frame that is left into `place`; says whether there is one.
    #[inline(always)]
    pub(crate) fn pop(&mut self, place: &mut Option<Reply>) -> bool {
        let Some(frame) = self.frames.get_mut(self.taken) else { return false };
        self.taken += 1;
        *place = Some(frame.take_out());
        true
    }

    /// How many frames are left.
    #[inline]
    pub(crate) fn left(&self) -> u64 {
        (self.frames.len() - self.taken) as u64
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
        Runs::from_stack(unsafe { Box::from_raw(latest) })
    }

    /// Whether nothing has been handed over that was not taken.
    pub(crate) fn is_empty(&self) -> bool {
        // Ordering: Relaxed; what must be seen has been acquired (`inline_scope.rs`).
        self.latest.load(Ordering::Relaxed).is_null()
    }
}

impl KeptFrames {
    pub(crate) fn new(is_closed: bool) -> Self {
        Self { latest: None, frames: 0, uncharged: 0, is_closed }
    }

    /// What is to be charged now: what a run that gets no more frames has room for is given back.
    pub(crate) fn take_uncharged(&mut self) -> u64 {
        let uncharged = mem::take(&mut self.uncharged);
        match &mut self.latest {
            Some(run) if uncharged != 0 => {
                let unused = run.frames.remaining_capacity() as u64 * QUEUED;
                run.cost -= unused;
                uncharged - unused
            }
            _ => uncharged,
        }
    }

    /// Begins a run.
    pub(crate) fn begin_run(&mut self, sid: u64) {
        let mut run = Run::new(sid);
        run.cost = RUN_COST;
        run.next = self.latest.take().map_or(ptr::null_mut(), Box::into_raw);
        self.latest = Some(run);
        self.uncharged += RUN_COST;
    }

    /// Keeps a frame whose bytes cost so much, of which so much is not charged yet.
    pub(crate) fn push(&mut self, frame: Reply, cost: u64, uncharged: u64) {
        if let Some(run) = &mut self.latest {
            // There is room.
            let _ = run.frames.try_push(frame);
            run.cost += cost;
            self.uncharged += uncharged;
            self.frames += 1;
        }
    }

    /// Keeps a frame of status `Ok`, if it is short and there is room in its run: then it costs nothing more.
    #[inline(always)]
    pub(crate) fn push_short(&mut self, bytes: &[u8]) -> bool {
        let Some(run) = &mut self.latest else { return false };
        if bytes.len() > INLINE || run.frames.try_push(Reply::without_bytes(NrStatus::Ok as u32)).is_err() {
            return false;
        }
        self.frames += 1;
        if !bytes.is_empty()
            && let Some(frame) = run.frames.last_mut()
        {
            frame.set_short(bytes);
        }
        true
    }

    /// What the run costs that the next frame begins, if it does.
    pub(crate) fn next_run_cost(&self) -> u64 {
        if self.latest.as_ref().is_none_or(|run| run.frames.is_full()) { RUN_COST } else { 0 }
    }

    /// All of them, in order.
    pub(crate) fn take(&mut self) -> Runs {
        self.latest.take().map_or_else(Runs::default, Runs::from_stack)
    }
}

impl Runs {
    /// Turns a stack of runs round.
    fn from_stack(latest: Box<Run>) -> Self {
        let mut stack = Some(latest);
        let mut runs: Option<Box<Run>> = None;
        while let Some(mut run) = stack {
            run.watch.with_mut(|_| ());
            stack = run.take_next();
            run.next = runs.map_or(ptr::null_mut(), Box::into_raw);
            runs = Some(run);
        }
        Self(runs)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

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
