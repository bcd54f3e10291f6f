//! What can go wrong with the tool itself. That a mutant survives is no error.

use std::{io, path::PathBuf};

/// Why no verdict can be given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot start `{program}`: {source}")]
    Start { program: String, source: io::Error },
    #[error("`{command}` failed:\n{stderr}")]
    Command { command: String, stderr: String },
    #[error("`{}` is in use by another run: wait for it, or set CARGO_TARGET_DIR", .0.display())]
    InUse(PathBuf),
    #[error("there is no file `ring/src/{0}`")]
    NoFile(String),
    #[error("ring/src/{file} cannot be parsed: {source}")]
    Parse { file: String, source: syn::Error },
    #[error("the source has what this tool does not understand:\n{}", .0.join("\n"))]
    NotUnderstood(Vec<String>),
    #[error("loom-tests/mutants.toml: {0}")]
    Toml(#[from] toml::de::Error),
    #[error("loom-tests/mutants.toml is stale or wrong:\n{}", .0.join("\n"))]
    Stale(Vec<String>),
    #[error("loom-tests/MUTANTS.md, line {line}: not a row of this tool's table: {text}")]
    Table { line: usize, text: String },
    #[error("the source does not build as it is:\n{0}")]
    Broken(String),
    #[error("fails although nothing was changed: {test}\n{output}")]
    Fails { test: String, output: String },
    #[error("no mutant fits: see --list")]
    NothingToDo,
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
