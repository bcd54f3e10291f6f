//! Where mutants are built and run: copies of the checkout, so that the checkout itself is never touched.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use wait_timeout::ChildExt;

use crate::{error::Error, mutant::Sources};

/// The package of the models, and their executable.
pub const MODELS: (&str, &str) = ("nylon-ring-loom-tests", "models");
const RUNTIME: &str = "nylon-ring-runtime";
const PRODUCTION: &str = "ring/src/";
/// Kilobytes of address space: a mutant that never ends may also never stop allocating.
const MEMORY: u64 = 4 << 20;

/// One test: a model, or the witness of a mutant that no model sees.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    #[serde(default = "runtime")]
    pub package: String,
    /// The file in `tests`; the package's unit tests if there is none.
    pub test: Option<String>,
    pub name: String,
}

fn runtime() -> String {
    RUNTIME.to_owned()
}

impl Test {
    pub fn model(name: &str) -> Self {
        Self { package: MODELS.0.to_owned(), test: Some(MODELS.1.to_owned()), name: name.to_owned() }
    }

    pub fn is_model(&self) -> bool {
        self.package == MODELS.0
    }

    /// Whether nothing but what is in [`Snapshot::digest`] matters to it.
    pub fn is_of_the_ring(&self) -> bool {
        self.is_model() || self.package == RUNTIME
    }

    /// How the table names it: a model by its name, a witness by its command.
    pub fn title(&self) -> String {
        let Self { package, test, name } = self;
        match test {
            _ if self.is_model() => name.clone(),
            Some(test) => format!("cargo test -p {package} --test {test} {name}"),
            None => format!("cargo test -p {package} --lib {name}"),
        }
    }
}

/// All files of a checkout, at one moment.
#[derive(Debug)]
pub struct Snapshot(BTreeMap<PathBuf, Vec<u8>>);

impl Snapshot {
    /// The files that git tracks, and those that it does not ignore.
    pub fn take(root: &Path) -> Result<Self, Error> {
        let mut git = Command::new("git");
        git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let names = output(&mut git)?;
        let names = names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
        // A file that was deleted is still tracked.
        let names = names.filter(|name| root.join(name).is_file());
        let read = |name: PathBuf| Ok((name.clone(), fs::read(root.join(&name)).map_err(Error::io("read", &name))?));
        names.map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The production code that mutants are made of.
    pub fn sources(&self) -> Sources {
        let file = |(path, bytes): (&PathBuf, &Vec<u8>)| {
            let name = path.to_str()?.strip_prefix(PRODUCTION)?;
            name.ends_with(".rs").then(|| (name.to_owned(), String::from_utf8_lossy(bytes).into_owned()))
        };
        self.0.iter().filter_map(file).collect()
    }

    /// Tells whether anything has changed that the models, or tests of the ring, are made of.
    pub fn digest(&self) -> u64 {
        let compiled = |path: &Path| {
            let tool = path.starts_with("loom-tests/src/bin")
                || path.ends_with("mutants.toml")
                || path.ends_with("MUTANTS.md");
            let parts = ["abi", "ring", "loom-tests", "Cargo.toml", "Cargo.lock"];
            !tool && parts.iter().any(|part| path.starts_with(part))
        };
        let mut hasher = DefaultHasher::new();
        self.0.iter().filter(|(path, _)| compiled(path)).for_each(|file| file.hash(&mut hasher));
        hasher.finish()
    }
}

/// One copy of the checkout.
#[derive(Debug)]
pub struct Workshop {
    tree: PathBuf,
    /// Where cargo builds for loom, and for witnesses.
    built: [PathBuf; 2],
    log: PathBuf,
}

/// An executable with tests, or what the compiler has against it.
pub enum Built {
    Tests(Tests),
    Refused(String),
}

/// An executable with tests, and where it wants to be run.
pub struct Tests {
    executable: PathBuf,
    folder: PathBuf,
}

/// How a test ended.
pub struct Run {
    /// `None` if it was stopped.
    status: Option<ExitStatus>,
    pub output: String,
    pub took: Duration,
}

impl Run {
    /// Whether the test was run, and nothing failed.
    pub fn passed(&self) -> bool {
        self.status.is_some_and(|status| status.success()) && self.output.contains("1 passed")
    }

    /// Whether there was such a test.
    pub fn ran(&self) -> bool {
        !self.output.contains("running 0 tests")
    }

    pub fn stopped(&self) -> bool {
        self.status.is_none()
    }

    /// Whether a signal ended it.
    pub fn crashed(&self) -> bool {
        self.status.is_some_and(|status| status.signal().is_some())
    }
}

impl Workshop {
    /// Copies the checkout into a folder of its own; what was built there before is kept.
    pub fn set_up(snapshot: &Snapshot, folder: &Path, number: usize) -> Result<Self, Error> {
        let path = |kind: &str| folder.join(format!("{number}{kind}"));
        let workshop = Self { tree: path(""), built: [path(".loom"), path(".tests")], log: path(".log") };
        if workshop.tree.exists() {
            fs::remove_dir_all(&workshop.tree).map_err(Error::io("empty", &workshop.tree))?;
        }
        for (name, bytes) in &snapshot.0 {
            write(&workshop.tree.join(name), bytes)?;
        }
        Ok(workshop)
    }

    /// Writes production files.
    pub fn write(&self, files: &Sources) -> Result<(), Error> {
        let place = |file: &str| self.tree.join(PRODUCTION).join(file);
        files.iter().try_for_each(|(file, text)| write(&place(file), text.as_bytes()))
    }

    /// A line of the copy, for a message that names it.
    pub fn line(&self, file: &str, line: usize) -> Option<String> {
        let text = fs::read_to_string(self.tree.join(file)).ok()?;
        text.lines().nth(line.checked_sub(1)?).map(str::to_owned)
    }

    /// Builds the executable that has this test.
    pub fn build(&self, test: &Test) -> Result<Built, Error> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.tree).env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("RUSTFLAGS");
        cargo.env("CARGO_TARGET_DIR", &self.built[usize::from(!test.is_model())]);
        cargo.args(["test", "--no-run", "--message-format=json-render-diagnostics", "-p", &test.package]);
        match &test.test {
            Some(name) => cargo.args(["--test", name]),
            None => cargo.arg("--lib"),
        };
        if test.is_model() {
            cargo.arg("--release").env("RUSTFLAGS", "--cfg nylon_loom");
            // As `make loom` builds them, and incrementally: a mutant is a line that has changed.
            cargo.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_DEBUG", "0");
            cargo
                .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
                .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true");
            cargo.env("CARGO_PROFILE_RELEASE_INCREMENTAL", "true");
        }
        let output = cargo.stdin(Stdio::null()).output().map_err(|source| start(&cargo, source))?;
        if !output.status.success() {
            return Ok(Built::Refused(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let message: serde_json::Value = serde_json::from_str(line)?;
            let (executable, manifest) = (&message["executable"], &message["manifest_path"]);
            if let (Some(executable), Some(manifest), Some(true)) =
                (executable.as_str(), manifest.as_str(), message["profile"]["test"].as_bool())
            {
                let folder = Path::new(manifest).parent().unwrap_or(&self.tree).to_owned();
                return Ok(Built::Tests(Tests { executable: executable.into(), folder }));
            }
        }
        Ok(Built::Refused(format!("cargo built no executable for `{}`", test.title())))
    }

    /// Runs one test in a process of its own.
    pub fn run(&self, tests: &Tests, name: &str, limit: Duration) -> Result<Run, Error> {
        let log = File::create(&self.log).map_err(Error::io("write", &self.log))?;
        let other = log.try_clone().map_err(Error::io("write", &self.log))?;
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"")]).arg(&tests.executable);
        command.args(["--exact", name, "--nocapture", "--test-threads=1"]).current_dir(&tests.folder);
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(log).stderr(other).spawn();
        let mut child = child.map_err(|source| start(&command, source))?;
        let status = child.wait_timeout(limit).map_err(|source| start(&command, source))?;
        if status.is_none() {
            // It may have ended just now: then there is nothing to stop.
            let _ = child.kill();
            let _ = child.wait();
        }
        let output = fs::read(&self.log).map_err(Error::io("read", &self.log))?;
        Ok(Run { status, output: String::from_utf8_lossy(&output).into_owned(), took: began.elapsed() })
    }

    /// The models, by name.
    pub fn models(&self, tests: &Tests) -> Result<Vec<String>, Error> {
        let list = output(Command::new(&tests.executable).args(["--list", "--format", "terse"]))?;
        Ok(list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
    }
    File::create(path).and_then(|mut file| file.write_all(bytes)).map_err(Error::io("write", path))
}

fn start(command: &Command, source: std::io::Error) -> Error {
    Error::Start { program: command.get_program().to_string_lossy().into_owned(), source }
}

/// What a command prints.
fn output(command: &mut Command) -> Result<String, Error> {
    let output = command.stdin(Stdio::null()).output().map_err(|source| start(command, source))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Command { command: format!("{command:?}"), stderr });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
