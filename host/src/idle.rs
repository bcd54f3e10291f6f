//! What a reactor does when nothing is left: how long it looks for more before it sleeps.
//!
//! Waking a reactor costs its producer some microseconds, and its callers tens of them. So a sleep that ends soon was a mistake,
//! and the next one is preceded by a *busy poll*, which grows for as long as it does not cover what the sleeps turn out to be.
//! When even the longest would not have, the reactor sleeps at once: an idle host costs nothing. (After the halt polling of
//! Linux' KVM.)

use std::{
    hint, mem, thread,
    time::{Duration, Instant},
};

use nylon_ring_runtime::Reactor;

use crate::reactor::BUDGET;

/// What a reactor does when nothing is left in its ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Idle {
    /// Sleeps at once, until the doorbell rings.
    Park,
    /// Looks for more for up to so long before it sleeps, and lets whoever wants the core run in between. It only looks for as
    /// long as that pays: where results come further apart, it sleeps at once.
    Yield(Duration),
    /// Looks for more for so long after each result, and keeps the core meanwhile, but for the tasks of its own runtime. For
    /// cores that have nothing else to do.
    Spin(Duration),
}

impl Default for Idle {
    /// `Yield(100 µs)`: longer than it takes to wake a plugin's thread and have it answer, so that one call at a time is served
    /// without sleeping.
    fn default() -> Self {
        Self::Yield(Duration::from_micros(100))
    }
}

/// Where a busy poll starts when it begins to pay.
const SHORTEST: Duration = Duration::from_micros(5);

/// For how long the core may be lent in vain: to whoever is no producer of ours, or one that spins.
const MOST_DEBT: Duration = Duration::from_millis(2);

/// For how many sleeps there is no busy poll after that; doubled when it happens again soon.
const PENALTY: u32 = 64;
const HIGHEST_PENALTY: u32 = 16_384;

/// The state of one reactor's busy polling.
#[derive(Debug)]
pub(crate) struct BusyPoll {
    longest: Duration,
    /// Whether the core is kept, and the length never adapted.
    spins: bool,
    now: Duration,
    penalty: u32,
    /// Sleeps of the penalty that are left.
    skip: u32,
    /// For how long the core was lent, less what that brought.
    debt: Duration,
}

impl BusyPoll {
    pub(crate) fn new(idle: Idle) -> Self {
        let (longest, spins) = match idle {
            Idle::Park => (Duration::ZERO, false),
            Idle::Yield(longest) => (longest, false),
            Idle::Spin(time) => (time, true),
        };
        let now = if spins { longest } else { Duration::ZERO };
        Self { longest, spins, now, penalty: PENALTY, skip: 0, debt: Duration::ZERO }
    }

    /// Drains until nothing has come for a while, and lets others run in between: the tasks of this runtime, and, if they have
    /// nothing for us, a producer that shares our core. Returns when the last record came.
    ///
    /// Before that it returns when this reactor is not the one that `stays`.
    pub(crate) async fn drain(&mut self, reactor: Reactor<'_>, stays: impl Fn() -> bool) -> Instant {
        if self.now.is_zero() {
            return Instant::now();
        }
        let mut drained = reactor.drain(BUDGET);
        let mut found = || {
            let now = reactor.drain(BUDGET);
            now - mem::replace(&mut drained, now)
        };
        let mut last = Instant::now();
        while last.elapsed() < self.now && stays() {
            tokio::task::yield_now().await;
            let mut records = found();
            if records == 0 && self.spins {
                hint::spin_loop();
            } else if records == 0 {
                let start = Instant::now();
                thread::yield_now();
                records = found();
                self.lent(start.elapsed(), records);
            }
            if records > 0 {
                last = Instant::now();
            }
        }
        last
    }

    /// After the core was lent to whoever wanted it, for so long, and so many records came.
    fn lent(&mut self, time: Duration, records: u64) {
        // A woken reactor would have had each within the longest poll.
        let worth = self.longest.saturating_mul(u32::try_from(records).unwrap_or(u32::MAX));
        self.debt = (self.debt + time).saturating_sub(worth);
        if self.debt > MOST_DEBT {
            self.debt = Duration::ZERO;
            self.now = Duration::ZERO;
            self.skip = self.penalty;
            self.penalty = (self.penalty * 2).min(HIGHEST_PENALTY);
        }
    }

    /// After a sleep, when nothing had come for so long.
    pub(crate) fn adapt(&mut self, idle: Duration) {
        if self.spins {
            return;
        }
        if self.skip > 0 {
            self.skip -= 1;
        } else if idle > self.longest {
            self.now = Duration::ZERO;
        } else {
            if self.now == self.longest {
                self.penalty = PENALTY;
            }
            self.now = (self.now * 2).max(SHORTEST).min(self.longest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Duration = Duration::from_micros(100);
    const SOON: Duration = Duration::from_micros(30);

    fn grown() -> BusyPoll {
        let mut poll = BusyPoll::new(Idle::default());
        (0..8).for_each(|_| poll.adapt(SOON));
        poll
    }

    #[test]
    fn grows_while_sleeps_are_short_and_no_further_than_allowed() {
        let mut poll = BusyPoll::new(Idle::default());
        poll.adapt(SOON);
        assert_eq!(poll.now, SHORTEST);
        poll.adapt(SOON);
        assert_eq!(poll.now, SHORTEST * 2);
        assert_eq!(grown().now, DEFAULT);
    }

    #[test]
    fn ends_where_the_longest_would_be_in_vain() {
        let mut poll = grown();
        poll.adapt(DEFAULT * 2);
        assert_eq!(poll.now, Duration::ZERO);
    }

    #[test]
    fn is_off_when_it_may_not_take_time() {
        let mut poll = BusyPoll::new(Idle::Park);
        (0..8).for_each(|_| poll.adapt(Duration::ZERO));
        assert_eq!(poll.now, Duration::ZERO);
    }

    #[test]
    fn spins_for_as_long_as_it_is_told() {
        let mut poll = BusyPoll::new(Idle::Spin(DEFAULT));
        poll.adapt(DEFAULT * 2);
        assert_eq!(poll.now, DEFAULT);
    }

    #[test]
    fn pauses_for_longer_each_time_the_core_was_lent_for_nothing() {
        let mut poll = grown();
        for penalty in [PENALTY, PENALTY * 2] {
            poll.lent(Duration::from_millis(4), 1);
            (0..penalty).for_each(|_| poll.adapt(SOON));
            assert_eq!(poll.now, Duration::ZERO);
            poll.adapt(SOON);
            assert_eq!(poll.now, SHORTEST);
        }
        (0..8).for_each(|_| poll.adapt(SOON));
        assert_eq!(poll.penalty, PENALTY);
    }

    #[test]
    fn a_core_that_was_lent_to_a_producer_is_well_spent() {
        let mut poll = grown();
        (0..100).for_each(|_| poll.lent(Duration::from_millis(4), 200));
        assert_eq!((poll.now, poll.skip), (DEFAULT, 0));
    }

    #[test]
    fn a_short_loan_in_vain_is_forgiven_if_others_pay() {
        let mut poll = grown();
        for _ in 0..100 {
            poll.lent(Duration::from_millis(1), 0);
            poll.lent(Duration::from_micros(1), 30);
        }
        assert_eq!((poll.now, poll.skip), (DEFAULT, 0));
        (0..3).for_each(|_| poll.lent(Duration::from_millis(1), 0));
        assert_eq!((poll.now, poll.skip), (Duration::ZERO, PENALTY));
    }
}
