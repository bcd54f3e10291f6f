//! `check`: whether a plugin keeps the contract.
//!
//! Each check runs in a process of its own ([`process`]), so that a crash or a hang is a finding and not the end. There, a host
//! of the tool's own ([`harness`]) speaks to the plugin at the level of the ABI, and sees what a real host would drop and count.
//! What is found goes to a report ([`report`]), is weighed ([`verdict`]) and printed ([`print`]).

pub(crate) mod catalog;
pub(crate) mod child;
pub(crate) mod code;
pub(crate) mod harness;
mod print;
mod process;
pub(crate) mod report;
pub(crate) mod spec;
pub(crate) mod suite;
pub(crate) mod verdict;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use self::{
    catalog::{ALL, Check},
    code::Code,
    harness::{book::Shape, request::Request},
    process::Left,
    spec::{Order, Spec},
    verdict::Verdict,
};
use crate::{
    error::{CliError, Outcome},
    request_arg::{self, Target},
};

const EXAMPLES: &str = "\
Examples:
  nylon-ring check libgreeter.so
  nylon-ring check libgreeter.so --request 'GET /hello' --request 'POST /users' --stream 'GET /events'
  nylon-ring check libgreeter.so --only threads       one check, as often as you like
  nylon-ring check libgreeter.so --json > report.json
  nylon-ring check --list                             what is checked

A finding says what was wrong, what to do about it, and how to run that check again. Advice is about a host that breaks the
contract first, as none should, or that shares one image of a library; --strict makes findings of it.

Exit codes: 0 nothing found; 1 findings; 2 the checks could not be run.";

/// Checks whether a plugin keeps the contract.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The plugin's shared library
    #[arg(required_unless_present = "list")]
    plugin: Option<PathBuf>,
    /// A request that has one answer; may be given several times [default: 'GET /hello']
    #[arg(long = "request", value_name = "METHOD /PATH")]
    requests: Vec<String>,
    /// A request that is answered by a stream; may be given several times
    #[arg(long = "stream", value_name = "METHOD /PATH")]
    streams: Vec<String>,
    #[command(flatten)]
    parts: request_arg::Parts,
    /// How long the plugin may take for an answer
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// What `nylon.config/1` gives the plugin
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Run this check alone; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Advice counts as a finding
    #[arg(long)]
    strict: bool,
    /// List the checks
    #[arg(long)]
    list: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the checks.
pub(crate) fn run(args: &Args) -> Result<Outcome, CliError> {
    let Some(plugin) = args.plugin.as_deref().filter(|_| !args.list) else {
        print::list()?;
        return Ok(Outcome::Good);
    };
    let order = order(args, plugin)?;
    let checks = chosen(&args.only)?;
    let mut printer = print::Printer::new(args.json, plugin)?;
    let mut known = BTreeSet::new();
    let mut shut: Option<&str> = None;
    for check in checks {
        let mut verdict = match shut {
            Some(gate) => Verdict::not_run(check, gate),
            None => Verdict::of(check, in_own_process(check, &order, &known)?),
        };
        verdict.weigh(&known, args.strict);
        known.extend(verdict.findings.iter().map(|finding| finding.code));
        if shut.is_none() && check.gate && verdict.stops_the_rest() {
            shut = Some(check.name);
        }
        printer.verdict(verdict)?;
    }
    printer.end()
}

/// Runs one check in a process of its own.
pub(crate) fn in_own_process(check: &Check, order: &Order, known: &BTreeSet<Code>) -> Result<Left, CliError> {
    let directory = tempfile::Builder::new()
        .prefix("nylon-ring-check-")
        .tempdir()
        .map_err(|source| CliError::write(std::env::temp_dir(), source))?;
    process::run(check, order, known, directory.path())
}

fn order(args: &Args, plugin: &Path) -> Result<Order, CliError> {
    let (headers, body) = (args.parts.headers()?, args.parts.body()?);
    let spec = |shape, text: &str| {
        let Target { method, path, query } = Target::parse(text)?;
        Ok(Spec { shape, request: Request { method, path, query, headers: headers.clone(), body: body.clone() } })
    };
    let mut specs: Vec<Spec> =
        args.requests.iter().map(|text| spec(Shape::Unary, text)).collect::<Result<_, CliError>>()?;
    for text in &args.streams {
        specs.push(spec(Shape::Stream, text)?);
    }
    if specs.is_empty() {
        specs.push(spec(Shape::Unary, "GET /hello")?);
    }
    let config = args.config.as_ref().map(|path| fs::read(path).map_err(|source| CliError::read(path, source)));
    let order = Order::to_load(request_arg::plugin(plugin)?);
    Ok(Order { specs, timeout: args.timeout, config: config.transpose()?, ..order })
}

fn chosen(only: &[String]) -> Result<Vec<&'static Check>, CliError> {
    if only.is_empty() {
        return Ok(ALL.iter().collect());
    }
    only.iter().map(|name| catalog::find(name).ok_or_else(|| CliError::UnknownCheck { name: name.clone() })).collect()
}
