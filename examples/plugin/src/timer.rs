//! One thread that waits for everybody.
//!
//! A thread for each waiting call would do for ten calls, and bring the machine down at ten thousand. Here all waiting
//! calls lie in one heap, ordered by their deadlines, and one thread sleeps until the first of them:
//!
//! ```text
//!  handler ─┐                         ┌──────────── timer thread ────────────┐
//!  handler ─┼─ channel of new jobs ──►│ heap, earliest first ──► due? run it │
//!  job ─────┘                         └──────────────────────────────────────┘
//! ```
//!
//! A job must be short, for it holds up those after it. A plugin whose jobs compute for long would hand them from here
//! to a pool of workers.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// The timer thread, and the way to it.
pub(crate) struct Timer {
    schedule: Schedule,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Timer {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (sender, messages) = mpsc::channel();
        let schedule = Schedule { sender };
        let own = schedule.clone();
        let thread = thread::Builder::new().name("example-timer".to_owned()).spawn(move || run(&messages, &own))?;
        Ok(Self { schedule, thread: Mutex::new(Some(thread)) })
    }

    /// Where new jobs go.
    pub(crate) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Stops the thread, and waits until it has stopped. Jobs that are not due yet are dropped, and with them their
    /// calls, whose callers so get an error instead of no answer.
    pub(crate) fn stop(&self) {
        // Both only fail if the thread has stopped already.
        let _stopped = self.schedule.sender.send(Message::Stop);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// Takes jobs, from any thread.
#[derive(Clone)]
pub(crate) struct Schedule {
    sender: Sender<Message>,
}

impl Schedule {
    /// Runs `job` on the timer's thread when `wait` has passed. The job is given the schedule, for jobs that repeat.
    pub(crate) fn after(&self, wait: Duration, job: impl FnOnce(&Self) + Send + 'static) {
        let due = Instant::now() + wait;
        let job = Box::new(job);
        // Once the timer has stopped, this drops the job, and with it the call, which answers with an error.
        let _dropped = self.sender.send(Message::Job(due, job));
    }
}

type Job = Box<dyn FnOnce(&Schedule) + Send>;

enum Message {
    Job(Instant, Job),
    Stop,
}

/// A job in the heap. Among jobs that are due at the same time the first to come is the first to go.
struct Waiting {
    due: Instant,
    number: u64,
    job: Job,
}

impl Waiting {
    fn order(&self) -> (Instant, u64) {
        (self.due, self.number)
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Waiting {}

/// The timer thread.
fn run(messages: &Receiver<Message>, schedule: &Schedule) {
    // The heap of the standard library has its greatest element first; `Reverse` makes that the earliest deadline.
    let mut waiting = BinaryHeap::new();
    for number in 0.. {
        while let Some(job) = next_due(&mut waiting, Instant::now()) {
            // A job that panics takes its own call with it, which answers with an error; not the thread that all others
            // wait for.
            let _panicked = catch_unwind(AssertUnwindSafe(|| job(schedule)));
        }
        match next_message(messages, waiting.peek()) {
            Ok(Message::Job(due, job)) => waiting.push(Reverse(Waiting { due, number, job })),
            Err(RecvTimeoutError::Timeout) => {} // the first job is due
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Takes the first job out of the heap if it is due.
fn next_due(waiting: &mut BinaryHeap<Reverse<Waiting>>, now: Instant) -> Option<Job> {
    if waiting.peek()?.0.due > now {
        return None;
    }
    waiting.pop().map(|Reverse(first)| first.job)
}

/// Waits for a message, but not longer than until the first job is due.
fn next_message(messages: &Receiver<Message>, first: Option<&Reverse<Waiting>>) -> Result<Message, RecvTimeoutError> {
    match first {
        Some(Reverse(first)) => messages.recv_timeout(first.due.saturating_duration_since(Instant::now())),
        None => messages.recv().map_err(RecvTimeoutError::from),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;

    #[test]
    fn jobs_run_by_deadline_then_in_the_order_they_came() {
        let timer = Timer::start().unwrap();
        let (sender, ran) = mpsc::channel();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut waiting = BinaryHeap::new();
        for (number, seconds) in (0_u64..).zip([60, 30, 0, 30]) {
            let sender = sender.clone();
            let job = Box::new(move |_: &Schedule| sender.send(number).unwrap());
            waiting.push(Reverse(Waiting { due: at(seconds), number, job }));
        }
        let mut run_until = |seconds| -> Vec<u64> {
            while let Some(job) = next_due(&mut waiting, at(seconds)) {
                job(timer.schedule());
            }
            ran.try_iter().collect()
        };
        assert_eq!(run_until(29), [2]);
        assert_eq!(run_until(60), [1, 3, 0]);
    }

    #[test]
    fn a_job_may_schedule_the_next_one() {
        fn count(schedule: &Schedule, left: u32, done: Sender<u32>) {
            match left {
                0 => done.send(left).unwrap(),
                _ => schedule.after(Duration::ZERO, move |next| count(next, left - 1, done)),
            }
        }
        let timer = Timer::start().unwrap();
        let (sender, done) = mpsc::channel();
        count(timer.schedule(), 100, sender);
        assert_eq!(done.recv(), Ok(0));
    }

    #[test]
    fn a_job_that_panics_harms_no_other() {
        let timer = Timer::start().unwrap();
        let (sender, ran) = mpsc::channel();
        let schedule = timer.schedule();
        schedule.after(Duration::ZERO, |_| panic!("a test of panics"));
        schedule.after(Duration::ZERO, move |_| sender.send(()).unwrap());
        assert!(ran.recv().is_ok());
    }

    #[test]
    fn a_stopped_timer_drops_what_waits_and_what_comes() {
        let timer = Timer::start().unwrap();
        let (sender, ran) = mpsc::channel();
        let later = sender.clone();
        let hour = Duration::from_secs(3600);
        timer.schedule().after(hour, move |_| sender.send(()).unwrap());
        timer.stop();
        timer.stop();
        timer.schedule().after(Duration::ZERO, move |_| later.send(()).unwrap());
        assert!(ran.recv().is_err());
    }
}
