//! Five calls at once: they overlap. The code is in `src/simple.rs`.

use std::process::ExitCode;

use nylon_ring_examples::{on_one_thread, report, simple};

fn main() -> ExitCode {
    report(on_one_thread(simple::run))
}
