//! The plugins in Zig.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};

use nylon_ring_artifacts::zig_plugin;
use nylon_ring_conformance as conformance;

fn built(name: &str) -> PathBuf {
    zig_plugin(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../zig").join(name).with_extension("zig"))
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn echo() {
    conformance::echo(&built("echo"));
}

#[test]
fn background() {
    conformance::background(&built("background"));
}

#[test]
fn streaming() {
    conformance::streaming(&built("streaming"));
}
