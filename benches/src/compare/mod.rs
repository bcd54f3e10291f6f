//! All rows, contenders in turn, and the report.
//!
//! [`run`] measures each [`Case`] with every contender, in turn, as often as it is told, and every measurement starts
//! anew. [`Report`] says what came out: each contender's median and spread, and the ratio of each one to the first,
//! taken within a turn. [`Report::table`] is for the terminal, [`Report::write`] for `results/`.

mod cases;
mod machine;
mod plot;
mod report;
mod table;
mod turns;

pub use cases::{CASES, Case, Goal, Line, Metric};
pub use machine::Machine;
pub use report::{Figure, Pair, Report, Row, Verdict};
pub use turns::{ContenderId, Options, run};
