//! A thread's privilege at one shard: the slots that it frees are kept for it, without an atomic operation.
//!
//! A slot goes to the free list and back by one exchange each. A thread with a [`Seat`] keeps those that it frees in a list of
//! its own instead, and opens them again, most recent first.
//!
//! 1. `seat` is the address of a thread-local of the thread that sits, or 0. Only that thread writes its own address, and 0 in
//!    its place. So whoever finds its own address there is the one thread that may touch `kept`.
//! 2. A kept slot is idle: not open, on no list, marked [`KEPT`](crate::slot::Stage::Kept). Its thread unmarks it, passes
//!    a light fence, and looks whether the runtime has stopped opening calls, before it opens it; whoever stops it says so, passes
//!    a heavy fence, and then counts the marks. One sees the other: either the call is not made, or it is counted.
//! 3. At most one slot in eight is kept: threads without a seat have use of the others. None is where there are no such fences.
//!
//! Models in `loom-tests`: `seat::stop_against_open`, `seat::one_after_the_other`.

use std::marker::PhantomData;

use crossbeam::utils::CachePadded;

use crate::{
    error::RuntimeError,
    fences,
    shard::Shard,
    slot::Slot,
    sync::{AtomicUsize, Ordering, UnsafeCell, thread_local},
};

#[cfg(not(nylon_loom))]
thread_local! {
    /// Its address is the thread's name, for as long as the thread runs.
    static HERE: u8 = const { 0 };
}

#[cfg(nylon_loom)]
thread_local! {
    static HERE: u8 = 0;
}

#[inline(always)]
fn here() -> usize {
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// A number from 0 to 3 that differs from thread to thread, mostly.
#[inline]
pub(crate) fn hash_of_thread() -> usize {
    // Fibonacci hashing (Knuth, vol. 3, 6.4): addresses of this kind differ by multiples of large powers of two.
    ((here() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62) as usize
}

/// The most slots that are kept.
const MOST: u32 = 256;

/// Who sits at a shard, and the slots kept for it.
#[derive(Debug)]
pub(crate) struct Kept {
    seat: AtomicUsize,
    most: u32,
    /// Written by the one thread at every call, so it shares no cache line with what other threads read.
    list: CachePadded<UnsafeCell<List>>,
}

/// Linked through `Slot::next`, as the free list is.
#[derive(Debug)]
struct List {
    /// One-based; 0 when there is none.
    first: u32,
    len: u32,
}

/// A thread's seat at a shard, until it is dropped: calls that the thread opens there, one after the other, cost less.
#[derive(Debug)]
#[must_use = "dropping it gives the seat up"]
pub struct Seat<'rt> {
    shard: &'rt Shard,
    /// Not for other threads.
    here: PhantomData<*const ()>,
}

impl Kept {
    pub(crate) fn new(slots: u32) -> Self {
        let list = CachePadded::new(UnsafeCell::new(List { first: 0, len: 0 }));
        let most = if fences::available() { (slots / 8).min(MOST) } else { 0 };
        Self { seat: AtomicUsize::new(0), most, list }
    }

    /// Whether the calling thread sits here.
    #[inline(always)]
    fn is_mine(&self) -> bool {
        // Ordering: Relaxed; only this thread writes its address, so it sees that, or is not the one (1).
        self.seat.load(Ordering::Relaxed) == here()
    }

    /// Whether a thread sits here. A hint.
    #[inline]
    pub(crate) fn is_taken(&self) -> bool {
        // Ordering: Relaxed; a hint.
        self.seat.load(Ordering::Relaxed) != 0
    }

    /// Takes a kept slot, if the calling thread sits here and there is one.
    #[inline(always)]
    pub(crate) fn pop<'a>(&self, slots: &'a [Slot]) -> Option<(&'a Slot, usize)> {
        if !self.is_mine() {
            return None;
        }
        self.list.with_mut(|list| {
            // SAFETY: invariant 1; the reference ends with this closure, which calls nobody back.
            let list = unsafe { &mut *list };
            let index = list.first.checked_sub(1)? as usize;
            let slot = slots.get(index)?;
            // Ordering: Relaxed; written by this thread.
            list.first = slot.next.load(Ordering::Relaxed);
            list.len -= 1;
            Some((slot, index))
        })
    }

    /// Keeps a slot, if the calling thread sits here and there is room.
    #[inline(always)]
    pub(crate) fn push(&self, slot: &Slot, index: usize) -> bool {
        self.is_mine()
            && self.list.with_mut(|list| {
                // SAFETY: as in `pop`.
                let list = unsafe { &mut *list };
                if list.len == self.most {
                    return false;
                }
                // Ordering: Relaxed; read by this thread.
                slot.next.store(list.first, Ordering::Relaxed);
                list.first = index as u32 + 1;
                list.len += 1;
                true
            })
    }
}

impl<'rt> Seat<'rt> {
    /// Sits down, unless another thread does.
    pub(crate) fn take(shard: &'rt Shard) -> Result<Self, RuntimeError> {
        // Ordering: Acquire; pairs with the Release in `drop`: the list is empty, and nobody touches it any more.
        match shard.kept.seat.compare_exchange(0, here(), Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(Self { shard, here: PhantomData }),
            Err(_) => Err(RuntimeError::SeatTaken { shard: shard.index }),
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let slab = &self.shard.slab;
        while let Some((slot, index)) = self.shard.kept.pop(slab.slots()) {
            self.shard.list(slot, index);
        }
        // Ordering: Release; pairs with the Acquire in `take`.
        self.shard.kept.seat.store(0, Ordering::Release);
    }
}
