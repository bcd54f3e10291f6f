//! Where and when the figures were taken.

use std::{fs, process::Command, thread, time::SystemTime};

use serde::{Deserialize, Serialize};

/// A machine at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// How many threads run at the same time.
    pub cores: usize,
    /// The operating system and its kernel's version.
    pub kernel: String,
    /// The compiler.
    pub rustc: String,
    /// The commit of the sources; ends in `+` when they were changed since.
    pub commit: String,
    /// When the run started, in UTC.
    pub date: String,
    /// How many threads wanted a core in the minute before; anything but near 0 makes the figures worthless.
    pub load: String,
}

impl Machine {
    /// This one, now. What cannot be found out is `unknown`.
    #[must_use]
    pub fn here() -> Self {
        Self {
            cpu: cpu().unwrap_or_else(unknown),
            cores: thread::available_parallelism().map_or(0, usize::from),
            kernel: output("uname", &["-sr"]).unwrap_or_else(|| std::env::consts::OS.to_owned()),
            rustc: output("rustc", &["--version"]).unwrap_or_else(unknown),
            commit: commit().unwrap_or_else(unknown),
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            load: load().unwrap_or_else(unknown),
        }
    }

    /// Whether other work was going on.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.load.parse::<f64>().is_ok_and(|load| load > 0.5)
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn cpu() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn load() -> Option<String> {
    let averages = fs::read_to_string("/proc/loadavg").ok()?;
    averages.split(' ').next().map(str::to_owned)
}

fn commit() -> Option<String> {
    let here = env!("CARGO_MANIFEST_DIR");
    let hash = output("git", &["-C", here, "rev-parse", "--short=12", "HEAD"])?;
    let changes = output("git", &["-C", here, "status", "--porcelain"])?;
    Some(if changes.is_empty() { hash } else { hash + "+" })
}

/// What a program writes, if it succeeds.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
