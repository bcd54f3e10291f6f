//! One call with many frames. The code is in `src/streaming.rs`.

use std::process::ExitCode;

use nylon_ring_examples::{on_one_thread, report, streaming};

fn main() -> ExitCode {
    report(on_one_thread(streaming::run))
}
