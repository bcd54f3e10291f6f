//! `bench`: throughput and latency of a plugin behind the real host.

use std::{
    io::{self, IsTerminal as _, Write},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use nylon_ring_host::{NrStatus, NylonRingHost, RequestView};
use serde::Serialize;

use crate::{
    error::{CliError, Outcome},
    request_arg::{self, Parts, Target},
};

const EXAMPLES: &str = "\
Examples:
  nylon-ring bench libgreeter.so
  nylon-ring bench libgreeter.so POST /echo --data 'some body' -c 256 -d 10s
  nylon-ring bench libgreeter.so GET /hello -n 1000000 --threads 4 --json

Each of the -c tasks makes one call after the other (a closed loop): a plugin that is slow is asked less often, and the
latencies are those of calls that were made, not of calls that should have been.
Exit codes: 0 all answered with Ok; 1 some were not; 2 not run.";

/// Measures a plugin: calls a second, and latencies.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The plugin's shared library
    plugin: PathBuf,
    /// Such as GET
    #[arg(default_value = "GET")]
    method: String,
    /// Such as /hello?name=ada
    #[arg(default_value = "/hello")]
    path: String,
    #[command(flatten)]
    parts: Parts,
    /// How many calls are in flight at the same time
    #[arg(short, long, value_name = "CALLS", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    concurrency: u32,
    /// For how long
    #[arg(short, long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// How many calls, instead of for how long
    #[arg(short = 'n', long, value_name = "CALLS", conflicts_with = "duration")]
    calls: Option<u64>,
    /// How many threads call
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What is to be done, for all tasks.
struct Work {
    host: NylonRingHost,
    target: Target,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    started: AtomicU64,
    finished: AtomicU64,
    limit: u64,
    until: Option<Instant>,
}

/// What one task saw.
struct Seen {
    latencies: Histogram<u64>,
    not_ok: u64,
    first_error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    plugin: String,
    version: String,
    request: String,
    concurrency: u32,
    threads: u32,
    seconds: f64,
    calls: u64,
    not_ok: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_error: Option<String>,
    calls_per_second: f64,
    /// Name and nanoseconds.
    latency_ns: Vec<(&'static str, u64)>,
}

const QUANTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)];

/// Measures.
pub(crate) fn run(args: Args) -> Result<Outcome, CliError> {
    let target = Target::new(&args.method, &args.path)?;
    let (headers, body) = (args.parts.headers()?, args.parts.body()?);
    let plugin = request_arg::plugin(&args.plugin)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(args.threads as usize)
        .enable_all()
        .build()
        .map_err(|source| CliError::Harness { source })?;
    let report = runtime.block_on(async {
        let host = NylonRingHost::builder().slots_per_shard(args.concurrency.max(16_384) as usize).load(plugin)?;
        let work = Arc::new(Work {
            until: args.calls.is_none().then(|| Instant::now() + args.duration),
            limit: args.calls.unwrap_or(u64::MAX),
            started: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            host,
            target,
            headers,
            body,
        });
        let report = measure(&work, &args).await;
        // What it says of calls in flight does not matter: there are none.
        let _in_flight = work.host.shutdown(Duration::from_secs(1)).await;
        report
    })?;
    print(&report, args.json).map_err(|source| CliError::Print { source })?;
    Ok(if report.not_ok == 0 { Outcome::Good } else { Outcome::Bad })
}

async fn measure(work: &Arc<Work>, args: &Args) -> Result<Report, CliError> {
    let began = Instant::now();
    let tasks: Vec<_> = (0..args.concurrency).map(|_| tokio::spawn(call_on(work.clone()))).collect();
    let progress = (io::stderr().is_terminal() && !args.json).then(|| tokio::spawn(show(work.clone(), args.duration)));
    let mut all = Seen::new()?;
    for task in tasks {
        let seen = task.await.map_err(|error| CliError::Harness { source: error.into() })??;
        // Both have the same bounds.
        let _added = all.latencies.add(&seen.latencies);
        all.not_ok += seen.not_ok;
        all.first_error = all.first_error.or(seen.first_error);
    }
    let seconds = began.elapsed().as_secs_f64();
    if let Some(progress) = progress {
        progress.abort();
    }
    let calls = all.latencies.len() + all.not_ok;
    Ok(Report {
        plugin: work.host.name().to_owned(),
        version: work.host.version().to_owned(),
        request: format!("{} {}", work.target.method, work.target.path),
        concurrency: args.concurrency,
        threads: args.threads,
        seconds,
        calls,
        not_ok: all.not_ok,
        first_error: all.first_error,
        calls_per_second: calls as f64 / seconds,
        latency_ns: QUANTILES.iter().map(|(name, q)| (*name, all.latencies.value_at_quantile(*q))).collect(),
    })
}

impl Seen {
    fn new() -> Result<Self, CliError> {
        let latencies = Histogram::new_with_bounds(1, 3_600_000_000_000, 3)
            .map_err(|error| CliError::Harness { source: io::Error::other(error) })?;
        Ok(Self { latencies, not_ok: 0, first_error: None })
    }

    fn failed(&mut self, why: impl FnOnce() -> String) {
        self.not_ok += 1;
        self.first_error.get_or_insert_with(why);
    }
}

/// One task: call after call.
async fn call_on(work: Arc<Work>) -> Result<Seen, CliError> {
    let mut seen = Seen::new()?;
    let headers: Vec<(&str, &str)> = work.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let request = RequestView {
        method: &work.target.method,
        path: &work.target.path,
        query: &work.target.query,
        headers: &headers,
        body: &work.body,
    };
    // Ordering: Relaxed; both count, and nothing follows from them.
    while work.started.fetch_add(1, Ordering::Relaxed) < work.limit {
        let began = Instant::now();
        if work.until.is_some_and(|until| began >= until) {
            break;
        }
        match work.host.call_view(request).await {
            Ok((NrStatus::Ok, _)) => seen.latencies.saturating_record(began.elapsed().as_nanos() as u64),
            Ok((status, payload)) => seen.failed(|| format!("{status}: {}", String::from_utf8_lossy(&payload))),
            Err(error) => {
                seen.failed(|| error.to_string());
                // A plugin that refuses at once must not keep this thread from the others.
                tokio::task::yield_now().await;
            }
        }
        work.finished.fetch_add(1, Ordering::Relaxed);
    }
    Ok(seen)
}

async fn show(work: Arc<Work>, duration: Duration) {
    let by_time = work.limit == u64::MAX;
    let bar = ProgressBar::new(if by_time { duration.as_millis() as u64 } else { work.limit });
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {msg}") {
        bar.set_style(style);
    }
    let (began, mut before) = (Instant::now(), 0);
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let finished = work.finished.load(Ordering::Relaxed);
        bar.set_position(if by_time { began.elapsed().as_millis() as u64 } else { finished });
        bar.set_message(format!("{finished} calls, {} a second", (finished - before) * 5));
        before = finished;
    }
}

fn print(report: &Report, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        return writeln!(out, "{}", serde_json::to_string_pretty(report).map_err(io::Error::other)?);
    }
    writeln!(out, "{} {}, {}", report.plugin, report.version, report.request)?;
    writeln!(
        out,
        "  {} calls in {:.2} s, {} in flight, {} threads",
        report.calls, report.seconds, report.concurrency, report.threads
    )?;
    writeln!(out, "  {:.0} calls a second", report.calls_per_second)?;
    for (name, nanos) in &report.latency_ns {
        writeln!(out, "  {name:<7} {:>12.2?}", Duration::from_nanos(*nanos))?;
    }
    if let Some(error) = &report.first_error {
        writeln!(out, "  {} not answered with Ok, the first: {error}", report.not_ok)?;
    }
    Ok(())
}
