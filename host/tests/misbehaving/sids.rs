//! Sids that are stale, forged, flipped or foreign: dropped and counted, with no effect on any call.

use std::time::Duration;

use futures::future::{FutureExt, join_all};
use nylon_ring_host::{NrStatus, NylonRingHost};

use crate::{
    accounts::{accounted, dropped},
    on_both_runtimes,
    rig::{Rig, lossy, unique},
};

on_both_runtimes! {
    forged,
    forged_by_the_hundred_thousand,
    stale,
    stale_while_others_are_answered,
    late_answers_never_reach_the_next_call,
    foreign,
    two_hosts_with_one_plugin,
}

/// A host with few slots: sids of earlier calls differ from live ones by their generation alone.
fn few_slots() -> Rig {
    Rig::with(NylonRingHost::builder().shards(2).slots_per_shard(4))
}

async fn forged() {
    for rig in [Rig::new(), few_slots()] {
        let before = rig.settle().await;
        for seed in 0..20 {
            // With every single bit of the live sid flipped, 0, and all ones.
            rig.right("/forge", &format!("n=1000&seed={seed}")).await;
        }
        let m = rig.since(&before).await;
        assert_eq!((m.delivered, m.unknown_sid), (20, 20_000));
        assert_eq!((dropped(&m), m.overflowed), (20_000, 0));
    }
}

async fn forged_by_the_hundred_thousand() {
    let rig = few_slots();
    let before = rig.settle().await;
    rig.right("/forge", "n=300000&bg=1").await;
    rig.right("/forge", "n=300000&seed=2").await;
    let m = rig.since(&before).await;
    assert_eq!(m.delivered, 2);
    assert_eq!((m.unknown_sid, dropped(&m)), (600_000, 600_000));
    rig.right("/echo", "bg=1").await;
}

async fn stale() {
    let rig = few_slots();
    for _ in 0..500 {
        rig.right("/echo", "").await;
        rig.right("/echo", "bg=1").await;
    }
    let before = rig.settle().await;
    rig.right("/stale", "n=50000").await;
    rig.right("/stale", "n=50000&bg=1").await;
    let m = rig.since(&before).await;
    assert_eq!((m.delivered, m.unknown_sid), (2, 100_000));
    assert_eq!(dropped(&m), 100_000);
}

async fn stale_while_others_are_answered() {
    let rig = few_slots();
    for _ in 0..100 {
        // Given up, never answered: what is sent for them later is late.
        assert!(rig.right("/never", "").now_or_never().is_none());
    }
    let before = rig.settle().await;
    // In this order: each /stale knows the sids of the calls before it, which have ended.
    for _ in 0..50 {
        rig.right("/stale", "n=200&bg=1").await;
        rig.right("/echo", "").await;
    }
    let m = rig.since(&before).await;
    assert_eq!((m.delivered, dropped(&m)), (100, 10_000));
}

async fn late_answers_never_reach_the_next_call() {
    let rig = few_slots();
    let before = rig.settle().await;
    let mut in_time = 0;
    for round in 0..300_u64 {
        // Given up after the first poll, answered while its slot belongs to others. On a busy machine it may be in time.
        let query = format!("delay={}", round * 37 % 700 + 1);
        in_time += u64::from(rig.right("/echo", &query).now_or_never().is_some());
        join_all((0..4).map(|_| rig.right("/echo", "delay=200"))).await;
    }
    let m = rig.since(&before).await;
    assert_eq!((m.opened, accounted(&m)), (1500, 1500));
    assert_eq!(m.delivered - m.abandoned, 1200 + in_time);
    assert_eq!(dropped(&m), 300 - in_time);
}

async fn foreign() {
    let (one, other) = (Rig::new(), Rig::new());
    // So that the two do not happen to give out the same sids.
    for _ in 0..10 {
        other.right("/echo", "").await;
    }
    let before = (one.host.metrics(), other.settle().await);
    let (mut stream, body) = one.stream("/hold", "tell=1&end=4").await;
    let sid = String::from_utf8(stream.recv().await.unwrap().data.to_vec()).unwrap();
    other.right("/send-to", &format!("n=100&sid={sid}")).await;
    other.right("/send-to", &format!("n=100&bg=1&sid={sid}")).await;
    let m = other.since(&before.1).await;
    // The plugin leaves out its own sid, should it be the same number.
    assert!(matches!(m.unknown_sid, 100 | 200), "{m:?}");
    assert_eq!(dropped(&m), m.unknown_sid);
    assert!(stream.recv().now_or_never().is_none(), "nothing came of it");
    one.right("/release", "").await;
    let last = stream.recv().await.unwrap();
    assert_eq!(last.status, NrStatus::StreamEnd);
    assert_eq!(lossy(&last.data), lossy(&body));
    assert!(stream.recv().await.is_none());
    assert_eq!(dropped(&one.since(&before.0).await), 0);
}

/// The plugin keeps its host in static data: each host has a copy of the library of its own.
async fn two_hosts_with_one_plugin() {
    let rigs = [Rig::new(), Rig::new(), Rig::new()];
    for rig in &rigs {
        let text = rig.text("/lifecycle").await;
        assert!(text.contains("initialised=1"), "{text}");
    }
    join_all((0..300).map(|i| {
        let rig = &rigs[i % 3];
        async move {
            let query = if i % 2 == 0 { "bg=1" } else { "delay=300" };
            let body = unique();
            let (status, payload) = rig.call_with("/echo", query, &body).await.unwrap();
            assert_eq!((status, lossy(&payload)), (NrStatus::Ok, lossy(&body)));
        }
    }))
    .await;
    let [first, second, third] = rigs;
    first.host.shutdown(Duration::from_secs(5)).await.unwrap();
    drop(first);
    second.right("/echo", "bg=1").await;
    third.right("/echo", "bg=1").await;
    assert_eq!(dropped(&second.settle().await), 0);
    assert_eq!(dropped(&third.settle().await), 0);
}
