//! Runtimes, producers, reactors and wakers, as models run them.

use std::{
    future::poll_fn,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Wake, Waker},
};

use loom::{future::block_on, lazy_static, sync::atomic::AtomicUsize, thread};
use nylon_ring_runtime::{DoorbellKind, NrStatus, Reactor, Runtime, RuntimeBuilder, Turn};

use crate::blocks::MARKED;

/// Settings of a runtime with one shard, few cells and slots, and generations that start at the same place each time.
pub fn settings(cells: usize, slots: u32) -> RuntimeBuilder {
    // Made once: the default settings ask the system how many cores there are, which takes longer than most executions.
    static SETTINGS: OnceLock<RuntimeBuilder> = OnceLock::new();
    let settings = SETTINGS.get_or_init(|| Runtime::builder().shards(1).seed(1).doorbell(DoorbellKind::Waker));
    settings.clone().cells(cells).slots(slots)
}

/// The runtime of these settings, its first shard set up already.
///
/// # Panics
///
/// When the settings are out of range.
#[expect(clippy::unwrap_used, reason = "a model that cannot be set up must fail")]
pub fn build(settings: RuntimeBuilder) -> Runtime {
    let runtime = settings.build().unwrap();
    runtime.reactor(0).unwrap();
    runtime
}

/// A runtime of the usual [`settings`].
pub fn small(cells: usize, slots: u32) -> Runtime {
    build(settings(cells, slots))
}

/// Takes turns until `done`; sleeps only when a turn says so, and then until the doorbell rings.
pub fn react_until(reactor: Reactor<'_>, mut done: impl FnMut() -> bool) {
    loop {
        match reactor.turn(64) {
            _ if done() => return,
            Turn::More => {}
            Turn::Sleep => wait_for(reactor),
        }
    }
}

/// Sleeps until the doorbell rings.
pub fn wait_for(reactor: Reactor<'_>) {
    block_on(poll_fn(|cx| reactor.doorbell().poll_rung(cx)));
}

/// Rings the doorbell, so that the reactor looks whether it is done.
pub fn stop(reactor: Reactor<'_>) {
    Waker::from(reactor.doorbell().clone()).wake();
}

/// Takes turns until nothing is left.
pub fn drain(reactor: Reactor<'_>) {
    step();
    while reactor.turn(64) == Turn::More {}
}

/// Stores a value of [`MARKED`] bytes for a call and finds it, as a plugin does that holds a pointer to it.
///
/// # Panics
///
/// When the value is not stored, or not found.
#[expect(clippy::unwrap_used, reason = "a model that cannot be set up must fail")]
pub fn hold_state(runtime: &Runtime, sid: u64) {
    runtime.set_state(sid, "k", &[1; MARKED]).unwrap();
    assert!(runtime.get_state(sid, "k").is_some(), "a value that was stored is not found");
}

lazy_static! {
    static ref STEPS: AtomicUsize = AtomicUsize::new(0);
}

/// Comes between two calls of a thread that races with others: loom tries every order in which threads take their steps, and whatever
/// its bound allows in between.
///
/// Without it loom 0.7 may leave out that one thread comes before the other, because it remembers only the last access to an
/// atomic: a thread that reads before it writes hides from its own write what another thread has read (its issues 166 and 392).
pub fn step() {
    // Ordering: Relaxed; it must not order what the models are about.
    STEPS.fetch_add(1, Relaxed);
}

/// Whether somebody has rung and nobody has answered. It takes the place of whoever sleeps on the bell: for the end of a model.
pub fn is_rung(reactor: Reactor<'_>) -> bool {
    reactor.doorbell().poll_rung(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// A sid that names no slot of any model.
pub const NOBODY: u64 = u64::MAX;

/// Whether a reactor that sleeps on the bell is told of the next record, if it has not been told already. Sends that record: for
/// the end of a model.
pub fn is_guarded(runtime: &Runtime, reactor: Reactor<'_>) -> bool {
    is_rung(reactor) || {
        runtime.send(NOBODY, NrStatus::Ok, b"");
        is_rung(reactor)
    }
}

/// Sends one byte to each of these sids, in this order, from a thread of its own.
pub fn send(runtime: &Arc<Runtime>, records: impl IntoIterator<Item = (u64, u8)> + 'static) -> thread::JoinHandle<()> {
    let runtime = runtime.clone();
    thread::spawn(move || {
        for (sid, byte) in records {
            step();
            runtime.send(sid, NrStatus::Ok, &[byte]);
        }
    })
}

/// How often a waker was woken. Loom does not see it: what is counted here is no part of the model.
#[derive(Debug, Default)]
pub struct Woken(AtomicU64);

impl Woken {
    /// The count, and the waker that adds to it.
    pub fn new() -> (Arc<Self>, Waker) {
        let woken = Arc::new(Self::default());
        (woken.clone(), Waker::from(woken))
    }

    /// How often the waker was woken.
    pub fn times(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

struct Calls<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Calls<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

/// A waker that calls `f`.
pub fn waker(f: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Calls(f)))
}
