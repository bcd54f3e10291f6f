//! The caller's end of a unary call: a future for its one result.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{
    error::RuntimeError,
    inline_scope::{self, Place},
    reply::Reply,
    shard::Shard,
    slot::{GivenUp, Slot, Stage},
    sync::Ordering,
    watch::Event,
};

/// One open call. Resolves to its first result; dropping it gives the call up.
///
/// Any executor may poll it. Polling leaves the ring to the shard's [reactor](crate::Reactor), which must be driven;
/// [`try_take`](Self::try_take) looks into the ring itself.
#[derive(Debug)]
#[must_use = "dropping it gives the call up"]
pub struct Pending<'rt> {
    call: Waiting<'rt>,
    /// The answer, if this thread gave it itself.
    answer: Option<Reply>,
}

/// A call that was handed over and has not been answered yet: a [`Pending`] without the place for an answer that its own thread
/// gives, a third of its size. Resolves to its first result; dropping it gives the call up.
#[derive(Debug)]
#[must_use = "dropping it gives the call up"]
pub struct Waiting<'rt> {
    shard: &'rt Shard,
    slot: &'rt Slot,
    sid: u64,
    open: bool,
}

impl<'rt> Pending<'rt> {
    #[inline]
    pub(crate) fn new(shard: &'rt Shard, slot: &'rt Slot, sid: u64) -> Self {
        Self { call: Waiting { shard, slot, sid, open: true }, answer: None }
    }

    /// The sid under which the result must be sent.
    #[inline]
    pub fn sid(&self) -> u64 {
        self.call.sid
    }

    /// The shard that the call belongs to.
    #[inline]
    pub fn shard(&self) -> usize {
        self.call.shard()
    }

    /// Whether the call has neither been answered to its caller nor given up.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.call.open
    }

    /// Runs `f`, which hands the call to whoever answers it. An answer that `f` gives on this thread takes a short cut, and no
    /// result that it sends to this call's shard wakes the reactor: the caller looks for it anyway. So `f` must not wait for
    /// anything that another call of the shard is to bring.
    #[inline(always)]
    pub fn inline<R>(&mut self, f: impl FnOnce() -> R) -> R {
        let result = inline_scope::run(self.call.shard, self.call.sid, Place::Answer(&mut self.answer), f);
        if self.call.open {
            self.call.slot.set_stage(Stage::HandedOver);
        }
        result
    }

    /// The result, if it is there; looks into the shard's ring first.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Overflow`] when the result did not fit the buffer limit; [`RuntimeError::Closed`] when it has been
    /// taken already.
    #[inline]
    pub fn try_take(&mut self) -> Option<Result<Reply, RuntimeError>> {
        let taken = self.take_delivered();
        if taken.is_some() {
            return taken;
        }
        self.call.shard.help();
        self.take_delivered()
    }

    /// The result, if it was given inside [`inline`](Self::inline) or has been delivered; leaves the ring to the shard's reactor.
    ///
    /// # Errors
    ///
    /// As [`try_take`](Self::try_take).
    #[inline(always)]
    pub fn take_delivered(&mut self) -> Option<Result<Reply, RuntimeError>> {
        if self.call.open
            && let Some(reply) = Reply::take(&mut self.answer)
        {
            return Some(self.call.take_inline(reply));
        }
        self.call.take_delivered()
    }

    /// As [`take_delivered`](Self::take_delivered); without a result, what waits for it from now on.
    ///
    /// # Errors
    ///
    /// The call that has no result yet, which is no failure.
    #[inline(always)]
    pub fn take_or_wait(mut self) -> Result<Result<Reply, RuntimeError>, Waiting<'rt>> {
        match self.take_delivered() {
            Some(result) => Ok(result),
            None => Err(Waiting { open: std::mem::replace(&mut self.call.open, false), ..self.call }),
        }
    }

    /// Closes the call at once, because no result will follow: the plugin refused it. A result that came all the same is
    /// dropped and counted.
    pub fn refuse(mut self) {
        self.close(false);
    }

    fn close(&mut self, keep_leased: bool) {
        if let Some(answer) = self.answer.take() {
            // It was sent for a call that is open no more, as far as its caller is concerned.
            self.call.discharge(&answer);
            self.call.shard.counters.unknown_at_door.add_shared(1);
        }
        self.call.close(keep_leased);
    }
}

impl Waiting<'_> {
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

    #[inline(always)]
    fn take_delivered(&mut self) -> Option<Result<Reply, RuntimeError>> {
        if !self.open {
            return Some(Err(RuntimeError::Closed));
        }
        self.slot.is_answered().then(|| self.take())
    }

    /// Moves the result out of the answered slot, and frees it.
    #[inline(always)]
    fn take(&mut self) -> Result<Reply, RuntimeError> {
        self.open = false;
        // SAFETY: we opened the slot, it is answered, and `open` says that this is the first time.
        let reply = unsafe { self.slot.take_result() };
        self.discharge(&reply);
        drop(self.shard.free_answered(self.slot, self.sid));
        self.checked(reply)
    }

    /// Closes the call with the answer that this thread gave itself, and frees the slot.
    #[inline(always)]
    fn take_inline(&mut self, reply: Reply) -> Result<Reply, RuntimeError> {
        self.open = false;
        self.discharge(&reply);
        // The plugin has answered: what it holds of the state is not valid any more.
        let outcome = self.shard.give_up(self.slot, false);
        if outcome == GivenUp::Late {
            self.drop_second();
        } else {
            self.slot.answered_inline.add(1);
        }
        self.shard.release_slot(self.slot, self.sid, outcome);
        self.checked(reply)
    }

    /// Drops a result that came through the ring after the inline answer. The consumer counted it as delivered, which stands
    /// for the answer.
    #[cold]
    fn drop_second(&self) {
        // SAFETY: the slot is answered and ours, and the result was not taken.
        self.discharge(&unsafe { self.slot.take_result() });
        self.shard.counters.duplicate_inline.add_shared(1);
    }

    /// Gives back what a result was charged, when it is the caller's.
    #[inline(always)]
    fn discharge(&self, reply: &Reply) {
        let cost = reply.ring_cost();
        if cost != 0 {
            self.shard.ledger.release(self.shard.index, cost);
        }
    }

    #[inline(always)]
    fn checked(&self, reply: Reply) -> Result<Reply, RuntimeError> {
        if reply.is_overflow() {
            self.shard.counters.overflowed.add_shared(1);
            return Err(RuntimeError::Overflow { limit: self.shard.ledger.limit() });
        }
        Ok(reply)
    }

    /// The last look into the ring, when the runtime was closed.
    #[cold]
    fn take_before_closing(&mut self) -> Result<Reply, RuntimeError> {
        self.shard.help();
        self.take_delivered().unwrap_or_else(|| {
            self.close(true);
            Err(RuntimeError::Closed)
        })
    }

    fn close(&mut self, keep_leased: bool) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        let outcome = self.shard.give_up(self.slot, keep_leased);
        if outcome == GivenUp::Late {
            // SAFETY: the slot is answered and ours; `open` was true, so the result was not taken.
            self.discharge(&unsafe { self.slot.take_result() });
            self.shard.counters.abandoned.add_shared(1);
        } else {
            self.shard.counters.cancelled.add_shared(1);
        }
        if outcome == GivenUp::Orphan {
            self.slot.entries.tell(self.sid, Event::GivenUp);
        }
        self.shard.release_slot(self.slot, self.sid, outcome);
    }
}

impl Future for Pending<'_> {
    type Output = Result<Reply, RuntimeError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match this.take_delivered() {
            Some(result) => Poll::Ready(result),
            None => Pin::new(&mut this.call).poll(cx),
        }
    }
}

impl Future for Waiting<'_> {
    type Output = Result<Reply, RuntimeError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(result) = this.take_delivered() {
            return Poll::Ready(result);
        }
        this.slot.waker.register(cx.waker());
        if this.slot.park() {
            // Nobody else takes it, and a slot that is free must not hold on to a task.
            drop(this.slot.waker.take());
            return Poll::Ready(this.take());
        }
        // Ordering: Relaxed; `Runtime::close` disturbs every slot after it has set the flag: a caller that registered its waker
        // before is woken, one that registered it after sees the flag.
        if this.shard.closed.load(Ordering::Relaxed) {
            return Poll::Ready(this.take_before_closing());
        }
        Poll::Pending
    }
}

impl Drop for Pending<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.call.open {
            self.close(true);
        }
    }
}

impl Drop for Waiting<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.open {
            self.close(true);
        }
    }
}
