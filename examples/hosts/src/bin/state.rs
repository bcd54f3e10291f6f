//! What a plugin stores for one call. The code is in `src/state.rs`.

use std::process::ExitCode;

use nylon_ring_examples::{on_one_thread, report, state};

fn main() -> ExitCode {
    report(on_one_thread(state::run))
}
