//! The process of one check: the hidden sub-command that `check` starts this executable with.

use std::{fs, io, path::Path};

use super::{
    catalog,
    harness::{Stop, arena, fault, tables},
    report,
    spec::Order,
};
use crate::error::CliError;

/// Runs one check. What it finds goes to the report; what this returns is about the harness alone.
pub(crate) fn run(order: &Path) -> Result<(), CliError> {
    let read = |source| CliError::read(order, source);
    let text = fs::read(order).map_err(read)?;
    let order: Order = serde_json::from_slice(&text).map_err(|error| read(io::Error::other(error)))?;
    let check = catalog::find_any(&order.check).ok_or_else(|| CliError::UnknownCheck { name: order.check.clone() })?;
    report::open(&order.report).map_err(|source| CliError::write(&order.report, source))?;
    set_up().map_err(|source| CliError::Harness { source })?;
    if let Some(config) = order.config.clone() {
        tables::configure(config);
    }
    match (check.run)(&order) {
        Ok(()) | Err(Stop::Reported) => report::done(),
        Err(Stop::Harness(source)) => return Err(CliError::Harness { source }),
    }
    // Threads of the plugin may still run; they must not meet destructors on their way.
    std::process::exit(0)
}

fn set_up() -> io::Result<()> {
    one_heap();
    no_core();
    arena::set_up()?;
    fault::install()
}

/// One heap for all threads, which the allocator can tell the size of.
fn one_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: before there are other threads.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1)
    };
}

/// A plugin that crashes here does so on purpose, so to speak: no core file.
fn no_core() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct lives longer than the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
}
