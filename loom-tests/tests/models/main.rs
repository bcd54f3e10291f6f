//! The models. Each says which outcomes are legal; the modules are named after the source files whose proofs they check.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[cfg(nylon_loom)]
mod bump;
#[cfg(nylon_loom)]
mod closing;
#[cfg(nylon_loom)]
mod forged;
#[cfg(nylon_loom)]
mod frames;
#[cfg(nylon_loom)]
mod giving_up;
#[cfg(nylon_loom)]
mod inline;
#[cfg(nylon_loom)]
mod limit;
#[cfg(nylon_loom)]
mod overflow;
#[cfg(nylon_loom)]
mod reactor;
#[cfg(nylon_loom)]
mod ring;
#[cfg(nylon_loom)]
mod seat;
#[cfg(nylon_loom)]
mod shard;
#[cfg(nylon_loom)]
mod shared;
#[cfg(nylon_loom)]
mod slab;
#[cfg(nylon_loom)]
mod state;
#[cfg(nylon_loom)]
mod stream;
#[cfg(nylon_loom)]
mod wakers;
#[cfg(nylon_loom)]
mod watch;
#[cfg(nylon_loom)]
mod window;

#[cfg(nylon_loom)]
#[global_allocator]
static BLOCKS: nylon_ring_loom_tests::CountBlocks = nylon_ring_loom_tests::CountBlocks;

#[cfg(not(nylon_loom))]
#[test]
#[ignore = "no model was run: they need RUSTFLAGS=\"--cfg nylon_loom\""]
fn models_need_the_cfg_nylon_loom() {
    panic!("no model was run: they need RUSTFLAGS=\"--cfg nylon_loom\"");
}
