//! What a host must offer to be measured.
//!
//! Generic all the way: the futures of a contender are its own types, unboxed, so that nobody pays for the harness.

mod baseline;
mod ring;

use std::{future::Future, path::Path};

use nylon_ring::NrStatus;

use crate::BenchError;

pub use baseline::{DashMap, Mutex, MutexView};
pub use ring::{Ring, RingCall};

/// A host that is measured. Clones are the same host.
pub trait Contender: Clone + Send + Sync + Sized + 'static {
    /// What the report calls it.
    const NAME: &'static str;

    /// Loads the plugin.
    ///
    /// # Errors
    /// What the host says.
    fn load(plugin: &Path) -> Result<Self, BenchError>;

    /// One `GET` of `path` without query and headers: the status, and the length of the payload, which is dropped.
    fn call(&self, path: &str, body: &[u8]) -> impl Future<Output = Result<(NrStatus, usize), BenchError>> + Send;

    /// The same with the payload itself, as bytes of the caller's own.
    fn fetch(&self, path: &str, body: &[u8]) -> impl Future<Output = Result<(NrStatus, Vec<u8>), BenchError>> + Send;

    /// One streamed `GET` of `path`: the number of frames, the terminal one included, and their bytes in all.
    fn stream(&self, path: &str) -> impl Future<Output = Result<(u64, usize), BenchError>> + Send;

    /// The same with the frames themselves.
    fn frames(&self, path: &str) -> impl Future<Output = Result<Vec<(NrStatus, Vec<u8>)>, BenchError>> + Send;

    /// Stops the plugin; there must be nothing in flight.
    fn shutdown(&self) -> impl Future<Output = Result<(), BenchError>> + Send;

    /// Asks for something that sets the plugin up, and makes sure that it said yes.
    fn control(&self, path: &str) -> impl Future<Output = Result<(), BenchError>> + Send {
        async move {
            match self.call(path, b"").await? {
                (NrStatus::Ok, 0) => Ok(()),
                (status, len) => Err(BenchError::Answer { contender: Self::NAME, path: path.to_owned(), status, len }),
            }
        }
    }

    /// An error of this host.
    fn failed(reason: impl std::fmt::Display) -> BenchError {
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
