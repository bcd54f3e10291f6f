//! A host for unit tests of plugins: no shared library, no host (feature `testing`).
//!
//! ```toml
//! [dev-dependencies]
//! nylon-ring-sdk = { version = "0.1", features = ["testing"] }
//! ```
//!
//! ```
//! use nylon_ring_sdk::{Call, Error, Host, NrStatus, Plugin, Request, testing::{MockHost, MockRequest}};
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
//!         match req.header("name") {
//!             Some(name) => call.reply(format!("hello, {name}")),
//!             None => call.err("who are you?"),
//!         }
//!     }
//! }
//!
//! // #[test]
//! fn greets_by_name() -> Result<(), Error> {
//!     let host = MockHost::<Greeter>::start()?;
//!     let reply = host.call(MockRequest::get("/").header("name", "ada")).wait()?;
//!     assert_eq!((reply.status, reply.text().as_ref()), (NrStatus::Ok, "hello, ada"));
//!     assert_eq!(host.call("/").wait()?.status, NrStatus::Err);
//!     Ok(())
//! }
//! # greets_by_name()?;
//! # Ok::<(), Error>(())
//! ```
//!
//! A plugin that is an [`AsyncPlugin`](crate::AsyncPlugin) is tested as `MockHost::<Async<Greeter>>` (feature `tokio`).
//!
//! | to test | |
//! | --- | --- |
//! | the configuration | [`MockHostBuilder::config`], [`Error::NotStarted`](crate::Error::NotStarted) |
//! | a stream | [`MockHost::stream`] |
//! | backpressure | [`MockHostBuilder::window`], [`PendingStream::next`] makes room |
//! | a caller who gives up | [`PendingCall::cancel`], [`MockRequest::deadline`] |
//! | the state of a call | [`PendingCall::state`] |
//! | what is logged | [`MockHost::logs`] |
//! | a host that offers less | [`MockHostBuilder::without`], [`MockHostBuilder::bare`] |
//! | the end | [`MockHost::shutdown`], [`MockHost::is_quiescent`] |

mod book;
mod ffi;
mod host;
mod pending;
mod request;

pub use host::{MockHost, MockHostBuilder};
pub use pending::{PendingCall, PendingStream};
pub use request::{LogLine, MockRequest, Reply};
