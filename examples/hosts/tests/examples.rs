//! The example binaries, run as a user runs them, but without the waiting.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::process::{Command, Output};

fn run(binary: &str, plugin: Option<&str>) -> Output {
    Command::new(binary).args(plugin).env("NYLON_RING_EXAMPLE_FAST", "1").output().unwrap()
}

/// The standard output of an example that succeeds.
fn output(binary: &str, plugin: Option<&str>) -> String {
    let output = run(binary, plugin);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{binary} failed: {error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn simple_gets_five_answers() {
    let text = output(env!("CARGO_BIN_EXE_simple"), None);
    assert!(text.contains("loaded nylon_ring_plugin_example 0.1.0"), "{text}");
    assert_eq!(text.matches("(Ok, \"OK: GET /hello\")").count(), 5, "{text}");
}

#[test]
fn simple_takes_a_c_plugin() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../c/minimal.c");
    let text = output(env!("CARGO_BIN_EXE_simple"), Some(source));
    assert!(text.contains("loaded minimal 0.1.0"), "{text}");
    assert_eq!(text.matches("(Ok, \"OK: GET /hello\")").count(), 5, "{text}");
}

#[test]
fn streaming_gets_five_frames_and_the_end() {
    let text = output(env!("CARGO_BIN_EXE_streaming"), None);
    let mut rest = text.as_str();
    for frame in 1..=5 {
        let expected = format!("(Ok, \"Frame {frame}/5 from /stream\")");
        rest = rest.split_once(&expected).unwrap_or_else(|| panic!("no {expected}, in order, in {text}")).1;
    }
    assert!(rest.contains("(StreamEnd, \"\")"), "{text}");
}

#[test]
fn state_is_stored_and_read_back() {
    let text = output(env!("CARGO_BIN_EXE_state"), None);
    assert!(text.contains("(Ok, \"OK: GET /state-demo (stored: /state-demo)\")"), "{text}");
}

#[test]
fn a_plugin_that_is_not_there_is_an_error_in_words() {
    let output = run(env!("CARGO_BIN_EXE_simple"), Some("no/such/plugin.so"));
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("cannot read the plugin no/such/plugin.so"), "{error}");
}
