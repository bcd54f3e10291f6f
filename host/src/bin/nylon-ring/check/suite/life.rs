//! The end of calls and of the plugin.

use std::{
    ffi::c_void,
    thread,
    time::{Duration, Instant},
};

use nylon_ring::{EXT_QUIESCE, NrQuiesceExt};

use super::{extensions::table, load::call_each};
use crate::check::{
    code::Code,
    harness::{self, Stop, host::book, plugin::Plugin, tables},
    report,
    spec::Order,
};

/// How many calls are cancelled, or in flight at `shutdown`.
const CALLS: usize = 16;
/// How long the threads of a plugin that says it has none may take to be gone.
const GONE: Duration = Duration::from_secs(2);

/// A cancelled call is ended too.
pub(crate) fn cancel(order: &Order) -> Result<(), Stop> {
    if order.knows_of_lost_answers() {
        report::would_meet_the_same();
        return Ok(());
    }
    let plugin = Plugin::load(&order.plugin)?;
    plugin.start()?;
    let mut inline = 0;
    let mut sids = Vec::new();
    for n in 0..CALLS {
        for spec in &order.specs {
            report::phase("handle");
            let made = harness::make(&plugin, spec, &spec.marked(n))?;
            let ended = book().open().calls.get(&made.sid).is_none_or(|call| call.ended() || !call.taken());
            inline += usize::from(ended);
            sids.push(made.sid);
            report::phase("calling back what was registered: cancelled");
            tables::cancel(made.sid);
        }
    }
    report::phase("waiting for results");
    harness::wait_for(&sids, order.timeout);
    harness::wait_for_quiet();
    harness::finish(&sids);
    plugin.stop();
    harness::report_broken();
    if inline == sids.len() {
        report::note("every call was answered before it could be cancelled");
    }
    Ok(())
}

/// It stops with calls in flight: they may stay without an answer, but nothing else may go wrong.
pub(crate) fn shutdown(order: &Order) -> Result<(), Stop> {
    let plugin = Plugin::load(&order.plugin)?;
    plugin.start()?;
    report::phase("handle");
    let mut sids = Vec::new();
    for n in 0..CALLS {
        for spec in &order.specs {
            sids.push(harness::make(&plugin, spec, &spec.marked(n))?.sid);
        }
    }
    report::phase("calling back what was registered: cancelled");
    for sid in &sids {
        tables::cancel(*sid);
    }
    plugin.stop();
    harness::wait_for_quiet();
    harness::finish(&sids);
    for (code, (count, what)) in book().settle() {
        let may_stay = [Code::Unanswered, Code::StreamNotEnded, Code::NotAnsweredAfterCancel, Code::BufferNotReturned];
        if !may_stay.contains(&code) && !order.knows_of_lost_answers() {
            report::finding(code, harness::book::times(&what, count));
        }
    }
    Ok(())
}

/// Its threads have stopped when it says so, and the library can be unmapped.
pub(crate) fn quiesce(order: &Order) -> Result<(), Stop> {
    let before = threads_of_this_process();
    let plugin = Plugin::load(&order.plugin)?;
    let Some(asked) = quiescence(&plugin) else {
        report::not_applicable("it does not offer nylon.quiesce/1, so its library is never unmapped");
        return Ok(());
    };
    plugin.start()?;
    call_each(&plugin, order)?;
    plugin.stop();
    report::phase("is_quiescent");
    let began = Instant::now();
    while asked() != 1 {
        if began.elapsed() > order.timeout {
            return Err(Stop::found(
                Code::NeverQuiescent,
                format!("is_quiescent did not say 1 within {:?}", order.timeout),
            ));
        }
        thread::sleep(Duration::from_millis(1));
    }
    book().open().quiescent = true;
    if asked() != 1 {
        report::finding(Code::NotQuiescent, "is_quiescent said 1, and then 0");
    }
    let left = threads_left(before);
    harness::wait_for_quiet();
    harness::report_broken();
    if left > 0 {
        return Err(Stop::found(
            Code::NotQuiescent,
            format!("is_quiescent said 1, and {left} threads of the plugin still run"),
        ));
    }
    if report::found_any() {
        return Ok(());
    }
    report::phase("unmapping the library");
    unmap(plugin)?;
    thread::sleep(Duration::from_millis(100));
    Ok(())
}

fn unmap(plugin: Plugin) -> Result<(), Stop> {
    let library = plugin.library.clone();
    drop(plugin);
    let Ok(library) = std::sync::Arc::try_unwrap(library) else {
        return Err(Stop::Harness(std::io::Error::other("the library is still used")));
    };
    std::mem::ManuallyDrop::into_inner(library)
        .close()
        .map_err(|error| Stop::found(Code::NotQuiescent, format!("the library cannot be unmapped: {error}")))
}

/// The plugin's `is_quiescent`, if it offers it.
pub(crate) fn quiescence(plugin: &Plugin) -> Option<impl Fn() -> u32 + use<>> {
    let table: NrQuiesceExt = table(plugin, EXT_QUIESCE)?;
    let (ask, ctx) = (table.is_quiescent?, plugin.ctx);
    Some(move || {
        // SAFETY: after `shutdown` has returned, by one thread at a time.
        unsafe { ask(ctx.cast::<c_void>()) }
    })
}

/// How many threads there are more than before, once those that are on their way out are gone.
fn threads_left(before: usize) -> usize {
    let until = Instant::now() + GONE;
    loop {
        let left = threads_of_this_process().saturating_sub(before);
        if left == 0 || Instant::now() > until {
            return left;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Only Linux tells; elsewhere there are none.
fn threads_of_this_process() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}
