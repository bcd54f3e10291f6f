//! Until when callers wait: one word for each slot of a shard, set up when a deadline is first set. Beside the slots, for those that
//! have none pay nothing.
//!
//! A deadline stands beside the sid it is for. Who reads it under a sid, and finds the sid open *afterwards*, has read its own: the slot's
//! next call writes only after it has opened.

use std::{num::NonZeroU64, sync::OnceLock};

use crate::sync::{AtomicU64, Ordering};

/// The deadlines of a shard.
#[derive(Debug, Default)]
pub(crate) struct Deadlines(OnceLock<Box<[Deadline]>>);

#[derive(Debug)]
struct Deadline {
    /// Both are written by the caller that has opened the slot, and read by anyone.
    sid: AtomicU64,
    at: AtomicU64,
}

impl Deadlines {
    /// Sets the deadline of the open call `sid`, which has one of `slots` slots. Only for its caller.
    pub(crate) fn set(&self, slots: usize, slot: usize, sid: u64, at: NonZeroU64) {
        let none = || Deadline { sid: AtomicU64::new(0), at: AtomicU64::new(0) };
        let all = self.0.get_or_init(|| (0..slots).map(|_| none()).collect());
        if let Some(deadline) = all.get(slot) {
            // Ordering: Release; pairs with the load in `get`: who reads this sees the slot opened for `sid`, and no earlier call.
            deadline.at.store(at.get(), Ordering::Release);
            // Ordering: Relaxed; whoever was handed `sid` by its caller sees this, and what others read does not matter.
            deadline.sid.store(sid, Ordering::Relaxed);
        }
    }

    /// The deadline of `sid`, if the sid is open after this.
    pub(crate) fn get(&self, slot: usize, sid: u64) -> Option<NonZeroU64> {
        let deadline = self.0.get()?.get(slot)?;
        // Ordering: Relaxed; as in `set`.
        let named = deadline.sid.load(Ordering::Relaxed);
        // Ordering: Acquire; pairs with the store in `set`.
        let at = deadline.at.load(Ordering::Acquire);
        if named == sid { NonZeroU64::new(at) } else { None }
    }
}
