//! How many bytes of results are buffered, and whether more may be.
//!
//! Each shard has an account of its own, so that shards do not share a cache line. A shard is sure of an equal share of the
//! limit, whatever the others have; beyond that, the limit is on the sum. So one shard alone gets all of the limit, and all
//! together about twice that at most. What ends a call is charged whatever the limit.

use crossbeam::utils::CachePadded;

use crate::sync::{AtomicU64, Ordering};

/// The accounts of a runtime.
#[derive(Debug)]
pub(crate) struct Ledger {
    accounts: Box<[CachePadded<AtomicU64>]>,
    limit: u64,
    /// What each shard is sure of.
    share: u64,
}

impl Ledger {
    pub(crate) fn new(shards: usize, limit: u64) -> Self {
        let accounts = (0..shards).map(|_| CachePadded::new(AtomicU64::new(0))).collect();
        Self { accounts, limit, share: limit / shards as u64 }
    }

    /// The limit, in bytes.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Charges a shard's account, if the limit allows; producers that charge at the same moment may each just pass it.
    pub(crate) fn try_charge(&self, shard: usize, bytes: u64) -> bool {
        let fits = self.has_room(shard, bytes);
        if fits {
            self.charge(shard, bytes);
        }
        fits
    }

    /// Whether `bytes` more would stay within the limit.
    #[inline]
    pub(crate) fn has_room(&self, shard: usize, bytes: u64) -> bool {
        self.is_within(self.limit, self.share, shard, bytes)
    }

    /// Whether `bytes` more would stay within what overflow queues may use.
    pub(crate) fn has_room_to_spill(&self, shard: usize, bytes: u64) -> bool {
        self.is_within(self.limit / 2, self.share / 2, shard, bytes)
    }

    #[inline]
    fn is_within(&self, limit: u64, share: u64, shard: usize, bytes: u64) -> bool {
        // Ordering: Relaxed, here and below; accounts are numbers, nothing is read on their strength.
        let own = self.accounts[shard].load(Ordering::Relaxed).saturating_add(bytes);
        own <= share || self.is_within_sum(limit, bytes)
    }

    #[inline(never)]
    fn is_within_sum(&self, limit: u64, bytes: u64) -> bool {
        self.used().saturating_add(bytes) <= limit
    }

    /// Charges a shard's account, whatever the limit.
    pub(crate) fn charge(&self, shard: usize, bytes: u64) {
        self.accounts[shard].fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives back what was charged to a shard's account.
    pub(crate) fn release(&self, shard: usize, bytes: u64) {
        self.accounts[shard].fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes buffered in all shards.
    pub(crate) fn used(&self) -> u64 {
        self.accounts.iter().map(|account| account.load(Ordering::Relaxed)).fold(0, u64::saturating_add)
    }
}
