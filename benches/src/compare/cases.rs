//! The rows: what is measured, and how good it has to be.

use serde::Serialize;

use crate::{
    drive::Sample,
    work::{Flavour, Idle, Shape, Work},
};

/// What a line of the report shows of a sample. Less is better, of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Nanoseconds of all cores together for each result.
    NsPerResult,
    /// Mean time inside `send_result`, ns.
    SendMean,
    /// Median time inside `send_result`, ns.
    SendMedian,
    /// 99.99th percentile of the time inside `send_result`, ns.
    SendP9999,
    /// Heap allocations of the process for each result.
    Allocations,
}

impl Metric {
    /// The figure; none if the sample does not hold it.
    #[must_use]
    pub fn of(self, sample: &Sample) -> Option<f64> {
        let times = sample.times.as_ref();
        match self {
            Self::NsPerResult => Some(sample.ns()),
            Self::SendMean => times.map(|times| times.mean()),
            Self::SendMedian => times.map(|times| times.quantile(0.5)),
            Self::SendP9999 => times.map(|times| times.quantile(0.9999)),
            Self::Allocations => Some(sample.allocations_each()),
        }
    }

    /// What the figure counts.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Allocations => "allocations",
            _ => "ns",
        }
    }
}

/// How good the ring has to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// At most this share of the reference's figure.
    Ratio(f64),
    /// At most this figure, to one hundredth.
    Figure(f64),
}

impl Goal {
    /// Whether a figure that is `ratio` times the reference's reaches it.
    #[must_use]
    pub fn reached(self, figure: f64, ratio: f64) -> bool {
        match self {
            Self::Ratio(goal) => ratio <= goal,
            Self::Figure(goal) => figure < goal + 0.01,
        }
    }
}

/// One line of the report.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// What it says.
    pub label: &'static str,
    /// What it shows.
    pub metric: Metric,
    /// How good the ring has to be; none for a line that only informs.
    pub goal: Option<Goal>,
}

/// One kind of measurement and the lines that it gives.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Its name, for `--filter`.
    pub name: &'static str,
    /// What is done.
    pub shape: Shape,
    /// What is shown.
    pub lines: &'static [Line],
}

macro_rules! case {
    ($name:literal, $shape:expr, $($label:literal $metric:ident $goal:expr),+ $(,)?) => {
        Case {
            name: $name,
            shape: $shape,
            lines: &[$(Line { label: $label, metric: Metric::$metric, goal: $goal }),+],
        }
    };
}

const fn ratio(goal: f64) -> Option<Goal> {
    Some(Goal::Ratio(goal))
}

const fn figure(goal: f64) -> Option<Goal> {
    Some(Goal::Figure(goal))
}

const ONE: Flavour = Flavour::CurrentThread;
const TWO: Flavour = Flavour::Workers(2);

/// All of them, in the order of the report.
pub const CASES: &[Case] = &[
    case!(
        "sync-unary", Shape::of(Work::SYNC_EMPTY),
        "sync unary, 0 B, one worker, one call at a time" NsPerResult ratio(0.5),
    ),
    case!(
        "sync-unary-two-workers", Shape::of(Work::SYNC_EMPTY).on(TWO, 2),
        "sync unary, 0 B, two workers, one call at a time each" NsPerResult ratio(0.5),
    ),
    case!(
        "sync-unary-1k", Shape::of(Work::SYNC_KIB),
        "sync unary, 1 KiB, one worker" NsPerResult ratio(1.0),
    ),
    case!(
        "sync-stream", Shape::of(Work::SYNC_STREAM),
        "sync stream, 8 empty frames and the end, per frame" NsPerResult ratio(0.6),
    ),
    case!(
        "bg-unary", Shape::of(Work::BG_EMPTY).on(ONE, 256),
        "bg unary, 0 B, current-thread, 256 in flight" NsPerResult ratio(0.1),
    ),
    case!(
        "bg-unary-1k", Shape::of(Work::BG_KIB).on(ONE, 256),
        "bg unary, 1 KiB, current-thread, 256 in flight" NsPerResult ratio(0.2),
    ),
    case!(
        "bg-unary-two-workers", Shape::of(Work::BG_EMPTY).on(TWO, 256),
        "bg unary, 0 B, two workers, 256 in flight" NsPerResult ratio(0.4),
    ),
    case!(
        "bg-unary-8-threads", Shape::of(Work::BG_EMPTY).on(TWO, 1024).against(8, Idle::BRIEF),
        "bg unary, 0 B, two workers, 8 plugin threads, 1024 in flight" NsPerResult ratio(0.3),
    ),
    case!(
        "bg-latency", Shape::of(Work::BG_EMPTY).on(ONE, 1).against(1, Idle::PARK),
        "bg unary, 0 B, one in flight, plugin parked" NsPerResult ratio(1.0),
    ),
    case!(
        "bg-latency-awake", Shape::of(Work::BG_EMPTY).on(ONE, 1).against(1, Idle::SPIN),
        "bg unary, 0 B, one in flight, plugin awake" NsPerResult None,
    ),
    case!(
        "bg-stream", Shape::of(Work::BG_STREAM).on(ONE, 64),
        "bg stream, 64 B, 64 streams of 32 frames, current-thread, per frame" NsPerResult ratio(0.4),
    ),
    case!(
        "bg-stream-long", Shape::of(Work::BG_LONG_STREAM).on(ONE, 64),
        "bg stream, 64 B, 64 streams of 256 frames, current-thread, per frame" NsPerResult None,
    ),
    case!(
        "send-time", Shape::of(Work::BG_EMPTY).on(ONE, 256).timed(),
        "inside send_result, current-thread, 256 in flight: mean" SendMean ratio(1.0 / 6.0),
        "inside send_result, current-thread, 256 in flight: median" SendMedian ratio(1.0 / 6.0),
    ),
    case!(
        "send-tail", Shape::of(Work::BG_EMPTY).on(TWO, 1024).against(8, Idle::BRIEF).timed(),
        "inside send_result, two workers, 8 plugin threads: p99.99" SendP9999 ratio(0.1),
        "inside send_result, two workers, 8 plugin threads: median" SendMedian None,
    ),
    case!(
        "allocations", Shape::of(Work::BG_EMPTY).on(ONE, 256).counted(),
        "heap allocations a call, 0 B, 256 in flight" Allocations figure(0.0),
    ),
    case!(
        "allocations-1k", Shape::of(Work::BG_KIB).on(ONE, 256).counted(),
        "heap allocations a call, 1 KiB, 256 in flight" Allocations figure(1.0),
    ),
];
