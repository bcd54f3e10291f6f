//! Memory stays bounded. Each measurement runs alone, in a process of its own: this test binary again, with one test.

use std::{env, process::Command, time::Duration};

use futures::future::FutureExt;
use nylon_ring_host::{Metrics, NylonRingHost};

use crate::{
    accounts::{accounted, dropped},
    common,
    counting::{live, peak, reset_peak},
    rig::{Rig, lossy, read_to_end, unique, view},
};

const MIB: usize = 1 << 20;

/// What two shards keep for the results of other threads: `ring/src/bump.rs`.
const CHUNKS: usize = 8 * MIB;

/// A test that runs one measurement elsewhere, and the measurement.
macro_rules! measurements {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            alone(concat!("memory::measure::", stringify!($name)));
        })*

        mod measure {
            $(#[test]
            #[ignore = "run alone by the test of the same name in `memory`"]
            fn $name() {
                crate::common::two_workers(stringify!($name), super::measured::$name);
            })*
        }
    };
}

measurements! {
    calls_given_up_and_never_answered,
    calls_given_up_and_answered_late,
    state_for_sids_that_nobody_gave_out,
    state_after_the_end,
    state_of_calls_given_up,
    big_results,
    big_results_that_nobody_takes,
    streams_that_nobody_reads,
    a_slow_reader,
    hundreds_of_thousands_of_forged_results,
}

fn alone(test: &str) {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{test}: {}\n{text}\n{errors}", output.status);
}

/// Bytes in use, when all is settled and warm.
async fn settled(rig: &Rig) -> usize {
    rig.settle().await;
    live()
}

/// Waits until no more than this is in use above `base`: a queue may give its memory back a moment later.
async fn assert_back_to(base: usize, slack: usize) {
    for _ in 0..500 {
        if live() <= base + slack {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} bytes more than before are in use", live() - base);
}

mod measured {
    use super::*;

    pub async fn calls_given_up_and_never_answered() {
        let rig = Rig::new();
        let give_up = || rig.host.call_view(view("/never", "", b"no answer")).now_or_never();
        for _ in 0..1000 {
            assert!(give_up().is_none());
        }
        let base = settled(&rig).await;
        let before = rig.settle().await;
        reset_peak();
        for n in 0..300_000 {
            assert!(give_up().is_none());
            if n % 10_000 == 0 {
                assert!(rig.host.metrics().in_flight <= 1);
                rig.right("/echo", "").await;
            }
        }
        let m = rig.since(&before).await;
        assert_eq!((m.cancelled, dropped(&m), m.in_flight), (300_000, 0, 0));
        assert!(peak() <= base + MIB, "{} bytes more at the peak", peak() - base);
        assert_back_to(base, MIB / 4).await;
    }

    pub async fn calls_given_up_and_answered_late() {
        let rig = Rig::new();
        let base = settled(&rig).await;
        let before = rig.settle().await;
        for n in 0..100_000 {
            let body = unique();
            // Some may be answered before the first poll ends.
            if let Some(answer) = rig.call_with("/scribble", "bg=1", &body).now_or_never() {
                assert_eq!(lossy(&answer.unwrap().1), lossy(&body));
            }
            if n % 1000 == 0 {
                rig.right("/quiet", "").await;
            }
        }
        let m = rig.since(&before).await;
        // With the answers to /quiet.
        assert_eq!(accounted(&m), 100_100);
        assert_back_to(base, MIB).await;
    }

    pub async fn state_for_sids_that_nobody_gave_out() {
        let rig = Rig::new();
        rig.right("/state", "case=forged&n=1000").await;
        let base = settled(&rig).await;
        reset_peak();
        for seed in 0..4 {
            // 1 KiB for each.
            let query = format!("case=forged&n=50000&bg=1&seed={seed}");
            rig.right("/state", &query).await;
        }
        assert!(peak() <= base + MIB, "{} bytes more at the peak", peak() - base);
    }

    pub async fn state_after_the_end() {
        let rig = Rig::new();
        let base = settled(&rig).await;
        for _ in 0..200 {
            // 1 KiB for each key, after the answer: up to 200 MiB, were it kept.
            rig.answer("/state-after-end", "n=1000&bg=1").await.unwrap();
        }
        rig.settle().await;
        assert_back_to(base, 4 * MIB).await;
    }

    pub async fn state_of_calls_given_up() {
        let rig = Rig::new();
        let base = settled(&rig).await;
        let body = vec![b's'; 4096];
        for _ in 0..10 {
            for _ in 0..500 {
                let call = rig.host.call_view(view("/state-hold", "", &body));
                assert!(call.now_or_never().is_none());
            }
            rig.right("/release", "").await;
            rig.right("/quiet", "").await;
        }
        assert_eq!(rig.text("/verdict").await, "good=5000 bad=0");
        rig.settle().await;
        // 20 MiB, were it kept.
        assert_back_to(base, MIB + CHUNKS).await;
    }

    pub async fn big_results() {
        let rig = Rig::with(NylonRingHost::builder().buffer_limit(256 << 20));
        let base = settled(&rig).await;
        for bg in [0, 1] {
            reset_peak();
            for _ in 0..4 {
                let query = format!("len={}&bg={bg}", 64 * MIB);
                let answer = rig.host.call_view(view("/big", &query, b"")).await;
                let (_, payload) = answer.unwrap();
                let bytes = Vec::from(payload);
                assert_eq!(bytes.len(), 64 * MIB);
            }
            // One copy, made by the plugin's thread, becomes the caller's.
            assert!(peak() <= base + 72 * MIB, "{} bytes more at the peak", peak() - base);
        }
        assert_back_to(base, MIB).await;
    }

    pub async fn big_results_that_nobody_takes() {
        let rig = Rig::with(NylonRingHost::builder().buffer_limit(256 << 20));
        let base = settled(&rig).await;
        for _ in 0..20 {
            let query = format!("len={}&bg=1", 16 * MIB);
            let call = rig.host.call_view(view("/big", &query, b""));
            let _ = call.now_or_never();
            let stream = rig.host.call_stream_view(view("/big", &query, b"")).await;
            drop(stream.unwrap());
            rig.right("/quiet", "").await;
        }
        rig.settle().await;
        assert_back_to(base, MIB).await;
    }

    pub async fn streams_that_nobody_reads() {
        let rig = Rig::new();
        let base = settled(&rig).await;
        for _ in 0..500 {
            drop(rig.stream("/frames", "n=1000").await);
            drop(rig.stream("/frames", "n=200&bg=1").await);
            let (mut stream, _) = rig.stream("/frames", "n=200&bg=1").await;
            stream.recv().await.unwrap();
        }
        rig.settle().await;
        assert_back_to(base, 4 * MIB).await;
    }

    pub async fn a_slow_reader() {
        let rig = Rig::with(NylonRingHost::builder().buffer_limit(4 * MIB as u64));
        let base = settled(&rig).await;
        let body = vec![b'f'; 256];
        for _ in 0..4 {
            reset_peak();
            let full = |m: &Metrics| m.after_end + m.overflow_dropped;
            let before = full(&rig.host.metrics());
            let stream = rig.host.call_stream_view(view("/endless", "", &body)).await;
            let mut stream = stream.unwrap();
            rig.until("the buffer to fill", |m| full(m) > before).await;
            // The plugin goes on sending for a while; up to 500 MiB, were it all kept.
            tokio::time::sleep(Duration::from_millis(100)).await;
            rig.right("/stop", "").await;
            let (frames, _) = read_to_end(&mut stream).await;
            assert!(frames.len() > 1000, "{}", frames.len());
            drop((frames, stream));
            rig.right("/quiet", "").await;
            assert!(peak() <= base + 32 * MIB, "{} bytes more at the peak", peak() - base);
        }
        assert_back_to(base, MIB + CHUNKS).await;
    }

    pub async fn hundreds_of_thousands_of_forged_results() {
        let rig = Rig::new();
        let base = settled(&rig).await;
        let before = rig.settle().await;
        for query in ["n=300000", "n=300000&bg=1"] {
            rig.right("/forge", query).await;
        }
        let m = rig.since(&before).await;
        assert_eq!((m.unknown_sid, m.delivered), (600_000, 2));
        assert_back_to(base, 4 * MIB).await;
    }
}

/// The counter itself.
#[test]
fn the_allocator_counts() {
    common::current_thread("counting", || async {
        let bytes = vec![1_u8; 256 * MIB];
        assert!(live() >= 256 * MIB && peak() >= 256 * MIB);
        drop(bytes);
    });
}
