//! `inspect`: what a plugin is, what it exports and what it needs.
//!
//! What the file says is read without running any of it ([`file`]). What the plugin says of itself needs its code to run, which it
//! does in a process of its own: a plugin that dies of being loaded is a finding.

mod file;

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use self::file::Facts;
use crate::{
    check::{
        catalog,
        harness::{Stop, plugin::Plugin},
        in_own_process, report,
        spec::Order,
        suite::extensions::KNOWN,
        verdict::Verdict,
    },
    error::{CliError, Outcome},
    request_arg,
};

const EXAMPLES: &str = "\
Examples:
  nylon-ring inspect libgreeter.so
  nylon-ring inspect libgreeter.so --json | jq .exports

To load a library runs its constructors: do not inspect what you would not run.
Exit codes: 0 a plugin; 1 it cannot be used as one; 2 the file could not be read.";

/// Says what a plugin is, what it exports and what it needs.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The plugin's shared library
    plugin: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    /// Do not load it: say only what the file says
    #[arg(long)]
    no_load: bool,
}

/// What the plugin says of itself, once loaded.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Said {
    name: String,
    version: String,
    abi_version: u32,
    extensions: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    file: PathBuf,
    #[serde(flatten)]
    facts: Facts,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<Said>,
    can_be_unloaded: bool,
    why_not_unloaded: Vec<&'static str>,
    problems: Vec<String>,
}

/// Inspects a file.
pub(crate) fn run(args: &Args) -> Result<Outcome, CliError> {
    let path = request_arg::plugin(&args.plugin)?;
    let facts = file::read(&path)?;
    let mut problems = facts.problems();
    let mut plugin = None;
    if problems.is_empty() && !args.no_load {
        let order = Order::to_load(path);
        let verdict = Verdict::of(&catalog::SAY, in_own_process(&catalog::SAY, &order, &BTreeSet::new())?);
        problems.extend(verdict.findings.iter().map(|finding| format!("{}; {}", finding.what, finding.next)));
        plugin = verdict.notes.first().and_then(|text| serde_json::from_str(text).ok());
    }
    let why_not_unloaded = why_not_unloaded(&facts, plugin.as_ref());
    let report = Report {
        file: args.plugin.clone(),
        facts,
        can_be_unloaded: why_not_unloaded.is_empty() && plugin.is_some(),
        plugin,
        why_not_unloaded,
        problems,
    };
    let mut out = io::stdout().lock();
    let printed = if args.json {
        serde_json::to_string_pretty(&report).map_err(io::Error::other).and_then(|text| writeln!(out, "{text}"))
    } else {
        print(&mut out, &report)
    };
    printed.map_err(|source| CliError::Print { source })?;
    Ok(if report.problems.is_empty() { Outcome::Good } else { Outcome::Bad })
}

fn why_not_unloaded(facts: &Facts, said: Option<&Said>) -> Vec<&'static str> {
    let mut why = Vec::new();
    if said.is_some_and(|said| !said.extensions.iter().any(|id| id == "nylon.quiesce/1")) {
        why.push("it does not offer nylon.quiesce/1");
    }
    if facts.no_delete {
        why.push("it is linked with -z nodelete");
    }
    if facts.unique_symbols > 0 {
        why.push("it has GNU unique symbols, which pin it (build with -fno-gnu-unique)");
    }
    if facts.runtime == Some("Go") {
        why.push("the Go runtime cannot be unloaded");
    }
    why
}

fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let facts = &report.facts;
    writeln!(out, "{}", report.file.display())?;
    if let Some(said) = &report.plugin {
        writeln!(out, "  plugin      {} {}", said.name, said.version)?;
        writeln!(out, "  ABI         version {}", said.abi_version)?;
        let offers = if said.extensions.is_empty() { "no extensions".to_owned() } else { said.extensions.join(", ") };
        writeln!(out, "  offers      {offers}")?;
    }
    writeln!(out, "  file        {}, {}", facts.format, facts.architecture)?;
    writeln!(out, "  language    {}", facts.runtime.unwrap_or("not known (C, or stripped)"))?;
    writeln!(out, "  exports     {}", list(&facts.exports))?;
    writeln!(out, "  needs       {}", list(&facts.needed))?;
    writeln!(out, "  undefined   {} symbols, for these libraries to define", facts.undefined)?;
    if report.plugin.is_some() {
        let unloading = if report.can_be_unloaded {
            "possible".to_owned()
        } else {
            format!("no: {}", report.why_not_unloaded.join("; "))
        };
        writeln!(out, "  unloading   {unloading}")?;
    }
    for problem in &report.problems {
        writeln!(out, "  PROBLEM     {problem}")?;
    }
    Ok(())
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Loads a plugin and says what it says of itself. In a process of its own.
pub(crate) fn say(order: &Order) -> Result<(), Stop> {
    let plugin = Plugin::load(&order.plugin)?;
    report::phase("nylon_ring_get_extension_v1");
    let extensions = KNOWN.iter().filter(|(id, ..)| !plugin.extension(id).is_null());
    let said = Said {
        extensions: extensions.map(|(id, ..)| id.to_string_lossy().into_owned()).collect(),
        abi_version: nylon_ring::NR_ABI_VERSION,
        name: plugin.name,
        version: plugin.version,
    };
    report::note(serde_json::to_string(&said).map_err(io::Error::from)?);
    Ok(())
}
