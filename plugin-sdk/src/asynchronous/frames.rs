//! The sending half of a stream, for asynchronous handlers.

use std::{fmt, sync::Arc, time::Duration};

use nylon_ring::NrStatus;
use tokio::sync::oneshot;

use super::{Payload, context::Cell};
use crate::{Error, Event, Failure, Watch};

/// How long to wait where the host cannot tell when there is room.
const BLIND: Duration = Duration::from_millis(1);

/// The sending half of a stream, from [`Context::stream`](super::Context::stream). Frames arrive in the order in which they
/// are sent.
///
/// Dropped, it leaves the stream to the handler's end.
pub struct FrameSender {
    cell: Arc<Cell>,
    /// A callback that was registered and has not been heard of. It outlives a `reserve` that is dropped, so that the host
    /// has at most one of each sender.
    room: Option<oneshot::Receiver<Event>>,
}

impl fmt::Debug for FrameSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameSender").finish_non_exhaustive()
    }
}

impl FrameSender {
    pub(super) const fn new(cell: Arc<Cell>) -> Self {
        Self { cell, room: None }
    }

    /// Sends one frame, after waiting until the stream's window has room. Without the extension `nylon.stream/1` it never
    /// waits.
    ///
    /// # Errors
    ///
    /// Nothing was sent: [`Error::Closed`] or [`Error::FrameRefused`].
    pub async fn send(&mut self, payload: impl Into<Payload>) -> Result<(), Error> {
        let Payload(bytes) = payload.into();
        loop {
            match self.try_send(&bytes) {
                Err(Error::WindowFull) => self.reserve().await?,
                done => return done,
            }
        }
    }

    /// Sends one frame if the stream's window has room.
    ///
    /// # Errors
    ///
    /// Nothing was sent: [`Error::WindowFull`], [`Error::Closed`] or [`Error::FrameRefused`].
    pub fn try_send(&mut self, payload: impl AsRef<[u8]>) -> Result<(), Error> {
        let payload = payload.as_ref();
        self.cell.open(|open| open.try_send(payload))?
    }

    /// How many frames the window has room for now; `u64::MAX` without the extension `nylon.stream/1`.
    #[must_use]
    pub fn credits(&self) -> u64 {
        self.cell.open(|open| open.credits()).unwrap_or(0)
    }

    /// Waits until the stream's window has room for a frame: before one that costs work to make. May be dropped and
    /// called again.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the stream is over, or was given up.
    pub async fn reserve(&mut self) -> Result<(), Error> {
        loop {
            if self.room.is_none() && self.ask()? {
                return Ok(());
            }
            match &mut self.room {
                Some(room) => {
                    let event = room.await;
                    self.room = None;
                    if event != Ok(Event::Writable) {
                        return Err(Error::Closed);
                    }
                }
                None => tokio::time::sleep(BLIND).await, // the host has no room for callbacks
            }
        }
    }

    /// Whether there is room; if not, `room` waits for it.
    fn ask(&mut self) -> Result<bool, Error> {
        let (sender, room) = oneshot::channel();
        let tell = Box::new(move |event| {
            let _nobody_waits = sender.send(event);
        });
        let registered = self.cell.open(|open| (open.credits() == 0).then(|| open.on_writable(tell)))?;
        match registered {
            None | Some(Err((Watch::Already, _))) => return Ok(true),
            Some(Err((Watch::Closed, _))) => return Err(Error::Closed),
            Some(Ok(())) => self.room = Some(room),
            Some(Err(_)) => {}
        }
        Ok(false)
    }

    /// Ends the stream. What the handler returns is ignored then.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if it is over.
    pub fn end(self) -> Result<(), Error> {
        self.end_with([])
    }

    /// Ends the stream with a last payload. What the handler returns is ignored then.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if it is over.
    pub fn end_with(self, payload: impl AsRef<[u8]>) -> Result<(), Error> {
        self.cell.end(NrStatus::StreamEnd, payload.as_ref())
    }

    /// Ends the stream with a failure, and a payload that explains it. What the handler returns is ignored then.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if it is over.
    pub fn fail(self, failure: Failure, payload: impl AsRef<[u8]>) -> Result<(), Error> {
        self.cell.end(failure.into(), payload.as_ref())
    }
}
