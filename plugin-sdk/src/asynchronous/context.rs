//! What a handler knows of its call.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nylon_ring::NrStatus;
use tokio::sync::watch;

use super::{Failed, FrameSender, Payload};
use crate::{Error, Level, State, Watch, ffi::Open};

/// What all parts of one call share.
#[derive(Debug)]
pub(crate) struct Cell {
    sid: u64,
    shared: Mutex<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Taken by what ends the call.
    open: Option<Open>,
    /// Whether [`Context::stream`] was called.
    stream: bool,
    /// Made by the first [`Context::cancelled`].
    over: Option<watch::Sender<bool>>,
}

impl Cell {
    pub(crate) fn new(open: Open) -> Arc<Self> {
        let sid = open.sid();
        Arc::new(Self { sid, shared: Mutex::new(Shared { open: Some(open), stream: false, over: None }) })
    }

    /// Never held while foreign code runs, but for functions of the host.
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn sid(&self) -> u64 {
        self.sid
    }

    /// What `f` makes of the call while it is open; afterwards [`Error::Closed`].
    pub(crate) fn open<T>(&self, f: impl FnOnce(&mut Open) -> T) -> Result<T, Error> {
        self.shared().open.as_mut().map(f).ok_or(Error::Closed)
    }

    /// Takes the right to end the call, if nothing has ended it before. `bool`: whether it is a stream.
    fn take(&self) -> Option<(Open, bool)> {
        let mut shared = self.shared();
        let open = shared.open.take()?;
        Some((open, shared.stream))
    }

    /// Tells those that wait in `cancelled`.
    fn tell(&self) {
        let over = self.shared().over.take();
        if let Some(over) = over {
            over.send_replace(true);
        }
    }

    /// Ends the call by what its handler returned.
    pub(super) fn finish(&self, outcome: Result<Payload, Failed>) {
        if let Some((open, stream)) = self.take() {
            match outcome {
                Ok(Payload(bytes)) if stream => open.finish(NrStatus::StreamEnd, &bytes),
                Ok(Payload(bytes)) => open.finish(NrStatus::Ok, &bytes),
                Err(Failed { status, payload: Payload(bytes) }) => open.finish(status, &bytes),
            }
            self.tell();
        }
    }

    /// Ends the call, or the stream, by this status; afterwards [`Error::Closed`].
    pub(super) fn end(&self, status: NrStatus, payload: &[u8]) -> Result<(), Error> {
        let (open, _) = self.take().ok_or(Error::Closed)?;
        open.finish(status, payload);
        self.tell();
        Ok(())
    }

    /// Ends the call because nothing else will.
    pub(super) fn abandon(&self) {
        if let Some((open, _)) = self.take() {
            drop(open);
            self.tell();
        }
    }

    /// Becomes `true` once nobody waits for the call any more.
    fn subscribe(&self) -> watch::Receiver<bool> {
        let mut shared = self.shared();
        if let Some(over) = &shared.over {
            return over.subscribe();
        }
        let over = watch::Sender::new(shared.open.is_none());
        let receiver = over.subscribe();
        if let Some(open) = &shared.open {
            let told = over.clone();
            let tell = Box::new(move |_| {
                told.send_replace(true);
            });
            if let Err((Watch::Closed, _)) = open.on_cancel(tell) {
                over.send_replace(true);
            }
            shared.over = Some(over);
        }
        receiver
    }
}

/// What an asynchronous handler knows of its call. Clones are for tasks that it spawns.
///
/// All of it works until the call is over, which is when the handler has returned; then [`Error::Closed`] is the answer.
#[derive(Clone)]
pub struct Context {
    cell: Arc<Cell>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("sid", &self.cell.sid).finish_non_exhaustive()
    }
}

impl Context {
    pub(super) const fn new(cell: Arc<Cell>) -> Self {
        Self { cell }
    }

    /// The host's id of the call, to correlate logs with.
    #[must_use]
    pub fn sid(&self) -> u64 {
        self.cell.sid
    }

    /// Answers with a stream of frames. The stream ends when the handler returns: well, with what it returns as the last
    /// payload, or with its failure.
    ///
    /// ```
    /// use nylon_ring_sdk::{Context, Failed, Payload};
    ///
    /// async fn count(cx: Context) -> Result<Payload, Failed> {
    ///     let mut frames = cx.stream();
    ///     for i in 1..=1000 {
    ///         frames.send(format!("frame {i}")).await?; // waits while the receiver is slower
    ///     }
    ///     Ok(().into())
    /// }
    /// ```
    #[must_use]
    pub fn stream(&self) -> FrameSender {
        self.cell.shared().stream = true;
        FrameSender::new(Arc::clone(&self.cell))
    }

    /// Whether nobody waits for the answer any more. Without the extension `nylon.cancel/1` only when the call is over.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cell.open(|open| open.link().is_cancelled(open.sid())).unwrap_or(true)
    }

    /// Waits until nobody waits for the answer any more: it was given up, or is over.
    ///
    /// ```
    /// # use nylon_ring_sdk::{Context, Failed, Payload};
    /// # async fn work() -> Result<Payload, Failed> { Ok(().into()) }
    /// async fn answer(cx: Context) -> Result<Payload, Failed> {
    ///     tokio::select! {
    ///         answer = work() => answer,
    ///         () = cx.cancelled() => Err(Failed::err("given up")),
    ///     }
    /// }
    /// ```
    pub async fn cancelled(&self) {
        let mut over = self.cell.subscribe();
        // An error would mean that the sender is gone, which `tell` and the host's callback use before they drop it.
        let _told = over.wait_for(|over| *over).await;
    }

    /// How long the caller still waits; zero if it does not any more. `None` without a deadline, or without the extension
    /// `nylon.deadline/1`.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.cell.open(|open| open.link().remaining(open.sid())).unwrap_or(Some(Duration::ZERO))
    }

    /// Until when the caller waits. `None` without a deadline, or without the extension `nylon.deadline/1`.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.remaining()?)
    }

    /// What the host keeps for this call until it is over.
    #[must_use]
    pub fn state(&self) -> State<'_> {
        State::shared(&self.cell)
    }

    /// Logs a message about this call through the host. As [`Host::log`](crate::Host::log) but for the sid; `false` also
    /// when the call is over.
    pub fn log(&self, level: Level, target: &str, message: impl AsRef<str>) -> bool {
        let message = message.as_ref();
        self.cell.open(|open| open.link().log(open.sid(), level, target, message)).unwrap_or(false)
    }
}
