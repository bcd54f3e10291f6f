//! The mutex baseline: the host that everybody writes first, written well.
//!
//! `host_ctx` is an `Arc` of what is in flight: a mutex around a map from the sid to the sender of a oneshot channel
//! (unary calls), and another one to the sender of an unbounded channel (streams). `send_result` copies the payload,
//! locks, looks the sid up, unlocks, sends. Sids count up; the lowest bit says which of the two maps, so that a result
//! costs one lock and one look-up.
//!
//! All from the standard library and tokio, nothing slower than it must be: no lock is held while a payload is copied
//! or a task woken. It trusts its plugin: the benchmarks' own.

use std::{
    collections::HashMap,
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use libloading::Library;
use nylon_ring::{
    NR_ABI_VERSION, NrBytes, NrHeader, NrHostVTable, NrPluginInfo, NrPluginVTable, NrRequest, NrStatus, NrStr,
};
use nylon_ring_host::{HighLevelRequest, RequestView};
use tokio::sync::{mpsc, oneshot};

/// What the baseline can fail with.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The library could not be opened, or has no entry point.
    #[error("cannot load the plugin: {0}")]
    Load(#[from] libloading::Error),
    /// The plugin is not one for this ABI.
    #[error("the plugin is not usable: {0}")]
    Unusable(&'static str),
    /// The request is too large for the ABI.
    #[error("the request does not fit the ABI: {0}")]
    Request(#[from] nylon_ring::NrViewError),
    /// `handle` refused the request.
    #[error("the plugin refused the request: {0}")]
    Refused(NrStatus),
    /// The sender went away without an answer.
    #[error("no answer came")]
    Lost,
}

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

type Unary = HashMap<u64, oneshot::Sender<(NrStatus, Vec<u8>)>>;
type Streams = HashMap<u64, mpsc::UnboundedSender<OwnedFrame>>;

/// What is in flight: what `host_ctx` points to.
#[derive(Debug, Default)]
struct Pending {
    unary: Mutex<Unary>,
    streams: Mutex<Streams>,
}

impl Pending {
    fn unary(&self) -> MutexGuard<'_, Unary> {
        self.unary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a result or a frame to whoever waits for it.
    fn deliver(&self, sid: u64, status: NrStatus, data: Vec<u8>) {
        // A receiver that is gone needs no answer: sending fails, and that is all.
        if sid & STREAM == 0 {
            let waiting = self.unary().remove(&sid);
            if let Some(sender) = waiting {
                let _ = sender.send((status, data));
            }
        } else {
            let waiting =
                if status == NrStatus::Ok { self.streams().get(&sid).cloned() } else { self.streams().remove(&sid) };
            if let Some(sender) = waiting {
                let _ = sender.send(OwnedFrame { status, data });
            }
        }
    }
}

unsafe extern "C" fn send_result(host_ctx: *mut c_void, sid: u64, status: NrStatus, payload: NrBytes) {
    // A panic has nobody to be told to: the call is lost.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: null, or the `Pending` that `load` never frees.
        let pending = unsafe { host_ctx.cast::<Pending>().as_ref() };
        // SAFETY: the plugin's bytes are valid until this function returns.
        let payload = unsafe { payload.as_slice() };
        if let (Some(pending), Ok(payload)) = (pending, payload) {
            pending.deliver(sid, status, payload.to_vec());
        }
    }));
}

static HOST_VTABLE: NrHostVTable = NrHostVTable { send_result };

type Handle = unsafe extern "C" fn(*mut c_void, u64, *const NrRequest, NrBytes) -> NrStatus;

/// What was found in the library; it is never unmapped, so all of it stays valid.
#[derive(Debug)]
struct Plugin {
    ctx: *mut c_void,
    handle: Handle,
    shutdown: Option<unsafe extern "C" fn(*mut c_void)>,
}

// SAFETY: the functions of a plugin may be called with its context from any thread.
unsafe impl Send for Plugin {}
// SAFETY: as above; nothing here is ever written.
unsafe impl Sync for Plugin {}

#[derive(Debug)]
struct Inner {
    plugin: Plugin,
    pending: Arc<Pending>,
    /// How many calls there were.
    calls: AtomicU64,
    stopped: AtomicBool,
}

/// The mutex baseline. Clones are the same host.
#[derive(Debug, Clone)]
pub struct MutexBaseline {
    inner: Arc<Inner>,
}

impl MutexBaseline {
    /// Loads a plugin and starts it. The library stays mapped for good.
    ///
    /// # Errors
    /// It cannot be opened, is not a plugin of this ABI, or does not start.
    pub fn load(path: &Path) -> Result<Self, BaselineError> {
        // SAFETY: loading runs the library's initialisers; it is the benchmarks' own plugin.
        let library = unsafe { Library::new(path) }?;
        // SAFETY: the symbol has this type in every plugin.
        let entry =
            unsafe { library.get::<unsafe extern "C" fn() -> *const NrPluginInfo>("nylon_ring_get_plugin_v1") }?;
        // SAFETY: it takes nothing and may be called from any thread.
        let info = unsafe { entry() };
        // SAFETY: null, or an info that lives as long as the library, which is forgotten below.
        let info: &NrPluginInfo = unsafe { info.as_ref() }.ok_or(BaselineError::Unusable("no info"))?;
        if !info.compatible(NR_ABI_VERSION) {
            return Err(BaselineError::Unusable("another ABI"));
        }
        // SAFETY: null, or a table that lives as long as the library.
        let vtable: &NrPluginVTable = unsafe { info.vtable.as_ref() }.ok_or(BaselineError::Unusable("no vtable"))?;
        let handle = vtable.handle.ok_or(BaselineError::Unusable("no handle function"))?;
        std::mem::forget(library);

        let pending = Arc::<Pending>::default();
        // One count is given away for good: a thread of the plugin may call at any time.
        let host_ctx = Arc::into_raw(Arc::clone(&pending)).cast_mut().cast();
        if let Some(init) = vtable.init {
            // SAFETY: called once, before any `handle`; context and table live for ever.
            let status = unsafe { init(info.plugin_ctx, host_ctx, &raw const HOST_VTABLE) };
            if status != NrStatus::Ok {
                return Err(BaselineError::Refused(status));
            }
        }
        let plugin = Plugin { ctx: info.plugin_ctx, handle, shutdown: vtable.shutdown };
        Ok(Self {
            inner: Arc::new(Inner { plugin, pending, calls: AtomicU64::new(0), stopped: AtomicBool::new(false) }),
        })
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
        let inner = &*self.inner;
        if !inner.stopped.swap(true, Ordering::AcqRel)
            && let Some(shutdown) = inner.plugin.shutdown
        {
            // SAFETY: called once, with the plugin's own context.
            unsafe { shutdown(inner.plugin.ctx) };
        }
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
        pending.unary().insert(sid, sender);
        self.handle(sid, method, path, query, headers, body).inspect_err(|_| {
            pending.unary().remove(&sid);
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
        pending.streams().insert(sid, sender);
        self.handle(sid, method, path, query, headers, body).inspect_err(|_| {
            pending.streams().remove(&sid);
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
        let plugin = &self.inner.plugin;
        // SAFETY: the plugin is started, and all that the request borrows outlives this call.
        let status = unsafe { (plugin.handle)(plugin.ctx, sid, &raw const request, NrBytes::from_slice(body)) };
        match status {
            NrStatus::Ok => Ok(()),
            refused => Err(BaselineError::Refused(refused)),
        }
    }
}
