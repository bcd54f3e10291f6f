//! The host against a plugin that does everything wrong (`examples/c/misbehaving.c`).
//!
//! Whatever the plugin does: the host does not crash or hang, nobody gets what was not meant for them, every result is
//! either delivered or counted as dropped, memory stays bounded, and the next call works.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

#[path = "misbehaving/accounts.rs"]
mod accounts;
#[path = "misbehaving/counting.rs"]
mod counting;
#[path = "misbehaving/lifecycle.rs"]
mod lifecycle;
#[path = "misbehaving/loading.rs"]
mod loading;
#[path = "misbehaving/memory.rs"]
mod memory;
#[path = "misbehaving/refusals.rs"]
mod refusals;
#[path = "misbehaving/results.rs"]
mod results;
#[path = "misbehaving/rig.rs"]
mod rig;
#[path = "misbehaving/sids.rs"]
mod sids;
#[path = "misbehaving/state.rs"]
mod state;
#[path = "misbehaving/streams.rs"]
mod streams;
