//! Two numbers in two seconds, for the demonstration.

use std::{fmt, time::Duration};

use crate::{
    BenchError, Mutex, Ring,
    drive::{self, Plan},
    work::{Flavour, Shape, Work},
};

/// Results a second on the same work, side by side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throughput {
    /// Of this project's host.
    pub ring: f64,
    /// Of the mutex baseline.
    pub mutex: f64,
}

impl Throughput {
    /// How many times as many results the ring delivers.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.ring / self.mutex
    }
}

impl fmt::Display for Throughput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ring {:.2} M calls/s, mutex baseline {:.2} M calls/s: {:.1} times as many",
            self.ring / 1e6,
            self.mutex / 1e6,
            self.ratio()
        )
    }
}

/// Calls answered by one thread of the plugin, 256 in flight, on a current-thread runtime: the ring and the mutex
/// baseline in turn, about `time` each in all.
///
/// Must not be called from inside a runtime: it starts its own.
///
/// # Errors
/// A host fails, or the plugin cannot be built.
pub fn demo_throughput(time: Duration) -> Result<Throughput, BenchError> {
    const TURNS: u32 = 3;
    let plugin = crate::plugin()?;
    let shape = Shape::of(Work::BG_EMPTY).on(Flavour::CurrentThread, 256);
    let turn = time / TURNS;
    let plan = Plan { warm_up: turn / 5, time: turn - turn / 5 };
    let (mut ring, mut mutex) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        mutex.push(drive::measure::<Mutex>(&plugin, &shape, plan)?);
        ring.push(drive::measure::<Ring>(&plugin, &shape, plan)?);
    }
    let rate = |samples: &[drive::Sample]| {
        let results: u64 = samples.iter().map(|sample| sample.results).sum();
        let elapsed: Duration = samples.iter().map(|sample| sample.elapsed).sum();
        results as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    };
    Ok(Throughput { ring: rate(&ring), mutex: rate(&mutex) })
}
