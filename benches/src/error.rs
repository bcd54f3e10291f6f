//! What can go wrong while measuring.

use std::io;

use nylon_ring::NrStatus;

/// Why a measurement gave no figure.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The benchmarks' plugin could not be built.
    #[error("the benchmarks' plugin is not there: {0}")]
    Plugin(String),
    /// A host reported an error.
    #[error("{contender} failed: {reason}")]
    Host {
        /// Whose host.
        contender: &'static str,
        /// What it said.
        reason: String,
    },
    /// A host gave a wrong answer: its time would be worth nothing.
    #[error("{contender} answered {path} by {status:?} and {len} bytes")]
    Answer {
        /// Whose host.
        contender: &'static str,
        /// What was asked.
        path: String,
        /// How it answered.
        status: NrStatus,
        /// The answer's length.
        len: usize,
    },
    /// A stream ended without its `StreamEnd`, or with too few or too many frames.
    #[error("{contender} streamed {got} frames for {path} where {expected} were due")]
    Frames {
        /// Whose host.
        contender: &'static str,
        /// What was asked.
        path: String,
        /// How many came.
        got: u64,
        /// How many should have come.
        expected: u64,
    },
    /// A queue lost, invented or reordered records.
    #[error("{queue} did not deliver what was pushed: {fault}")]
    Queue {
        /// Which queue.
        queue: &'static str,
        /// What was seen first.
        fault: String,
    },
    /// The plugin's times could not be read.
    #[error("the plugin's times cannot be read: {0:?}")]
    Times(String),
    /// A task of the measurement panicked.
    #[error("a task of the measurement ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// A runtime, a thread or a file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The results could not be written down.
    #[error("the results cannot be written or read as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A plot could not be drawn.
    #[error("a plot cannot be drawn: {0}")]
    Plot(String),
    /// An argument names what there is not.
    #[error("{0}")]
    Usage(String),
}

impl From<Box<Self>> for BenchError {
    fn from(boxed: Box<Self>) -> Self {
        *boxed
    }
}
