//! Reloading a plugin when its file changes (feature `watch`).
//!
//! The directory is watched, not the file: whoever installs a new version writes another file and renames it over the old one, and a
//! watch of the old one would see nothing of that. A change is followed by a pause, so that a file that is being written is
//! not read in the middle; if it is all the same, loading it fails, and the change that completes it brings the next try.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind},
};

use crate::{
    error::NylonRingHostError,
    reload::{ReloadableHost, Reloaded},
    spare,
};

type Report = Box<dyn FnMut(Result<Reloaded, NylonRingHostError>) + Send>;

/// How a plugin's file is watched.
#[must_use = "settings do nothing until `ReloadableHost::watch`"]
pub struct FileWatch {
    pause: Duration,
    grace: Duration,
    report: Option<Report>,
}

impl Default for FileWatch {
    fn default() -> Self {
        Self { pause: Duration::from_millis(200), grace: Duration::from_secs(30), report: None }
    }
}

impl FileWatch {
    /// For how long nothing must have changed before the file is loaded; the default is 200 ms.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// How long calls in flight get on the old version; the default is 30 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Gets what became of each reload, on a thread of its own. With or without it, `tracing` gets an event (target
    /// `nylon_ring::reload`). A reload that fails leaves the old version as it was.
    pub fn on_reload(mut self, report: impl FnMut(Result<Reloaded, NylonRingHostError>) + Send + 'static) -> Self {
        self.report = Some(Box::new(report));
        self
    }
}

impl fmt::Debug for FileWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileWatch").field("pause", &self.pause).field("grace", &self.grace).finish_non_exhaustive()
    }
}

/// Watches a plugin's file until it is dropped. It keeps the host alive.
#[must_use = "dropping it ends the watch"]
#[derive(Debug)]
pub struct FileWatcher {
    _watcher: RecommendedWatcher,
}

impl ReloadableHost {
    /// Reloads the plugin whenever the file changes that it was loaded from.
    ///
    /// # Errors
    ///
    /// [`FileWatch`](NylonRingHostError::FileWatch) when the system does not watch its directory, and
    /// [`ReactorThread`](NylonRingHostError::ReactorThread) when there is no thread for it.
    pub fn watch(&self, settings: FileWatch) -> Result<FileWatcher, NylonRingHostError> {
        let path = self.current().path().to_path_buf();
        let failed =
            |error: notify::Error| NylonRingHostError::FileWatch { path: path.clone(), reason: error.to_string() };
        let absolute = std::path::absolute(&path).map_err(|error| failed(error.into()))?;
        let directory = absolute.parent().unwrap_or(Path::new("/")).to_path_buf();
        let (changed, changes) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(move |event: Result<Event, _>| {
            // What the watcher cannot tell may have been a change. The other end is there until this one goes.
            if event.map_or(true, |event| is_change(&event, &absolute)) {
                let _ = changed.send(());
            }
        })
        .map_err(failed)?;
        watcher.watch(&directory, RecursiveMode::NonRecursive).map_err(failed)?;
        let host = self.clone();
        let work = move || run(&host, settings, &changes);
        let spawned = thread::Builder::new().name("nylon-ring-watch".into()).spawn(work);
        spawned.map_err(NylonRingHostError::ReactorThread)?;
        Ok(FileWatcher { _watcher: watcher })
    }
}

/// Whether the file may have other content now. (Loading it reads it, which is an event too.)
fn is_change(event: &Event, file: &PathBuf) -> bool {
    let kind = match event.kind {
        EventKind::Modify(ModifyKind::Metadata(_)) | EventKind::Remove(_) => false,
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    };
    kind && (event.need_rescan() || event.paths.contains(file))
}

/// Reloads after each change, until the watcher is gone.
fn run(host: &ReloadableHost, settings: FileWatch, changes: &Receiver<()>) {
    let FileWatch { pause, grace, mut report } = settings;
    while changes.recv().is_ok() {
        settle(changes, pause);
        let reloaded = spare::handle()
            .map_err(NylonRingHostError::ReactorThread)
            .and_then(|spare| spare.block_on(host.reload(grace)));
        let plugin = host.current();
        match &reloaded {
            Ok(reloaded) => tracing::info!(
                target: "nylon_ring::reload",
                plugin = plugin.name(),
                version = plugin.version(),
                generation = reloaded.generation(),
                "reloaded"
            ),
            Err(error) => tracing::error!(
                target: "nylon_ring::reload",
                plugin = plugin.name(),
                version = plugin.version(),
                %error,
                "not reloaded: this version goes on"
            ),
        }
        if let Some(report) = &mut report {
            report(reloaded);
        }
    }
}

/// Waits until nothing has changed for so long.
fn settle(changes: &Receiver<()>, pause: Duration) {
    while changes.recv_timeout(pause).is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_that_come_together_are_one() {
        let (changed, changes) = mpsc::channel();
        (0..10).for_each(|_| changed.send(()).unwrap());
        settle(&changes, Duration::from_millis(1));
        assert_eq!(changes.try_recv(), Err(mpsc::TryRecvError::Empty));
    }

    #[test]
    fn what_a_load_does_to_its_file_is_no_change() {
        let file = PathBuf::from("/plugins/plugin.so");
        let event = |kind| Event::new(kind).add_path(file.clone());
        let reads = [AccessKind::Open(AccessMode::Any), AccessKind::Read, AccessKind::Close(AccessMode::Read)];
        assert!(reads.into_iter().all(|kind| !is_change(&event(EventKind::Access(kind)), &file)));
        assert!(is_change(&event(EventKind::Access(AccessKind::Close(AccessMode::Write))), &file));
        assert!(is_change(&event(EventKind::Modify(ModifyKind::Any)), &file));
        assert!(!is_change(&event(EventKind::Modify(ModifyKind::Any)), &"/plugins/other.so".into()));
    }
}
