//! Bugs on purpose in a C plugin (`examples/c/seeded.c`). `make tsan` and `make asan` run them first: a sanitizer that does
//! not find them does not look at what plugins do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{hint::black_box, time::Duration};

use futures::executor::block_on;
use nylon_ring_artifacts::{c_plugin, c_source};
use nylon_ring_host::{NrStatus, NylonRingHost, RequestView};

/// One call with a body that is written to when it is answered, and freed before the plugin's end, or after that.
fn call(path: &str, frees: bool) {
    let host = NylonRingHost::load(c_plugin(&c_source("seeded"), &[]).unwrap()).unwrap();
    let mut body = vec![1; 100];
    let request = RequestView { path, body: &body, ..RequestView::default() };
    let (status, answer) = block_on(host.call_view(request)).unwrap();
    assert_eq!((status, &answer[..]), (NrStatus::Ok, &b"answer"[..]));
    // The answer is there, so the body is the caller's again.
    black_box(&mut body)[0] = 2;
    if frees {
        body = Vec::new();
    }
    block_on(host.shutdown(Duration::from_secs(60))).unwrap();
    drop(body);
}

/// The same without the bugs.
#[test]
fn a_plugin_that_keeps_nothing() {
    call("/", true);
}

#[test]
#[ignore = "a bug on purpose, for ThreadSanitizer"]
fn data_race_in_c() {
    call("/race", false);
}

#[test]
#[ignore = "a bug on purpose, for AddressSanitizer"]
fn use_after_free_in_c() {
    call("/use-after-free", true);
}
