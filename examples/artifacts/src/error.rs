//! What can go wrong, and what to do about it.

use std::{io, path::PathBuf};

/// Why a shared object is not there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ArtifactError {
    /// `cargo` itself could not be started.
    #[error(
        "cannot start `{cargo}` to build `{package}`: {reason}; install Rust, or put `{file}` next to the executable"
    )]
    CargoMissing {
        /// The program that was tried.
        cargo: String,
        /// The package to build.
        package: String,
        /// The library's file name.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// `cargo build` failed.
    #[error("`cargo build -p {package}` failed:\n{stderr}")]
    CargoFailed {
        /// The package to build.
        package: String,
        /// What cargo wrote.
        stderr: String,
    },
    /// `cargo build` succeeded and the library is not where it should be.
    #[error(
        "`cargo build -p {package}` made no `{}`; its Cargo.toml needs `crate-type = [\"cdylib\"]` and a lib name equal \
         to the package's",
        path.display()
    )]
    NoCdylib {
        /// The package that was built.
        package: String,
        /// Where its library should be.
        path: PathBuf,
    },
    /// There is no C or C++ compiler.
    #[error(
        "no C or C++ compiler ({reason}); install one (Debian: `apt-get install gcc g++`, Fedora: `dnf install gcc-c++`, \
         macOS: `xcode-select --install`, Windows: MinGW-w64) or name it in `CC` or `CXX`"
    )]
    CompilerMissing {
        /// What was tried.
        reason: String,
    },
    /// The C compiler found is one that the C plugins are not written for.
    #[error("`{compiler}` cannot build C11 plugins with threads; set `CC` to gcc or clang")]
    CompilerUnfit {
        /// The compiler.
        compiler: String,
    },
    /// There is no compiler for this language.
    #[error("no {name} in `{}/toolchains`; get it by: make toolchains", target_dir.display())]
    ToolchainMissing {
        /// The compiler: `go` or `zig`.
        name: &'static str,
        /// Cargo's target directory.
        target_dir: PathBuf,
    },
    /// The compiler rejected the source.
    #[error("`{compiler}` failed on `{}`:\n{stderr}", source_file.display())]
    CompileFailed {
        /// The compiler.
        compiler: String,
        /// The C file.
        source_file: PathBuf,
        /// What the compiler wrote.
        stderr: String,
    },
    /// A file could not be read or written.
    #[error("cannot {action} `{}`: {reason}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

impl ArtifactError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |e| Self::Io { action, path, reason: e.to_string() }
    }
}
