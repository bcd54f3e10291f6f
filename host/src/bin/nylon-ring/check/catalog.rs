//! All checks, in the order in which they run.

use super::{
    code::Code,
    harness::Stop,
    spec::Order,
    suite::{calls, extensions, life, load, memory, requests, threads},
};
use crate::inspect;

/// How much a check's outcome weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// The plugin is wrong.
    Finding,
    /// The plugin would be wrong with a host that breaks the contract first, or that shares one image of a library.
    Advice,
}

/// One check.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    /// What holds if nothing is found.
    pub(crate) holds: &'static str,
    pub(crate) weight: Weight,
    /// What a crash or a hang means here, if it has a meaning of its own.
    pub(crate) blame: Option<Code>,
    /// Whether the checks after it make no sense if anything is found.
    pub(crate) gate: bool,
    pub(crate) run: fn(&Order) -> Result<(), Stop>,
}

const fn check(name: &'static str, holds: &'static str, run: fn(&Order) -> Result<(), Stop>) -> Check {
    Check { name, holds, weight: Weight::Finding, blame: None, gate: false, run }
}

/// The checks.
pub(crate) const ALL: &[Check] = &[
    Check { gate: true, ..check("load", "the library loads, and says what it is", load::load) },
    Check { gate: true, ..check("start", "it starts, and stops without a call", load::start) },
    Check { gate: true, ..check("answer", "each call is answered as its request asks for", calls::answer) },
    check("many", "calls that are in flight at the same time are kept apart", calls::many),
    Check {
        blame: Some(Code::NotThreadSafe),
        ..check("threads", "several threads call at the same time", threads::threads)
    },
    check("return", "handle returns at once", calls::fast_return),
    check("odd-requests", "it takes empty, long, large and foreign requests", requests::odd),
    Check {
        weight: Weight::Advice,
        blame: Some(Code::TakesBrokenRequest),
        ..check("broken-requests", "it refuses requests that break the contract", requests::broken)
    },
    check("cancel", "a cancelled call is ended too", life::cancel),
    check("shutdown", "it stops with calls in flight", life::shutdown),
    check("quiesce", "its threads have stopped when it says so, and it can be unmapped", life::quiesce),
    Check {
        weight: Weight::Advice,
        ..check("second-init", "a second start of the same image does no harm", load::second_init)
    },
    check("no-extensions", "it does without the host's extensions", load::no_extensions),
    check("extensions", "the tables that it offers are whole", extensions::tables),
    check("health", "its health can be asked for", extensions::health),
    check("instances", "its instances are independent", extensions::instances),
    check("memory", "calls leave no memory behind", memory::leaks),
];

/// What `inspect` has done in a process of its own; no check.
pub(crate) const SAY: Check = check("inspect", "", inspect::say);

/// The check of this name.
pub(crate) fn find(name: &str) -> Option<&'static Check> {
    ALL.iter().find(|check| check.name == name)
}

/// The same, and what `inspect` needs.
pub(crate) fn find_any(name: &str) -> Option<&'static Check> {
    find(name).or((name == SAY.name).then_some(&SAY))
}
