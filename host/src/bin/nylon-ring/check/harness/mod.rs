//! A host of the tool's own, at the level of the ABI: it sees what a plugin does wrong where a real host would only drop and count.

pub(crate) mod arena;
pub(crate) mod book;
pub(crate) mod clock;
pub(crate) mod fault;
pub(crate) mod host;
pub(crate) mod plugin;
pub(crate) mod request;
pub(crate) mod tables;

use std::{
    collections::HashMap,
    io,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use nylon_ring::{NR_EVENT_OVER, NrBytes, NrRequest};

use self::{
    book::{Call, Shape},
    clock::Took,
    host::book,
    plugin::Plugin,
    request::{Lent, Request},
};
use super::{code::Code, report, spec::Spec};

/// Why a check ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// What is wrong was said.
    Reported,
    /// The harness itself failed.
    Harness(io::Error),
}

impl Stop {
    /// A finding that ends the check.
    pub(crate) fn found(code: Code, what: impl Into<String>) -> Self {
        report::finding(code, what);
        Self::Reported
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Harness(error)
    }
}

/// How long nothing more must come until it is taken that nothing does.
const QUIET: Duration = Duration::from_millis(60);

/// A sid that was not used before: all 64 bits are used, so that a plugin that cuts it is found out.
fn new_sid() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // Ordering: Relaxed; a number that nobody else gets.
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    // An odd factor: a bijection of the 64-bit numbers.
    0x8000_0000_0000_0000 | (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1)
}

/// A call that was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Made {
    pub(crate) sid: u64,
    pub(crate) took: Took,
}

/// Makes a call: `handle`, with memory that goes as soon as it returns.
pub(crate) fn make(plugin: &Plugin, spec: &Spec, request: &Request) -> Result<Made, Stop> {
    let lent = Lent::new(request)?;
    let (abi, body) = lent.views();
    make_with(plugin, spec, request, (abi, body), || lent.end())
}

/// As [`make`], with any request and body, which `gone` takes away. `request` only names it.
pub(crate) fn make_with(
    plugin: &Plugin,
    spec: &Spec,
    request: &Request,
    (abi, body): (*const NrRequest, NrBytes),
    gone: impl FnOnce(),
) -> Result<Made, Stop> {
    let sid = new_sid();
    book().open().calls.insert(
        sid,
        Call {
            shape: spec.shape,
            host_ctx: plugin.host_ctx,
            name: request.name(),
            returned: None,
            results: Vec::new(),
            cancelled: false,
            over: false,
            watches: Vec::new(),
            state: HashMap::new(),
            stale_state: Vec::new(),
            window: tables::WINDOW,
        },
    );
    // SAFETY: after `init`; what the pointers lead to is there until this returns.
    let (raw, took) = clock::measure(|| unsafe { (plugin.handle)(plugin.ctx, sid, abi, body) });
    gone();
    let mut pages = book().open();
    if nylon_ring::NrStatus::from_raw(raw).is_none() {
        pages.breach(Code::UnknownStatusReturned, || format!("handle returned {raw}, which the ABI does not name"));
    }
    let refused_and_answered = pages.calls.get_mut(&sid).is_some_and(|call| {
        call.returned = Some(raw);
        !call.taken() && !call.results.is_empty()
    });
    if refused_and_answered {
        pages.breach(Code::ResultAfterRefusal, || {
            format!("{} was answered, and then refused by handle", request.name())
        });
    }
    Ok(Made { sid, took })
}

/// Waits until the calls have their terminal results; whether they do.
pub(crate) fn wait_for(sids: &[u64], limit: Duration) -> bool {
    let until = Instant::now() + limit;
    loop {
        let all = book().wait(Duration::from_millis(20), |pages| {
            sids.iter().all(|sid| pages.calls.get(sid).is_none_or(|call| call.satisfied() || !call.taken()))
        });
        if all || Instant::now() >= until {
            return all;
        }
        tables::open_windows();
    }
}

/// Waits until nothing has come for a while.
pub(crate) fn wait_for_quiet() {
    loop {
        let before = book().open().received;
        thread::sleep(QUIET);
        if book().open().received == before {
            return;
        }
    }
}

/// Ends calls: the callbacks that are left are told so.
pub(crate) fn finish(sids: &[u64]) {
    for sid in sids {
        tables::call_back(book().finish(*sid), *sid, NR_EVENT_OVER);
    }
}

/// Reports all that was written down as broken.
pub(crate) fn report_broken() {
    for (code, (count, what)) in book().settle() {
        report::finding(code, book::times(&what, count));
    }
}

/// Makes each of the calls, waits for all of them, then for stragglers. Whether all were answered.
pub(crate) fn make_all(plugin: &Plugin, calls: &[(&Spec, Request)], limit: Duration) -> Result<bool, Stop> {
    report::phase("handle");
    let mut sids = Vec::with_capacity(calls.len());
    for (spec, request) in calls {
        sids.push(make(plugin, spec, request)?.sid);
    }
    report::phase("waiting for results");
    let answered = wait_for(&sids, limit);
    wait_for_quiet();
    report::phase("calling back what was registered");
    finish(&sids);
    Ok(answered)
}

/// A single call of this shape would be answered by frames.
pub(crate) const fn is_stream(spec: &Spec) -> bool {
    matches!(spec.shape, Shape::Stream)
}
