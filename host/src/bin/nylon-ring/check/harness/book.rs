//! The book: every call that was made, every result that came for it, and every rule that was broken.
//!
//! One book a process. Sids are unique in it, whichever host they belong to.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nylon_ring::NrStatus;
use serde::{Deserialize, Serialize};

use super::arena::{Kind, Loan};
use crate::check::code::Code;

/// How a request is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Shape {
    /// By one result.
    Unary,
    /// By frames.
    Stream,
    /// By either: nobody said.
    Either,
}

/// What a plugin registered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch {
    pub(crate) callback: nylon_ring::NrCallback,
    pub(crate) user: usize,
    pub(crate) writable: bool,
}

/// One result.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) status: u32,
    pub(crate) bytes: Vec<u8>,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) shape: Shape,
    /// The `host_ctx` that results must come with.
    pub(crate) host_ctx: usize,
    /// How reports name it.
    pub(crate) name: String,
    /// What `handle` returned, once it has.
    pub(crate) returned: Option<u32>,
    pub(crate) results: Vec<Got>,
    pub(crate) cancelled: bool,
    /// The harness no longer waits for it.
    pub(crate) over: bool,
    pub(crate) watches: Vec<Watch>,
    pub(crate) state: HashMap<String, (Loan, usize)>,
    pub(crate) stale_state: Vec<Loan>,
    /// How many frames `try_send` still takes.
    pub(crate) window: u64,
}

impl Call {
    /// Whether the terminal result is here.
    pub(crate) fn ended(&self) -> bool {
        match self.shape {
            Shape::Unary => !self.results.is_empty(),
            Shape::Stream | Shape::Either => self.results.iter().any(|got| got.status != NrStatus::Ok.as_raw()),
        }
    }

    /// Whether nothing more is needed.
    pub(crate) fn satisfied(&self) -> bool {
        self.ended() || (self.shape == Shape::Either && !self.results.is_empty())
    }

    /// Whether `handle` took it.
    pub(crate) fn taken(&self) -> bool {
        self.returned == Some(NrStatus::Ok.as_raw())
    }
}

/// What a book holds.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    pub(crate) calls: HashMap<u64, Call>,
    pub(crate) leases: HashMap<u64, (u64, Vec<u8>)>,
    pub(crate) next_lease: u64,
    /// How often each rule was broken, and the first case.
    pub(crate) broken: BTreeMap<Code, (u64, String)>,
    /// Set once `is_quiescent` has said 1 for all.
    pub(crate) quiescent: bool,
    /// How many results and frames came.
    pub(crate) received: u64,
}

impl Pages {
    /// A rule was broken.
    pub(crate) fn breach(&mut self, code: Code, what: impl FnOnce() -> String) {
        self.broken.entry(code).or_insert_with(|| (0, what())).0 += 1;
    }
}

/// The book and its bell.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pages: Mutex<Pages>,
    bell: Condvar,
}

impl Book {
    pub(crate) fn open(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was entered.
    pub(crate) fn ring(&self) {
        self.bell.notify_all();
    }

    /// Waits until the pages are as wanted; whether they are.
    pub(crate) fn wait(&self, limit: Duration, wanted: impl Fn(&Pages) -> bool) -> bool {
        let until = Instant::now() + limit;
        let mut pages = self.open();
        loop {
            if wanted(&pages) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            pages = self.bell.wait_timeout(pages, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Closes the books: what is still missing is entered, and everything that was broken is returned.
    pub(crate) fn settle(&self) -> BTreeMap<Code, (u64, String)> {
        let mut pages = self.open();
        let mut missing = Vec::new();
        for call in pages.calls.values() {
            if call.taken() && !call.satisfied() {
                let code = match (call.cancelled, call.shape, call.results.len()) {
                    (true, ..) => Code::NotAnsweredAfterCancel,
                    (false, Shape::Stream, 1..) => Code::StreamNotEnded,
                    _ => Code::Unanswered,
                };
                missing.push((code, format!("{} was taken by handle and has no terminal result", call.name)));
            }
        }
        let astray = pages.broken.get(&Code::UnknownSid).map_or(0, |(count, _)| *count);
        for (code, what) in missing {
            // A result that went to a sid that nobody gave out is missing elsewhere, and that is one mistake.
            if astray == 0 {
                pages.breach(code, || what);
            }
        }
        if let Some((sid, _)) = pages.leases.values().next() {
            let text =
                format!("{} reserved buffers were never given back, the first for sid {sid:#x}", pages.leases.len());
            pages.breach(Code::BufferNotReturned, || text);
        }
        std::mem::take(&mut pages.broken)
    }

    /// Tears out the pages of all calls, which are over.
    pub(crate) fn forget_calls(&self) {
        let mut pages = self.open();
        pages.calls.clear();
        pages.leases.clear();
    }

    /// Ends a call: nobody waits for it any more. Returns what is to be called back, with no lock held.
    pub(crate) fn finish(&self, sid: u64) -> Vec<Watch> {
        let mut pages = self.open();
        let Some(call) = pages.calls.get_mut(&sid) else { return Vec::new() };
        call.over = true;
        end_state(call);
        std::mem::take(&mut call.watches)
    }
}

/// The state of a call goes with its terminal result.
pub(crate) fn end_state(call: &mut Call) {
    for (_, (loan, _)) in call.state.drain() {
        loan.end(Kind::StateGone);
    }
    for loan in call.stale_state.drain(..) {
        loan.end(Kind::StateGone);
    }
}

/// A text about several cases.
pub(crate) fn times(what: &str, count: u64) -> String {
    let mut text = what.to_owned();
    if count > 1 {
        // Writing to a String cannot fail.
        let _written = write!(text, " (and {} times more)", count - 1);
    }
    text
}
