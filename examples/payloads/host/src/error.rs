//! What can go wrong in this example.

use nylon_ring_artifacts::ArtifactError;
use nylon_ring_host::{NrStatus, NylonRingHostError};
use nylon_ring_payloads::PayloadError;

/// Why the example ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExampleError {
    /// The plugin could not be built or found.
    #[error(transparent)]
    Plugin(#[from] ArtifactError),
    /// The host could not load or call the plugin.
    #[error(transparent)]
    Host(#[from] NylonRingHostError),
    /// A payload could not be made or read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The plugin answered, but not with `Ok`.
    #[error("{path} was answered with {status:?}: {text}")]
    Answer {
        /// What was asked.
        path: &'static str,
        /// How it was answered.
        status: NrStatus,
        /// The answer.
        text: String,
    },
}
