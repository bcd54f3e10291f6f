//! What can go wrong in the gateway itself.

use std::{io, net::SocketAddr};

use nylon_ring_artifacts::ArtifactError;
use nylon_ring_host::NylonRingHostError;

/// Why the gateway did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The example plugin could not be built or found.
    #[error(transparent)]
    Plugin(#[from] ArtifactError),
    /// The plugin could not be loaded, or not be shut down in time.
    #[error(transparent)]
    Host(#[from] NylonRingHostError),
    /// An address could not be listened on.
    #[error("cannot listen on {address}: {source}; choose another with --listen or --metrics")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// A thread or its runtime could not be started.
    #[error("cannot start a worker: {0}")]
    Worker(#[from] io::Error),
    /// Requests were still under way at the end of the grace period, and were cut off.
    #[error("requests were still under way after {0:?} and were cut off; give a longer --grace")]
    Grace(std::time::Duration),
    /// A worker panicked.
    #[error("a worker ended by a panic")]
    Panic,
}
