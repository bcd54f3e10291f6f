//! Many hosts and many plugins in one process: each has its own, and none minds when another comes or goes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

#[path = "misbehaving/accounts.rs"]
mod accounts;
#[path = "misbehaving/rig.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod rig;

use std::{path::PathBuf, sync::Barrier, thread, time::Duration};

use futures::{
    executor::block_on,
    future::{FutureExt, join_all},
};
use nylon_ring_artifacts::{c_plugin, c_source, example_plugin};
use nylon_ring_host::{HighLevelRequest, NrStatus, NylonRingHost, RequestView};
use rig::{Rig, assert_in_order, lossy, read_to_end};

on_both_runtimes! {
    plugins_of_three_kinds,
    one_library_many_times,
    one_library_in_place_shares_its_statics,
    more_hosts_than_a_thread_remembers,
    the_first_of_many_goes,
    a_host_dropped_while_its_plugin_sends,
    a_stream_outlives_its_host,
    sixty_four_loads_and_drops,
    live_sids_of_other_hosts,
}

fn minimal() -> PathBuf {
    c_plugin(&c_source("minimal"), &[]).unwrap()
}

fn get<'a>(path: &'a str, query: &'a str) -> RequestView<'a> {
    RequestView { method: "GET", path, query, ..RequestView::default() }
}

async fn expect_ok(host: &NylonRingHost, path: &str, query: &str, answer: &str) {
    let (status, payload) = host.call_view(get(path, query)).await.unwrap();
    assert_eq!((status, lossy(&payload)), (NrStatus::Ok, answer.to_owned()));
}

/// Each of the example plugin's answers.
async fn exercise_example(host: &NylonRingHost) {
    expect_ok(host, "/hello", "fast=1", "OK: GET /hello").await;
    expect_ok(host, "/state-demo", "fast=1", "OK: GET /state-demo (stored: /state-demo)").await;
    let request = HighLevelRequest {
        method: "GET".into(),
        path: "/stream".into(),
        query: "fast=1".into(),
        ..HighLevelRequest::default()
    };
    let mut stream = host.call_stream(request).await.unwrap();
    let (frames, last) = read_to_end(&mut stream).await;
    let texts: Vec<_> = frames.iter().map(|frame| lossy(&frame.data)).collect();
    assert_eq!(texts, [1, 2, 3, 4, 5].map(|i| format!("Frame {i}/5 from /stream")));
    assert_eq!(last.status, NrStatus::StreamEnd);
}

async fn plugins_of_three_kinds() {
    let rigs: Vec<_> = (0..3).map(|_| Rig::new()).collect();
    let minimals: Vec<_> = (0..3).map(|_| NylonRingHost::load(minimal()).unwrap()).collect();
    let examples: Vec<_> = (0..3).map(|_| NylonRingHost::load(example_plugin().unwrap()).unwrap()).collect();
    for host in &minimals {
        assert_eq!((host.name(), host.version()), ("minimal", "0.1.0"));
    }
    for host in &examples {
        assert_eq!((host.name(), host.version()), ("nylon_ring_plugin_example", "0.1.0"));
    }
    for _ in 0..5 {
        let echoes = join_all(rigs.iter().flat_map(|rig| (0..20).map(|_| rig.right("/echo", "bg=1"))));
        let plain = join_all(minimals.iter().flat_map(|h| (0..20).map(|_| expect_ok(h, "/p", "", "OK: GET /p"))));
        let full = join_all(examples.iter().map(exercise_example));
        futures::join!(echoes, plain, full);
    }
    for host in &minimals {
        assert_eq!((host.metrics().opened, host.metrics().delivered), (100, 100));
    }
    for host in &examples {
        assert_eq!((host.metrics().opened, host.metrics().delivered), (15, 40));
    }
    join_all(rigs.iter().map(Rig::settle)).await;
}

/// Each host has a copy of the library of its own, so that the plugin's static data is its own.
async fn one_library_many_times() {
    let rigs: Vec<_> = (0..6).map(|_| Rig::new()).collect();
    for (i, rig) in rigs.iter().enumerate() {
        for _ in 0..i {
            rig.right("/echo", "").await;
        }
    }
    for (i, rig) in rigs.iter().enumerate() {
        // The plugin counts what it has sent, this answer included.
        assert_eq!(rig.text("/count").await, (i + 1).to_string());
        assert!(rig.text("/lifecycle").await.starts_with("attached=1 attached_before_init=1 initialised=1"));
    }
}

/// What a private copy is for: in place there is one image, and this plugin takes one host only.
async fn one_library_in_place_shares_its_statics() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plugin");
    std::fs::copy(rig::plugin(), &path).unwrap();
    let in_place = || NylonRingHost::builder().load_in_place(true).load(&path);
    let first = in_place().unwrap();
    assert!(in_place().unwrap_err().to_string().contains("refused to start"));
    let copy = NylonRingHost::load(&path).unwrap();
    expect_ok(&copy, "/count", "", "1").await;
    expect_ok(&first, "/count", "", "1").await;
}

async fn more_hosts_than_a_thread_remembers() {
    let hosts: Vec<_> = (0..40).map(|_| NylonRingHost::builder().shards(2).load(minimal()).unwrap()).collect();
    let rigs: Vec<_> = (0..20).map(|_| Rig::with(NylonRingHost::builder().shards(2))).collect();
    for _ in 0..5 {
        for host in &hosts {
            expect_ok(host, "/a", "", "OK: GET /a").await;
        }
        for rig in &rigs {
            rig.right("/echo", "bg=1").await;
        }
        join_all(rigs.iter().map(|rig| rig.right("/echo", "delay=500"))).await;
    }
    assert!(hosts.iter().all(|host| host.metrics().delivered == 5));
}

async fn the_first_of_many_goes() {
    let mut rigs: Vec<_> = (0..5).map(|_| Rig::new()).collect();
    while !rigs.is_empty() {
        join_all(rigs.iter().map(|rig| rig.right("/echo", "bg=1"))).await;
        let first = rigs.remove(0);
        if rigs.len() % 2 == 0 {
            first.host.shutdown(Duration::from_secs(30)).await.unwrap();
        }
        drop(first);
        join_all(rigs.iter().map(|rig| rig.right("/echo", "delay=1000"))).await;
    }
}

async fn a_host_dropped_while_its_plugin_sends() {
    let bystander = Rig::new();
    let before = bystander.settle().await;
    for _ in 0..8 {
        let rig = Rig::new();
        // For as long after its end the plugin sends to every sid that it knows.
        rig.right("/linger", "ms=50").await;
        for _ in 0..30 {
            rig.poke("/endless", "");
            rig.poke("/echo", "delay=10000");
        }
        rig.right("/echo", "bg=1").await;
        drop(rig);
        bystander.right("/echo", "bg=1").await;
        Rig::new().right("/echo", "bg=1").await;
    }
    let m = bystander.since(&before).await;
    assert_eq!((m.delivered, accounts::dropped(&m)), (8, 0));
}

async fn a_stream_outlives_its_host() {
    let rig = Rig::new();
    let (mut stream, body) = rig.stream("/endless", "batch=1&pace=1000&max=100").await;
    let (unread, _) = rig.stream("/frames", "n=10&bg=1").await;
    let first = stream.recv().await.unwrap();
    assert_in_order(&[first], 0, &body);
    drop(rig);
    let (frames, last) = read_to_end(&mut stream).await;
    assert_in_order(&frames, 1, &body);
    assert_eq!((frames.len(), last.status), (99, NrStatus::StreamEnd));
    drop(unread);
    // The last one of this host: the plugin is stopped by whichever thread drops it.
    thread::spawn(move || drop(stream)).join().unwrap();
    Rig::new().right("/echo", "bg=1").await;
}

async fn sixty_four_loads_and_drops() {
    for i in 0..64 {
        let rig = Rig::new();
        if i % 4 != 0 {
            rig.right("/echo", "bg=1").await;
        }
        if i % 3 == 0 {
            rig.poke("/never", "");
        }
        if i % 5 == 0 {
            expect_ok(&NylonRingHost::load(minimal()).unwrap(), "/x", "", "OK: GET /x").await;
        }
        if i % 16 == 0 {
            exercise_example(&NylonRingHost::load(example_plugin().unwrap()).unwrap()).await;
        }
    }
}

/// The sid of one host means nothing to another, not even where both have one shard and few slots.
async fn live_sids_of_other_hosts() {
    let few = || Rig::with(NylonRingHost::builder().shards(1).slots_per_shard(4));
    let rigs = [few(), few(), few(), few()];
    let mut held = Vec::new();
    for rig in &rigs {
        for _ in 0..2 {
            let (mut stream, body) = rig.stream("/hold", "tell=1&end=4").await;
            let sid = lossy(&stream.recv().await.unwrap().data);
            held.push((stream, body, sid));
        }
    }
    for (i, rig) in rigs.iter().enumerate() {
        let before = rig.host.metrics().unknown_sid;
        for (j, (_, _, sid)) in held.iter().enumerate() {
            if j / 2 != i {
                rig.right("/send-to", &format!("n=50&bg=1&sid={sid}")).await;
            }
        }
        rig.until("foreign sids", |m| m.unknown_sid == before + 6 * 50).await;
    }
    for (stream, _, _) in &mut held {
        assert!(stream.recv().now_or_never().is_none(), "a result of another host");
    }
    for rig in &rigs {
        rig.right("/release", "").await;
    }
    for (mut stream, body, _) in held {
        let last = stream.recv().await.unwrap();
        assert_eq!((last.status, lossy(&last.data)), (NrStatus::StreamEnd, lossy(&body)));
    }
}

#[test]
fn loads_at_the_same_time() {
    let _watchdog = common::Watchdog::new("loads_at_the_same_time");
    let start = Barrier::new(8);
    let example = example_plugin().unwrap();
    thread::scope(|scope| {
        for i in 0..8 {
            let (start, example) = (&start, &example);
            scope.spawn(move || {
                start.wait();
                let mut kept = Vec::new();
                for _ in 0..4 {
                    let rig = Rig::with(NylonRingHost::builder().shards(2));
                    block_on(rig.right("/echo", "bg=1"));
                    kept.push(rig);
                    let host = NylonRingHost::load(minimal()).unwrap();
                    block_on(expect_ok(&host, "/y", "", "OK: GET /y"));
                    if i % 4 == 0 {
                        block_on(exercise_example(&NylonRingHost::load(example).unwrap()));
                    }
                }
                kept.iter().for_each(|rig| block_on(rig.right("/echo", "delay=500")));
            });
        }
    });
}

/// Hosts are called, shared and dropped from threads that did not load them.
#[test]
fn loaded_here_called_there_dropped_elsewhere() {
    let _watchdog = common::Watchdog::new("loaded_here_called_there_dropped_elsewhere");
    for _ in 0..8 {
        let rig = thread::spawn(Rig::new).join().unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| block_on(rig.right("/echo", "bg=1")));
            }
        });
        thread::spawn(move || drop(rig)).join().unwrap();
    }
}
