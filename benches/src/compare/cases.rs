//! The rows: what is measured, and how good it has to be.

use crate::work::{Flavour, Idle, Shape, Strategy, Work};

use super::{Goal, Metric};

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
    /// Where its section's plot has it; none if it is no point of a series.
    pub x: Option<f64>,
    /// What is done.
    pub shape: Shape,
    /// What is shown.
    pub lines: &'static [Line],
}

macro_rules! case {
    ($name:literal, $shape:expr, $($label:literal $metric:ident $goal:expr),+ $(,)?) => {
        Case {
            name: $name,
            x: None,
            shape: $shape,
            lines: &[$(Line { label: $label, metric: Metric::$metric, goal: $goal }),+],
        }
    };
}

/// At most this share of the better reference's figure.
const fn better(share: f64) -> Option<Goal> {
    Some(Goal::Better(share))
}

/// At most this share of the mutex baseline's figure.
const fn baseline(share: f64) -> Option<Goal> {
    Some(Goal::Baseline(share))
}

const fn figure(goal: f64) -> Option<Goal> {
    Some(Goal::Figure(goal))
}

pub(super) const ONE: Flavour = Flavour::CurrentThread;
pub(super) const TWO: Flavour = Flavour::Workers(2);

/// The section `rows`, in the order of the report. Callers are on a current-thread runtime unless a row says *workers*
/// (the first three: one worker), and the plugin has one thread unless it says more.
pub const CASES: &[Case] = &[
    case!(
        "sync-unary", Shape::of(Work::SYNC_EMPTY),
        "sync unary, 0 B" NsPerResult better(0.5),
    ),
    case!(
        "sync-unary-two-workers", Shape::of(Work::SYNC_EMPTY).on(TWO, 2),
        "sync unary, 0 B, two workers" NsPerResult better(0.5),
    ),
    case!(
        "sync-unary-1k", Shape::of(Work::SYNC_KIB),
        "sync unary, 1 KiB" NsPerResult better(1.0),
    ),
    case!(
        "sync-stream", Shape::of(Work::SYNC_STREAM),
        "sync stream, 8 empty frames, per frame" NsPerResult better(0.6),
    ),
    case!(
        "bg-unary", Shape::of(Work::BG_EMPTY).on(ONE, 256),
        "bg unary, 0 B, 256 in flight" NsPerResult baseline(0.1),
    ),
    case!(
        "bg-unary-1k", Shape::of(Work::BG_KIB).on(ONE, 256),
        "bg unary, 1 KiB, 256 in flight" NsPerResult baseline(0.2),
    ),
    case!(
        "bg-unary-two-workers", Shape::of(Work::BG_EMPTY).on(TWO, 256),
        "bg unary, 0 B, 256 in flight, two workers" NsPerResult better(0.4),
    ),
    case!(
        "bg-unary-8-threads", Shape::of(Work::BG_EMPTY).on(TWO, 1024).against(8, Idle::BRIEF),
        "bg unary, 1024 in flight, two workers, 8 threads" NsPerResult better(0.3),
    ),
    case!(
        "bg-latency", Shape::of(Work::BG_EMPTY).on(ONE, 1).against(1, Idle::PARK),
        "bg unary, one in flight, plugin parked" NsPerResult better(1.0),
    ),
    case!(
        "bg-latency-spin",
        Shape::of(Work::BG_EMPTY).on(ONE, 1).against(1, Idle::PARK).waiting(Strategy::Spin),
        "bg unary, one in flight, parked, ring spins" NsPerResult better(0.1),
    ),
    case!(
        "bg-latency-awake", Shape::of(Work::BG_EMPTY).on(ONE, 1).against(1, Idle::SPIN),
        "bg unary, one in flight, plugin awake" NsPerResult None,
    ),
    case!(
        "bg-stream", Shape::of(Work::BG_STREAM).on(ONE, 64),
        "bg stream, 64 streams of 32 x 64 B, per frame" NsPerResult better(0.4),
    ),
    case!(
        "bg-stream-long", Shape::of(Work::BG_LONG_STREAM).on(ONE, 64),
        "bg stream, 64 streams of 256 x 64 B, per frame" NsPerResult None,
    ),
    case!(
        "send-time", Shape::of(Work::BG_EMPTY).on(ONE, 256).timed(),
        "in send_result, 256 in flight: mean" SendMean baseline(1.0 / 6.0),
        "in send_result, 256 in flight: median" SendMedian baseline(1.0 / 6.0),
    ),
    case!(
        "send-tail", Shape::of(Work::BG_EMPTY).on(TWO, 1024).against(8, Idle::BRIEF).timed(),
        "in send_result, two workers, 8 threads: p99.99" SendP9999 baseline(0.1),
        "in send_result, two workers, 8 threads: median" SendMedian None,
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
