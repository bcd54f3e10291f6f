//! The baselines: the host that everybody writes first, written well, and the same with a sharded map.
//!
//! `host_ctx` is an `Arc` of what is in flight: a map from the sid to the sender of a oneshot channel (unary calls), and
//! another one to the sender of an unbounded channel (streams). `send_result` copies the payload, looks the sid up,
//! sends. Sids count up; the lowest bit says which of the two maps, so that a result costs one look-up.
//!
//! How the maps are shared is the difference ([`SidMap`]): [`MutexBaseline`] has a mutex around each of them,
//! [`DashMapBaseline`] two `DashMap`s, which are maps in shards, each with a lock of its own. All hash as the standard
//! library does.
//!
//! All from the standard library and tokio but for the `DashMap`, nothing slower than it must be: no lock is held while
//! a payload is copied or a task woken. They trust their plugin: the benchmarks' own.

use std::{
    collections::HashMap,
    ffi::c_void,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use dashmap::DashMap;
use nylon_ring::{NrBytes, NrHeader, NrHostVTable, NrRequest, NrStatus, NrStr};
use nylon_ring_host::{HighLevelRequest, RequestView};
use tokio::sync::{mpsc, oneshot};

use crate::plain_plugin::{BaselineError, PlainPlugin};

/// One frame of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedFrame {
    /// `Ok`, or how the stream ended.
    pub status: NrStatus,
    /// The payload, copied.
    pub data: Vec<u8>,
}

/// The frames of one call.
#[derive(Debug)]
pub struct BaselineStream {
    frames: mpsc::UnboundedReceiver<OwnedFrame>,
}

impl BaselineStream {
    /// The next frame; the terminal one is the last, then `None`.
    pub async fn recv(&mut self) -> Option<OwnedFrame> {
        self.frames.recv().await
    }
}

/// A sid with this bit set belongs to a stream.
const STREAM: u64 = 1;

type Answer = oneshot::Sender<(NrStatus, Vec<u8>)>;
type Frames = mpsc::UnboundedSender<OwnedFrame>;

/// A map from the sid to whoever waits, shared by all threads. What it locks is free again when a method returns.
pub trait SidMap<T>: fmt::Debug + Default + Send + Sync + 'static {
    /// Adds a sid that is not there.
    fn insert(&self, sid: u64, waiting: T);

    /// Takes a sid out.
    fn remove(&self, sid: u64) -> Option<T>;

    /// A copy of what is there.
    fn get(&self, sid: u64) -> Option<T>
    where
        T: Clone;
}

impl<T: fmt::Debug + Send + 'static> SidMap<T> for Mutex<HashMap<u64, T>> {
    #[inline]
    fn insert(&self, sid: u64, waiting: T) {
        self.lock().unwrap_or_else(PoisonError::into_inner).insert(sid, waiting);
    }

    #[inline]
    fn remove(&self, sid: u64) -> Option<T> {
        self.lock().unwrap_or_else(PoisonError::into_inner).remove(&sid)
    }

    #[inline]
    fn get(&self, sid: u64) -> Option<T>
    where
        T: Clone,
    {
        self.lock().unwrap_or_else(PoisonError::into_inner).get(&sid).cloned()
    }
}

impl<T: fmt::Debug + Send + Sync + 'static> SidMap<T> for DashMap<u64, T> {
    #[inline]
    fn insert(&self, sid: u64, waiting: T) {
        DashMap::insert(self, sid, waiting);
    }

    #[inline]
    fn remove(&self, sid: u64) -> Option<T> {
        DashMap::remove(self, &sid).map(|(_, waiting)| waiting)
    }

    #[inline]
    fn get(&self, sid: u64) -> Option<T>
    where
        T: Clone,
    {
        DashMap::get(self, &sid).map(|waiting| waiting.clone())
    }
}

/// Which maps a baseline has.
pub trait Maps: fmt::Debug + Send + Sync + 'static {
    /// From the sids of unary calls.
    type Unary: SidMap<Answer>;
    /// From the sids of streams.
    type Streams: SidMap<Frames>;
}

/// [`MutexBaseline`]'s maps.
#[derive(Debug)]
pub struct InMutexes;

/// [`DashMapBaseline`]'s maps.
#[derive(Debug)]
pub struct InShards;

impl Maps for InMutexes {
    type Unary = Mutex<HashMap<u64, Answer>>;
    type Streams = Mutex<HashMap<u64, Frames>>;
}

impl Maps for InShards {
    type Unary = DashMap<u64, Answer>;
    type Streams = DashMap<u64, Frames>;
}

/// What is in flight: what `host_ctx` points to.
#[derive(Debug)]
struct Pending<M: Maps> {
    unary: M::Unary,
    streams: M::Streams,
}

impl<M: Maps> Default for Pending<M> {
    fn default() -> Self {
        Self { unary: M::Unary::default(), streams: M::Streams::default() }
    }
}

impl<M: Maps> Pending<M> {
    /// Hands a result or a frame to whoever waits for it.
    fn deliver(&self, sid: u64, status: NrStatus, data: Vec<u8>) {
        // A receiver that is gone needs no answer: sending fails, and that is all.
        if sid & STREAM == 0 {
            if let Some(sender) = self.unary.remove(sid) {
                let _ = sender.send((status, data));
            }
        } else {
            let waiting = if status == NrStatus::Ok { self.streams.get(sid) } else { self.streams.remove(sid) };
            if let Some(sender) = waiting {
                let _ = sender.send(OwnedFrame { status, data });
            }
        }
    }
}

unsafe extern "C" fn send_result<M: Maps>(host_ctx: *mut c_void, sid: u64, status: NrStatus, payload: NrBytes) {
    // A panic has nobody to be told to: the call is lost.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: null, or the `Pending` that `load` never frees.
        let pending = unsafe { host_ctx.cast::<Pending<M>>().as_ref() };
        // SAFETY: the plugin's bytes are valid until this function returns.
        let payload = unsafe { payload.as_slice() };
        if let (Some(pending), Ok(payload)) = (pending, payload) {
            pending.deliver(sid, status, payload.to_vec());
        }
    }));
}

#[derive(Debug)]
struct Inner<M: Maps> {
    plugin: PlainPlugin,
    pending: Arc<Pending<M>>,
    /// How many calls there were.
    calls: AtomicU64,
}

/// A host with these maps. Clones are the same host.
#[derive(Debug)]
pub struct Baseline<M: Maps> {
    inner: Arc<Inner<M>>,
}

/// The baseline with a mutex around each map.
pub type MutexBaseline = Baseline<InMutexes>;

/// The baseline with maps in shards.
pub type DashMapBaseline = Baseline<InShards>;

impl<M: Maps> Clone for Baseline<M> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<M: Maps> Baseline<M> {
    const HOST_VTABLE: &'static NrHostVTable = &NrHostVTable { send_result: send_result::<M> };

    /// Loads a plugin and starts it. The library stays mapped for good.
    ///
    /// # Errors
    /// It cannot be opened, is not a plugin of this ABI, or does not start.
    pub fn load(path: &Path) -> Result<Self, BaselineError> {
        let pending = Arc::<Pending<M>>::default();
        // One count is given away for good: a thread of the plugin may call at any time.
        let host_ctx = Arc::into_raw(Arc::clone(&pending)).cast_mut().cast();
        // SAFETY: context and table live for ever, and the one is what the other's function takes.
        let plugin = unsafe { PlainPlugin::start(path, host_ctx, Self::HOST_VTABLE) }?;
        Ok(Self { inner: Arc::new(Inner { plugin, pending, calls: AtomicU64::new(0) }) })
    }

    /// Calls the plugin with an owned request and waits for its one result.
    ///
    /// # Errors
    /// The request is too large, is refused, or is never answered.
    pub async fn call(&self, req: HighLevelRequest) -> Result<(NrStatus, Vec<u8>), BaselineError> {
        let HighLevelRequest { method, path, query, headers, body } = &req;
        let answer = self.open_unary(method, path, query, headers, body)?;
        answer.await.map_err(|_| BaselineError::Lost)
    }

    /// The same with a borrowed request.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_view(&self, req: RequestView<'_>) -> Result<(NrStatus, Vec<u8>), BaselineError> {
        let answer = self.open_unary(req.method, req.path, req.query, req.headers, req.body)?;
        answer.await.map_err(|_| BaselineError::Lost)
    }

    /// Calls the plugin with an owned request and waits for any number of frames.
    ///
    /// # Errors
    /// The request is too large or is refused.
    pub async fn call_stream(&self, req: HighLevelRequest) -> Result<BaselineStream, BaselineError> {
        let HighLevelRequest { method, path, query, headers, body } = &req;
        self.open_stream(method, path, query, headers, body)
    }

    /// The same with a borrowed request.
    ///
    /// # Errors
    /// As [`call_stream`](Self::call_stream).
    pub async fn call_stream_view(&self, req: RequestView<'_>) -> Result<BaselineStream, BaselineError> {
        self.open_stream(req.method, req.path, req.query, req.headers, req.body)
    }

    /// Stops the plugin, once; there must be nothing in flight.
    pub fn shutdown(&self) {
        self.inner.plugin.shutdown();
    }

    fn open_unary<S: AsRef<str>>(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(S, S)],
        body: &[u8],
    ) -> Result<oneshot::Receiver<(NrStatus, Vec<u8>)>, BaselineError> {
        let pending = &self.inner.pending;
        let sid = self.next_sid();
        let (sender, receiver) = oneshot::channel();
        pending.unary.insert(sid, sender);
        self.handle(sid, method, path, query, headers, body).inspect_err(|_| {
            pending.unary.remove(sid);
        })?;
        Ok(receiver)
    }

    fn open_stream<S: AsRef<str>>(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(S, S)],
        body: &[u8],
    ) -> Result<BaselineStream, BaselineError> {
        let pending = &self.inner.pending;
        let sid = self.next_sid() | STREAM;
        let (sender, frames) = mpsc::unbounded_channel();
        pending.streams.insert(sid, sender);
        self.handle(sid, method, path, query, headers, body).inspect_err(|_| {
            pending.streams.remove(sid);
        })?;
        Ok(BaselineStream { frames })
    }

    /// A sid of its own for each call, the lowest bit clear.
    fn next_sid(&self) -> u64 {
        self.inner.calls.fetch_add(1, Ordering::Relaxed) << 1
    }

    /// Builds the views and hands them to the plugin.
    fn handle<S: AsRef<str>>(
        &self,
        sid: u64,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(S, S)],
        body: &[u8],
    ) -> Result<(), BaselineError> {
        let headers = headers
            .iter()
            .map(|(key, value)| {
                Ok(NrHeader { key: NrStr::try_from_str(key.as_ref())?, value: NrStr::try_from_str(value.as_ref())? })
            })
            .collect::<Result<Vec<_>, nylon_ring::NrViewError>>()?;
        let request = NrRequest::build(method, path, query, &headers)?;
        self.inner.plugin.handle(sid, &request, body)
    }
}
