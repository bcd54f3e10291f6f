//! The answer to a request.
//!
//! | | unary | stream |
//! | --- | --- | --- |
//! | goes on | | [`StreamSender::send`] |
//! | ends well | [`Call::reply`] | [`StreamSender::end`], [`StreamSender::end_with`] |
//! | ends badly | [`Call::fail`], [`Call::err`], dropped | [`StreamSender::fail`], [`StreamSender::err`], dropped |
//!
//! All that ends takes the value, so there is exactly one end.

use nylon_ring::NrStatus;

use crate::{State, ffi::Open};

/// How a call or a stream fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The plugin failed at run time.
    Err,
    /// The request makes no sense to the plugin.
    Invalid,
    /// The plugin does not do what was asked.
    Unsupported,
}

impl From<Failure> for NrStatus {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Err => Self::Err,
            Failure::Invalid => Self::Invalid,
            Failure::Unsupported => Self::Unsupported,
        }
    }
}

/// The right, and the duty, to answer one request: here or later, from any thread.
///
/// If it is dropped unanswered, it answers [`Failure::Err`] with a text, so that no caller waits for ever. Payloads are
/// bytes without a format: whatever is `AsRef<[u8]>`, such as `&str`, `String` or `Vec<u8>`. The host copies them.
///
/// Whether the host's caller expects one result or a stream is a matter between plugin and caller: the request does not
/// say. To a caller of a stream, [`reply`](Call::reply) is a frame after which others are expected.
#[derive(Debug)]
#[must_use = "a call that is dropped is answered with an error"]
pub struct Call {
    open: Open,
}

impl From<Open> for Call {
    fn from(open: Open) -> Self {
        Self { open }
    }
}

impl Call {
    /// The host's id of the call, to correlate logs with.
    #[must_use]
    pub const fn sid(&self) -> u64 {
        self.open.sid()
    }

    /// Answers with a result.
    pub fn reply(self, payload: impl AsRef<[u8]>) {
        self.open.finish(NrStatus::Ok, payload.as_ref());
    }

    /// Answers with a failure, and a payload that explains it.
    pub fn fail(self, failure: Failure, payload: impl AsRef<[u8]>) {
        self.open.finish(failure.into(), payload.as_ref());
    }

    /// Answers [`Failure::Err`] with a text.
    pub fn err(self, text: impl AsRef<str>) {
        self.fail(Failure::Err, text.as_ref());
    }

    /// Answers with a stream of frames instead of one result.
    pub fn stream(self) -> StreamSender {
        StreamSender { open: self.open }
    }

    /// What the host keeps for this call.
    #[must_use]
    pub const fn state(&self) -> State<'_> {
        State::new(&self.open)
    }
}

/// The sending half of a stream. Frames arrive in the order in which they are sent.
///
/// If it is dropped before the end, the stream ends with [`Failure::Err`] and a text.
#[derive(Debug)]
#[must_use = "a stream that is dropped ends with an error"]
pub struct StreamSender {
    open: Open,
}

impl StreamSender {
    /// The host's id of the call, to correlate logs with.
    #[must_use]
    pub const fn sid(&self) -> u64 {
        self.open.sid()
    }

    /// Sends one frame. Never blocks: the host buffers, up to a limit past which it ends the stream.
    pub fn send(&mut self, payload: impl AsRef<[u8]>) {
        self.open.send(payload.as_ref());
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

    /// What the host keeps for this call, until the stream ends.
    #[must_use]
    pub const fn state(&self) -> State<'_> {
        State::new(&self.open)
    }
}
