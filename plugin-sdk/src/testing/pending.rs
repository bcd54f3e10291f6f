//! Calls that a test has made.

use std::sync::Arc;

use super::{Reply, book::Book};
use crate::Error;

/// What both kinds of calls can.
macro_rules! pending {
    ($type:ident) => {
        impl $type {
            pub(super) fn new(book: Arc<Book>, sid: u64, refused: Option<u32>) -> Self {
                Self { book, sid, refused }
            }

            /// The id of the call, as the plugin sees it.
            #[must_use]
            pub const fn sid(&self) -> u64 {
                self.sid
            }

            /// Gives the call up, as a caller does that does not wait any more. It may be waited for all the same, in
            /// vain: what the plugin sends is dropped.
            pub fn cancel(&self) {
                self.book.give_up(self.sid);
            }

            /// What the plugin has stored under `key`, in the state of the call.
            #[must_use]
            pub fn state(&self, key: &str) -> Option<Vec<u8>> {
                self.book.state(self.sid, key, <[u8]>::to_vec)
            }

            /// How many results the plugin has sent after the last one that counts.
            #[must_use]
            pub fn late(&self) -> usize {
                self.book.late(self.sid)
            }

            /// How many callbacks of the plugin wait for something to happen to this call.
            #[must_use]
            pub fn callbacks(&self) -> usize {
                self.book.callbacks(self.sid)
            }

            fn take(&self) -> Result<Option<Reply>, Error> {
                match self.refused {
                    None => self.book.take(self.sid),
                    Some(status) => Err(Error::Refused { status }),
                }
            }
        }
    };
}

/// A call for one result.
#[derive(Debug)]
#[must_use = "a call is of no use unless its answer is looked at"]
pub struct PendingCall {
    book: Arc<Book>,
    sid: u64,
    refused: Option<u32>,
}

pending!(PendingCall);

impl PendingCall {
    /// Waits for the result.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], [`Error::NoAnswer`], or [`Error::Closed`] after [`cancel`](PendingCall::cancel).
    pub fn wait(&self) -> Result<Reply, Error> {
        self.take()?.ok_or(Error::Closed)
    }
}

/// A call for a stream of frames.
#[derive(Debug)]
#[must_use = "a call is of no use unless its answer is looked at"]
pub struct PendingStream {
    book: Arc<Book>,
    sid: u64,
    refused: Option<u32>,
}

pending!(PendingStream);

impl PendingStream {
    /// Waits for the next frame, and makes room for another. The terminal frame is the last one, then comes `None`; after
    /// [`cancel`](PendingStream::cancel) at once.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] or [`Error::NoAnswer`].
    pub fn next(&self) -> Result<Option<Reply>, Error> {
        self.take()
    }

    /// The next frame, if it is there.
    #[must_use]
    pub fn try_next(&self) -> Option<Reply> {
        self.book.take_now(self.sid)
    }

    /// Waits for all frames that are left, the terminal one included.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] or [`Error::NoAnswer`].
    pub fn collect(&self) -> Result<Vec<Reply>, Error> {
        let mut all = Vec::new();
        while let Some(reply) = self.next()? {
            all.push(reply);
        }
        Ok(all)
    }
}
