//! What can be set from outside.

use std::sync::atomic::{AtomicBool, AtomicU32};

/// Jobs that may wait for one thread, if nothing else is set: more than most benchmarks have in flight, and little
/// enough to stay in cache.
const QUEUE: u32 = 2048;

/// What can be set from outside, at any time; all of it Relaxed: nothing else depends on it.
pub(crate) struct Settings {
    /// How often an idle thread looks for work with a pause instruction in between.
    pub(crate) spins: AtomicU32,
    /// How often it then looks with a yield to the scheduler in between, before it parks.
    pub(crate) yields: AtomicU32,
    /// Whether the threads time what they send.
    pub(crate) measure: AtomicBool,
    /// Jobs that may wait for one thread; read when the threads are started.
    pub(crate) queue: AtomicU32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            spins: AtomicU32::new(0),
            yields: AtomicU32::new(0),
            measure: AtomicBool::new(false),
            queue: AtomicU32::new(QUEUE),
        }
    }
}
