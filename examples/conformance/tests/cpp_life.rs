//! C++ plugins that come and go: unmapped once they are quiescent, and several instances from one library.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{fs, thread, time::Duration};

use futures::{executor::block_on, poll};
use nylon_ring_artifacts::{cpp_plugin, cpp_source};
use nylon_ring_host::{NrStatus, NylonRingHost, RequestView};

/// For those that hang, on a machine that has more to do.
const LIMIT: Duration = Duration::from_secs(120);

fn load(name: &str) -> NylonRingHost {
    let library = cpp_plugin(&cpp_source(name), &[]).unwrap_or_else(|error| panic!("{error}"));
    NylonRingHost::builder().config("first").unload_when_quiescent(LIMIT).load(library).unwrap()
}

fn view(path: &str) -> RequestView<'_> {
    RequestView { method: "GET", path, ..RequestView::default() }
}

/// Whether a library of this plugin is mapped.
fn is_mapped(name: &str) -> bool {
    fs::read_to_string("/proc/self/maps").unwrap().lines().any(|line| line.contains(&format!("lib{name}-")))
}

fn is_unmapped_soon(name: &str) {
    for _ in 0..LIMIT.as_millis() {
        if !is_mapped(name) {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("{name} is still mapped");
}

#[test]
#[cfg(target_os = "linux")]
fn a_plugin_that_has_come_to_rest_is_unmapped() {
    let host = load("background");
    block_on(async {
        assert_eq!(host.call_view(RequestView { query: "ms=1", ..view("/work") }).await.unwrap().1, "done");
        // Given up: its callback is called, and its answer is dropped, before the plugin is quiescent.
        let mut cancelled = host.call_view(view("/wait-cancel"));
        assert!(poll!(&mut cancelled).is_pending());
    });
    assert!(is_mapped("background"));
    drop(host);
    is_unmapped_soon("background");

    let host = load("streaming");
    let mut stream = block_on(host.call_stream_view(view("/forever"))).unwrap();
    assert_eq!(block_on(stream.recv()).unwrap().data, "1");
    assert!(is_mapped("streaming"));
    drop(host);
    drop(stream);
    is_unmapped_soon("streaming");
}

#[test]
fn each_instance_is_a_plugin_of_its_own() {
    let first = load("echo");
    let second = NylonRingHost::builder().config("second").unload_when_quiescent(LIMIT).instance_of(&first).unwrap();
    let config = |host: &NylonRingHost| {
        let (status, answer) = block_on(host.call_view(view("/config"))).unwrap();
        assert_eq!(status, NrStatus::Ok);
        answer.into_vec()
    };
    assert_eq!((config(&first), config(&second)), (b"first".to_vec(), b"second".to_vec()));
    drop(first);
    assert_eq!(config(&second), b"second");
    drop(second);
    if cfg!(target_os = "linux") {
        is_unmapped_soon("echo");
    }
}
