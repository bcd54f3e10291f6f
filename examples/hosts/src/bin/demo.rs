//! All examples in a row, then the throughput of the ring beside that of a host with a mutex.

use std::{process::ExitCode, time::Duration};

use nylon_ring_benches::{compare::Machine, demo_throughput};
use nylon_ring_examples::{ExampleError, on_one_thread, report, simple, state, streaming};

fn main() -> ExitCode {
    report(demo())
}

fn demo() -> Result<(), ExampleError> {
    on_one_thread(async |host| {
        println!("\n== unary: one request, one result");
        simple::run(host).await?;
        println!("\n== streaming: one request, many frames");
        streaming::run(host).await?;
        println!("\n== state: what the plugin stores for one call");
        state::run(host).await
    })?;
    println!("\n== throughput: the same plugin and work, 256 calls in flight");
    let machine = Machine::here();
    if machine.is_busy() {
        println!("  the load of the last minute is {}; on a busy machine the figures mean little", machine.load);
    }
    println!("  {}", demo_throughput(Duration::from_secs(2))?);
    println!("  two seconds on this machine, as it is now; `make compare` measures with care");
    Ok(())
}
