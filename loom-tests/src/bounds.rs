//! How far the models are explored.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// How often a thread may be preempted in one execution. Loom needs few: almost every ordering bug shows with two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Two preemptions: for models of three threads.
    Two,
    /// Three preemptions: for models of two threads.
    Three,
}

/// Explores `f`, and prints how many executions that took.
///
/// `LOOM_MAX_PREEMPTIONS` overrides the bound; an exploration is never cut short in silence.
pub fn model(name: &str, bound: Bound, f: impl Fn() + Send + Sync + 'static) {
    let executions = Arc::new(AtomicU64::new(0));
    let count = executions.clone();
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 10_000;
    let default = match bound {
        Bound::Two => 2,
        Bound::Three => 3,
    };
    let preemptions = *builder.preemption_bound.get_or_insert(default);
    let start = Instant::now();
    builder.check(move || {
        count.fetch_add(1, Relaxed);
        f();
    });
    let (executions, seconds) = (executions.load(Relaxed), start.elapsed().as_secs_f64());
    println!("model {name}: {executions} executions, preemption bound {preemptions}, {seconds:.1} s");
}
