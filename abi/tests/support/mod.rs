//! Compiling C and C++ in tests.
//!
//! The compiler is the one that the `cc` crate finds (`CC` and `CXX` override it). A missing one fails the test.

use std::{
    env::consts::{ARCH, OS},
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The language to compile a source file as.
#[derive(Debug, Copy, Clone, PartialEq)]
pub enum Language {
    C11,
    Cxx17,
}

/// Where the committed header is.
pub fn include_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include")
}

/// A C source of the tests.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c").join(name)
}

/// Compiles `source` to the program `program`, every warning an error, with the header from `include`.
pub fn compile(language: Language, source: &Path, include: &Path, program: &Path) -> Output {
    let (standard, kind) = match language {
        Language::C11 => ("-std=c11", "c"),
        Language::Cxx17 => ("-std=c++17", "c++"),
    };
    let mut command = compiler(language);
    command
        .args([standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .arg("-I")
        .arg(include)
        .args(["-x", kind])
        .arg(source)
        .arg("-o")
        .arg(program);
    command.output().unwrap_or_else(|error| {
        let compiler = command.get_program().display();
        panic!("cannot start {compiler} ({error}); install gcc or clang with C++, or set CC and CXX")
    })
}

/// Runs `program`.
pub fn run(program: &Path) -> Output {
    let mut command = Command::new(program);
    command.output().unwrap_or_else(|error| panic!("cannot run {}: {error}", program.display()))
}

/// What a process wrote to standard error.
pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn compiler(language: Language) -> Command {
    let target = match OS {
        "macos" => format!("{ARCH}-apple-darwin"),
        "windows" if cfg!(target_env = "gnu") => format!("{ARCH}-pc-windows-gnu"),
        "windows" => format!("{ARCH}-pc-windows-msvc"),
        _ if cfg!(target_env = "musl") => format!("{ARCH}-unknown-linux-musl"),
        _ => format!("{ARCH}-unknown-linux-gnu"),
    };
    let tool = cc::Build::new()
        .cpp(language == Language::Cxx17)
        .target(&target)
        .host(&target)
        .opt_level(1)
        .debug(false)
        .cargo_output(false)
        .try_get_compiler()
        .unwrap_or_else(|error| {
            panic!("no compiler for {language:?} ({error}); install gcc or clang, or set CC and CXX")
        });
    assert!(!tool.is_like_msvc(), "these tests need a compiler with the options of gcc: set CC=clang and CXX=clang++");
    tool.to_command()
}
