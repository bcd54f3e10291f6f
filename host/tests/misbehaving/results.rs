//! Results of unary calls: statuses, payloads, duplicates, threads.

use std::time::Duration;

use futures::future::join_all;
use nylon_ring_host::{NrStatus, NylonRingHost};

use crate::{
    accounts::{accounted, dropped},
    on_both_runtimes,
    rig::{Rig, lossy, unique},
};

on_both_runtimes! {
    right_answers,
    hundreds_at_once,
    a_handle_that_blocks,
    raw_statuses,
    payloads_that_are_not_there,
    lengths_past_every_limit,
    empty_payloads_at_any_address,
    a_big_result,
    duplicates,
    frames_for_a_unary_call,
    two_to_eight_threads_answer_at_once,
    no_context,
    threads_answer_while_callers_give_up,
    a_future_that_is_never_polled,
}

async fn right_answers() {
    let rig = Rig::new();
    let before = rig.settle().await;
    let paths = ["/echo", "/scribble", "/tiny-stack", "/thread-exit"];
    for _ in 0..20 {
        for path in paths {
            for query in ["", "bg=1", "delay=500"] {
                rig.right(path, query).await;
            }
        }
    }
    let m = rig.since(&before).await;
    assert_eq!((m.opened, m.delivered), (240, 240));
    // Each /thread-exit sends one more, for a sid that nobody gave out.
    assert_eq!((m.unknown_sid, dropped(&m)), (60, 60));
}

async fn hundreds_at_once() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for query in ["", "bg=1", "delay=1000"] {
        join_all((0..300).map(|_| rig.right("/scribble", query))).await;
    }
    let m = rig.since(&before).await;
    assert_eq!((m.opened, m.delivered, dropped(&m)), (900, 900, 0));
}

async fn a_handle_that_blocks() {
    let rig = Rig::new();
    join_all((0..4).map(|_| rig.right("/block", "ms=20"))).await;
    rig.right("/echo", "bg=1").await;
}

async fn raw_statuses() {
    let rig = Rig::new();
    let before = rig.settle().await;
    let named = [
        (0, NrStatus::Ok),
        (1, NrStatus::Err),
        (2, NrStatus::Invalid),
        (3, NrStatus::Unsupported),
        (4, NrStatus::StreamEnd),
    ];
    for bg in [0, 1] {
        for (v, wanted) in named {
            let (status, _) = rig.answer("/status", &format!("v={v}&bg={bg}")).await.unwrap();
            assert_eq!(status, wanted, "{v}");
        }
        for v in [5, 6, 1000, 0x8000_0000, u32::MAX] {
            let (status, _) = rig.answer("/status", &format!("v={v}&bg={bg}")).await.unwrap();
            assert_eq!(status, NrStatus::Err, "{v}");
        }
    }
    let m = rig.since(&before).await;
    assert_eq!((m.delivered, m.unknown_status, dropped(&m)), (20, 10, 0));
    rig.right("/echo", "").await;
}

async fn payloads_that_are_not_there() {
    let rig = Rig::new();
    let before = rig.settle().await;
    let past = i64::MAX as u64 + 1;
    let queries = [
        "null=1&len=1".to_owned(),
        "null=1&len=4096".to_owned(),
        format!("null=1&len={}", 1_u64 << 40),
        format!("null=1&len={}", u64::MAX),
        format!("null=1&len={past}"),
        format!("len={past}"),
        format!("len={}", u64::MAX),
        format!("len={}", u64::MAX - 7),
        format!("wild=1&len={past}"),
        format!("wild=1&len={}", u64::MAX),
    ];
    for query in &queries {
        for bg in [0, 1] {
            let (status, payload) = rig.answer("/payload", &format!("{query}&bg={bg}")).await.unwrap();
            assert_eq!(status, NrStatus::Invalid, "{query}");
            assert!(!payload.contains(&0x42), "{query} was read");
            rig.right("/echo", "").await;
        }
    }
    let m = rig.since(&before).await;
    assert_eq!(m.invalid_payload, 2 * queries.len() as u64);
    assert_eq!(dropped(&m), 0);
}

async fn lengths_past_every_limit() {
    let rig = Rig::with(NylonRingHost::builder().buffer_limit(1 << 30));
    let before = rig.settle().await;
    // One byte is there, and says it is so many; address 1 would fault if it were read.
    let lengths = [(1_u64 << 30) + 1, 1 << 40, 1 << 47, i64::MAX as u64];
    for len in lengths {
        for at in ["", "&wild=1"] {
            let answer = rig.answer("/payload", &format!("len={len}{at}")).await;
            let ok = matches!(answer, Ok((NrStatus::Ok | NrStatus::StreamEnd, _)));
            assert!(!ok, "{len} bytes were delivered");
            rig.right("/echo", "bg=1").await;
        }
    }
    let m = rig.since(&before).await;
    assert_eq!(m.overflowed, 2 * lengths.len() as u64);
    assert_eq!((m.invalid_payload, dropped(&m)), (0, 0));
}

async fn empty_payloads_at_any_address() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for query in ["null=1", "wild=1", "", "null=1&bg=1", "wild=1&bg=1"] {
        let (status, payload) = rig.answer("/payload", query).await.unwrap();
        assert_eq!((status, payload.len()), (NrStatus::Ok, 0), "{query}");
    }
    let m = rig.since(&before).await;
    assert_eq!((m.delivered, m.invalid_payload, dropped(&m)), (5, 0, 0));
}

async fn a_big_result() {
    let rig = Rig::with(NylonRingHost::builder().buffer_limit(256 << 20));
    for (seed, query) in ["", "&bg=1"].into_iter().enumerate() {
        let query = format!("len={}&seed={seed}{query}", 64 << 20);
        let (status, bytes) = rig.answer("/big", &query).await.unwrap();
        assert_eq!((status, bytes.len()), (NrStatus::Ok, 64 << 20));
        // The pattern has a period of 256 bytes.
        let pattern: Vec<u8> = (0..256_usize).map(|i| (i * 31 + seed) as u8).collect();
        assert!(bytes.chunks(256).all(|chunk| chunk == pattern), "{query}");
    }
    rig.right("/echo", "").await;
}

async fn duplicates() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for query in ["n=1", "n=100", "n=100&bg=1", "n=100&thread=1"] {
        for _ in 0..10 {
            rig.right("/duplicates", query).await;
        }
    }
    let m = rig.since(&before).await;
    assert_eq!((m.delivered, dropped(&m)), (40, 3010));
    assert_eq!((m.after_end, m.overflowed), (0, 0));
    rig.right("/echo", "").await;
}

async fn frames_for_a_unary_call() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for query in ["n=100", "n=100&bg=1"] {
        let (status, payload) = rig.answer("/frames", query).await.unwrap();
        assert_eq!((status, &payload[..4]), (NrStatus::Ok, &[0; 4][..]));
    }
    let m = rig.since(&before).await;
    assert_eq!((m.delivered, dropped(&m)), (2, 200));
}

async fn two_to_eight_threads_answer_at_once() {
    let rig = Rig::new();
    let before = rig.settle().await;
    let mut losers = 0;
    for round in 0..400 {
        let runners = 2 + round % 7;
        losers += runners - 1;
        let body = unique();
        let query = format!("n={runners}");
        let (status, payload) = rig.call_with("/race", &query, &body).await.unwrap();
        assert_eq!(status, NrStatus::Ok);
        let (letter, rest) = payload.split_last().unwrap();
        assert_eq!(lossy(rest), lossy(&body));
        assert!((b'A'..=b'H').contains(letter), "{letter}");
    }
    let m = rig.since(&before).await;
    assert_eq!((m.delivered, dropped(&m)), (400, losers));
}

async fn no_context() {
    let rig = Rig::new();
    let before = rig.settle().await;
    rig.right("/null-context", "n=1000").await;
    rig.right("/null-context", "n=1000&bg=1").await;
    let m = rig.since(&before).await;
    assert_eq!((m.delivered, dropped(&m)), (2, 0));
    // This one is counted for the whole process, other tests included.
    assert!(m.null_context >= 2000, "{m:?}");
}

async fn threads_answer_while_callers_give_up() {
    let rig = Rig::with(NylonRingHost::builder().slots_per_shard(64));
    let before = rig.settle().await;
    let mut calls = 0;
    for round in 0..60_u64 {
        let batch = (0..32_u64).map(|i| {
            // Some answers come long before patience ends, some long after, most at about the same time.
            let delay = (round * 32 + i) * 7919 % 3000;
            let patience = Duration::from_micros((round * 32 + i) * 104_729 % 3000);
            let rig = &rig;
            async move {
                let query = format!("delay={}", delay + 1);
                rig.give_up_after("/scribble", &query, patience).await;
            }
        });
        calls += 32;
        join_all(batch).await;
    }
    let m = rig.since(&before).await;
    // A call that was given up before it was ever polled was not opened.
    assert!(m.opened <= calls, "{m:?}");
    assert_eq!(m.opened, accounted(&m));
    // One that was given up after its result had come, and before it was taken, may count as cancelled or not.
    assert!((m.unknown_sid..=dropped(&m)).contains(&m.cancelled), "{m:?}");
    assert_eq!(m.overflowed, 0);
    rig.right("/echo", "bg=1").await;
}

async fn a_future_that_is_never_polled() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for _ in 0..1000 {
        drop(rig.call_with("/echo", "", b"nobody asks for this"));
    }
    let m = rig.since(&before).await;
    assert_eq!((m.delivered, m.in_flight, dropped(&m)), (0, 0, 0));
    rig.right("/echo", "").await;
}
