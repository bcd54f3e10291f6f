//! The soak test: exact books under everything at once.
//!
//! Hosts of several kinds (`weather.rs`), one after the other, each with a plugin of several threads
//! (`examples/c/soak.c`) and a crowd of callers in four executors. Callers order what the plugin is to do: answer inside
//! `handle`, from one thread or several; twice, late, or never; for sids that ended, or that nobody gave out; with statuses and
//! payloads that the ABI forbids. Callers wait, or leave in the middle. Rings and the buffer limit are small, so that both run
//! over. Whatever comes back is compared, byte by byte, with what was ordered.
//!
//! After each *round* everything comes to rest, and the books must balance to the unit: what the plugin sent, what the host
//! counted, and what the callers got are three accounts of the same results (`books.rs` has the equations). At the end of
//! each host all slots of all shards are opened at the same time, so none is lost; then the host is shut down, in some weathers under
//! load, and the books must balance again. Threads, descriptors and memory are flat from round to round (`report.rs`); the last
//! host lives longest.
//!
//! | file | what |
//! | --- | --- |
//! | `order.rs` | what a call asks for, and what must come of it |
//! | `weather.rs` | kinds of hosts, and the dice |
//! | `caller.rs`, `crowd.rs` | one caller; all of them, in their executors |
//! | `books.rs` | who counts what, and the equations |
//! | `house.rs` | one host: coming to rest, opening all slots, shutting down |
//! | `watch.rs` | progress, what the process uses, and an end for a run that hangs |
//! | `report.rs` | the table |
//!
//! Randomness comes from one seed. It fixes what each caller does, not how threads meet, nor who gets how far.

mod books;
mod caller;
mod crowd;
mod house;
mod order;
mod report;
mod watch;
mod weather;

use std::{
    io,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use nylon_ring_host::NylonRingHostError;

pub use self::report::Report;
use self::{
    house::{House, PATIENCE, Round},
    report::Memory,
    watch::{Usage, Watch},
    weather::{WEATHERS, Weather},
};

/// How long a run is.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many calls, about.
    pub calls: u64,
    /// How many seconds its rounds take at most, about.
    pub seconds: Option<f64>,
    /// What all randomness comes from.
    pub seed: u64,
    /// Rounds of each host but the last, at least 1.
    pub rounds: u32,
    /// Rounds of the last host, whose memory is looked at; at least 4.
    pub last_rounds: u32,
}

/// Why a run ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum SoakError {
    /// The plugin could not be built or used.
    #[error("the soak test's plugin is not there: {0}")]
    Plugin(String),
    /// The host did not load, or did not shut down.
    #[error("the host failed: {0}")]
    Host(NylonRingHostError),
    /// A runtime could not be started, or the process not be looked at.
    #[error("the system failed: {0}")]
    Io(#[from] io::Error),
    /// An equation does not hold, or a caller got what it should not.
    #[error("in the weather \"{weather}\": {text}")]
    Wrong {
        /// Which kind of host it was.
        weather: &'static str,
        /// What was wrong.
        text: String,
    },
}

/// Panics of any thread, whoever catches them.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// Runs the test.
///
/// # Errors
/// The first thing that was wrong. A run in which somebody hangs says so on stdout and aborts the process.
pub fn run(options: &Options) -> Result<Report, SoakError> {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        default(info);
    }));
    let watch = Watch::start()?;
    let mut run = Run { options, watch: watch.clone(), report: Report::new(options), houses: 0, rounds: 0 };
    let ended = run.all();
    watch.stop();
    ended.map(|()| run.report)
}

/// A run under way.
struct Run<'a> {
    options: &'a Options,
    watch: Arc<Watch>,
    report: Report,
    houses: u64,
    rounds: u64,
}

impl Run<'_> {
    fn all(&mut self) -> Result<(), SoakError> {
        for weather in &WEATHERS {
            self.house(weather, self.options.rounds)?;
        }
        // The worst one again, for long.
        let [.., last] = &WEATHERS;
        self.house(last, self.options.last_rounds)
    }

    /// The next round: its share of all.
    fn next_round(&mut self) -> (u64, Round) {
        let all = u64::from(self.options.rounds) * WEATHERS.len() as u64 + u64::from(self.options.last_rounds);
        self.rounds += 1;
        let time = self.options.seconds.map(|seconds| Duration::from_secs_f64(seconds / all as f64));
        let seed = self.options.seed ^ self.rounds.wrapping_mul(0xd1b5_4a32_d192_ed03);
        (seed, Round { calls: self.options.calls / all, time })
    }

    /// One host, from loading to the end.
    fn house(&mut self, weather: &'static Weather, rounds: u32) -> Result<(), SoakError> {
        let before = Usage::now()?;
        let start = Instant::now();
        self.houses += 1;
        let house = Arc::new(House::open(self.houses, weather)?);
        let mut memory = Memory::new(weather, before, rounds);
        for n in 1..=rounds {
            let (seed, round) = self.next_round();
            self.watch.enter(format!("{}, round {n} of {rounds}", weather.name), Some(&house));
            crowd::round(&house, seed, round, false)?;
            self.watch.enter(format!("{}, coming to rest", weather.name), Some(&house));
            house.settle(false)?;
            no_panics(weather)?;
            memory.look(&house)?;
        }
        self.watch.enter(format!("{}, opening every slot", weather.name), Some(&house));
        house.fill()?;
        self.watch.enter(format!("{}, shutting down", weather.name), Some(&house));
        if weather.closes {
            let (seed, round) = self.next_round();
            crowd::round(&house, seed, Round { calls: u64::MAX, ..round }, true)?;
        } else if self.houses.is_multiple_of(2) {
            house.leave()?;
        }
        // What was stored while its call was being closed goes with the next call of its slot; here there is none.
        let lines = house.settle(!weather.closes)?;
        no_panics(weather)?;
        self.report.add(&house, &lines, &memory, start.elapsed());
        self.watch.add(&house.callers());
        self.watch.enter(format!("{}, leaving", weather.name), None);
        drop(house);
        threads_are_gone(weather, before)
    }
}

/// Nobody panicked, whoever has caught it.
fn no_panics(weather: &Weather) -> Result<(), SoakError> {
    match PANICS.load(Ordering::Relaxed) {
        0 => Ok(()),
        n => Err(SoakError::Wrong { weather: weather.name, text: format!("{n} panics") }),
    }
}

/// A host that is gone leaves no thread behind. The spare runtime's may have come, and the one on which it waits for plugins.
fn threads_are_gone(weather: &Weather, before: Usage) -> Result<(), SoakError> {
    let start = Instant::now();
    loop {
        let now = Usage::now()?;
        if now.threads <= before.threads + report::SPARE_THREADS {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            let text = format!("{} threads are left of {}", now.threads, before.threads);
            return Err(SoakError::Wrong { weather: weather.name, text });
        }
        thread::sleep(Duration::from_millis(5));
    }
}
