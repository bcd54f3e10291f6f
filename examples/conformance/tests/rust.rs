//! The plugins in Rust.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use nylon_ring_artifacts::cargo_cdylib;
use nylon_ring_conformance as conformance;

#[test]
fn echo() {
    conformance::echo(&cargo_cdylib("nylon-ring-rust-echo").unwrap());
}

#[test]
fn background() {
    conformance::background(&cargo_cdylib("nylon-ring-rust-background").unwrap());
}

#[test]
fn streaming() {
    conformance::streaming(&cargo_cdylib("nylon-ring-rust-streaming").unwrap());
}
