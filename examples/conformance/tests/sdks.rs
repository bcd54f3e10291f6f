//! The SDKs of Go and Zig: their sources, their own tests and the snippets of their guides.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use futures::executor::block_on;
use nylon_ring_artifacts::{toolchain, zig_plugin};
use nylon_ring_host::{NrStatus, NylonRingHost, NylonRingHostError, RequestView};

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

/// What plugins log, once [`listen`] was called.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn listen() {
    // The other test may have done it.
    let _ = tracing_subscriber::fmt().with_writer(|| Log).with_ansi(false).try_init();
}

fn log() -> String {
    String::from_utf8(LOG.lock().unwrap().clone()).unwrap()
}

fn ask(host: &NylonRingHost, path: &str, body: &[u8]) -> (NrStatus, String) {
    let view = RequestView { method: "GET", path, body, ..RequestView::default() };
    let (status, answer) = block_on(host.call_view(view)).unwrap();
    (status, String::from_utf8(answer.into_vec()).unwrap())
}

/// The guides' first plugin.
fn greets(plugin: &Path) {
    let host = NylonRingHost::load(plugin).unwrap();
    let (status, answer) = ask(&host, "/hello", b"");
    assert_eq!((status, answer.starts_with("hello")), (NrStatus::Ok, true));
    assert_eq!(ask(&host, "/other", b"").0, NrStatus::Unsupported);
}

/// Each snippet is a project that has nothing but a copy of the SDK's folder.
#[test]
fn the_go_guide() {
    let dir = scratch("go-guide");
    let sdk = dir.join("sdk");
    fs::create_dir(&sdk).unwrap();
    for entry in fs::read_dir(root().join("plugin-sdk/go")).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, sdk.join(from.file_name().unwrap())).unwrap();
    }
    let manifest = "module snippets\n\ngo 1.22\n\nrequire nylonring v0.0.0\n\nreplace nylonring => ./sdk\n";
    fs::write(dir.join("go.mod"), manifest).unwrap();
    let mut plugins = Vec::new();
    for (i, snippet) in snippets("plugin-sdk/go/README.md", "go").iter().enumerate() {
        let package = dir.join(format!("snippet{i}"));
        fs::create_dir(&package).unwrap();
        fs::write(package.join("main.go"), snippet).unwrap();
        output(go(&package).args(["build", "-buildvcs=false", "-buildmode=c-shared", "-o", "libsnippet.so", "."]));
        output(go(&package).args(["vet", "."]));
        plugins.push(package.join("libsnippet.so"));
    }

    listen();
    greets(&plugins[0]);
    let refused = NylonRingHost::builder().config("{").load(&plugins[1]).unwrap_err();
    assert!(matches!(refused, NylonRingHostError::InitRefused { .. }), "{refused}");
    let limited = NylonRingHost::builder().config(r#"{"limit": 1}"#).load(&plugins[1]).unwrap();
    assert_eq!(ask(&limited, "/", b"user"), (NrStatus::Ok, "user".into()));
    assert!(limited.health().unwrap().is_well());
    assert_eq!(ask(&limited, "/", b"user"), (NrStatus::Err, "too many calls".into()));
    assert_eq!(limited.health().unwrap().detail, "the limit is reached");
    let log = log();
    for line in
        ["ERROR nylon_ring::plugin: the plugin cannot start error=", " INFO nylon_ring::plugin: started limit=1"]
    {
        assert!(log.contains(line), "{line} is missing:\n{log}");
    }
    let line = log.lines().find(|line| line.contains("WARN nylon_ring::plugin: too many calls"));
    assert!(line.is_some_and(|line| line.contains("sid=") && !line.contains("sid=0 ")), "{log}");
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
fn the_zig_guide() {
    let dir = scratch("zig-guide");
    let mut plugins = Vec::new();
    for (i, snippet) in snippets("plugin-sdk/zig/README.md", "zig").iter().enumerate() {
        let source = dir.join(format!("snippet{i}.zig"));
        fs::write(&source, snippet).unwrap();
        plugins.push(zig_plugin(&source).unwrap_or_else(|error| panic!("{error}")));
        output(compiler("zig").args(["fmt", "--check"]).arg(&source));
    }

    listen();
    greets(&plugins[0]);
    assert_eq!(ask(&NylonRingHost::load(&plugins[1]).unwrap(), "/", b"body"), (NrStatus::Ok, "body".into()));
    let refused = NylonRingHost::builder().config("{").load(&plugins[2]).unwrap_err();
    assert!(matches!(refused, NylonRingHostError::InitRefused { .. }), "{refused}");
    let counter = NylonRingHost::builder().config(r#"{"frames": 2}"#).load(&plugins[2]).unwrap();
    let mut stream = block_on(counter.call_stream_view(RequestView::default())).unwrap();
    for wanted in [(NrStatus::Ok, "0"), (NrStatus::Ok, "1"), (NrStatus::StreamEnd, "")] {
        let frame = block_on(stream.recv()).unwrap();
        assert_eq!((frame.status, &*frame.data), (wanted.0, wanted.1.as_bytes()));
    }
    let log = log();
    for line in ["ERROR nylon_ring::plugin: the plugin cannot start: ", " INFO nylon_ring::plugin: 2 frames"] {
        assert!(log.contains(line), "{line} is missing:\n{log}");
    }
}
