//! Latency at a fixed rate, whatever the host does: an open loop.
//!
//! Request `i` is due at `i / rate` after the start, or at the last [`TICK`] before that: at more than 20,000 a second several
//! come at once, as from a socket that was looked at that often. A task of the runtime, the *pacer*, waits for that moment and spawns a
//! task that calls, awaits and checks. Latency counts **from the moment when the request was due**, so a stall shows in all
//! the requests that came in the meantime, not in the one that it caught (no coordinated omission).
//!
//! The pacer waits on a timer of the system that the runtime polls like a socket (`pacer.rs`): requests arrive as from a
//! network, no core spins, a runtime that sleeps has to be woken, and one that is busy issues late. That is part of the
//! latency, for all hosts alike; how many were issued more than [`LATE`] after they were due is in the sample. A latency
//! goes into a slot of its own: no lock, no allocation.

mod pacer;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{AcqRel, Relaxed},
        },
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use nylon_ring::NrStatus;
use tokio::sync::Notify;

use self::pacer::Pacer;
use crate::{
    BenchError, Contender, drive,
    work::{NOTHING, Shape, Work},
};

/// A request that is issued so long after it was due is late.
pub const LATE: Duration = Duration::from_micros(100);
/// Requests are due at multiples of this: waking the pacer costs three system calls, too much for each of 200,000 a second.
pub const TICK: Duration = Duration::from_micros(50);
/// How long the last answers may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many requests, and how fast.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Requests a second.
    pub rate: u64,
    /// Requests before anything is measured.
    pub warm_up: Duration,
    /// Requests that are measured.
    pub time: Duration,
}

impl Load {
    /// How many requests are due in this time.
    fn requests(self, time: Duration) -> u64 {
        (self.rate as f64 * time.as_secs_f64()).round().max(1.0) as u64
    }

    /// When a request is due, after the start.
    fn due(self, request: u64) -> Duration {
        let (seconds, rest) = (request / self.rate, request % self.rate);
        let tick = TICK.as_nanos() as u64;
        let within = rest * 1_000_000_000 / self.rate / tick * tick;
        Duration::from_secs(seconds) + Duration::from_nanos(within)
    }
}

/// What one measurement gave.
#[derive(Debug, Clone)]
pub struct OpenSample {
    /// Latencies in ns, to three digits.
    pub latencies: Histogram<u64>,
    /// How many requests were issued late.
    pub late: u64,
    /// Answers a second, from when the first request was due to the last answer.
    pub achieved: f64,
}

impl OpenSample {
    /// Of the latencies of one request after the other.
    fn new(latencies: impl Iterator<Item = u64>, load: Load, late: u64) -> Self {
        let mut histogram = histogram();
        let mut end = 0;
        for (i, latency) in latencies.enumerate() {
            histogram.saturating_record(latency);
            end = end.max(load.due(i as u64).as_nanos() as u64 + latency);
        }
        let achieved = histogram.len() as f64 * 1e9 / end.max(1) as f64;
        Self { latencies: histogram, late, achieved }
    }
}

/// An empty one, for latencies of 1 ns to 100 s, to three digits.
#[must_use]
pub fn histogram() -> Histogram<u64> {
    const LONGEST: u64 = 100_000_000_000;
    // The bounds are in order, which is all that it asks for.
    Histogram::new_with_bounds(1, LONGEST, 3).unwrap_or_else(|_| unreachable!())
}

/// What the tasks of one measurement share.
struct Run {
    start: Instant,
    /// For each request, from when it was due to its answer, in ns.
    latencies: Box<[AtomicU64]>,
    unanswered: AtomicU64,
    all_answered: Notify,
}

impl Run {
    /// The answer to a request came; a wrong one leaves its slot at 0, which is found at the end.
    fn answered(&self, request: u64, due: Duration, right: bool) {
        let latency = self.start.elapsed().saturating_sub(due).as_nanos() as u64;
        if let Some(slot) = self.latencies.get(request as usize).filter(|_| right) {
            slot.store(latency.max(1), Relaxed);
        }
        // Ordering: AcqRel; the last one sees what all others stored, and so does whom it notifies.
        if self.unanswered.fetch_sub(1, AcqRel) == 1 {
            self.all_answered.notify_one();
        }
    }
}

/// Measures one contender; only unary work can be issued.
///
/// # Errors
/// The host fails, or answers wrongly or not at all.
pub fn measure<C: Contender>(plugin: &Path, shape: &Shape, load: Load) -> Result<OpenSample, BenchError> {
    let Work::Unary { path, len } = shape.work else {
        return Err(BenchError::Usage("streams are not issued at a rate".to_owned()));
    };
    shape.build_runtime()?.block_on(async {
        let host = drive::set_up::<C>(plugin, shape).await?;
        let issuer = Issuer { route: host.route(path)?, host: host.clone(), path, len, load };
        // A task like any other: the thread that blocks is no worker.
        let sample = tokio::spawn(issuer.issue()).await??;
        host.shutdown().await?;
        Ok(sample)
    })
}

/// Issues requests.
struct Issuer<C: Contender> {
    host: C,
    route: C::Route,
    path: &'static str,
    len: usize,
    load: Load,
}

impl<C: Contender> Issuer<C> {
    async fn issue(self) -> Result<OpenSample, BenchError> {
        let load = self.load;
        let warm_up = load.requests(load.warm_up);
        let all = warm_up + load.requests(load.time);
        let mut pacer = Pacer::new()?;
        let run = Arc::new(Run {
            latencies: (0..all).map(|_| AtomicU64::new(0)).collect(),
            unanswered: AtomicU64::new(all),
            all_answered: Notify::new(),
            start: Instant::now(),
        });
        let mut late = 0;
        for request in 0..all {
            let due = load.due(request);
            pacer.wait_until(run.start + due).await?;
            if request >= warm_up && run.start.elapsed() > due + LATE {
                late += 1;
            }
            let (run, host, route, len) = (Arc::clone(&run), self.host.clone(), self.route.clone(), self.len);
            tokio::spawn(async move {
                let answer = host.call(&route, &NOTHING).await;
                run.answered(request, due, answer.is_ok_and(|answer| answer == (NrStatus::Ok, len)));
            });
        }
        let answered = tokio::time::timeout(PATIENCE, run.all_answered.notified()).await;
        let failed = || C::failed(format!("a request for {} was answered wrongly or not at all", self.path));
        answered.map_err(|_| failed())?;
        let latencies = run.latencies.iter().skip(warm_up as usize).map(|latency| latency.load(Relaxed));
        if run.latencies.iter().any(|latency| latency.load(Relaxed) == 0) {
            return Err(failed());
        }
        Ok(OpenSample::new(latencies, load, late))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load { rate: 30_000, warm_up: Duration::ZERO, time: Duration::from_secs(2) };

    #[test]
    fn requests_are_due_at_the_rate_and_do_not_drift() {
        assert_eq!(LOAD.requests(LOAD.time), 60_000);
        assert_eq!(LOAD.requests(Duration::ZERO), 1);
        assert_eq!(LOAD.due(0), Duration::ZERO);
        // At 33, 67 and 100 µs, but for the ticks.
        assert_eq!([1, 2, 3].map(|request| LOAD.due(request)), [Duration::ZERO, TICK, 2 * TICK]);
        let slow = Load { rate: 10_000, ..LOAD };
        assert_eq!([1, 2, 3].map(|request| slow.due(request)), [2 * TICK, 4 * TICK, 6 * TICK]);
        assert_eq!(LOAD.due(30_000 * 3600), Duration::from_secs(3600));
    }

    #[test]
    fn the_rate_counts_to_the_last_answer() {
        let second = Load { rate: 1000, ..LOAD };
        let prompt = OpenSample::new((0..1000).map(|_| 1_000_000), second, 0);
        assert!((prompt.achieved - 1000.0).abs() < 1.0, "{}", prompt.achieved);
        let stalled = OpenSample::new((0..1000).map(|i| 2_000_000_000 - i * 1_000_000), second, 7);
        assert!((stalled.achieved - 500.0).abs() < 1.0, "{}", stalled.achieved);
        assert_eq!((stalled.latencies.len(), stalled.late), (1000, 7));
    }

    #[test]
    fn a_stall_is_in_every_request_that_was_due_meanwhile() {
        let second = Load { rate: 1000, ..LOAD };
        // Nothing was answered from 0.4 s to 0.6 s.
        let latency = |i: u64| if (400..600).contains(&i) { (600 - i) * 1_000_000 } else { 1000 };
        let sample = OpenSample::new((0..1000).map(latency), second, 0);
        assert!(sample.latencies.value_at_quantile(0.79) <= 1001);
        assert!(sample.latencies.value_at_quantile(0.91) > 100_000_000);
        assert!(sample.latencies.max() >= 199_000_000);
    }

    #[test]
    fn the_pacer_keeps_the_rate_against_a_host_that_answers_at_once() {
        let plugin = crate::plugin().unwrap();
        let load = Load { rate: 2000, warm_up: Duration::from_millis(10), time: Duration::from_millis(100) };
        let shape = Shape::of(Work::SYNC_EMPTY);
        let sample = measure::<crate::Ring>(&plugin, &shape, load).unwrap();
        assert_eq!(sample.latencies.len(), 200);
        assert!(sample.late <= 200 && sample.achieved > 0.0 && sample.achieved < 2020.0, "{sample:?}");
    }
}
