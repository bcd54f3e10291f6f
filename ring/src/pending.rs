//! The caller's end of a unary call: a future for its one result.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use crate::{
    error::RuntimeError,
    inline_scope::{self, Place},
    reply::Reply,
    shard::Shard,
    slot::{GivenUp, Slot, Stage},
    watch::Event,
};

/// One open call. Resolves to its first result; dropping it gives the call up.
///
/// Any executor may poll it. Polling leaves the ring to the shard's [reactor](crate::Reactor), which must be driven;
/// [`try_take`](Self::try_take) looks into the ring itself.
#[derive(Debug)]
#[must_use = "dropping it gives the call up"]
pub struct Pending<'rt> {
    call: Call<'rt>,
    /// The answer, if this thread gave it itself.
    answer: Option<Reply>,
}

/// A [`Pending`] without the place for an answer that its own thread gives, a third of its size: whoever opens it lends that place, so
/// that the answer is written where it is wanted. Dropping it gives the call up.
#[derive(Debug)]
#[must_use = "dropping it gives the call up"]
pub struct Call<'rt> {
    shard: &'rt Shard,
    slot: &'rt Slot,
    sid: u64,
    open: bool,
}

impl<'rt> Pending<'rt> {
    #[inline]
    pub(crate) fn new(call: Call<'rt>) -> Self {
        Self { call, answer: None }
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
        self.call.inline(&mut self.answer, f)
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
        let outcome = self.call.take_delivered(&mut self.answer)?;
        Some(taken(outcome, &mut self.answer))
    }

    /// Closes the call at once, because no result will follow: the plugin refused it. A result that came all the same is
    /// dropped and counted.
    pub fn refuse(mut self) {
        self.close(false);
    }

    fn close(&mut self, keep_leased: bool) {
        self.call.drop_answer(&mut self.answer);
        self.call.close(keep_leased);
    }
}

/// The answer out of the place that it was left in.
#[inline(always)]
fn taken(outcome: Result<(), Box<RuntimeError>>, place: &mut Option<Reply>) -> Result<Reply, RuntimeError> {
    outcome.map_err(|error| *error)?;
    Reply::take(place).ok_or(RuntimeError::Closed)
}

impl<'rt> Call<'rt> {
    #[inline(always)]
    pub(crate) fn new(shard: &'rt Shard, slot: &'rt Slot, sid: u64) -> Self {
        Self { shard, slot, sid, open: true }
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

    /// As [`Pending::inline`]. An answer that `f` gives on this thread is left in `place`, which is to be empty. The call is open until
    /// [`take_delivered`](Self::take_delivered) or [`refuse`](Self::refuse) has seen that place: one of them must, for a call that is
    /// dropped takes itself for one that was not answered.
    #[inline(always)]
    pub fn inline<R>(&mut self, place: &mut Option<Reply>, f: impl FnOnce() -> R) -> R {
        let result = inline_scope::run(self.shard, self.sid, Some(self.slot), Place::Answer(place), f);
        if self.open {
            self.slot.set_stage(Stage::HandedOver);
        }
        result
    }

    /// Whether the result was given inside [`inline`](Self::inline) or has been delivered; then it lies in `place`, which is the one
    /// that was lent to `inline`, and is the caller's. Leaves the ring to the shard's reactor.
    ///
    /// # Errors
    ///
    /// As [`Pending::try_take`]. Boxed, so that what this returns goes through registers.
    #[inline(always)]
    pub fn take_delivered(&mut self, place: &mut Option<Reply>) -> Option<Result<(), Box<RuntimeError>>> {
        if !self.open {
            return Some(Err(RuntimeError::Closed.into()));
        }
        if let Some(reply) = place {
            let is_overflow = reply.is_overflow();
            self.close_answered();
            return Some(if is_overflow { Err(overflowed(self.shard, place)) } else { Ok(()) });
        }
        self.slot.is_answered().then(|| self.take(place))
    }

    /// As [`Pending::refuse`], with the place that was lent to [`inline`](Self::inline).
    #[cold]
    pub fn refuse(mut self, place: &mut Option<Reply>) {
        self.drop_answer(place);
        self.close(false);
    }

    /// Polls for the result, which is left in `place`: the one that was lent to [`inline`](Self::inline), or, once
    /// [`take_delivered`](Self::take_delivered) has found nothing there, any that is empty.
    ///
    /// # Errors
    ///
    /// As [`take_delivered`](Self::take_delivered).
    #[inline]
    pub fn poll_into(
        &mut self,
        cx: &mut Context<'_>,
        place: &mut Option<Reply>,
    ) -> Poll<Result<(), Box<RuntimeError>>> {
        loop {
            if let Some(outcome) = self.take_delivered(place) {
                return Poll::Ready(outcome);
            }
            if self.shard.park(self.slot, cx.waker()) {
                break;
            }
        }
        if self.shard.is_closing() {
            return Poll::Ready(self.take_before_closing(place));
        }
        Poll::Pending
    }

    /// Moves the result out of the answered slot, and frees it.
    #[inline(always)]
    fn take(&mut self, place: &mut Option<Reply>) -> Result<(), Box<RuntimeError>> {
        self.open = false;
        // SAFETY: we opened the slot, it is answered, and `open` says that this is the first time.
        let reply = place.insert(unsafe { self.slot.take_result() });
        let is_overflow = reply.is_overflow();
        self.shard.uncharge(reply);
        drop(self.shard.free_answered(self.slot, self.sid));
        if is_overflow { Err(overflowed(self.shard, place)) } else { Ok(()) }
    }

    /// Closes the call that this thread has answered itself, and frees the slot.
    #[inline(always)]
    fn close_answered(&mut self) {
        self.open = false;
        // The plugin has answered: what it holds of the state is not valid any more.
        let Self { shard, slot, sid, .. } = *self;
        match slot.close_answered(shard.layout.next_generation(sid)) {
            None => slot.answered_inline.add(1),
            Some(second) => drop_second(shard, &second),
        }
        drop(shard.free(slot, sid));
    }

    /// Drops an answer that this thread gave itself for a call that is open no more, as far as its caller is concerned.
    fn drop_answer(&self, place: &mut Option<Reply>) {
        if self.open && place.take().is_some() {
            self.shard.counters.unknown_at_door.add_shared(1);
        }
    }

    /// The last look into the ring, when the runtime was closed.
    #[cold]
    fn take_before_closing(&mut self, place: &mut Option<Reply>) -> Result<(), Box<RuntimeError>> {
        self.shard.help();
        self.take_delivered(place).unwrap_or_else(|| {
            self.close(true);
            Err(RuntimeError::Closed.into())
        })
    }

    #[inline(always)]
    fn close(&mut self, keep_leased: bool) {
        if std::mem::replace(&mut self.open, false) {
            give_up(self.shard, self.slot, self.sid, keep_leased);
        }
    }
}

// What is out of line takes its parts, so that the compiler may keep a call that is answered at once in registers.

/// Drops a result that came through the ring after the inline answer. The consumer counted it as delivered, which stands
/// for the answer.
#[cold]
fn drop_second(shard: &Shard, second: &Reply) {
    shard.uncharge(second);
    shard.counters.duplicate_inline.add_shared(1);
}

/// What the caller gets for a reply that stands for one that did not fit.
#[cold]
fn overflowed(shard: &Shard, place: &mut Option<Reply>) -> Box<RuntimeError> {
    *place = None;
    shard.counters.overflowed.add_shared(1);
    Box::new(RuntimeError::Overflow { limit: shard.ledger.limit() })
}

/// Gives up a call that was open.
#[inline(never)]
fn give_up(shard: &Shard, slot: &Slot, sid: u64, keep_leased: bool) {
    let outcome = shard.give_up(slot, keep_leased);
    if outcome == GivenUp::Late {
        // SAFETY: the slot is answered and ours; the call was open, so the result was not taken.
        shard.uncharge(&unsafe { slot.take_result() });
        shard.counters.abandoned.add_shared(1);
    } else {
        shard.counters.cancelled.add_shared(1);
    }
    if outcome == GivenUp::Orphan {
        slot.entries.tell(sid, Event::GivenUp);
    }
    shard.release_slot(slot, sid, outcome);
}

impl Future for Pending<'_> {
    type Output = Result<Reply, RuntimeError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let outcome = ready!(this.call.poll_into(cx, &mut this.answer));
        Poll::Ready(taken(outcome, &mut this.answer))
    }
}

impl Drop for Pending<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.call.open {
            // A plugin that has answered holds nothing of the state any more.
            self.close(self.answer.is_none());
        }
    }
}

impl Drop for Call<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.close(true);
    }
}
