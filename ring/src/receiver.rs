//! The caller's end of a streaming call.

use std::{
    future::poll_fn,
    task::{Context, Poll, ready},
};

use crate::{error::RuntimeError, inline_scope::InlineScope, reply::Reply, shard::Shard, slot::Slot, sync::Ordering};

/// One open stream. Yields its frames in order, the terminal one last; dropping it gives the stream up.
#[derive(Debug)]
#[must_use = "dropping it gives the stream up"]
pub struct Receiver<'rt> {
    shard: &'rt Shard,
    sid: u64,
    index: usize,
    open: bool,
}

impl<'rt> Receiver<'rt> {
    pub(crate) fn new(shard: &'rt Shard, index: usize, sid: u64) -> Self {
        Self { shard, sid, index, open: true }
    }

    /// The sid under which frames must be sent.
    pub fn sid(&self) -> u64 {
        self.sid
    }

    /// The shard that the stream belongs to.
    pub fn shard(&self) -> usize {
        self.shard.index
    }

    /// Whether the stream has neither yielded its terminal frame nor been given up.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Enters a scope in which frames that this thread sends to this stream's shard do not wake the reactor.
    pub fn inline_scope(&self) -> InlineScope<'rt> {
        InlineScope::enter(self.shard)
    }

    fn slot(&self) -> &'rt Slot {
        &self.shard.slab.slots()[self.index]
    }

    /// The next frame that is queued for this stream.
    #[inline]
    fn pop(&self) -> Option<Reply> {
        // SAFETY: this is the receiving end of the stream that opened the slot.
        let frames = unsafe { self.slot().frames() }?;
        while let Some(record) = frames.pop() {
            self.shard.ledger.release(self.shard.index, record.frame_cost());
            if record.sid == self.sid {
                return Some(record.reply);
            }
            self.shard.counters.abandoned.add_shared(1);
        }
        None
    }

    /// The next frame if one is there; looks into the shard's ring first. `None` when there is none yet.
    ///
    /// A frame whose [`is_overflow`](Reply::is_overflow) is true is terminal and stands for frames that did not fit the
    /// buffer limit.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Closed`] after the terminal frame.
    #[inline]
    pub fn try_next(&mut self) -> Option<Result<Reply, RuntimeError>> {
        if !self.open {
            return Some(Err(RuntimeError::Closed));
        }
        let frame = match self.pop() {
            Some(frame) => frame,
            None => {
                self.shard.help();
                self.pop()?
            }
        };
        if frame.status().is_terminal() {
            self.close(true);
        }
        Some(Ok(frame))
    }

    /// Polls for the next frame: `None` after the terminal one.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Closed`], once, when the runtime was closed before the terminal frame came.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Reply, RuntimeError>>> {
        if !self.open {
            return Poll::Ready(None);
        }
        if let Some(frame) = self.try_next() {
            return Poll::Ready(Some(frame));
        }
        self.slot().waker.register(cx.waker());
        let _ = self.slot().park();
        // A frame that was queued before we parked has not woken us.
        if let Some(frame) = self.try_next() {
            return Poll::Ready(Some(frame));
        }
        // Ordering: Acquire; as in `Pending::poll`.
        if self.shard.closed.load(Ordering::Acquire) {
            self.close(true);
            return Poll::Ready(Some(Err(RuntimeError::Closed)));
        }
        Poll::Pending
    }

    /// The next frame: `None` after the terminal one.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Closed`], once, when the runtime was closed before the terminal frame came.
    pub async fn next(&mut self) -> Option<Result<Reply, RuntimeError>> {
        poll_fn(|cx| Poll::Ready(ready!(self.poll_next(cx)))).await
    }

    /// Gives the stream up without dropping the receiver.
    pub fn cancel(&mut self) {
        self.close(true);
    }

    /// Closes the stream at once, because no frame will follow: the plugin refused it.
    pub fn refuse(mut self) {
        self.close(false);
    }

    fn close(&mut self, keep_leased: bool) {
        if !self.open {
            return;
        }
        let outcome = self.shard.give_up(self.index, keep_leased);
        // The frames that are left are popped before anyone else can open the slot.
        while self.pop().is_some() {
            self.shard.counters.abandoned.add_shared(1);
        }
        self.open = false;
        self.shard.release_slot(self.index, self.sid, outcome);
    }
}

impl Drop for Receiver<'_> {
    fn drop(&mut self) {
        self.close(true);
    }
}
