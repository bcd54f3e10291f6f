//! One slot: the place where one call in flight waits for its result.
//!
//! # The state word
//!
//! The upper bits are the slot's *generation*, at the very bits where a sid has it; below are phase and flags. A sid is
//! open exactly when its generation bits equal the word's and the phase is `UNARY` or `STREAM`.
//!
//! | phase | the slot | leaves it |
//! | --- | --- | --- |
//! | `FREE` | on the free list, kept by a seat, taken from there by an opener, or on its way there by who closed the call | opener: store `UNARY` or `STREAM` |
//! | `UNARY` | open, waits for one result | consumer: `DONE`; caller gives up: `FREE` or `ORPHAN_UNARY` |
//! | `STREAM` | open, frames go to `frames` | consumer: `ENDED`; caller gives up: `FREE` or `ORPHAN_STREAM` |
//! | `DONE` | the result lies in `result` | caller: takes it, next generation, `FREE` |
//! | `ENDED` | the terminal frame lies in `frames` | caller: next generation, `FREE`, or `ORPHAN_STREAM` if `LEASED` |
//! | `ORPHAN_UNARY`, `ORPHAN_STREAM` | given up while the plugin holds pointers into its state | consumer: `ORPHAN_ANSWERED`, or puts the state aside and `FREE` |
//! | `ORPHAN_ANSWERED` | the same, and the terminal result has come | consumer: frees the state, `FREE` |
//!
//! Flags: `LEASED`, the plugin was given a pointer into the state (set while open; it outlives `ENDED` when an overflow ended
//! the stream, which the plugin does not know); `PARKED`, the caller sleeps, and its waker lies in `waker` (set while open, and gone
//! with that).
//!
//! # Who may touch what
//!
//! | field | `FREE` | `UNARY`, `STREAM` | `DONE`, `ENDED` |
//! | --- | --- | --- | --- |
//! | `next` | the free list, or the seat that keeps the slot | nobody | nobody |
//! | `result` | nobody, but for a caller that finds a second one there when it closes the call | consumer | caller |
//! | `frames` | nobody | consumer pushes, caller takes | caller |
//! | `waker` | nobody | caller, or whoever takes `PARKED` off (4) | nobody |
//! | `entries`, `readers` | see `state.rs` | | |
//!
//! 1. The consumer writes `result` while the slot is open, *before* its compare-exchange to `DONE`. If that fails because
//!    the caller gave up, the consumer moves the value out again: nobody looks into `result` unless the phase is `DONE`, and
//!    no later generation gets there but by the same consumer.
//! 2. Cancelling changes the generation, so every late result misses.
//! 3. No missed wake-up: the caller leaves its waker and sets `PARKED` by a read-modify-write of the word that the
//!    consumer's compare-exchange changes. One comes first: the caller finds the result, or the consumer finds `PARKED`, and with it
//!    the waker.
//! 4. A waker has one owner. As long as a call has `PARKED` set, its waker stays what it is; only who holds the consumer token may change
//!    it, or take the flag off and leave the call open. So whoever has acquired a word with `PARKED`, has read the waker, and takes
//!    the flag off by an exchange of that very word, has read one whole waker, and it is his: the consumer, a caller that closes its call,
//!    a runtime that closes. Whoever fails forgets what he has read, which may be parts of two wakers.
//! 5. Any thread may guess a sid, so that nothing but the state word orders it after the slot's opener.
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | open | an empty slot, from its opener to the consumer | `slab::reuse_against_late_result` |
//! | complete | the result, from the consumer to the caller | `slab::complete_against_park` |
//! | park | the waker, from the caller to whoever takes `PARKED` off | `slab::complete_against_park` |

use std::{mem::MaybeUninit, task::Waker};

use crate::{
    frames::Frames,
    reply::{Record, Reply},
    sid::STATE_BITS,
    state::Entries,
    sync::{AtomicU8, AtomicU32, AtomicU64, Ordering, Tally, UnsafeCell},
    waker_cell::{WakerCell, Words},
};

/// Phases, in the low three bits of the state word.
const FREE: u64 = 0;
const UNARY: u64 = 1;
const STREAM: u64 = 2;
const DONE: u64 = 3;
const ENDED: u64 = 4;
const ORPHAN_UNARY: u64 = 5;
const ORPHAN_STREAM: u64 = 6;
const ORPHAN_ANSWERED: u64 = 7;
const PHASE: u64 = 7;
/// Flags above the phase.
const LEASED: u64 = 8;
const PARKED: u64 = 16;
const _: () = assert!((PHASE | LEASED | PARKED) == (1 << STATE_BITS) - 1);

/// The generation bits of a state word.
#[inline(always)]
fn bare(state: u64) -> u64 {
    state & !(PHASE | LEASED | PARKED)
}

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Exactly one result.
    Unary,
    /// Any number of frames and a terminal one.
    Stream,
}

/// How far a slot is, for whoever stops the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Stage {
    /// On the free list, or a call of it may yet be handed to a plugin.
    HandingOver,
    /// Its call was handed over; or it was taken off the free list for good.
    HandedOver,
    /// Free, and kept for a thread that has a seat (`seat.rs`).
    Kept,
}

/// A record that may be queued although the limit is reached: about one of each a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Past {
    /// The first frame that did not fit: it ends the stream for its receiver.
    Frame = 1,
    /// The one that ends the call for its plugin.
    End = 2,
}

/// One place for a call in flight.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Slot {
    // The first cache line has all that a call touches whose answer is given by its own thread.
    /// Generation, phase and flags; see the table above.
    state: AtomicU64,
    /// How many results of this slot's calls their own thread kept. Written by the caller that has the slot.
    pub(crate) answered_inline: Tally,
    /// What `set_state` stored for the call that is open.
    pub(crate) entries: Entries,
    /// The next free slot, one-based, while this one is on the free list, or kept by a seat.
    pub(crate) next: AtomicU32,
    /// A [`Stage`]. Written by the slot's owner; a stale `HandingOver` is legal.
    stage: AtomicU8,
    /// That of a caller that sleeps: `PARKED`.
    waker: WakerCell,
    result: UnsafeCell<MaybeUninit<Reply>>,
    /// Frames on their way to the stream's receiver.
    pub(crate) frames: Frames,
    /// Which records of a call have passed the limit: generation bits, and a flag for each `Past`. Written by producers that
    /// found ring and ledger full.
    past_limit: AtomicU64,
}

// SAFETY: the cells are ordered by the state word; the table above says who may touch them when.
unsafe impl Send for Slot {}
// SAFETY: as above.
unsafe impl Sync for Slot {}

/// What the consumer found when it delivered a record.
#[derive(Debug)]
#[must_use = "the record may have to be counted as dropped"]
pub(crate) enum Delivery {
    /// Delivered; wake the caller, if it sleeps.
    Done(Option<Waker>),
    /// A frame for the stream that is open here: hand it over.
    Frame(Record),
    /// The call has its one result already.
    Duplicate,
    /// The stream has ended already.
    AfterEnd,
    /// The sid is not open: stale, forged, or given up.
    Unknown(Record),
    /// The call was given up, and its state not yet put aside; the slot has noted it if this was the terminal result.
    Orphaned,
}

/// Whether a caller sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "who does not sleep is not woken"]
pub(crate) enum Park {
    /// It does, and its waker is woken by what comes.
    Parked,
    /// It does, but another waker is woken.
    WithAnother,
    /// It does not: the answer has arrived.
    Answered,
}

/// How giving up ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "who gives up frees the slot, or hands it over"]
pub(crate) enum GivenUp {
    /// The slot is the caller's: it frees it.
    Free,
    /// A result had arrived: the slot is the caller's, with the result in it.
    Late,
    /// The plugin holds pointers into the state: the consumer frees the slot.
    Orphan,
}

impl Slot {
    pub(crate) fn new(generation: u64) -> Self {
        Self {
            state: AtomicU64::new(generation | FREE),
            answered_inline: Tally::new(),
            entries: Entries::new(),
            next: AtomicU32::new(0),
            stage: AtomicU8::new(Stage::HandingOver as u8),
            waker: WakerCell::new(),
            result: UnsafeCell::new(MaybeUninit::uninit()),
            frames: Frames::new(),
            past_limit: AtomicU64::new(generation),
        }
    }

    /// Opens the slot; returns its generation bits. Only for who popped it from the free list, or kept it.
    #[inline]
    pub(crate) fn open(&self, kind: Kind) -> u64 {
        // Ordering: Relaxed; the slot is ours since the free list's Acquire, or this thread freed it itself.
        let generation = self.state.load(Ordering::Relaxed);
        let phase = match kind {
            Kind::Unary => UNARY,
            Kind::Stream => STREAM,
        };
        // Ordering: Release; [open], pairs with the Acquire in `deliver`.
        self.state.store(generation | phase, Ordering::Release);
        generation
    }

    /// Delivers a record whose slot this is. `mask` selects the generation bits.
    ///
    /// # Safety
    ///
    /// The caller holds the shard's consumer token.
    #[inline(always)]
    pub(crate) unsafe fn deliver(&self, record: Record, mask: u64) -> Delivery {
        // Ordering: Acquire; pairs with [open], and with the free list's Release of whoever had the slot before.
        let state = self.state.load(Ordering::Acquire);
        if (state ^ record.sid) & mask != 0 {
            return Delivery::Unknown(record);
        }
        match state & PHASE {
            // SAFETY: the caller is the consumer.
            UNARY => unsafe { self.complete(state, record, mask) },
            STREAM => Delivery::Frame(record),
            DONE => Delivery::Duplicate,
            // SAFETY: the caller is the consumer.
            ENDED if state & LEASED != 0 => unsafe { self.after_overflow(state, record, mask) },
            ENDED => Delivery::AfterEnd,
            ORPHAN_UNARY => self.orphan_answered(state, true),
            ORPHAN_STREAM => self.orphan_answered(state, record.reply.ends()),
            ORPHAN_ANSWERED => Delivery::Orphaned,
            _ => Delivery::Unknown(record),
        }
    }

    /// `UNARY` to `DONE`.
    ///
    /// # Safety
    ///
    /// The caller holds the consumer token, and has seen the phase `UNARY` in `state`.
    #[inline(always)]
    unsafe fn complete(&self, state: u64, record: Record, mask: u64) -> Delivery {
        let sid = record.sid;
        self.result.with_mut(|result| {
            // SAFETY: invariant 1: while the slot is open, `result` is the consumer's, and empty.
            unsafe { (*result).write(record.reply) };
        });
        match self.close_open(state, DONE, 0) {
            Some(waker) => Delivery::Done(waker),
            None => {
                let reply = self.result.with(|result| {
                    // SAFETY: invariant 1: nobody else touches it.
                    let result = unsafe { result.read() };
                    // SAFETY: written above, and not moved out since.
                    unsafe { result.assume_init() }
                });
                // The caller gave up meanwhile, for good: the word says what that makes of the record.
                // SAFETY: the caller is the consumer.
                unsafe { self.deliver(Record { sid, reply }, mask) }
            }
        }
    }

    /// `STREAM` to `ENDED`, after the terminal frame of `sid` was handed over; returns the waker of a receiver that sleeps,
    /// or `None` if the receiver gave up, or has found the terminal frame already. `ends` says that the plugin sent that frame.
    /// Only for the consumer.
    pub(crate) fn end(&self, sid: u64, ends: bool, mask: u64) -> Option<Option<Waker>> {
        // Ordering: Acquire; as `close_open` wants it.
        let state = self.state.load(Ordering::Acquire);
        if (state ^ sid) & mask == 0 && state & PHASE == STREAM {
            // What the plugin holds stays valid until it ends the stream itself.
            let ended = self.close_open(state, ENDED, if ends { 0 } else { LEASED });
            if ended.is_some() {
                return ended;
            }
        }
        // Ordering: Relaxed; a store follows, to a word that is the consumer's.
        let state = self.state.load(Ordering::Relaxed);
        if ends && (state ^ sid) & mask == 0 && state & PHASE == ORPHAN_STREAM {
            let _ = self.orphan_answered(state, true);
        }
        None
    }

    /// A record for a stream that was ended by an overflow while its plugin holds pointers into the state.
    ///
    /// # Safety
    ///
    /// The caller holds the consumer token, and has seen `ENDED` and `LEASED` in `state`.
    #[cold]
    unsafe fn after_overflow(&self, state: u64, record: Record, mask: u64) -> Delivery {
        if record.reply.ends() {
            // Ordering: Release; what the plugin read of the state comes before a receiver that gives up frees it: that one finds
            // the mark gone, or this fails. Relaxed on failure: `deliver` acquires.
            let exchange = self.state.compare_exchange(state, state & !LEASED, Ordering::Release, Ordering::Relaxed);
            if exchange.is_err() {
                // SAFETY: the caller is the consumer.
                return unsafe { self.deliver(record, mask) };
            }
        }
        Delivery::AfterEnd
    }

    /// Notes the terminal result of a call whose state is still to be put aside. In the orphan phases only the consumer
    /// touches the word.
    #[cold]
    fn orphan_answered(&self, state: u64, terminal: bool) -> Delivery {
        if terminal {
            // Ordering: Relaxed; for the consumer itself, or the next one, which the token orders after it.
            self.state.store(state & !PHASE | ORPHAN_ANSWERED, Ordering::Relaxed);
        }
        Delivery::Orphaned
    }

    /// Which terminal result an orphaned call still waits for; `None` if it has come. Only for the consumer.
    pub(crate) fn orphan_waits_for(&self) -> Option<Kind> {
        // Ordering: Relaxed; whoever gave up left a chore, whose queue orders this after it.
        match self.state.load(Ordering::Relaxed) & PHASE {
            ORPHAN_UNARY => Some(Kind::Unary),
            ORPHAN_STREAM => Some(Kind::Stream),
            _ => None,
        }
    }

    /// Takes the word from an open phase to `phase`, whatever flags come and go meanwhile, and keeps the flags in `keep`. `None` if the caller gave up;
    /// otherwise the waker of a caller that sleeps. Only for the consumer, who has acquired the word as `state`.
    #[inline]
    fn close_open(&self, mut state: u64, phase: u64, keep: u64) -> Option<Option<Waker>> {
        let open = state & !(LEASED | PARKED);
        loop {
            let closed = (open & !PHASE) | phase | (state & keep);
            let waker = self.parked_waker(state);
            // Ordering: Release; [complete] passes the result on. Acquire on failure: the caller may have parked ([park]).
            match self.state.compare_exchange(state, closed, Ordering::Release, Ordering::Acquire) {
                // SAFETY: the exchange took off the flag that `state` has.
                Ok(_) => return Some(waker.map(|words| unsafe { words.into_waker() })),
                Err(now) if now & !(LEASED | PARKED) == open => state = now,
                Err(_) => return None,
            }
        }
    }

    /// After frames of `sid` were handed over: the waker of a receiver that sleeps, or `None` if the receiver has given up, so that
    /// nobody takes them. Call it before anything is handed over for another sid.
    #[inline]
    pub(crate) fn frames_arrived(&self, sid: u64, mask: u64) -> Option<Option<Waker>> {
        // Ordering: Acquire, here and on failure; pairs with [park].
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            if (state ^ sid) & mask != 0 || state & PHASE != STREAM {
                return None;
            }
            let waker = self.parked_waker(state);
            // Ordering: Release; passes the frames on to a receiver that parks after this, or gives up ([complete]). An exchange
            // even where nothing changes: one of both comes first.
            match self.state.compare_exchange(state, state & !PARKED, Ordering::Release, Ordering::Acquire) {
                // SAFETY: as in `close_open`.
                Ok(_) => return Some(waker.map(|words| unsafe { words.into_waker() })),
                Err(now) => state = now,
            }
        }
    }

    /// Whether the result, or the terminal frame, has arrived. Only for the caller that opened the slot.
    #[inline]
    pub(crate) fn is_answered(&self) -> bool {
        // Ordering: Acquire; pairs with [complete].
        matches!(self.state.load(Ordering::Acquire) & PHASE, DONE | ENDED)
    }

    /// Leaves the caller's waker here, for the next that comes to take. Frames that came before are to be looked for after this. Only
    /// for the caller that opened the slot.
    #[inline]
    pub(crate) fn park(&self, waker: &Waker) -> Park {
        // Ordering: Acquire; who took the flag off has read the waker that was here, before another is left.
        let mut state = self.state.load(Ordering::Acquire);
        if state & PARKED != 0 {
            return if self.waker.will_wake(waker) { Park::Parked } else { Park::WithAnother };
        }
        self.waker.put(waker.clone());
        while matches!(state & PHASE, UNARY | STREAM) {
            // Ordering: Release; [park] passes the waker on. Acquire; pairs with `frames_arrived`. And SeqCst: `is_closing` is looked at
            // after this, and whoever closes looks at this after setting it, so that one sees the other. Relaxed on failure: nothing
            // but the word is looked at before it is acquired.
            match self.state.compare_exchange(state, state | PARKED, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return Park::Parked,
                Err(now) => state = now,
            }
        }
        // SAFETY: left here above, and never offered to anybody.
        drop(unsafe { self.waker.read().into_waker() });
        Park::Answered
    }

    /// Leaves another waker in the place of the one that its caller sleeps with, which is returned; or `waker` itself, if it sleeps no
    /// more.
    ///
    /// # Safety
    ///
    /// The caller is the one that opened the slot, and holds the consumer token.
    #[cold]
    pub(crate) unsafe fn exchange_waker(&self, waker: Waker) -> Result<Waker, Waker> {
        // Ordering: Relaxed; the token orders this after whoever took the flag off.
        if self.state.load(Ordering::Relaxed) & PARKED == 0 {
            return Err(waker);
        }
        // SAFETY: parked, and whoever else may take the waker needs the token for it.
        let before = unsafe { self.waker.read().into_waker() };
        self.waker.put(waker);
        Ok(before)
    }

    /// What may be the waker of a caller that sleeps, if `state` says that one does. It is that waker, and his who takes the flag off by
    /// an exchange of the same `state`, which must have been acquired (4).
    #[inline]
    fn parked_waker(&self, state: u64) -> Option<Words> {
        (state & PARKED != 0).then(|| self.waker.read())
    }

    /// Whether the caller has parked, and nothing has come since. Only for the caller.
    pub(crate) fn is_parked(&self) -> bool {
        // Ordering: Relaxed; the caller set the flag itself.
        self.state.load(Ordering::Relaxed) & PARKED != 0
    }

    /// Takes the waker of a caller that sleeps, so that it looks around: a runtime that closes calls this, when the slot can be opened no
    /// more.
    ///
    /// # Safety
    ///
    /// The caller holds the consumer token.
    pub(crate) unsafe fn disturb(&self) -> Option<Waker> {
        // Ordering: SeqCst; as in `park`. It acquires, too ([park]), and so does a failure.
        let mut state = self.state.load(Ordering::SeqCst);
        while let Some(words) = self.parked_waker(state) {
            // Ordering: Release; the waker was read before the caller leaves another. Relaxed on failure: the call was leased, or is
            // over, and then nobody comes to sleep here again, for none is opened any more.
            match self.state.compare_exchange(state, state & !PARKED, Ordering::Release, Ordering::Relaxed) {
                // SAFETY: as in `close_open`.
                Ok(_) => return Some(unsafe { words.into_waker() }),
                Err(now) => state = now,
            }
        }
        None
    }

    /// Moves the result out.
    ///
    /// # Safety
    ///
    /// The caller opened the slot, has seen [`is_answered`](Self::is_answered) for a unary call, and calls this once.
    #[inline]
    pub(crate) unsafe fn take_result(&self) -> Reply {
        self.result.with(|result| {
            // SAFETY: in `DONE` the result is the caller's.
            let result = unsafe { result.read() };
            // SAFETY: in `DONE` the result is initialised, and by the contract it is not moved out before.
            unsafe { result.assume_init() }
        })
    }

    /// Ends the open phase for a caller that gives up. Only for the caller that opened the slot, once. With
    /// `keep_leased`, a slot whose plugin holds pointers into the state goes to the consumer.
    #[inline(always)]
    pub(crate) fn give_up(&self, step: u64, keep_leased: bool) -> GivenUp {
        // Ordering: Acquire; pairs with [complete].
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            let (to, outcome) = match state & PHASE {
                UNARY if keep_leased && state & LEASED != 0 => (bare(state) | ORPHAN_UNARY, GivenUp::Orphan),
                STREAM if keep_leased && state & LEASED != 0 => (bare(state) | ORPHAN_STREAM, GivenUp::Orphan),
                ENDED if keep_leased && state & LEASED != 0 => (bare(state) | ORPHAN_STREAM, GivenUp::Orphan),
                UNARY | STREAM => (bare(state).wrapping_add(step) | FREE, GivenUp::Free),
                _ => return GivenUp::Late,
            };
            // Ordering: Acquire; the frames that were handed over before this are visible to who takes what is left, even if the
            // word is the same as before ([complete]); on failure the result may have arrived.
            match self.state.compare_exchange(state, to, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => {
                    if let Some(words) = self.parked_waker(state) {
                        // SAFETY: as in `close_open`.
                        drop(unsafe { words.into_waker() });
                    }
                    return outcome;
                }
                Err(now) => state = now,
            }
        }
    }

    /// Closes a unary call whose caller has the answer already: the slot is the caller's, and in the generation `next`. Returns a second
    /// result, if one has arrived. Only for the caller that opened the slot, once.
    #[inline(always)]
    pub(crate) fn close_answered(&self, next: u64) -> Option<Reply> {
        // Ordering: Acquire; pairs with [complete]. An exchange whatever the word is: a consumer that completes the call was first, and
        // has left a result, or fails and takes its own back (1).
        let state = self.state.swap(next | FREE, Ordering::Acquire);
        if state & (PHASE | PARKED) == UNARY { None } else { self.closed_late(state) }
    }

    /// The same for a call that has parked, or has been answered, as its last word says.
    #[cold]
    fn closed_late(&self, state: u64) -> Option<Reply> {
        if let Some(words) = self.parked_waker(state) {
            // SAFETY: as in `close_open`.
            drop(unsafe { words.into_waker() });
            return None;
        }
        // SAFETY: the phase was `DONE`, so the result is the caller's, who has not taken it; and the consumer writes none before the caller
        // has freed the slot, and somebody has opened it.
        Some(unsafe { self.take_result() })
    }

    /// Takes a slot that is not open any more to the next generation. Only for its owner: the caller in `DONE` and
    /// `ENDED`, the consumer in the orphan phases; the free list's Release follows.
    #[inline(always)]
    pub(crate) fn retire(&self, step: u64) {
        // Ordering: Relaxed; the word is ours. A late consumer that reads the old one finds no open phase either.
        let state = self.state.load(Ordering::Relaxed);
        // Ordering: Release; a producer that finds the word changed sees an orphan counted (`awaits`).
        self.state.store(bare(state).wrapping_add(step) | FREE, Ordering::Release);
    }

    /// What the open call `sid` asks for; `None` if it is not open here.
    pub(crate) fn kind(&self, sid: u64, mask: u64) -> Option<Kind> {
        // Ordering: Relaxed; whoever must see the word changed has acquired that from elsewhere (`state.rs`, 1; `inline_scope.rs`, 1;
        // `deadlines.rs`).
        let state = self.state.load(Ordering::Relaxed);
        match state & PHASE {
            _ if (state ^ sid) & mask != 0 => None,
            UNARY => Some(Kind::Unary),
            STREAM => Some(Kind::Stream),
            _ => None,
        }
    }

    /// Whether a record for `sid` may change anything here: it is open, or its plugin holds pointers into the state.
    pub(crate) fn awaits(&self, sid: u64, mask: u64) -> Option<Kind> {
        // Ordering: Acquire; pairs with the Release in `retire`.
        let state = self.state.load(Ordering::Acquire);
        match state & PHASE {
            _ if (state ^ sid) & mask != 0 => None,
            UNARY | ORPHAN_UNARY => Some(Kind::Unary),
            STREAM | ORPHAN_STREAM => Some(Kind::Stream),
            ENDED if state & LEASED != 0 => Some(Kind::Stream),
            _ => None,
        }
    }

    /// Marks the open call `sid` as one whose plugin holds pointers into its state; false if it is not open any more.
    pub(crate) fn lease(&self, sid: u64, mask: u64) -> bool {
        // Ordering: Relaxed, here and below; giving up is an exchange of the same word: it finds the mark, or this fails.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            if (state ^ sid) & mask != 0 || !matches!(state & PHASE, UNARY | STREAM) {
                return false;
            }
            if state & LEASED != 0 {
                return true;
            }
            match self.state.compare_exchange(state, state | LEASED, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
    }

    /// As [`lease`](Self::lease), for a thread that has added a watch to the call: if it is still open, whoever gives it up finds
    /// the watch (`watch.rs`, 1).
    pub(crate) fn announce(&self, sid: u64, mask: u64) -> bool {
        // Ordering: Relaxed, here and on failure; the exchange counts.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            if (state ^ sid) & mask != 0 || !matches!(state & PHASE, UNARY | STREAM) {
                return false;
            }
            // Ordering: Release; pairs with the Acquire in `give_up`: the watch is in the list. An exchange even where nothing changes.
            match self.state.compare_exchange(state, state | LEASED, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
    }

    /// Notes that such a record of the open call `sid` passes the limit; false if one did before. (A producer that is late may
    /// bring an earlier generation back, and its flags to nothing: then one more may pass.)
    #[cold]
    pub(crate) fn pass_limit(&self, sid: u64, record: Past, mask: u64) -> bool {
        // Ordering: Relaxed, here and on failure; the exchange counts.
        let mut now = self.past_limit.load(Ordering::Relaxed);
        loop {
            let passed = if (now ^ sid) & mask == 0 { now } else { sid & mask };
            if passed & record as u64 != 0 {
                return false;
            }
            let to = passed | record as u64;
            // Ordering: Release; pairs with the Acquire in `has_passed`: the record is counted as spilled.
            match self.past_limit.compare_exchange_weak(now, to, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(other) => now = other,
            }
        }
    }

    /// Whether such a record of the open call `sid` has passed the limit.
    #[cold]
    pub(crate) fn has_passed(&self, sid: u64, record: Past, mask: u64) -> bool {
        // Ordering: Acquire; pairs with `pass_limit`: whoever is refused sees the one that passed counted (overflow, 5).
        let now = self.past_limit.load(Ordering::Acquire);
        (now ^ sid) & mask == 0 && now & record as u64 != 0
    }

    /// Says how far the slot's owner is.
    #[inline]
    pub(crate) fn set_stage(&self, stage: Stage) {
        // Ordering: Release; pairs with the Acquire in `is_at`: the plugin's `handle` has returned.
        self.stage.store(stage as u8, Ordering::Release);
    }

    /// Whether the slot's owner is that far.
    pub(crate) fn is_at(&self, stage: Stage) -> bool {
        // Ordering: Acquire; pairs with `set_stage`.
        self.stage.load(Ordering::Acquire) == stage as u8
    }

    /// The generation bits now, and whether the slot is in use. For statistics.
    pub(crate) fn census(&self, mask: u64) -> (u64, bool) {
        // Ordering: Relaxed; a statistic.
        let state = self.state.load(Ordering::Relaxed);
        (state & mask, state & PHASE != FREE)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Ordering: Relaxed; `&mut self` excludes everyone else.
        let state = self.state.load(Ordering::Relaxed);
        if let Some(words) = self.parked_waker(state) {
            // SAFETY: parked, and nobody is left to take the waker: its call was forgotten.
            drop(unsafe { words.into_waker() });
        }
        if state & PHASE == DONE {
            // SAFETY: `DONE`, and nobody is left to take the result.
            drop(unsafe { self.take_result() });
        }
    }
}
