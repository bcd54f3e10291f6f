//! `misbehaving`: writes and builds a plugin that does everything wrong, for those who write a host.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::Command,
};

use crate::{
    embedded,
    error::{CliError, Outcome},
};

const EXAMPLES: &str = "\
Examples:
  nylon-ring misbehaving --out probe
  nylon-ring call probe/libmisbehaving.so GET /paths
  nylon-ring call probe/libmisbehaving.so POST '/duplicates?n=1000' -d 'mine'

Load probe/libmisbehaving.so into your own host, and do what probe/README.md says.";

/// Writes and builds a plugin that breaks every rule on request, to try a host with.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The folder that it is written to
    #[arg(long, value_name = "FOLDER", default_value = "misbehaving")]
    out: PathBuf,
    /// Write the sources, and do not compile them
    #[arg(long)]
    no_build: bool,
}

const SOURCES: [&str; 4] = ["misbehaving.c", "misbehaving_core.h", "misbehaving_results.h", "misbehaving_state.h"];

/// Writes it.
pub(crate) fn run(args: &Args) -> Result<Outcome, CliError> {
    let files = SOURCES.iter().map(|name| (*name, embedded::C_EXAMPLES.get_file(name)));
    let header = ("nylon_ring.h", embedded::ABI.get_file("nylon_ring.h"));
    for (name, file) in files.chain([header]) {
        let missing = || CliError::Project(format!("{name} is missing from this build of the tool"));
        embedded::write(&args.out.join(name), file.ok_or_else(missing)?.contents())?;
    }
    embedded::fill("misbehaving", &args.out, &[])?;
    if !args.no_build {
        build(args)?;
    }
    let built = if args.no_build { "is not built yet: make does it" } else { "is built: libmisbehaving.so" };
    writeln!(
        io::stdout(),
        "{} has the plugin, which {built}. README.md there says how to try a host with it.",
        args.out.display()
    )
    .map_err(|source| CliError::Print { source })?;
    Ok(Outcome::Good)
}

fn build(args: &Args) -> Result<(), CliError> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let output = Command::new(&compiler)
        .current_dir(&args.out)
        .args(["-std=c11", "-O2", "-g", "-fPIC", "-pthread", "-I.", "-shared", "-o", "libmisbehaving.so", "misbehaving.c"])
        .output()
        .map_err(|error| {
            CliError::Project(format!(
                "there is no C compiler {compiler} ({error}); install one (apt-get install gcc libc6-dev), name it by CC, or \
                 use --no-build"
            ))
        })?;
    if output.status.success() {
        return Ok(());
    }
    Err(CliError::Project(format!("{compiler} failed:\n{}", String::from_utf8_lossy(&output.stderr))))
}
