//! One measurement: everything new (runtime, host, plugin), set up, warmed up, timed, stopped.
//!
//! So many tasks run the same loop: call, await, check the answer, look at a flag. A thread that sleeps sets the flag
//! when the time is up. The tasks count in variables of their own. [`measure_linear`] is the same with a number of calls
//! instead of a time, on one host from the first call to the last.

mod tasks;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use nylon_ring::NrStatus;

use self::tasks::{Until, drive};
use crate::{
    BenchError, Contender, PluginTimes,
    alloc::{self, Count},
    memory,
    work::Shape,
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
    /// Growth of the resident memory by the calls in flight and the tasks that wait for them, for each of them, in
    /// bytes; if it was weighed.
    pub memory_each: Option<f64>,
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
    if shape.weigh {
        memory::trim();
    }
    shape.build_runtime()?.block_on(async {
        let host = set_up::<C>(plugin, shape).await?;
        let before = memory::resident();
        drive(&host, shape, Until::Elapsed(plan.warm_up)).await?;
        if shape.time_send {
            when_idle(&host, "/reset").await?;
        }
        let count = shape.count_allocations.then(Count::start);
        let driven = drive(&host, shape, Until::Elapsed(plan.time)).await?;
        let allocations = count.map_or(0, Count::finish);
        let times = if shape.time_send {
            let text = when_idle(&host, "/stats").await?;
            Some(PluginTimes::parse(&String::from_utf8_lossy(&text))?)
        } else {
            None
        };
        host.shutdown().await?;
        let grown = before.zip(driven.resident).map(|(before, at_end)| at_end.saturating_sub(before));
        let memory_each = grown.filter(|_| shape.weigh).map(|grown| grown as f64 / shape.in_flight as f64);
        Ok(Sample { elapsed: driven.elapsed, results: driven.results, allocations, memory_each, times })
    })
}

/// One step of [`measure_linear`].
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// How many calls.
    pub calls: u64,
    /// From the first of these calls to the last answer.
    pub elapsed: Duration,
    /// The process's resident memory after them, in bytes.
    pub resident: Option<u64>,
}

/// Makes so many calls, and so many more, …, all on one host.
///
/// # Errors
/// As [`measure`].
pub fn measure_linear<C: Contender>(plugin: &Path, shape: &Shape, steps: &[u64]) -> Result<Vec<Step>, BenchError> {
    memory::trim();
    shape.build_runtime()?.block_on(async {
        let host = set_up::<C>(plugin, shape).await?;
        drive(&host, shape, Until::Results(10_000)).await?;
        let mut done = Vec::with_capacity(steps.len());
        for &calls in steps {
            let driven = drive(&host, shape, Until::Results(calls)).await?;
            done.push(Step { calls: driven.results, elapsed: driven.elapsed, resident: memory::resident() });
        }
        host.shutdown().await?;
        Ok(done)
    })
}

/// Calls in flight that the plugin's queues are large enough for without being told: each one might hold them all.
const QUEUE: usize = 2048;

/// Loads the plugin and sets it up; for [`measure`], and for benchmarks and tests with a loop of their own.
///
/// # Errors
/// The host fails, or the plugin refuses.
pub async fn set_up<C: Contender>(plugin: &Path, shape: &Shape) -> Result<C, BenchError> {
    let host = C::load_for(plugin, shape)?;
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
