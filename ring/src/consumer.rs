//! The consumer of a shard: moves records from ring and overflow queue to slots.
//!
//! A [`Held`] is the proof that its holder has the token. It drains in batches of at most [`BATCH`] records, so that the
//! wakers of one batch fit on the stack. They are woken *after* the token is let go: a waker runs foreign code, which may
//! call back into this very shard.

use std::{
    collections::HashMap,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Waker,
};

use arrayvec::ArrayVec;

use crate::{
    frames::Run,
    reply::{Record, Reply},
    ring::Armed,
    shard::Shard,
    slot::{Delivery, Kind, Park, Slot},
    state,
    sync::{Ordering, model_fence, yield_now},
    token::LetGo,
};

/// The most records that are consumed under one hold of the token.
pub(crate) const BATCH: usize = 64;

/// The most batches that a caller consumes on the way to its own result; the reactor does the rest.
const HELP: usize = 16;

/// What only the holder of the token touches.
#[derive(Debug, Default)]
pub(crate) struct Consumer {
    /// The position of the next record in the ring.
    position: u64,
    /// A record from the overflow queue that has to wait until the ring is consumed up to the position beside it.
    pub(crate) stash: Option<(Record, u64)>,
    /// State of calls that were given up while their plugin held pointers into it, by sid; freed by the plugin's
    /// terminal result.
    orphans: HashMap<u64, (Kind, state::Taken)>,
    /// The position last released.
    released: u64,
}

/// Work that callers and plugins leave to the consumer.
#[derive(Debug)]
pub(crate) enum Chore {
    /// Put the state of a given-up call aside, and free its slot.
    Orphan { sid: u64 },
    /// Free entries that a plugin thread was reading.
    FreeEntries { slot: usize, taken: state::Taken },
}

/// What a batch leaves to be done without the token, when this is dropped: its wakers are woken, in the order of their results, and
/// what was left with calls that are over is freed.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    wakers: ArrayVec<Waker, BATCH>,
    left: Vec<state::Taken>,
}

impl Wakers {
    #[inline]
    fn push(&mut self, waker: Option<Waker>) {
        if let Some(waker) = waker {
            // Every record adds at most one waker, so there is room; were there none, waking early is always legal.
            if let Err(full) = self.wakers.try_push(waker) {
                wake(full.element());
            }
        }
    }
}

impl Drop for Wakers {
    #[inline]
    fn drop(&mut self) {
        // By reference: moving the array out would copy all of it, once a batch.
        self.wakers.drain(..).for_each(wake);
    }
}

/// Wakes. A waker is foreign code: if it panics, the others must be woken all the same, and so must those of later batches.
#[inline]
pub(crate) fn wake(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        // What a panic carries is foreign too, and may panic when it is dropped.
        mem::forget(payload);
    }
}

/// The consumer token, held.
#[derive(Debug)]
#[must_use = "dropping it lets the token go"]
pub(crate) struct Held<'a> {
    shard: &'a Shard,
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.shard.token.let_go() == LetGo::Wanted {
            self.shard.doorbell.ring();
        }
    }
}

/// What a batch does at its end, still holding the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing.
    LetGo,
    /// If nothing is left, arm the ring for the reactor.
    Arm,
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a reactor may sleep only if it is armed"]
pub(crate) enum Batch {
    /// There is more, or may be.
    More,
    /// Nothing is left, or nothing that can be consumed yet.
    Empty,
    /// As `Empty`, and the publisher of the next record will ring.
    EmptyAndArmed,
}

impl Shard {
    /// Consumes one batch, if the token is free.
    #[inline]
    pub(crate) fn try_batch(&self, then: Then) -> Option<Batch> {
        self.token.try_take().then(|| Held { shard: self }.batch(then))
    }

    /// Consumes one batch, or sees to it that whoever consumes now rings afterwards.
    pub(crate) fn batch_or_want(&self, then: Then) -> Option<Batch> {
        self.token.take_or_want().then(|| Held { shard: self }.batch(then))
    }

    /// Lets a caller consume that looks for its own result, if there seems to be anything.
    #[inline]
    pub(crate) fn help(&self) {
        // Ordering: Relaxed; a hint, like `looks_ready`.
        if !self.ring.looks_ready() && self.spilled.load(Ordering::Relaxed) == 0 {
            return;
        }
        for _ in 0..HELP {
            if self.try_batch(Then::LetGo) != Some(Batch::More) {
                return;
            }
        }
    }

    /// Ends a stream whose terminal frame its own thread keeps, in the place of the consumer: so nothing of the stream is on its way
    /// from the ring to its slot. False if somebody else consumes, or something else came first. The token is left in `held`.
    ///
    /// The receiver must not be parked.
    pub(crate) fn end_kept<'a>(&'a self, slot: &Slot, sid: u64, held: &mut Option<Held<'a>>) -> bool {
        *held = self.token.try_take().then(|| Held { shard: self });
        held.is_some() && self.is_quiescent() && slot.frames.is_empty() && slot.end(sid, true, self.mask()).is_some()
    }

    /// Has a caller sleep with this waker; false if it must look for its answer once more before that.
    #[inline]
    pub(crate) fn park(&self, slot: &Slot, waker: &Waker) -> bool {
        match slot.park(waker) {
            Park::Parked => true,
            Park::Answered => false,
            Park::WithAnother => self.park_with(slot, waker.clone()),
        }
    }

    /// The same for one that sleeps already, with another waker: a future that was polled by one task and then by another.
    #[cold]
    fn park_with(&self, slot: &Slot, waker: Waker) -> bool {
        let Some(held) = self.token.try_take().then(|| Held { shard: self }) else {
            // Somebody consumes, and may be about to take the other waker: this one is woken at once, so that its task comes back.
            yield_now();
            wake(waker);
            return true;
        };
        // SAFETY: the token is held.
        let left = unsafe { slot.exchange_waker(waker) };
        // What drops a task is foreign code.
        drop(held);
        left.is_ok()
    }

    /// Takes the wakers of all callers that sleep. Those that come to sleep after this find the shard closing.
    pub(crate) fn disturb(&self) -> Vec<Waker> {
        // Ordering: SeqCst; `Slot::park` says why.
        self.closed.store(true, Ordering::SeqCst);
        model_fence();
        while !self.token.try_take() {
            // Somebody consumes a batch.
            yield_now();
        }
        let _held = Held { shard: self };
        // SAFETY: the token is held.
        self.slab.slots().iter().filter_map(|slot| unsafe { slot.disturb() }).collect()
    }

    /// Whether the runtime closes. For a caller that has just come to sleep: if this is false, it is woken then.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        model_fence();
        // Ordering: SeqCst; `Slot::park` says why.
        self.closed.load(Ordering::SeqCst)
    }

    /// Pays an inline scope's debt: drains and arms on behalf of the reactor, or rings.
    pub(crate) fn settle(&self) {
        for _ in 0..HELP {
            match self.try_batch(Then::Arm) {
                Some(Batch::More) => {}
                Some(Batch::EmptyAndArmed) => return,
                Some(Batch::Empty) | None => break,
            }
        }
        self.doorbell.ring();
    }
}

impl Held<'_> {
    /// Consumes up to [`BATCH`] records, lets the token go, and wakes.
    fn batch(self, then: Then) -> Batch {
        let mut wakers = Wakers::default();
        let outcome = self.consume(then, &mut wakers);
        drop(self);
        drop(wakers);
        outcome
    }

    fn consume(&self, then: Then, wakers: &mut Wakers) -> Batch {
        self.shard.consumer.with_mut(|consumer| {
            // SAFETY: `self` proves that this thread holds the token, and the reference ends with this closure.
            let consumer = unsafe { &mut *consumer };
            let mut drain = Drain { shard: self.shard, consumer, wakers, run: None, count: 0, spilled: 0 };
            drain.run(then)
        })
    }
}

/// One batch on its way.
struct Drain<'a> {
    shard: &'a Shard,
    consumer: &'a mut Consumer,
    wakers: &'a mut Wakers,
    /// Frames of one stream that came in a row, and its slot; not handed over yet.
    run: Option<(usize, Box<Run>)>,
    count: usize,
    /// How many of them came from the overflow queue.
    spilled: u64,
}

impl Drain<'_> {
    fn run(&mut self, then: Then) -> Batch {
        self.chores();
        self.ring(u64::MAX);
        // Ordering: Relaxed; a record that is missed here is followed by a ring of the doorbell (overflow, 3).
        if self.consumer.stash.is_some() || self.shard.spilled.load(Ordering::Relaxed) != 0 {
            self.overflow();
        }
        self.hand_over();
        if self.spilled != 0 {
            // Ordering: Release; pairs with the Acquire in `Shard::is_quiescent`. Any other producer that reads this and goes back to
            // the ring publishes after it, and whoever takes that record does so under the token, after this delivery.
            self.shard.spilled.fetch_sub(self.spilled, Ordering::Release);
        }
        if self.consumer.released != self.consumer.position {
            self.consumer.released = self.consumer.position;
            // SAFETY: a `Drain` exists only under the token, and every record before the position was taken.
            unsafe { self.shard.ring.release(self.consumer.position) };
        }
        self.shard.counters.batches.add(1);
        self.shard.counters.drained.add(self.count as u64);
        if self.count >= BATCH {
            return Batch::More;
        }
        if then == Then::LetGo {
            return Batch::Empty;
        }
        // SAFETY: as above; the position is that of the next record.
        match unsafe { self.shard.ring.arm(self.consumer.position) } {
            Armed::Asleep => Batch::EmptyAndArmed,
            Armed::Ready => Batch::More,
        }
    }

    /// Consumes from the ring, up to position `end` and the size of a batch.
    #[inline(always)]
    fn ring(&mut self, end: u64) {
        while self.count < BATCH && self.consumer.position < end {
            // SAFETY: as in `run`; the position advances by one with every record taken.
            let Some(record) = (unsafe { self.shard.ring.take(self.consumer.position) }) else { return };
            self.consumer.position += 1;
            self.deliver(record);
        }
    }

    /// Consumes from the overflow queue what may be delivered now.
    #[cold]
    fn overflow(&mut self) {
        while self.count < BATCH {
            if self.consumer.stash.is_none() {
                let Some(record) = self.shard.overflow.pop() else { return };
                // Whatever this record's producer put into the ring before lies before the tail as it is now.
                self.consumer.stash = Some((record, self.shard.ring.tail()));
            }
            let Some((_, behind)) = self.consumer.stash else { return };
            self.ring(behind);
            if self.consumer.position < behind || self.count >= BATCH {
                return;
            }
            if let Some((record, _)) = self.consumer.stash.take() {
                self.discharge(record.spill_cost() - record.ring_cost());
                if record.reply.is_overflow() {
                    // Ordering: Relaxed; a number.
                    self.shard.marks.fetch_sub(1, Ordering::Relaxed);
                }
                self.deliver(record);
                self.spilled += 1;
            }
        }
    }

    /// Gives back what a record was charged on its way.
    #[inline]
    fn discharge(&self, cost: u64) {
        if cost != 0 {
            self.shard.ledger.release(self.shard.index, cost);
        }
    }

    /// Delivers a record that is charged what it costs in the ring. A unary result stays so until its caller takes it; a frame is
    /// charged to its stream instead.
    #[inline(always)]
    fn deliver(&mut self, record: Record) {
        self.count += 1;
        let (shard, counters) = (self.shard, &self.shard.counters);
        let (index, cost) = (shard.layout.slot(record.sid), record.ring_cost());
        let Some(slot) = shard.slab.slots().get(index) else {
            self.discharge(cost);
            counters.unknown.add(1);
            return;
        };
        // SAFETY: a `Drain` exists only under the token.
        let delivery = unsafe { slot.deliver(record, shard.layout.generation_mask()) };
        if !matches!(delivery, Delivery::Done(_)) {
            self.discharge(cost);
        }
        match delivery {
            Delivery::Done(waker) => {
                counters.delivered.add(1);
                self.wakers.push(waker);
            }
            Delivery::Frame(record) => self.frame(index, slot, record),
            Delivery::Duplicate => counters.duplicate.add(1),
            Delivery::AfterEnd => counters.after_end.add(1),
            Delivery::Orphaned => counters.unknown.add(1),
            Delivery::Unknown(record) => {
                counters.unknown.add(1);
                if !self.consumer.orphans.is_empty() {
                    self.bury(&record);
                }
            }
        }
    }

    /// Adds a frame to the run of its stream; a terminal one is handed over at once.
    #[inline(always)]
    fn frame(&mut self, index: usize, slot: &Slot, mut record: Record) {
        let (shard, counters) = (self.shard, &self.shard.counters);
        if self.run.as_ref().is_some_and(|(_, run)| run.sid != record.sid || run.frames.is_full()) {
            self.hand_over();
        }
        let (_, run) = self.run.get_or_insert_with(|| (index, Run::new(record.sid)));
        let room = |cost| shard.ledger.has_room(shard.index, cost);
        if !record.reply.status().is_terminal() && !room(run.cost + record.frame_cost()) {
            record.reply = Reply::overflow(record.reply.status());
        }
        let (sid, terminal, ends) = (record.sid, record.reply.status().is_terminal(), record.reply.ends());
        counters.delivered.add(1);
        run.cost += record.frame_cost();
        // There is room: a full run was handed over above.
        let _ = run.frames.try_push(record.reply);
        if terminal && let Some((_, run)) = self.run.take() {
            shard.ledger.charge(shard.index, run.cost);
            slot.frames.push(run);
            match slot.end(sid, ends, shard.layout.generation_mask()) {
                Some(waker) => self.wakers.push(waker),
                None => self.arrived(index, sid),
            }
        }
    }

    /// Hands the frames that came last to their stream.
    #[inline]
    fn hand_over(&mut self) {
        let Some((index, run)) = self.run.take() else { return };
        let sid = run.sid;
        self.shard.ledger.charge(self.shard.index, run.cost);
        self.shard.slab.slots()[index].frames.push(run);
        self.arrived(index, sid);
    }

    /// Tells a stream's receiver; if it has given up, drops the frames that were handed over meanwhile. All that lie there
    /// are of that kind: what comes for a later stream of the slot is handed over after this.
    fn arrived(&mut self, index: usize, sid: u64) {
        let slot = &self.shard.slab.slots()[index];
        match slot.frames_arrived(sid, self.shard.layout.generation_mask()) {
            Some(waker) => self.wakers.push(waker),
            None => self.shard.discard(slot.frames.take()),
        }
    }

    /// Frees the state of a given-up call whose terminal result this is.
    #[cold]
    fn bury(&mut self, record: &Record) {
        let terminal = |kind| kind == Kind::Unary || record.reply.ends();
        let found = self.consumer.orphans.get(&record.sid).is_some_and(|(kind, _)| terminal(*kind));
        if let Some((kind, taken)) = found.then(|| self.consumer.orphans.remove(&record.sid)).flatten() {
            self.count_orphans(kind, 1u64.wrapping_neg());
            let left = self.shard.free_taken(self.shard.layout.slot(record.sid), taken);
            self.wakers.left.extend(left);
        }
    }

    /// Adds to the number of orphans, which only the consumer writes; `by` wraps.
    fn count_orphans(&self, kind: Kind, by: u64) {
        let orphans = &self.shard.orphans[kind as usize];
        // Ordering: Relaxed, both; the token orders one consumer after the other. A producer that reads a number that is too high
        // lets more marks pass.
        orphans.store(orphans.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    /// Does what callers left to the consumer.
    #[inline]
    fn chores(&mut self) {
        // A chore that is missed here is followed by a ring of the doorbell.
        if self.shard.has_chores() {
            self.do_chores();
        }
    }

    #[cold]
    fn do_chores(&mut self) {
        // Ordering: Acquire; pairs with the Release in `Shard::chore`: the chore is in the queue.
        self.shard.chores_wait.swap(false, Ordering::Acquire);
        let mut again = Vec::new();
        while let Some(chore) = self.shard.chores.pop() {
            match chore {
                Chore::Orphan { sid } => {
                    let slot = &self.shard.slab.slots()[self.shard.layout.slot(sid)];
                    if let Some(kind) = slot.orphan_waits_for() {
                        self.consumer.orphans.insert(sid, (kind, slot.entries.take()));
                        // `retire` follows with a Release, and a producer that sees its word sees this.
                        self.count_orphans(kind, 1);
                    }
                    slot.retire(self.shard.layout.generation_step());
                    self.wakers.left.extend(self.shard.free(slot, sid));
                }
                Chore::FreeEntries { slot, taken } => again.extend(self.free_unread(slot, taken)),
            }
        }
        if !again.is_empty() {
            // Ordering: Relaxed; for the next consumer, which the token orders after this one, and for who reads the list: the second look
            // passes it on (`state.rs`, 5).
            self.shard.chores_wait.store(true, Ordering::Relaxed);
            for (slot, taken) in again {
                if let Some((slot, taken)) = self.free_unread(slot, taken) {
                    self.shard.chores.push(Chore::FreeEntries { slot, taken });
                }
            }
        }
    }

    /// Has entries freed when the batch is over, unless somebody still reads them.
    fn free_unread(&mut self, slot: usize, taken: state::Taken) -> Option<(usize, state::Taken)> {
        if !self.shard.slab.slots()[slot].entries.is_unread() {
            return Some((slot, taken));
        }
        self.shard.ledger.release(self.shard.index, taken.cost());
        self.wakers.left.push(taken);
        None
    }
}
