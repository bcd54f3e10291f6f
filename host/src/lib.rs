//! Loads nylon-ring plugins and calls them without ever blocking.
//!
//! [`NylonRingHost::load`] loads a plugin: a shared library that speaks the `nylon-ring` ABI. [`NylonRingHost::call`] hands
//! it a request and awaits its one result, [`NylonRingHost::call_stream`] its frames. The plugin answers from any of its
//! threads; its answer goes through a lock-free ring of `nylon-ring-runtime` to a reactor task, which wakes the caller. No
//! mutex lies on that way.
//!
//! | to | see |
//! | --- | --- |
//! | call without allocating | [`NylonRingHost::call_view`] |
//! | choose sizes and limits | [`NylonRingHost::builder`] |
//! | see what happens | [`NylonRingHost::metrics`], [`NylonRingHost::in_flight`] |
//! | replace a plugin while it is called | [`ReloadableHost`] |
//! | have several, by name | [`Registry`] |
//! | stop | [`NylonRingHost::shutdown`] |
//!
//! | feature | gives |
//! | --- | --- |
//! | `bytes` | a [`Payload`] becomes a `bytes::Bytes`, without a copy of more than 4 KiB |
//! | `http` | conversions from and to requests, responses and statuses of the `http` crate |
//! | `tower` | `PluginService`, a `tower::Service`; with `http` also `HttpService`, one of HTTP requests |
//!
//! None of them is on by default.
//!
//! Any executor will do: on tokio the reactor runs as a task of the runtime that calls, elsewhere on a thread of its own.

mod admission;
mod builder;
#[cfg(feature = "bytes")]
mod bytes;
mod call;
mod callbacks;
mod clock;
mod context;
mod deadline;
mod dispatch;
mod error;
mod extensions;
#[cfg(feature = "watch")]
mod file_watch;
mod handle_times;
mod host;
#[cfg(feature = "http")]
mod http;
mod idle;
mod library_copy;
mod loader;
mod metrics;
#[cfg(feature = "metrics")]
mod metrics_export;
mod offers;
mod opening;
mod page;
mod payload;
mod publish;
mod reactor;
mod registry;
mod reload;
mod request;
mod seats;
mod shutdown;
mod spare;
mod stream;
mod threads;
#[cfg(feature = "tower")]
mod tower;
mod trace;
mod unload;
mod watchdog;

pub use nylon_ring::NrStatus;

#[cfg(feature = "watch")]
pub use crate::file_watch::{FileWatch, FileWatcher};
#[cfg(feature = "metrics")]
pub use crate::metrics_export::MetricsExporter;
pub use crate::{
    admission::Excess,
    builder::HostBuilder,
    deadline::CallOptions,
    error::NylonRingHostError,
    handle_times::HandleTimes,
    host::NylonRingHost,
    idle::Idle,
    metrics::Metrics,
    offers::Health,
    page::{Page, PageShard},
    payload::Payload,
    registry::{PluginEntry, Registry},
    reload::{ReloadableHost, Reloaded},
    request::{HighLevelRequest, RequestView},
    stream::{StreamFrame, StreamReceiver},
    threads::Reactors,
    watchdog::InFlight,
};

#[cfg(feature = "http")]
pub use crate::http::{HttpView, http_response, http_status};
#[cfg(all(feature = "http", feature = "tower"))]
pub use crate::tower::HttpService;
#[cfg(feature = "tower")]
pub use crate::tower::{PluginFuture, PluginService};
