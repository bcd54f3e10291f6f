//! What can go wrong in an example.

use std::io;

use nylon_ring_artifacts::ArtifactError;
use nylon_ring_benches::BenchError;
use nylon_ring_host::{NrStatus, NylonRingHostError};

/// Why an example ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExampleError {
    /// The plugin could not be built or found.
    #[error(transparent)]
    Plugin(#[from] ArtifactError),
    /// The host could not load or call the plugin.
    #[error(transparent)]
    Host(#[from] NylonRingHostError),
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
    /// A task of an example panicked.
    #[error("a task ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// The runtime could not be started.
    #[error("cannot start a runtime: {0}")]
    Runtime(#[from] io::Error),
    /// The measurement of the demo gave no figure.
    #[error("the measurement gave no figure: {0}")]
    Measurement(#[from] BenchError),
}
