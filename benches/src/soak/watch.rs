//! Who watches: progress every few seconds, and an end to a run in which somebody hangs.

use std::{
    fs, io, process,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    books::Callers,
    house::{House, PATIENCE},
};

/// How often there is a line of progress.
const EVERY: Duration = Duration::from_secs(5);
/// How long a call, or anything else but a round, may take: far more than it needs, on a busy machine too.
const LONGEST: Duration = PATIENCE.saturating_mul(2);

/// What the process uses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// Resident memory, in KiB.
    pub(super) rss: u64,
    pub(super) threads: u64,
    pub(super) files: u64,
}

impl Usage {
    /// What it uses now.
    pub(super) fn now() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let number = line.and_then(|line| line.trim().split(' ').next()?.parse().ok());
            number.ok_or_else(|| io::Error::other(format!("/proc/self/status has no {name}")))
        };
        // Less the one that reads the folder.
        let files = fs::read_dir("/proc/self/fd")?.count() as u64 - 1;
        Ok(Self { rss: field("VmRSS")?, threads: field("Threads")?, files })
    }
}

/// What is watched.
#[derive(Debug)]
struct State {
    what: String,
    since: Instant,
    house: Option<Arc<House>>,
    done: bool,
}

/// Watches a run, from a thread of its own.
#[derive(Debug)]
pub(super) struct Watch {
    state: Mutex<State>,
    changed: Condvar,
    start: Instant,
    /// Calls of hosts that are gone.
    calls: AtomicU64,
}

impl Watch {
    /// Starts to watch.
    pub(super) fn start() -> io::Result<Arc<Self>> {
        let now = Instant::now();
        let state = State { what: "the start".to_owned(), since: now, house: None, done: false };
        let watch =
            Arc::new(Self { state: Mutex::new(state), changed: Condvar::new(), start: now, calls: AtomicU64::new(0) });
        let watching = watch.clone();
        thread::Builder::new().name("soak-watch".into()).spawn(move || watching.run())?;
        Ok(watch)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what comes next, and with which host.
    pub(super) fn enter(&self, what: impl Into<String>, house: Option<&Arc<House>>) {
        let mut state = self.state();
        (state.what, state.since, state.house) = (what.into(), Instant::now(), house.cloned());
    }

    /// Adds the calls of a host that is gone.
    pub(super) fn add(&self, callers: &Callers) {
        // Ordering: Relaxed; a number to be printed.
        self.calls.fetch_add(callers.opened(), Ordering::Relaxed);
    }

    /// Ends the watch.
    pub(super) fn stop(&self) {
        self.state().done = true;
        self.changed.notify_all();
    }

    fn run(&self) {
        let mut before = (0, Instant::now());
        let mut moved = (0, Instant::now());
        loop {
            let (state, _) = self
                .changed
                .wait_timeout_while(self.state(), EVERY, |state| !state.done)
                .unwrap_or_else(PoisonError::into_inner);
            if state.done {
                return;
            }
            let (what, house, since) = (state.what.clone(), state.house.clone(), state.since);
            drop(state);
            let own = house.as_ref().map_or(0, |house| house.callers().opened());
            let (calls, now) = (self.calls.load(Ordering::Relaxed) + own, Instant::now());
            let rate = calls.saturating_sub(before.0) as f64 / (now - before.1).as_secs_f64();
            before = (calls, now);
            println!(
                "{:>6} s  {calls:>11} calls {rate:>9.0}/s  {what}{}",
                self.start.elapsed().as_secs(),
                details(&house)
            );
            // Something must move: a call end, a result be sent, or the next thing begin.
            let sign = calls + house.as_ref().map_or(0, |house| house.sent());
            if sign != moved.0 || since > moved.1 {
                moved = (sign, now);
            }
            let still = moved.1.elapsed();
            if house.as_ref().is_some_and(|house| somebody_hangs(house)) || still > LONGEST {
                println!("soak: FAILED: {what} does not come to an end; nothing moved for {} s", still.as_secs());
                if let Some(house) = house {
                    println!("{} orders are open at the plugin; {:?}", house.open_orders(), house.host.metrics());
                }
                process::abort();
            }
        }
    }
}

/// The counters of a host, in one line.
fn details(house: &Option<Arc<House>>) -> String {
    let rss = Usage::now().map_or(0, |usage| usage.rss / 1024);
    let Some(house) = house else { return format!("  rss {rss} MiB") };
    let m = house.host.metrics();
    format!(
        "  delivered {} unknown {} duplicate {} after_end {} lost {} overflowed {} abandoned {} cancelled {} refused {} \
         in_flight {} buffered {} rss {rss} MiB",
        m.delivered,
        m.unknown_sid,
        m.duplicate,
        m.after_end,
        m.overflow_dropped,
        m.overflowed,
        m.abandoned,
        m.cancelled,
        m.refused,
        m.in_flight,
        m.buffered
    )
}

/// Whether a caller does; prints who, and over what.
fn somebody_hangs(house: &House) -> bool {
    let mut hangs = false;
    for desk in &house.desks {
        let doing = *desk.doing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(doing) = doing.filter(|doing| doing.since.elapsed() > LONGEST) {
            hangs = true;
            println!("soak: caller {} hangs: {doing:?}", desk.number);
        }
    }
    hangs
}
