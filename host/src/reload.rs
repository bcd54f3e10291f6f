//! A host whose plugin is replaced while it is called.
//!
//! A *generation* is one load of the plugin: a private copy of its library, started, with rings of its own. Callers find the
//! current one through an [`ArcSwap`], which costs them no lock and no write to memory that others write.
//!
//! A reload makes a whole new generation, `init` included, before anybody can see it; swaps it in; and shuts the old one down
//! behind the callers' backs. Whatever fails before the swap leaves the old one as it was.
//!
//! 1. No call is lost. One that found the old generation and could not be opened there, because that had stopped opening calls by
//!    then, was not handed over: it starts anew on the current one. One that was opened there is in flight there, and the shutdown
//!    waits for it.
//! 2. A generation whose shutdown began was swapped out before: a call that is turned away finds another one, or the host
//!    itself is shut down.
//! 3. Whoever calls holds its generation for as long as the call is in flight.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use nylon_ring::NrStatus;
use nylon_ring_runtime::Reply;
use tokio::{
    runtime::Handle,
    sync::{Mutex, oneshot},
};

use crate::{
    builder::HostBuilder,
    deadline::CallOptions,
    error::NylonRingHostError,
    host::NylonRingHost,
    payload::Payload,
    request::{HighLevelRequest, Request, RequestView},
    spare,
    stream::StreamReceiver,
};

/// A host whose plugin can be replaced by a newer version of itself while calls go on: none is lost, and those in flight finish
/// on the version that they began with.
///
/// Clones share the plugin. Each load has a private copy of the library with statics of its own, so old and new do not disturb
/// each other. What an old one leaves behind is what any dropped host does: its rings, and its library, unless that is
/// [unmapped](HostBuilder::unload_when_quiescent).
///
/// ```no_run
/// # async fn run() -> Result<(), nylon_ring_host::NylonRingHostError> {
/// use std::time::Duration;
/// use nylon_ring_host::{NylonRingHost, ReloadableHost};
///
/// let host = ReloadableHost::load(NylonRingHost::builder(), "path/to/plugin.so")?;
/// // The file was replaced. If the new one does not start, the old one goes on, and the error says why.
/// let reloaded = host.reload(Duration::from_secs(30)).await?;
/// println!("generation {}", reloaded.generation());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ReloadableHost {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    current: ArcSwap<Generation>,
    settings: HostBuilder,
    /// Held while the plugin is replaced or shut down.
    source: Mutex<Source>,
}

/// One load of the plugin.
#[derive(Debug)]
struct Generation {
    number: u64,
    host: NylonRingHost,
}

/// Where generations come from.
#[derive(Debug)]
struct Source {
    /// The file that the current generation was loaded from.
    path: PathBuf,
    /// The host was shut down: there will be no other generation.
    shut_down: bool,
}

impl ReloadableHost {
    /// Loads and starts the plugin at `path`; its later versions get the same settings.
    ///
    /// # Errors
    ///
    /// As [`HostBuilder::load`], and [`ReloadInPlace`](NylonRingHostError::ReloadInPlace).
    pub fn load(settings: HostBuilder, path: impl AsRef<Path>) -> Result<Self, NylonRingHostError> {
        let path = path.as_ref().to_path_buf();
        if settings.loads_in_place() {
            return Err(NylonRingHostError::ReloadInPlace { path });
        }
        let host = settings.clone().load(&path)?;
        let current = ArcSwap::from_pointee(Generation { number: 1, host });
        let source = Mutex::new(Source { path, shut_down: false });
        Ok(Self { shared: Arc::new(Shared { current, settings, source }) })
    }

    /// The host of the current generation: for its metrics, its version, its extensions. What is called on it directly is turned
    /// away once the plugin has been replaced.
    pub fn current(&self) -> NylonRingHost {
        self.shared.current.load().host.clone()
    }

    /// How often the plugin was loaded: 1 at first.
    pub fn generation(&self) -> u64 {
        self.shared.current.load().number
    }

    /// Both at once.
    pub(crate) fn snapshot(&self) -> (u64, NylonRingHost) {
        let current = self.shared.current.load();
        (current.number, current.host.clone())
    }

    /// As [`NylonRingHost::call`].
    ///
    /// # Errors
    ///
    /// As there. [`Closed`](NylonRingHostError::Closed) also for a call that its generation did not answer within the grace
    /// period of a reload.
    pub async fn call(&self, request: HighLevelRequest) -> Result<(NrStatus, Vec<u8>), NylonRingHostError> {
        self.shared.call(&request, CallOptions::default()).await
    }

    /// As [`call`](Self::call), with settings of its own.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn call_with(
        &self,
        request: HighLevelRequest,
        options: CallOptions,
    ) -> Result<(NrStatus, Vec<u8>), NylonRingHostError> {
        self.shared.call(&request, options).await
    }

    /// As [`NylonRingHost::call_view`].
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn call_view(&self, request: RequestView<'_>) -> Result<(NrStatus, Payload), NylonRingHostError> {
        self.shared.call(&request, CallOptions::default()).await
    }

    /// As [`call_view`](Self::call_view), with settings of its own.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn call_view_with(
        &self,
        request: RequestView<'_>,
        options: CallOptions,
    ) -> Result<(NrStatus, Payload), NylonRingHostError> {
        self.shared.call(&request, options).await
    }

    /// As [`NylonRingHost::call_stream`]. The stream stays with the generation that it began with.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn call_stream(&self, request: HighLevelRequest) -> Result<StreamReceiver, NylonRingHostError> {
        self.shared.stream(&request, CallOptions::default()).await
    }

    /// As [`call_stream`](Self::call_stream), with settings of its own.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn call_stream_with(
        &self,
        request: HighLevelRequest,
        options: CallOptions,
    ) -> Result<StreamReceiver, NylonRingHostError> {
        self.shared.stream(&request, options).await
    }

    /// As [`NylonRingHost::call_stream_view`]. The stream stays with the generation that it began with.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn call_stream_view(&self, request: RequestView<'_>) -> Result<StreamReceiver, NylonRingHostError> {
        self.shared.stream(&request, CallOptions::default()).await
    }

    /// As [`call_stream_view`](Self::call_stream_view), with settings of its own.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn call_stream_view_with(
        &self,
        request: RequestView<'_>,
        options: CallOptions,
    ) -> Result<StreamReceiver, NylonRingHostError> {
        self.shared.stream(&request, options).await
    }

    /// Loads the plugin's file again and lets all further calls go there; returns when that is so. What is in flight on the old
    /// version may finish within `grace`; [`Reloaded::drained`] waits for that.
    ///
    /// One reload goes on at a time, others wait. It runs on a thread of its own, `init` included; any executor may poll it. If
    /// the future is dropped before it is done, the plugin is replaced or not; it is whole in either case.
    ///
    /// # Errors
    ///
    /// As [`HostBuilder::load`]: the old version goes on as if nothing had been. [`ShuttingDown`](NylonRingHostError::ShuttingDown)
    /// after a [`shutdown`](Self::shutdown), and [`ReactorThread`](NylonRingHostError::ReactorThread) when there is no thread
    /// to do it on.
    pub async fn reload(&self, grace: Duration) -> Result<Reloaded, NylonRingHostError> {
        self.replace(None, grace).await
    }

    /// As [`reload`](Self::reload), from another file, which takes the place of the first one if it can be loaded.
    ///
    /// # Errors
    ///
    /// As [`reload`](Self::reload).
    pub async fn reload_from(&self, path: impl AsRef<Path>, grace: Duration) -> Result<Reloaded, NylonRingHostError> {
        self.replace(Some(path.as_ref().to_path_buf()), grace).await
    }

    async fn replace(&self, path: Option<PathBuf>, grace: Duration) -> Result<Reloaded, NylonRingHostError> {
        let spare = spare::handle().map_err(NylonRingHostError::ReactorThread)?;
        let mut source = self.shared.source.lock().await;
        if source.shut_down {
            return Err(NylonRingHostError::ShuttingDown);
        }
        let path = path.unwrap_or_else(|| source.path.clone());
        let (settings, from) = (self.shared.settings.clone(), path.clone());
        let loading = spare.spawn_blocking(move || settings.load(from));
        let host = loading.await.map_err(|_| NylonRingHostError::Closed)??;
        // From here to the end nothing waits: whoever drops this future drops it before, or after.
        source.path = path;
        let number = self.generation() + 1;
        let old = self.shared.current.swap(Arc::new(Generation { number, host }));
        Ok(Reloaded { generation: number, outcome: retire(&spare, old, grace) })
    }

    /// Shuts the current generation down, as [`NylonRingHost::shutdown`] does, and all clones of this with it; generations that
    /// are being drained keep their own grace period.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn shutdown(&self, grace: Duration) -> Result<(), NylonRingHostError> {
        let host = {
            let mut source = self.shared.source.lock().await;
            source.shut_down = true;
            self.current()
        };
        host.shutdown(grace).await
    }
}

impl Shared {
    /// Calls the current generation, and the next one if it was turned away there.
    #[inline]
    async fn call<R: Request, P: From<Reply>>(
        &self,
        request: &R,
        options: CallOptions,
    ) -> Result<(NrStatus, P), NylonRingHostError> {
        let options = self.settings.begin(options);
        loop {
            let generation = self.current.load();
            match generation.host.call_ref(request, options).await {
                Err(NylonRingHostError::ShuttingDown) if self.has_replaced(&generation) => {}
                answer => return answer,
            }
        }
    }

    /// As above, for a stream.
    async fn stream(&self, request: &impl Request, options: CallOptions) -> Result<StreamReceiver, NylonRingHostError> {
        let options = self.settings.begin(options);
        loop {
            let generation = self.current.load();
            match generation.host.stream_ref(request, options).await {
                Err(NylonRingHostError::ShuttingDown) if self.has_replaced(&generation) => {}
                stream => return stream,
            }
        }
    }

    /// Whether another generation has taken the place of this one, by which a call was just turned away.
    #[cold]
    fn has_replaced(&self, turned_away: &Arc<Generation>) -> bool {
        // Whoever stopped the calls of the old generation did so under a lock, after the swap; taking the same lock after that
        // makes the swap visible here.
        turned_away.host.is_closed();
        !Arc::ptr_eq(&self.current.load(), turned_away)
    }
}

/// Shuts a generation down in the background.
fn retire(spare: &Handle, old: Arc<Generation>, grace: Duration) -> oneshot::Receiver<Result<(), NylonRingHostError>> {
    let (done, outcome) = oneshot::channel();
    spare.spawn(async move {
        let drained = old.host.shutdown(grace).await;
        drop(old);
        // Whoever does not wait for it does not want to know.
        let _ = done.send(drained);
    });
    outcome
}

/// A reload that has taken place, while the old version may still have calls in flight.
#[derive(Debug)]
pub struct Reloaded {
    generation: u64,
    outcome: oneshot::Receiver<Result<(), NylonRingHostError>>,
}

impl Reloaded {
    /// The number of the new generation.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Waits until the old version has been shut down. It is shut down whether or not anybody waits.
    ///
    /// # Errors
    ///
    /// As [`NylonRingHost::shutdown`]: [`ShutdownTimedOut`](NylonRingHostError::ShutdownTimedOut) says how many calls have
    /// failed because the grace period ended.
    pub async fn drained(self) -> Result<(), NylonRingHostError> {
        self.outcome.await.unwrap_or(Err(NylonRingHostError::Closed))
    }
}
