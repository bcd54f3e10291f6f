//! What a host must offer to be measured.
//!
//! Generic all the way: the futures of a contender are its own types, unboxed, so that nobody pays for the harness.

mod baseline;
mod floor;
mod public;
mod ring;

use std::{
    fmt,
    future::Future,
    path::{Path, PathBuf},
};

use nylon_ring::NrStatus;

use crate::{BenchError, work::Shape};

pub use baseline::{DashMap, Mutex, MutexView};
pub use floor::Floor;
pub use public::{Public, PublicFast};
pub use ring::{Ring, RingCall};

/// A host that is measured. Clones are the same host.
pub trait Contender: Clone + Send + Sync + Sized + 'static {
    /// What the report calls it.
    const NAME: &'static str;

    /// A path as this host wants it, found once and used for many calls.
    type Route: Clone + Send + Sync + 'static;

    /// The plugin that it loads, built if it has to be.
    ///
    /// # Errors
    /// It cannot be built.
    fn plugin() -> Result<PathBuf, BenchError> {
        crate::plugin()
    }

    /// Loads the plugin.
    ///
    /// # Errors
    /// What the host says.
    fn load(plugin: &Path) -> Result<Self, BenchError>;

    /// Loads the plugin with what this kind of work needs: room for the calls in flight, a way to wait.
    ///
    /// # Errors
    /// What the host says.
    fn load_for(plugin: &Path, _shape: &Shape) -> Result<Self, BenchError> {
        Self::load(plugin)
    }

    /// What stands for `path` in [`call`](Self::call) and [`stream`](Self::stream).
    ///
    /// # Errors
    /// The host knows that the plugin has no such path.
    fn route(&self, path: &'static str) -> Result<Self::Route, BenchError>;

    /// One `GET` of a path without query and headers: the status, and the length of the payload, which is dropped. Route and body lie
    /// where they were, so that no contender's future starts by reading the parts of one that were written just before; an
    /// error is boxed, so that the outcome is moved in registers.
    fn call(
        &self,
        route: &Self::Route,
        body: &&[u8],
    ) -> impl Future<Output = Result<(NrStatus, usize), Box<BenchError>>> + Send;

    /// The same by the path itself, with the payload itself, as bytes of the caller's own.
    fn fetch(&self, path: &str, body: &[u8]) -> impl Future<Output = Result<(NrStatus, Vec<u8>), BenchError>> + Send;

    /// One streamed `GET` of a path: the number of frames, the terminal one included, and their bytes in all.
    fn stream(&self, route: &Self::Route) -> impl Future<Output = Result<(u64, usize), Box<BenchError>>> + Send;

    /// The same by the path itself, with the frames themselves.
    fn frames(&self, path: &str) -> impl Future<Output = Result<Vec<(NrStatus, Vec<u8>)>, BenchError>> + Send;

    /// Stops the plugin; there must be nothing in flight.
    fn shutdown(&self) -> impl Future<Output = Result<(), BenchError>> + Send;

    /// Asks for something that sets the plugin up, and makes sure that it said yes.
    fn control(&self, path: &str) -> impl Future<Output = Result<(), BenchError>> + Send {
        async move {
            match self.fetch(path, b"").await? {
                (NrStatus::Ok, answer) if answer.is_empty() => Ok(()),
                (status, answer) => Err(Self::wrong(path, status, answer.len())),
            }
        }
    }

    /// A wrong answer of this host.
    fn wrong(path: &str, status: NrStatus, len: usize) -> BenchError {
        BenchError::Answer { contender: Self::NAME, path: path.to_owned(), status, len }
    }

    /// An error of this host.
    fn failed(reason: impl fmt::Display) -> BenchError {
        BenchError::Host { contender: Self::NAME, reason: reason.to_string() }
    }
}

/// The owned request that [`Contender::call`] stands for.
fn owned(path: &str, body: &[u8]) -> nylon_ring_host::HighLevelRequest {
    nylon_ring_host::HighLevelRequest {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: String::new(),
        headers: Vec::new(),
        body: body.to_vec(),
    }
}

/// The borrowed request that [`Contender::call`] stands for.
fn view<'a>(path: &'a str, body: &'a [u8]) -> nylon_ring_host::RequestView<'a> {
    nylon_ring_host::RequestView { method: "GET", path, query: "", headers: &[], body }
}
