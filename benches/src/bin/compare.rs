//! The ring side by side with the mutex baseline: a table on stdout, progress on stderr.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use nylon_ring_benches::{
    BenchError,
    alloc::CountingAllocator,
    compare::{self, CASES, ContenderId, Machine, Options},
    drive::Plan,
};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Measures all contenders on the same work, in turn, and compares each with the first.
///
/// A complete run is written to benches/results/; one with --quick, --filter or --contenders only where --out says.
#[derive(Debug, Parser)]
#[command(name = "compare")]
struct Args {
    /// Turns: in each, every contender is measured once.
    #[arg(long, default_value_t = 5)]
    reps: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    seconds: f64,
    /// Seconds of calls before each measurement.
    #[arg(long, default_value_t = 0.3, value_parser = seconds)]
    warm_up: f64,
    /// A look at whether everything works, not a measurement: 2 turns of 0.1 s, warm-up of 0.02 s.
    #[arg(long, conflicts_with_all = ["reps", "seconds", "warm_up"])]
    quick: bool,
    /// Only the cases whose name contains this; may be given several times.
    #[arg(long)]
    filter: Vec<String>,
    /// Who takes part; the first is the reference.
    #[arg(long, value_enum, value_delimiter = ',')]
    contenders: Option<Vec<ContenderId>>,
    /// Exit with 1 if anyone is behind the reference in any row.
    #[arg(long)]
    require_ahead: bool,
    /// The folder to write compare.json, compare.md and compare.svg to.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Only list the cases.
    #[arg(long)]
    list: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err("not a number of seconds above 0 and up to 3600".to_owned()),
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<ExitCode, BenchError> {
    if args.list {
        for case in CASES {
            for line in case.lines {
                println!("{:<24}{}", case.name, line.label);
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (reps, warm_up, time) = if args.quick { (2, 0.02, 0.1) } else { (args.reps, args.warm_up, args.seconds) };
    let options = Options {
        contenders: args
            .contenders
            .clone()
            .unwrap_or_else(|| vec![ContenderId::Mutex, ContenderId::Ring, ContenderId::RingCall]),
        filter: args.filter.clone(),
        reps,
        plan: Plan { warm_up: Duration::from_secs_f64(warm_up), time: Duration::from_secs_f64(time) },
        command: std::iter::once("compare".to_owned())
            .chain(without_out(std::env::args().skip(1)))
            .collect::<Vec<_>>()
            .join(" "),
    };
    let machine = Machine::here();
    if machine.is_busy() {
        eprintln!("compare: the machine is busy (load {}): only a quiet one gives figures", machine.load);
    }
    let report = compare::run(&options, |line| eprintln!("{line}"))?;
    print!("{}", report.table());
    let complete = !args.quick && args.filter.is_empty() && args.contenders.is_none();
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    if let Some(folder) = args.out.clone().or(complete.then_some(published)) {
        report.write(&folder)?;
    }
    Ok(if args.require_ahead && !report.all_ahead() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The arguments less `--out`, which says nothing about the figures and may name a folder of the user's.
fn without_out(args: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let mut value_next = false;
    args.filter(move |arg| {
        let skip = value_next || arg.starts_with("--out=") || arg == "--out";
        value_next = !value_next && arg == "--out";
        !skip
    })
}
