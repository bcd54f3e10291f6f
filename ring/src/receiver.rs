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
    sync::Ordering,
    watch::Event,
};

/// One open stream. Yields its frames in order, the terminal one last; dropping it gives the stream up.
#[derive(Debug)]
#[must_use = "dropping it gives the stream up"]
pub struct Receiver<'rt> {
    shard: &'rt Shard,
    slot: &'rt Slot,
    sid: u64,
    open: bool,
    /// Frames that were handed over, and not taken yet.
    runs: Runs,
    /// Frames that this thread sent itself, until `inline` returns.
    kept: KeptFrames,
}

/// Has a receiver receive what is kept for it, when this is dropped: by unwinding, too.
struct Keeping<'a, 'rt>(&'a mut Receiver<'rt>);

impl Drop for Keeping<'_, '_> {
    fn drop(&mut self) {
        self.0.receive_kept();
    }
}

impl<'rt> Receiver<'rt> {
    pub(crate) fn new(shard: &'rt Shard, slot: &'rt Slot, sid: u64) -> Self {
        Self { shard, slot, sid, open: true, runs: Runs::default(), kept: KeptFrames::default() }
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

    /// Runs `f`, which hands the stream to whoever answers it. Frames that `f` sends on this thread take a short cut, and nothing that
    /// it sends to this stream's shard wakes the reactor: the receiver looks for it anyway.
    #[inline]
    pub fn inline<R>(&mut self, f: impl FnOnce() -> R) -> R {
        // What has been received comes first, and a receiver that sleeps is to be woken.
        self.kept.is_closed |= !self.open || !self.runs.is_empty() || self.slot.is_parked();
        let keeping = Keeping(self);
        let result = inline_scope::run(keeping.0.shard, keeping.0.sid, Place::Frames(&mut keeping.0.kept), f);
        drop(keeping);
        if self.open {
            self.slot.set_stage(Stage::HandedOver);
        }
        result
    }

    /// Has the frames that were kept received first, and no more of them kept.
    fn receive_kept(&mut self) {
        self.kept.is_closed = true;
        if self.kept.frames > 0 {
            self.shard.charge_kept(&mut self.kept);
            self.slot.answered_inline.add(std::mem::take(&mut self.kept.frames));
            self.runs = self.kept.take();
        }
    }

    /// The next frame that was handed over.
    #[inline(always)]
    fn pop(&mut self) -> Option<Reply> {
        loop {
            let Some(run) = self.runs.first() else {
                self.runs = self.slot.frames.take();
                self.runs.first()?;
                continue;
            };
            let frame = if run.sid == self.sid { run.frames.pop() } else { None };
            // A run of an earlier stream, which was handed over while its receiver gave up.
            let foreign = if frame.is_none() { run.frames.len() as u64 } else { 0 };
            if frame.is_none() || run.frames.is_empty() {
                self.shard.ledger.release(self.shard.index, run.cost);
                self.runs.drop_first();
            }
            match frame {
                Some(frame) => return Some(frame),
                None => self.shard.counters.abandoned.add_shared(foreign),
            }
        }
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
        let next = self.next_delivered();
        if next.is_some() {
            return next;
        }
        self.shard.help();
        self.next_delivered()
    }

    /// The next frame if it has been delivered; leaves the ring to the shard's reactor.
    #[inline(always)]
    fn next_delivered(&mut self) -> Option<Result<Reply, RuntimeError>> {
        if !self.open {
            return Some(Err(RuntimeError::Closed));
        }
        let frame = self.pop()?;
        if frame.is_credited() {
            self.shard.give_credit_back(self.slot, self.sid);
        }
        if frame.status().is_terminal() {
            if frame.is_overflow() {
                self.shard.counters.overflowed.add_shared(1);
            }
            // An overflow ends the stream here; the plugin may go on, and use what it holds.
            self.close(frame.is_overflow(), true);
        }
        Some(Ok(frame))
    }

    /// Polls for the next frame: `None` after the terminal one.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Closed`], once, when the runtime was closed before the terminal frame came.
    #[inline]
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Reply, RuntimeError>>> {
        if !self.open {
            return Poll::Ready(None);
        }
        if let Some(frame) = self.next_delivered() {
            return Poll::Ready(Some(frame));
        }
        self.slot.waker.register(cx.waker());
        let _ = self.slot.park();
        // A frame that was queued before we parked has not woken us.
        if let Some(frame) = self.next_delivered() {
            return Poll::Ready(Some(frame));
        }
        // Ordering: Relaxed; as in `Call::poll_into`.
        if self.shard.closed.load(Ordering::Relaxed) {
            return Poll::Ready(Some(self.take_before_closing()));
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
    fn take_before_closing(&mut self) -> Result<Reply, RuntimeError> {
        self.try_next().unwrap_or_else(|| {
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
        if !self.open {
            return;
        }
        let outcome = self.shard.give_up(self.slot, keep_leased);
        if outcome == GivenUp::Late {
            // A slot that is free must not hold on to a task.
            drop(self.slot.waker.take());
        } else if !ended {
            self.shard.counters.cancelled.add_shared(1);
        }
        // The frames that are left are taken before anyone else can open the slot.
        self.shard.discard(std::mem::take(&mut self.runs));
        self.shard.discard(self.slot.frames.take());
        self.open = false;
        if outcome == GivenUp::Orphan {
            self.slot.entries.tell(self.sid, Event::GivenUp);
        }
        self.shard.release_slot(self.slot, self.sid, outcome);
    }
}

impl Drop for Receiver<'_> {
    fn drop(&mut self) {
        self.close(true, false);
    }
}
