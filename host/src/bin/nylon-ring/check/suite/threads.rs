//! Calls from several threads at the same time.

use std::{sync::Barrier, thread};

use super::calls::mixed_up;
use crate::check::{
    code::Code,
    harness::{self, Stop, host::book, plugin::Plugin},
    report,
    spec::Order,
};

const THREADS: usize = 4;
/// How many calls each thread makes.
const EACH: usize = 100;

/// Several threads call at the same time.
pub(crate) fn threads(order: &Order) -> Result<(), Stop> {
    if !order.known.is_empty() {
        report::would_meet_the_same();
        return Ok(());
    }
    let plugin = Plugin::load(&order.plugin)?;
    plugin.start()?;
    report::phase("handle, from several threads");
    let begin = Barrier::new(THREADS);
    let made: Vec<Result<Vec<u64>, Stop>> = thread::scope(|scope| {
        let callers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (plugin, begin) = (&plugin, &begin);
                scope.spawn(move || {
                    begin.wait();
                    call(plugin, order, thread)
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap_or(Err(Stop::Reported))).collect()
    });
    let mut sids = Vec::new();
    for made in made {
        sids.extend(made?);
    }
    report::phase("waiting for results");
    harness::wait_for(&sids, order.timeout);
    harness::wait_for_quiet();
    harness::finish(&sids);
    let mixed = mixed_up();
    plugin.stop();
    harness::wait_for_quiet();
    let mut symptoms: Vec<String> = mixed.into_iter().collect();
    symptoms.extend(book().settle().into_values().map(|(count, what)| harness::book::times(&what, count)));
    if !symptoms.is_empty() {
        report::finding(Code::NotThreadSafe, format!("with {THREADS} threads calling: {}", symptoms.join("; ")));
    }
    Ok(())
}

fn call(plugin: &Plugin, order: &Order, thread: usize) -> Result<Vec<u64>, Stop> {
    let mut sids = Vec::with_capacity(EACH * order.specs.len());
    for n in 0..EACH {
        for spec in &order.specs {
            sids.push(harness::make(plugin, spec, &spec.marked(thread * EACH + n))?.sid);
        }
    }
    Ok(sids)
}
