//! Calls from one thread.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;

use crate::check::{
    code::Code,
    harness::{self, Stop, host::book, plugin::Plugin},
    report,
    spec::{Order, Spec, mark},
};

/// How often each request is made, one call after the other.
const ONE_BY_ONE: usize = 5;
/// How many calls are in flight at the same time.
const AT_ONCE: usize = 64;
/// How often `handle` is timed.
const TIMED: usize = 41;
/// A wait that is no accident of the machine.
const LONG: Duration = Duration::from_millis(1);
/// A computation that belongs on another thread.
const COMPUTES: Duration = Duration::from_millis(5);

/// Each call is answered as its request asks for.
pub(crate) fn answer(order: &Order) -> Result<(), Stop> {
    let plugin = Plugin::load(&order.plugin)?;
    plugin.start()?;
    let mut refused = None;
    for n in 0..ONE_BY_ONE {
        for spec in &order.specs {
            let request = if n == 0 { spec.request.clone() } else { spec.marked(n) };
            if !harness::make_all(&plugin, &[(spec, request)], order.timeout)? {
                // The rest would be the same, each with a wait of its own.
                harness::report_broken();
                return Ok(());
            }
            if n == 0 {
                say_answers(spec);
            }
        }
    }
    for call in book().open().calls.values().filter(|call| !call.taken()) {
        refused = call.returned.map(|raw| format!("handle returned {raw} for {}", call.name));
    }
    plugin.stop();
    harness::wait_for_quiet();
    harness::report_broken();
    match refused {
        Some(what) if !report::found_any() => Err(Stop::found(Code::RequestRefused, what)),
        _ => Ok(()),
    }
}

/// The first answer, for the reader.
fn say_answers(spec: &Spec) {
    let pages = book().open();
    let name = spec.request.name();
    let Some(call) = pages.calls.values().find(|call| call.name == name) else { return };
    let statuses: Vec<String> = call
        .results
        .iter()
        .map(|got| nylon_ring::NrStatus::from_raw(got.status).map_or_else(|| got.status.to_string(), |s| s.to_string()))
        .collect();
    let text = match (harness::is_stream(spec), statuses.as_slice()) {
        (_, []) => return,
        (false, [status, ..]) => status.clone(),
        (true, [.., last]) => format!("{} frames, the last one {last}", statuses.len()),
    };
    report::note(format!("{name}: {text}"));
}

/// `handle` returns at once.
pub(crate) fn fast_return(order: &Order) -> Result<(), Stop> {
    let plugin = Plugin::load(&order.plugin)?;
    plugin.start()?;
    for spec in &order.specs {
        let mut times = Vec::with_capacity(TIMED);
        for n in 0..TIMED {
            report::phase("handle");
            let made = harness::make(&plugin, spec, &spec.marked(n))?;
            times.push(made.took);
            // One at a time, so that calls do not hold up each other. Who loses answers was found out before.
            if !order.knows_of_lost_answers() {
                harness::wait_for(&[made.sid], order.timeout);
            }
            harness::finish(&[made.sid]);
        }
        judge(spec, &times);
    }
    plugin.stop();
    Ok(())
}

fn judge(spec: &Spec, times: &[harness::clock::Took]) {
    let Ok(mut wall) = Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 3) else { return };
    for took in times {
        wall.saturating_record(took.wall.as_nanos() as u64);
    }
    let at = |quantile| Duration::from_nanos(wall.value_at_quantile(quantile));
    let name = spec.request.name();
    report::note(format!("{name}: handle took {:?} (median), {:?} (p90), {:?} (most)", at(0.5), at(0.9), at(1.0)));

    let waited = times.iter().filter(|took| took.waited(LONG)).count();
    let mut cpu: Vec<Duration> = times.iter().map(|took| took.cpu).collect();
    cpu.sort_unstable();
    let median = cpu.get(cpu.len() / 2).copied().unwrap_or_default();
    if waited > times.len() / 2 {
        let text =
            format!("handle slept or waited in {waited} of {} calls of {name}, median {:?}", times.len(), at(0.5));
        report::finding(Code::HandleBlocks, text);
    } else if median >= COMPUTES {
        report::finding(Code::HandleComputes, format!("handle computed for {median:?} (median) for {name}"));
    }
}

/// Many calls at once from one thread: each gets its own answer.
pub(crate) fn many(order: &Order) -> Result<(), Stop> {
    let plugin = Plugin::load(&order.plugin)?;
    plugin.start()?;
    let calls: Vec<_> = (0..AT_ONCE).flat_map(|n| order.specs.iter().map(move |spec| (spec, spec.marked(n)))).collect();
    harness::make_all(&plugin, &calls, order.timeout)?;
    let mixed = mixed_up();
    plugin.stop();
    harness::wait_for_quiet();
    let broken = book().settle();
    if let Some(what) = mixed.or_else(|| astray(order, &broken)) {
        report::finding(Code::MixedUpAnswers, what);
        return Ok(());
    }
    for (code, (count, what)) in broken {
        report::finding(code, harness::book::times(&what, count));
    }
    Ok(())
}

/// Answers that are missing here and too many there, which did not happen one by one.
fn astray(order: &Order, broken: &BTreeMap<Code, (u64, String)>) -> Option<String> {
    let missing = broken.get(&Code::Unanswered).or_else(|| broken.get(&Code::StreamNotEnded))?;
    let surplus = broken.get(&Code::SecondResult).or_else(|| broken.get(&Code::FrameAfterEnd))?;
    if order.known.contains(&Code::SecondResult) || order.known.contains(&Code::FrameAfterEnd) {
        return None;
    }
    Some(format!("with {AT_ONCE} calls in flight {}, while {}", missing.1, surplus.1))
}

/// An answer with the mark of another call.
pub(crate) fn mixed_up() -> Option<String> {
    let pages = book().open();
    for call in pages.calls.values() {
        let Some(own) = call.name.find('<').and_then(|at| call.name.get(at..at + mark(0).len())) else { continue };
        for got in &call.results {
            let text = String::from_utf8_lossy(&got.bytes);
            let other = text.find("nylon-check=").and_then(|at| text.get(at + 12..at + 12 + own.len()));
            if let Some(other) = other.filter(|other| *other != own) {
                return Some(format!("{} was answered with what belongs to the call marked {other}", call.name));
            }
        }
    }
    None
}
