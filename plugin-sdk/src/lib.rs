//! Write nylon-ring plugins in safe Rust.
//!
//! A plugin is a type that implements [`Plugin`], exported by [`plugin!`] from a crate of the type `cdylib`:
//!
//! ```standalone_crate
//! use std::{thread, time::Duration};
//!
//! use nylon_ring_sdk::{Call, Error, Failure, Host, Plugin, Request, plugin};
//!
//! struct Greeter;
//!
//! impl Plugin for Greeter {
//!     type Config = ();
//!
//!     fn new(_config: (), _host: &Host) -> Result<Self, Error> {
//!         Ok(Self)
//!     }
//!
//!     fn call(&self, req: Request<'_>, call: Call) {
//!         match req.path() {
//!             "/hello" => call.reply("hello"), // at once, without a copy of the request
//!             "/slow" => {
//!                 let req = req.to_owned(); // the handler returns first, so it keeps a copy
//!                 thread::spawn(move || {
//!                     thread::sleep(Duration::from_secs(1));
//!                     call.reply(format!("{} {}", req.method, req.path));
//!                 });
//!             }
//!             path => call.fail(Failure::Unsupported, format!("no such path: {path}")),
//!         }
//!     }
//! }
//!
//! plugin! { Greeter }
//! # fn main() {}
//! ```
//!
//! The guide, `README.md` beside this crate's sources, goes through all of it with examples. The features:
//!
//! | feature | for |
//! | --- | --- |
//! | `json` (default) | a [`Config`] of any type that serde reads |
//! | `tokio` | `AsyncPlugin`: handlers that are an `async fn`, on a runtime of the plugin's own |
//! | `tracing` | `Host::forward_tracing`: what a plugin says through `tracing` goes to the host's log |
//! | `testing` | `testing::MockHost`: a host for unit tests |
//!
//! # What the SDK sees to
//!
//! * **Every call is answered, exactly once.** All that ends a [`Call`] or a [`StreamSender`] consumes it, and one that
//!   is dropped answers [`Failure::Err`] by itself: a forgotten branch, a panic in the handler or on a thread of the
//!   plugin, a queue that is thrown away at shutdown.
//! * **Requests are checked before the handler sees them.** A null pointer with a length, a length past all bounds or
//!   text that is not UTF-8 is refused with `Invalid`; the plugin's code is not called.
//! * **Borrowed data cannot be kept by mistake.** A [`Request`] points into the host's memory and ends with the
//!   handler; a [`State`] ends with its call.
//! * **No panic reaches the host.** That needs unwinding: a plugin built with `panic = "abort"` takes the host down
//!   with it.
//! * **Calls out of order are refused**: `init` a second time or after `shutdown`, `handle` before `init`. One instance
//!   serves one host; for another host, or another configuration, a host makes another instance, or loads a copy of the
//!   file.
//! * **Every extension of the host is optional.** Where one is missing, what needs it does without, as each method says.
//! * **The shortest path is short.** A handler that answers before it returns costs no allocation, no lock, no copy but the
//!   host's own of the result, and no atomic read-modify-write.
//!
//! # What the plugin sees to
//!
//! [`Plugin::call`] runs on a thread of the host and must never block, sleep or wait. `nylon-ring-plugin-example` shows
//! how one timer thread serves any number of waiting calls; or implement `AsyncPlugin` instead.
//!
//! [`Plugin::shutdown`] stops the plugin's threads and waits for them: a host may unload the library afterwards.

#[cfg(feature = "tokio")]
mod asynchronous;
mod buffer;
mod call;
mod config;
mod error;
#[cfg(feature = "tracing")]
mod events;
mod ffi;
mod host;
mod lifecycle;
mod log;
mod macros;
mod plugin;
mod request;
mod scope;
mod state;
mod stream;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "tokio")]
pub use asynchronous::{Async, AsyncPlugin, Context, Failed, FrameSender, Payload};
pub use buffer::{FrameBuffer, ReplyBuffer};
pub use call::{Call, Failure};
pub use config::{Config, RawConfig};
pub use error::Error;
#[cfg(feature = "tracing")]
pub use events::HostLayer;
pub use ffi::{Event, Watch};
pub use host::Host;
pub use log::Level;
pub use nylon_ring::NrStatus;
pub use plugin::Plugin;
pub use request::{Headers, OwnedRequest, Request};
pub use state::State;
pub use stream::StreamSender;

/// What [`plugin!`] expands to; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::{
        ffi::{Exports, exports},
        lifecycle::Instance,
    };
    pub use nylon_ring::{NrHostApi, NrPluginInfo};
}

/// The snippets of the guide are compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Guide;
