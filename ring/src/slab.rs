//! A shard's slots and the lock-free list of those that are free.
//!
//! The list is a stack of slot numbers (R. K. Treiber, 1986) whose head carries a tag that every push and pop advances: a
//! head that was popped and pushed back meanwhile is not mistaken for the old one.
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | free | an unused slot, from who frees it to who opens it next | `slab::reuse_against_late_result` |

use crossbeam::utils::CachePadded;

use crate::{
    error::RuntimeError,
    region::Region,
    slot::Slot,
    sync::{AtomicU64, Ordering},
};

/// The slots of one shard.
#[derive(Debug)]
pub(crate) struct Slab {
    slots: Region<Slot>,
    /// Tag in the upper half, one-based number of the first free slot in the lower; 0 when there is none.
    free: CachePadded<AtomicU64>,
}

const TAG: u64 = 1 << 32;

impl Slab {
    /// `len` free slots, numbered from 0; slot `i` starts in generation `generation(i)`.
    pub(crate) fn new(len: u32, generation: impl Fn(usize) -> u64) -> Result<Self, RuntimeError> {
        let slots = Region::new(len as usize, |index| Slot::new(generation(index)))?;
        for (index, slot) in slots.iter().enumerate() {
            let next = if index + 1 < slots.len() { index as u32 + 2 } else { 0 };
            // Ordering: Relaxed; nobody else knows the slab yet.
            slot.next.store(next, Ordering::Relaxed);
        }
        Ok(Self { slots, free: CachePadded::new(AtomicU64::new(1)) })
    }

    /// The slots.
    #[inline]
    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Takes a free slot off the list; it is the caller's until it is pushed back.
    #[inline]
    pub(crate) fn pop(&self) -> Option<usize> {
        // Ordering: Acquire, here and on failure; `next` of the first slot is visible (pairs with [free]).
        let mut head = self.free.load(Ordering::Acquire);
        loop {
            let index = (head as u32).checked_sub(1)? as usize;
            // Ordering: Relaxed; if the slot was popped meanwhile the value is stale, and the tag makes the exchange fail.
            let next = self.slots[index].next.load(Ordering::Relaxed);
            let to = (head & !(TAG - 1)).wrapping_add(TAG) | u64::from(next);
            // Ordering: AcqRel on success; Acquire pairs with [free], Release keeps the chain of pushes below visible
            // to whoever pops next.
            match self.free.compare_exchange_weak(head, to, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(index),
                Err(now) => head = now,
            }
        }
    }

    /// Puts a slot back.
    #[inline]
    pub(crate) fn push(&self, index: usize) {
        // Ordering: Relaxed; the value is only compared.
        let mut head = self.free.load(Ordering::Relaxed);
        loop {
            // Ordering: Relaxed; the exchange below releases it.
            self.slots[index].next.store(head as u32, Ordering::Relaxed);
            let to = (head & !(TAG - 1)).wrapping_add(TAG) | (index as u64 + 1);
            // Ordering: Release; [free]. Relaxed on failure: the value is only compared.
            match self.free.compare_exchange_weak(head, to, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}
