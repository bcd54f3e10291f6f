//! One shard of a runtime, as those see it who open calls there.

use crate::{error::RuntimeError, pending::Call, receiver::Receiver, shard::Shard, slot::Kind};

/// A shard that was looked up, by [`Runtime::at`](crate::Runtime::at).
#[derive(Debug, Clone, Copy)]
pub struct ShardRef<'rt>(&'rt Shard);

impl<'rt> ShardRef<'rt> {
    /// Which shard it is.
    #[inline(always)]
    pub fn index(self) -> usize {
        self.0.index
    }

    #[inline(always)]
    pub(super) fn new(shard: &'rt Shard) -> Self {
        Self(shard)
    }

    /// Whether a thread has the [seat](crate::Seat) there. A hint: it may give it up at once.
    #[inline]
    pub fn is_taken(self) -> bool {
        self.0.kept.is_taken()
    }

    /// Opens a unary call, without a place for an answer that the calling thread gives itself. (With one:
    /// [`Runtime::open`](crate::Runtime::open).)
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Full`] when all slots of the shard are in use, and [`RuntimeError::Closed`] after
    /// [`close`](crate::Runtime::close).
    #[inline(always)]
    pub fn open_call(self) -> Result<Call<'rt>, RuntimeError> {
        let (slot, sid) = self.0.open(Kind::Unary)?;
        Ok(Call::new(self.0, slot, sid))
    }

    /// Opens a streaming call.
    ///
    /// # Errors
    ///
    /// As [`open_call`](Self::open_call).
    #[inline(always)]
    pub fn open_stream(self) -> Result<Receiver<'rt>, RuntimeError> {
        let (slot, sid) = self.0.open(Kind::Stream)?;
        Ok(Receiver::new(self.0, slot, sid))
    }
}
