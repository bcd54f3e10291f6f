//! All sections, contenders in turn, and the report.
//!
//! [`run`] measures what a [`Selection`] asks for, and every measurement starts anew. [`Report`] says what came out: each
//! contender's median and spread, and how the ring stands beside the better reference, turn by turn. [`Report::table`]
//! is for the terminal, [`Report::write`] for `results/`, and [`Report::render`] makes the page and its plots again.

mod cases;
mod contenders;
mod figure;
mod goal;
mod grid;
mod latency;
mod linear;
mod machine;
mod metric;
mod page;
mod plots;
mod progress;
mod queues;
mod report;
mod section;
mod sweeps;
mod table;
mod turns;

pub use cases::{CASES, Case, Line};
pub use contenders::ContenderId;
pub use figure::Figure;
pub use goal::{Goal, Standing, Verdict};
pub use latency::{LatencyRow, Quantile};
pub use machine::Machine;
pub use metric::Metric;
pub use report::{Report, Row, Took};
pub use section::{Section, Selection};
pub use turns::{Options, run};
