//! The plugin `c/unload.c`, and what it and its tests tell each other.

use std::{
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use nylon_ring_host::{HostBuilder, NrStatus, NylonRingHost, NylonRingHostError as Error, RequestView, StreamReceiver};

use crate::common::LIMIT;

/// As in `c/unload.c`. Lives for ever, like the plugin's threads.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Witness {
    pub asked: AtomicU32,
    pub early: AtomicU32,
    pub sent_late: AtomicU32,
    pub destroyed: AtomicU32,
    pub unmapped: AtomicU32,
    pub blocked: AtomicU32,
    pub linger: AtomicU32,
    pub never: AtomicU32,
    pub release: AtomicU32,
    pub sick: AtomicU32,
    pub code: AtomicUsize,
    /// The file that the system has mapped, whose name never comes again (its address may). Not the plugin's business.
    file: OnceLock<String>,
}

impl Witness {
    /// Whether the library is there, from the system and from its own destructors.
    pub fn sees_the_library(&self) -> bool {
        assert_eq!(self.early.load(SeqCst), 0, "{self:?}");
        self.is_mapped() && self.unmapped.load(SeqCst) == 0
    }

    pub async fn sees_the_library_go(&self) {
        // The destructors run before it is unmapped.
        until("the library to go", || self.unmapped.load(SeqCst) == 1 && !self.is_mapped()).await;
        assert_eq!(self.early.load(SeqCst), 0, "{self:?}");
    }

    #[cfg(target_os = "linux")]
    fn is_mapped(&self) -> bool {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let file = self.file.get_or_init(|| {
            let here = |line: &&str| {
                let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
                let bound = |text| usize::from_str_radix(text, 16).unwrap();
                (bound(start)..bound(end)).contains(&self.code.load(SeqCst))
            };
            let line = maps.lines().find(here).expect("the code of the plugin is mapped");
            line[line.find('/').expect("its file has a name")..].to_owned()
        });
        maps.contains(file)
    }

    #[cfg(not(target_os = "linux"))]
    fn is_mapped(&self) -> bool {
        self.unmapped.load(SeqCst) == 0
    }

    /// Waits until the plugin has been asked so often in all whether it is quiescent.
    pub async fn is_asked(&self, times: u32) {
        until("the host to ask", || self.asked.load(SeqCst) >= times).await;
    }
}

pub fn plugin(defines: &[(&str, Option<&str>)]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/unload.c");
    nylon_ring_artifacts::c_plugin(&source, defines).unwrap_or_else(|error| panic!("{error}"))
}

/// Settings of a host that keeps its library mapped.
pub fn staying() -> HostBuilder {
    NylonRingHost::builder().shards(2).slots_per_shard(64)
}

/// Settings of one that does not.
pub fn going() -> HostBuilder {
    staying().unload_when_quiescent(LIMIT)
}

pub async fn load(settings: HostBuilder) -> (NylonRingHost, &'static Witness) {
    let host = settings.load(plugin(&[])).unwrap();
    let seen = witness(&host).await;
    (host, seen)
}

pub async fn witness(host: &NylonRingHost) -> &'static Witness {
    let witness: &'static Witness = Box::leak(Box::default());
    let address = std::ptr::from_ref(witness).expose_provenance().to_ne_bytes();
    host.call_view(RequestView { path: "/witness", body: &address, ..RequestView::default() }).await.unwrap();
    assert!(witness.is_mapped());
    witness
}

pub async fn ask(host: &NylonRingHost, path: &str) -> Result<String, Error> {
    let (status, payload) = host.call_view(RequestView { path, ..RequestView::default() }).await?;
    assert_eq!(status, NrStatus::Ok);
    Ok(String::from_utf8(payload.into_vec()).unwrap())
}

pub async fn stream(host: &NylonRingHost) -> StreamReceiver {
    let mut stream = host.call_stream_view(RequestView { path: "/stream", ..RequestView::default() }).await.unwrap();
    assert_eq!(stream.recv().await.unwrap().data, b"first");
    stream
}

/// Waits by asking, whatever the executor.
pub async fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < LIMIT, "waited for {what}");
        smol::Timer::after(Duration::from_millis(1)).await;
    }
}
