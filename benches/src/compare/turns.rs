//! Measures all cases with all contenders, in turn.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{
    CASES, Case, Machine,
    report::{Report, Row},
};
use crate::{
    BenchError, Contender, DashMap, Mutex, MutexView, Public, Ring, RingCall,
    drive::{self, Plan, Sample},
};

/// The contenders by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ContenderId {
    /// The mutex baseline with owned requests.
    Mutex,
    /// The mutex baseline with borrowed requests.
    MutexView,
    /// The baseline with maps in shards, with owned requests.
    #[value(name = "dashmap")]
    DashMap,
    /// The host from crates.io.
    #[value(name = "public-0.2.2")]
    Public,
    /// This project's host with borrowed requests.
    Ring,
    /// This project's host with owned requests.
    RingCall,
}

impl ContenderId {
    /// What the report calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mutex => Mutex::NAME,
            Self::MutexView => MutexView::NAME,
            Self::DashMap => DashMap::NAME,
            Self::Public => Public::NAME,
            Self::Ring => Ring::NAME,
            Self::RingCall => RingCall::NAME,
        }
    }

    fn measure(self, plugin: &std::path::Path, case: &Case, plan: Plan) -> Result<Sample, BenchError> {
        match self {
            Self::Mutex => drive::measure::<Mutex>(plugin, &case.shape, plan),
            Self::MutexView => drive::measure::<MutexView>(plugin, &case.shape, plan),
            Self::DashMap => drive::measure::<DashMap>(plugin, &case.shape, plan),
            Self::Public => drive::measure::<Public>(&Public::plugin()?, &case.shape, plan),
            Self::Ring => drive::measure::<Ring>(plugin, &case.shape, plan),
            Self::RingCall => drive::measure::<RingCall>(plugin, &case.shape, plan),
        }
    }
}

/// What to measure, and for how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who takes part. The first one is the reference of all ratios.
    pub contenders: Vec<ContenderId>,
    /// Parts of names of cases; a case with any of them is measured, and every case if there are none.
    pub filter: Vec<String>,
    /// How many turns.
    pub reps: usize,
    /// How long each measurement is.
    pub plan: Plan,
    /// How to get these figures again.
    pub command: String,
}

/// Measures; tells about its progress line by line through `progress`.
///
/// # Errors
/// A contender fails, the plugin cannot be built, or the options leave nothing to do.
pub fn run(options: &Options, mut progress: impl FnMut(&str)) -> Result<Report, BenchError> {
    let wanted = |case: &&Case| options.filter.is_empty() || options.filter.iter().any(|part| case.name.contains(part));
    let cases: Vec<&Case> = CASES.iter().filter(wanted).collect();
    for (what, nothing) in [
        ("no case has such a name", cases.is_empty()),
        ("no contenders", options.contenders.is_empty()),
        ("no repetitions", options.reps == 0),
    ] {
        if nothing {
            return Err(BenchError::Usage(format!("nothing to measure: {what}")));
        }
    }
    // Before the plugin is built, which is load of its own.
    let machine = Machine::here();
    let plugin: PathBuf = crate::plugin()?;
    let mut rows = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let mut samples = vec![Vec::with_capacity(options.reps); options.contenders.len()];
        for rep in 0..options.reps {
            let mut line = format!("[{}/{}] {} {}/{}", number + 1, cases.len(), case.name, rep + 1, options.reps);
            for (contender, samples) in options.contenders.iter().zip(&mut samples) {
                let sample = contender.measure(&plugin, case, options.plan)?;
                let shown = case.lines.first().and_then(|line| line.metric.of(&sample));
                line += &format!("  {} {:.1}", contender.name(), shown.unwrap_or(f64::NAN));
                samples.push(sample);
            }
            progress(&line);
        }
        let names: Vec<_> = options.contenders.iter().map(|id| id.name()).collect();
        rows.extend(case.lines.iter().map(|line| Row::new(case, line, &names, &samples)));
    }
    Ok(Report {
        machine,
        command: options.command.clone(),
        reps: options.reps,
        seconds: options.plan.time.as_secs_f64(),
        rows,
    })
}
