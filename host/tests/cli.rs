//! The tool's other commands, as one calls them: what they print, and how they end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use nylon_ring_artifacts::{c_plugin, c_source, example_plugin, toolchain};
use nylon_ring_host::{NylonRingHost, Page, RequestView};
use serde_json::Value;
use tempfile::TempDir;

const TOOL: &str = env!("CARGO_BIN_EXE_nylon-ring");

/// Exit code, standard output, standard error.
fn run(program: &str, directory: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(program)
        .current_dir(directory)
        .args(args)
        .env("NYLON_RING", TOOL)
        .env("NYLON_RING_EXAMPLE_FAST", "1")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn tool(args: &[&str]) -> (Option<i32>, String, String) {
    run(TOOL, Path::new("."), args)
}

fn example() -> String {
    example_plugin().unwrap().display().to_string()
}

fn minimal() -> String {
    c_plugin(&c_source("minimal"), &[]).unwrap().display().to_string()
}

#[test]
fn every_command_has_help_with_examples() {
    let (_, all, _) = tool(&["--help"]);
    for command in ["inspect", "check", "call", "bench", "new", "misbehaving", "top"] {
        assert!(all.contains(&format!("nylon-ring {command} ")), "{command}: {all}");
        let (code, help, _) = tool(&[command, "--help"]);
        assert_eq!(code, Some(0));
        assert!(help.contains("Examples:") && help.contains(&format!("nylon-ring {command} ")), "{help}");
    }
}

#[test]
fn inspect_says_what_a_plugin_is() {
    let (code, text, _) = tool(&["inspect", &example(), "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(report["plugin"]["name"], "nylon_ring_plugin_example");
    assert_eq!(report["plugin"]["abi_version"], 1);
    assert_eq!(report["runtime"], "Rust");
    assert!(report["exports"].as_array().unwrap().contains(&"nylon_ring_get_plugin_v1".into()));
    assert!(report["undefined"].as_u64().unwrap() > 0);

    let faulty = |fault| c_plugin(&c_source("faulty/faulty"), &[("FAULT", Some(fault))]).unwrap();
    let (code, text, _) = tool(&["inspect", &faulty("NONE").display().to_string()]);
    assert_eq!(code, Some(0));
    assert!(text.contains("nylon.quiesce/1, nylon.health/1") && text.contains("unloading   possible"), "{text}");
    let (code, text, _) = tool(&["inspect", &faulty("CRASH_AT_LOAD").display().to_string()]);
    assert_eq!(code, Some(1));
    assert!(text.contains("SIGABRT, during: load"), "{text}");
}

#[test]
fn inspect_says_why_something_is_no_plugin() {
    let no_entry = c_plugin(&c_source("misloading"), &[("MISLOAD", Some("12"))]).unwrap();
    for (file, problem) in [
        (c_source("minimal"), "it is no shared library"),
        (PathBuf::from(TOOL), "nylon_ring_get_plugin_v1"),
        (no_entry, "it does not export nylon_ring_get_plugin_v1"),
    ] {
        let (code, text, _) = tool(&["inspect", &file.display().to_string()]);
        assert_eq!(code, Some(1), "{}", file.display());
        assert!(text.contains(problem), "{text}");
    }
    assert_eq!(tool(&["inspect", "/nowhere.so"]).0, Some(2));
}

#[test]
fn call_prints_the_answer_alone() {
    let plugin = example();
    let call = |args: &[&str]| tool(&[&["call", &plugin][..], args].concat());
    assert_eq!(call(&["GET", "/hello"]), (Some(0), "OK: GET /hello".into(), String::new()));
    let (code, frames, statuses) = call(&["GET", "/stream", "--stream", "-i"]);
    assert_eq!(code, Some(0));
    assert_eq!(frames.matches("from /stream").count(), 5);
    assert_eq!(statuses.lines().last(), Some("end of stream, 0 bytes"));
    let (code, text, _) = call(&["GET", "/nowhere"]);
    assert_eq!((code, text.as_str()), (Some(1), "no such path: /nowhere"));

    let body = TempDir::new().unwrap();
    let file = body.path().join("body");
    fs::write(&file, b"from a file").unwrap();
    let misbehaving = c_plugin(&c_source("misbehaving"), &[]).unwrap().display().to_string();
    let echo = |args: &[&str]| tool(&[&["call", &misbehaving, "POST", "/echo"][..], args].concat());
    assert_eq!(echo(&["-d", "a body", "-H", "a: b"]), (Some(0), "a body".into(), String::new()));
    assert_eq!(echo(&["--data-file", file.to_str().unwrap()]).1, "from a file");
    let (code, _, said) = tool(&["call", &misbehaving, "GET", "/never", "--timeout", "50ms"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("did not answer in time"), "{said}");
    assert_eq!(tool(&["call", &misbehaving, "GET", "/refuse?v=3"]).0, Some(1));
    assert_eq!(echo(&["-H", "no colon"]).0, Some(2));
}

#[test]
fn bench_counts_its_calls() {
    let (code, text, _) = tool(&["bench", &minimal(), "GET", "/hello", "-n", "5000", "-c", "8", "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!((report["calls"].as_u64(), report["not_ok"].as_u64()), (Some(5000), Some(0)));
    assert_eq!(report["latency_ns"][5][0], "max");
    let (code, text, _) = tool(&["bench", &example(), "GET", "/nowhere", "-n", "10"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("10 not answered with Ok, the first: unsupported: no such path"), "{text}");
    assert!(tool(&["bench", &minimal(), "-d", "100ms"]).1.contains("calls a second"));
}

#[test]
fn misbehaving_is_written_and_built() {
    let directory = TempDir::new().unwrap();
    let (code, _, said) = run(TOOL, directory.path(), &["misbehaving", "--out", "probe"]);
    assert_eq!(code, Some(0), "{said}");
    let plugin = directory.path().join("probe/libmisbehaving.so").display().to_string();
    let (_, paths, _) = tool(&["call", &plugin, "GET", "/paths"]);
    let readme = fs::read_to_string(directory.path().join("probe/README.md")).unwrap();
    // Each path that the text names is there.
    for path in
        readme.lines().filter_map(|line| line.strip_prefix("| `")).map(|line| line.split(['?', '`']).next().unwrap())
    {
        assert!(paths.lines().any(|line| line == path), "{path}");
    }
    let (code, _, said) = run("make", &directory.path().join("probe"), &["clean", "libmisbehaving.so"]);
    assert_eq!(code, Some(0), "{said}");
}

/// Makes a project, and does what its README says.
fn new(language: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let (code, said, error) = run(TOOL, directory.path(), &["new", "my-greeter", "--lang", language]);
    assert_eq!(code, Some(0), "{error}");
    assert!(said.contains("cd my-greeter"), "{said}");
    let project = directory.path().join("my-greeter");
    assert!(fs::read_to_string(project.join("README.md")).unwrap().starts_with("# my-greeter"));
    (directory, project)
}

fn passes_check(plugin: &Path) {
    let plugin = plugin.display().to_string();
    let (code, text, _) = tool(&["check", &plugin, "--strict", "--request", "GET /hello", "--stream", "GET /count"]);
    assert_eq!(code, Some(0), "{text}");
}

/// A project that make builds.
fn new_by_make(language: &str, variables: &[String]) {
    let (_directory, project) = new(language);
    for target in ["test", "check"] {
        let args: Vec<&str> = [target].into_iter().chain(variables.iter().map(String::as_str)).collect();
        let (code, said, error) = run("make", &project, &args);
        assert_eq!(code, Some(0), "make {target}: {said}{error}");
    }
    passes_check(&project.join("libmy_greeter.so"));
}

#[test]
fn a_new_plugin_in_c() {
    new_by_make("c", &[]);
}

#[test]
fn a_new_plugin_in_cpp() {
    new_by_make("cpp", &[]);
}

/// A variable of the project's Makefile: the compiler that `make toolchains` provides.
fn provided(variable: &str, name: &'static str) -> String {
    format!("{variable}={}", toolchain(name).unwrap().get_program().display())
}

#[test]
fn a_new_plugin_in_go() {
    new_by_make("go", &[provided("GO", "go")]);
}

#[test]
fn a_new_plugin_in_zig() {
    // What zig makes of its own library takes a minute, once.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("zig-cache");
    new_by_make("zig", &[provided("ZIG", "zig"), format!("ZIG_CACHE={}", cache.display())]);
}

#[test]
fn a_new_plugin_in_rust() {
    let (_directory, project) = new("rust");
    // The versions and the compiled dependencies of this workspace.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::copy(workspace.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-rust");
    let target_dir = target.to_str().unwrap();
    let (code, said, error) = run("cargo", &project, &["test", "--offline", "--target-dir", target_dir]);
    assert_eq!(code, Some(0), "{said}{error}");
    let file = format!("{}my_greeter{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
    passes_check(&target.join("debug/deps").join(file));
}

#[test]
fn a_project_that_cannot_be_made_says_why() {
    let directory = TempDir::new().unwrap();
    for (args, said) in [
        (&["new", "greeter", "--lang", "cobol"][..], "--lang is one of rust, c, cpp, go, zig"),
        (&["new", "2nd", "--lang", "c"], "begin with a letter"),
        (&["new", ".", "--lang", "c"], "cannot be the name"),
        (&["new", "greeter", "--lang", "rust", "--sdk-path", "/nowhere"], "--sdk-path"),
    ] {
        let (code, _, error) = run(TOOL, directory.path(), args);
        assert_eq!(code, Some(2), "{args:?}");
        assert!(error.contains(said), "{error}");
    }
    fs::create_dir(directory.path().join("greeter")).unwrap();
    let (code, _, error) = run(TOOL, directory.path(), &["new", "greeter", "--lang", "c"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("is there already"), "{error}");
}

#[test]
fn top_shows_a_running_host() {
    let directory = TempDir::new().unwrap();
    let page = directory.path().join("page");
    let settings = NylonRingHost::builder().publish(&page, Duration::from_millis(5));
    let host = settings.load(c_plugin(&c_source("minimal"), &[]).unwrap()).unwrap();
    let request = RequestView { path: "/hello", ..RequestView::default() };
    for _ in 0..3 {
        futures::executor::block_on(host.call_view(request)).unwrap();
    }
    let start = Instant::now();
    while !Page::read(&page).is_ok_and(|page| page.metrics.opened == 3) {
        assert!(start.elapsed() < Duration::from_secs(60), "the page does not follow its host");
        thread::sleep(Duration::from_millis(5));
    }
    let path = page.display().to_string();
    let (code, text, errors) = tool(&["top", &path, "--once", "--every", "100ms"]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{text}");
    assert!(text.starts_with(host.name()) && text.contains(&format!("pid {}", std::process::id())), "{text}");
    assert!(text.contains("opened 3 ") && text.contains("[..........]       0/16384"), "{text}");
    drop(host);
    let (code, text, errors) = tool(&["top", "/nowhere/page", "--once"]);
    assert!(code == Some(2) && text.is_empty() && errors.contains("/nowhere/page"), "{text} {errors}");
}
