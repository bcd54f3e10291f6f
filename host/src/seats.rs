//! Which shard a thread calls on, and who drains it: placement.
//!
//! Each thread that calls has a *seat*: a shard of its own as long as there are enough. Each shard has a *home*, where its
//! reactor runs. A reactor must run where it is driven whenever a caller waits, and is best run by the runtime of the callers:
//! then waking them stays local.
//!
//! | home | the reactor | changes to |
//! | --- | --- | --- |
//! | none | does not run | the tokio runtime of the first caller that parks, or the spare runtime |
//! | a tokio runtime | is a task there | the caretaker, when that runtime is dropped; the spare runtime, when somebody parks elsewhere |
//! | the caretaker | is a task of the spare runtime, for results that come late; no caller relies on it | as none |
//! | the spare runtime | is a task on a thread of ours | nothing else: that one is always driven |
//! | its own thread | is all that the thread does, if the host was told so | nothing else: as above |
//!
//! 1. A caller looks at its shard's home *each time it parks* ([`Seats::ensure_served`]), so no future is left to a reactor
//!    that nobody drives: not when it moves to another runtime, and not when a thread goes from one runtime to the next.
//! 2. A multi-thread runtime drives itself. So a thread that was seen in one may remember that, and need not ask again.
//! 3. Any number of reactors may run on one shard: only one holds its token. One that has been replaced (its epoch is over)
//!    notices at its next turn, and leaves.
//!
//! 4. A current-thread runtime that a thread has merely entered, or whose blocking thread it is, may be driven by nobody, and
//!    tokio does not tell. Only a caller that is polled with the waker of a tokio task is surely driven. Any other caller in
//!    such a runtime (the future of `block_on`, a combinator with wakers of its own) insures its shard while it waits: one more
//!    reactor, on the spare runtime. It leaves when it was woken [`IDLE`] times in a row and nobody had insured.
//!    (Not seen: a `LocalSet` that another executor polls, inside a current-thread runtime that is entered and driven by
//!    nobody. Its tasks have tokio's wakers. Neither tokio's timers nor its I/O work there.)
//!
//! 5. The workers of a runtime take reactors from each other, as they do with all tasks. Two whose reactors had changed places would
//!    wake each other's callers: each of these would call on one core and be woken on the other, again and again. So a thread that
//!    runs another shard's reactor, and not that of its own, exchanges shards with that one's owner ([`Seats::follow`]), if the owner
//!    runs reactors, too: at the next one it takes notice. No shard has two owners, or an owner two shards.
//!
//! Only the first call and the first parking of a thread, and exchanges of shards, come through the mutex; results never do.

use std::{
    cell::{Cell, RefCell},
    hash::{Hash, Hasher},
    io, ptr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::Waker,
};

use nylon_ring_runtime::{Runtime, ShardRef};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::{context::Context, error::NylonRingHostError, idle::Idle, reactor, spare, threads::Threads};

/// No reactor runs.
const NONE: u64 = 0;
/// The reactor runs on the spare runtime, or on its own thread: it is always driven.
const SPARE: u64 = u64::MAX;
/// The reactor runs on the spare runtime until a caller parks.
const CARETAKER: u64 = u64::MAX - 1;

/// Where the threads of one host sit.
#[derive(Debug)]
pub(crate) struct Seats {
    homes: Box<[Home]>,
    /// The threads that own a shard, one a shard; gone when the thread is.
    owners: Mutex<Box<[Weak<()>]>>,
    /// Set when the host is dropped: reactors leave.
    vacated: AtomicBool,
    /// How many reactors there are.
    tenants: AtomicUsize,
}

type Owners<'a> = MutexGuard<'a, Box<[Weak<()>]>>;

/// Where a reactor is started.
enum Place<'a> {
    Runtime(Handle),
    Own(&'a Threads),
}

/// Where a shard's reactor runs.
#[derive(Debug)]
struct Home {
    /// `NONE`, `SPARE`, `CARETAKER`, or the id of a tokio runtime. Written under the mutex of `owners`; a stale value is corrected there.
    runtime: AtomicU64,
    /// Counts the reactors that were started; the latest is the one that stays. Written under the mutex of `owners`.
    epoch: AtomicU64,
    /// Whether a reactor on the spare runtime serves the shard beside whichever has its home.
    insured: AtomicBool,
    /// How many callers wait that may not be driven.
    unsure: AtomicU64,
    /// The [name](here) of the thread that owns the shard, if it has run a reactor since it does, or 0. A hint: the table knows.
    owner: AtomicUsize,
    /// The name of the thread that its reactor ran on last, or 0.
    served_by: AtomicUsize,
}

/// The epoch of the reactor that insures a shard.
const INSURANCE: u64 = u64::MAX;
/// How often in a row that reactor is woken for others before it leaves.
const IDLE: u32 = 64;

/// While it lives, the reactor that insures its shard stays. Held by a caller that waits and may not be driven.
#[derive(Debug)]
pub(crate) struct Insurance(&'static Home);

impl Drop for Insurance {
    fn drop(&mut self) {
        // Ordering: SeqCst, with all of `unsure` and `insured`; see `insure`.
        self.0.unsure.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A thread's place at one host.
#[derive(Debug, Clone, Copy)]
struct Seat {
    /// The address of the host's `Seats`, which is never reused.
    host: *const Seats,
    shard: Option<ShardRef<'static>>,
    hold: Hold,
    /// The multi-thread runtime that the thread was seen in, or `NONE`: ask again.
    runtime: u64,
}

/// How a thread has its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// Together with others: there are not enough.
    Shared,
    /// As its owner; but whoever owned it before still has the slots that are kept there.
    Owned,
    /// As its owner, for whom slots are kept there.
    Seated,
}

const NO_SEAT: Seat = Seat { host: ptr::null(), shard: None, hold: Hold::Shared, runtime: NONE };

/// Hosts whose seats a thread remembers; a thread that calls more hosts in turn looks its seat up more often.
const REMEMBERED: usize = 16;

thread_local! {
    static SEATS: [Cell<Seat>; REMEMBERED] = const { [const { Cell::new(NO_SEAT) }; REMEMBERED] };
    static THREAD: Thread = Thread::default();
}

/// What goes when the thread does; in this order.
#[derive(Default)]
struct Thread {
    /// Its privileges at the shards of its own, one a host.
    privileges: RefCell<Vec<Privilege>>,
    /// Lives as long as the thread.
    life: Arc<()>,
}

/// At which shard of which host slots are kept for a thread.
struct Privilege {
    host: *const Seats,
    shard: usize,
    _seat: nylon_ring_runtime::Seat<'static>,
}

/// A thread's name, for as long as it runs.
#[inline(always)]
fn here() -> usize {
    SEATS.with(|seats| ptr::from_ref(seats).addr())
}

/// Where the current thread remembers its seat at `host`.
#[inline(always)]
fn with_seat<R>(host: *const Seats, f: impl FnOnce(&Cell<Seat>) -> R) -> R {
    // A context is larger than 4 KiB never, and aligned to a cache line: the bits above tell hosts apart well enough.
    SEATS.with(|seats| f(&seats[(host.addr() >> 7) % REMEMBERED]))
}

/// The runtime that drives the current thread, if any, and its id.
fn current_runtime() -> Option<(u64, Handle)> {
    let handle = Handle::try_current().ok()?;
    let mut id = IdHasher(NONE);
    handle.id().hash(&mut id);
    Some((id.0, handle))
}

/// Reads the number out of a tokio runtime's id, which has no other door to it.
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }
}

impl Seats {
    pub(crate) fn new(shards: usize) -> Self {
        let home = || Home {
            runtime: AtomicU64::new(NONE),
            epoch: AtomicU64::new(0),
            insured: AtomicBool::new(false),
            unsure: AtomicU64::new(0),
            owner: AtomicUsize::new(0),
            served_by: AtomicUsize::new(0),
        };
        Self {
            homes: (0..shards).map(|_| home()).collect(),
            owners: Mutex::new((0..shards).map(|_| Weak::new()).collect()),
            vacated: AtomicBool::new(false),
            tenants: AtomicUsize::new(0),
        }
    }

    fn owners(&self) -> Owners<'_> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shard that the current thread calls on; `runtime` is this host's.
    ///
    /// # Errors
    ///
    /// What setting up the shard may meet when this is its first use.
    #[inline(always)]
    pub(crate) fn shard(&self, runtime: &'static Runtime) -> Result<ShardRef<'static>, Box<NylonRingHostError>> {
        let seat = with_seat(self, Cell::get);
        match seat.shard {
            Some(shard) if ptr::eq(seat.host, self) => Ok(shard),
            _ => self.sit_down(runtime),
        }
    }

    /// Finds a seat: the one the thread had, a free one, or one to share. An error is boxed, so that what this returns goes through
    /// registers.
    #[cold]
    fn sit_down(&self, runtime: &'static Runtime) -> Result<ShardRef<'static>, Box<NylonRingHostError>> {
        let mine = Self::life();
        let mut owners = self.owners();
        let own = owners.iter().position(|owner| owner.ptr_eq(&mine));
        let free = || owners.iter().position(|owner| owner.strong_count() == 0);
        match own.or_else(free) {
            Some(shard) => {
                owners[shard] = mine;
                // Ordering: Relaxed; see `follow`.
                self.homes[shard].owner.store(0, Ordering::Relaxed);
                self.take_own(runtime, shard)
            }
            // Spread those that find no free shard by the address of their token.
            None => self.take(runtime, (mine.as_ptr().addr() >> 4) % owners.len(), Hold::Shared),
        }
    }

    /// The current thread's token among the owners.
    fn life() -> Weak<()> {
        THREAD.with(|thread| Arc::downgrade(&thread.life))
    }

    /// Has the current thread call on the shard that it owns, and slots kept for it there and nowhere else.
    fn take_own(&self, runtime: &'static Runtime, shard: usize) -> Result<ShardRef<'static>, Box<NylonRingHostError>> {
        let hold = THREAD.with(|thread| {
            let mut privileges = thread.privileges.borrow_mut();
            let of_host = |privilege: &Privilege| ptr::eq(privilege.host, self);
            if privileges.iter().any(|privilege| of_host(privilege) && privilege.shard == shard) {
                return Hold::Seated;
            }
            privileges.retain(|privilege| !of_host(privilege));
            // If the shard cannot be set up, looking it up says why.
            let Ok(seat) = runtime.take_seat(shard) else { return Hold::Owned };
            privileges.push(Privilege { host: self, shard, _seat: seat });
            Hold::Seated
        });
        self.take(runtime, shard, hold)
    }

    /// Has the current thread call on a shard.
    fn take(
        &self,
        runtime: &'static Runtime,
        shard: usize,
        hold: Hold,
    ) -> Result<ShardRef<'static>, Box<NylonRingHostError>> {
        let shard = runtime.at(shard).map_err(NylonRingHostError::opening)?;
        with_seat(self, |cell| {
            let seat = cell.get();
            let runtime = if ptr::eq(seat.host, self) { seat.runtime } else { NONE };
            cell.set(Seat { host: self, shard: Some(shard), hold, runtime });
        });
        Ok(shard)
    }

    /// Has the current thread call on the shard whose reactor it runs, as long as it does not run that of its own (5). Called by
    /// reactors each time they look for records.
    #[inline]
    fn follow(&self, runtime: &'static Runtime, shard: usize) {
        let here = here();
        let served_by = &self.homes[shard].served_by;
        // Ordering: Relaxed, here and for `owner`; who is misled by an old value calls where it is slower, and looks again.
        if served_by.load(Ordering::Relaxed) != here {
            served_by.store(here, Ordering::Relaxed);
        }
        let seat = with_seat(self, Cell::get);
        let Some(now) = seat.shard.filter(|_| ptr::eq(seat.host, self) && seat.hold != Hold::Shared) else { return };
        let home = &self.homes[now.index()];
        let owner = home.owner.load(Ordering::Relaxed);
        if owner == 0 {
            home.owner.store(here, Ordering::Relaxed);
        } else if owner != here || seat.hold == Hold::Owned && !now.is_taken() {
            return self.move_over(runtime, None);
        }
        let elsewhere = now.index() != shard && home.served_by.load(Ordering::Relaxed) != here;
        if elsewhere && self.homes[shard].owner.load(Ordering::Relaxed) != 0 {
            self.move_over(runtime, Some(shard));
        }
    }

    /// Has the current thread call on its own shard, which another thread may have changed; after the exchange for this one, if any.
    #[cold]
    fn move_over(&self, runtime: &'static Runtime, exchange: Option<usize>) {
        let mut owners = match self.owners.try_lock() {
            Ok(owners) => owners,
            Err(TryLockError::Poisoned(owners)) => owners.into_inner(),
            // Whoever has it may be off its core, and this is not worth waiting for.
            Err(TryLockError::WouldBlock) => return,
        };
        let mine = Self::life();
        let Some(mut own) = owners.iter().position(|owner| owner.ptr_eq(&mine)) else { return };
        if let Some(shard) = exchange {
            owners.swap(own, shard);
            // A name may be another thread's when its own is gone.
            let lives = owners[own].strong_count() > 0;
            let other = if lives { self.homes[shard].owner.load(Ordering::Relaxed) } else { 0 };
            self.homes[own].owner.store(other, Ordering::Relaxed);
            own = shard;
        }
        self.homes[own].owner.store(here(), Ordering::Relaxed);
        // A shard that is served is set up: looking it up does not fail.
        drop(self.take_own(runtime, own));
    }

    /// Sees to it that the reactor of `shard` is driven as long as the current thread's runtime is. Called by each caller
    /// that parks, on every thread it parks on, with the waker it parks with.
    ///
    /// # Errors
    ///
    /// [`NylonRingHostError::ReactorThread`] when it takes the spare runtime, and its thread cannot be started.
    #[inline]
    pub(crate) fn ensure_served(
        &self,
        context: &'static Context,
        shard: usize,
        waker: &Waker,
        insurance: &mut Option<Insurance>,
    ) -> Result<(), NylonRingHostError> {
        // Ordering: Acquire; pairs with the Release of whoever set it, and spawns its reactor.
        let home = self.homes[shard].runtime.load(Ordering::Acquire);
        if home == SPARE {
            return Ok(());
        }
        let remembered = with_seat(self, |cell| if ptr::eq(cell.get().host, self) { cell.get().runtime } else { NONE });
        if remembered == home && home != NONE {
            return Ok(());
        }
        self.ensure_served_here(context, shard, waker, insurance)
    }

    /// As above, after asking which runtime the thread is in.
    fn ensure_served_here(
        &self,
        context: &'static Context,
        shard: usize,
        waker: &Waker,
        insurance: &mut Option<Insurance>,
    ) -> Result<(), NylonRingHostError> {
        let here = current_runtime();
        let id = here.as_ref().map_or(NONE, |(id, _)| *id);
        if let Some((id, handle)) = &here
            && handle.runtime_flavor() == RuntimeFlavor::MultiThread
        {
            with_seat(self, |cell| {
                let seat = cell.get();
                if ptr::eq(seat.host, self) {
                    cell.set(Seat { runtime: *id, ..seat });
                }
            });
        }
        if let Some((_, handle)) = &here
            && handle.runtime_flavor() == RuntimeFlavor::CurrentThread
            && context.threads.is_none()
            && insurance.is_none()
            && !spare::is_of_a_task(waker)
        {
            *insurance = Some(Self::insure(context, shard)?);
        }
        // Ordering: Acquire; as in `ensure_served`.
        if id != NONE && self.homes[shard].runtime.load(Ordering::Acquire) == id {
            return Ok(());
        }
        self.move_in(context, shard, here)
    }

    /// Starts a reactor for `shard`: in the current runtime if the shard has none, otherwise in the spare one.
    #[cold]
    fn move_in(
        &self,
        context: &'static Context,
        shard: usize,
        here: Option<(u64, Handle)>,
    ) -> Result<(), NylonRingHostError> {
        let owners = self.owners();
        let home = &self.homes[shard];
        // Ordering: Relaxed; the mutex orders those who write it.
        let now = home.runtime.load(Ordering::Relaxed);
        let (id, place) = match (here, &context.threads) {
            _ if now == SPARE => return Ok(()),
            (_, Some(threads)) => (SPARE, Place::Own(threads)),
            (Some((id, _)), None) if now == id => return Ok(()),
            (Some((id, handle)), None) if now == NONE || now == CARETAKER => (id, Place::Runtime(handle)),
            _ => (SPARE, Place::Runtime(spare::handle().map_err(NylonRingHostError::ReactorThread)?)),
        };
        self.start(owners, context, shard, id, place).map_err(NylonRingHostError::ReactorThread)
    }

    /// Insures a shard: starts the reactor for it, if it does not run.
    ///
    /// A caller counts itself before it looks whether the reactor runs; the reactor says that it leaves before it looks whether
    /// there are callers. All four are SeqCst, so one of them sees the other.
    #[cold]
    fn insure(context: &'static Context, shard: usize) -> Result<Insurance, NylonRingHostError> {
        let home = &context.seats.homes[shard];
        home.unsure.fetch_add(1, Ordering::SeqCst);
        let insurance = Insurance(home);
        // Before the swap: whoever finds the shard insured relies on it.
        let handle = spare::handle().map_err(NylonRingHostError::ReactorThread)?;
        if !home.insured.swap(true, Ordering::SeqCst) {
            handle.spawn(reactor::run(context, Tenancy::new(context, shard, INSURANCE)));
        }
        Ok(insurance)
    }

    /// Sees to it that what comes while nobody waits for it is drained, if only by the caretaker: late results of calls that
    /// were given up, frames of streams that are not read.
    pub(crate) fn ensure_drained(&self, context: &'static Context, shard: usize) {
        // Ordering: Relaxed; a home that is set a moment later is as good.
        if self.homes[shard].runtime.load(Ordering::Relaxed) == NONE {
            match current_runtime() {
                // Without a thread for it the shard waits for the next caller that parks, which reports the error.
                here @ Some(_) => drop(self.move_in(context, shard, here)),
                None => self.take_care(context, shard, |now, _| now == NONE),
            }
        }
    }

    /// Gives a shard to the caretaker, if its home and epoch are such. Without a thread for it the shard waits for the
    /// next caller that parks.
    #[cold]
    fn take_care(&self, context: &'static Context, shard: usize, if_home: impl FnOnce(u64, u64) -> bool) {
        let owners = self.owners();
        let home = &self.homes[shard];
        // Ordering: Relaxed, all; the mutex orders those who write them.
        if self.vacated.load(Ordering::Relaxed)
            || !if_home(home.runtime.load(Ordering::Relaxed), home.epoch.load(Ordering::Relaxed))
        {
            return;
        }
        match spare::handle() {
            // Nothing fails on a runtime that runs.
            Ok(handle) => drop(self.start(owners, context, shard, CARETAKER, Place::Runtime(handle))),
            // Ordering: Release; as in `start`.
            Err(_) => home.runtime.store(NONE, Ordering::Release),
        }
    }

    /// Makes a new reactor the one that stays, and spawns it. If it has no thread, the shard goes to the caretaker.
    fn start(
        &self,
        owners: Owners<'_>,
        context: &'static Context,
        shard: usize,
        id: u64,
        place: Place<'_>,
    ) -> io::Result<()> {
        let home = &self.homes[shard];
        // Ordering: Relaxed; the mutex orders those who write it, and a reactor that reads an old one takes one more turn.
        let epoch = home.epoch.fetch_add(1, Ordering::Relaxed) + 1;
        // Ordering: Release; pairs with the Acquire in `ensure_served`.
        home.runtime.store(id, Ordering::Release);
        // A runtime that is going down drops what is spawned on it at once, and the tenancy with it, which takes the mutex.
        drop(owners);
        let reactor = reactor::run(context, Tenancy::new(context, shard, epoch));
        match place {
            Place::Runtime(handle) => drop(handle.spawn(reactor)),
            Place::Own(threads) => threads.start(shard, reactor)?,
        }
        Ok(())
    }

    /// Whether the reactor of this epoch is still the one that stays.
    pub(crate) fn stays(&self, shard: usize, epoch: u64) -> bool {
        // Ordering: Relaxed, both; whoever ends a tenancy rings the doorbell afterwards.
        !self.vacated.load(Ordering::Relaxed)
            && (epoch == INSURANCE || self.homes[shard].epoch.load(Ordering::Relaxed) == epoch)
    }

    /// Moves a reactor that cannot sleep where it is to the spare runtime; false if it is there already, or that cannot be had.
    fn evict(&self, context: &'static Context, shard: usize, epoch: u64) -> bool {
        let owners = self.owners();
        if !self.stays(shard, epoch) {
            return true;
        }
        // Ordering: Relaxed; the mutex orders those who write it.
        if epoch == INSURANCE || matches!(self.homes[shard].runtime.load(Ordering::Relaxed), SPARE | CARETAKER) {
            return false;
        }
        let Ok(handle) = spare::handle() else { return false };
        self.start(owners, context, shard, SPARE, Place::Runtime(handle)).is_ok()
    }

    /// Makes all reactors leave. For a host that is dropped.
    pub(crate) fn vacate(&self) {
        // Ordering: Relaxed; the doorbells that are rung afterwards carry it.
        self.vacated.store(true, Ordering::Relaxed);
    }
}

impl Seats {
    /// Whether all reactors have left, of those that came before; after [`vacate`](Self::vacate), when nobody calls, no other comes.
    pub(crate) fn is_empty(&self) -> bool {
        // Ordering: Acquire; pairs with the Release in the drop of `Tenancy`: whatever the reactor did is done.
        self.tenants.load(Ordering::Acquire) == 0
    }
}

/// A reactor's right to serve a shard. Dropping it, as a runtime that goes down does with its tasks, gives the shard to the
/// caretaker, unless another reactor has taken over.
#[derive(Debug)]
pub(crate) struct Tenancy {
    context: &'static Context,
    pub(crate) shard: usize,
    pub(crate) epoch: u64,
    /// How often in a row the reactor that insures a shard was woken for others.
    idle: u32,
}

impl Tenancy {
    fn new(context: &'static Context, shard: usize, epoch: u64) -> Self {
        // Ordering: Relaxed; who looks for 0 does so after whoever might start reactors is gone.
        context.seats.tenants.fetch_add(1, Ordering::Relaxed);
        Self { context, shard, epoch, idle: 0 }
    }

    /// What to do when nothing is left. The reactor that insures a shard sleeps at once: another one polls, if anybody drives it.
    pub(crate) fn idle(&self) -> Idle {
        if self.epoch == INSURANCE { Idle::Park } else { self.context.idle }
    }

    /// Whether no other reactor has taken over.
    pub(crate) fn is_current(&self) -> bool {
        self.context.seats.stays(self.shard, self.epoch)
    }

    /// Has the thread that this runs on call on the shard that is served here ([`Seats::follow`]).
    pub(crate) fn be_followed(&self) {
        if self.epoch != INSURANCE && self.is_current() {
            self.context.seats.follow(&self.context.runtime, self.shard);
        }
    }

    /// Whether to go on, after a turn.
    pub(crate) fn stays(&mut self) -> bool {
        let home = &self.context.seats.homes[self.shard];
        self.is_current() && (self.epoch != INSURANCE || self.is_insured(home))
    }

    /// Whether the reactor that insures its shard is still wanted; it says so before it leaves (`Seats::insure`).
    fn is_insured(&mut self, home: &Home) -> bool {
        self.idle = if home.unsure.load(Ordering::SeqCst) > 0 { 0 } else { self.idle + 1 };
        if self.idle < IDLE {
            return true;
        }
        home.insured.store(false, Ordering::SeqCst);
        // Whoever came meanwhile has started another reactor, or is seen here.
        home.unsure.load(Ordering::SeqCst) > 0 && !home.insured.swap(true, Ordering::SeqCst)
    }

    /// Gives the shard to another reactor, on the spare runtime; false if this one has to go on.
    pub(crate) fn evict(&self) -> bool {
        self.context.seats.evict(self.context, self.shard, self.epoch)
    }
}

impl Drop for Tenancy {
    fn drop(&mut self) {
        if self.epoch != INSURANCE && self.is_current() {
            let mine = self.epoch;
            self.context.seats.take_care(self.context, self.shard, |_, epoch| epoch == mine);
        }
        // Ordering: Release; pairs with the Acquire in `is_empty`.
        self.context.seats.tenants.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    /// A host with three shards, as far as it matters here.
    #[derive(Clone, Copy)]
    struct Host {
        runtime: &'static Runtime,
        seats: &'static Seats,
    }

    impl Host {
        fn new() -> Self {
            let runtime = Runtime::builder().shards(3).slots(16).cells(16).build().unwrap();
            Self { runtime: Box::leak(Box::new(runtime)), seats: Box::leak(Box::new(Seats::new(3))) }
        }

        /// Where the current thread calls.
        fn shard(self) -> usize {
            self.seats.shard(self.runtime).unwrap().index()
        }

        /// Where it calls after it has run this reactor.
        fn after_serving(self, shard: usize) -> usize {
            self.seats.follow(self.runtime, shard);
            self.shard()
        }

        /// Whether somebody has slots kept at this shard.
        fn is_seated(self, shard: usize) -> bool {
            self.runtime.take_seat(shard).is_err()
        }
    }

    type Job = Box<dyn FnOnce(Host) -> usize + Send>;

    /// A thread that does as it is told.
    struct Other {
        jobs: mpsc::Sender<(Job, mpsc::Sender<usize>)>,
        thread: thread::JoinHandle<()>,
    }

    impl Other {
        fn new(host: Host) -> Self {
            let (jobs, next) = mpsc::channel::<(Job, mpsc::Sender<usize>)>();
            let thread = thread::spawn(move || next.iter().for_each(|(job, done)| done.send(job(host)).unwrap()));
            Self { jobs, thread }
        }

        fn run(&self, job: impl FnOnce(Host) -> usize + Send + 'static) -> usize {
            let (done, outcome) = mpsc::channel();
            self.jobs.send((Box::new(job), done)).unwrap();
            outcome.recv().unwrap()
        }

        fn end(self) {
            drop(self.jobs);
            self.thread.join().unwrap();
        }
    }

    #[test]
    fn threads_whose_reactors_have_changed_places_exchange_shards() {
        let host = Host::new();
        let other = Other::new(host);
        assert_eq!((host.shard(), other.run(Host::shard)), (0, 1));
        assert_eq!((host.after_serving(0), other.run(|host| host.after_serving(1))), (0, 1));
        assert_eq!(other.run(|host| host.after_serving(0)), 1);
        assert_eq!(host.after_serving(1), 1);
        // It does not know yet, and keeps the slots that it has there.
        assert_eq!(other.run(Host::shard), 1);
        assert_eq!((host.is_seated(0), host.is_seated(1)), (false, true));
        assert_eq!(other.run(|host| host.after_serving(0)), 0);
        assert_eq!((host.is_seated(0), host.is_seated(1)), (true, false));
        assert_eq!(host.after_serving(1), 1);
        assert_eq!((host.is_seated(0), host.is_seated(1)), (true, true));
    }

    #[test]
    fn a_thread_that_runs_the_reactor_of_its_own_shard_stays_there() {
        let host = Host::new();
        let other = Other::new(host);
        assert_eq!((host.shard(), other.run(Host::shard)), (0, 1));
        assert_eq!(other.run(|host| host.after_serving(1)), 1);
        assert_eq!((host.after_serving(0), host.after_serving(1)), (0, 0));
        assert_eq!(other.run(|host| host.after_serving(1)), 1);
        // That one runs neither any more.
        assert_eq!(other.run(|host| host.after_serving(0)), 1);
        assert_eq!(host.after_serving(1), 1);
    }

    #[test]
    fn whose_shard_was_exchanged_takes_the_one_it_was_given_whatever_it_serves() {
        let host = Host::new();
        let other = Other::new(host);
        assert_eq!((host.shard(), other.run(Host::shard)), (0, 1));
        assert_eq!(other.run(|host| host.after_serving(1)), 1);
        assert_eq!(host.after_serving(1), 1);
        assert_eq!(other.run(|host| host.after_serving(2)), 0);
    }

    #[test]
    fn a_thread_that_runs_no_reactor_keeps_its_shard() {
        let host = Host::new();
        let other = Other::new(host);
        assert_eq!((host.shard(), other.run(Host::shard)), (0, 1));
        assert_eq!(host.after_serving(1), 0);
        assert!(host.is_seated(1));
    }

    #[test]
    fn a_shard_whose_owner_has_gone_is_left_by_who_takes_it_to_the_next_thread() {
        let host = Host::new();
        let other = Other::new(host);
        assert_eq!((host.shard(), other.run(Host::shard)), (0, 1));
        assert_eq!(other.run(|host| host.after_serving(1)), 1);
        other.end();
        assert_eq!(host.after_serving(1), 1);
        assert_eq!(Other::new(host).run(Host::shard), 0);
        assert!(host.is_seated(1));
    }

    #[test]
    fn a_thread_that_shares_its_shard_stays_there() {
        let host = Host::new();
        let owners = [(); 3].map(|()| Other::new(host));
        assert_eq!(owners.each_ref().map(|owner| owner.run(Host::shard)), [0, 1, 2]);
        let mine = host.shard();
        assert_eq!(host.after_serving((mine + 1) % 3), mine);
        assert_eq!(owners.each_ref().map(|owner| owner.run(Host::shard)), [0, 1, 2]);
    }
}
