//! Misuse of `nylon.state/1`. The plugin checks what the host does, and answers `Err` with what was wrong.

use futures::future::{FutureExt, join_all};
use nylon_ring_host::NrStatus;

use crate::{
    accounts::dropped,
    on_both_runtimes,
    rig::{Rig, lossy, read_to_end},
};

on_both_runtimes! {
    set_and_get,
    keys_that_are_no_text,
    lengths_that_cannot_be,
    a_thousand_keys,
    forged_sids,
    stale_sids,
    no_context,
    four_threads_on_one_sid,
    after_the_end,
    what_get_gave_outlives_the_caller,
    what_get_gave_outlives_the_reader_of_a_stream,
    state_of_one_call_is_not_seen_by_another,
}

async fn case(case: &str, more: &str) {
    let rig = Rig::new();
    for _ in 0..20 {
        rig.right("/echo", "").await;
    }
    for bg in [0, 1] {
        rig.right("/state", &format!("case={case}&bg={bg}{more}")).await;
        rig.right("/echo", "").await;
    }
    assert_eq!(dropped(&rig.settle().await), 0);
}

async fn set_and_get() {
    case("basic", "").await;
}

async fn keys_that_are_no_text() {
    case("keys", "").await;
}

async fn lengths_that_cannot_be() {
    case("lengths", "").await;
}

async fn a_thousand_keys() {
    case("many", "&n=1000").await;
}

async fn forged_sids() {
    case("forged", "&n=20000").await;
}

async fn stale_sids() {
    case("stale", "&n=20000").await;
}

async fn no_context() {
    case("null-context", "").await;
}

async fn four_threads_on_one_sid() {
    let rig = Rig::new();
    for _ in 0..20 {
        rig.right("/state-threads", "").await;
    }
}

async fn after_the_end() {
    let rig = Rig::new();
    for bg in [0, 1] {
        for _ in 0..10 {
            let query = format!("n=200&bg={bg}");
            let (status, _) = rig.answer("/state-after-end", &query).await.unwrap();
            assert_eq!(status, NrStatus::StreamEnd);
            let (mut stream, body) = rig.stream("/state-after-end", &query).await;
            let (frames, last) = read_to_end(&mut stream).await;
            assert_eq!((frames.len(), lossy(&last.data)), (0, lossy(&body)));
            rig.right("/state", "case=basic").await;
        }
    }
    assert_eq!(dropped(&rig.settle().await), 0);
}

/// Uses slots and state again and again, so that memory that was freed too early is overwritten.
async fn churn(rig: &Rig) {
    for _ in 0..100 {
        join_all((0..8).map(|_| rig.right("/state", "case=basic&bg=1"))).await;
    }
}

async fn what_get_gave_outlives_the_caller() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for _ in 0..20 {
        // Inside `handle`, so that the plugin has the address before the caller gives up.
        assert!(rig.right("/state-hold", "").now_or_never().is_none());
    }
    churn(&rig).await;
    rig.right("/release", "").await;
    let m = rig.since(&before).await;
    assert_eq!((m.cancelled, dropped(&m), m.in_flight), (20, 20, 0));
    assert_eq!(rig.text("/verdict").await, "good=20 bad=0");
}

async fn what_get_gave_outlives_the_reader_of_a_stream() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for _ in 0..20 {
        drop(rig.stream("/state-hold", "end=4").await);
    }
    churn(&rig).await;
    rig.right("/release", "").await;
    let m = rig.since(&before).await;
    assert_eq!((m.cancelled, dropped(&m), m.in_flight), (20, 20, 0));
    assert_eq!(rig.text("/verdict").await, "good=20 bad=0");
}

/// Each `basic` begins with a key that must not be there yet.
async fn state_of_one_call_is_not_seen_by_another() {
    let rig = Rig::new();
    for _ in 0..20 {
        join_all((0..16).map(|_| rig.right("/state", "case=basic&bg=1"))).await;
    }
    for _ in 0..200 {
        rig.right("/state", "case=basic").await;
    }
}
