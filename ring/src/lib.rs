//! Lock-free rings, slabs and reactors that carry results from any thread to waiting callers.
//!
//! A [`Runtime`] has shards. A caller *opens* a call on a shard and gets a [`Pending`], a future, and its *sid*, a number.
//! Whoever knows the sid *sends* the result, from any thread, by [`Runtime::send`]: into the shard's lock-free ring, without
//! a mutex and without waiting. The shard's [`Reactor`] drains the ring and wakes the caller. Streams are the same with a
//! [`Receiver`] and many frames.
//!
//! The crate knows no plugins, no executor and no I/O; `nylon-ring-host` builds on it, and so may you.
//!
//! ```
//! use nylon_ring_runtime::{NrStatus, Runtime};
//!
//! let runtime = Runtime::builder().shards(1).build()?;
//! let call = runtime.open(0)?;
//! let sid = call.sid();
//! std::thread::scope(|scope| {
//!     scope.spawn(|| runtime.send(sid, NrStatus::Ok, b"hello"));
//!     let reply = runtime.reactor(0)?.block_on(call)?;
//!     assert_eq!((reply.status(), &reply[..]), (NrStatus::Ok, &b"hello"[..]));
//!     Ok::<(), nylon_ring_runtime::RuntimeError>(())
//! })?;
//! # Ok::<(), nylon_ring_runtime::RuntimeError>(())
//! ```
//!
//! # How it works
//!
//! ```text
//!   open ─► slot ─► sid ······························► send(sid, status, bytes)
//!            ▲                                               │ claim, write, publish
//!            │ deliver, wake after the batch                 ▼
//!         reactor ◄── doorbell, only if it sleeps ────── ring of the sid's shard
//! ```
//!
//! The proofs stand at the top of the files they are about: `ring.rs` (claim, publish, consume, sleep), `token.rs` (who
//! consumes), `slot.rs` (the life of a call), `shard.rs` (overflow), `consumer.rs`, `doorbell.rs`, `state.rs`, `watch.rs`,
//! `window.rs`, `bump.rs`.

mod attachments;
mod buffer;
mod bump;
mod consumer;
mod deadlines;
mod doorbell;
mod error;
mod fences;
mod frames;
mod inline_scope;
mod ledger;
mod metrics;
mod pending;
mod reactor;
mod receiver;
mod region;
mod reply;
mod ring;
mod runtime;
mod seat;
mod shard;
#[cfg(any(target_os = "linux", nylon_loom, miri))]
mod shared;
mod sid;
mod slab;
mod slot;
mod state;
mod sync;
mod token;
mod waker_cell;
mod watch;
mod window;

pub use nylon_ring::NrStatus;

#[cfg(all(target_os = "linux", not(any(nylon_loom, miri))))]
pub use crate::shared::{Salvaged, SharedConsumer, SharedProducer};
pub use crate::{
    attachments::TrySendError,
    buffer::Buffer,
    doorbell::{Doorbell, DoorbellKind},
    error::RuntimeError,
    metrics::{Counter, InFlight, Metrics},
    pending::{Call, Pending},
    reactor::{Reactor, Turn},
    receiver::Receiver,
    reply::{INLINE, Reply},
    runtime::{Runtime, RuntimeBuilder, ShardRef},
    seat::Seat,
    watch::{Event, Watching},
};

/// What models, tests under Miri and benchmarks of the ring alone reach beside the public interface; no part of it.
#[doc(hidden)]
pub mod internals {
    #[cfg(any(nylon_loom, miri))]
    pub use crate::shared::{
        consumer::{Consumer, Corrupt, Message},
        memory::Memory,
        producer::{NotPushed, Producer},
    };
    pub use crate::{
        bump::Bumps,
        region::Region,
        ring::{Armed, Cell, Published, Ring},
    };
}
