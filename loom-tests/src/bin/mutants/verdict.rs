//! Whether a mutant was noticed, and how.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::{
    error::Error,
    mutant::{Mutant, Sources},
    workshop::{Built, Run, Test, Workshop},
};

/// How a test failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// A result that no interleaving may have.
    Assert,
    /// All threads sleep: a wake-up was lost.
    Deadlock,
    /// Two threads in one cell.
    Race,
    /// Something was never freed, or twice.
    Leak,
    /// Stopped at the time limit, or at loom's limit of steps.
    NoEnd,
    /// A signal.
    Crash,
}

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Noticed {
        by: Test,
        how: How,
    },
    /// With the compiler's first error.
    DoesNotCompile(String),
    /// The models that were run did not notice it, and there are more.
    Open,
    Survived,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Assert => "assert",
            Self::Deadlock => "deadlock",
            Self::Race => "race",
            Self::Leak => "leak",
            Self::NoEnd => "no end",
            Self::Crash => "crash",
        })
    }
}

impl How {
    /// From what a failed test wrote: its first panic counts, the others follow from it.
    pub fn of(run: &Run, line: impl Fn(&str, usize) -> Option<String>) -> Self {
        let panic = run.output.split_once("panicked at ").map(|(_, panic)| panic);
        match panic {
            None if run.stopped() || run.output.contains("memory allocation of") => Self::NoEnd,
            None if run.crashed() => Self::Crash,
            None => Self::Assert,
            Some(panic) => {
                let (at, message) = panic.split_once('\n').unwrap_or((panic, ""));
                let message = message.split("panicked at ").next().unwrap_or(message);
                Self::of_panic(message, source_of(at).and_then(|(file, number)| line(file, number)).as_deref())
            }
        }
    }

    /// From the message, and the line of source that it comes from.
    fn of_panic(message: &str, source: Option<&str>) -> Self {
        let of_memory = |line: &str| ["marked()", "strong_count", "leak"].iter().any(|word| line.contains(word));
        if message.contains("deadlock; threads") {
            Self::Deadlock
        } else if message.contains("Causality violation") {
            Self::Race
        } else if message.contains("maximum number of branches") || message.contains("hangs: not done") {
            Self::NoEnd
        } else if message.contains("leaked") || source.is_some_and(of_memory) {
            Self::Leak
        } else {
            Self::Assert
        }
    }
}

/// `tests/models/ring.rs:12:5:` as file and line.
fn source_of(at: &str) -> Option<(&str, usize)> {
    let mut parts = at.trim_end_matches(':').rsplitn(3, ':');
    let (_column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
    Some((file, line.parse().ok()?))
}

/// What there is to judge by.
pub struct Judge {
    /// The production code without mutants.
    pub sources: Sources,
    /// How long each test takes without mutants, and the models in the order of that.
    pub times: BTreeMap<Test, Duration>,
    pub models: Vec<Test>,
    /// What a test may take on top of ten times its time.
    pub grace: Duration,
    /// Models that take longer are left out, but for the one that noticed the mutant last time.
    pub quick: Duration,
}

impl Judge {
    /// Looks for a test that notices the mutant, at first at the one that did `last` time.
    pub fn judge(&self, workshop: &Workshop, mutant: &Mutant, last: Option<&str>) -> Result<Verdict, Error> {
        let changed = mutant.apply(&self.sources)?;
        workshop.write(&changed)?;
        let verdict = self.look(workshop, mutant, last);
        let unchanged = changed.into_keys().filter_map(|file| Some((file.clone(), self.sources.get(&file)?.clone())));
        workshop.write(&unchanged.collect())?;
        verdict
    }

    fn look(&self, workshop: &Workshop, mutant: &Mutant, last: Option<&str>) -> Result<Verdict, Error> {
        let mut candidates: Vec<&Test> = match &mutant.witness {
            Some(witness) => vec![witness],
            // The models are built of the same code as without it.
            None if !mutant.modelled => Vec::new(),
            None => self.models.iter().collect(),
        };
        candidates.sort_by_key(|test| Some(test.name.as_str()) != last);
        let Some(first) = candidates.first() else { return Ok(Verdict::Survived) };
        let tests = match workshop.build(first)? {
            Built::Tests(tests) => tests,
            Built::Refused(why) => {
                let error = why.lines().find(|line| line.starts_with("error")).unwrap_or("error");
                return Ok(Verdict::DoesNotCompile(error.to_owned()));
            }
        };
        let mut all = true;
        for test in candidates {
            let usual = self.times.get(test).copied().unwrap_or_default();
            if usual > self.quick && mutant.witness.is_none() && Some(test.name.as_str()) != last {
                all = false;
                continue;
            }
            let run = workshop.run(&tests, &test.name, usual * 10 + self.grace)?;
            if !run.passed() {
                let how = How::of(&run, |file, line| workshop.line(file, line));
                return Ok(Verdict::Noticed { by: test.clone(), how });
            }
        }
        Ok(if all { Verdict::Survived } else { Verdict::Open })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_are_told_apart() {
        assert_eq!(How::of_panic("deadlock; threads = [..]", None), How::Deadlock);
        assert_eq!(How::of_panic("\nCausality violation: Concurrent write accesses", None), How::Race);
        assert_eq!(How::of_panic("Model exceeded maximum number of branches.", None), How::NoEnd);
        assert_eq!(How::of_panic("assertion failed", Some("assert_eq!(marked(), before);")), How::Leak);
        assert_eq!(How::of_panic("assertion failed", Some("assert!(done);")), How::Assert);
        assert_eq!(source_of("loom-tests/tests/models/ring.rs:12:5:"), Some(("loom-tests/tests/models/ring.rs", 12)));
    }
}
