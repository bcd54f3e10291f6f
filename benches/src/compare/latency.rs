//! The section of latencies: each rate, contenders in turn, the histograms of all turns in one.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::{
    Figure, Options, Section,
    cases::{ONE, TWO},
    progress::Progress,
};
use crate::{
    BenchError,
    open_loop::{self, Load, OpenSample},
    work::{Shape, Work},
};

/// One rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct LatencyCase {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    shape: Shape,
    /// Requests a second.
    rate: u64,
}

/// Room for the requests of half a second at the highest rate: nobody is to fail for a stall.
const ROOM: usize = 131_072;
const ONE_THREAD: Shape = Shape::of(Work::BG_EMPTY).on(ONE, ROOM);
const TWO_WORKERS: Shape = Shape::of(Work::BG_EMPTY).on(TWO, ROOM);

/// The first calls of each worker make room for so many, which takes tens of milliseconds.
const WARM_UP: Duration = Duration::from_millis(200);

/// All of them.
pub(super) const CASES: &[LatencyCase] = &[
    LatencyCase { name: "latency-10k", label: "10,000/s, current-thread", shape: ONE_THREAD, rate: 10_000 },
    LatencyCase { name: "latency-50k", label: "50,000/s, current-thread", shape: ONE_THREAD, rate: 50_000 },
    LatencyCase { name: "latency-200k", label: "200,000/s, current-thread", shape: ONE_THREAD, rate: 200_000 },
    LatencyCase { name: "latency-50k-two-workers", label: "50,000/s, two workers", shape: TWO_WORKERS, rate: 50_000 },
];

/// What the table shows.
const QUANTILES: &[(&str, f64)] =
    &[("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)];

/// One rate, one contender.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatencyRow {
    /// The case's name.
    pub case: String,
    /// What was measured, in words.
    pub label: String,
    /// Requests a second, as scheduled.
    pub rate: u64,
    /// Whose.
    pub contender: String,
    /// How many requests there were, in all turns.
    pub requests: u64,
    /// How many of them were issued late.
    pub late: u64,
    /// Answers a second, turn by turn.
    pub achieved: Figure,
    /// What the table shows.
    pub quantiles: Vec<Quantile>,
    /// The distribution: how many nines (1 is 90 %, 2 is 99 %), and the latency in ns.
    pub curve: Vec<(f64, f64)>,
}

/// The latency that a share of all requests does not exceed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// Its name.
    pub name: String,
    /// Of all turns together, in ns.
    pub ns: f64,
    /// Of each turn alone.
    pub turns: Vec<f64>,
}

impl LatencyRow {
    /// The turns of one contender; none without any.
    fn new(case: &LatencyCase, contender: &str, samples: &[OpenSample]) -> Option<Self> {
        let achieved = Figure::new(contender, samples.iter().map(|sample| sample.achieved).collect())?;
        let mut all = open_loop::histogram();
        for sample in samples {
            // All have the same bounds, which is all that can go wrong.
            let _ = all.add(&sample.latencies);
        }
        let at = |histogram: &Histogram<u64>, share| histogram.value_at_quantile(share) as f64;
        let quantile = |&(name, share): &(&str, f64)| Quantile {
            name: name.to_owned(),
            ns: at(&all, share),
            turns: samples.iter().map(|sample| at(&sample.latencies, share)).collect(),
        };
        Some(Self {
            case: case.name.to_owned(),
            label: case.label.to_owned(),
            rate: case.rate,
            contender: contender.to_owned(),
            requests: all.len(),
            late: samples.iter().map(|sample| sample.late).sum(),
            achieved,
            quantiles: QUANTILES.iter().map(quantile).collect(),
            curve: curve(&all),
        })
    }
}

/// A tenth of a nine apart, as far as there is more than one request beyond.
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let most = (histogram.len().max(1) as f64).log10();
    (0_u8..=60)
        .map(|tenths| f64::from(tenths) / 10.0)
        .take_while(|&nines| nines <= most)
        .map(|nines| (nines, histogram.value_at_quantile(1.0 - 10_f64.powf(-nines)) as f64))
        .collect()
}

fn load(options: &Options, rate: u64) -> Load {
    // A tail needs more requests than a mean.
    let longer = if options.quick { 1 } else { 5 };
    Load { rate, warm_up: options.plan.warm_up.max(WARM_UP), time: options.plan.time * longer }
}

fn wanted(options: &Options) -> impl Iterator<Item = &'static LatencyCase> {
    CASES.iter().filter(|case| options.selection.wants(Section::Latency, case.name))
}

/// About how many seconds it takes with one contender, once.
fn cost_of(options: &Options) -> f64 {
    let load = load(options, 1);
    (load.warm_up + load.time).as_secs_f64() + 0.1
}

/// About how many seconds all of it takes.
pub(super) fn cost(options: &Options) -> f64 {
    let measurements = options.turns(Section::Latency) * options.entrants(Section::Latency).len();
    wanted(options).count() as f64 * measurements as f64 * cost_of(options)
}

/// Measures all rates.
pub(super) fn run(options: &Options, progress: &mut Progress<'_>) -> Result<Vec<LatencyRow>, BenchError> {
    let entrants = options.entrants(Section::Latency);
    let turns = options.turns(Section::Latency);
    let mut rows = Vec::new();
    for case in wanted(options) {
        let mut samples = vec![Vec::with_capacity(turns); entrants.len()];
        for turn in 0..turns {
            let mut text = format!("{} {}/{turns}", case.name, turn + 1);
            for (entrant, samples) in entrants.iter().zip(&mut samples) {
                let sample = entrant.id.open_loop(&case.shape, load(options, case.rate))?;
                text += &format!("  {} p99 {}", entrant.name, sample.latencies.value_at_quantile(0.99));
                samples.push(sample);
            }
            progress.step(cost_of(options) * entrants.len() as f64, &text);
        }
        let row =
            |(entrant, samples): (&super::contenders::Entrant, &Vec<_>)| LatencyRow::new(case, entrant.name, samples);
        rows.extend(entrants.iter().zip(&samples).filter_map(row));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(latencies: std::ops::Range<u64>, late: u64) -> OpenSample {
        let mut histogram = open_loop::histogram();
        latencies.for_each(|latency| histogram.saturating_record(latency));
        OpenSample { latencies: histogram, late, achieved: 10.0 }
    }

    #[test]
    fn quantiles_are_those_of_all_turns_together() {
        let turns = [sample(1..501, 3), sample(501..1001, 4)];
        let row = LatencyRow::new(&CASES[0], "ring", &turns).unwrap();
        assert_eq!((row.requests, row.late), (1000, 7));
        let p50 = &row.quantiles[0];
        assert_eq!((p50.name.as_str(), p50.ns), ("p50", 500.0));
        assert_eq!(p50.turns, [250.0, 750.0]);
        assert_eq!(row.quantiles.last().unwrap().ns, 1000.0);
        assert_eq!(LatencyRow::new(&CASES[0], "ring", &[]), None);
    }

    #[test]
    fn the_curve_ends_where_requests_do() {
        let curve = curve(&sample(1..1001, 0).latencies);
        assert_eq!(curve.first(), Some(&(0.0, 1.0)));
        assert_eq!(curve.last(), Some(&(3.0, 999.0)));
        assert!(curve.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
    }
}
