//! The threads that answer later.
//!
//! Each thread has a queue of its own. Whoever submits gives [`RUN`] jobs in a row to one of them, then as many to the next, so that it
//! does not touch all queues for a few jobs: that would be much of what a call costs, and hide how hosts differ.
//!
//! A thread without work looks for some more (pause instruction in between), then again (yield in between), then parks.
//!
//! Nobody sleeps over a job: the thread parks only if its queue says that whoever pushes next will know (`jobs.rs`).

use std::{
    cell::Cell,
    hint, io,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle, Thread},
};

use crate::{
    clock::{self, Mark},
    jobs::{Jobs, Taker},
    pattern::{FRAME, KIB, pattern},
    settings::Settings,
    stats::{self, Histogram},
    work::{Host, Status, send_at_last},
};

/// What a thread is to answer.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// An empty result.
    Empty,
    /// A result of 1 KiB.
    Kib,
    /// A result of so many bytes.
    Payload(u32),
    /// So many frames of 64 B, then the end.
    Frames(u32),
}

/// One call to be answered.
#[derive(Clone, Copy)]
pub(crate) struct Job {
    pub(crate) sid: u64,
    pub(crate) kind: Kind,
}

/// What `submit` and one thread share.
struct Worker {
    jobs: Jobs,
    /// Set once, right after the thread has started.
    thread: OnceLock<Thread>,
    /// Set by the thread before it takes a job, cleared when it has answered and timed all there were.
    working: AtomicBool,
    times: Histogram,
}

/// Jobs in a row for one thread.
const RUN: usize = 16;

thread_local! {
    /// How many jobs this thread has submitted.
    static SUBMITTED: Cell<usize> = const { Cell::new(0) };
}

/// All threads of one plugin.
pub(crate) struct Pool {
    workers: Box<[Arc<Worker>]>,
    stop: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// When the times were last reset; only touched by `/reset` and `/stats`.
    since: Mutex<Mark>,
}

impl Pool {
    /// Starts `threads` threads, at least one.
    pub(crate) fn start<H: Host>(threads: u32, host: &H, settings: &Arc<Settings>) -> io::Result<Self> {
        let queue = settings.queue.load(Ordering::Relaxed).max(1) as usize;
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers = Vec::new();
        let mut handles = Vec::new();
        for i in 0..threads.max(1) {
            let worker = Arc::new(Worker {
                jobs: Jobs::new(queue)?,
                thread: OnceLock::new(),
                working: AtomicBool::new(false),
                times: Histogram::new(),
            });
            let handle = thread::Builder::new().name(format!("bench-{i}")).spawn({
                let (worker, stop) = (Arc::clone(&worker), Arc::clone(&stop));
                let (host, settings) = (host.clone(), Arc::clone(settings));
                move || worker.run(&host, &settings, &stop)
            })?;
            // The cell is new, so this sets it.
            let _ = worker.thread.set(handle.thread().clone());
            workers.push(worker);
            handles.push(handle);
        }
        Ok(Self { workers: workers.into(), stop, threads: Mutex::new(handles), since: Mutex::new(Mark::now()) })
    }

    /// Gives a job to the thread whose turn it is; false when it has too many.
    #[inline]
    pub(crate) fn submit(&self, job: Job) -> bool {
        let worker = match &*self.workers {
            [only] => only,
            many => &many[SUBMITTED.replace(SUBMITTED.get().wrapping_add(1)) / RUN % many.len()],
        };
        let Some(asleep) = worker.jobs.push(job) else { return false };
        if asleep {
            worker.wake();
        }
        true
    }

    /// Ends all threads, once they have answered what they have.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        for worker in &self.workers {
            worker.wake();
        }
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A thread that panicked has ended too.
            let _ = thread.join();
        }
    }

    /// Whether every job has been answered, and its time recorded: a thread may still be about to record the time of
    /// a result that the host already has. Says nothing about jobs whose results are yet to come.
    fn is_idle(&self) -> bool {
        // Ordering: Acquire; pairs with [idle] in `Worker::run`.
        self.workers.iter().all(|worker| worker.jobs.looks_empty() && !worker.working.load(Ordering::Acquire))
    }

    /// Forgets the times; false, and nothing done, while a thread has work.
    pub(crate) fn reset(&self) -> bool {
        if !self.is_idle() {
            return false;
        }
        for worker in &self.workers {
            worker.times.reset();
        }
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Mark::now();
        true
    }

    /// The text of `/stats`; none while a thread has work.
    pub(crate) fn stats(&self) -> Option<String> {
        if !self.is_idle() {
            return None;
        }
        let ticks_per_ns = self.since.lock().unwrap_or_else(PoisonError::into_inner).ticks_per_ns();
        Some(stats::text(self.workers.iter().map(|worker| &worker.times), clock::overhead(), ticks_per_ns))
    }
}

impl Worker {
    #[cold]
    fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// What the thread does. Once only.
    fn run<H: Host>(&self, host: &H, settings: &Settings, stop: &AtomicBool) {
        // SAFETY: every worker has one thread, which runs this once.
        let jobs = unsafe { self.jobs.taker() };
        loop {
            // Ordering: Relaxed; who has a result of a job sees it by way of the host, which handed the result over.
            self.working.store(true, Ordering::Relaxed);
            while let Some(job) = jobs.take() {
                if settings.measure.load(Ordering::Relaxed) {
                    job.answer(|sid, status, payload| {
                        let start = clock::start();
                        send_at_last(host, sid, status, payload);
                        self.times.record(clock::end().saturating_sub(start));
                    });
                } else {
                    job.answer(|sid, status, payload| send_at_last(host, sid, status, payload));
                }
            }
            jobs.release();
            // Ordering: Release [idle]; what was recorded comes before; pairs with the load in `is_idle`.
            self.working.store(false, Ordering::Release);
            if stop.load(Ordering::Acquire) {
                return;
            }
            if !self.comes_soon(settings) {
                Self::park(&jobs, stop);
            }
        }
    }

    /// Waits a little for work, awake.
    fn comes_soon(&self, settings: &Settings) -> bool {
        for _ in 0..settings.spins.load(Ordering::Relaxed) {
            if !self.jobs.looks_empty() {
                return true;
            }
            hint::spin_loop();
        }
        for _ in 0..settings.yields.load(Ordering::Relaxed) {
            if !self.jobs.looks_empty() {
                return true;
            }
            thread::yield_now();
        }
        !self.jobs.looks_empty()
    }

    fn park(jobs: &Taker<'_>, stop: &AtomicBool) {
        if jobs.may_sleep() && !stop.load(Ordering::Relaxed) {
            thread::park();
        }
    }
}

impl Job {
    #[inline]
    fn answer(self, send: impl Fn(u64, Status, &'static [u8])) {
        match self.kind {
            Kind::Empty => send(self.sid, Status::Ok, &[]),
            Kind::Kib => send(self.sid, Status::Ok, KIB),
            // Whoever made the job has checked the length.
            Kind::Payload(len) => send(self.sid, Status::Ok, pattern(len as usize).unwrap_or_default()),
            Kind::Frames(frames) => {
                for _ in 0..frames {
                    send(self.sid, Status::Ok, FRAME);
                }
                send(self.sid, Status::StreamEnd, &[]);
            }
        }
    }
}
