//! An HTTP/1.1 server that answers every request through a plugin: hyper in front, nylon-ring behind.
//!
//! ```text
//!                 ┌ worker: a thread, a current-thread runtime, a listener of its own (SO_REUSEPORT) ┐
//!  connections ──►│ read the body, up to a limit ──► host.call_view ──► plugin ──► response          │ × cores
//!                 └──────────────────────────────────────────────────────────────────────────────────┘
//!  Prometheus ───► one thread more, on a port of its own: GET /metrics
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `config.rs` | the command line |
//! | `gateway.rs` | threads: start, stop, wait for the end |
//! | `listener.rs` | sockets that share a port |
//! | `worker.rs` | accepting, and draining at the end |
//! | `service.rs` | one request: body, call, response |
//! | `frames.rs` | a plugin's stream as a chunked body |
//! | `metrics.rs` | the text that Prometheus reads |
//!
//! # What comes back
//!
//! A plugin's result comes back as [`nylon_ring_host::http_status`] says, a host's error as its
//! [`http_status`](nylon_ring_host::NylonRingHostError::http_status). The gateway adds:
//!
//! | status | when |
//! | --- | --- |
//! | 408 | the body did not come in time |
//! | 413 | the body is larger than the limit |
//! | 504 | the plugin did not answer in time, or sent no first frame |
//!
//! Whether a path is answered by one result or by a stream is a matter between plugin and host; here the command line says which
//! paths are streams. A stream that fails before its first frame has a status like any other result; later, the connection is cut
//! short, which is all that HTTP/1.1 has for it.
//!
//! A client that hangs up drops the call, and the plugin hears of it by `nylon.cancel/1`.

#![forbid(unsafe_code)]

mod config;
mod error;
mod frames;
mod gateway;
mod listener;
mod metrics;
mod service;
mod worker;

pub use crate::{config::Config, error::GatewayError, gateway::Gateway};
