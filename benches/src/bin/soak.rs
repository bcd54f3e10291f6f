//! The soak test: exact books under everything at once. Progress and a table of the books on stdout.

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Parser;
use nylon_ring_benches::{
    compare::Machine,
    soak::{self, Options},
};

/// Calls a plugin in every way at once, gives up in every way, and compares what was sent with what was counted and taken.
///
/// Exit code 1 at the first equation that does not hold.
#[derive(Debug, Parser)]
#[command(name = "soak")]
struct Args {
    /// How many calls, about.
    #[arg(long, default_value_t = 100_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    calls: u64,
    /// How many seconds at most, about; loading, coming to rest and shutting down come on top.
    #[arg(long, value_parser = seconds)]
    seconds: Option<f64>,
    /// What all randomness comes from; printed, and otherwise taken from the clock.
    #[arg(long)]
    seed: Option<u64>,
    /// About 20 seconds, in fewer rounds.
    #[arg(long, conflicts_with_all = ["calls", "seconds"])]
    short: bool,
    /// A file to write the tables to, in Markdown.
    #[arg(long)]
    out: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 1e6 => Ok(seconds),
        _ => Err("not a number of seconds above 0".to_owned()),
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_nanos().into());
    let seed = args.seed.unwrap_or(clock);
    let options = if args.short {
        Options { calls: args.calls, seconds: Some(14.0), seed, rounds: 2, last_rounds: 10 }
    } else {
        Options { calls: args.calls, seconds: args.seconds, seed, rounds: 4, last_rounds: 68 }
    };
    let machine = Machine::here();
    println!("soak: seed {seed}");
    let report = match soak::run(&options) {
        Ok(report) => report,
        Err(error) => {
            println!("soak: FAILED: {error}\nsoak: the seed is {seed}");
            return ExitCode::FAILURE;
        }
    };
    let table = report.table();
    println!("\n{table}\nsoak: {} calls, and the books balance", report.calls());
    let Some(path) = args.out else { return ExitCode::SUCCESS };
    let command = if args.short { "soak --short".to_owned() } else { format!("soak --calls {}", args.calls) };
    let head = format!(
        "# Soak test\n\n`{command} --seed {seed}` on {} cores ({}), {}, {}, commit {}, {}, load {}.\n\n",
        machine.cores, machine.cpu, machine.kernel, machine.rustc, machine.commit, machine.date, machine.load
    );
    match fs::write(&path, head + &table) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("soak: cannot write {}: {error}", path.display());
            ExitCode::from(2)
        }
    }
}
