//! The file that the dynamic loader is given: a private copy of the plugin's library, or the library itself.
//!
//! A dynamic loader maps a file once: loading the same path (or the same inode under another path) again yields the
//! same image, and with it the same statics. Two hosts would share one plugin's globals, and a reload would run the
//! old code. So each load works on a copy of its own, in a directory of its own:
//!
//! * The directory's name is 16 random characters, because a loader also compares path names: the name of a copy that
//!   is still mapped must never come again.
//! * The copy keeps the file name of the original, suffix included, so that logs and tools name the right thing.
//! * Nobody else may write there (mode 0700), and overwriting the original cannot disturb the running image.
//! * On Unix the copy is deleted as soon as it is mapped: the mapping keeps the inode alive, hence its number cannot
//!   be given to a later copy either. Elsewhere a mapped file cannot be deleted, and the copy stays.
//!
//! What a copy does not have is the neighbourhood of the original: a library that finds others through `$ORIGIN`, or
//! that reads files beside itself, is to be loaded in place. And what a loader shares by name whatever the file stays
//! shared: GNU unique symbols, which g++ makes of the statics of inline functions and templates (`-fno-gnu-unique`).

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::error::NylonRingHostError;

/// Random characters in the name of a copy's directory.
const RANDOM_CHARACTERS: usize = 16;

/// A file to give to the dynamic loader. Dropped before [`mapped`](Self::mapped), it leaves nothing behind.
#[derive(Debug)]
#[must_use]
pub(crate) struct LibraryFile {
    path: PathBuf,
    /// The directory of a private copy; none for a file loaded in place.
    directory: Option<TempDir>,
}

impl LibraryFile {
    /// The file itself. Its path is made absolute: a loader searches the system's directories for a bare name.
    pub(crate) fn in_place(original: &Path) -> Result<Self, NylonRingHostError> {
        check_file(original)?;
        let path = std::path::absolute(original).map_err(unreadable(original))?;
        Ok(Self { path, directory: None })
    }

    /// A private copy of the file.
    pub(crate) fn private_copy(original: &Path) -> Result<Self, NylonRingHostError> {
        check_file(original)?;
        let mut source = File::open(original).map_err(unreadable(original))?;
        let parent = std::env::temp_dir();
        let directory = private_directory(&parent).map_err(not_copied(original, &parent))?;
        let name = original.file_name().unwrap_or_else(|| "plugin".as_ref());
        let path = directory.path().join(name);
        File::create_new(&path)
            .and_then(|mut copy| io::copy(&mut source, &mut copy))
            .map_err(not_copied(original, directory.path()))?;
        Ok(Self { path, directory: Some(directory) })
    }

    /// What to hand to the loader.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file is mapped: a copy is deleted where the platform allows it, and kept elsewhere.
    pub(crate) fn mapped(self) {
        if let Some(directory) = self.directory {
            if cfg!(unix) {
                drop(directory);
            } else {
                let _kept = directory.keep();
            }
        }
    }
}

/// The file must be a regular one. (Opening a FIFO would block, and a directory reads as an obscure error.)
fn check_file(path: &Path) -> Result<(), NylonRingHostError> {
    let metadata = fs::metadata(path).map_err(unreadable(path))?;
    let problem = if metadata.is_dir() {
        io::Error::new(io::ErrorKind::IsADirectory, "it is a directory")
    } else if !metadata.is_file() {
        io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
    } else {
        return Ok(());
    };
    Err(unreadable(path)(problem))
}

fn private_directory(parent: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("nylon-ring-").rand_bytes(RANDOM_CHARACTERS);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(parent)
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> NylonRingHostError {
    move |source| NylonRingHostError::LibraryFile { path: path.into(), source }
}

fn not_copied(path: &Path, directory: &Path) -> impl FnOnce(io::Error) -> NylonRingHostError {
    move |source| NylonRingHostError::LibraryCopy { path: path.into(), directory: directory.into(), source }
}
