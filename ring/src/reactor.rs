//! The side of a shard that drains while callers sleep.
//!
//! A reactor takes *turns*. A turn answers the doorbell, drains, and leaves the ring armed; then the reactor sleeps until
//! the doorbell rings. It may run as a task, on a thread of its own ([`Reactor::park`]), or inside a future that the thread
//! drives itself ([`Reactor::block_on`]). Several reactors on one shard are harmless; only one does the work. But a ring wakes
//! only one of those that sleep, and the doorbell is what wakes the future of `block_on`: it must sleep on its shard alone.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::{
    consumer::{BATCH, Batch, Then},
    doorbell::Doorbell,
    shard::Shard,
};

/// Drains one shard.
#[derive(Debug, Clone, Copy)]
pub struct Reactor<'rt> {
    shard: &'rt Shard,
}

/// How a reactor's turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a reactor that sleeps although there is more keeps callers waiting"]
pub enum Turn {
    /// The budget is used up and there may be more: take another turn soon.
    More,
    /// Nothing is left: sleep until the doorbell rings.
    Sleep,
}

impl<'rt> Reactor<'rt> {
    pub(crate) fn new(shard: &'rt Shard) -> Self {
        Self { shard }
    }

    /// The bell to sleep on.
    pub fn doorbell(&self) -> &'rt Arc<Doorbell> {
        &self.shard.doorbell
    }

    /// Drains at most about `budget` records, without arming the ring: until the next [`turn`](Self::turn) nobody rings, and
    /// the reactor must not sleep. Producers are cheapest to a reactor that is awake.
    ///
    /// Returns how many records have been drained from the shard so far, by this reactor or by callers that helped: as long as
    /// that number grows, it is worth looking again.
    pub fn drain(&self, budget: usize) -> u64 {
        for _ in 0..budget.div_ceil(BATCH).max(1) {
            if self.shard.try_batch(Then::LetGo) != Some(Batch::More) {
                break;
            }
        }
        self.shard.counters.drained.get()
    }

    /// Drains at most about `budget` records, delivers them and wakes their callers; when nothing is left, arms the ring, so
    /// that the next record rings the doorbell.
    pub fn turn(&self, budget: usize) -> Turn {
        self.shard.counters.turns.add_shared(1);
        self.shard.doorbell.answer();
        for _ in 0..budget.div_ceil(BATCH).max(1) {
            match self.shard.batch_or_want(Then::Arm) {
                Some(Batch::More) => {}
                // Somebody else consumes, and will ring when it lets go.
                None => return Turn::Sleep,
                Some(Batch::EmptyAndArmed | Batch::Empty) => return Turn::Sleep,
            }
        }
        Turn::More
    }

    /// Takes a turn, blocks the thread until the doorbell rings, or `timeout` is over, and takes the turn it rang for.
    pub fn park(&self, timeout: Option<Duration>) {
        if self.turn(BATCH) == Turn::Sleep {
            self.doorbell().wait(timeout);
            // The ring may have been meant for another reactor that sleeps here too, and nobody rings twice before it is
            // answered: whoever was woken by it takes the turn, even if it leaves afterwards.
            if self.doorbell().is_rung() && self.turn(BATCH) == Turn::More {
                self.doorbell().ring();
            }
        }
    }

    /// Drives `future` on this thread, and the shard with it. Meanwhile nobody else may take turns on the shard: the doorbell is what
    /// wakes the future, and who takes a turn answers it. (Callers may look for their results by themselves.)
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let waker = Waker::from(self.doorbell().clone());
        let mut cx = Context::from_waker(&waker);
        loop {
            // Before the poll: a turn answers the doorbell, and must not answer what the future rang for while it was polled.
            let turn = self.turn(BATCH);
            if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                if turn == Turn::More {
                    self.doorbell().ring();
                }
                return output;
            }
            if turn == Turn::Sleep {
                self.doorbell().wait(None);
            }
        }
    }
}
