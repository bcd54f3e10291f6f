//! The caller's end of a streaming call.

use std::{
    future::poll_fn,
    task::{Context, Poll, ready},
};

use crate::{
    error::RuntimeError,
    frames::{KeptFrames, Runs},
    inline_scope::{self, Place},
    reply::Reply,
    shard::Shard,
    slot::{GivenUp, Slot, Stage},
    watch::Event,
};

/// One open stream. Yields its frames in order, the terminal one last; dropping it gives the stream up.
#[derive(Debug)]
#[must_use = "dropping it gives the stream up"]
pub struct Receiver<'rt> {
    shard: &'rt Shard,
    /// While the stream is open.
    slot: Option<&'rt Slot>,
    sid: u64,
    /// Frames of this stream that were handed over, and not taken yet.
    runs: Runs,
}

/// Has a receiver receive what was kept for it, when this is dropped: by unwinding, too.
struct Keeping<'a, 'rt> {
    receiver: &'a mut Receiver<'rt>,
    kept: KeptFrames,
}

impl Drop for Keeping<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        if self.kept.frames > 0 {
            self.receiver.receive_kept(&mut self.kept);
        }
    }
}

impl<'rt> Receiver<'rt> {
    pub(crate) fn new(shard: &'rt Shard, slot: &'rt Slot, sid: u64) -> Self {
        Self { shard, slot: Some(slot), sid, runs: Runs::default() }
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
        self.slot.is_some()
    }

    /// Runs `f`, which hands the stream to whoever answers it. Frames that `f` sends on this thread take a short cut, and nothing that
    /// it sends to this stream's shard wakes the reactor: the receiver looks for it anyway.
    #[inline]
    pub fn inline<R>(&mut self, f: impl FnOnce() -> R) -> R {
        // What has been received comes first, and a receiver that sleeps is to be woken.
        let is_closed = !self.runs.is_empty() || self.slot.is_none_or(Slot::is_parked);
        let mut keeping = Keeping { kept: KeptFrames::new(is_closed), receiver: self };
        let Keeping { receiver, kept } = &mut keeping;
        let result = inline_scope::run(receiver.shard, receiver.sid, receiver.slot, Place::Frames(kept), f);
        drop(keeping);
        if let Some(slot) = self.slot {
            slot.set_stage(Stage::HandedOver);
        }
        result
    }

    /// Has the frames that were kept received first.
    fn receive_kept(&mut self, kept: &mut KeptFrames) {
        self.shard.charge_kept(kept);
        if let Some(slot) = self.slot {
            slot.answered_inline.add(kept.frames);
        }
        self.runs = kept.take();
    }

    /// Moves the next frame that was handed over into `place`; says whether there is one.
    #[inline(always)]
    fn pop(&mut self, slot: &Slot, place: &mut Option<Reply>) -> bool {
        if self.runs.is_empty() {
            self.take_runs(slot);
        }
        let Some(run) = self.runs.first() else { return false };
        let found = run.pop(place);
        if run.left() == 0 {
            self.drop_run();
        }
        found
    }

    /// Takes what has been handed over.
    #[inline(never)]
    fn take_runs(&mut self, slot: &Slot) {
        self.runs = slot.frames.take();
        // Those of an earlier stream, handed over while its receiver gave up, lie before those of this one.
        while let Some(run) = self.runs.first().filter(|run| run.sid != self.sid) {
            self.shard.counters.abandoned.add_shared(run.left());
            self.drop_run();
        }
    }

    /// Drops the first run.
    #[inline(never)]
    fn drop_run(&mut self) {
        if let Some(run) = self.runs.first() {
            self.shard.ledger.release(self.shard.index, run.cost);
            self.runs.drop_first();
        }
    }

    /// The next frame, if nothing but the frame itself is to be taken: it has come, has status `Ok`, and is not the last of its run,
    /// which is one of up to sixteen frames that came together. `None` says nothing; ask [`poll_next`](Self::poll_next) or [`try_next`](Self::try_next).
    #[inline(always)]
    pub fn next_at_hand(&mut self) -> Option<Reply> {
        self.runs.first()?.pop_plain()
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
        let mut place = None;
        let next = self.take_next(&mut place)?;
        Some(next.and_then(|()| place.ok_or(RuntimeError::Closed)))
    }

    fn take_next(&mut self, place: &mut Option<Reply>) -> Option<Result<(), RuntimeError>> {
        let next = self.take_delivered(place);
        if next.is_some() {
            return next;
        }
        self.shard.help();
        self.take_delivered(place)
    }

    /// Moves the next frame into `place` if it has been delivered; leaves the ring to the shard's reactor.
    #[inline(always)]
    fn take_delivered(&mut self, place: &mut Option<Reply>) -> Option<Result<(), RuntimeError>> {
        let Some(slot) = self.slot else { return Some(Err(RuntimeError::Closed)) };
        if !self.pop(slot, place) {
            return None;
        }
        let frame = place.as_ref()?;
        if frame.is_credited() {
            self.shard.give_credit_back(slot, self.sid);
        }
        if frame.status().is_terminal() {
            let is_overflow = frame.is_overflow();
            if is_overflow {
                self.shard.counters.overflowed.add_shared(1);
            }
            // An overflow ends the stream here; the plugin may go on, and use what it holds.
            self.close(is_overflow, true);
        }
        Some(Ok(()))
    }

    /// Polls for the next frame: `None` after the terminal one.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Closed`], once, when the runtime was closed before the terminal frame came.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Reply, RuntimeError>>> {
        let mut place = None;
        let next = ready!(self.poll_into(cx, &mut place));
        Poll::Ready(next.map(|next| next.and_then(|()| place.ok_or(RuntimeError::Closed))))
    }

    /// The same, where the frame is written into `place`, which is empty before. It is moved once.
    ///
    /// # Errors
    ///
    /// As [`poll_next`](Self::poll_next).
    #[inline(always)]
    pub fn poll_into(
        &mut self,
        cx: &mut Context<'_>,
        place: &mut Option<Reply>,
    ) -> Poll<Option<Result<(), RuntimeError>>> {
        let Some(slot) = self.slot else { return Poll::Ready(None) };
        match self.take_delivered(place) {
            None => self.park(slot, cx, place).map(Some),
            next => Poll::Ready(next),
        }
    }

    /// Has the task woken by the next frame, if none has been delivered.
    #[inline(never)]
    fn park(&mut self, slot: &Slot, cx: &mut Context<'_>, place: &mut Option<Reply>) -> Poll<Result<(), RuntimeError>> {
        loop {
            let is_parked = self.shard.park(slot, cx.waker());
            // A frame that was queued before we parked has not woken us.
            if let Some(next) = self.take_delivered(place) {
                return Poll::Ready(next);
            }
            if is_parked {
                break;
            }
        }
        if self.shard.is_closing() {
            return Poll::Ready(self.take_before_closing(place));
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

    /// The last look into the ring, when the runtime was closed.
    #[cold]
    fn take_before_closing(&mut self, place: &mut Option<Reply>) -> Result<(), RuntimeError> {
        self.take_next(place).unwrap_or_else(|| {
            self.close(true, false);
            Err(RuntimeError::Closed)
        })
    }

    /// Gives the stream up without dropping the receiver.
    pub fn cancel(&mut self) {
        self.close(true, false);
    }

    /// Closes the stream at once, because no frame will follow: the plugin refused it.
    pub fn refuse(mut self) {
        self.close(false, false);
    }

    /// Gives the stream up; or only its slot, if the stream has `ended`, by a frame that was taken.
    fn close(&mut self, keep_leased: bool, ended: bool) {
        let Some(slot) = self.slot.take() else { return };
        let outcome = self.shard.give_up(slot, keep_leased);
        if outcome != GivenUp::Late && !ended {
            self.shard.counters.cancelled.add_shared(1);
        }
        // The frames that are left are taken before anyone else can open the slot.
        self.shard.discard(std::mem::take(&mut self.runs));
        self.shard.discard(slot.frames.take());
        if outcome == GivenUp::Orphan {
            slot.entries.tell(self.sid, Event::GivenUp);
        }
        self.shard.release_slot(slot, self.sid, outcome);
    }
}

impl Drop for Receiver<'_> {
    fn drop(&mut self) {
        self.close(true, false);
    }
}
