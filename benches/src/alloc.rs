//! An allocator that counts what the process takes from the heap.
//!
//! A plugin is a shared object with an allocator of its own, so its allocations are not in the count: what is counted
//! is the host, its runtime and the harness. Counting is off but for the measurements that ask for it, since a counter
//! that all threads write would cost most where most is allocated.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

static COUNTING: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The system's allocator with a counter; for `#[global_allocator]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct CountingAllocator;

#[inline]
fn count() {
    if COUNTING.load(Relaxed) {
        COUNT.fetch_add(1, Relaxed);
    }
}

// SAFETY: everything is handed on to the system's allocator as it came; the counter touches no memory of it.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// Counts from its making to its [`finish`](Self::finish); one at a time in a process.
#[derive(Debug)]
#[must_use]
pub struct Count {
    start: u64,
}

impl Count {
    /// Starts to count.
    pub fn start() -> Self {
        COUNTING.store(true, Relaxed);
        Self { start: COUNT.load(Relaxed) }
    }

    /// How many allocations and reallocations there were, by any thread.
    #[must_use]
    pub fn finish(self) -> u64 {
        COUNTING.store(false, Relaxed);
        COUNT.load(Relaxed) - self.start
    }
}

/// Whether this process allocates through [`CountingAllocator`].
#[must_use]
pub fn installed() -> bool {
    let count = Count::start();
    drop(black_box(Box::new(0_u64)));
    count.finish() > 0
}
