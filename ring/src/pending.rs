//! The caller's end of a unary call: a future for its one result.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    error::RuntimeError,
    inline_scope::InlineScope,
    reply::Reply,
    shard::Shard,
    slot::{GivenUp, Slot},
    sync::Ordering,
};

/// One open call. Resolves to its first result; dropping it gives the call up.
///
/// Any executor may poll it. Before it sleeps it consumes its own shard's ring once, so a result that is already there is
/// found without any help.
#[derive(Debug)]
#[must_use = "dropping it gives the call up"]
pub struct Pending<'rt> {
    shard: &'rt Shard,
    sid: u64,
    index: usize,
    open: bool,
}

impl<'rt> Pending<'rt> {
    #[inline]
    pub(crate) fn new(shard: &'rt Shard, index: usize, sid: u64) -> Self {
        Self { shard, sid, index, open: true }
    }

    /// The sid under which the result must be sent.
    #[inline]
    pub fn sid(&self) -> u64 {
        self.sid
    }

    /// The shard that the call belongs to.
    #[inline]
    pub fn shard(&self) -> usize {
        self.shard.index
    }

    /// Whether the call has neither been answered to its caller nor given up.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Enters a scope in which results that this thread sends to this call's shard do not wake the reactor.
    #[inline]
    pub fn inline_scope(&self) -> InlineScope<'rt> {
        InlineScope::enter(self.shard)
    }

    #[inline]
    fn slot(&self) -> &'rt Slot {
        &self.shard.slab.slots()[self.index]
    }

    /// The result, if it is there; looks into the shard's ring first.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Overflow`] when the result did not fit the buffer limit; [`RuntimeError::Closed`] when it has been
    /// taken already.
    #[inline]
    pub fn try_take(&mut self) -> Option<Result<Reply, RuntimeError>> {
        if !self.open {
            return Some(Err(RuntimeError::Closed));
        }
        if !self.slot().is_answered() {
            self.shard.help();
            if !self.slot().is_answered() {
                return None;
            }
        }
        Some(self.take())
    }

    /// Moves the result out of the answered slot, and frees it.
    #[inline]
    fn take(&mut self) -> Result<Reply, RuntimeError> {
        self.open = false;
        // SAFETY: we opened the slot, it is answered, and `open` says that this is the first time.
        let reply = unsafe { self.slot().take_result() };
        self.shard.free_answered(self.index);
        if reply.is_overflow() {
            return Err(RuntimeError::Overflow { limit: self.shard.ledger.limit() });
        }
        Ok(reply)
    }

    /// Closes the call at once, because no result will follow: the plugin refused it. A result that came all the same is
    /// dropped and counted.
    pub fn refuse(mut self) {
        self.close(false);
    }

    fn close(&mut self, keep_leased: bool) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        let outcome = self.shard.give_up(self.index, keep_leased);
        if outcome == GivenUp::Late {
            // SAFETY: the slot is answered and ours; `open` was true, so the result was not taken.
            drop(unsafe { self.slot().take_result() });
            self.shard.counters.abandoned.add_shared(1);
        }
        self.shard.release_slot(self.index, self.sid, outcome);
    }
}

impl Future for Pending<'_> {
    type Output = Result<Reply, RuntimeError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(result) = this.try_take() {
            return Poll::Ready(result);
        }
        this.slot().waker.register(cx.waker());
        if this.slot().park() {
            return Poll::Ready(this.take());
        }
        // Ordering: Acquire; pairs with the Release in `Runtime::close`, which disturbs every slot after it: a caller
        // that parked before is woken, one that parks after sees the flag.
        if this.shard.closed.load(Ordering::Acquire) {
            this.close(true);
            return Poll::Ready(Err(RuntimeError::Closed));
        }
        Poll::Pending
    }
}

impl Drop for Pending<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.open {
            self.close(true);
        }
    }
}
