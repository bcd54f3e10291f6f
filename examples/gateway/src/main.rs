//! Runs the gateway until SIGINT or SIGTERM.

use std::{io, process::ExitCode};

use clap::Parser;
use nylon_ring_gateway::{Config, Gateway, GatewayError};

fn main() -> ExitCode {
    match run(Config::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> Result<(), GatewayError> {
    let gateway = Gateway::start(config)?;
    let (address, metrics) = (gateway.address(), gateway.metrics_address());
    println!("{} {} answers on http://{address}", gateway.host().name(), gateway.host().version());
    println!("with the example plugin, try:");
    println!("  curl -i 'http://{address}/hello'          one result, after 2 s; hang up to give it up");
    println!("  curl -i 'http://{address}/hello?fast=1'   at once");
    println!("  curl -N 'http://{address}/stream'         five frames, one a second");
    println!("  curl -i 'http://{address}/nothing'        404: the plugin has no such path");
    println!("  curl 'http://{metrics}/metrics'           counters");
    println!("stop it with ctrl-c or SIGTERM: requests under way are answered first");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(told_to_stop())?;
    println!("stopping");
    gateway.join()
}

#[cfg(unix)]
async fn told_to_stop() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}

#[cfg(not(unix))]
async fn told_to_stop() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
