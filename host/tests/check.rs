//! `nylon-ring check` finds each fault of the faulty plugins, names it, and finds nothing in plugins that are right.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use nylon_ring_artifacts::{
    ArtifactError, c_plugin, c_source, cpp_plugin, cpp_source, example_plugin, go_plugin, zig_plugin,
};
use serde_json::Value;

/// One fault, the check that meets it first, and what it calls it.
type Row = (&'static str, &'static str, &'static str);

const FAULTS: [Row; 47] = [
    ("CRASH_AT_LOAD", "load", "crash"),
    ("OTHER_INFO", "load", "info-changes"),
    ("HANG_AT_START", "start", "hang"),
    ("CRASH_AT_STOP", "answer", "crash"),
    ("HANG_AT_STOP", "start", "hang"),
    ("BLOCKS", "return", "handle-blocks"),
    ("COMPUTES", "return", "handle-computes"),
    ("BLOCKS_FOREVER", "answer", "hang"),
    ("ABORTS", "answer", "crash"),
    ("EXITS", "answer", "crash"),
    ("UNKNOWN_RETURN", "answer", "unknown-status-returned"),
    ("NEVER_ANSWERS", "answer", "unanswered"),
    ("FORGETS_SOME", "many", "unanswered"),
    ("DIES_OF_EMPTY", "odd-requests", "crash"),
    ("SECOND_RESULT", "answer", "second-result"),
    ("SECOND_RESULT_LATER", "answer", "second-result"),
    ("FRAME_AFTER_END", "answer", "frame-after-end"),
    ("STREAM_WITHOUT_END", "answer", "stream-not-ended"),
    ("RESULT_AFTER_REFUSAL", "answer", "result-after-refusal"),
    ("UNKNOWN_STATUS", "answer", "unknown-status-sent"),
    ("NULL_PAYLOAD", "answer", "wrong-payload"),
    ("HUGE_PAYLOAD", "answer", "wrong-payload"),
    ("WILD_PAYLOAD", "answer", "wrong-payload"),
    ("FORGED_SID", "answer", "unknown-sid"),
    ("CUT_SID", "answer", "unknown-sid"),
    ("OTHER_CONTEXT", "answer", "wrong-host-ctx"),
    ("LAST_CALL_WINS", "many", "mixed-up-answers"),
    ("LAST_TEXT_WINS", "many", "mixed-up-answers"),
    ("RACE", "threads", "not-thread-safe"),
    ("FORGETS_CANCELLED", "cancel", "not-answered-after-cancel"),
    ("LATE_READ", "answer", "late-read"),
    ("WRITES_REQUEST", "answer", "writes-request"),
    ("READS_PAST_END", "answer", "reads-past-end"),
    ("LOOKS_INTO_CONTEXT", "answer", "touches-host-ctx"),
    ("LEAKS", "memory", "leaks-memory"),
    ("STATE_AFTER_END", "answer", "state-after-end"),
    ("WRITES_STATE", "answer", "writes-state"),
    ("KEEPS_BUFFER", "answer", "buffer-not-returned"),
    ("BUFFER_TWICE", "answer", "buffer-misused"),
    ("FREES_USER_TWICE", "answer", "crash"),
    ("NEEDS_EXTENSIONS", "no-extensions", "crash"),
    ("SMALL_TABLE", "extensions", "bad-table"),
    ("OFFERS_ALL", "extensions", "offers-unknown"),
    ("EARLY_QUIESCENCE", "quiesce", "not-quiescent"),
    ("NEVER_QUIESCENT", "quiesce", "never-quiescent"),
    ("BAD_HEALTH", "health", "bad-health"),
    ("INSTANCES_SHARE", "instances", "wrong-host-ctx"),
];

/// What `-DMISLOAD=<n>` makes of `misloading.c`.
const MISLOADING: [Row; 13] = [
    ("1", "load", "null-info"),
    ("2", "load", "abi-version"),
    ("3", "load", "abi-version"),
    ("4", "load", "struct-size"),
    ("5", "load", "name-invalid"),
    ("6", "load", "name-invalid"),
    ("7", "load", "version-invalid"),
    ("8", "load", "null-vtable"),
    ("9", "load", "handle-missing"),
    ("10", "start", "init-refused"),
    ("11", "start", "unknown-status-from-init"),
    ("12", "load", "missing-symbol"),
    ("13", "load", "unresolved-symbol"),
];

fn check(plugin: &Path, args: &[&str]) -> Output {
    check_within("2s", plugin, args)
}

fn check_within(timeout: &str, plugin: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nylon-ring"))
        .arg("check")
        .arg(plugin)
        .args(["--json", "--timeout", timeout])
        .args(args)
        .env("NYLON_RING_EXAMPLE_FAST", "1")
        .output()
        .unwrap()
}

/// Check and code of each finding.
fn findings(output: &Output) -> Vec<(String, String)> {
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let mut found = Vec::new();
    for check in report["checks"].as_array().unwrap() {
        for finding in check["findings"].as_array().unwrap() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            assert!(!text(&finding["what"]).is_empty() && !text(&finding["next"]).is_empty());
            found.push((text(&check["check"]), text(&finding["code"])));
        }
    }
    found
}

/// Runs a check of each row, some at a time: most of the time they wait.
fn each_is_found(rows: &[Row], source: &str, define: &str) {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some((fault, check_name, code)) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let plugin = c_plugin(&c_source(source), &[(define, Some(fault))]).unwrap();
                    let shape =
                        if fault.contains("FRAME") || fault.contains("STREAM") { "--stream" } else { "--request" };
                    let output = check(&plugin, &[shape, "GET /hello"]);
                    let found = findings(&output);
                    if found != [((*check_name).to_owned(), (*code).to_owned())] || output.status.code() != Some(1) {
                        wrong.lock().unwrap().push(format!("{fault}: {found:?}, {}", output.status));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn each_fault_is_found() {
    each_is_found(&FAULTS, "faulty/faulty", "FAULT");
}

#[test]
fn each_mistake_before_the_first_call_is_found() {
    each_is_found(&MISLOADING, "misloading", "MISLOAD");
}

#[test]
fn a_second_start_that_does_harm_is_advice() {
    let plugin = c_plugin(&c_source("faulty/faulty"), &[("FAULT", Some("CRASH_AT_SECOND_INIT"))]).unwrap();
    let output = check(&plugin, &["--only", "second-init"]);
    assert_eq!(findings(&output), []);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["checks"][0]["advice"][0]["code"], "crash");
    let output = check(&plugin, &["--only", "second-init", "--strict"]);
    assert_eq!(findings(&output), [("second-init".to_owned(), "crash".to_owned())]);
}

#[test]
fn no_fault_is_left_out() {
    let header = fs::read_to_string(c_source("faulty/faults").with_extension("h")).unwrap();
    let names = header.split_once("enum {").unwrap().1.split_once('}').unwrap().0;
    let there: BTreeSet<&str> = names
        .lines()
        .filter_map(|line| line.split(',').next())
        .map(str::trim)
        .filter(|name| !name.is_empty() && *name != "NONE" && name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    let tested: BTreeSet<&str> = FAULTS.iter().map(|(fault, ..)| *fault).chain(["CRASH_AT_SECOND_INIT"]).collect();
    assert_eq!(there, tested);
}

#[test]
fn nothing_is_found_in_right_plugins() {
    let c = |name, defines: &[(&str, Option<&str>)]| c_plugin(&c_source(name), defines).unwrap();
    let hello: &[&str] = &["--request", "GET /hello"];
    let right = [
        (c("minimal", &[]), hello),
        (c("faulty/faulty", &[]), hello),
        (c("misloading", &[]), hello),
        (c("misbehaving", &[]), &["--request", "GET /echo?bg=1", "--stream", "GET /frames?n=9&bg=1"]),
        (
            example_plugin().unwrap(),
            &["--strict", "--request", "GET /hello", "--request", "GET /state-demo", "--stream", "GET /stream"],
        ),
    ];
    for (plugin, args) in right {
        let output = check(&plugin, args);
        assert_eq!(findings(&output), [], "{}", plugin.display());
        assert_eq!(output.status.code(), Some(0), "{}", plugin.display());
    }
}

/// The three plugins of every language, and the requests that they take.
const ANSWERS: [(&str, &[&str]); 3] = [
    ("echo", &["--request", "GET /hello", "--request", "POST /state", "--request", "GET /drop"]),
    ("background", &["--request", "GET /work?ms=5", "--request", "GET /deadline"]),
    ("streaming", &["--stream", "GET /count?n=20", "--stream", "GET /flow?n=50", "--stream", "GET /fail?after=2"]),
];

/// `weight`: whether advice counts too. (The plugins in C trust the host's pointers.)
fn nothing_is_found_in(weight: &[&str], plugin: impl Fn(&str) -> Result<PathBuf, ArtifactError>) {
    for (name, args) in ANSWERS {
        let output = check(&plugin(name).unwrap_or_else(|error| panic!("{error}")), &[args, weight].concat());
        assert_eq!(findings(&output), [], "{name}");
        assert_eq!(output.status.code(), Some(0), "{name}");
    }
}

fn examples(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples").join(language)
}

#[test]
fn nothing_is_found_in_plugins_in_c() {
    nothing_is_found_in(&[], |name| c_plugin(&c_source(name), &[]));
}

#[test]
fn nothing_is_found_in_plugins_in_cpp() {
    nothing_is_found_in(&["--strict"], |name| cpp_plugin(&cpp_source(name), &[]));
}

#[test]
fn nothing_is_found_in_plugins_in_go() {
    nothing_is_found_in(&["--strict"], |name| go_plugin(&examples("go").join(name)));
}

#[test]
fn nothing_is_found_in_plugins_in_zig() {
    nothing_is_found_in(&["--strict"], |name| zig_plugin(&examples("zig").join(name).with_extension("zig")));
}

/// A check of many calls takes its time, and that is no hang: this one takes longer than a step of it may.
#[test]
fn a_long_check_is_no_hang() {
    let plugin = c_plugin(&c_source("background"), &[]).unwrap();
    let output = check_within("400ms", &plugin, &["--only", "return", "--request", "GET /work?ms=200"]);
    assert_eq!(findings(&output), []);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["checks"][0]["check"], "return");
    assert!(report["checks"][0]["seconds"].as_f64().unwrap() > 0.4 * 6.0 + 5.0, "{report}");
}

#[test]
fn what_cannot_be_run_is_no_finding() {
    let minimal = c_plugin(&c_source("minimal"), &[]).unwrap();
    for (plugin, args, said) in [
        (Path::new("/nowhere/plugin.so"), &["--request", "GET /"][..], "give the path"),
        (&minimal, &["--request", "/hello"], "the method comes first"),
        (&minimal, &["--only", "everything"], "--list"),
        (&minimal, &["--config", "/nowhere/config.json"], "cannot read"),
    ] {
        let output = check(plugin, args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
    }
}
