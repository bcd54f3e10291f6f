//! A reactor, as models run it.

use std::{future::poll_fn, task::Waker};

use loom::future::block_on;
use nylon_ring_runtime::{DoorbellKind, Reactor, Runtime, Turn};

/// A runtime with one shard of few cells and slots, set up already.
///
/// # Panics
///
/// Never: the settings are in range.
#[expect(clippy::unwrap_used, reason = "a model that cannot be set up must fail")]
pub fn small(cells: usize, slots: u32) -> Runtime {
    let builder = Runtime::builder().shards(1).cells(cells).slots(slots).seed(1).doorbell(DoorbellKind::Waker);
    let runtime = builder.build().unwrap();
    runtime.reactor(0).unwrap();
    runtime
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
