//! Plugins whose handlers are `async`, on a runtime of their own.
//!
//! ```text
//!  host's thread      handle ─► Async::call: copies the request, spawns ─► returns
//!  runtime's threads                                 drive: polls AsyncPlugin::call, then ends the call
//! ```
//!
//! What can end a call, here as everywhere: its `Open` is taken out of the [`Cell`](context::Cell) that all parts of the
//! call share, so it ends once: by the [`FrameSender`], by what the handler returns, by its panic, or by the task's drop
//! when the runtime stops.

mod context;
mod frames;
mod payload;
mod plugin;
mod runtime;

pub(crate) use context::Cell;
pub use context::Context;
pub use frames::FrameSender;
pub use payload::{Failed, Payload};
pub use plugin::{Async, AsyncPlugin};
