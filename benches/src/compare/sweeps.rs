//! The sections that change one thing and leave the rest: a series for each contender.

use super::{
    Case, Metric,
    cases::{Line, ONE, TWO},
};
use crate::work::{Idle, Shape, Work};

macro_rules! x {
    (_) => {
        None
    };
    ($x:literal) => {
        Some($x as f64)
    };
}

macro_rules! series {
    ($($name:literal $x:tt $shape:expr, $($label:literal $metric:ident),+;)+) => {
        &[$(Case {
            name: $name,
            x: x!($x),
            shape: $shape,
            lines: &[$(Line { label: $label, metric: Metric::$metric, goal: None }),+],
        }),+]
    };
}

const fn threads(threads: u32) -> Shape {
    Shape::of(Work::BG_EMPTY).on(TWO, 1024).against(threads, Idle::BRIEF)
}

/// More and more threads of the plugin, on however few cores.
pub(super) const THREADS: &[Case] = series! {
    "threads-1" 1 threads(1), "1 plugin thread" NsPerResult;
    "threads-2" 2 threads(2), "2 plugin threads" NsPerResult;
    "threads-4" 4 threads(4), "4 plugin threads" NsPerResult;
    "threads-8" 8 threads(8), "8 plugin threads" NsPerResult;
    "threads-16" 16 threads(16), "16 plugin threads" NsPerResult;
};

const fn depth(in_flight: usize) -> Shape {
    Shape::of(Work::BG_EMPTY).on(ONE, in_flight).weighed()
}

/// More and more calls in flight. What few of them weigh is lost in pages, so it is shown from 1,024 on.
pub(super) const DEPTH: &[Case] = series! {
    "depth-1" 1 depth(1), "1 in flight" NsPerResult;
    "depth-16" 16 depth(16), "16 in flight" NsPerResult;
    "depth-256" 256 depth(256), "256 in flight" NsPerResult;
    "depth-1024" 1024 depth(1024), "1,024 in flight" NsPerResult, "1,024 in flight: memory of each" MemoryEach;
    "depth-65536" 65_536 depth(65_536), "65,536 in flight" NsPerResult, "65,536 in flight: memory of each" MemoryEach;
    "depth-1000000" 1_000_000 depth(1_000_000),
        "1,000,000 in flight" NsPerResult, "1,000,000 in flight: memory of each" MemoryEach;
};

const fn payload(path: &'static str, len: usize) -> Shape {
    Shape::of(Work::unary(path, len)).on(ONE, 64)
}

/// Larger and larger results. The first two sizes are the largest that a slot and a cell hold in place.
pub(super) const PAYLOAD: &[Case] = series! {
    "payload-0" 0 payload("/bp/0", 0), "0 B" NsPerResult;
    "payload-40" 40 payload("/bp/40", 40), "40 B" NsPerResult;
    "payload-128" 128 payload("/bp/128", 128), "128 B" NsPerResult;
    "payload-1k" 1024 payload("/bp/1024", 1024), "1 KiB" NsPerResult;
    "payload-4k" 4096 payload("/bp/4096", 4096), "4 KiB" NsPerResult;
    "payload-64k" 65_536 payload("/bp/65536", 65_536), "64 KiB" NsPerResult;
    "payload-1m" 1_048_576 payload("/bp/1048576", 1_048_576), "1 MiB" NsPerResult;
};

const fn stream(path: &'static str, frames: u64) -> Shape {
    Shape::of(Work::stream(path, frames, 64)).on(ONE, 64)
}

/// Longer and longer streams; a result is a frame, the end is one too.
pub(super) const STREAMS: &[Case] = series! {
    "streams-1" 1 stream("/bf/1", 1), "1 frame and the end" NsPerResult;
    "streams-8" 8 stream("/bf/8", 8), "8 frames" NsPerResult;
    "streams-32" 32 stream("/bf/32", 32), "32 frames" NsPerResult;
    "streams-256" 256 stream("/bf/256", 256), "256 frames" NsPerResult;
    "streams-2048" 2048 stream("/bf/2048", 2048), "2,048 frames" NsPerResult;
};

/// The ways in which the ring's reactor may wait, where that matters.
pub(super) const STRATEGIES: &[Case] = series! {
    "strategy-latency" _ Shape::of(Work::BG_EMPTY).on(ONE, 1).against(1, Idle::PARK),
        "one in flight, plugin parked" NsPerResult;
    "strategy-latency-awake" _ Shape::of(Work::BG_EMPTY).on(ONE, 1).against(1, Idle::SPIN),
        "one in flight, plugin awake" NsPerResult;
    "strategy-256" _ Shape::of(Work::BG_EMPTY).on(ONE, 256), "256 in flight" NsPerResult;
    "strategy-two-workers" _ Shape::of(Work::BG_EMPTY).on(TWO, 256), "256 in flight, two workers" NsPerResult;
    "strategy-8-threads" _ threads(8), "1024 in flight, two workers, 8 plugin threads" NsPerResult;
};
