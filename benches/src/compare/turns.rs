//! Measures what was asked for, contenders in turn.

use std::time::Instant;

use super::{
    Case, ContenderId, Figure, Machine, Report, Row, Section, Selection,
    contenders::{self, Entrant},
    latency, linear,
    progress::Progress,
    queues,
    report::Took,
};
use crate::{BenchError, drive::Plan};

/// What to measure, and for how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which cases.
    pub selection: Selection,
    /// Who takes part; without it each section has contenders of its own.
    pub contenders: Option<Vec<ContenderId>>,
    /// How many turns; without it 11 for the rows and 5 for the other sections.
    pub reps: Option<usize>,
    /// How long each measurement is.
    pub plan: Plan,
    /// A look at whether everything works: few turns, nothing large.
    pub quick: bool,
    /// How to get these figures again.
    pub command: String,
}

impl Options {
    pub(super) fn turns(&self, section: Section) -> usize {
        self.reps.unwrap_or(match (self.quick, section) {
            (true, Section::Rows) => 2,
            (true, _) => 1,
            (false, Section::Rows) => 11,
            (false, _) => 5,
        })
    }

    pub(super) fn entrants(&self, section: Section) -> Vec<Entrant> {
        contenders::entrants(section, self.contenders.as_deref())
    }

    fn entrants_of(&self, section: Section, case: &Case) -> Vec<Entrant> {
        self.entrants(section).into_iter().filter(|entrant| entrant.takes_part(&case.shape)).collect()
    }

    fn cases(&self, section: Section) -> impl Iterator<Item = &'static Case> {
        let wanted = move |case: &&Case| {
            self.selection.wants(section, case.name) && !(self.quick && case.shape.in_flight > LARGE)
        };
        section.cases().iter().filter(wanted)
    }

    /// About how many seconds a section takes.
    fn cost(&self, section: Section) -> f64 {
        match section {
            Section::Latency => latency::cost(self),
            Section::Queues => queues::cost(self),
            Section::Linear => linear::cost(self),
            _ => {
                let of = |case| self.cost_of(case) * self.entrants_of(section, case).len() as f64;
                self.cases(section).map(of).sum::<f64>() * self.turns(section) as f64
            }
        }
    }

    /// About how many seconds one measurement takes.
    fn cost_of(&self, case: &Case) -> f64 {
        // Loading and stopping; and each task calls twice at least.
        (self.plan.warm_up + self.plan.time).as_secs_f64() + 0.05 + case.shape.in_flight as f64 * 3e-6
    }
}

/// More in flight than this is left out of a quick run.
const LARGE: usize = 100_000;

/// Measures; tells about its progress line by line through `say`.
///
/// # Errors
/// A contender fails, the plugin cannot be built, or the options leave nothing to do.
pub fn run(options: &Options, mut say: impl FnMut(&str)) -> Result<Report, BenchError> {
    let sections = options.selection.sections();
    for (what, nothing) in [
        ("no case has such a name", sections.is_empty()),
        ("no contenders", options.contenders.as_ref().is_some_and(Vec::is_empty)),
        ("no repetitions", options.reps == Some(0)),
    ] {
        if nothing {
            return Err(BenchError::Usage(format!("nothing to measure: {what}")));
        }
    }
    // Before the plugin is built, which is load of its own.
    let mut report = Report::new(Machine::here(), options);
    for entrant in sections.iter().flat_map(|&section| options.entrants(section)) {
        entrant.id.prepare()?;
    }
    let planned = sections.iter().map(|&section| options.cost(section)).sum();
    let mut progress = Progress::new(planned, &mut say);
    for section in sections {
        let start = Instant::now();
        match section {
            Section::Latency => report.latency = latency::run(options, &mut progress)?,
            Section::Queues => report.rows.extend(queues::run(options, &mut progress)?),
            Section::Linear => report.rows.extend(linear::run(options, &mut progress)?),
            _ => {
                for case in options.cases(section) {
                    report.rows.extend(rows(options, section, case, &mut progress)?);
                }
            }
        }
        let seconds = start.elapsed().as_secs_f64().round();
        report.took.push(Took { section, turns: options.turns(section), seconds });
    }
    Ok(report)
}

/// One case, in turns.
fn rows(options: &Options, section: Section, case: &Case, progress: &mut Progress<'_>) -> Result<Vec<Row>, BenchError> {
    let entrants = options.entrants_of(section, case);
    let turns = options.turns(section);
    let mut samples = vec![Vec::with_capacity(turns); entrants.len()];
    for turn in 0..turns {
        let mut text = format!("{} {}/{turns}", case.name, turn + 1);
        for (entrant, samples) in entrants.iter().zip(&mut samples) {
            let sample = entrant.measure(&case.shape, options.plan)?;
            let shown = case.lines.first().and_then(|line| line.metric.of(&sample));
            text += &format!("  {} {:.1}", entrant.name, shown.unwrap_or(f64::NAN));
            samples.push(sample);
        }
        progress.step(options.cost_of(case) * entrants.len() as f64, &text);
    }
    let of_line = |line: &super::Line| {
        let figures = entrants.iter().zip(&samples).filter_map(|(entrant, samples)| {
            let values = samples.iter().filter_map(|sample| line.metric.of(sample));
            Figure::new(entrant.name, values.collect())
        });
        Row::new(section, case, line, figures.collect())
    };
    Ok(case.lines.iter().map(of_line).collect())
}
