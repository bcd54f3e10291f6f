//! Each artifact is built at most once a process.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use crate::ArtifactError;

/// What was built, by key. A failure is remembered too: the second caller would only wait for the same one.
pub(crate) struct Once {
    built: Mutex<BTreeMap<String, Result<PathBuf, ArtifactError>>>,
}

impl Once {
    pub(crate) const fn new() -> Self {
        Self { built: Mutex::new(BTreeMap::new()) }
    }

    /// Runs `build` for the first caller with this key; callers at the same time wait for it.
    pub(crate) fn get(
        &self,
        key: String,
        build: impl FnOnce() -> Result<PathBuf, ArtifactError>,
    ) -> Result<PathBuf, ArtifactError> {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.entry(key).or_insert_with(build).clone()
    }
}
