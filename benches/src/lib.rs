//! The ring side by side with the mutex baseline.
//!
//! Every contender calls the same plugin (`nylon-ring-bench-plugin`), [`Public`] the same work behind its own ABI, driven
//! by the same code ([`drive`]) through the same trait ([`Contender`]). `compare` is the binary over all of it; `README.md` beside this
//! crate says how to run and read it.
//!
//! | module | what |
//! | --- | --- |
//! | [`MutexBaseline`] | the host that everybody writes first: a mutex, a map, a oneshot for each call |
//! | [`DashMapBaseline`] | the same with a map in shards |
//! | [`Contender`] | what a host must offer to be measured; [`Ring`], [`RingCall`], [`Mutex`], [`MutexView`], [`DashMap`], [`Public`], [`Floor`] |
//! | [`drive`] | one measurement: a runtime, tasks in a loop, results per second |
//! | [`alloc`] | an allocator that counts |
//! | [`queues`] | raw queues, without plugins |
//! | [`open_loop`] | another: requests at a fixed rate, and their latencies |
//! | [`memory`] | what the process has |
//! | [`compare`] | all sections, contenders in turn, and the report |
//! | [`demo_throughput`] | two numbers in two seconds |
//! | [`soak`] | not a measurement: whether the books balance, under everything at once |

pub mod alloc;
mod baseline;
pub mod compare;
mod contender;
mod demo;
pub mod drive;
mod error;
pub mod memory;
pub mod open_loop;
mod plain_plugin;
mod plugin_times;
pub mod queues;
pub mod soak;
pub mod work;

pub use baseline::{
    Baseline, BaselineStream, DashMapBaseline, InMutexes, InShards, Maps, MutexBaseline, OwnedFrame, SidMap,
};
pub use contender::{Contender, DashMap, Floor, Mutex, MutexView, Public, PublicFast, Ring, RingCall};
pub use demo::{Throughput, demo_throughput};
pub use error::BenchError;
pub use plain_plugin::BaselineError;
pub use plugin_times::PluginTimes;

use std::path::PathBuf;

/// The plugin that every contender with this project's ABI calls, built if it has to be.
///
/// # Errors
/// It cannot be built.
pub fn plugin() -> Result<PathBuf, BenchError> {
    built("nylon-ring-bench-plugin")
}

/// The plugin of [`Public`], built if it has to be: the same work behind that host's ABI.
///
/// # Errors
/// It cannot be built.
pub fn plugin_public() -> Result<PathBuf, BenchError> {
    built("nylon-ring-bench-plugin-public")
}

fn built(package: &str) -> Result<PathBuf, BenchError> {
    nylon_ring_artifacts::cargo_cdylib(package).map_err(|error| BenchError::Plugin(error.to_string()))
}
