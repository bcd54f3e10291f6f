//! One shard: a ring, an overflow queue, a slab, a doorbell, and the token that says who consumes.
//!
//! This file is the producers' and the callers' side; `consumer.rs` is the other.
//!
//! # Overflow
//!
//! A full ring neither blocks a producer nor loses a result. The record goes to an unbounded lock-free queue, and *spilled*
//! counts the records in it, before they are pushed and until they have been delivered.
//!
//! 1. While a producer sees `spilled > 0`, it stays with the queue. It sees its own records counted, so its later record
//!    never overtakes an earlier one through the ring.
//! 2. The consumer delivers a record from the queue only after every position of the ring that was claimed when it took the
//!    record: all that its producer had put into the ring before lies there.
//! 3. Every push into the queue is followed by a ring of the doorbell, so the consumer may sleep whenever it likes.
//! 4. The queue is bounded: it takes records up to half the ledger's limit (the other half is left to the streams' queues,
//!    into which it drains), and records of more than [`UNCHARGED`] bytes up to all of it. Past that it takes what ends a call,
//!    about once for each: a small result or terminal frame, the mark that ends a stream for its receiver. Of what is sent for
//!    sids that are not open it takes *marks*, without bytes, while any state waits for one of those; so many at a time (four
//!    for each slot and sixteen for each cell) that only a plugin that floods it with stale sids finds no room. Everything
//!    else is dropped at the door and counted.
//! 5. A stream that lost a frame at the door ends with an overflow, even if another producer ends it: who is refused because
//!    the mark is on its way sees it counted, so what it sends next stays behind it or becomes an overflow itself.
//!
//! Models in `loom-tests`: `shard::overflow_keeps_order`, `stream::a_lost_frame_is_never_hidden`.

use std::sync::Arc;

use crossbeam::utils::CachePadded;
use nylon_ring::NrStatus;

use crate::{
    bump::Bumps,
    consumer::{Chore, Consumer, Held, Then},
    deadlines::Deadlines,
    doorbell::{Doorbell, DoorbellKind},
    error::RuntimeError,
    fences,
    frames::{KeptFrames, Runs},
    inline_scope::{self, AnswerPlace, RawPlace, Scope},
    ledger::Ledger,
    metrics::Counters,
    region::Region,
    reply::{INLINE, QUEUED, Record, Reply, UNCHARGED},
    ring::{Cell, Published, Ring},
    seat::Kept,
    sid::SidLayout,
    slab::Slab,
    slot::{GivenUp, Kind, Past, Slot, Stage},
    state,
    sync::{AtomicBool, AtomicU64, Ordering, SegQueue, Tally, UnsafeCell},
    token::Token,
};

/// One shard of a runtime.
#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) index: usize,
    pub(crate) layout: SidLayout,
    pub(crate) ring: Ring<Record>,
    pub(crate) overflow: SegQueue<Record>,
    /// Records in `overflow`, or about to be. Written by producers and the consumer.
    pub(crate) spilled: CachePadded<AtomicU64>,
    pub(crate) token: Token,
    /// Touched only by who holds `token`.
    pub(crate) consumer: UnsafeCell<Consumer>,
    pub(crate) slab: Slab,
    pub(crate) kept: Kept,
    pub(crate) bumps: Bumps,
    pub(crate) deadlines: Deadlines,
    /// How many frames that were sent against credit a stream may have on their way.
    pub(crate) window: u64,
    pub(crate) doorbell: Arc<Doorbell>,
    pub(crate) chores: SegQueue<Chore>,
    /// How many orphans' state was put aside, by [`Kind`]. Written by the consumer, before it frees their slots.
    pub(crate) orphans: [AtomicU64; 2],
    /// Records without bytes in `overflow`. Written by producers and the consumer.
    pub(crate) marks: AtomicU64,
    /// A hint that `chores` is not empty. Followed by a ring of the doorbell: of who leaves a chore, or of the last reader of a
    /// list that was left for later (`state.rs`, 5).
    pub(crate) chores_wait: AtomicBool,
    /// Free slots that were taken off the list for good, after that.
    pub(crate) collected: Tally,
    /// Set once, when the runtime closes.
    pub(crate) closed: AtomicBool,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) counters: Counters,
}

// SAFETY: everything but `consumer` and the list in `kept` is shared by design; `consumer` belongs to whoever holds the token, and
// that list to the thread that sits (`seat.rs`, 1).
unsafe impl Sync for Shard {}
// SAFETY: no part of a shard is bound to a thread but the list in `kept`, which only its thread finds to be its own.
unsafe impl Send for Shard {}

impl Drop for Shard {
    /// What is left in the overflow queue goes with the shard; the counts must agree with it.
    fn drop(&mut self) {
        if cfg!(debug_assertions) && !std::thread::panicking() {
            // SAFETY: `&mut self` excludes everyone else.
            let stash = self.consumer.with_mut(|consumer| unsafe { (*consumer).stash.take() });
            let queued = std::iter::from_fn(|| self.overflow.pop());
            let left: Vec<Record> = stash.into_iter().map(|(record, _)| record).chain(queued).collect();
            let marks = left.iter().filter(|record| record.reply.is_overflow()).count() as u64;
            // Ordering: Relaxed, both; as above.
            let (spilled, counted) = (self.spilled.load(Ordering::Relaxed), self.marks.load(Ordering::Relaxed));
            debug_assert_eq!((spilled, counted), (left.len() as u64, marks), "records and marks in the overflow queue");
        }
    }
}

/// What a shard is made with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShardConfig {
    pub(crate) index: usize,
    pub(crate) layout: SidLayout,
    pub(crate) cells: usize,
    pub(crate) slots: u32,
    pub(crate) doorbell: DoorbellKind,
    /// The size of a stream's window, in frames.
    pub(crate) window: u64,
    /// Where the generations of the slots start.
    pub(crate) seed: u64,
}

/// The first generation of a slot: unpredictable from any other's, so that a sid with a flipped bit, or one that another
/// runtime gave out, does not happen to be open. (SplitMix64, G. Steele et al., 2014.)
pub(crate) fn first_generation(config: &ShardConfig, slot: usize) -> u64 {
    let mut z =
        config.seed.wrapping_add(((config.index as u64) << 32 | slot as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) & config.layout.generation_mask()
}

impl Shard {
    pub(crate) fn new(config: ShardConfig, ledger: Arc<Ledger>) -> Result<Self, RuntimeError> {
        Ok(Self {
            index: config.index,
            layout: config.layout,
            ring: Ring::new(Region::new(config.cells, |index| Cell::new(index, config.cells))?),
            overflow: SegQueue::new(),
            spilled: CachePadded::new(AtomicU64::new(0)),
            token: Token::new(),
            consumer: UnsafeCell::new(Consumer::default()),
            kept: Kept::new(config.slots),
            bumps: Bumps::new(),
            deadlines: Deadlines::default(),
            window: config.window,
            slab: Slab::new(config.slots, |slot| first_generation(&config, slot))?,
            doorbell: Arc::new(Doorbell::new(config.doorbell)?),
            chores: SegQueue::new(),
            orphans: [AtomicU64::new(0), AtomicU64::new(0)],
            marks: AtomicU64::new(0),
            chores_wait: AtomicBool::new(false),
            collected: Tally::new(),
            closed: AtomicBool::new(false),
            ledger,
            counters: Counters::new(),
        })
    }

    // --- producers ---

    /// Keeps one result or frame in the scope that was entered for its call, if it is as most are: a short answer that is the first, which
    /// is written into the caller's place, or a short frame that continues a run, which is written there. Says whether it is.
    /// Calls nobody, and does not panic.
    #[inline(always)]
    pub(crate) fn keep_short(&self, scope: &Scope, sid: u64, status: NrStatus, bytes: &[u8]) -> bool {
        let Some(slot) = scope.slot() else { return false };
        match scope.place() {
            RawPlace::Answer(place) => {
                let is_short = bytes.len() <= INLINE && self.is_first_answer(place, slot, sid);
                if is_short {
                    place.keep_short(status, bytes);
                }
                is_short
            }
            RawPlace::Frames(frames) => {
                // No other stream has the slot: a receiver lends it only while its own is open.
                // SAFETY: the reference is gone when `push_short` returns, which calls nobody back.
                let kept = unsafe { &mut *frames };
                status == NrStatus::Ok && self.may_keep(kept, slot) && kept.push_short(bytes)
            }
        }
    }

    /// Sends from the scope that was entered for its call what is not as most are.
    #[inline(never)]
    pub(crate) fn send_inline(&self, scope: &Scope, sid: u64, status: NrStatus, bytes: &[u8]) {
        if let RawPlace::Frames(frames) = scope.place()
            && self.keep_first(frames, sid, status, bytes)
        {
            return;
        }
        match Reply::short(status, bytes) {
            Some(reply) => self.send_from(Some(scope), Record { sid, reply }),
            None => self.send_long(Some(scope), sid, status, bytes),
        }
    }

    /// Sends one to whoever waits elsewhere. From any thread; never blocks, never takes a mutex. Out of line: what
    /// this needs, what is kept does not pay for.
    #[inline(never)]
    pub(crate) fn send_away(&self, sid: u64, status: NrStatus, bytes: &[u8]) {
        // SAFETY: not kept.
        let scope = unsafe { inline_scope::innermost(self) };
        if bytes.len() > INLINE {
            return self.send_long(scope, sid, status, bytes);
        }
        Self::note_passing(scope);
        self.push_short(sid, status, bytes);
    }

    /// Keeps a short frame that may begin a run; says whether it does.
    #[inline]
    fn keep_first(&self, frames: *mut KeptFrames, sid: u64, status: NrStatus, bytes: &[u8]) -> bool {
        // SAFETY: as in `keep_short`.
        let kept = unsafe { &mut *frames };
        let keeps = status == NrStatus::Ok
            && bytes.len() <= INLINE
            && self.may_keep(kept, &self.slab.slots()[self.layout.slot(sid)])
            && self.ledger.has_room(self.index, kept.uncharged + kept.next_run_cost());
        if keeps {
            self.begin_run(kept, sid);
            kept.push_short(bytes);
        }
        keeps
    }

    #[inline(never)]
    fn send_frame_record(&self, scope: &Scope, frames: *mut KeptFrames, record: Record) {
        let mut held = None;
        // SAFETY: the reference is gone when `keep_frame` returns, which calls nobody back.
        let passed_on = self.keep_frame(unsafe { &mut *frames }, record, &mut held);
        // This may ring, and so call back.
        drop(held);
        if let Some(record) = passed_on {
            self.pass_on(scope, record);
        }
    }

    /// Out of line: what is short is not to be built in a place that suits both.
    #[inline(never)]
    fn send_long(&self, scope: Option<&Scope>, sid: u64, status: NrStatus, bytes: &[u8]) {
        let stays_here = scope.is_some_and(|scope| scope.is_for(sid));
        self.send_from(scope, Record { sid, reply: self.copy_for(stays_here, status, bytes) });
    }

    /// A reply of these bytes, or one that stands for it when they do not fit.
    pub(crate) fn copy(&self, sid: u64, status: NrStatus, bytes: &[u8]) -> Reply {
        // SAFETY: not kept.
        let stays_here = unsafe { inline_scope::innermost(self) }.is_some_and(|scope| scope.is_for(sid));
        self.copy_for(stays_here, status, bytes)
    }

    /// The same, for the calling thread itself if it `stays_here`.
    #[inline(always)]
    fn copy_for(&self, stays_here: bool, status: NrStatus, bytes: &[u8]) -> Reply {
        let reply = if bytes.len() as u64 > UNCHARGED {
            self.copy_large(status, bytes)
        } else if stays_here {
            Reply::copy(status, bytes)
        } else {
            Reply::cut(&self.bumps, status, bytes)
        };
        reply.unwrap_or_else(|| Reply::overflow(status))
    }

    /// Sends a record that is charged what it costs in the ring.
    #[inline(always)]
    pub(crate) fn send_record(&self, record: Record) {
        // SAFETY: not kept.
        self.send_from(unsafe { inline_scope::innermost(self) }, record);
    }

    /// The same from this scope of the shard, if any.
    #[inline(always)]
    fn send_from(&self, scope: Option<&Scope>, record: Record) {
        match scope.filter(|scope| scope.is_for(record.sid)) {
            None => self.send_past(scope, record),
            Some(scope) => match scope.place() {
                RawPlace::Frames(frames) => self.send_frame_record(scope, frames, record),
                RawPlace::Answer(place) => self.answer_inline(scope, place, record),
            },
        }
    }

    /// Sends a record that this scope of the shard, if any, was not entered for.
    #[inline(always)]
    fn send_past(&self, scope: Option<&Scope>, record: Record) {
        Self::note_passing(scope);
        self.push(record);
    }

    /// Notes in this scope, if any, that the calling thread sends what it may be the one to wait for.
    #[inline(always)]
    fn note_passing(scope: Option<&Scope>) {
        if let Some(scope) = scope {
            scope.pass_on();
        }
    }

    /// Keeps what the calling thread itself waits for, if nothing can have come before it (`inline_scope.rs`).
    #[inline(always)]
    fn answer_inline(&self, scope: &Scope, place: AnswerPlace, record: Record) {
        if !place.is_empty() {
            self.uncharge(&record.reply);
            self.counters.duplicate_inline.add_shared(1);
        } else if scope.slot().is_some_and(|slot| self.is_first_answer(place, slot, record.sid)) {
            // It is the caller's already.
            self.uncharge(&record.reply);
            place.keep(record.reply);
        } else {
            self.pass_on(scope, record);
        }
    }

    /// Whether nothing can have come before an answer.
    #[inline(always)]
    fn is_first_answer(&self, place: AnswerPlace, slot: &Slot, sid: u64) -> bool {
        place.is_empty() && self.is_quiescent() && slot.kind(sid, self.mask()) == Some(Kind::Unary)
    }

    /// Gives back what a reply was charged for the ring: it is the caller's, or dropped.
    #[inline(always)]
    pub(crate) fn uncharge(&self, reply: &Reply) {
        let cost = reply.ring_cost();
        if cost != 0 {
            self.ledger.release(self.index, cost);
        }
    }

    /// Whether nothing can have come before a further frame.
    #[inline(always)]
    fn may_keep(&self, kept: &KeptFrames, slot: &Slot) -> bool {
        !kept.is_closed && self.is_quiescent() && slot.frames.is_empty()
    }

    /// Keeps a frame if nothing can have come before it and the limit allows it; returns one that is not kept. The token is left in `held` if it was taken.
    #[inline(never)]
    fn keep_frame<'a>(&'a self, kept: &mut KeptFrames, record: Record, held: &mut Option<Held<'a>>) -> Option<Record> {
        let slot = &self.slab.slots()[self.layout.slot(record.sid)];
        let cost = record.frame_cost() - QUEUED;
        let uncharged = cost - record.ring_cost();
        let limited = kept.uncharged + uncharged + kept.next_run_cost();
        let terminal = record.reply.status().is_terminal();
        kept.is_closed = !self.may_keep(kept, slot)
            || !self.ledger.has_room(self.index, limited)
            // It may end the stream for the receiver, and not for the plugin.
            || record.reply.is_overflow()
            || (terminal && !self.end_kept(slot, record.sid, held));
        if kept.is_closed {
            self.charge_kept(kept);
            return Some(record);
        }
        self.begin_run(kept, record.sid);
        kept.push(record.reply, cost, uncharged);
        kept.is_closed = terminal;
        None
    }

    /// Begins a run, if there is no room left in the latest, for a frame that follows at once.
    #[inline]
    fn begin_run(&self, kept: &mut KeptFrames, sid: u64) {
        if kept.next_run_cost() != 0 {
            self.charge_kept(kept);
            kept.begin_run(sid);
        }
    }

    /// Charges what was kept.
    pub(crate) fn charge_kept(&self, kept: &mut KeptFrames) {
        let uncharged = kept.take_uncharged();
        if uncharged != 0 {
            self.ledger.charge(self.index, uncharged);
        }
    }

    /// Whether every record that was sent before this has been delivered, and shows in its slot.
    #[inline(always)]
    pub(crate) fn is_quiescent(&self) -> bool {
        // Ordering: Acquire; pairs with the Release in `Drain::run`: what came from there shows in the slot.
        self.spilled.load(Ordering::Acquire) == 0 && self.ring.is_quiescent()
    }

    /// As [`send_past`](Self::send_past), out of line.
    #[inline(never)]
    fn pass_on(&self, scope: &Scope, record: Record) {
        self.send_past(Some(scope), record);
    }

    /// Sends an overflow in place of a result.
    #[cold]
    pub(crate) fn send_overflow(&self, sid: u64, status: NrStatus) {
        self.send_record(Record { sid, reply: Reply::overflow(status) });
    }

    #[inline(always)]
    fn push(&self, record: Record) {
        let pushed = if self.has_spilled() { Err(record) } else { self.ring.push(record) };
        match pushed {
            Ok(published) => self.tell(published),
            Err(record) => self.spill(record),
        }
    }

    /// The same with at most [`INLINE`] bytes, which are copied to where they travel.
    #[inline(always)]
    fn push_short(&self, sid: u64, status: NrStatus, bytes: &[u8]) {
        let write = |place: &mut _| Record::write_short(place, sid, status, bytes);
        // The sender's bytes are read when the cell is claimed already, and the consumer waits for it: they are few.
        // SAFETY: it initialises the place, and does not panic.
        let pushed = if self.has_spilled() { None } else { unsafe { self.ring.push_with(write) } };
        match pushed {
            Some(published) => self.tell(published),
            None => self.spill_short(sid, status, bytes),
        }
    }

    /// Whether a record has to queue up behind others that found the ring full.
    #[inline(always)]
    fn has_spilled(&self) -> bool {
        // Ordering: Relaxed; a producer must see its own records counted, which coherence gives (overflow, 1).
        self.spilled.load(Ordering::Relaxed) != 0
    }

    #[inline(always)]
    fn tell(&self, published: Published) {
        if published == Published::Awaited {
            self.wake_reactor();
        }
    }

    #[cold]
    fn spill_short(&self, sid: u64, status: NrStatus, bytes: &[u8]) {
        self.spill(Record { sid, reply: self.copy(sid, status, bytes) });
    }

    /// Copies a payload that is charged to the ledger. `None` when it does not fit, or memory is short.
    #[cold]
    fn copy_large(&self, status: NrStatus, bytes: &[u8]) -> Option<Reply> {
        let len = bytes.len() as u64;
        if !self.ledger.try_charge(self.index, len) {
            return None;
        }
        let reply = Reply::copy(status, bytes);
        if reply.is_none() {
            self.ledger.release(self.index, len);
        }
        reply
    }

    /// Rings, or leaves it to the scope this thread is in.
    #[cold]
    fn wake_reactor(&self) {
        // SAFETY: not kept.
        match unsafe { inline_scope::innermost(self) } {
            Some(scope) => scope.owe(),
            None => self.doorbell.ring(),
        }
    }

    /// Puts a record that found the ring full into the overflow queue.
    #[cold]
    fn spill(&self, mut record: Record) {
        let slot = self.slab.slots().get(self.layout.slot(record.sid));
        let awaited = slot.and_then(|slot| Some((slot, slot.awaits(record.sid, self.mask())?)));
        let Some((slot, kind)) = awaited else { return self.spill_unknown(record) };
        let ends = kind == Kind::Unary || record.reply.ends();
        let past = if ends { Past::End } else { Past::Frame };
        let fits = record.ring_cost() > 0
            || (!record.reply.is_overflow() && self.ledger.has_room_to_spill(self.index, record.spill_cost()));
        loop {
            if !fits && slot.has_passed(record.sid, past, self.mask()) {
                self.counters.overflowed_at_door.add_shared(1);
                return;
            }
            // Ordering: Relaxed; the count goes up before the push, for this producer's own later loads (overflow, 1), and before
            // another is refused on the strength of this one, for that one's (overflow, 5).
            self.spilled.fetch_add(1, Ordering::Relaxed);
            if fits || slot.pass_limit(record.sid, past, self.mask()) {
                break;
            }
            // Ordering: Relaxed; takes back what only this producer relied on.
            self.spilled.fetch_sub(1, Ordering::Relaxed);
        }
        if kind == Kind::Stream && (!(fits || ends) || slot.has_passed(record.sid, Past::Frame, self.mask())) {
            self.make_mark(&mut record);
        }
        self.queue(record);
    }

    /// A record that nobody waits for is dropped at the door, unless it may be the one that frees an orphan's state.
    fn spill_unknown(&self, mut record: Record) {
        self.make_mark(&mut record);
        // Ordering: Relaxed; whoever sees the slot of an orphan in its next generation sees the orphan counted (`awaits`).
        let [unary, streams] =
            [Kind::Unary, Kind::Stream].map(|kind| self.orphans[kind as usize].load(Ordering::Relaxed));
        let may_free = unary > 0 || (streams > 0 && record.reply.ends());
        // Open calls add at most two marks each; what rightful plugins send for calls that are over may come while the reactor waits for a
        // core.
        let room = 4 * self.slab.slots().len() as u64 + 16 * self.ring.capacity() + unary + streams;
        // Ordering: Relaxed; a number. Producers that look at the same moment may each just pass.
        if may_free && self.marks.load(Ordering::Relaxed) < room {
            // Ordering: Relaxed; as in `spill`.
            self.spilled.fetch_add(1, Ordering::Relaxed);
            return self.queue(record);
        }
        self.counters.unknown_at_door.add_shared(1);
    }

    /// Leaves nothing of a record but that it was there, and its status.
    fn make_mark(&self, record: &mut Record) {
        self.ledger.release(self.index, record.ring_cost());
        if !record.reply.is_overflow() {
            record.reply = Reply::overflow(record.reply.status());
        }
    }

    /// Charges a record, and puts it into the overflow queue, where it is counted already.
    fn queue(&self, record: Record) {
        self.ledger.charge(self.index, record.spill_cost() - record.ring_cost());
        if record.reply.is_overflow() {
            // Ordering: Relaxed; a number.
            self.marks.fetch_add(1, Ordering::Relaxed);
        }
        self.overflow.push(record);
        self.doorbell.ring();
    }

    /// Drops frames that nobody takes any more.
    #[cold]
    pub(crate) fn discard(&self, mut runs: Runs) {
        while let Some(run) = runs.first() {
            self.ledger.release(self.index, run.cost);
            self.counters.abandoned.add_shared(run.left());
            runs.drop_first();
        }
    }

    pub(crate) fn mask(&self) -> u64 {
        self.layout.generation_mask()
    }

    // --- callers ---

    /// Opens a slot; returns it and its sid.
    #[inline(always)]
    pub(crate) fn open(&self, kind: Kind) -> Result<(&Slot, u64), RuntimeError> {
        let popped = match self.pop_kept() {
            None => self.pop_listed(),
            kept => kept,
        };
        let (slot, index) = popped.ok_or_else(|| self.none_free())?;
        let generation = slot.open(kind);
        Ok((slot, self.layout.sid(generation, self.index, index)))
    }

    /// Takes a slot that was kept for this thread, and unmarks it, so that a call of it counts; keeps it if no call is opened any more.
    #[inline(always)]
    fn pop_kept(&self) -> Option<(&Slot, usize)> {
        let (slot, index) = self.kept.pop(self.slab.slots())?;
        slot.set_stage(Stage::HandingOver);
        fences::light();
        if self.slab.is_stopped() {
            self.keep_again(slot, index);
            return None;
        }
        Some((slot, index))
    }

    #[cold]
    fn keep_again(&self, slot: &Slot, index: usize) {
        slot.set_stage(Stage::Kept);
        // It was there just now, so there is room.
        self.kept.push(slot, index);
    }

    /// Takes a slot off the free list. Out of line: who has a slot kept needs no registers for this.
    #[inline(never)]
    fn pop_listed(&self) -> Option<(&Slot, usize)> {
        self.slab.pop().or_else(|| self.pop_after_chores())
    }

    /// Slots may wait for a consumer that nobody drives.
    #[cold]
    fn pop_after_chores(&self) -> Option<(&Slot, usize)> {
        if !self.has_chores() {
            return None;
        }
        let _ = self.try_batch(Then::LetGo)?;
        // What it freed may be kept for this thread.
        self.pop_kept().or_else(|| self.slab.pop())
    }

    #[cold]
    fn none_free(&self) -> RuntimeError {
        if self.slab.is_stopped() {
            RuntimeError::Closed
        } else {
            RuntimeError::Full { limit: self.slab.slots().len() as u64 }
        }
    }

    /// Frees an answered slot: `DONE`, its result taken, or `ENDED`. Returns what is to be dropped, as [`free`](Self::free).
    #[inline(always)]
    pub(crate) fn free_answered(&self, slot: &Slot, sid: u64) -> Option<state::Taken> {
        slot.retire(self.layout.generation_step());
        self.free(slot, sid)
    }

    /// Frees a slot that is not open any more. `sid` is any that the slot had. Returns what was left with the call, for the caller
    /// to drop where it holds no token (`state.rs`, 4).
    #[inline(always)]
    pub(crate) fn free(&self, slot: &Slot, sid: u64) -> Option<state::Taken> {
        let index = self.layout.slot(sid);
        if !slot.entries.is_empty() {
            return self.free_with_entries(slot, index);
        }
        self.keep_or_list(slot, index);
        None
    }

    #[inline(always)]
    fn keep_or_list(&self, slot: &Slot, index: usize) {
        if self.kept.push(slot, index) {
            slot.set_stage(Stage::Kept);
        } else {
            self.list(slot, index);
        }
    }

    /// Puts a free slot back on the free list.
    #[inline]
    pub(crate) fn list(&self, slot: &Slot, index: usize) {
        slot.set_stage(Stage::HandingOver);
        self.slab.push(slot, index);
    }

    #[cold]
    fn free_with_entries(&self, slot: &Slot, index: usize) -> Option<state::Taken> {
        let taken = slot.entries.take();
        let left = self.free_taken(index, taken);
        self.keep_or_list(slot, index);
        left
    }

    /// Returns a list of entries that nobody reads, for the caller to drop where it holds no token (`state.rs`, 4); one that is read
    /// is left to the consumer.
    pub(crate) fn free_taken(&self, index: usize, taken: state::Taken) -> Option<state::Taken> {
        if self.slab.slots()[index].entries.is_unread() {
            self.ledger.release(self.index, taken.cost());
            return Some(taken);
        }
        self.chore(Chore::FreeEntries { slot: index, taken });
        None
    }

    /// Gives up a call, if it is still open. With `keep_leased`, pointers into the state that the plugin holds stay valid
    /// until its terminal result. The slot stays the caller's, until [`release_slot`](Self::release_slot).
    #[inline(always)]
    pub(crate) fn give_up(&self, slot: &Slot, keep_leased: bool) -> GivenUp {
        slot.give_up(self.layout.generation_step(), keep_leased)
    }

    /// Frees the slot of a call that was given up, at once or as soon as the consumer has put its state aside.
    #[inline(always)]
    pub(crate) fn release_slot(&self, slot: &Slot, sid: u64, outcome: GivenUp) {
        match outcome {
            GivenUp::Free => drop(self.free(slot, sid)),
            GivenUp::Late => drop(self.free_answered(slot, sid)),
            GivenUp::Orphan => self.chore(Chore::Orphan { sid }),
        }
    }

    /// Takes every free slot off the list, for good, so that no call is opened any more; returns how many are still in flight.
    pub(crate) fn collect(&self) -> u64 {
        let slots = self.slab.slots();
        for index in self.slab.stop() {
            slots[index].set_stage(Stage::HandedOver);
            self.collected.add(1);
        }
        // Without the fence, any slot that is kept may be open.
        let idle = |slot: &&Slot| slot.is_at(Stage::Kept);
        let kept = if fences::heavy() { slots.iter().filter(idle).count() } else { 0 };
        (slots.len() - kept) as u64 - self.collected.get()
    }

    /// Whether the consumer has work of that kind, or may have.
    pub(crate) fn has_chores(&self) -> bool {
        // Ordering: Relaxed; a hint, unless the caller has acquired what the consumer marked (`state.rs`, 5).
        self.chores_wait.load(Ordering::Relaxed)
    }

    /// Leaves work to the consumer.
    #[cold]
    fn chore(&self, chore: Chore) {
        self.chores.push(chore);
        // Ordering: Release; pairs with the swap in `Drain::do_chores`. The doorbell makes sure that somebody looks. An exchange like
        // that one, for loom, which does not know that a store cannot come between an exchange and what it read.
        self.chores_wait.swap(true, Ordering::Release);
        self.doorbell.ring();
    }
}
