//! The sending half of a stream.

use nylon_ring::NrStatus;

use crate::{
    Error, Event, Failure, FrameBuffer, Watch,
    call::{open_call, outcome},
    ffi::Open,
};

/// The sending half of a stream. Frames arrive in the order in which they are sent.
///
/// If it is dropped before the end, the stream ends with [`Failure::Err`] and a text.
///
/// # Streams that are faster than their receivers
///
/// [`send`](StreamSender::send) never refuses a frame: the host buffers what its receiver does not take, up to a limit
/// past which it ends the stream. A plugin that can wait sends by [`try_send`](StreamSender::try_send), and goes on when
/// there is room:
///
/// ```
/// use nylon_ring_sdk::{Error, StreamSender};
/// use std::sync::mpsc::Sender;
///
/// /// Sends what is left of `lines`. `jobs` leads to a thread that calls this again with what it receives.
/// fn pump(mut stream: StreamSender, mut lines: Vec<String>, jobs: Sender<(StreamSender, Vec<String>)>) {
///     while let Some(line) = lines.last() {
///         match stream.try_send(line) {
///             Ok(()) => drop(lines.pop()),
///             Err(Error::WindowFull) => {
///                 return stream.when_writable(move |stream| drop(jobs.send((stream, lines))));
///             }
///             Err(error) => return stream.err(error.to_string()),
///         }
///     }
///     stream.end();
/// }
/// ```
#[derive(Debug)]
#[must_use = "a stream that is dropped ends with an error"]
pub struct StreamSender {
    pub(crate) open: Open,
}

open_call!(StreamSender);

impl StreamSender {
    /// Sends one frame. Never blocks: the host buffers, up to a limit past which it ends the stream.
    pub fn send(&mut self, payload: impl AsRef<[u8]>) {
        self.open.send(payload.as_ref());
    }

    /// Sends one frame if the stream's window has room. Without the extension `nylon.stream/1` there is no window, and
    /// it is sent as by [`send`](StreamSender::send).
    ///
    /// # Errors
    ///
    /// Nothing was sent: [`Error::WindowFull`], [`Error::Closed`] or [`Error::FrameRefused`].
    pub fn try_send(&mut self, payload: impl AsRef<[u8]>) -> Result<(), Error> {
        self.open.try_send(payload.as_ref())
    }

    /// How many frames the window has room for now; `u64::MAX` without the extension `nylon.stream/1`.
    #[must_use]
    pub fn credits(&self) -> u64 {
        self.open.credits()
    }

    /// Has `callback` called once half of the window is free, or the stream is given up or over: on any thread, perhaps at
    /// once. It must not block. [`Watch::Already`] if half of the window is free now.
    pub fn on_writable(&self, callback: impl FnOnce(Event) + Send + 'static) -> Watch {
        outcome(self.open.on_writable(Box::new(callback)))
    }

    /// Gives the stream to `resume` once half of the window is free, or the stream was given up: on any thread, perhaps at
    /// once. It must not block. What it sends to a stream that was given up is dropped, and `try_send` tells it so.
    ///
    /// If the host has no room for the callback, the stream ends with an error.
    pub fn when_writable(self, resume: impl FnOnce(Self) + Send + 'static) {
        self.open.when_writable(move |open| resume(Self { open }));
    }

    /// Memory of `len` zero bytes to write a frame into: the host's own if it lends some (`nylon.buffer/1`), so that
    /// nothing is copied.
    pub fn buffer(&mut self, len: usize) -> FrameBuffer<'_> {
        FrameBuffer::new(self, len)
    }

    /// Ends the stream.
    pub fn end(self) {
        self.end_with([]);
    }

    /// Ends the stream with a last payload.
    pub fn end_with(self, payload: impl AsRef<[u8]>) {
        self.open.finish(NrStatus::StreamEnd, payload.as_ref());
    }

    /// Ends the stream with a failure, and a payload that explains it.
    pub fn fail(self, failure: Failure, payload: impl AsRef<[u8]>) {
        self.open.finish(failure.into(), payload.as_ref());
    }

    /// Ends the stream with [`Failure::Err`] and a text.
    pub fn err(self, text: impl AsRef<str>) {
        self.fail(Failure::Err, text.as_ref());
    }
}
