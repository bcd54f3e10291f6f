//! The answer to a request.
//!
//! | | unary | stream |
//! | --- | --- | --- |
//! | goes on | | [`StreamSender::send`], [`StreamSender::try_send`] |
//! | ends well | [`Call::reply`], [`ReplyBuffer::commit`] | [`StreamSender::end`], [`StreamSender::end_with`] |
//! | ends badly | [`Call::fail`], [`Call::err`], dropped | [`StreamSender::fail`], [`StreamSender::err`], dropped |
//!
//! All that ends takes the value, so there is exactly one end.

use nylon_ring::NrStatus;

use crate::{
    ReplyBuffer, StreamSender, Watch,
    ffi::{Callback, Open},
};

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
    pub(crate) open: Open,
}

impl From<Open> for Call {
    fn from(open: Open) -> Self {
        Self { open }
    }
}

impl Call {
    /// Answers with a result.
    pub fn reply(self, payload: impl AsRef<[u8]>) {
        self.open.finish(NrStatus::Ok, payload.as_ref());
    }

    /// Memory of `len` zero bytes to write the result into: the host's own if it lends some (`nylon.buffer/1`), so that
    /// nothing is copied.
    ///
    /// ```
    /// # use nylon_ring_sdk::Call;
    /// fn answer(call: Call) {
    ///     let mut buffer = call.buffer(1024);
    ///     buffer[..5].copy_from_slice(b"hello");
    ///     buffer.commit(5);
    /// }
    /// ```
    pub fn buffer(self, len: usize) -> ReplyBuffer {
        ReplyBuffer::new(self, len)
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
}

/// What became of a callback; if it was refused, it is dropped here.
pub(crate) fn outcome(registered: Result<(), (Watch, Callback)>) -> Watch {
    registered.map_or_else(|(watch, _dropped)| watch, |()| Watch::Registered)
}

/// What can be asked of a call for as long as it is open, by whichever name.
macro_rules! open_call {
    ($type:ty) => {
        impl $type {
            /// The host's id of the call, to correlate logs with.
            #[must_use]
            pub const fn sid(&self) -> u64 {
                self.open.sid()
            }

            /// What the host keeps for this call until it is over.
            #[must_use]
            pub const fn state(&self) -> $crate::State<'_> {
                $crate::State::new(&self.open)
            }

            /// Whether nobody waits for the answer any more, so that working for it is in vain. It is owed all the same.
            ///
            /// Cheap enough for a loop. Without the extension `nylon.cancel/1` always `false`.
            #[must_use]
            pub fn is_cancelled(&self) -> bool {
                self.open.link().is_cancelled(self.open.sid())
            }

            /// Has `callback` called once the caller gives the call up, or else when the call is over: on any thread,
            /// perhaps at once. It must not block. Without the extension `nylon.cancel/1` it is not called.
            pub fn on_cancel(&self, callback: impl FnOnce($crate::Event) + Send + 'static) -> $crate::Watch {
                $crate::call::outcome(self.open.on_cancel(Box::new(callback)))
            }

            /// How long the caller still waits; zero if it does not any more. `None` without a deadline, or without the
            /// extension `nylon.deadline/1`.
            #[must_use]
            pub fn remaining(&self) -> Option<::std::time::Duration> {
                self.open.link().remaining(self.open.sid())
            }

            /// Until when the caller waits. `None` without a deadline, or without the extension `nylon.deadline/1`.
            #[must_use]
            pub fn deadline(&self) -> Option<::std::time::Instant> {
                ::std::time::Instant::now().checked_add(self.remaining()?)
            }

            /// Logs a message about this call through the host. As [`Host::log`]($crate::Host::log) but for the sid.
            pub fn log(&self, level: $crate::Level, target: &str, message: impl AsRef<str>) -> bool {
                self.open.link().log(self.open.sid(), level, target, message.as_ref())
            }

            /// Runs `f` as work for this call: what it says through `tracing` is logged with the sid of the call (feature
            /// `tracing`). The handler itself runs so anyway; this is for threads of the plugin.
            pub fn within<T>(&self, f: impl FnOnce() -> T) -> T {
                $crate::scope::enter(self.open.link(), self.open.sid(), f)
            }
        }
    };
}
pub(crate) use open_call;

open_call!(Call);
