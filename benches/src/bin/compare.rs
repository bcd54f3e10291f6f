//! The ring side by side with other hosts: tables on stdout, progress on stderr.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use nylon_ring_benches::{
    BenchError,
    alloc::CountingAllocator,
    compare::{self, ContenderId, Machine, Options, Report, Section, Selection},
    drive::Plan,
};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Measures all contenders on the same work, in turn, and compares the ring with the better reference.
///
/// A complete run is written to benches/results/; one with --quick, --section, --filter or --contenders only where --out
/// says.
#[derive(Debug, Parser)]
#[command(name = "compare")]
struct Args {
    /// Turns: in each, every contender is measured once. The default is 11 for the rows and 5 for the other sections.
    #[arg(long)]
    reps: Option<usize>,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 0.4, value_parser = seconds)]
    seconds: f64,
    /// Seconds of calls before each measurement.
    #[arg(long, default_value_t = 0.1, value_parser = seconds)]
    warm_up: f64,
    /// A look at whether everything works, not a measurement: 1 or 2 turns of 0.05 s, nothing large.
    #[arg(long, conflicts_with_all = ["reps", "seconds", "warm_up"])]
    quick: bool,
    /// Only these sections.
    #[arg(long, value_enum, value_delimiter = ',')]
    section: Vec<Section>,
    /// Only the case of this name, or all whose names contain this; may be given several times.
    #[arg(long)]
    filter: Vec<String>,
    /// Who takes part, in all sections.
    #[arg(long, value_enum, value_delimiter = ',')]
    contenders: Option<Vec<ContenderId>>,
    /// Exit with 1 if the ring is behind the better reference in any row.
    #[arg(long)]
    require_ahead: bool,
    /// Exit with 1 if a goal is missed.
    #[arg(long)]
    require_goals: bool,
    /// The folder to write compare.json, compare.md and the plots to.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Measure nothing: write compare.md and the plots again, from this compare.json, beside it or where --out says.
    #[arg(long, value_name = "JSON")]
    render: Option<PathBuf>,
    /// Only list the cases.
    #[arg(long)]
    list: bool,
}

impl Args {
    fn options(&self) -> Options {
        let (warm_up, time) = if self.quick { (0.01, 0.05) } else { (self.warm_up, self.seconds) };
        Options {
            selection: Selection { sections: self.section.clone(), filter: self.filter.clone() },
            contenders: self.contenders.clone(),
            reps: self.reps,
            plan: Plan { warm_up: Duration::from_secs_f64(warm_up), time: Duration::from_secs_f64(time) },
            quick: self.quick,
            command: std::iter::once("compare".to_owned())
                .chain(without_out(std::env::args().skip(1)))
                .collect::<Vec<_>>()
                .join(" "),
        }
    }

    /// Whether nothing was left out.
    fn complete(&self) -> bool {
        !self.quick && self.section.is_empty() && self.filter.is_empty() && self.contenders.is_none()
    }
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
        list();
        return Ok(ExitCode::SUCCESS);
    }
    let report = if let Some(json) = &args.render {
        let report = Report::read(json)?;
        let beside = json.parent().map_or_else(PathBuf::new, Path::to_owned);
        report.render(args.out.as_ref().unwrap_or(&beside))?;
        report
    } else {
        let machine = Machine::here();
        if machine.is_busy() {
            eprintln!("compare: the machine is busy (load {}): only a quiet one gives figures", machine.load);
        }
        let report = compare::run(&args.options(), |line| eprintln!("{line}"))?;
        let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        if let Some(folder) = args.out.clone().or(args.complete().then_some(published)) {
            report.write(&folder)?;
        }
        report
    };
    print!("{}", report.table());
    let behind = args.require_ahead && !report.all_ahead();
    let missed = args.require_goals && !report.all_goals();
    Ok(if behind || missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn list() {
    for section in Section::ALL {
        println!("[{}] {}", section.name(), section.title());
        for (name, label) in section.names() {
            println!("  {name:<26}{label}");
        }
    }
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
