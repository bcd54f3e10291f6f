//! The mock host.

use std::{
    ffi::CStr,
    fmt,
    marker::PhantomData,
    sync::{Arc, PoisonError, RwLock, RwLockWriteGuard},
    thread,
    time::Duration,
};

use nylon_ring::NrStatus;

use super::{
    LogLine, MockRequest, PendingCall, PendingStream,
    book::{Book, Settings},
    ffi::Plug,
};
use crate::{Error, Level, Plugin};

/// A host for tests of the plugin `P`, in the test's own process.
///
/// It makes an instance of `P` and drives it through the same C functions as a real host, with all extensions or with
/// those that the test wants. Any number of them may live side by side, each with an instance of its own.
///
/// Dropped, it stops the plugin. If the plugin is quiescent soon after, its instance is freed, otherwise leaked.
pub struct MockHost<P: Plugin> {
    book: Arc<Book>,
    /// Read by calls, which may run beside each other; written by what may not. `None` once it is freed.
    plug: RwLock<Option<Plug>>,
    plugin: PhantomData<fn() -> P>,
}

impl<P: Plugin> MockHost<P> {
    /// Settings of a host; the defaults are those of [`MockHostBuilder`].
    pub fn builder() -> MockHostBuilder<P> {
        MockHostBuilder::default()
    }

    /// A host with all extensions and no configuration.
    ///
    /// # Errors
    ///
    /// [`Error::NotStarted`]
    pub fn start() -> Result<Self, Error> {
        Self::builder().start()
    }

    /// Calls the plugin, for one result.
    pub fn call(&self, request: impl Into<MockRequest>) -> PendingCall {
        let (sid, refused) = self.open(&request.into(), false);
        PendingCall::new(Arc::clone(&self.book), sid, refused)
    }

    /// Calls the plugin, for a stream of frames.
    pub fn stream(&self, request: impl Into<MockRequest>) -> PendingStream {
        let (sid, refused) = self.open(&request.into(), true);
        PendingStream::new(Arc::clone(&self.book), sid, refused)
    }

    fn open(&self, request: &MockRequest, stream: bool) -> (u64, Option<u32>) {
        let sid = self.book.open(stream, request.deadline);
        let plug = self.plug.read().unwrap_or_else(PoisonError::into_inner);
        let status = plug.as_ref().map_or(NrStatus::Invalid.as_raw(), |plug| plug.handle(sid, &request.request));
        (sid, (status != NrStatus::Ok.as_raw()).then_some(status))
    }

    /// What the plugin has logged so far.
    #[must_use]
    pub fn logs(&self) -> Vec<LogLine> {
        self.book.logs()
    }

    /// What the plugin says of its health.
    ///
    /// # Errors
    ///
    /// The plugin's text, if it cannot serve.
    pub fn health(&self) -> Result<(), String> {
        // One at a time.
        match self.plug().as_ref().map(Plug::check) {
            Some((0, _)) => Ok(()),
            Some((_, text)) => Err(text),
            None => Err(String::new()),
        }
    }

    /// How many buffers the plugin has neither sent nor given back.
    #[must_use]
    pub fn buffers_lent(&self) -> usize {
        self.book.buffers()
    }

    /// Stops the plugin. Calls after that are refused.
    pub fn shutdown(&self) {
        if let Some(plug) = self.plug().as_mut() {
            plug.shutdown();
        }
    }

    /// Whether the plugin says that nothing of it runs any more; `false` before [`shutdown`](MockHost::shutdown).
    #[must_use]
    pub fn is_quiescent(&self) -> bool {
        self.plug().as_mut().is_some_and(Plug::is_quiescent)
    }

    /// Alone with the plugin.
    fn plug(&self) -> RwLockWriteGuard<'_, Option<Plug>> {
        self.plug.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Plugin> Drop for MockHost<P> {
    fn drop(&mut self) {
        let Some(mut plug) = self.plug().take() else { return };
        plug.shutdown();
        for _ in 0..200 {
            if plug.is_quiescent() {
                return plug.destroy();
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl<P: Plugin> fmt::Debug for MockHost<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockHost").field("plug", &self.plug).finish_non_exhaustive()
    }
}

/// Settings of a [`MockHost`].
///
/// ```
/// # use nylon_ring_sdk::{Call, Error, Host, Plugin, RawConfig, Request};
/// # struct Greeter(RawConfig);
/// # impl Plugin for Greeter {
/// #     type Config = RawConfig;
/// #     fn new(config: RawConfig, _host: &Host) -> Result<Self, Error> { Ok(Self(config)) }
/// #     fn call(&self, _req: Request<'_>, call: Call) { call.reply(&self.0.0) }
/// # }
/// use nylon_ring_sdk::testing::MockHost;
///
/// let host = MockHost::<Greeter>::builder()
///     .config("good morning")      // what the plugin is configured by; default: nothing
///     .window(4)                   // frames of a stream before it is full; default: 16
///     .without(c"nylon.buffer/1")  // one extension less; default: all of them
///     .start()?;
/// assert_eq!(host.call("/").wait()?.text(), "good morning");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing starts until `start`"]
pub struct MockHostBuilder<P: Plugin> {
    settings: Settings,
    plugin: PhantomData<fn() -> P>,
}

impl<P: Plugin> Default for MockHostBuilder<P> {
    fn default() -> Self {
        let settings = Settings {
            config: Vec::new(),
            window: 16,
            level: Level::Trace,
            patience: Duration::from_secs(20),
            without: Vec::new(),
            bare: false,
        };
        Self { settings, plugin: PhantomData }
    }
}

impl<P: Plugin> MockHostBuilder<P> {
    /// What the plugin is configured by.
    pub fn config(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.settings.config = bytes.into();
        self
    }

    /// How many frames a stream takes before the test has taken any.
    pub fn window(mut self, frames: u64) -> Self {
        self.settings.window = frames;
        self
    }

    /// The least important level that the host keeps; default: all of them.
    pub fn log_level(mut self, level: Level) -> Self {
        self.settings.level = level;
        self
    }

    /// How long a test waits for an answer before it fails; default: 20 s.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience;
        self
    }

    /// The host does not offer this extension.
    pub fn without(mut self, extension: &'static CStr) -> Self {
        self.settings.without.push(extension);
        self
    }

    /// The host offers no extension at all.
    pub fn bare(mut self) -> Self {
        self.settings.bare = true;
        self
    }

    /// Starts the plugin.
    ///
    /// # Errors
    ///
    /// [`Error::NotStarted`], with what the plugin logged.
    pub fn start(self) -> Result<MockHost<P>, Error> {
        let book = Arc::new(Book::new(self.settings));
        let created = Plug::create::<P>(Arc::clone(&book));
        let mut plug =
            created.ok_or_else(|| Error::NotStarted { status: NrStatus::Err.as_raw(), log: String::new() })?;
        let status = plug.start::<P>();
        let host = MockHost { book, plug: RwLock::new(Some(plug)), plugin: PhantomData };
        if status == NrStatus::Ok.as_raw() {
            return Ok(host);
        }
        let log = host.logs().into_iter().map(|line| line.message).collect::<Vec<_>>().join("; ");
        Err(Error::NotStarted { status, log })
    }
}
