//! One host with its plugin and all its callers, from loading to the end.

use std::{
    sync::{
        Barrier, OnceLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use futures::executor::block_on;
use nylon_ring_host::{NylonRingHost, NylonRingHostError};

use super::{
    SoakError,
    books::{Balance, Callers, Count, GATES, Line, PluginBooks, accounted},
    caller::{Desk, view},
    crowd::CALLERS,
    order::Order,
    weather::Weather,
};

/// How long a host may take to come to rest: far more than it needs, on a busy machine too.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// For how long nothing may move at a host that has still something to drain: the same.
const STILL: Duration = Duration::from_secs(15);
/// How long calls in flight may go on when the host is shut down under load.
const GRACE: Duration = Duration::from_millis(20);

/// What callers share.
#[derive(Debug)]
pub(super) struct House {
    pub(super) host: NylonRingHost,
    pub(super) weather: &'static Weather,
    pub(super) number: u64,
    pub(super) desks: Vec<Desk>,
    plugin: &'static PluginBooks,
    null_before: u64,
    /// Calls, or batches of calls, that are left of the round.
    quota: AtomicI64,
    /// Set before the host is shut down under load.
    closing: AtomicBool,
    /// The first thing that went wrong.
    fault: OnceLock<String>,
}

/// When a round is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) calls: u64,
    pub(super) time: Option<Duration>,
}

impl House {
    /// Loads the plugin.
    pub(super) fn open(number: u64, weather: &'static Weather) -> Result<Self, SoakError> {
        let source = nylon_ring_artifacts::c_source("soak");
        let path =
            nylon_ring_artifacts::c_plugin(&source, &[]).map_err(|error| SoakError::Plugin(error.to_string()))?;
        let host = weather.builder().load(path).map_err(SoakError::Host)?;
        let plugin = PluginBooks::of(&host).ok_or_else(|| SoakError::Plugin("it offers no books".to_owned()))?;
        Ok(Self {
            null_before: host.metrics().null_context,
            host,
            weather,
            number,
            desks: (0..GATES).map(Desk::new).collect(),
            plugin,
            quota: AtomicI64::new(0),
            closing: AtomicBool::new(false),
            fault: OnceLock::new(),
        })
    }

    // Ordering: Relaxed, all of this; numbers and flags that nothing else is read on the strength of.

    /// Whether a caller makes one more batch of calls.
    pub(super) fn goes_on(&self) -> bool {
        self.quota.fetch_sub(1, Ordering::Relaxed) > 0
    }

    pub(super) fn set_quota(&self, calls: i64) {
        self.quota.store(calls, Ordering::Relaxed);
    }

    pub(super) fn quota(&self) -> i64 {
        self.quota.load(Ordering::Relaxed)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub(super) fn set_closing(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Ends the round.
    pub(super) fn send_home(&self) {
        self.set_quota(0);
    }

    /// Notes what went wrong, and ends the round.
    pub(super) fn fail(&self, text: String) {
        // What comes second may follow from the first.
        let _ = self.fault.set(text);
        self.send_home();
    }

    /// What went wrong for a caller, if anything did.
    pub(super) fn fault(&self) -> Result<(), SoakError> {
        match self.fault.get() {
            Some(text) => Err(self.wrong(text)),
            None => Ok(()),
        }
    }

    fn wrong(&self, text: &str) -> SoakError {
        SoakError::Wrong { weather: self.weather.name, text: text.to_owned() }
    }

    /// Lets the plugin send what waits for this ticket.
    pub(super) fn open_gate(&self, desk: &Desk, ticket: u64) {
        self.plugin.gates[desk.number].fetch_max(ticket, Ordering::Relaxed);
    }

    /// What all callers counted so far.
    pub(super) fn callers(&self) -> Callers {
        let mut sum = Callers::default();
        self.desks.iter().for_each(|desk| desk.add_to(&mut sum));
        sum
    }

    pub(super) fn sent(&self) -> u64 {
        self.plugin.sent.load(Ordering::Relaxed)
    }

    /// Orders that the plugin has not met yet.
    pub(super) fn open_orders(&self) -> u64 {
        self.plugin.open.load(Ordering::SeqCst)
    }

    /// Waits until everything has come to rest, and returns the balance. `reopened` says that every slot was opened again.
    pub(super) fn settle(&self, reopened: bool) -> Result<Vec<Line>, SoakError> {
        // Callers that are gone have not opened theirs.
        self.desks.iter().for_each(|desk| self.open_gate(desk, desk.ticket()));
        let start = Instant::now();
        while self.open_orders() > 0 {
            if start.elapsed() > PATIENCE {
                return Err(self.wrong(&format!("the plugin has not met {} orders", self.open_orders())));
            }
            thread::sleep(Duration::from_micros(200));
        }
        // All is sent. What the host drains of it moves its counters; what does not balance when they stand still never will.
        let mut moved = (0, 0, 0, Instant::now());
        while moved.3.elapsed() < STILL && !self.balance(reopened).lines().iter().all(Line::holds) {
            let m = self.host.metrics();
            if (accounted(&m), m.in_flight, m.buffered) != (moved.0, moved.1, moved.2) {
                moved = (accounted(&m), m.in_flight, m.buffered, Instant::now());
            }
            thread::sleep(Duration::from_micros(200));
        }
        let lines = self.balance(reopened).lines();
        match lines.iter().find(|line| !line.holds()) {
            Some(Line { what, left, sign, right }) => {
                let metrics = self.host.metrics();
                let state = format!("{what}: {left} {sign} {right} does not hold\n{metrics:?}\n{:?}", self.callers());
                Err(self.wrong(&state))
            }
            None => Ok(lines),
        }
    }

    fn balance(&self, reopened: bool) -> Balance<'_> {
        Balance {
            weather: self.weather,
            plugin: self.plugin,
            host: self.host.metrics(),
            callers: self.callers(),
            null_before: self.null_before,
            closed: self.is_closing(),
            reopened,
        }
    }

    /// Opens every slot of every shard at the same time, finds that there is not one more, and lets all be answered.
    pub(super) fn fill(&self) -> Result<Vec<Line>, SoakError> {
        let all = (self.weather.shards * self.weather.slots) as u64;
        let steps = Barrier::new(self.weather.shards + 1);
        let full = thread::scope(|scope| {
            for desk in &self.desks[..self.weather.shards] {
                scope.spawn(|| {
                    if let Err(text) = self.fill_shard(desk, &steps) {
                        self.fail(text);
                    }
                });
            }
            steps.wait();
            let full = self.host.metrics();
            steps.wait();
            full
        });
        self.fault()?;
        if full.in_flight != all {
            return Err(self.wrong(&format!("{} calls fill all {all} slots", full.in_flight)));
        }
        self.settle(true)
    }

    /// A thread that calls has a shard of its own as long as there are enough. Meets the others twice, whatever happens.
    fn fill_shard(&self, desk: &Desk, steps: &Barrier) -> Result<(), String> {
        let ticket = desk.next_ticket();
        let order = |id| Order { id, gate: desk.number as u32, ticket, threads: 1, len: 40, ..Order::default() };
        let mut waker = Context::from_waker(Waker::noop());
        let mut calls = Vec::new();
        let mut surplus = None;
        for n in 0..=self.weather.slots {
            let order = order(desk.next_id(self));
            let mut call = Box::pin(async move {
                let begun = desk.begin();
                let body = order.bytes();
                (order, begun, self.host.call_view(view(&body)).await)
            });
            match call.as_mut().poll(&mut waker) {
                Poll::Pending => calls.push(call),
                Poll::Ready((_, begun, Err(NylonRingHostError::TooManyInFlight { .. }))) if n == self.weather.slots => {
                    begun.ends(Count::Full);
                }
                Poll::Ready((_, _, ended)) => {
                    surplus = Some(format!("call {n} of {} on one shard: {ended:?}", self.weather.slots));
                    break;
                }
            }
        }
        steps.wait();
        steps.wait();
        self.open_gate(desk, ticket);
        for call in calls {
            let (order, begun, answer) = block_on(call);
            let (status, bytes) = answer.map_err(|error| error.to_string())?;
            order.check_last(status, &bytes)?;
            desk.finish(begun);
        }
        surplus.map_or(Ok(()), Err)
    }

    /// Shuts the host down while callers are busy. What is left then fails.
    pub(super) fn close(&self) -> Result<(), SoakError> {
        let closed = block_on(self.host.shutdown(GRACE));
        match closed {
            Ok(()) | Err(NylonRingHostError::ShutdownTimedOut { .. }) => Ok(()),
            Err(error) => Err(SoakError::Host(error)),
        }
    }

    /// Shuts the host down at rest.
    pub(super) fn leave(&self) -> Result<(), SoakError> {
        block_on(self.host.shutdown(PATIENCE)).map_err(SoakError::Host)
    }
}

const _: () = assert!(CALLERS <= GATES);
