//! A plugin that is reloaded when its file changes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[expect(dead_code, reason = "shared with other tests")]
mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use common::{LIMIT, Watchdog};
use futures::executor::block_on;
use nylon_ring_host::{
    FileWatch, FileWatcher, NylonRingHost, NylonRingHostError as Error, ReloadableHost, Reloaded, RequestView,
};
use tempfile::TempDir;

const PAUSE: Duration = Duration::from_millis(100);

fn build(version: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/reload.c");
    nylon_ring_artifacts::c_plugin(&source, &[("VERSION", Some(version))]).unwrap_or_else(|error| panic!("{error}"))
}

struct Watched {
    directory: TempDir,
    host: ReloadableHost,
    watcher: FileWatcher,
    reports: Receiver<Result<Reloaded, Error>>,
}

impl Watched {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("plugin.so");
        fs::copy(build("1"), &file).unwrap();
        let settings = NylonRingHost::builder().shards(2).slots_per_shard(64);
        let host = ReloadableHost::load(settings, &file).unwrap();
        let (sender, reports) = mpsc::channel();
        let watch = FileWatch::default().pause(PAUSE).grace(LIMIT);
        let watcher = host.watch(watch.on_reload(move |outcome| sender.send(outcome).unwrap())).unwrap();
        Self { directory, host, watcher, reports }
    }

    /// As an installer does: under another name first.
    fn install(&self, version: &str) {
        let new = self.directory.path().join("plugin.so.new");
        fs::copy(build(version), &new).unwrap();
        fs::rename(new, self.directory.path().join("plugin.so")).unwrap();
    }

    fn version(&self) -> String {
        let request = RequestView { path: "/later", ..RequestView::default() };
        String::from_utf8(block_on(self.host.call_view(request)).unwrap().1.into_vec()).unwrap()
    }

    fn report(&self) -> Result<Reloaded, Error> {
        self.reports.recv_timeout(LIMIT).expect("a report")
    }

    /// Nothing is reloaded in a time in which it would be.
    fn is_quiet(&self) {
        assert!(self.reports.recv_timeout(5 * PAUSE).is_err());
    }
}

#[test]
fn a_file_that_is_replaced() {
    let _watchdog = Watchdog::new("a_file_that_is_replaced");
    let watched = Watched::new();
    watched.is_quiet();
    watched.install("2");
    assert_eq!((watched.report().unwrap().generation(), watched.version()), (2, "2".to_owned()));
    // To load it, and to look at it, is no change.
    fs::read(watched.directory.path().join("plugin.so")).unwrap();
    fs::write(watched.directory.path().join("other.so"), b"other").unwrap();
    watched.is_quiet();
    watched.install("1");
    assert_eq!((watched.report().unwrap().generation(), watched.version()), (3, "1".to_owned()));
}

#[test]
fn a_file_that_is_overwritten_badly_and_then_well() {
    let _watchdog = Watchdog::new("a_file_that_is_overwritten_badly_and_then_well");
    let watched = Watched::new();
    let file = watched.directory.path().join("plugin.so");
    fs::write(&file, b"no library").unwrap();
    assert!(matches!(watched.report(), Err(Error::LibraryOpen { .. })));
    assert_eq!((watched.host.generation(), watched.version()), (1, "1".to_owned()));
    fs::write(&file, fs::read(build("2")).unwrap()).unwrap();
    // A slow writer may be read in the middle: then the next change brings the next try.
    let reloaded = std::iter::repeat_with(|| watched.report()).find_map(Result::ok).unwrap();
    assert_eq!((reloaded.generation(), watched.version()), (2, "2".to_owned()));
}

#[test]
fn nobody_watches_any_more() {
    let _watchdog = Watchdog::new("nobody_watches_any_more");
    let mut watched = Watched::new();
    let other = watched.host.watch(FileWatch::default().pause(LIMIT)).unwrap();
    drop(std::mem::replace(&mut watched.watcher, other));
    watched.install("2");
    let end = watched.reports.recv_timeout(LIMIT);
    assert!(matches!(end, Err(mpsc::RecvTimeoutError::Disconnected)), "the thread ends, and its report goes: {end:?}");
    assert_eq!(watched.version(), "1");
}
