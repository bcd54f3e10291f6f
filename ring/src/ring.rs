//! A bounded ring from many producers to one consumer, whose cells say by lap whether they are filled.
//!
//! ```text
//!              head (published by the consumer once a batch)        tail (advanced by claims)
//!               v                                                    v
//!   ... consumed | published | published | claimed | published | claimed | free ...
//!                                            ^ the consumer stops here until it is published
//! ```
//!
//! # Protocol
//!
//! A record at position `p` (a counter that never wraps) lies in cell `p % N`. The cell's *stamp* says what it holds:
//!
//! | stamp | the cell |
//! | --- | --- |
//! | `vacant(p)` = `(p - N + 1) << 1` | still has the stamp of the lap before: position `p` is not published |
//! | `vacant(p) \| AWAITED` | the same, and the consumer sleeps until it is |
//! | `filled(p)` = `(p + 1) << 1` | position `p` is published |
//!
//! * **claim**: a producer advances `tail` by a compare-exchange, if less than `N` positions lie between it and `head`.
//! * **publish**: it writes the value and swaps the stamp to `filled(p)`. If the old stamp was `AWAITED`, the producer
//!   owes the consumer a doorbell.
//! * **consume**: the consumer finds `filled(p)`, moves the value out, and goes to `p + 1`. It writes nothing into the
//!   cell, so the line goes back to the producers unchanged.
//! * **release**: once a batch the consumer stores its position to `head`, and the cells before it are free again.
//! * **arm**: before it sleeps, the consumer compare-exchanges `vacant(p)` to `vacant(p) | AWAITED`.
//!
//! # Invariants
//!
//! 1. Position `p` is claimed by exactly one producer, after `head > p - N`: the value of the lap before has been moved out.
//! 2. Between claim and publish only that producer touches the cell's value; between publish and release only the consumer.
//! 3. `tail - head <= N`, and `head <= consumer's position <= tail`.
//! 4. No missed wake-up: arm and publish are read-modify-writes of one word, so one of them comes first. Either publish
//!    finds `AWAITED`, or arm finds `filled(p)` and does not sleep. How the consumer is woken must order itself: a ring that the
//!    consumer has heard before it arms makes what was published before that ring visible to it (`doorbell.rs`). Then a ring
//!    that follows a publish that found `AWAITED` was not heard before that arming, or arm would have found the cell filled.
//!
//! # Orderings
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | publish | the value, from the producer to the consumer | `ring::two_producers_in_order` |
//! | release | the emptied cell, from the consumer to the next producer | `ring::one_cell_is_reused` |
//!
//! After `ManyToOneRingBuffer` of Agrona (claim, commit), D. Vyukov's bounded queue (stamps by lap) and the Linux BPF ring
//! buffer (wake only a consumer that has caught up).

use std::mem::MaybeUninit;

use crossbeam::utils::CachePadded;

use crate::{
    region::Region,
    sync::{AtomicU64, Ordering, UnsafeCell},
};

/// Set in a vacant stamp by a consumer that sleeps until the cell is published.
const AWAITED: u64 = 1;

/// One place of a ring: a stamp and a value.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Cell<T> {
    /// Written by whoever claimed the cell (publish) and by the consumer (arm); read by the consumer.
    stamp: AtomicU64,
    /// Written by the producer between claim and publish, moved out by the consumer afterwards (invariant 2).
    value: UnsafeCell<MaybeUninit<T>>,
}

/// A bounded ring. Producers share it; the consumer's side is `unsafe`, because there may be only one.
#[derive(Debug)]
pub struct Ring<T> {
    /// The next position to claim. Written by producers; a stale value is legal, the claim then fails and retries.
    tail: CachePadded<AtomicU64>,
    /// Positions before it are free again. Written by the consumer; a stale value is legal, it hides free cells.
    head: CachePadded<AtomicU64>,
    cells: Region<Cell<T>>,
    mask: u64,
}

// SAFETY: values of type `T` cross threads, and every access to them is ordered by a stamp (invariants 1 and 2).
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above; no `&T` is ever shared.
unsafe impl<T: Send> Sync for Ring<T> {}

/// What a publish found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a consumer that waits must be told"]
pub enum Published {
    /// The consumer is awake, or waits for another cell: nothing to do.
    Quiet,
    /// The consumer sleeps until this very record: whoever gets this owes it a doorbell, or arms it again.
    Awaited,
}

/// What arming found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a consumer that is not armed must not sleep"]
pub enum Armed {
    /// The cell is marked: its publisher will ring.
    Asleep,
    /// The cell is published already: consume it.
    Ready,
}

impl<T> Cell<T> {
    /// Cell `index` of a ring of `cells` cells, before the first lap.
    pub fn new(index: usize, cells: usize) -> Self {
        Self {
            stamp: AtomicU64::new(vacant(index as u64, cells as u64)),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }
}

/// The stamp of a cell whose position `p` is published.
#[inline(always)]
fn filled(p: u64) -> u64 {
    p.wrapping_add(1) << 1
}

/// The stamp of a cell whose position `p` is not published yet: it still shows the lap before.
#[inline(always)]
fn vacant(p: u64, cells: u64) -> u64 {
    filled(p.wrapping_sub(cells))
}

impl<T> Ring<T> {
    /// A ring over `cells`, made by [`Cell::new`], whose number must be a power of two.
    pub fn new(cells: Region<Cell<T>>) -> Self {
        debug_assert!(cells.len().is_power_of_two());
        let mask = cells.len() as u64 - 1;
        Self { tail: CachePadded::new(AtomicU64::new(0)), head: CachePadded::new(AtomicU64::new(0)), cells, mask }
    }

    #[inline(always)]
    fn cell(&self, p: u64) -> &Cell<T> {
        // The mask keeps the index in range; the compiler sees that from the region's length only with a check.
        &self.cells[(p & self.mask) as usize]
    }

    /// The number of cells.
    #[inline(always)]
    pub fn capacity(&self) -> u64 {
        self.mask + 1
    }

    /// Claims a position, or finds the ring full.
    #[inline(always)]
    fn claim(&self) -> Option<u64> {
        // Ordering: Relaxed; a stale tail only makes the compare-exchange fail.
        let mut p = self.tail.load(Ordering::Relaxed);
        loop {
            // Ordering: Acquire; pairs with [release]: the value that lay in this cell a lap ago has been moved out.
            let head = self.head.load(Ordering::Acquire);
            // `tail` was read before `head`, so it may lie behind it; the difference is then negative, and small. A stale one is too
            // small: with it the ring looks emptier than it is, never fuller.
            if p.wrapping_sub(head) as i64 >= self.capacity() as i64 {
                return None;
            }
            // Ordering: Relaxed; a claim passes nothing on, the stamp does. Success proves that `p` was not stale.
            match self.tail.compare_exchange_weak(p, p + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(p),
                Err(tail) => p = tail,
            }
        }
    }

    /// Pushes `value`, or gives it back when the ring is full. From any thread; never waits.
    #[inline(always)]
    pub fn push(&self, value: T) -> Result<Published, T> {
        match self.claim() {
            Some(p) => Ok(self.publish(p, |place| _ = place.write(value))),
            None => Err(value),
        }
    }

    /// As [`push`](Self::push), with a value that `write` leaves in its place; `None`, and nothing was written, when the ring is full.
    ///
    /// # Safety
    ///
    /// `write` initialises the place, and does not panic.
    #[inline(always)]
    pub unsafe fn push_with(&self, write: impl FnOnce(&mut MaybeUninit<T>)) -> Option<Published> {
        self.claim().map(|p| self.publish(p, write))
    }

    /// Fills the cell of a claimed position by `write`, which initialises it, and hands it to the consumer.
    #[inline(always)]
    fn publish(&self, p: u64, write: impl FnOnce(&mut MaybeUninit<T>)) -> Published {
        let cell = self.cell(p);
        cell.value.with_mut(|place| {
            // SAFETY: invariants 1 and 2: the place is ours, and empty.
            write(unsafe { &mut *place });
        });
        // Ordering: Release; [publish], pairs with the Acquire in `take`. What is done for a sleeping consumer needs no Acquire here
        // (invariant 4).
        let old = cell.stamp.swap(filled(p), Ordering::Release);
        debug_assert!(old & !AWAITED == vacant(p, self.capacity()));
        if old & AWAITED == 0 { Published::Quiet } else { Published::Awaited }
    }

    /// Whether the record at `head` is published. A hint: it may be consumed, or published, at once.
    #[inline]
    pub fn looks_ready(&self) -> bool {
        // Ordering: Relaxed, both; a hint. Who acts on it takes the token and looks again.
        let p = self.head.load(Ordering::Relaxed);
        self.cell(p).stamp.load(Ordering::Relaxed) == filled(p)
    }

    /// Whether everything that was claimed before this call has been released.
    #[inline]
    pub(crate) fn is_quiescent(&self) -> bool {
        // Ordering: Acquire; pairs with [release]: what the consumer did with those records is visible.
        let head = self.head.load(Ordering::Acquire);
        // Ordering: Relaxed; coherence with claims that happened before is all that is asked.
        self.tail.load(Ordering::Relaxed) == head
    }

    /// The next position to be claimed: every claim that happened before this call lies before it.
    pub fn tail(&self) -> u64 {
        // Ordering: Relaxed; coherence with claims that happened before is all that is asked.
        self.tail.load(Ordering::Relaxed)
    }

    /// Moves out the record at position `p`, if it is published.
    ///
    /// # Safety
    ///
    /// The caller is the only consumer, and `p` is its position: `take` has returned every record before `p`, and none
    /// from `p` on.
    #[inline]
    pub unsafe fn take(&self, p: u64) -> Option<T> {
        let cell = self.cell(p);
        // Ordering: Acquire; pairs with [publish]: the value is visible.
        if cell.stamp.load(Ordering::Acquire) != filled(p) {
            return None;
        }
        cell.value.with(|place| {
            // SAFETY: invariant 2: nobody else touches the place.
            let value = unsafe { place.read() };
            // SAFETY: the value is published and, by the contract, not moved out before.
            Some(unsafe { value.assume_init() })
        })
    }

    /// Frees every cell before position `p`.
    ///
    /// # Safety
    ///
    /// The caller is the only consumer, and has taken every record before `p`.
    #[inline]
    pub unsafe fn release(&self, p: u64) {
        // Ordering: Release; [release], pairs with the Acquire in `claim`: the values have been moved out.
        self.head.store(p, Ordering::Release);
    }

    /// Marks the cell at position `p`, so that its publisher rings; or finds it published.
    ///
    /// # Safety
    ///
    /// The caller is the only consumer, and `p` is its position.
    pub unsafe fn arm(&self, p: u64) -> Armed {
        let vacant = vacant(p, self.capacity());
        // Ordering: Relaxed; that one of both exchanges comes first is all that counts (invariant 4), and `take` acquires.
        match self.cell(p).stamp.compare_exchange(vacant, vacant | AWAITED, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Armed::Asleep,
            Err(stamp) if stamp == vacant | AWAITED => Armed::Asleep,
            Err(_) => Armed::Ready,
        }
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // Ordering: Relaxed; `&mut self` excludes everyone else.
        let mut p = self.head.load(Ordering::Relaxed);
        // SAFETY: `&mut self`: there is no other consumer. The consumer released its position when it last let go of
        // its token, so `head` is its position.
        while let Some(value) = unsafe { self.take(p) } {
            drop(value);
            p += 1;
        }
    }
}
