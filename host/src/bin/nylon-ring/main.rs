//! The command line tool `nylon-ring`: look into plugins, check them, call them, measure them, begin new ones, and watch hosts.
//!
//! | sub-command | file |
//! | --- | --- |
//! | `inspect` | `inspect.rs` |
//! | `check` | `check/`: one file a group of checks in `check/suite/`, the host that they use in `check/harness/` |
//! | `call` | `call.rs` |
//! | `bench` | `bench.rs` |
//! | `new` | `new.rs`, the files that it writes in `templates/` |
//! | `misbehaving` | `misbehaving.rs` |
//! | `top` | `top.rs` |
//!
//! Exit codes: 0 good, 1 something is wrong with the plugin or its answer, 2 the command could not be carried out.

mod bench;
mod call;
mod check;
mod embedded;
mod error;
mod inspect;
mod misbehaving;
mod new;
mod request_arg;
mod top;

use std::{io::Write as _, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::error::{CliError, Outcome};

const EXAMPLES: &str = "\
Examples:
  nylon-ring new greeter --lang rust        begin a plugin that builds, tests and passes `check`
  nylon-ring inspect libgreeter.so          what it is, what it exports and needs
  nylon-ring check libgreeter.so            does it keep the contract?
  nylon-ring call libgreeter.so GET /hello  one call, the answer on standard output
  nylon-ring bench libgreeter.so GET /hello -c 64 -d 5s
  nylon-ring misbehaving --out probe        a plugin that does everything wrong, to try a host with
  nylon-ring top /dev/shm/gateway.page      what a running host does

Exit codes: 0 good; 1 something is wrong with the plugin or its answer; 2 the command could not be carried out.";

/// Looks into nylon-ring plugins, checks, calls and measures them, begins new ones, and watches hosts.
#[derive(Debug, Parser)]
#[command(name = "nylon-ring", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Inspect(inspect::Args),
    Check(check::Args),
    Call(call::Args),
    Bench(bench::Args),
    New(new::Args),
    Misbehaving(misbehaving::Args),
    Top(top::Args),
    /// One check, in this process: started by `check`.
    #[command(hide = true)]
    OneCheck {
        order: std::path::PathBuf,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Inspect(args) => inspect::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Call(args) => call::run(args),
        Command::Bench(args) => bench::run(args),
        Command::New(args) => new::run(&args),
        Command::Misbehaving(args) => misbehaving::run(&args),
        Command::Top(args) => top::run(args),
        Command::OneCheck { order } => check::child::run(&order).map(|()| Outcome::Good),
    };
    match outcome {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Bad) => ExitCode::from(1),
        Err(error) => complain(&error),
    }
}

fn complain(error: &CliError) -> ExitCode {
    if let CliError::Print { source } = error
        && source.kind() == std::io::ErrorKind::BrokenPipe
    {
        return ExitCode::SUCCESS; // as in `nylon-ring check … | head`
    }
    // Where standard error cannot be written to, nobody is there to be told.
    let _unheard = writeln!(std::io::stderr(), "nylon-ring: {error}");
    ExitCode::from(2)
}
