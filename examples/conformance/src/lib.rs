//! What the plugins of every language have to do, checked through the host.
//!
//! Each language has three plugins, with the routes that `examples/README.md` describes: [`echo`] answers inside
//! `handle`, [`background`] from threads of its own, [`streaming`] sends frames. A language's tests build its libraries
//! and hand them over:
//!
//! ```no_run
//! # use std::path::Path;
//! nylon_ring_conformance::echo(Path::new("libecho.so"));
//! ```
//!
//! Each function loads the library once (some languages cannot be loaded twice into one process), runs its checks on a
//! runtime of one thread and on one of two workers, closes the host, and looks at the books. What is wrong is a panic, with
//! the name of the check.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is a test suite: a check that fails panics"
)]

mod background;
mod echo;
mod rig;
mod streaming;

pub use background::background;
pub use echo::echo;
pub use streaming::streaming;
