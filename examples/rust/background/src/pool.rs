//! Threads that answer calls when they are due, or when they are cancelled.

use std::{
    collections::BTreeMap,
    io, mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nylon_ring_sdk::{Call, Event, Failure, Watch};

/// A pool of threads. A call that is thrown away when it stops answers by itself.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    jobs: Mutex<Jobs>,
    changed: Condvar,
    numbers: AtomicU64,
    cancelled: AtomicU64,
}

#[derive(Default)]
struct Jobs {
    waiting: BTreeMap<u64, Job>,
    stopped: bool,
}

struct Job {
    call: Call,
    /// `None`: it waits to be cancelled.
    due: Option<Instant>,
}

impl Pool {
    pub(crate) fn start(threads: usize) -> io::Result<Self> {
        let pool = Self { shared: Arc::default(), threads: Mutex::default() };
        for _ in 0..threads {
            let shared = pool.shared.clone();
            let thread = thread::Builder::new().name("background".into()).spawn(move || shared.work())?;
            lock(&pool.threads).push(thread);
        }
        Ok(pool)
    }

    /// Takes a call; one that is never due waits to be cancelled, and counts then.
    pub(crate) fn add(&self, call: Call, due: Option<Instant>) {
        let shared = &self.shared;
        let number = shared.numbers.fetch_add(1, SeqCst);
        // The callback may come before the job is there, even before `on_cancel` returns. Then it leaves a mark.
        let mark = Arc::new(AtomicBool::new(false));
        let watch = call.on_cancel({
            let (shared, mark) = (shared.clone(), mark.clone());
            move |event| {
                if event == Event::Cancelled {
                    mark.store(true, SeqCst);
                    shared.hurry(&mut lock(&shared.jobs), number);
                }
            }
        });
        if watch == Watch::Unsupported && due.is_none() {
            return call.fail(Failure::Unsupported, "the host does not tell of cancelled calls");
        }
        let mut jobs = lock(&shared.jobs);
        if jobs.stopped {
            return;
        }
        jobs.waiting.insert(number, Job { call, due });
        if watch == Watch::Closed || mark.load(SeqCst) {
            shared.hurry(&mut jobs, number);
        }
        shared.changed.notify_one();
    }

    /// How many calls were cancelled that waited for it.
    pub(crate) fn cancelled(&self) -> u64 {
        self.shared.cancelled.load(SeqCst)
    }

    /// Throws away what is not due yet, and waits for the threads.
    pub(crate) fn stop(&self) {
        let mut jobs = lock(&self.shared.jobs);
        jobs.stopped = true;
        let thrown_away = mem::take(&mut jobs.waiting);
        drop(jobs);
        drop(thrown_away); // its calls answer, which is nothing to do under a lock
        self.shared.changed.notify_all();
        for thread in mem::take(&mut *lock(&self.threads)) {
            // A thread that panicked has stopped too.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Makes a job due that has been cancelled, if it is still there.
    fn hurry(&self, jobs: &mut Jobs, number: u64) {
        if let Some(job) = jobs.waiting.get_mut(&number) {
            if job.due.replace(Instant::now()).is_none() {
                self.cancelled.fetch_add(1, SeqCst);
            }
            self.changed.notify_one();
        }
    }

    fn work(&self) {
        while let Some(call) = self.next() {
            call.reply("done"); // nobody sees it if the call was cancelled
        }
    }

    /// The next call that is due; `None` when the pool has stopped.
    fn next(&self) -> Option<Call> {
        let mut jobs = lock(&self.jobs);
        while !jobs.stopped {
            let first = jobs.waiting.iter().filter_map(|(number, job)| Some((job.due?, *number))).min();
            jobs = match first {
                None => self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner),
                Some((due, number)) => match due.saturating_duration_since(Instant::now()) {
                    Duration::ZERO => return jobs.waiting.remove(&number).map(|job| job.call),
                    wait => self.changed.wait_timeout(jobs, wait).unwrap_or_else(PoisonError::into_inner).0,
                },
            };
        }
        None
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
