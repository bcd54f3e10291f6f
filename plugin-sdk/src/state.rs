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
///
/// That of a `Context` answers [`Error::Closed`] then.
#[derive(Debug, Clone, Copy)]
pub struct State<'c> {
    of: Of<'c>,
}

#[derive(Debug, Clone, Copy)]
enum Of<'c> {
    Open(&'c Open),
    #[cfg(feature = "tokio")]
    Shared(&'c crate::asynchronous::Cell),
}

impl<'c> State<'c> {
    pub(crate) const fn new(open: &'c Open) -> Self {
        Self { of: Of::Open(open) }
    }

    #[cfg(feature = "tokio")]
    pub(crate) const fn shared(cell: &'c crate::asynchronous::Cell) -> Self {
        Self { of: Of::Shared(cell) }
    }

    /// Stores a copy of `value` under `key`, in place of what was there.
    ///
    /// # Errors
    ///
    /// [`Error::StateUnsupported`], [`Error::StateRefused`] (no memory, say, or a caller that gave up), [`Error::StateKey`]
    /// or [`Error::Closed`].
    pub fn set(self, key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        let value = value.as_ref();
        match self.of {
            Of::Open(open) => open.set_state(key, value),
            #[cfg(feature = "tokio")]
            Of::Shared(cell) => cell.open(|open| open.set_state(key, value))?,
        }
    }

    /// A copy of what was stored under `key`; `None` if there is nothing.
    ///
    /// # Errors
    ///
    /// [`Error::StateUnsupported`], [`Error::StateKey`], [`Error::StateUnreadable`] or [`Error::Closed`].
    pub fn get(self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.of {
            Of::Open(open) => open.get_state(key),
            #[cfg(feature = "tokio")]
            Of::Shared(cell) => cell.open(|open| open.get_state(key))?,
        }
    }
}
