//! State that the host keeps for one call.

use crate::{Error, ffi::Open};

/// A small map of bytes that belongs to one call, kept by the host until the call completes or its stream ends.
///
/// It borrows the [`Call`](crate::Call) or [`StreamSender`](crate::StreamSender), so it cannot be used after the end:
///
/// ```compile_fail,E0505
/// fn answer(call: nylon_ring_sdk::Call) {
///     let state = call.state();
///     call.reply("done"); // error: cannot move out of `call` because it is borrowed
///     let _gone = state.get("key");
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct State<'c> {
    open: &'c Open,
}

impl<'c> State<'c> {
    pub(crate) const fn new(open: &'c Open) -> Self {
        Self { open }
    }

    /// Stores a copy of `value` under `key`, in place of what was there.
    ///
    /// # Errors
    ///
    /// [`Error::StateUnsupported`], [`Error::StateRefused`] (no memory, say, or a caller that gave up) or
    /// [`Error::StateKey`].
    pub fn set(self, key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        self.open.set_state(key, value.as_ref())
    }

    /// A copy of what was stored under `key`; `None` if there is nothing.
    ///
    /// # Errors
    ///
    /// [`Error::StateUnsupported`], [`Error::StateKey`] or [`Error::StateUnreadable`].
    pub fn get(self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.open.get_state(key)
    }
}
