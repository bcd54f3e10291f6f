//! The plugins in C.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::PathBuf;

use nylon_ring_artifacts::{c_plugin, c_source};
use nylon_ring_conformance as conformance;

fn plugin(name: &str) -> PathBuf {
    c_plugin(&c_source(name), &[]).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn echo() {
    conformance::echo(&plugin("echo"));
}

#[test]
fn background() {
    conformance::background(&plugin("background"));
}

#[test]
fn streaming() {
    conformance::streaming(&plugin("streaming"));
}
