//! The tasks of one run: each calls in a loop.

use std::{
    hint,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use nylon_ring::NrStatus;
use tokio::runtime::Handle;

use crate::{
    BenchError, Contender, memory,
    work::{Flavour, NOTHING, Shape, Work},
};

/// When a run is over.
#[derive(Clone, Copy)]
pub(super) enum Until {
    /// After so long, and when all tasks have begun.
    Elapsed(Duration),
    /// After so many results, rounded up to a multiple of the tasks.
    Results(u64),
}

/// What one run gave.
pub(super) struct Driven {
    /// From the first call to the last answer.
    pub(super) elapsed: Duration,
    pub(super) results: u64,
    /// Resident memory when the time was up, with everything in flight; none if the run was not by time.
    pub(super) resident: Option<u64>,
}

/// Runs the tasks.
pub(super) async fn drive<C: Contender>(host: &C, shape: &Shape, until: Until) -> Result<Driven, BenchError> {
    let run = Arc::new(Run::new(shape, until));
    let alarm = match until {
        Until::Elapsed(time) => Some(thread::Builder::new().name("alarm".to_owned()).spawn({
            let (run, weigh, tasks) = (Arc::clone(&run), shape.weigh, shape.in_flight);
            let runtime = Handle::current();
            move || {
                run.bring_together(&runtime);
                thread::sleep(time);
                // A million of them take longer than that to begin.
                while run.arrived.load(Relaxed) < tasks && !run.stop.load(Relaxed) {
                    thread::sleep(Duration::from_millis(1));
                }
                let resident = weigh.then(memory::resident).flatten();
                run.stop.store(true, Relaxed);
                resident
            }
        })?),
        Until::Results(_) => None,
    };
    let start = Instant::now();
    let tasks: Vec<_> = (0..shape.in_flight)
        .map(|_| {
            let (host, run, work) = (host.clone(), Arc::clone(&run), shape.work);
            tokio::spawn(async move {
                run.arrive();
                let result = repeat(&host, work, &run).await;
                if result.is_err() {
                    run.stop.store(true, Relaxed);
                }
                result
            })
        })
        .collect();
    let mut results = 0;
    for task in tasks {
        results += task.await??;
    }
    let elapsed = start.elapsed();
    // A thread that could not weigh has nothing to report.
    let resident = alarm.and_then(|alarm| alarm.join().ok().flatten());
    Ok(Driven { elapsed, results, resident })
}

/// What the tasks of one run share.
struct Run {
    /// Set when the time is up.
    stop: AtomicBool,
    /// After how many results each task stops by itself.
    most: u64,
    arrived: AtomicUsize,
    /// How many tasks are to begin together; 0 when it does not matter.
    together: usize,
}

impl Run {
    /// Calls that are answered at once never yield, so tasks that are to have a worker each must begin on one each.
    fn new(shape: &Shape, until: Until) -> Self {
        let together = match shape.runtime {
            Flavour::Workers(workers) if shape.in_flight <= workers => shape.in_flight,
            _ => 0,
        };
        let most = match until {
            Until::Elapsed(_) => u64::MAX,
            Until::Results(results) => results.div_ceil(shape.in_flight.max(1) as u64),
        };
        Self { stop: AtomicBool::new(false), most, arrived: AtomicUsize::new(0), together }
    }

    /// Wakes workers until each of the tasks has one. A worker that goes to sleep just when a task is spawned is not told of
    /// it: tokio counts on the others to come back to their queues, and a task that never yields keeps its worker from that.
    fn bring_together(&self, runtime: &Handle) {
        while self.arrived.load(Relaxed) < self.together && !self.stop.load(Relaxed) {
            thread::sleep(Duration::from_millis(1));
            drop(runtime.spawn(async {}));
        }
    }

    fn is_over(&self, results: u64) -> bool {
        results >= self.most || self.stop.load(Relaxed)
    }

    /// Holds the worker until the others have one too, or for a tenth of a second.
    fn arrive(&self) {
        self.arrived.fetch_add(1, Relaxed);
        let start = Instant::now();
        while self.arrived.load(Relaxed) < self.together && start.elapsed() < Duration::from_millis(100) {
            hint::spin_loop();
        }
    }
}

/// One task: calls until it is told to stop, at least once; the number of results.
async fn repeat<C: Contender>(host: &C, work: Work, run: &Run) -> Result<u64, BenchError> {
    let mut results = 0;
    match work {
        Work::Unary { path, len } => {
            let route = host.route(path)?;
            loop {
                let answer = host.call(&route, &NOTHING).await?;
                if answer != (NrStatus::Ok, len) {
                    return Err(C::wrong(path, answer.0, answer.1));
                }
                results += 1;
                if run.is_over(results) {
                    return Ok(results);
                }
            }
        }
        Work::Stream { path, frames, len } => {
            let route = host.route(path)?;
            let expected = (frames + 1, frames as usize * len);
            loop {
                let got = host.stream(&route).await?;
                if got != expected {
                    return Err(BenchError::Frames {
                        contender: C::NAME,
                        path: path.to_owned(),
                        got: got.0,
                        expected: expected.0,
                    });
                }
                results += got.0;
                if run.is_over(results) {
                    return Ok(results);
                }
            }
        }
    }
}
