//! The command line.

use std::{net::SocketAddr, path::PathBuf, thread, time::Duration};

use clap::Parser;

/// Answers HTTP/1.1 requests through a nylon-ring plugin.
#[derive(Debug, Clone, Parser)]
pub struct Config {
    /// The plugin, a shared library; without it the example plugin is built and used.
    pub plugin: Option<PathBuf>,

    /// Where to listen; port 0 is any that is free.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Where Prometheus finds /metrics.
    #[arg(long, default_value = "127.0.0.1:9090")]
    pub metrics: SocketAddr,

    /// How many threads serve connections; as many as there are cores, if it is not said.
    #[arg(long, default_value_t = cores())]
    pub workers: usize,

    /// Paths that the plugin answers by a stream: each as it is, not what begins with it.
    #[arg(long = "stream", default_value = "/stream")]
    pub streams: Vec<String>,

    /// The largest body of a request, in bytes.
    #[arg(long, default_value_t = 1 << 20)]
    pub body_limit: usize,

    /// How long a plugin may take for a result or for the first frame of a stream, and a client for each request.
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    pub timeout: Duration,

    /// How long requests under way may take when the gateway is told to stop.
    #[arg(long, default_value = "10s", value_parser = humantime::parse_duration)]
    pub grace: Duration,

    /// One listener for all workers, as on platforms without SO_REUSEPORT.
    #[arg(long)]
    pub one_listener: bool,
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
