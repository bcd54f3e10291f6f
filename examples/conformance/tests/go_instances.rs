//! A Go library in more than one use: loaded again as a copy, and several instances in one runtime (`nylon.instance/1`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use futures::executor::block_on;
use nylon_ring_artifacts::go_plugin;
use nylon_ring_host::{NrStatus, NylonRingHost, RequestView};

fn echo() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../go/echo");
    go_plugin(&package).unwrap_or_else(|error| panic!("{error}"))
}

/// Each answers with the configuration that it was given.
fn each_has_its_own(hosts: &[NylonRingHost]) {
    let view = RequestView { method: "GET", path: "/config", ..RequestView::default() };
    for _ in 0..10 {
        for (i, host) in hosts.iter().enumerate() {
            let (status, answer) = block_on(host.call_view(view)).unwrap();
            assert_eq!((status, &*answer), (NrStatus::Ok, i.to_string().as_bytes()));
        }
    }
}

#[test]
fn copies_of_a_library_have_a_runtime_each() {
    let load = |i: u32| NylonRingHost::builder().config(i.to_string()).load(echo()).unwrap();
    each_has_its_own(&[load(0), load(1), load(2), load(3)]);
}

/// What is empty points nowhere, in Rust: Go's runtime must not meet such a pointer when a stack grows. The garbage collector
/// shrinks stacks, so they grow again and again where there is much garbage.
#[test]
fn nothing_points_nowhere() {
    let host = NylonRingHost::load(echo()).unwrap();
    let garbage = vec![b'x'; 1 << 20];
    let headers = [("key", ""), ("", "value"), ("", "")];
    let plain = RequestView { method: "GET", path: "/", ..RequestView::default() };
    let calls = || {
        for _ in 0..400 {
            for view in [plain, RequestView { headers: &headers, ..plain }, RequestView { body: &garbage, ..plain }] {
                assert_eq!(block_on(host.call_view(view)).unwrap().0, NrStatus::Ok);
            }
        }
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(calls))));
}

#[test]
fn instances_share_a_runtime_and_nothing_else() {
    let first = NylonRingHost::builder().config("0").load(echo()).unwrap();
    let another = |i: u32| NylonRingHost::builder().config(i.to_string()).instance_of(&first).unwrap();
    let hosts = [first.clone(), another(1), another(2)];
    each_has_its_own(&hosts);
    assert!(hosts.iter().all(|host| host.health().unwrap().is_well()));

    let [first, second, third] = hosts;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(first.shutdown(Duration::from_secs(60))).unwrap();
    let view = RequestView { method: "GET", path: "/config", ..RequestView::default() };
    for (host, wanted) in [(second, "1"), (third, "2")] {
        assert_eq!(*block_on(host.call_view(view)).unwrap().1, *wanted.as_bytes(), "the others go on");
    }
}
