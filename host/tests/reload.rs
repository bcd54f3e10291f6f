//! Replacing a plugin while it is called; and what must not come of it, seen in other hosts: a reload that gets the image that is
//! mapped already, one that loses the plugin because calls are in flight, one that pulls the library from under a thread.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use common::{LIMIT, Watchdog};
use futures::{executor::block_on, future::FutureExt};
use nylon_ring_host::{
    CallOptions, Excess, HighLevelRequest, HostBuilder, Metrics, NrStatus, NylonRingHost, NylonRingHostError as Error,
    ReloadableHost, RequestView, StreamReceiver,
};
use tempfile::TempDir;

const PATIENT: Duration = LIMIT;
const BRIEF: Duration = Duration::from_millis(50);

/// What the plugin and its test tell each other; as in `c/reload.c`. Lives for ever, like the plugin's threads.
#[repr(C)]
#[derive(Debug, Default)]
struct Witness {
    shutdowns: AtomicU32,
    haunted: AtomicU32,
    release: AtomicU32,
    haunt: AtomicU32,
}

/// A version of the plugin; version 0 refuses to start.
fn build(version: u32) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/reload.c");
    let version_text = version.to_string();
    let mut defines = vec![("VERSION", Some(version_text.as_str()))];
    if version == 0 {
        defines.push(("REFUSE", None));
    }
    nylon_ring_artifacts::c_plugin(&source, &defines).unwrap_or_else(|error| panic!("{error}"))
}

/// A file that one version after the other is installed in.
struct Installed(TempDir);

impl Installed {
    fn new(version: u32) -> Self {
        let installed = Self(TempDir::new().unwrap());
        installed.install(version);
        installed
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("plugin.so")
    }

    fn install(&self, version: u32) {
        fs::copy(build(version), self.path()).unwrap();
    }

    fn load(&self) -> ReloadableHost {
        ReloadableHost::load(settings(), self.path()).unwrap()
    }
}

fn settings() -> HostBuilder {
    NylonRingHost::builder().shards(4).slots_per_shard(256)
}

fn view<'a>(path: &'a str, body: &'a [u8]) -> RequestView<'a> {
    RequestView { path, body, ..RequestView::default() }
}

async fn ask(host: &ReloadableHost, path: &str) -> Result<String, Error> {
    let (status, payload) = host.call_view(view(path, b"")).await?;
    assert_eq!(status, NrStatus::Ok);
    Ok(String::from_utf8(payload.into_vec()).unwrap())
}

async fn witness(host: &ReloadableHost) -> &'static Witness {
    let witness: &'static Witness = Box::leak(Box::default());
    let address = std::ptr::from_ref(witness).expose_provenance().to_ne_bytes();
    host.call_view(view("/witness", &address)).await.unwrap();
    witness
}

async fn stream(host: &ReloadableHost, version: &str) -> StreamReceiver {
    let mut stream = host.call_stream_view(view("/stream", b"")).await.unwrap();
    assert_eq!(stream.recv().await.unwrap().data, version.as_bytes());
    stream
}

async fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < LIMIT, "waited for {what}");
        smol::Timer::after(Duration::from_millis(1)).await;
    }
}

on_both_runtimes!(
    the_new_version_answers,
    the_same_file_is_another_image,
    a_reload_that_fails_changes_nothing,
    a_call_that_outlives_the_grace_is_closed_alone,
    a_call_in_flight_finishes_where_it_began,
    streams_stay_where_they_began,
    calls_that_wait_for_their_turn,
    late_results_of_an_old_version_disturb_nobody,
    a_reload_that_is_not_awaited,
    after_a_shutdown,
);

async fn the_new_version_answers() {
    let installed = Installed::new(1);
    let host = installed.load();
    assert_eq!((ask(&host, "/version").await.unwrap(), host.generation()), ("1".to_owned(), 1));
    installed.install(2);
    assert_eq!(ask(&host, "/version").await.unwrap(), "1", "a file that is replaced does not disturb what is loaded");
    let reloaded = host.reload(PATIENT).await.unwrap();
    assert_eq!((reloaded.generation(), host.generation()), (2, 2));
    assert_eq!((host.current().name(), host.current().version()), ("reload", "2.0.0"));
    let request = HighLevelRequest { path: "/later".into(), ..HighLevelRequest::default() };
    assert_eq!(host.call(request).await.unwrap(), (NrStatus::Ok, b"2".to_vec()));
    reloaded.drained().await.unwrap();
    assert_eq!(ask(&host, "/version").await.unwrap(), "2");
}

/// The end of the old one clears its globals. They are not those of the new one, although both come from one file.
async fn the_same_file_is_another_image() {
    let installed = Installed::new(1);
    let host = installed.load();
    let seen = witness(&host).await;
    host.reload(PATIENT).await.unwrap().drained().await.unwrap();
    assert_eq!(seen.shutdowns.load(SeqCst), 1);
    assert_eq!(ask(&host, "/version").await.unwrap(), "1");
    assert_eq!(ask(&host, "/later").await.unwrap(), "1");
}

async fn a_reload_that_fails_changes_nothing() {
    let installed = Installed::new(1);
    let host = installed.load();
    let seen = witness(&host).await;
    installed.install(0);
    assert!(matches!(host.reload(PATIENT).await, Err(Error::InitRefused { .. })));
    fs::write(installed.path(), b"no library").unwrap();
    assert!(matches!(host.reload(PATIENT).await, Err(Error::LibraryOpen { .. })));
    fs::remove_file(installed.path()).unwrap();
    assert!(matches!(host.reload(PATIENT).await, Err(Error::LibraryFile { .. })));
    assert!(matches!(host.reload_from("/nowhere.so", PATIENT).await, Err(Error::LibraryFile { .. })));
    assert_eq!((ask(&host, "/later").await.unwrap(), host.generation()), ("1".to_owned(), 1));
    assert_eq!(seen.shutdowns.load(SeqCst), 0);
    // The path that failed was not kept.
    installed.install(2);
    host.reload(PATIENT).await.unwrap();
    assert_eq!((ask(&host, "/later").await.unwrap(), host.generation()), ("2".to_owned(), 2));
}

async fn a_call_that_outlives_the_grace_is_closed_alone() {
    let installed = Installed::new(1);
    let host = installed.load();
    let seen = witness(&host).await;
    let held = ask(&host, "/hold");
    let replace = async {
        installed.install(2);
        let reloaded = host.reload(BRIEF).await.unwrap();
        assert_eq!(ask(&host, "/later").await.unwrap(), "2");
        reloaded.drained().await
    };
    let (answer, drained) = futures::join!(held, replace);
    assert!(matches!(answer, Err(Error::Closed)), "{answer:?}");
    assert!(matches!(drained, Err(Error::ShutdownTimedOut { in_flight: 1 })), "{drained:?}");
    assert_eq!(ask(&host, "/later").await.unwrap(), "2");
    assert_eq!(seen.shutdowns.load(SeqCst), 1);
}

async fn a_call_in_flight_finishes_where_it_began() {
    let installed = Installed::new(1);
    let host = installed.load();
    let seen = witness(&host).await;
    let held = ask(&host, "/hold");
    let replace = async {
        installed.install(2);
        let reloaded = host.reload(PATIENT).await.unwrap();
        assert_eq!(ask(&host, "/later").await.unwrap(), "2");
        assert_eq!(seen.shutdowns.load(SeqCst), 0);
        seen.release.store(1, SeqCst);
        reloaded.drained().await
    };
    let (answer, drained) = futures::join!(held, replace);
    assert_eq!(answer.unwrap(), "1");
    drained.unwrap();
    assert_eq!(seen.shutdowns.load(SeqCst), 1);
}

async fn streams_stay_where_they_began() {
    let installed = Installed::new(1);
    let host = installed.load();
    let seen = witness(&host).await;
    let mut old = stream(&host, "1").await;
    installed.install(2);
    let reloaded = host.reload(PATIENT).await.unwrap();
    let new = stream(&host, "2").await;
    seen.release.store(1, SeqCst);
    let last = old.recv().await.unwrap();
    assert_eq!((last.status, &*last.data), (NrStatus::StreamEnd, &b"1"[..]));
    assert!(old.recv().await.is_none() && old.error().is_none());
    drop(old);
    reloaded.drained().await.unwrap();
    drop(new);
}

/// A call that waits for its turn was not handed over: it gets its turn on the new version, and its time is not counted anew.
async fn calls_that_wait_for_their_turn() {
    let installed = Installed::new(1);
    let host = ReloadableHost::load(settings().max_in_flight(1, Excess::Wait), installed.path()).unwrap();
    let seen = witness(&host).await;
    let old = host.current();
    let (held, waits) = (ask(&host, "/hold"), ask(&host, "/later"));
    let replace = async {
        installed.install(2);
        let reloaded = host.reload(PATIENT).await.unwrap();
        let options = CallOptions::new().timeout(PATIENT);
        assert_eq!(host.call_view_with(view("/later", b""), options).await.unwrap().1, b"2");
        let options = CallOptions::new().timeout(Duration::ZERO);
        assert!(matches!(host.call_view_with(view("/later", b""), options).await, Err(Error::Timeout)));
        let turned_away =
            || matches!(old.call_view(view("/later", b"")).now_or_never(), Some(Err(Error::ShuttingDown)));
        until("the old one to take no more", turned_away).await;
        seen.release.store(1, SeqCst);
        reloaded.drained().await
    };
    let (held, waited, drained) = futures::join!(held, waits, replace);
    assert_eq!((held.unwrap(), waited.unwrap()), ("1".to_owned(), "2".to_owned()));
    drained.unwrap();
}

/// A thread of the old version goes on, with the code and the host's table that it has.
async fn late_results_of_an_old_version_disturb_nobody() {
    let installed = Installed::new(1);
    let host = installed.load();
    let seen = witness(&host).await;
    seen.haunt.store(1, SeqCst);
    let old = host.current();
    let replace = async {
        let reloaded = host.reload(Duration::ZERO).await.unwrap();
        reloaded.drained().await
    };
    let (held, drained) = futures::join!(ask(&host, "/hold"), replace);
    assert!(drained.is_err() && (matches!(held, Err(Error::Closed)) || held.is_ok()), "{held:?} {drained:?}");
    drop(old);
    let before = seen.haunted.load(SeqCst);
    until("late results", || seen.haunted.load(SeqCst) > before + 20).await;
    for _ in 0..20 {
        assert_eq!(ask(&host, "/later").await.unwrap(), "1");
    }
    assert_eq!((host.current().metrics().unknown_sid, host.current().metrics().duplicate), (0, 0));
    seen.haunt.store(0, SeqCst);
}

async fn a_reload_that_is_not_awaited() {
    let installed = Installed::new(1);
    let host = installed.load();
    installed.install(2);
    drop(host.reload(PATIENT));
    // Given up on the way, unless it was done at the first look: this thread may have been kept from looking.
    let done = u64::from(host.reload(PATIENT).now_or_never().is_some());
    assert_eq!((ask(&host, "/later").await.unwrap(), host.generation()), ((1 + done).to_string(), 1 + done));
    host.reload(PATIENT).await.unwrap();
    assert_eq!((ask(&host, "/later").await.unwrap(), host.generation()), ("2".to_owned(), 2 + done));
}

async fn after_a_shutdown() {
    let installed = Installed::new(1);
    let host = installed.load();
    // Whoever shuts down what is below gets what was asked for, and no call goes round in circles.
    host.current().shutdown(PATIENT).await.unwrap();
    assert!(matches!(ask(&host, "/version").await, Err(Error::ShuttingDown)));
    host.reload(PATIENT).await.unwrap();
    assert_eq!(ask(&host, "/version").await.unwrap(), "1");
    host.clone().shutdown(PATIENT).await.unwrap();
    assert!(matches!(ask(&host, "/version").await, Err(Error::ShuttingDown)));
    assert!(matches!(host.call_stream_view(view("/stream", b"")).await, Err(Error::ShuttingDown)));
    assert!(matches!(host.reload(PATIENT).await, Err(Error::ShuttingDown)));
}

#[test]
fn what_is_loaded_in_place_cannot_be_reloaded() {
    let path = build(1);
    let outcome = ReloadableHost::load(NylonRingHost::builder().load_in_place(true), &path);
    assert!(matches!(outcome, Err(Error::ReloadInPlace { path: said }) if said == path));
}

/// What every generation has counted, together.
fn books(generations: &[NylonRingHost]) -> Metrics {
    let mut sum = Metrics::default();
    for metrics in generations.iter().map(NylonRingHost::metrics) {
        sum.opened += metrics.opened;
        sum.in_flight += metrics.in_flight;
        sum.delivered += metrics.delivered;
        sum.duplicate += metrics.duplicate;
        sum.unknown_sid += metrics.unknown_sid;
        sum.abandoned += metrics.abandoned;
        sum.refused += metrics.refused;
    }
    sum
}

/// Tasks on two workers, and threads without a runtime, call without a pause. Each call is answered, once, and by a version that
/// was whole.
#[test]
fn a_hundred_reloads_while_many_call() {
    const RELOADS: u64 = 100;

    let _watchdog = Watchdog::new("a_hundred_reloads_while_many_call");
    // Not while the plugin has to keep the streams that are begun.
    build(2);
    let installed = Installed::new(1);
    let host = installed.load();
    let (done, calls, streams) = (&AtomicBool::new(false), &AtomicU64::new(0), &AtomicU64::new(0));
    let mut generations = vec![host.current()];
    thread::scope(|scope| {
        for i in 0..4 {
            let host = host.clone();
            scope.spawn(move || {
                let work = async {
                    while !done.load(SeqCst) {
                        for path in ["/version", "/later"] {
                            let answer = ask(&host, path).await.unwrap_or_else(|error| panic!("{i}: {path}: {error}"));
                            assert!(answer == "1" || answer == "2", "{answer}");
                            calls.fetch_add(1, SeqCst);
                        }
                        let mut stream = host.call_stream_view(view("/stream", b"")).await.unwrap();
                        assert_eq!(stream.recv().await.unwrap().data.len(), 1);
                        streams.fetch_add(1, SeqCst);
                    }
                };
                if i % 2 == 0 {
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
                } else {
                    block_on(work);
                }
            });
        }
        for number in 2..=RELOADS + 1 {
            let version = 1 + (number % 2 == 0) as u32;
            let seen = (calls.load(SeqCst), streams.load(SeqCst));
            installed.install(version);
            let reloaded = block_on(host.reload(PATIENT)).unwrap();
            assert_eq!(reloaded.generation(), number);
            assert_eq!(block_on(ask(&host, "/version")).unwrap(), version.to_string());
            calls.fetch_add(1, SeqCst);
            generations.push(host.current());
            if number % 10 == 0 {
                block_on(reloaded.drained()).unwrap();
            }
            block_on(until("calls", || calls.load(SeqCst) > seen.0 + 4 && streams.load(SeqCst) > seen.1));
        }
        done.store(true, SeqCst);
    });
    block_on(host.shutdown(PATIENT)).unwrap();
    let (calls, streams) = (calls.load(SeqCst), streams.load(SeqCst));
    let books = books(&generations);
    assert_eq!((books.opened, books.in_flight, books.refused), (calls + streams, 0, 0), "{books:?}");
    // Each stream brought one frame before it was given up; what its plugin sends after that finds nobody.
    assert_eq!((books.delivered, books.duplicate, books.abandoned), (calls + streams, 0, 0), "{books:?}");
    assert_eq!(books.unknown_sid, 0, "{books:?}");
}
