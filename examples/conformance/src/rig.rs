//! A loaded plugin, and how checks are run on it.

use std::{
    future::Future,
    panic::{self, AssertUnwindSafe},
    path::Path,
    process,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use nylon_ring_host::{
    CallOptions, HostBuilder, Metrics, NrStatus, NylonRingHost, NylonRingHostError, RequestView, StreamFrame,
    StreamReceiver,
};
use tokio::runtime::{self, Runtime};

/// How long one check may take: it is for those that hang, on a machine that has more to do.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// One plugin, and what was asked of it.
#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) host: NylonRingHost,
    tally: Arc<Tally>,
}

/// What this side counts, to compare with the host's books.
#[derive(Default)]
struct Tally {
    asked: AtomicU64,
    taken: AtomicU64,
    given_up: AtomicU64,
}

impl Rig {
    pub(crate) fn load(plugin: &Path, settings: HostBuilder) -> Self {
        let host = settings.load(plugin).unwrap_or_else(|error| panic!("{error}"));
        assert!(!host.name().is_empty(), "a plugin has a name");
        assert!(!host.version().is_empty(), "a plugin has a version");
        Self { host, tally: Arc::default() }
    }

    /// Runs a check on either kind of runtime.
    pub(crate) fn check<F>(&self, name: &'static str, check: impl Fn(Self) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        for (kind, runtime) in [("one thread", one_thread()), ("two workers", two_workers())] {
            let (rig, check) = (self.clone(), check(self.clone()));
            self.check_on(&runtime, name, kind, async move {
                check.await;
                rig.take_in().await;
            });
        }
    }

    /// Runs a check that can be run but once.
    pub(crate) fn check_once<F>(&self, name: &'static str, check: impl FnOnce(Self) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.check_on(&two_workers(), name, "two workers", check(self.clone()));
    }

    fn check_on<F>(&self, runtime: &Runtime, name: &'static str, kind: &str, check: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let _watchdog = Watchdog::new(name);
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async { tokio::time::timeout(LIMIT, tokio::spawn(check)).await })
        }));
        let books = self.host.metrics();
        match outcome {
            Ok(Ok(Ok(()))) => {}
            Ok(Err(_)) => panic!("`{name}` on {kind} took longer than {LIMIT:?}: {books:#?}"),
            Ok(Ok(Err(error))) => {
                eprintln!("`{name}` on {kind} failed; the books: {books:#?}");
                error.try_into_panic().map_or_else(|error| panic!("{error}"), |panic| panic::resume_unwind(panic));
            }
            Err(panic) => panic::resume_unwind(panic),
        }
    }

    /// Calls the plugin, whatever comes of it.
    pub(crate) async fn call(&self, request: RequestView<'_>) -> Result<(NrStatus, Vec<u8>), NylonRingHostError> {
        self.call_with(request, CallOptions::new()).await
    }

    pub(crate) async fn call_with(
        &self,
        request: RequestView<'_>,
        options: CallOptions,
    ) -> Result<(NrStatus, Vec<u8>), NylonRingHostError> {
        self.tally.asked.fetch_add(1, Relaxed);
        let (status, payload) = self.host.call_view_with(request, options).await?;
        self.tally.taken.fetch_add(1, Relaxed);
        Ok((status, payload.into_vec()))
    }

    /// A `GET` that has to be answered, with this status; returns the answer as text.
    pub(crate) async fn get(&self, path: &str, query: &str, wanted: NrStatus) -> String {
        let (status, answer) =
            self.call(RequestView { method: "GET", path, query, ..RequestView::default() }).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(status, wanted, "{path}?{query}: {answer}");
        answer
    }

    /// Makes a call, and drops it once the plugin has it.
    pub(crate) async fn give_up(&self, path: &str, query: &str) {
        self.tally.asked.fetch_add(1, Relaxed);
        self.tally.given_up.fetch_add(1, Relaxed);
        let mut call = self.host.call_view(RequestView { method: "GET", path, query, ..RequestView::default() });
        let answer = futures::poll!(&mut call);
        assert!(answer.is_pending(), "{path}?{query} was answered at once: {answer:?}");
    }

    /// Makes a call that is not answered in time.
    pub(crate) async fn times_out(&self, path: &str, query: &str, timeout: Duration) {
        self.tally.asked.fetch_add(1, Relaxed);
        self.tally.given_up.fetch_add(1, Relaxed);
        let request = RequestView { method: "GET", path, query, ..RequestView::default() };
        let answer = self.host.call_view_with(request, CallOptions::new().timeout(timeout)).await;
        assert!(matches!(answer, Err(NylonRingHostError::Timeout)), "{path}?{query}: {answer:?}");
    }

    /// Opens a stream, whatever comes of it.
    pub(crate) async fn stream(&self, path: &str, query: &str) -> StreamReceiver {
        self.tally.asked.fetch_add(1, Relaxed);
        self.host.call_stream_view(RequestView { method: "GET", path, query, ..RequestView::default() }).await.unwrap()
    }

    /// Drops streams that the plugin has not ended yet.
    pub(crate) fn give_up_streams(&self, streams: Vec<StreamReceiver>) {
        self.tally.given_up.fetch_add(streams.len() as u64, Relaxed);
    }

    /// How many results have reached their call, and have neither been taken nor given up.
    pub(crate) fn waiting(&self, books: &Metrics) -> u64 {
        books.delivered - self.tally.taken.load(Relaxed) - books.abandoned - books.late
    }

    /// Whether the plugin has ended all that was given up.
    pub(crate) fn all_ended(&self, books: &Metrics) -> bool {
        let answered = books.unknown_sid + books.late >= self.tally.given_up.load(Relaxed);
        // What the plugin had sent before is given back by whoever drains it, perhaps a little later.
        answered && (books.in_flight, books.buffered) == (0, 0)
    }

    /// The next frame of a stream.
    pub(crate) async fn recv(&self, stream: &mut StreamReceiver) -> Option<StreamFrame> {
        let frame = stream.recv().await;
        if frame.is_some() && stream.error().is_none() {
            self.tally.taken.fetch_add(1, Relaxed);
        }
        frame
    }

    /// Has all that was sent on this thread counted. A result that nobody waits for lies in the ring until somebody does; so does
    /// the frame that is asked for here, behind it.
    async fn take_in(&self) {
        let mut stream = self.stream("/", "").await;
        assert!(self.recv(&mut stream).await.is_some(), "there is an answer");
    }

    /// Waits until the metrics are as they should be, for as long as a check may take.
    pub(crate) async fn until(&self, what: &str, come_true: impl Fn(&Metrics) -> bool) {
        let waited = tokio::time::timeout(LIMIT / 2, async {
            while !come_true(&self.host.metrics()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        assert!(waited.await.is_ok(), "it never came true that {what}: {:#?}", self.host.metrics());
    }

    /// Closes the host, with nothing in flight, and balances the books.
    pub(crate) fn close(self) {
        self.check_once("the books balance", close);
    }
}

async fn close(rig: Rig) {
    rig.until("nothing is in flight", |m| m.in_flight == 0).await;
    rig.until("the plugin ends what was given up", |m| rig.all_ended(m)).await;
    rig.host.shutdown(LIMIT).await.unwrap();
    rig.takes_no_more().await;
    rig.balanced();
}

impl Rig {
    pub(crate) async fn takes_no_more(&self) {
        let refused = self.host.call_view(RequestView::default()).await;
        assert!(matches!(refused, Err(NylonRingHostError::ShuttingDown)), "{refused:?}");
    }

    /// All that the plugin sent was wanted, but for one result for each call that was given up.
    pub(crate) fn balanced(&self) {
        let books = self.host.metrics();
        assert_eq!(books.opened, self.tally.asked.load(Relaxed), "each call was opened: {books:#?}");
        assert_eq!((books.in_flight, books.buffered), (0, 0), "nothing is left: {books:#?}");
        assert_eq!(self.waiting(&books), 0, "each result was taken or given up: {books:#?}");
        assert_eq!(
            books.unknown_sid + books.late,
            self.tally.given_up.load(Relaxed),
            "each call that was given up was answered, once: {books:#?}"
        );
        self.keeps_to_the_contract();
    }

    /// The plugin sent nothing that it should not have.
    pub(crate) fn keeps_to_the_contract(&self) {
        let books = self.host.metrics();
        let wrong = [
            books.duplicate,
            books.after_end,
            books.overflowed,
            books.refused,
            books.unknown_status,
            books.invalid_payload,
            books.state_errors,
            books.extension_errors,
            books.null_context,
        ];
        assert_eq!(wrong, [0; 9], "{books:#?}");
    }
}

pub(crate) fn one_thread() -> Runtime {
    runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

pub(crate) fn two_workers() -> Runtime {
    runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Ends the process when a check has not ended in time: what blocks its thread cannot be timed out.
struct Watchdog {
    _alive: mpsc::Sender<()>,
}

impl Watchdog {
    fn new(name: &'static str) -> Self {
        let (alive, dead) = mpsc::channel();
        thread::spawn(move || {
            if dead.recv_timeout(LIMIT * 2) == Err(RecvTimeoutError::Timeout) {
                eprintln!("`{name}` blocks its thread; giving up");
                process::abort();
            }
        });
        Self { _alive: alive }
    }
}
