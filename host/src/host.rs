//! A loaded plugin and the rings that its answers come through.

use std::{
    ffi::{CStr, c_void},
    future::Future,
    path::{Path, PathBuf},
    ptr::NonNull,
    sync::{Arc, OnceLock},
    time::Duration,
};

use nylon_ring::NrStatus;
use nylon_ring_runtime::{self as ring, Reply};
use tokio::sync::OnceCell;

use crate::{
    admission::Admission,
    builder::HostBuilder,
    call::Call,
    context::Context,
    deadline::{CallOptions, Due},
    dispatch::{Handled, Plugin, Refusal},
    error::NylonRingHostError,
    handle_times::{HandleClock, HandleTimes},
    loader::LoadedPlugin,
    metrics::{self, Metrics},
    offers::{Health, Offers},
    opening::Opening,
    payload::Payload,
    publish::{Publisher, Publishing},
    request::{AbiRequest, HighLevelRequest, Request, RequestView},
    shutdown,
    stream::StreamReceiver,
    unload,
    watchdog::{self, InFlight, Watchdog},
};

/// A host: one plugin, loaded and started, ready to be called from any thread and any executor.
///
/// Clones share the plugin. When the last one is dropped, and with it the last [`StreamReceiver`], the plugin's `shutdown`
/// runs on that thread; to choose when, and not to block, call [`shutdown`](Self::shutdown) before. The library stays mapped,
/// because threads of the plugin may still be running its code, unless it was [told](HostBuilder::unload_when_quiescent) to go when they have
/// stopped.
///
/// ```no_run
/// # async fn run() -> Result<(), nylon_ring_host::NylonRingHostError> {
/// use nylon_ring_host::{HighLevelRequest, NylonRingHost};
///
/// let host = NylonRingHost::load("path/to/plugin.so")?;
/// let request = HighLevelRequest { method: "GET".into(), path: "/hello".into(), ..Default::default() };
/// let (status, payload) = host.call(request).await?;
/// println!("{status:?}: {}", String::from_utf8_lossy(&payload));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct NylonRingHost {
    inner: Arc<Inner>,
}

/// What clones share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) context: &'static Context,
    pub(crate) plugin: Plugin,
    path: PathBuf,
    name: String,
    version: String,
    /// How long callers wait who say nothing else.
    due: Option<Due>,
    /// The places for calls in flight, if their number is limited.
    pub(crate) admission: Option<Admission>,
    offers: Offers,
    /// Within which time after the end its library is unmapped, if at all.
    unload: Option<Duration>,
    /// Who looks at calls in flight, if anybody does.
    watchdog: Option<Arc<Watchdog>>,
    /// What times `handle`, if anything does.
    clock: Option<HandleClock>,
    /// Whether a call has neither a deadline nor to wait for a place, if it says nothing else, and `handle` is neither timed nor
    /// watched. One look for all of it: the compiler takes what lies behind several for rarely used.
    pub(crate) is_plain: bool,
    /// Set when a shutdown has run its course.
    pub(crate) shut_down: OnceCell<()>,
    /// Who writes about the host for other processes, if anybody does.
    publisher: OnceLock<Publisher>,
}

impl NylonRingHost {
    pub(crate) fn new(
        context: &'static Context,
        loaded: LoadedPlugin,
        due: Option<Due>,
        admission: Option<Admission>,
        unload: Option<Duration>,
        watchdog: Option<Arc<Watchdog>>,
        time_handles: Option<u32>,
    ) -> Self {
        let LoadedPlugin { path, name, version, plugin } = loaded;
        let offers = Offers::look_up(|id| plugin.extension(id));
        let shut_down = OnceCell::new();
        let clock = time_handles.and_then(HandleClock::new);
        let is_plain = due.is_none() && admission.is_none() && clock.is_none() && watchdog.is_none();
        let inner = Inner {
            context,
            plugin,
            path,
            name,
            version,
            due,
            admission,
            offers,
            unload,
            watchdog,
            clock,
            is_plain,
            shut_down,
            publisher: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Writes about the host for other processes from now on.
    pub(crate) fn publish(&self, publishing: Publishing) -> Result<(), NylonRingHostError> {
        let Inner { context, version, watchdog, publisher, .. } = &*self.inner;
        // It is asked once.
        let _ = publisher.set(Publisher::start(context, version, watchdog.clone(), publishing)?);
        Ok(())
    }

    /// Another instance of the plugin, which has not been started.
    pub(crate) fn create_instance(&self) -> Result<LoadedPlugin, NylonRingHostError> {
        let Inner { plugin, path, name, version, offers, .. } = &*self.inner;
        let unsupported = || NylonRingHostError::InstancesUnsupported { plugin: name.clone() };
        let instances = offers.instances.ok_or_else(unsupported)?;
        let refused =
            |Refusal { status, raw }| NylonRingHostError::InstanceRefused { plugin: name.clone(), status, raw };
        let plugin = plugin.instance(instances).map_err(refused)?.ok_or_else(unsupported)?;
        Ok(LoadedPlugin { path: path.clone(), name: name.clone(), version: version.clone(), plugin })
    }

    /// Loads and starts the plugin at `path`, with default settings.
    ///
    /// # Errors
    ///
    /// As [`HostBuilder::load`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, NylonRingHostError> {
        Self::builder().load(path)
    }

    /// Settings to start from.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// The plugin's name for itself.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The plugin's version of itself.
    pub fn version(&self) -> &str {
        &self.inner.version
    }

    /// The file that the plugin was loaded from.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The table of an extension that the plugin offers, by its id, or `None`. What it points to is the plugin's, and stays
    /// valid as long as a clone of this host or one of its streams lives; for ever, if the library is not
    /// [unmapped](HostBuilder::unload_when_quiescent).
    pub fn plugin_extension(&self, id: &CStr) -> Option<NonNull<c_void>> {
        self.inner.plugin.extension(id)
    }

    /// Asks the plugin how it is, if it offers `nylon.health/1`; `None` if not, or once it is shut down. Plugins answer soon; those
    /// that ask at the same time wait for each other.
    pub fn health(&self) -> Option<Health> {
        self.inner.plugin.health(self.inner.offers.check?)
    }

    /// All calls and streams in flight now, the oldest first. Costs them nothing; how old they are is known where
    /// [somebody looks](HostBuilder::watch_calls) from time to time.
    pub fn in_flight(&self) -> Vec<InFlight> {
        watchdog::in_flight(self.inner.context, self.inner.watchdog.as_deref())
    }

    /// How long `handle` took, where it [is timed](HostBuilder::time_handles).
    pub fn handle_times(&self) -> Option<HandleTimes> {
        self.inner.clock.as_ref().map(HandleClock::snapshot)
    }

    /// A snapshot of all counters.
    pub fn metrics(&self) -> Metrics {
        metrics::snapshot(self.inner.context)
    }

    /// Calls the plugin and waits for its one result, without blocking the thread. Dropping the future gives the call up.
    ///
    /// Results come by a task of the caller's runtime: a task that polls this again and again by hand, and never lets others of its
    /// runtime run, may poll for ever.
    ///
    /// # Errors
    ///
    /// [`TooManyInFlight`](NylonRingHostError::TooManyInFlight), [`Timeout`](NylonRingHostError::Timeout),
    /// [`Refused`](NylonRingHostError::Refused) when `handle` does
    /// not take the request, [`Overflow`](NylonRingHostError::Overflow) when the result does not fit the buffer limit,
    /// [`ShuttingDown`](NylonRingHostError::ShuttingDown) and [`Closed`](NylonRingHostError::Closed) before and after
    /// `handle` when the host is shut down, [`TooLarge`](NylonRingHostError::TooLarge) for text of 4 GiB or more.
    #[inline]
    pub fn call(
        &self,
        request: HighLevelRequest,
    ) -> impl Future<Output = Result<(NrStatus, Vec<u8>), NylonRingHostError>> + Send + Unpin {
        self.call_with(request, CallOptions::default())
    }

    /// As [`call`](Self::call), with settings of its own.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    #[inline]
    pub fn call_with(
        &self,
        request: HighLevelRequest,
        options: CallOptions,
    ) -> impl Future<Output = Result<(NrStatus, Vec<u8>), NylonRingHostError>> + Send + Unpin {
        Call::new(&self.inner, request, options)
    }

    /// As [`call`](Self::call), on a request that is borrowed: nothing is allocated on its way, and nothing at all for a
    /// result of up to 40 bytes.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    #[inline]
    pub fn call_view<'a>(
        &'a self,
        request: RequestView<'a>,
    ) -> impl Future<Output = Result<(NrStatus, Payload), NylonRingHostError>> + Send + Unpin + 'a {
        self.call_view_with(request, CallOptions::default())
    }

    /// As [`call_view`](Self::call_view), with settings of its own.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    #[inline]
    pub fn call_view_with<'a>(
        &'a self,
        request: RequestView<'a>,
        options: CallOptions,
    ) -> impl Future<Output = Result<(NrStatus, Payload), NylonRingHostError>> + Send + Unpin + 'a {
        Call::new(&self.inner, request, options)
    }

    /// Calls the plugin and returns a receiver for its frames. Dropping the receiver gives the stream up.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), without those that come with results: a stream delivers them as its last frame.
    #[inline]
    pub fn call_stream(
        &self,
        request: HighLevelRequest,
    ) -> impl Future<Output = Result<StreamReceiver, NylonRingHostError>> + Send + Unpin {
        Opening::new(&self.inner, request, CallOptions::default())
    }

    /// As [`call_stream`](Self::call_stream), with settings of its own. A timeout is for the whole stream, to its terminal frame.
    ///
    /// # Errors
    ///
    /// As [`call_stream`](Self::call_stream).
    #[inline]
    pub fn call_stream_with(
        &self,
        request: HighLevelRequest,
        options: CallOptions,
    ) -> impl Future<Output = Result<StreamReceiver, NylonRingHostError>> + Send + Unpin {
        Opening::new(&self.inner, request, options)
    }

    /// As [`call_with`](Self::call_with), for who may have to make the call again elsewhere.
    #[inline]
    pub(crate) fn call_ref<'a, R: Request, P: From<Reply> + 'a>(
        &'a self,
        request: &'a R,
        options: CallOptions,
    ) -> impl Future<Output = Result<(NrStatus, P), NylonRingHostError>> + 'a {
        Call::new(&self.inner, request, options)
    }

    /// As [`call_stream_with`](Self::call_stream_with), in the same way.
    #[inline]
    pub(crate) fn stream_ref<'a, R: Request>(
        &'a self,
        request: &'a R,
        options: CallOptions,
    ) -> impl Future<Output = Result<StreamReceiver, NylonRingHostError>> + 'a {
        Opening::new(&self.inner, request, options)
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn context(&self) -> &'static Context {
        self.inner.context
    }

    /// Whether calls that wait are failed.
    pub(crate) fn is_closed(&self) -> bool {
        self.inner.context.runtime.is_closed()
    }

    /// As [`call_stream`](Self::call_stream), on a request that is borrowed.
    ///
    /// # Errors
    ///
    /// As [`call_stream`](Self::call_stream).
    #[inline]
    pub fn call_stream_view<'a>(
        &'a self,
        request: RequestView<'a>,
    ) -> impl Future<Output = Result<StreamReceiver, NylonRingHostError>> + Send + Unpin + 'a {
        Opening::new(&self.inner, request, CallOptions::default())
    }

    /// As [`call_stream_view`](Self::call_stream_view), with settings of its own.
    ///
    /// # Errors
    ///
    /// As [`call_stream`](Self::call_stream).
    #[inline]
    pub fn call_stream_view_with<'a>(
        &'a self,
        request: RequestView<'a>,
        options: CallOptions,
    ) -> impl Future<Output = Result<StreamReceiver, NylonRingHostError>> + Send + Unpin + 'a {
        Opening::new(&self.inner, request, options)
    }

    /// Shuts the host down: no new calls; those in flight may finish within `grace`; the rest fail with
    /// [`Closed`](NylonRingHostError::Closed); then the plugin's `shutdown` runs, on a thread of its own, and is waited for.
    ///
    /// Any executor may poll it. Once a shutdown has run its course, another returns `Ok` at once.
    ///
    /// # Errors
    ///
    /// [`ShutdownTimedOut`](NylonRingHostError::ShutdownTimedOut) when calls had to be failed. The plugin was shut down all the
    /// same, unless a `handle` of its own did not return within a second: then its `shutdown` is left to the drop of the host. Further, [`ReactorThread`](NylonRingHostError::ReactorThread) when there is no thread to do it on.
    pub async fn shutdown(&self, grace: Duration) -> Result<(), NylonRingHostError> {
        shutdown::shut_down(self.inner.clone(), grace).await
    }
}

impl Inner {
    #[inline(always)]
    pub(crate) fn open(&self) -> Result<ring::Call<'static>, Box<NylonRingHostError>> {
        let context = self.context;
        context.seats.shard(&context.runtime)?.open_call().map_err(NylonRingHostError::opening)
    }

    /// The error for a call that the plugin did not take, which is to be closed.
    #[cold]
    pub(crate) fn refused(&self, refusal: Refusal) -> Box<NylonRingHostError> {
        self.context.refused.count();
        if refusal.is_unknown() {
            self.context.unknown_status.count();
        }
        Box::new(refusal.into())
    }

    /// Hands a request to the plugin, watched and timed as it is to be.
    pub(crate) fn handle(&self, sid: u64, request: AbiRequest<'_>) -> Handled {
        let timed = || match &self.clock {
            None => self.plugin.handle(sid, request),
            Some(clock) => clock.run(|| self.plugin.handle(sid, request)),
        };
        match &self.watchdog {
            None => timed(),
            Some(watchdog) => watchdog.run(sid, request.path(), timed),
        }
    }

    /// Until when a call may wait.
    pub(crate) fn due(&self, options: CallOptions) -> Option<Due> {
        options.due.or(self.due)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // No call is in flight: their futures borrow the host, and receivers share it.
        self.context.runtime.stop_opening();
        self.plugin.shutdown();
        self.context.seats.vacate();
        self.context.runtime.close();
        if let Some(remains) = self.plugin.leave(self.offers.is_quiescent) {
            unload::when_quiescent(self.context, remains, self.unload);
        }
    }
}
