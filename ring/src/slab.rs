//! A shard's slots and the lock-free list of those that are free.
//!
//! The list is a stack of slot numbers (R. K. Treiber, 1986) whose head carries a tag that every push and pop advances: a
//! head that was popped and pushed back meanwhile is not mistaken for the old one. One bit of the head says that nothing may be
//! popped any more: it is part of the word that every pop exchanges, so none slips past it.
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | free | an unused slot, from who frees it to who opens it next | `slab::reuse_against_late_result`, `slab::stop_against_open` |

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
    /// Tag in the upper half, one-based number of the first free slot in the lower; 0 when there is none. With `STOPPED`.
    free: CachePadded<AtomicU64>,
}

const TAG: u64 = 1 << 32;
/// Nothing may be popped. Above every number of a slot: a pop that finds it finds no such slot.
const STOPPED: u32 = 1 << 31;
/// The most slots that a slab may have.
pub(crate) const MAX_SLOTS: u32 = 1 << 22;
const _: () = assert!(MAX_SLOTS < STOPPED);

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
    pub(crate) fn pop(&self) -> Option<(&Slot, usize)> {
        // Ordering: Acquire, here and on failure; `next` of the first slot is visible (pairs with [free]).
        let mut head = self.free.load(Ordering::Acquire);
        loop {
            let index = (head as u32).checked_sub(1)? as usize;
            let slot = self.slots.get(index)?;
            // Ordering: Relaxed; if the slot was popped meanwhile the value is stale, and the tag makes the exchange fail.
            let next = slot.next.load(Ordering::Relaxed);
            let to = (head & !(TAG - 1)).wrapping_add(TAG) | u64::from(next);
            // Ordering: Relaxed on success; the tag says that this is the head that was acquired, and an exchange carries on what
            // the pushes before it released. Acquire on failure, as above.
            match self.free.compare_exchange_weak(head, to, Ordering::Relaxed, Ordering::Acquire) {
                Ok(_) => return Some((slot, index)),
                Err(now) => head = now,
            }
        }
    }

    /// Puts `slot` back, whose number is `index`.
    #[inline]
    pub(crate) fn push(&self, slot: &Slot, index: usize) {
        debug_assert!(std::ptr::eq(slot, &self.slots[index]));
        // Ordering: Relaxed; the value is only compared.
        let mut head = self.free.load(Ordering::Relaxed);
        loop {
            // Ordering: Relaxed; the exchange below releases it.
            slot.next.store(head as u32 & !STOPPED, Ordering::Relaxed);
            let stopped = head & u64::from(STOPPED);
            let to = (head & !(TAG - 1)).wrapping_add(TAG) | stopped | (index as u64 + 1);
            // Ordering: Release; [free]. Relaxed on failure: the value is only compared.
            match self.free.compare_exchange_weak(head, to, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Whether nothing is popped any more.
    pub(crate) fn is_stopped(&self) -> bool {
        // Ordering: Relaxed; the flag alone matters.
        self.free.load(Ordering::Relaxed) & u64::from(STOPPED) != 0
    }

    /// Sees to it that nothing is popped any more, and takes all slots that are free, for good.
    pub(crate) fn stop(&self) -> impl Iterator<Item = usize> {
        // Ordering: Acquire; [free]: the chain is visible, because every push was released and what followed on the word were
        // exchanges; so is what an opener wrote before it freed the slot that it has popped again meanwhile. The tag may start
        // anew: nobody pops any more.
        let mut next = self.free.swap(u64::from(STOPPED), Ordering::Acquire) as u32 & !STOPPED;
        std::iter::from_fn(move || {
            let index = next.checked_sub(1)? as usize;
            // Ordering: Relaxed; the slot is ours.
            next = self.slots[index].next.load(Ordering::Relaxed);
            Some(index)
        })
    }
}
