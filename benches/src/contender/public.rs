//! The host of the crate `nylon-ring-host` 0.2.2 from crates.io, each kind of call by the fastest way that it has.
//!
//! Its plugin is pinned, which spares every call the count of calls under way; entries are called by number, unary ones by
//! `call_response`; streams by `call_stream`, whose channel has room for all frames of the longest stream that is measured.
//!
//! `call_response_fast` is a contender of its own: it is for plugins that are known to answer inside `handle`, and fails if the
//! answer comes later. All other contenders' calls take an answer whenever it comes.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use nylon_ring::NrStatus;
use public_host::{NylonRingHost, PluginEntry, PluginHandle, StreamFrame};

use super::Contender;
use crate::BenchError;

/// What the host calls the plugin.
const PLUGIN: &str = "bench";

/// Frames that may wait for the caller of one stream.
const FRAMES: usize = 512;

/// A host is in use: all hosts share the statics of the plugin's one image, so there may be one at a time.
static IN_USE: AtomicBool = AtomicBool::new(false);

/// `PluginEntry::call_response` and `call_stream`.
pub type Public = PublicHost<false>;

/// `PluginEntry::call_response_fast` for what is answered inside `handle`; otherwise as [`Public`].
pub type PublicFast = PublicHost<true>;

/// The host; `FAST` if its fast path may be used.
#[derive(Clone)]
pub struct PublicHost<const FAST: bool> {
    plugin: PluginHandle,
    control: PluginEntry,
    stopped: Arc<AtomicBool>,
}

impl<const FAST: bool> fmt::Debug for PublicHost<FAST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Public").finish_non_exhaustive()
    }
}

/// An entry, and what it is called with.
#[derive(Clone)]
pub struct PublicRoute {
    entry: PluginEntry,
    /// Whether it is called by the fast path.
    fast: bool,
    /// What the path has behind the entry's name; the entry gets the body if there is nothing.
    argument: Option<Box<[u8]>>,
}

impl fmt::Debug for PublicRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicRoute").field("argument", &self.argument).finish_non_exhaustive()
    }
}

impl PublicRoute {
    fn payload<'a>(&'a self, body: &'a [u8]) -> &'a [u8] {
        self.argument.as_deref().unwrap_or(body)
    }

    async fn answer(&self, body: &[u8]) -> Result<(NrStatus, Vec<u8>), Box<BenchError>> {
        let payload = self.payload(body);
        let answer = if self.fast {
            self.entry.call_response_fast(payload).await
        } else {
            self.entry.call_response(payload).await
        };
        let (status, payload) = answer.map_err(Public::failed)?;
        Ok((translated(status)?, payload))
    }
}

/// The same status in this project's words.
fn translated(status: public_host::NrStatus) -> Result<NrStatus, Box<BenchError>> {
    match status {
        public_host::NrStatus::Ok => Ok(NrStatus::Ok),
        public_host::NrStatus::Err => Ok(NrStatus::Err),
        public_host::NrStatus::Invalid => Ok(NrStatus::Invalid),
        public_host::NrStatus::Unsupported => Ok(NrStatus::Unsupported),
        public_host::NrStatus::StreamEnd => Ok(NrStatus::StreamEnd),
        other => Err(Public::failed(format!("{other:?}")).into()),
    }
}

impl<const FAST: bool> PublicHost<FAST> {
    /// A path is an entry's name, or an entry's name and its argument; everything else is for `control`.
    fn find(&self, path: &str) -> Result<PublicRoute, BenchError> {
        let (name, argument) = match path {
            "/e" | "/k" | "/c" | "/be" | "/bk" => (path, None),
            _ => match path.rsplit_once('/') {
                Some((name @ ("/p" | "/f" | "/bp" | "/bf"), argument)) => (name, Some(argument)),
                _ => {
                    let argument = Some(path.as_bytes().into());
                    return Ok(PublicRoute { entry: self.control.clone(), fast: true, argument });
                }
            },
        };
        let entry = self.plugin.entry(name).map_err(Self::failed)?;
        let argument = argument.map(|argument| argument.as_bytes().into());
        Ok(PublicRoute { entry, fast: FAST && !name.starts_with("/b"), argument })
    }

    /// Reads all frames.
    async fn read(route: &PublicRoute, mut each: impl FnMut(NrStatus, StreamFrame)) -> Result<(), Box<BenchError>> {
        let stream = route.entry.call_stream(route.payload(b"")).await;
        let (_, mut stream) = stream.map_err(Self::failed)?;
        while let Some(frame) = stream.recv().await {
            each(translated(frame.status)?, frame);
        }
        Ok(())
    }
}

impl<const FAST: bool> Contender for PublicHost<FAST> {
    const NAME: &'static str = if FAST { "public-fast" } else { "public-0.2.2" };

    type Route = PublicRoute;

    fn plugin() -> Result<PathBuf, BenchError> {
        crate::plugin_public()
    }

    fn load(plugin: &Path) -> Result<Self, BenchError> {
        // Ordering: Acquire; pairs with the store in `shutdown`.
        if IN_USE.swap(true, Ordering::Acquire) {
            return Err(Self::failed("there can be only one at a time: its plugin's statics are shared"));
        }
        let path = plugin.to_str().ok_or_else(|| Self::failed("the plugin's path is not UTF-8"))?;
        // Never freed: a thread of the plugin may still answer a call that was given up.
        let host = Box::leak(Box::new(NylonRingHost::with_stream_capacity(FRAMES)));
        host.load_pinned(PLUGIN, path).map_err(Self::failed)?;
        let plugin = host.plugin(PLUGIN).ok_or_else(|| Self::failed("the plugin is not there"))?;
        let control = plugin.entry("control").map_err(Self::failed)?;
        Ok(Self { plugin, control, stopped: Arc::default() })
    }

    fn route(&self, path: &'static str) -> Result<PublicRoute, BenchError> {
        self.find(path)
    }

    async fn call(&self, route: &PublicRoute, body: &&[u8]) -> Result<(NrStatus, usize), Box<BenchError>> {
        let (status, payload) = route.answer(body).await?;
        Ok((status, payload.len()))
    }

    async fn fetch(&self, path: &str, body: &[u8]) -> Result<(NrStatus, Vec<u8>), BenchError> {
        Ok(self.find(path)?.answer(body).await?)
    }

    async fn stream(&self, route: &PublicRoute) -> Result<(u64, usize), Box<BenchError>> {
        let (mut frames, mut bytes) = (0, 0);
        Self::read(route, |_, frame| {
            frames += 1;
            bytes += frame.data.len();
        })
        .await?;
        Ok((frames, bytes))
    }

    async fn frames(&self, path: &str) -> Result<Vec<(NrStatus, Vec<u8>)>, BenchError> {
        let mut frames = Vec::new();
        Self::read(&self.find(path)?, |status, frame| frames.push((status, frame.data))).await?;
        Ok(frames)
    }

    async fn shutdown(&self) -> Result<(), BenchError> {
        if self.stopped.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let stop = self.plugin.entry("stop").map_err(Self::failed)?;
        stop.call_response_fast(b"").await.map_err(Self::failed)?;
        // Ordering: Release; pairs with the swap in `load`: the old plugin's threads have ended.
        IN_USE.store(false, Ordering::Release);
        Ok(())
    }
}
