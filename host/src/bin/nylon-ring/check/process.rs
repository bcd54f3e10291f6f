//! Starts the process of one check, and sees how it ends.

use std::{
    collections::BTreeSet,
    env,
    fs::{self, File},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{catalog::Check, code::Code, report::Line, spec::Order};
use crate::error::CliError;

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Exit(i32),
    Signal(i32),
    /// It was killed: a step took longer than this.
    Hang(Duration),
}

/// What a process left.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) end: End,
    pub(crate) lines: Vec<Line>,
    /// What the plugin wrote to the standard streams, the last of it.
    pub(crate) output: String,
    pub(crate) took: Duration,
}

/// How long one step of a check may take, where the plugin may take `timeout` for an answer.
fn limit(timeout: Duration) -> Duration {
    timeout * 6 + Duration::from_secs(5)
}

/// Runs one check in a process of its own.
pub(crate) fn run(check: &Check, base: &Order, known: &BTreeSet<Code>, directory: &Path) -> Result<Left, CliError> {
    let place = |suffix: &str| directory.join(format!("{}.{suffix}", check.name));
    let (order_file, report_file, output_file) = (place("order"), place("report"), place("output"));
    let order =
        Order { check: check.name.to_owned(), known: known.clone(), report: report_file.clone(), ..base.clone() };
    let text = serde_json::to_vec(&order).map_err(|error| CliError::Harness { source: error.into() })?;
    fs::write(&order_file, text).map_err(|source| CliError::write(&order_file, source))?;
    File::create(&report_file).map_err(|source| CliError::write(&report_file, source))?;
    let output = File::create(&output_file).map_err(|source| CliError::write(&output_file, source))?;
    let errors = output.try_clone().map_err(|source| CliError::write(&output_file, source))?;

    let harness = |source| CliError::Harness { source };
    let mut command = Command::new(env::current_exe().map_err(harness)?);
    // What threads keep for themselves of the memory that was freed would look like memory in use.
    command.env("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0");
    command.arg("one-check").arg(&order_file).stdin(Stdio::null()).stdout(output).stderr(errors);
    let began = Instant::now();
    let mut child = command.spawn().map_err(harness)?;
    let end = wait(&mut child, &report_file, limit(base.timeout)).map_err(harness)?;
    let took = began.elapsed();
    let report = fs::read_to_string(&report_file).map_err(|source| CliError::read(&report_file, source))?;
    let lines = report.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let output = fs::read(&output_file).map_err(|source| CliError::read(&output_file, source))?;
    Ok(Left { end, lines, output: last_of(&output), took })
}

/// Waits for the process as long as it goes on reporting. How long all of it takes depends on how much it was asked to do, and on the
/// machine.
fn wait(child: &mut Child, report: &Path, limit: Duration) -> std::io::Result<End> {
    let (mut written, mut since) = (0, Instant::now());
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(end(status));
        }
        // A plugin can remove the report; then nothing more is written to it.
        let now = fs::metadata(report).map_or(written, |report| report.len());
        if now != written {
            (written, since) = (now, Instant::now());
        } else if since.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(End::Hang(limit));
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exit(code),
        (None, signal) => End::Signal(signal.unwrap_or(0)),
    }
}

/// The last lines, without what is not text.
fn last_of(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(6)).map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

/// The name of a signal.
pub(crate) fn signal_name(signal: i32) -> String {
    let name = match signal {
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGBUS => "SIGBUS",
        libc::SIGABRT => "SIGABRT",
        libc::SIGILL => "SIGILL",
        libc::SIGFPE => "SIGFPE",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSYS => "SIGSYS",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGTERM => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}
