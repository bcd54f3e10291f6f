//! What the outcome of a check's process means.

use std::{collections::BTreeSet, time::Duration};

use serde::Serialize;

use super::{
    catalog::{Check, Weight},
    code::Code,
    process::{End, Left, signal_name},
    report::Line,
};

/// Something that was found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Finding {
    pub(crate) code: Code,
    /// What was wrong.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) next: &'static str,
    /// What the plugin wrote before it died.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) output: String,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Result {
    Ok,
    Finding,
    Advice,
    /// It only met what a check before it has found.
    Known,
    NotApplicable,
    NotRun,
}

/// A check and what came of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdict {
    pub(crate) check: &'static str,
    pub(crate) holds: &'static str,
    pub(crate) result: Result,
    pub(crate) findings: Vec<Finding>,
    pub(crate) advice: Vec<Finding>,
    pub(crate) notes: Vec<String>,
    /// What was met here, and reported by a check before.
    pub(crate) known: BTreeSet<Code>,
    pub(crate) seconds: f64,
    #[serde(skip)]
    weight: Weight,
}

impl Verdict {
    fn new(check: &Check, result: Result, took: Duration) -> Self {
        Self {
            check: check.name,
            holds: check.holds,
            result,
            findings: Vec::new(),
            advice: Vec::new(),
            notes: Vec::new(),
            known: BTreeSet::new(),
            seconds: took.as_secs_f64(),
            weight: check.weight,
        }
    }

    /// A check that was not run, because of what was found by another.
    pub(crate) fn not_run(check: &Check, gate: &str) -> Self {
        let mut verdict = Self::new(check, Result::NotRun, Duration::ZERO);
        verdict.notes.push(format!("see `{gate}` above"));
        verdict
    }

    /// Of what a process left.
    pub(crate) fn of(check: &Check, left: Left) -> Self {
        let mut verdict = Self::new(check, Result::Ok, left.took);
        let mut phase = "the first step".to_owned();
        let (mut fault, mut done) = (None, false);
        for line in left.lines {
            match line {
                Line::Phase(name) => phase = name,
                Line::Finding { code, what } => add(&mut verdict.findings, finding(code, what)),
                Line::Advice { code, what } => add(&mut verdict.advice, finding(code, what)),
                Line::Fault(code) => fault = Some(code),
                Line::Note(text) => verdict.notes.push(text),
                Line::NotApplicable(why) => {
                    verdict.result = Result::NotApplicable;
                    verdict.notes.push(why);
                }
                Line::Done => done = true,
            }
        }
        for refused in verdict.findings.iter_mut().filter(|finding| finding.code == Code::InitRefused) {
            refused.output.clone_from(&left.output);
        }
        if let Some((code, what)) = death(check, left.end, done, fault, &phase) {
            let output = left.output;
            let into = if check.weight == Weight::Advice { &mut verdict.advice } else { &mut verdict.findings };
            add(into, Finding { output, ..finding(code, what) });
        }
        verdict
    }

    /// Sorts what was found: what is known already, what is only advice.
    pub(crate) fn weigh(&mut self, known: &BTreeSet<Code>, strict: bool) {
        let (met, new): (Vec<_>, Vec<_>) = self.findings.drain(..).partition(|finding| known.contains(&finding.code));
        self.known = met.into_iter().map(|finding| finding.code).collect();
        if strict {
            self.findings = new;
            self.findings.append(&mut self.advice);
        } else if self.weight == Weight::Advice {
            self.advice.extend(new);
        } else {
            self.findings = new;
        }
        self.result = match self.result {
            _ if !self.findings.is_empty() => Result::Finding,
            _ if !self.advice.is_empty() => Result::Advice,
            Result::Ok if !self.known.is_empty() => Result::Known,
            as_it_was => as_it_was,
        };
    }

    /// Whether checks after it would only meet the same, or wait for it.
    pub(crate) fn stops_the_rest(&self) -> bool {
        const ALWAYS: [&str; 2] = ["load", "start"];
        const DEADLY: [Code; 11] = [
            Code::Crash,
            Code::Hang,
            Code::Unanswered,
            Code::StreamNotEnded,
            Code::RequestRefused,
            Code::LateRead,
            Code::WritesRequest,
            Code::ReadsPastEnd,
            Code::TouchesHostCtx,
            Code::WritesState,
            Code::StateAfterEnd,
        ];
        let gate = ALWAYS.contains(&self.check);
        self.findings.iter().any(|finding| gate || DEADLY.contains(&finding.code))
    }
}

/// Adds a finding, to the one with the same code if there is one.
fn add(to: &mut Vec<Finding>, new: Finding) {
    match to.iter_mut().find(|finding| finding.code == new.code) {
        Some(old) => {
            old.what = format!("{}; {}", old.what, new.what);
            old.output.push_str(&new.output);
        }
        None => to.push(new),
    }
}

fn finding(code: Code, what: String) -> Finding {
    Finding { code, what, next: code.next(), output: String::new() }
}

/// What it means that a process died, if it did.
fn death(check: &Check, end: End, done: bool, fault: Option<Code>, phase: &str) -> Option<(Code, String)> {
    let how = match end {
        End::Exit(0) if done => return None,
        End::Exit(code) => format!("ended the process, with exit code {code}"),
        End::Signal(signal) => format!("died of {}", signal_name(signal)),
        End::Hang(limit) => format!("did not come back within {limit:?}"),
    };
    let what = format!("the plugin {how}, during: {phase}");
    let code = match (fault, end) {
        (Some(rule), _) => rule,
        (None, End::Hang(_)) => check.blame.unwrap_or(Code::Hang),
        (None, _) => check.blame.unwrap_or(Code::Crash),
    };
    Some((code, what))
}
