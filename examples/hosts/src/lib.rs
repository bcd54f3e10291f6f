//! Example hosts: what calling a plugin looks like.
//!
//! | binary | shows | code |
//! | --- | --- | --- |
//! | `simple` | five calls at once, on one thread | [`simple`] |
//! | `streaming` | one call with many frames | [`streaming`] |
//! | `state` | what a plugin stores for one call | [`state`] |
//! | `demo` | all three, then the throughput beside a host with a mutex | `src/bin/demo.rs` |
//!
//! Each binary loads the Rust example plugin, or what its first argument names: a shared library, or a C file, which is
//! compiled first.
//!
//! ```sh
//! cargo run --release -p nylon-ring-examples --bin simple
//! cargo run --release -p nylon-ring-examples --bin simple -- examples/c/minimal.c
//! ```

mod error;
mod run;
pub mod simple;
pub mod state;
pub mod streaming;

pub use error::ExampleError;
pub use run::{on_one_thread, report};

/// The snippets of the project's README are compiled as tests of this crate.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
