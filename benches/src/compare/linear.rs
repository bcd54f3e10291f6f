//! The section of linear cost: more and more calls on one host, and what each costs then.

use super::{Case, Figure, Metric, Options, Row, Section, cases::Line, cases::ONE, progress::Progress};
use crate::{
    BenchError, Contender, Ring,
    drive::{self, Step},
    work::{Shape, Work},
};

/// The two ways of the ring: its name in the rows, and about how long a call takes, in ns.
pub(super) struct LinearCase {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    contender: &'static str,
    shape: Shape,
    about: f64,
}

/// All of them.
pub(super) const CASES: &[LinearCase] = &[
    LinearCase {
        name: "linear-sync",
        label: "sync unary, 0 B, one call at a time",
        contender: "ring sync",
        shape: Shape::of(Work::SYNC_EMPTY),
        about: 80.0,
    },
    LinearCase {
        name: "linear-bg",
        label: "bg unary, 0 B, current-thread, 256 in flight",
        contender: "ring bg",
        shape: Shape::of(Work::BG_EMPTY).on(ONE, 256),
        about: 270.0,
    },
];

const STEPS: &[u64] = &[10_000, 100_000, 1_000_000, 10_000_000];
/// One more, in the last turn of a complete run.
const LAST: u64 = 100_000_000;
/// The steps of a quick run.
const FEW: usize = 2;

/// The steps of each turn.
fn plan(options: &Options) -> Vec<Vec<u64>> {
    let steps = if options.quick { STEPS.iter().take(FEW).copied().collect() } else { STEPS.to_vec() };
    let mut turns = vec![steps; options.turns(Section::Linear)];
    if !options.quick
        && let Some(last) = turns.last_mut()
    {
        last.push(LAST);
    }
    turns
}

fn wanted(options: &Options) -> impl Iterator<Item = &'static LinearCase> {
    CASES.iter().filter(|case| options.selection.wants(Section::Linear, case.name))
}

fn cost_of(case: &LinearCase, steps: &[u64]) -> f64 {
    steps.iter().sum::<u64>() as f64 * case.about / 1e9 + 0.1
}

/// About how many seconds all of it takes.
pub(super) fn cost(options: &Options) -> f64 {
    let turns = plan(options);
    wanted(options).map(|case| turns.iter().map(|steps| cost_of(case, steps)).sum::<f64>()).sum()
}

/// Measures both ways.
pub(super) fn run(options: &Options, progress: &mut Progress<'_>) -> Result<Vec<Row>, BenchError> {
    let plugin = Ring::plugin()?;
    let turns = plan(options);
    let mut done = Vec::new();
    for case in wanted(options) {
        let mut steps = Vec::new();
        for (turn, plan) in turns.iter().enumerate() {
            steps.extend(drive::measure_linear::<Ring>(&plugin, &case.shape, plan)?.into_iter().zip(plan.clone()));
            progress.step(cost_of(case, plan), &format!("{} {}/{}", case.name, turn + 1, turns.len()));
        }
        done.push((case, steps));
    }
    Ok(rows(&done))
}

/// One line for each number of calls and each metric, with both ways side by side.
fn rows(done: &[(&LinearCase, Vec<(Step, u64)>)]) -> Vec<Row> {
    let ns = |step: &Step| Some(step.elapsed.as_nanos() as f64 / step.calls.max(1) as f64);
    let resident = |step: &Step| step.resident.map(|bytes| bytes as f64 / f64::from(1 << 20));
    let mut rows = Vec::new();
    for (metric, label) in [(Metric::NsPerResult, "each"), (Metric::Resident, "resident memory after them")] {
        for calls in STEPS.iter().copied().chain([LAST]) {
            let figures: Vec<Figure> = done
                .iter()
                .filter_map(|(case, steps)| {
                    let steps = steps.iter().filter(|(_, planned)| *planned == calls).map(|(step, _)| step);
                    let values = if metric == Metric::Resident {
                        steps.filter_map(resident).collect()
                    } else {
                        steps.filter_map(ns).collect()
                    };
                    Figure::new(case.contender, values)
                })
                .collect();
            if !figures.is_empty() {
                rows.push(row(metric, label, calls, figures));
            }
        }
    }
    rows
}

fn row(metric: Metric, what: &str, calls: u64, figures: Vec<Figure>) -> Row {
    let case = Case { name: "linear", x: Some(calls as f64), shape: Shape::of(Work::SYNC_EMPTY), lines: &[] };
    let row = Row::new(Section::Linear, &case, &Line { label: "", metric, goal: None }, figures);
    Row { label: format!("{calls} calls: {what}"), ..row }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_number_of_calls_is_a_row_with_the_median_of_its_turns() {
        let step = |calls, ns| Step { calls, elapsed: Duration::from_nanos(calls * ns), resident: Some(3 << 20) };
        let turns = |ns: [u64; 3]| ns.map(|ns| (step(10_240, ns), 10_000)).to_vec();
        let rows = rows(&[(&CASES[0], turns([70, 90, 80])), (&CASES[1], turns([250, 260, 300]))]);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].x, Some(10_000.0));
        assert_eq!(rows[0].figures.iter().map(|figure| figure.median).collect::<Vec<_>>(), [80.0, 260.0]);
        assert_eq!((rows[1].metric, rows[1].figures[0].median), (Metric::Resident, 3.0));
    }
}
