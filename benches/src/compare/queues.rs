//! The section of raw queues: one line for each number of producers, one column a queue.

use super::{Case, Figure, Metric, Options, Row, Section, cases::Line, progress::Progress};
use crate::{
    BenchError,
    queues::{self, PRODUCERS, QueueRow},
    work::{Shape, Work},
};

/// Records of each measurement.
fn items(options: &Options) -> u64 {
    if options.quick { 100_000 } else { 5_000_000 }
}

/// About how many seconds a turn of all queues takes with one number of producers.
fn cost_of(options: &Options) -> f64 {
    const ALL_QUEUES: f64 = 300e-9;
    items(options) as f64 * ALL_QUEUES
}

/// About how many seconds all of it takes.
pub(super) fn cost(options: &Options) -> f64 {
    (PRODUCERS.len() * options.turns(Section::Queues)) as f64 * cost_of(options)
}

/// Measures all queues.
pub(super) fn run(options: &Options, progress: &mut Progress<'_>) -> Result<Vec<Row>, BenchError> {
    let cost = cost_of(options);
    let measured = queues::run(options.turns(Section::Queues), items(options), |text| progress.step(cost, text))?;
    Ok(PRODUCERS.iter().map(|&producers| row(producers, &measured)).collect())
}

fn row(producers: usize, measured: &[QueueRow]) -> Row {
    let of_row = measured.iter().filter(|queue| queue.producers == producers);
    let figures = of_row.filter_map(|queue| Figure::new(queue.queue, queue.samples_ns.clone())).collect();
    // The shape is of no consequence: nothing is called.
    let case = Case { name: "queues", x: Some(producers as f64), shape: Shape::of(Work::SYNC_EMPTY), lines: &[] };
    let row = Row::new(Section::Queues, &case, &Line { label: "", metric: Metric::NsPerItem, goal: None }, figures);
    Row { label: format!("producers: {producers}"), ..row }
}
