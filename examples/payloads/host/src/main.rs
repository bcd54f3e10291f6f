//! Calls the plugin once in each format, and prints what went over the ABI.

use std::{process::ExitCode, time::Duration};

use nylon_ring_artifacts::cargo_cdylib;
use nylon_ring_host::NylonRingHost;
use nylon_ring_payloads::FORMATS;
use nylon_ring_payloads_host::{ExampleError, sum};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), ExampleError> {
    let host = NylonRingHost::load(cargo_cdylib("nylon-ring-payloads-plugin")?)?;
    let numbers: Vec<i64> = (1..=100).collect();
    for format in &FORMATS {
        let (summary, asked, answered) = sum(&host, format, "one to a hundred", &numbers).await?;
        println!("{:<13} {asked:>4} bytes asked, {answered:>3} answered: {summary:?}", format.path);
    }
    host.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}
