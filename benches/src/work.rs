//! What a measurement does: how many calls of which kind, on which runtime, against how many threads of the plugin.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::runtime::{Builder, Runtime};

/// The body of a request that has none.
pub const NOTHING: &[u8] = b"";

/// The runtime that the host's callers run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Everything on one thread.
    CurrentThread,
    /// So many worker threads.
    Workers(usize),
}

/// What each call asks for, and how it must be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// One result.
    Unary {
        /// The path, as the plugin's table has it.
        path: &'static str,
        /// The payload's length.
        len: usize,
    },
    /// Frames; each one counts as one result, the terminal one too.
    Stream {
        /// The path, as the plugin's table has it.
        path: &'static str,
        /// The number of frames, without the terminal one.
        frames: u64,
        /// The payload's length of each of them; the terminal one's is 0.
        len: usize,
    },
}

impl Work {
    /// Answered inside `handle`: an empty result.
    pub const SYNC_EMPTY: Self = Self::unary("/e", 0);
    /// Answered inside `handle`: 1 KiB.
    pub const SYNC_KIB: Self = Self::unary("/k", 1024);
    /// Answered inside `handle`: 8 empty frames and the end.
    pub const SYNC_STREAM: Self = Self::stream("/f/8", 8, 0);
    /// Answered by a thread of the plugin: an empty result.
    pub const BG_EMPTY: Self = Self::unary("/be", 0);
    /// Answered by a thread of the plugin: 1 KiB.
    pub const BG_KIB: Self = Self::unary("/bk", 1024);
    /// Answered by a thread of the plugin: 32 frames of 64 B and the end.
    pub const BG_STREAM: Self = Self::stream("/bf/32", 32, 64);
    /// Answered by a thread of the plugin: 256 frames of 64 B and the end.
    pub const BG_LONG_STREAM: Self = Self::stream("/bf/256", 256, 64);

    /// One result of this length.
    #[must_use]
    pub const fn unary(path: &'static str, len: usize) -> Self {
        Self::Unary { path, len }
    }

    /// So many frames of this length, and the end.
    #[must_use]
    pub const fn stream(path: &'static str, frames: u64, len: usize) -> Self {
        Self::Stream { path, frames, len }
    }
}

/// What a thread of the plugin does before it parks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idle {
    /// Looks for work, a pause instruction in between.
    pub spins: u32,
    /// Looks for work, a yield to the scheduler in between.
    pub yields: u32,
}

impl Idle {
    /// Parks at once: each call has to wake the thread.
    pub const PARK: Self = Self { spins: 0, yields: 0 };
    /// Bridges the gaps between bursts of calls without keeping anyone else from a core.
    pub const BRIEF: Self = Self { spins: 100, yields: 8 };
    /// Practically never parks.
    pub const SPIN: Self = Self { spins: 1_000_000, yields: 0 };
}

/// Where the ring's reactors run and how they wait; the other hosts have no choice of this kind and take no notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// As a host does by default: tasks, which look for more for a while, as long as that pays.
    #[default]
    Default,
    /// Tasks that sleep at once.
    Park,
    /// Tasks that keep the core while results come.
    Spin,
    /// Threads of their own, which wait as tasks do by default.
    Threads,
    /// Threads of their own that keep the core while results come.
    ThreadsSpin,
    /// The same, and they keep to the last core.
    PinnedSpin,
}

impl Strategy {
    /// All of them.
    pub const ALL: &[Self] =
        &[Self::Default, Self::Park, Self::Spin, Self::Threads, Self::ThreadsSpin, Self::PinnedSpin];

    /// Whether reactors are tasks of the callers' runtime.
    fn runs_tasks(self) -> bool {
        matches!(self, Self::Default | Self::Park | Self::Spin)
    }

    /// What the report calls the ring with it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "ring",
            Self::Park => "park",
            Self::Spin => "spin",
            Self::Threads => "threads",
            Self::ThreadsSpin => "threads spin",
            Self::PinnedSpin => "pinned spin",
        }
    }
}

/// One kind of measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Where the callers run.
    pub runtime: Flavour,
    /// So many tasks, each with one call at a time.
    pub in_flight: usize,
    /// What each call asks for.
    pub work: Work,
    /// Threads of the plugin that answer `/b…`.
    pub threads: u32,
    /// What they do without work.
    pub idle: Idle,
    /// Whether they time their calls of `send_result`; that makes everything else slower.
    pub time_send: bool,
    /// Whether the process's heap allocations are counted; that makes everything else slower.
    pub count_allocations: bool,
    /// Whether the memory of the calls in flight is weighed.
    pub weigh: bool,
    /// How the ring's reactor waits.
    pub strategy: Strategy,
}

impl Shape {
    /// A new runtime for the callers. Its workers keep to a core each, if there are as many: otherwise the scheduler puts them on one
    /// core now and then, for seconds, and that is what would be measured. (Not where the ring's reactors are threads that a worker
    /// starts, which would keep to its core, too.)
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn build_runtime(&self) -> io::Result<Runtime> {
        let mut builder = match self.runtime {
            Flavour::CurrentThread => Builder::new_current_thread(),
            Flavour::Workers(_) => Builder::new_multi_thread(),
        };
        if let Flavour::Workers(workers) = self.runtime {
            builder.worker_threads(workers);
            let cores = core_affinity::get_core_ids().unwrap_or_default();
            if workers <= cores.len() && self.strategy.runs_tasks() {
                let worker = AtomicUsize::new(0);
                builder.on_thread_start(move || {
                    // What comes after the workers are threads for blocking work.
                    if let Some(&core) = cores[..workers].get(worker.fetch_add(1, Ordering::Relaxed)) {
                        core_affinity::set_for_current(core);
                    }
                });
            }
        }
        builder.enable_all().build()
    }

    /// Calls of this kind, one in flight, on one worker, against one thread.
    #[must_use]
    pub const fn of(work: Work) -> Self {
        Self {
            runtime: Flavour::Workers(1),
            in_flight: 1,
            work,
            threads: 1,
            idle: Idle::BRIEF,
            time_send: false,
            count_allocations: false,
            weigh: false,
            strategy: Strategy::Default,
        }
    }

    /// On this runtime, with so many in flight.
    #[must_use]
    pub const fn on(self, runtime: Flavour, in_flight: usize) -> Self {
        Self { runtime, in_flight, ..self }
    }

    /// Against so many threads of the plugin, which do this without work.
    #[must_use]
    pub const fn against(self, threads: u32, idle: Idle) -> Self {
        Self { threads, idle, ..self }
    }

    /// With the times of `send_result`.
    #[must_use]
    pub const fn timed(self) -> Self {
        Self { time_send: true, ..self }
    }

    /// With the number of heap allocations.
    #[must_use]
    pub const fn counted(self) -> Self {
        Self { count_allocations: true, ..self }
    }

    /// With the memory of the calls in flight.
    #[must_use]
    pub const fn weighed(self) -> Self {
        Self { weigh: true, ..self }
    }

    /// With a reactor that waits like this.
    #[must_use]
    pub const fn waiting(self, strategy: Strategy) -> Self {
        Self { strategy, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, thread, time::Duration};

    use super::*;

    /// Where each of two workers may run.
    fn cores_of_workers(strategy: Strategy) -> Vec<Vec<usize>> {
        let runtime = Shape::of(Work::BG_EMPTY).on(Flavour::Workers(2), 2).waiting(strategy).build_runtime().unwrap();
        let mut workers = HashMap::new();
        while workers.len() < 2 {
            let tasks = [(); 4].map(|()| {
                runtime.spawn(async {
                    thread::sleep(Duration::from_millis(1));
                    (thread::current().id(), core_affinity::get_core_ids().unwrap())
                })
            });
            workers.extend(tasks.map(|task| runtime.block_on(task).unwrap()));
        }
        workers.into_values().map(|cores| cores.iter().map(|core| core.id).collect()).collect()
    }

    #[test]
    fn each_worker_has_a_core_unless_it_starts_reactors() {
        let all = core_affinity::get_core_ids().unwrap().len();
        if let [first, second] = &cores_of_workers(Strategy::Default)[..]
            && all >= 2
        {
            assert_eq!((first.len(), second.len()), (1, 1));
            assert_ne!(first, second);
        }
        assert!(cores_of_workers(Strategy::Threads).iter().all(|cores| cores.len() == all));
    }
}
