//! The runtime: its shards, and how it is configured.

use std::{
    hash::{BuildHasher, RandomState},
    num::NonZeroU64,
    ptr::NonNull,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use nylon_ring::NrStatus;

use crate::{
    attachments::TrySendError,
    buffer::Buffer,
    doorbell::DoorbellKind,
    error::RuntimeError,
    fences,
    inline_scope::{self, Scope},
    ledger::Ledger,
    pending::Pending,
    reactor::Reactor,
    receiver::Receiver,
    seat::Seat,
    shard::{Shard, ShardConfig},
    sid::SidLayout,
    slab::MAX_SLOTS,
    slot::Stage,
    sync::Tally,
    watch::{Event, Watching},
};

mod shard_ref;
mod statistics;

pub use shard_ref::ShardRef;

/// Rings and slabs, one pair a shard, and the sids that lead into them.
///
/// A shard is set up when it is first used, so one that nobody uses costs nothing.
#[derive(Debug)]
pub struct Runtime {
    shards: Box<[OnceLock<Shard>]>,
    /// Held while a shard is set up, and while the phase changes.
    phase: Mutex<Phase>,
    config: RuntimeBuilder,
    layout: SidLayout,
    seed: u64,
    ledger: Arc<Ledger>,
    /// Records for sids whose shard does not exist, or was never used.
    nowhere: Tally,
}

/// Whether calls are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    /// No call is opened any more.
    Stopped,
    /// As `Stopped`, and callers are sent away.
    Closed,
}

/// Settings of a [`Runtime`].
#[derive(Debug, Clone)]
#[must_use = "settings do nothing until `build`"]
pub struct RuntimeBuilder {
    shards: usize,
    slots: u32,
    cells: usize,
    buffer_limit: u64,
    window: u32,
    doorbell: DoorbellKind,
    seed: Option<u64>,
}

impl Default for RuntimeBuilder {
    fn default() -> Self {
        Self {
            shards: std::thread::available_parallelism().map_or(1, usize::from),
            slots: 16_384,
            cells: 4096,
            buffer_limit: 256 << 20,
            window: 64,
            doorbell: DoorbellKind::Native,
            seed: None,
        }
    }
}

impl RuntimeBuilder {
    /// How many shards there are, 1 to 1,024; the default is one a core. A shard is meant for one thread that calls.
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = shards;
        self
    }

    /// How many calls each shard may have in flight, 1 to 4,194,304; the default is 16,384. A slot is 128 bytes.
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = slots;
        self
    }

    /// How many cells each ring has, 1 to 16,777,216, rounded up to a power of two; the default is 4,096. A cell is 64
    /// bytes. A burst that is larger goes to the overflow queue, which costs more.
    pub fn cells(mut self, cells: usize) -> Self {
        self.cells = cells;
        self
    }

    /// How many bytes of results may wait for their callers, over all shards; the default is 256 MiB. What does not fit
    /// becomes an overflow error for its call.
    ///
    /// Each shard is sure of an equal share, whatever the others have. Results of up to 4,096 bytes in a ring, or of a unary call
    /// that has not taken its own yet, do not count: the numbers of cells and slots bound them.
    pub fn buffer_limit(mut self, bytes: u64) -> Self {
        self.buffer_limit = bytes;
        self
    }

    /// How many frames that were sent by [`Runtime::try_send`] a stream may have on their way to its receiver, 1 to 1,048,576; the
    /// default is 64.
    pub fn window(mut self, frames: u32) -> Self {
        self.window = frames;
        self
    }

    /// How reactors are woken.
    pub fn doorbell(mut self, kind: DoorbellKind) -> Self {
        self.doorbell = kind;
        self
    }

    /// Fixes where generations start, which is random otherwise. For tests.
    #[doc(hidden)]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Builds the runtime. Shards are set up later, when they are first used.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Setting`] when a setting is out of range.
    pub fn build(mut self) -> Result<Runtime, RuntimeError> {
        in_range("shards", self.shards as u64, 1, 1024)?;
        in_range("slots", self.slots.into(), 1, MAX_SLOTS.into())?;
        in_range("cells", self.cells as u64, 1, 1 << 24)?;
        in_range("window", self.window.into(), 1, 1 << 20)?;
        self.cells = self.cells.next_power_of_two();
        // Here, not at somebody's first call: the kernel takes its time over it.
        fences::available();
        let layout = SidLayout::new(self.shards as u64, self.slots.into());
        Ok(Runtime {
            shards: (0..self.shards).map(|_| OnceLock::new()).collect(),
            phase: Mutex::new(Phase::Open),
            layout,
            seed: self.seed.unwrap_or_else(|| RandomState::new().hash_one("nylon-ring")),
            ledger: Arc::new(Ledger::new(self.shards, self.buffer_limit)),
            nowhere: Tally::new(),
            config: self,
        })
    }
}

fn in_range(name: &'static str, value: u64, low: u64, high: u64) -> Result<(), RuntimeError> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(RuntimeError::Setting { name, value, low, high }) }
}

impl Runtime {
    /// Settings to start from.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// How many calls each shard may have in flight.
    pub fn slots(&self) -> u32 {
        self.config.slots
    }

    /// How many bytes of results may wait for their callers.
    pub fn buffer_limit(&self) -> u64 {
        self.config.buffer_limit
    }

    #[inline(always)]
    fn shard(&self, index: usize) -> Result<&Shard, RuntimeError> {
        match self.shards.get(index).map(OnceLock::get) {
            Some(Some(shard)) => Ok(shard),
            _ => self.set_up(index),
        }
    }

    #[cold]
    fn set_up(&self, index: usize) -> Result<&Shard, RuntimeError> {
        let no_such_shard = RuntimeError::NoSuchShard { index, shards: self.shards.len() };
        let cell = self.shards.get(index).ok_or(no_such_shard)?;
        let phase = self.phase();
        if let Some(shard) = cell.get() {
            return Ok(shard);
        }
        if *phase != Phase::Open {
            return Err(RuntimeError::Closed);
        }
        let shard = Shard::new(self.shard_config(index), self.ledger.clone())?;
        Ok(cell.get_or_init(|| shard))
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shard_config(&self, index: usize) -> ShardConfig {
        ShardConfig {
            index,
            layout: self.layout,
            cells: self.config.cells,
            slots: self.config.slots,
            window: self.config.window.into(),
            doorbell: self.config.doorbell,
            seed: self.seed,
        }
    }

    /// A shard to open calls on: looked up once, for whoever calls there again and again.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::NoSuchShard`], and whatever setting up the shard may meet when this is its first use.
    #[inline(always)]
    pub fn at(&self, shard: usize) -> Result<ShardRef<'_>, RuntimeError> {
        self.shard(shard).map(ShardRef::new)
    }

    /// Opens a unary call on a shard.
    ///
    /// # Errors
    ///
    /// As [`at`](Self::at), and as [`ShardRef::open_call`].
    #[inline(always)]
    pub fn open(&self, shard: usize) -> Result<Pending<'_>, RuntimeError> {
        self.at(shard)?.open_call().map(Pending::new)
    }

    /// Opens a streaming call on a shard.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    #[inline(always)]
    pub fn open_stream(&self, shard: usize) -> Result<Receiver<'_>, RuntimeError> {
        self.at(shard)?.open_stream()
    }

    /// Gives the calling thread the seat at a shard: until it is dropped, the calls that this thread opens there cost less, for the
    /// slots that it frees are kept for it, one slot in eight and 256 at most (none on a Linux without `membarrier`). Other
    /// threads may call there as well, and have the others.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::SeatTaken`] while another seat at the shard lives, and as [`open`](Self::open) what setting up the shard
    /// may meet.
    pub fn take_seat(&self, shard: usize) -> Result<Seat<'_>, RuntimeError> {
        Seat::take(self.shard(shard)?)
    }

    /// Sends one result, or one frame of a stream, for whatever call `sid` names; copies `bytes`.
    ///
    /// From any thread. Never blocks and takes no mutex; the one system call it may make is the doorbell's write, when the
    /// shard's reactor sleeps. A sid that names no open call is counted and otherwise ignored.
    #[inline(always)]
    pub fn send(&self, sid: u64, status: NrStatus, bytes: &[u8]) {
        if !self.send_at_once(sid, status, bytes) {
            self.send_otherwise(sid, status, bytes);
        }
    }

    /// As [`send`](Self::send), if it can be done at once: a short result or frame of a call that the calling thread is handing over.
    /// If not, this does nothing, and returns false. Does not panic.
    #[inline(always)]
    pub fn send_at_once(&self, sid: u64, status: NrStatus, bytes: &[u8]) -> bool {
        // SAFETY: not kept.
        let scope = unsafe { self.scope(sid) };
        scope.is_some_and(|(shard, scope)| shard.keep_short(scope, sid, status, bytes))
    }

    /// As [`send`](Self::send), for what [`send_at_once`](Self::send_at_once) has left.
    #[inline(always)]
    pub fn send_otherwise(&self, sid: u64, status: NrStatus, bytes: &[u8]) {
        // SAFETY: not kept.
        if let Some((shard, scope)) = unsafe { self.scope(sid) } {
            return shard.send_inline(scope, sid, status, bytes);
        }
        match self.existing(sid) {
            Some(shard) => shard.send_away(sid, status, bytes),
            None => self.nowhere.add_shared(1),
        }
    }

    /// The shard and the scope of the call that the calling thread is handing over, if it has this sid, and is one of this runtime: its
    /// shard has our ledger then.
    ///
    /// # Safety
    ///
    /// As [`inline_scope::innermost`].
    #[inline(always)]
    unsafe fn scope(&self, sid: u64) -> Option<(&Shard, &Scope)> {
        // SAFETY: as the caller promises.
        unsafe { inline_scope::entered_for(sid) }.filter(|(shard, _)| Arc::ptr_eq(&shard.ledger, &self.ledger))
    }

    /// As [`send`](Self::send), for a result of this status that the sender cannot hand over: the caller gets an overflow error. State
    /// that the sender holds stays valid until it has sent a terminal status.
    pub fn send_overflow(&self, sid: u64, status: NrStatus) {
        match self.existing(sid) {
            Some(shard) => shard.send_overflow(sid, status),
            None => self.nowhere.add_shared(1),
        }
    }

    /// The shard that a sid names, if it is in use.
    #[inline]
    fn existing(&self, sid: u64) -> Option<&Shard> {
        self.shards.get(self.layout.shard(sid))?.get()
    }

    /// The reactor of a shard.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::NoSuchShard`], and whatever setting up the shard may meet when this is its first use.
    pub fn reactor(&self, shard: usize) -> Result<Reactor<'_>, RuntimeError> {
        self.shard(shard).map(Reactor::new)
    }

    /// Stores a copy of `value` under `key` for an open call. It is gone when the call is done.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::UnknownSid`], and [`RuntimeError::Overflow`] when the buffer limit is reached.
    pub fn set_state(&self, sid: u64, key: &str, value: &[u8]) -> Result<(), RuntimeError> {
        self.existing(sid).ok_or(RuntimeError::UnknownSid)?.set_state(sid, key, value)
    }

    /// Finds what [`set_state`](Self::set_state) stored last under `key`. The bytes may be read until the call's terminal
    /// result has been sent, whatever its caller does meanwhile.
    pub fn get_state(&self, sid: u64, key: &str) -> Option<NonNull<[u8]>> {
        self.existing(sid)?.get_state(sid, key)
    }

    /// Whether the sid is open: somebody waits for what is sent for it.
    pub fn is_wanted(&self, sid: u64) -> bool {
        self.existing(sid).is_some_and(|shard| shard.is_wanted(sid))
    }

    /// Has `closure` called, exactly once if it is [registered](Watching::Registered): with [`Event::GivenUp`] when the caller gives the
    /// call up, or else with [`Event::Over`] when the call is over. On any thread, where no lock is held, perhaps before this returns.
    pub fn on_give_up(&self, sid: u64, closure: impl FnOnce(Event) + Send + 'static) -> Watching {
        self.existing(sid).map_or(Watching::Closed, |shard| shard.on_give_up(sid, Box::new(closure)))
    }

    /// As [`send`](Self::send), for a frame of status `Ok` that is to wait if its stream's [window](RuntimeBuilder::window) is full. To a
    /// unary call it sends the result.
    ///
    /// # Errors
    ///
    /// [`TrySendError::Full`] and [`TrySendError::Closed`]; nothing was sent.
    pub fn try_send(&self, sid: u64, bytes: &[u8]) -> Result<(), TrySendError> {
        self.existing(sid).ok_or(TrySendError::Closed)?.try_send(sid, bytes)
    }

    /// As [`on_give_up`](Self::on_give_up), and called with [`Event::Writable`] when half of the stream's window is free.
    pub fn on_writable(&self, sid: u64, closure: impl FnOnce(Event) + Send + 'static) -> Watching {
        self.existing(sid).map_or(Watching::Closed, |shard| shard.on_writable(sid, Box::new(closure)))
    }

    /// How many frames the stream's window has room for; 0 if it is not open.
    pub fn credits(&self, sid: u64) -> u64 {
        self.existing(sid).map_or(0, |shard| shard.credits(sid))
    }

    /// Reserves memory for a result of an open call. `None` when the sid is not open, the buffer limit is reached, or memory is short.
    pub fn reserve(&self, sid: u64, len: usize) -> Option<Buffer> {
        self.existing(sid)?.reserve(sid, len)
    }

    /// As [`send`](Self::send), with the first `len` bytes of a buffer (all of it, if there are not as many), which are not copied.
    pub fn send_buffer(&self, sid: u64, status: NrStatus, buffer: Buffer, len: usize) {
        match self.existing(sid) {
            Some(shard) => shard.send_buffer(sid, status, buffer, len),
            None => self.nowhere.add_shared(1),
        }
    }

    /// Notes until when the caller of an open call waits, for [`deadline`](Self::deadline): a time on a clock of the caller's. Only for the
    /// caller, before it hands the call over.
    pub fn set_deadline(&self, sid: u64, at: NonZeroU64) {
        if let Some(shard) = self.existing(sid) {
            shard.deadlines.set(shard.slab.slots().len(), self.layout.slot(sid), sid, at);
        }
    }

    /// Until when the caller of an open call waits, if that was noted.
    pub fn deadline(&self, sid: u64) -> Option<NonZeroU64> {
        let shard = self.existing(sid)?;
        let at = shard.deadlines.get(self.layout.slot(sid), sid)?;
        shard.is_wanted(sid).then_some(at)
    }

    /// Stops opening calls, and returns how many are in flight; call it again to see how many are left. Once it returns
    /// 0, no call is in flight and none ever will be.
    ///
    /// It costs calls nothing: the lists of free slots are closed, the slots that are on them counted out, and those that become
    /// free later follow at the next call of this.
    pub fn stop_opening(&self) -> u64 {
        let mut phase = self.phase();
        *phase = Phase::Stopped.max(*phase);
        self.shards.iter().filter_map(OnceLock::get).map(Shard::collect).sum()
    }

    /// After [`stop_opening`](Self::stop_opening): how many calls may still be handed over, by a thread inside
    /// [`Pending::inline`], [`Call::inline`](crate::Call::inline) or [`Receiver::inline`], or on the way there.
    ///
    /// A slot that has become free since then counts until the next `stop_opening`, and one that a thread keeps for itself while
    /// the thread finds out that no call is opened any more, or leaves its seat; no call comes of either. Once both have returned 0,
    /// the one after the other, none is handed over any more.
    pub fn handing_over(&self) -> usize {
        let shards = self.shards.iter().filter_map(OnceLock::get);
        shards.flat_map(|shard| shard.slab.slots()).filter(|slot| slot.is_at(Stage::HandingOver)).count()
    }

    /// Closes the runtime: no call can be opened any more, and every caller that waits, or comes to wait, gets
    /// [`RuntimeError::Closed`]. Results may still be sent, and are dropped and counted.
    pub fn close(&self) {
        let mut phase = self.phase();
        *phase = Phase::Closed;
        let mut disturbed = Vec::new();
        for shard in self.shards.iter().filter_map(OnceLock::get) {
            shard.collect();
            disturbed.extend(shard.disturb());
        }
        // A waker may run code that comes back to this runtime.
        drop(phase);
        self.shards.iter().filter_map(OnceLock::get).for_each(|shard| shard.doorbell.ring());
        disturbed.into_iter().for_each(crate::consumer::wake);
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        *self.phase() == Phase::Closed
    }
}
