//! Whether calls leave memory behind.
//!
//! Rounds of equal size; what the C allocator has given out is read after each. A plugin that leaks leaks in each round; one that
//! fills a cache or grows a table stops or does so now and then.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::check::{
    code::Code,
    harness::{
        self, Stop,
        host::{COUNTED, counted},
        plugin::Plugin,
        request::Lent,
    },
    report,
    spec::Order,
};

const CALLS: u64 = 2000;
const WARM_UP: usize = 2;
const ROUNDS: usize = 4;
/// What a call must at least leave behind to count, in bytes.
const LEAST: u64 = 16;

/// Calls leave no memory behind.
pub(crate) fn leaks(order: &Order) -> Result<(), Stop> {
    let Some(spec) = order.specs.iter().find(|spec| !harness::is_stream(spec)) else {
        report::not_applicable("no unary request was given");
        return Ok(());
    };
    if in_use().is_none() {
        report::not_applicable("the C library of this system does not tell how much memory is in use");
        return Ok(());
    }
    let plugin = Plugin::load(&order.plugin)?;
    plugin.start()?;
    let lent = Lent::new(&spec.request)?;
    report::phase("handle, many times");
    let mut sizes = Vec::with_capacity(WARM_UP + ROUNDS);
    for round in 0..(WARM_UP + ROUNDS) as u64 {
        let (request, body) = lent.views();
        let begin = counted();
        let mut taken = 0;
        let until = Instant::now() + order.timeout;
        for n in 0..CALLS {
            if Instant::now() > until {
                report::not_applicable(format!("handle takes too long to call it {CALLS} times"));
                return Ok(());
            }
            // SAFETY: after `init`; what the pointers lead to is there to the end of this function.
            let raw = unsafe { (plugin.handle)(plugin.ctx, COUNTED + round * CALLS + n, request, body) };
            taken += u64::from(raw == 0);
        }
        let until = Instant::now() + order.timeout;
        while counted() - begin < taken {
            if Instant::now() > until {
                report::not_applicable(format!("{CALLS} calls at once were not answered within {:?}", order.timeout));
                return Ok(());
            }
            thread::sleep(Duration::from_millis(1));
        }
        harness::wait_for_quiet();
        sizes.extend(in_use());
    }
    plugin.stop();
    judge(&sizes);
    Ok(())
}

fn judge(sizes: &[u64]) {
    let grown: Vec<u64> =
        sizes.windows(2).skip(WARM_UP - 1).map(|pair| pair[1].saturating_sub(pair[0]) / CALLS).collect();
    let least = grown.iter().copied().min().unwrap_or(0);
    report::note(format!("bytes left by each of {CALLS} calls, round by round: {grown:?}"));
    if least >= LEAST {
        report::finding(
            Code::LeaksMemory,
            format!("each call leaves {least} bytes behind, in each of {ROUNDS} rounds of {CALLS} calls"),
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
