//! One measurement: everything new (runtime, host, plugin), set up, warmed up, timed, stopped.
//!
//! So many tasks run the same loop: call, await, check the answer, look at a flag. A thread that sleeps sets the flag
//! when the time is up. The tasks count in variables of their own.

use std::{
    hint,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use nylon_ring::NrStatus;

use crate::{
    BenchError, Contender, PluginTimes,
    alloc::{self, Count},
    work::{Flavour, Shape, Work},
};

/// How long a measurement takes.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Calls before anything is measured.
    pub warm_up: Duration,
    /// Calls that are measured.
    pub time: Duration,
}

/// What one measurement gave.
#[derive(Debug, Clone)]
pub struct Sample {
    /// From the first call to the last answer.
    pub elapsed: Duration,
    /// Results in this time: calls, or frames of streams.
    pub results: u64,
    /// Heap allocations in this time, if they were counted.
    pub allocations: u64,
    /// The plugin's times, if they were taken.
    pub times: Option<PluginTimes>,
}

impl Sample {
    /// Nanoseconds for each result.
    #[must_use]
    pub fn ns(&self) -> f64 {
        self.elapsed.as_nanos() as f64 / self.results.max(1) as f64
    }

    /// Results a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.results as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Heap allocations for each result.
    #[must_use]
    pub fn allocations_each(&self) -> f64 {
        self.allocations as f64 / self.results.max(1) as f64
    }
}

/// Measures one contender.
///
/// # Errors
/// The host fails, or answers wrongly; allocations are to be counted and [`alloc`] is not this process's allocator.
pub fn measure<C: Contender>(plugin: &Path, shape: &Shape, plan: Plan) -> Result<Sample, BenchError> {
    if shape.count_allocations && !alloc::installed() {
        return Err(BenchError::Usage("this program does not count allocations".to_owned()));
    }
    shape.runtime.build()?.block_on(async {
        let host = set_up::<C>(plugin, shape).await?;
        drive(&host, shape, plan.warm_up).await?;
        if shape.time_send {
            when_idle(&host, "/reset").await?;
        }
        let count = shape.count_allocations.then(Count::start);
        let (elapsed, results) = drive(&host, shape, plan.time).await?;
        let allocations = count.map_or(0, Count::finish);
        let times = if shape.time_send {
            let text = when_idle(&host, "/stats").await?;
            Some(PluginTimes::parse(&String::from_utf8_lossy(&text))?)
        } else {
            None
        };
        host.shutdown().await?;
        Ok(Sample { elapsed, results, allocations, times })
    })
}

/// Calls in flight that the plugin's queues are large enough for without being told: each one might hold them all.
const QUEUE: usize = 2048;

/// Loads the plugin and sets it up; for [`measure`], and for benchmarks and tests with a loop of their own.
///
/// # Errors
/// The host fails, or the plugin refuses.
pub async fn set_up<C: Contender>(plugin: &Path, shape: &Shape) -> Result<C, BenchError> {
    let host = C::load_for(plugin, shape.in_flight)?;
    let idle = shape.idle;
    host.control(&format!("/idle/{}/{}", idle.spins, idle.yields)).await?;
    host.control(&format!("/measure/{}", u32::from(shape.time_send))).await?;
    if shape.in_flight > QUEUE {
        host.control(&format!("/queue/{}", shape.in_flight)).await?;
    }
    host.control(&format!("/threads/{}", shape.threads)).await?;
    Ok(host)
}

/// Asks the plugin for what it does only while its threads have no work. They have none when this is called, but one may
/// be about to record the time of a result that has already come.
async fn when_idle<C: Contender>(host: &C, path: &str) -> Result<Vec<u8>, BenchError> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let start = Instant::now();
    loop {
        match host.fetch(path, b"").await? {
            (NrStatus::Ok, answer) => return Ok(answer),
            (NrStatus::Err, _) if start.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            (status, answer) => {
                return Err(C::wrong(path, status, answer.len()));
            }
        }
    }
}

/// Runs the tasks for about this long; how long it was, and how many results there were.
async fn drive<C: Contender>(host: &C, shape: &Shape, time: Duration) -> Result<(Duration, u64), BenchError> {
    let run = Arc::new(Run::new(shape));
    let alarm = thread::Builder::new().name("alarm".to_owned()).spawn({
        let run = Arc::clone(&run);
        move || {
            thread::sleep(time);
            run.stop.store(true, Relaxed);
        }
    })?;
    let start = Instant::now();
    let tasks: Vec<_> = (0..shape.in_flight)
        .map(|_| {
            let (host, run, work) = (host.clone(), Arc::clone(&run), shape.work);
            tokio::spawn(async move {
                run.arrive();
                let result = repeat(&host, work, &run.stop).await;
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
    // It only slept, and has nothing to report.
    let _ = alarm.join();
    Ok((elapsed, results))
}

/// What the tasks of one run share.
struct Run {
    /// Set when the time is up.
    stop: AtomicBool,
    arrived: AtomicUsize,
    /// How many tasks are to begin together; 0 when it does not matter.
    together: usize,
}

impl Run {
    /// Calls that are answered at once never yield, so tasks that are to have a worker each must begin on one each.
    fn new(shape: &Shape) -> Self {
        let together = match shape.runtime {
            Flavour::Workers(workers) if shape.in_flight <= workers => shape.in_flight,
            _ => 0,
        };
        Self { stop: AtomicBool::new(false), arrived: AtomicUsize::new(0), together }
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
async fn repeat<C: Contender>(host: &C, work: Work, stop: &AtomicBool) -> Result<u64, BenchError> {
    let mut results = 0;
    match work {
        Work::Unary { path, len } => {
            let route = host.route(path)?;
            loop {
                let answer = host.call(&route, b"").await?;
                if answer != (NrStatus::Ok, len) {
                    return Err(C::wrong(path, answer.0, answer.1));
                }
                results += 1;
                if stop.load(Relaxed) {
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
                if stop.load(Relaxed) {
                    return Ok(results);
                }
            }
        }
    }
}
