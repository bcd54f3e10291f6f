//! Write nylon-ring plugins in safe Rust.
//!
//! A plugin is a type that implements [`Plugin`], exported by [`plugin!`] from a crate of the type `cdylib`:
//!
//! ```
//! use std::{thread, time::Duration};
//!
//! use nylon_ring_sdk::{Call, Error, Failure, Host, Plugin, Request, plugin};
//!
//! struct Greeter;
//!
//! impl Plugin for Greeter {
//!     fn new(_host: &Host) -> Result<Self, Error> {
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
//! * **Calls out of order are refused**: `init` a second time or after `shutdown`, `handle` before `init`. One image
//!   of a library serves one host; a host that loads it again loads a copy of the file.
//!
//! # What the plugin sees to
//!
//! [`Plugin::call`] runs on a thread of the host and must never block, sleep or wait. `nylon-ring-plugin-example` shows
//! how one timer thread serves any number of waiting calls.
//!
//! # Streams
//!
//! ```
//! # use nylon_ring_sdk::Call;
//! fn count(call: Call) {
//!     let mut stream = call.stream();
//!     for i in 1..=3 {
//!         stream.send(format!("frame {i}"));
//!     }
//!     stream.end(); // without it the stream would end with an error
//! }
//! ```
//!
//! # State
//!
//! The host can keep a small map of bytes for each call, until it is over: [`Call::state`].
//!
//! ```
//! # use nylon_ring_sdk::{Call, Error};
//! fn remember(call: &Call) -> Result<(), Error> {
//!     call.state().set("user", "ada")?;
//!     assert_eq!(call.state().get("user")?.as_deref(), Some(&b"ada"[..]));
//!     Ok(())
//! }
//! ```

mod call;
mod error;
mod ffi;
mod host;
mod lifecycle;
mod plugin;
mod request;
mod state;

pub use call::{Call, Failure, StreamSender};
pub use error::Error;
pub use host::Host;
pub use plugin::Plugin;
pub use request::{Headers, OwnedRequest, Request};
pub use state::State;

/// What [`plugin!`] expands to; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::{
        ffi::{attach, info},
        lifecycle::Instance,
    };
    pub use nylon_ring::{NrHostApi, NrPluginInfo};
}
