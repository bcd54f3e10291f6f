//! Breaks the ring runtime in every way that it knows of, one at a time, and looks which loom model notices.
//!
//! ```text
//! cargo run -p nylon-ring-loom-tests --features mutants --bin mutants -- --help
//! ```
//!
//! `find.rs` finds what can be broken in the syntax tree, `mutants.toml` has what was thought of by hand. Each mutant is made
//! in a copy of the checkout (`workshop.rs`), and the models are run on it until one fails (`verdict.rs`). What noticed it is
//! written to `MUTANTS.md` (`table.rs`) at once, so that an interrupted run can be resumed. A mutant that nothing notices is a
//! model that is missing, or an ordering that is stronger than it need be.

mod baseline;
mod cfg;
mod error;
mod find;
mod hand;
mod mutant;
mod orderings;
mod source;
mod table;
mod verdict;
mod workshop;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use clap::Parser;
use rustix::fs::{FlockOperation, flock};

use crate::{
    baseline::Baseline,
    error::Error,
    mutant::Mutant,
    source::Found,
    table::{Outcome, Table},
    verdict::{Judge, Verdict},
    workshop::{Snapshot, Test, Workshop},
};

/// Shows that every ordering and every step of the ring runtime is necessary: breaks each, and looks which model notices.
#[derive(Debug, Parser)]
struct Options {
    /// Only mutants whose id contains this.
    #[arg(long, value_name = "SUBSTRING")]
    only: Option<String>,
    /// Only mutants that have no row yet, were not run since the last full run began, or survived; all if there are none of those.
    #[arg(long)]
    resume: bool,
    /// Lists the mutants, and runs none.
    #[arg(long)]
    list: bool,
    /// Compares the mutants with MUTANTS.md, and runs none.
    #[arg(long, conflicts_with_all = ["list", "sample"])]
    check: bool,
    /// Compares the mutants with MUTANTS.md, and runs so many of them, chosen by chance, with the test that noticed them when that was
    /// written; leaves it as it is.
    #[arg(long, value_name = "N", conflicts_with_all = ["list", "resume", "quick"])]
    sample: Option<usize>,
    /// What the sample is chosen by; the clock if it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// How many mutants are looked at side by side, each in a copy of its own.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,
    /// Only models that take at most so long, and the one that noticed the mutant last time; what they do not notice counts as
    /// not run.
    #[arg(long, value_name = "SECONDS")]
    quick: Option<u64>,
    /// A model is stopped after ten times its usual time and so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    grace: u64,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutants: {error}");
            ExitCode::FAILURE
        }
    }
}

/// True if nothing is to be objected to.
fn run(options: &Options) -> Result<bool, Error> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.parent().unwrap_or(package);
    let snapshot = Snapshot::take(root)?;
    let found = find(&snapshot, package)?;
    let mut table = Table::read(package.join("MUTANTS.md"))?;
    let samples = options.sample.is_some();
    if options.check || samples {
        let accounted = report(&table.objections(&found.mutants), found.mutants.len());
        if options.check || !accounted {
            return Ok(accounted);
        }
    }
    let chosen = choose(options, &found, &table)?;
    if options.list {
        chosen.iter().for_each(|mutant| println!("{}", mutant.id()));
        println!("{} of {} mutants", chosen.len(), found.mutants.len());
        return Ok(true);
    }
    let folder = target(root).join("mutants");
    fs::create_dir_all(&folder).map_err(Error::io("make", &folder))?;
    let _lock = lock(&folder)?;
    let jobs = options.jobs.clamp(1, chosen.len());
    let workshops = (1..=jobs).map(|number| Workshop::set_up(&snapshot, &folder, number));
    let workshops = workshops.collect::<Result<Vec<_>, _>>()?;
    // A sample is to be noticed by what noticed it when the table was made.
    let known = |mutant: &Mutant| table.last(mutant).filter(|_| samples).map(Test::model);
    let needed = chosen.iter().filter_map(|mutant| mutant.witness.clone().or_else(|| known(mutant))).collect();
    let all_models = !samples && chosen.iter().any(|mutant| mutant.witness.is_none());
    let baseline = Baseline::measure(&snapshot, &workshops[0], needed, all_models, &folder.join("baseline.json"))?;
    let judge = Judge {
        sources: snapshot.sources(),
        times: baseline.times(),
        models: baseline.models(),
        grace: Duration::from_secs(options.grace),
        quick: if samples { Duration::ZERO } else { options.quick.map_or(Duration::MAX, Duration::from_secs) },
    };
    if chosen.len() == found.mutants.len() {
        table.forget();
    }
    let progress = Progress { found: &found, chosen: &chosen, samples, began: Instant::now() };
    let objections = progress.run(&judge, &workshops, table)?;
    Ok(report(&objections, chosen.len()))
}

/// All mutants, file by file.
fn find(snapshot: &Snapshot, package: &Path) -> Result<Found, Error> {
    let sources = snapshot.sources();
    let mut found = source::search(&sources)?;
    let by_hand = package.join("mutants.toml");
    let text = fs::read_to_string(&by_hand).map_err(Error::io("read", &by_hand))?;
    hand::add(&text, &sources, &mut found)?;
    found.mutants.sort_by(|a, b| a.file.cmp(&b.file));
    found.places.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}

fn choose(options: &Options, found: &Found, table: &Table) -> Result<Vec<Mutant>, Error> {
    let fits = |mutant: &Mutant| options.only.as_ref().is_none_or(|only| mutant.id().contains(only));
    let open = |mutant: &Mutant| table.get(mutant).is_none_or(|outcome| outcome.objection(mutant).is_some());
    let mut chosen: Vec<Mutant> = found.mutants.iter().filter(|mutant| fits(mutant)).cloned().collect();
    if options.resume && chosen.iter().any(open) {
        chosen.retain(open);
    }
    if let Some(count) = options.sample {
        // A model finds what it found before; a stress test may be out of luck.
        chosen.retain(|mutant| mutant.why.is_none() && mutant.witness.is_none());
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let seed = options.seed.unwrap_or_else(now);
        println!("seed {seed}");
        fastrand::Rng::with_seed(seed).shuffle(&mut chosen);
        chosen.truncate(count);
    }
    if chosen.is_empty() { Err(Error::NothingToDo) } else { Ok(chosen) }
}

/// Where cargo builds.
fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |target| root.join(target))
}

/// One run at a time has the copies.
fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let file = File::create(&path).map_err(Error::io("write", &path))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| Error::InUse(folder.to_owned()))?;
    Ok(file)
}

fn report(objections: &[String], count: usize) -> bool {
    objections.iter().for_each(|objection| println!("{objection}"));
    println!("{count} mutants, {} to be looked into", objections.len());
    objections.is_empty()
}

/// A run over some mutants.
struct Progress<'a> {
    found: &'a Found,
    chosen: &'a [Mutant],
    samples: bool,
    began: Instant,
}

/// What the workers share.
struct Shared {
    next: usize,
    done: usize,
    table: Table,
    objections: Vec<String>,
}

impl Progress<'_> {
    /// Judges every mutant; returns what is to be objected to.
    fn run(&self, judge: &Judge, workshops: &[Workshop], table: Table) -> Result<Vec<String>, Error> {
        let shared = Mutex::new(Shared { next: 0, done: 0, table, objections: Vec::new() });
        thread::scope(|scope| {
            let work = |workshop| self.work(judge, workshop, &shared);
            let workers: Vec<_> = workshops.iter().map(|workshop| scope.spawn(move || work(workshop))).collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        Ok(shared.into_inner().unwrap_or_else(PoisonError::into_inner).objections)
    }

    fn work(&self, judge: &Judge, workshop: &Workshop, shared: &Mutex<Shared>) -> Result<(), Error> {
        let shared = || shared.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let (mutant, last) = {
                let mut shared = shared();
                let Some(mutant) = self.chosen.get(shared.next) else { return Ok(()) };
                shared.next += 1;
                (mutant, shared.table.last(mutant).map(str::to_owned))
            };
            let began = Instant::now();
            let verdict = judge.judge(workshop, mutant, last.as_deref())?;
            let outcome = Outcome::of(&verdict, mutant.why.as_deref());
            self.note(&mut shared(), mutant, outcome, began.elapsed())?;
            if let Verdict::DoesNotCompile(error) = verdict {
                println!("    {error}");
            }
        }
    }

    fn note(&self, shared: &mut Shared, mutant: &Mutant, outcome: Outcome, took: Duration) -> Result<(), Error> {
        shared.done += 1;
        let elapsed = self.began.elapsed();
        let left = elapsed / shared.done as u32 * (self.chosen.len() - shared.done) as u32;
        let (done, all) = (shared.done, self.chosen.len());
        println!(
            "[{done}/{all}] {}, about {} left: {}: {outcome} ({:.0} s)",
            clock(elapsed),
            clock(left),
            mutant.id(),
            took.as_secs_f64()
        );
        if let Some(objection) = outcome.objection(mutant) {
            shared.objections.push(format!("`{}` {objection}", mutant.id()));
        }
        if self.samples {
            let before = shared.table.get(mutant).map(|before| before.objection(mutant));
            if before != Some(None) {
                shared.objections.push(format!("`{}` is not accounted for in MUTANTS.md", mutant.id()));
            }
            return Ok(());
        }
        shared.table.set(mutant, outcome);
        shared.table.write(&self.found.mutants, &self.found.places)
    }
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
