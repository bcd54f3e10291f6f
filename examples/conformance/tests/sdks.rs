//! The SDKs of Go and Zig: their sources, their own tests and the snippets of their guides.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use nylon_ring_artifacts::{toolchain, zig_plugin};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// What a command that has to succeed writes.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command:?}:\n{stdout}{stderr}");
    stdout.into_owned()
}

fn compiler(name: &'static str) -> Command {
    toolchain(name).unwrap_or_else(|error| panic!("{error}"))
}

fn go(dir: &Path) -> Command {
    let mut go = compiler("go");
    go.current_dir(dir).env("GOTOOLCHAIN", "local").env("GOFLAGS", "").env("GOWORK", "off");
    go
}

/// An empty directory of that name.
fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // There is none at first.
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// The code in a guide.
fn snippets(guide: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(guide)).unwrap();
    let fence = format!("```{language}\n");
    let snippets: Vec<_> =
        text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect();
    assert!(snippets.len() >= 3, "{guide} has {} snippets", snippets.len());
    snippets
}

#[test]
fn the_header_in_the_go_sdk_is_the_abi_s() {
    let [copy, original] =
        ["plugin-sdk/go", "abi/include"].map(|dir| fs::read_to_string(root().join(dir).join("nylon_ring.h")).unwrap());
    assert!(copy == original, "cp abi/include/nylon_ring.h plugin-sdk/go/");
}

#[test]
fn go_sources_are_formatted_and_vetted() {
    for dir in ["plugin-sdk/go", "examples/go"].map(|dir| root().join(dir)) {
        let gofmt = Path::new(output(go(&dir).args(["env", "GOROOT"])).trim()).join("bin/gofmt");
        assert_eq!(output(Command::new(gofmt).arg("-l").arg(&dir)), "", "gofmt -w what is named on the left");
        output(go(&dir).args(["vet", "./..."]));
    }
}

#[test]
fn the_go_sdk_s_own_tests() {
    output(go(&root().join("plugin-sdk/go")).args(["test", "./..."]));
}

/// Each snippet is a project that has nothing but a copy of the SDK's folder.
#[test]
fn the_snippets_of_the_go_guide_compile() {
    let dir = scratch("go-guide");
    let sdk = dir.join("sdk");
    fs::create_dir(&sdk).unwrap();
    for entry in fs::read_dir(root().join("plugin-sdk/go")).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, sdk.join(from.file_name().unwrap())).unwrap();
    }
    let manifest = "module snippets\n\ngo 1.22\n\nrequire nylonring v0.0.0\n\nreplace nylonring => ./sdk\n";
    fs::write(dir.join("go.mod"), manifest).unwrap();
    for (i, snippet) in snippets("plugin-sdk/go/README.md", "go").iter().enumerate() {
        let package = dir.join(format!("snippet{i}"));
        fs::create_dir(&package).unwrap();
        fs::write(package.join("main.go"), snippet).unwrap();
        output(go(&package).args(["build", "-buildvcs=false", "-buildmode=c-shared", "-o", "libsnippet.so", "."]));
        output(go(&package).args(["vet", "."]));
    }
}

#[test]
fn zig_sources_are_formatted() {
    let dirs = ["plugin-sdk/zig", "examples/zig"].map(|dir| root().join(dir));
    assert_eq!(output(compiler("zig").args(["fmt", "--check"]).args(dirs)), "");
}

#[test]
fn the_zig_sdk_s_own_tests() {
    let cache = scratch("zig-tests");
    output(
        compiler("zig")
            .args(["test", "-lc"])
            .arg(root().join("plugin-sdk/zig/test.zig"))
            .arg("--cache-dir")
            .arg(&cache)
            .arg("--global-cache-dir")
            .arg(&cache),
    );
}

#[test]
fn the_snippets_of_the_zig_guide_compile() {
    let dir = scratch("zig-guide");
    for (i, snippet) in snippets("plugin-sdk/zig/README.md", "zig").iter().enumerate() {
        let source = dir.join(format!("snippet{i}.zig"));
        fs::write(&source, snippet).unwrap();
        zig_plugin(&source).unwrap_or_else(|error| panic!("{error}"));
        output(compiler("zig").args(["fmt", "--check"]).arg(&source));
    }
}
