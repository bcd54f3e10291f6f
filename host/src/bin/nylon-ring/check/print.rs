//! Reports, for people and as JSON.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
};

use serde::Serialize;

use super::{
    catalog::ALL,
    verdict::{Finding, Result as Outcome, Verdict},
};
use crate::error::{self, CliError};

fn printed(result: io::Result<()>) -> Result<(), CliError> {
    result.map_err(|source| CliError::Print { source })
}

/// The names of all checks.
pub(crate) fn list() -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    for check in ALL {
        printed(writeln!(out, "{:<16}{}", check.name, check.holds))?;
    }
    Ok(())
}

/// Prints verdicts as they come, or all of them as JSON in the end.
pub(crate) struct Printer {
    json: bool,
    plugin: String,
    verdicts: Vec<Verdict>,
}

#[derive(Serialize)]
struct Report<'a> {
    plugin: &'a str,
    findings: usize,
    advice: usize,
    checks: &'a [Verdict],
}

impl Printer {
    pub(crate) fn new(json: bool, plugin: &Path) -> Result<Self, CliError> {
        let printer = Self { json, plugin: plugin.display().to_string(), verdicts: Vec::new() };
        if !json {
            printed(writeln!(io::stdout(), "nylon-ring check {}\n", printer.plugin))?;
        }
        Ok(printer)
    }

    /// Takes a verdict.
    pub(crate) fn verdict(&mut self, verdict: Verdict) -> Result<(), CliError> {
        if !self.json {
            printed(self.print(&mut io::stdout().lock(), &verdict))?;
        }
        self.verdicts.push(verdict);
        Ok(())
    }

    fn print(&self, out: &mut impl Write, verdict: &Verdict) -> io::Result<()> {
        let word = match verdict.result {
            Outcome::Ok => "ok",
            Outcome::Finding => "FINDING",
            Outcome::Advice => "advice",
            Outcome::Known => "as above",
            Outcome::NotApplicable => "-",
            Outcome::NotRun => "not run",
        };
        write!(out, "{word:<9}{:<16}{}", verdict.check, verdict.holds)?;
        match (verdict.result, verdict.notes.last()) {
            (Outcome::NotApplicable | Outcome::NotRun, Some(why)) => writeln!(out, ": {why}")?,
            (Outcome::Known, _) => {
                let codes: Vec<String> = verdict.known.iter().map(|code| code.slug()).collect();
                writeln!(out, ": {}", codes.join(", "))?;
            }
            (Outcome::Ok, Some(note)) if matches!(verdict.check, "load" | "return" | "answer") => {
                writeln!(out, " ({note})")?
            }
            _ => writeln!(out)?,
        }
        for finding in verdict.findings.iter().chain(&verdict.advice) {
            self.print_finding(out, verdict, finding)?;
        }
        Ok(())
    }

    fn print_finding(&self, out: &mut impl Write, verdict: &Verdict, finding: &Finding) -> io::Result<()> {
        writeln!(out, "         {}: {}", finding.code.slug(), finding.what)?;
        for line in finding.output.lines() {
            writeln!(out, "           | {line}")?;
        }
        writeln!(out, "         next: {}", finding.next)?;
        writeln!(out, "         again: nylon-ring check {} --only {}", self.plugin, verdict.check)
    }

    /// The end of the report.
    pub(crate) fn end(self) -> Result<error::Outcome, CliError> {
        let findings = self.verdicts.iter().map(|verdict| verdict.findings.len()).sum();
        let advice = self.verdicts.iter().map(|verdict| verdict.advice.len()).sum();
        let mut out = io::stdout().lock();
        if self.json {
            let report = Report { plugin: &self.plugin, findings, advice, checks: &self.verdicts };
            let text = serde_json::to_string_pretty(&report)
                .map_err(|error| CliError::Print { source: io::Error::other(error) })?;
            printed(writeln!(out, "{text}"))?;
        } else {
            printed(writeln!(out, "\nfindings: {findings}, advice: {advice}; {}", self.counts()))?;
        }
        Ok(if findings == 0 { error::Outcome::Good } else { error::Outcome::Bad })
    }

    fn counts(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for verdict in &self.verdicts {
            let word = match verdict.result {
                Outcome::Ok => "ok",
                Outcome::NotApplicable => "with nothing to check",
                Outcome::NotRun => "not run",
                Outcome::Finding | Outcome::Advice | Outcome::Known => "not ok",
            };
            *counts.entry(word).or_default() += 1;
        }
        let parts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
        format!("of {} checks {}", self.verdicts.len(), parts.join(", "))
    }
}
