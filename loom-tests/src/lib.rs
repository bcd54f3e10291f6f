//! Loom models that drive the production source of the ring runtime.
//!
//! The models lie in `tests/models`; what they share is here. They exist under `--cfg nylon_loom` only:
//!
//! ```text
//! RUSTFLAGS="--cfg nylon_loom" cargo test --release -p nylon-ring-loom-tests
//! ```

#[cfg(nylon_loom)]
mod blocks;
#[cfg(nylon_loom)]
mod bounds;
#[cfg(nylon_loom)]
mod drive;

#[cfg(nylon_loom)]
pub use crate::{
    blocks::{CountBlocks, MARKED, chunks, frees, marked},
    bounds::{Bound, model, outcomes},
    drive::{
        NOBODY, Woken, build, drain, hold_state, is_guarded, is_rung, react_until, send, settings, small, step, stop,
        wait_for, waker,
    },
};
