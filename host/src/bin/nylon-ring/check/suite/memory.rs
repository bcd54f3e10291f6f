//! Whether calls leave memory behind.
//!
//! Rounds of equal size; what the C allocator has given out is read after each. A plugin that leaks leaks as much in each round; one
//! that fills a cache, grows a table or starts threads does so now and then, or stops.

use std::time::Instant;

use crate::check::{
    code::Code,
    harness::{self, Stop, host::book, plugin::Plugin, request::Lent},
    report,
    spec::{Order, Spec},
};

const CALLS: u64 = 2000;
const WARM_UP: usize = 2;
const ROUNDS: usize = 4;
/// What a call must at least leave behind to count, in bytes.
const LEAST: u64 = 16;

/// Calls leave no memory behind.
pub(crate) fn leaks(order: &Order) -> Result<(), Stop> {
    if order.knows_of_lost_answers() {
        report::would_meet_the_same();
        return Ok(());
    }
    if in_use().is_none() {
        report::not_applicable("the C library of this system does not tell how much memory is in use");
        return Ok(());
    }
    let plugin = Plugin::load(&order.plugin)?;
    plugin.start()?;
    for spec in &order.specs {
        let lent = Lent::new(&spec.request)?;
        let mut sizes = Vec::with_capacity(WARM_UP + ROUNDS);
        for _ in 0..WARM_UP + ROUNDS {
            report::phase("handle, many times");
            if !round(&plugin, order, spec, &lent)? {
                report::not_applicable(format!("{CALLS} calls take longer than {:?}", order.timeout));
                return Ok(());
            }
            sizes.extend(in_use());
        }
        judge(spec, &sizes);
    }
    plugin.stop();
    Ok(())
}

/// Many calls, with the same memory. Whether all were answered in time.
fn round(plugin: &Plugin, order: &Order, spec: &Spec, lent: &Lent) -> Result<bool, Stop> {
    let until = Instant::now() + order.timeout;
    let mut sids = Vec::with_capacity(CALLS as usize);
    for _ in 0..CALLS {
        if Instant::now() > until {
            return Ok(false);
        }
        sids.push(harness::make_with(plugin, spec, &spec.request, lent.views(), || ())?.sid);
    }
    let answered = harness::wait_for(&sids, until.saturating_duration_since(Instant::now()));
    harness::wait_for_quiet();
    harness::finish(&sids);
    book().forget_calls();
    Ok(answered)
}

fn judge(spec: &Spec, sizes: &[u64]) {
    let grown: Vec<u64> =
        sizes.windows(2).skip(WARM_UP - 1).map(|pair| pair[1].saturating_sub(pair[0]) / CALLS).collect();
    let least = grown.iter().copied().min().unwrap_or(0);
    report::note(format!("{}: bytes left by each of {CALLS} calls, round by round: {grown:?}", spec.request.name()));
    let most = grown.iter().copied().max().unwrap_or(0);
    let name = spec.request.name();
    // A leak is the same in each round. A runtime that starts threads, and a table that grows, are not.
    if least >= LEAST && most <= least + least / 2 {
        report::finding(
            Code::LeaksMemory,
            format!("each call of {name} leaves {least} bytes behind, in each of {ROUNDS} rounds of {CALLS} calls"),
        );
    }
}

/// What the C allocator has given out, in bytes, if it tells.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn in_use() -> Option<u64> {
    // SAFETY: it only reads what the allocator knows.
    let info = unsafe { libc::mallinfo2() };
    Some((info.uordblks + info.hblkhd) as u64)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn in_use() -> Option<u64> {
    None
}
