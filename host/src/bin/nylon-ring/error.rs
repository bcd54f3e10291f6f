//! What can go wrong in the tool itself: usage and files. All of it ends with exit code 2.

use std::{
    io,
    path::{Path, PathBuf},
};

use nylon_ring_host::NylonRingHostError;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} is not a file; give the path of the plugin's shared library, such as target/release/libmy_plugin.so", path.display())]
    NoPlugin { path: PathBuf },
    #[error("cannot print: {source}")]
    Print { source: io::Error },
    #[error("cannot run the harness: {source}")]
    Harness { source: io::Error },
    #[error("there is no check named {name:?}; `nylon-ring check --list` lists them")]
    UnknownCheck { name: String },
    #[error("not a request: {text:?}: {problem}; write METHOD and path, as in 'GET /hello?name=ada'")]
    BadRequest { text: String, problem: &'static str },
    #[error(transparent)]
    Host(#[from] NylonRingHostError),
    #[error("{0}")]
    Project(String),
}

impl CliError {
    pub(crate) fn read(path: impl AsRef<Path>, source: io::Error) -> Self {
        Self::Read { path: path.as_ref().into(), source }
    }

    pub(crate) fn write(path: impl AsRef<Path>, source: io::Error) -> Self {
        Self::Write { path: path.as_ref().into(), source }
    }
}

/// How a command that was carried out ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Good,
    /// Something is wrong with the plugin, or its answer was no `Ok`.
    Bad,
}
