//! What calls in flight look like from outside: how old they are, and which `handle` does not return.
//!
//! A task of the spare runtime looks at every slot once a *period*, and remembers when it saw a sid first. So an age is short of the
//! truth by up to one period, and no call does anything for it. A call that comes and goes between two looks is not seen.
//!
//! For the reports each thread leaves the path of the call that it is in `handle` with, in a host that is watched: under a lock of the
//! thread's own, which nobody else takes but for a report.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use thread_local::ThreadLocal;

use crate::{context::Context, error::NylonRingHostError, spare};

/// One call or stream in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct InFlight {
    /// Its sid, as the plugin was given it.
    pub sid: u64,
    /// How old it is at least, and at most one period more; `None` without [calls being watched](crate::HostBuilder::watch_calls), or
    /// when it began after the last look.
    pub age: Option<Duration>,
    /// Whether the plugin's `handle` has not returned yet.
    pub in_handle: bool,
}

/// How calls are watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watching {
    pub(crate) period: Duration,
    /// How long a `handle` may take.
    pub(crate) budget: Duration,
}

/// What a host's watchdog has seen.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    seen: Mutex<HashMap<u64, Seen>>,
    /// What each thread is in `handle` with, the innermost last: sid and path.
    inside: ThreadLocal<Mutex<Vec<(u64, String)>>>,
}

/// One call that was in flight at the last look.
#[derive(Debug)]
struct Seen {
    since: Instant,
    /// Its `handle` was found to take too long.
    reported: bool,
}

impl Watchdog {
    /// Watches the calls of `context` until the watchdog is dropped.
    ///
    /// # Errors
    ///
    /// [`NylonRingHostError::ReactorThread`] when there is no thread for it.
    pub(crate) fn start(context: &'static Context, watching: Watching) -> Result<Arc<Self>, NylonRingHostError> {
        let watchdog = Arc::new(Self::default());
        let spare = spare::handle().map_err(NylonRingHostError::ReactorThread)?;
        spare.spawn(run(context, Arc::downgrade(&watchdog), watching));
        Ok(watchdog)
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<u64, Seen>> {
        lock(&self.seen)
    }

    /// Runs `f`, which is a call of `handle`.
    pub(crate) fn run<R>(&self, sid: u64, path: &str, f: impl FnOnce() -> R) -> R {
        let inside = self.inside.get_or_default();
        lock(inside).push((sid, path.to_owned()));
        let result = f();
        lock(inside).pop();
        result
    }

    /// The path of a call that some thread is in `handle` with.
    fn path(&self, sid: u64) -> Option<String> {
        self.inside.iter().find_map(|inside| lock(inside).iter().find(|call| call.0 == sid).map(|call| call.1.clone()))
    }

    /// Looks at all calls in flight once.
    fn look(&self, context: &Context, budget: Duration) {
        let now = Instant::now();
        let mut slow = Vec::new();
        let mut seen = self.seen();
        let mut before = std::mem::take(&mut *seen);
        for call in context.runtime.in_flight() {
            let known = before.remove(&call.sid);
            let mut call_seen = known.unwrap_or(Seen { since: now, reported: false });
            let time = now.saturating_duration_since(call_seen.since);
            if call.handing_over && time >= budget && !call_seen.reported {
                call_seen.reported = true;
                slow.push((call.sid, time));
            }
            seen.insert(call.sid, call_seen);
        }
        // Who subscribes may ask for the calls in flight.
        drop(seen);
        for (sid, time) in slow {
            context.slow_handles.count();
            tracing::warn!(
                target: "nylon_ring::watchdog",
                plugin = &*context.name,
                sid,
                path = self.path(sid),
                blocked_ms = time.as_millis() as u64,
                "handle does not return: it blocks the thread of its caller"
            );
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run(context: &'static Context, watchdog: Weak<Watchdog>, watching: Watching) {
    loop {
        tokio::time::sleep(watching.period).await;
        // Held for as long as one look takes; the host may go meanwhile.
        let Some(watchdog) = watchdog.upgrade() else { return };
        watchdog.look(context, watching.budget);
    }
}

/// All calls in flight now, the oldest first, those of unknown age last.
pub(crate) fn in_flight(context: &Context, watchdog: Option<&Watchdog>) -> Vec<InFlight> {
    let now = Instant::now();
    let seen = watchdog.map(Watchdog::seen);
    let age = |sid| Some(now.saturating_duration_since(seen.as_ref()?.get(&sid)?.since));
    let all = context.runtime.in_flight();
    let mut all: Vec<_> =
        all.map(|call| InFlight { sid: call.sid, age: age(call.sid), in_handle: call.handing_over }).collect();
    all.sort_by_key(|call| std::cmp::Reverse(call.age));
    all
}
