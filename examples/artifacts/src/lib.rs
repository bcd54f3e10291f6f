//! Builds and finds the shared objects of the example and test plugins, at run time.
//!
//! A test, an example or a benchmark needs a `.so` (`.dylib`, `.dll`) that cargo does not build for it. This crate builds
//! it on first use, into the target directory and with the profile of the running executable:
//!
//! * [`cargo_cdylib`]: a `cdylib` package of this workspace, [`example_plugin`] for the one most people want;
//! * [`c_plugin`]: one C file, compiled with the C header of `abi/include`, [`c_source`] for those in `examples/c`;
//! * [`cpp_plugin`]: one C++ file, with the headers of `plugin-sdk/cpp` too, [`cpp_source`] for those in `examples/cpp`;
//! * [`go_plugin`] and [`zig_plugin`]: a Go package, a Zig file, compiled with the SDK of their language by what
//!   `make toolchains` has installed.
//!
//! Each is built at most once a process. Processes may build the same thing at the same time: cargo has its lock, and C
//! and C++ plugins are written under a temporary name and renamed.
//!
//! An executable that runs without cargo uses the library that lies next to it, if there is one.
//!
//! ```no_run
//! # fn main() -> Result<(), nylon_ring_artifacts::ArtifactError> {
//! let rust = nylon_ring_artifacts::example_plugin()?;
//! let c = nylon_ring_artifacts::c_plugin(&nylon_ring_artifacts::c_source("minimal"), &[])?;
//! # Ok(()) }
//! ```
//!
//! | environment | |
//! | --- | --- |
//! | `NYLON_RING_ARTIFACT_ARGS` | more arguments for `cargo build`, separated by blanks (`-Zbuild-std`) |
//! | `CC`, `CFLAGS`, `CXX`, `CXXFLAGS` | as the `cc` crate reads them |
//!
//! In a build with `-Zsanitizer` C and C++ plugins are compiled with that sanitizer too.

mod c;
mod cdylib;
mod error;
mod layout;
mod once;
mod toolchains;

pub use c::{c_plugin, c_source, cpp_plugin, cpp_source};
pub use cdylib::{cargo_cdylib, example_plugin};
pub use error::ArtifactError;
pub use layout::target;
pub use toolchains::{go_plugin, toolchain, zig_plugin};
