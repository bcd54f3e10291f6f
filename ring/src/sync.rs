//! The one door to atomics, cells, wakers and the overflow queue.
//!
//! Production code gets the types of std, `atomic-waker` and `crossbeam`; under `--cfg nylon_loom` the same names are
//! loom's, so that a model drives the very source that ships. Nothing else in the crate names either side.

#[cfg(not(nylon_loom))]
mod real {
    #[cfg(all(target_os = "linux", not(miri)))]
    pub(crate) use std::sync::atomic::compiler_fence;
    #[cfg(not(all(target_os = "linux", not(miri))))]
    pub(crate) use std::sync::atomic::fence;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use std::thread_local;

    pub(crate) use atomic_waker::AtomicWaker;
    pub(crate) use crossbeam::queue::SegQueue;

    pub(crate) use std::thread::yield_now;

    /// Nothing: see the model's.
    #[inline(always)]
    pub(crate) fn model_fence() {}

    /// `std::cell::UnsafeCell` with loom's interface: access is a closure, so that loom can watch it.
    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(nylon_loom)]
mod model {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
    pub(crate) use loom::{thread::yield_now, thread_local};

    /// Stands for the total order of the SeqCst accesses on both sides of it, which loom takes for weaker ones.
    pub(crate) fn model_fence() {
        fence(Ordering::SeqCst);
    }

    /// loom's waker cell with the interface of `atomic-waker`.
    #[derive(Debug, Default)]
    pub(crate) struct AtomicWaker(loom::future::AtomicWaker);

    impl AtomicWaker {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) fn register(&self, waker: &std::task::Waker) {
            self.0.register_by_ref(waker);
        }

        pub(crate) fn take(&self) -> Option<std::task::Waker> {
            self.0.take_waker()
        }
    }

    /// Stands for `crossbeam::queue::SegQueue`, whose own atomics loom cannot see: a queue whose pop acquires what the matching push
    /// released, and which may look empty to who is not ordered after a push. One thread pops at a time.
    #[derive(Debug)]
    pub(crate) struct SegQueue<T> {
        pushed: AtomicU64,
        /// How many pushes whoever pops knows of, and how many values it has popped. No business of loom's.
        known: super::Count,
        popped: super::Count,
        values: loom::sync::Mutex<std::collections::VecDeque<T>>,
    }

    impl<T> SegQueue<T> {
        pub(crate) fn new() -> Self {
            let values = loom::sync::Mutex::new(std::collections::VecDeque::new());
            Self { pushed: AtomicU64::new(0), known: super::Count::new(0), popped: super::Count::new(0), values }
        }

        pub(crate) fn push(&self, value: T) {
            if let Ok(mut values) = self.values.lock() {
                values.push_back(value);
            }
            // Ordering: Relaxed; that a push may be overlooked is the point, and the lock passes the value on.
            self.pushed.fetch_add(1, Ordering::Relaxed);
        }

        pub(crate) fn pop(&self) -> Option<T> {
            let popped = self.popped.load(super::STATISTIC);
            if popped == self.known.load(super::STATISTIC) {
                // Ordering: Relaxed; as above.
                self.known.store(self.pushed.load(Ordering::Relaxed), super::STATISTIC);
                if popped == self.known.load(super::STATISTIC) {
                    return None;
                }
            }
            self.popped.store(popped + 1, super::STATISTIC);
            self.values.lock().ok().and_then(|mut values| values.pop_front())
        }
    }
}

#[cfg(nylon_loom)]
pub(crate) use model::*;
#[cfg(not(nylon_loom))]
pub(crate) use real::*;

/// Statistics are ordered with nothing: modelling them would only blow up the state space of loom.
type Count = std::sync::atomic::AtomicU64;

/// A counter with one writer at a time (whoever holds the consumer token), or one that is rarely written by anyone.
#[derive(Debug)]
pub(crate) struct Tally(Count);

impl Tally {
    pub(crate) const fn new() -> Self {
        Self(Count::new(0))
    }

    /// Adds `n`, by a plain load and store. Only for the one writer; nobody else writes, so nothing is lost.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        // Ordering: Relaxed, both; a statistic, ordered with nothing.
        self.0.store(self.0.load(STATISTIC).wrapping_add(n), STATISTIC);
    }

    /// Adds `n`; any thread may call it.
    #[inline]
    pub(crate) fn add_shared(&self, n: u64) {
        // Ordering: Relaxed; as above.
        self.0.fetch_add(n, STATISTIC);
    }

    /// Reads the count; it may lag behind its writer.
    pub(crate) fn get(&self) -> u64 {
        // Ordering: Relaxed; as above.
        self.0.load(STATISTIC)
    }
}

const STATISTIC: std::sync::atomic::Ordering = std::sync::atomic::Ordering::Relaxed;
