//! What `handle` returns, and plugins that do not stand by it.

use std::time::Duration;

use nylon_ring_host::NrStatus;

use crate::{
    accounts::{accounted, dropped},
    on_both_runtimes,
    rig::{Answer, Rig, lossy, unique, view},
};

/// Everything that is not `Ok`; the last ones are not in the ABI.
const REFUSALS: [u32; 9] = [1, 2, 3, 4, 5, 6, 1000, 0x8000_0000, u32::MAX];

on_both_runtimes! {
    refusals,
    refusals_of_streams,
    no_answer_at_all,
    an_answer_and_then_a_refusal,
    a_refusal_and_then_an_answer,
}

fn assert_refused(v: u32, answer: &Answer) {
    let text = match answer {
        Err(error) => error.to_string(),
        Ok((status, payload)) => panic!("{v} gave {status:?} {}", lossy(payload)),
    };
    assert!(text.contains("refused"), "{v}: {text}");
}

async fn refusals() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for v in REFUSALS {
        assert_refused(v, &rig.answer("/refuse", &format!("v={v}")).await);
        rig.right("/echo", "").await;
    }
    let m = rig.since(&before).await;
    assert_eq!(m.refused, REFUSALS.len() as u64);
    assert_eq!((m.delivered, dropped(&m)), (REFUSALS.len() as u64, 0));
}

async fn refusals_of_streams() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for v in REFUSALS {
        let query = format!("v={v}");
        let body = unique();
        let stream = rig.host.call_stream_view(view("/refuse", &query, &body)).await;
        let text = stream.err().unwrap().to_string();
        assert!(text.contains("refused"), "{v}: {text}");
    }
    let m = rig.since(&before).await;
    assert_eq!((m.refused, dropped(&m)), (REFUSALS.len() as u64, 0));
    rig.right("/echo", "bg=1").await;
}

async fn no_answer_at_all() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for path in ["/never", "/refuse"] {
        for _ in 0..10 {
            let call = rig.answer(path, "v=0");
            let patience = Duration::from_millis(5);
            assert!(tokio::time::timeout(patience, call).await.is_err());
        }
    }
    let m = rig.since(&before).await;
    assert_eq!((m.cancelled, m.refused, m.in_flight), (20, 0, 0));
    assert_eq!((m.opened, m.delivered, dropped(&m)), (20, 0, 0));
    rig.right("/echo", "").await;
}

/// The plugin broke the contract: the caller has one outcome, either of the two, and the books balance.
async fn an_answer_and_then_a_refusal() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for v in REFUSALS {
        match rig.answer("/refuse-and-answer", &format!("v={v}")).await {
            Ok((status, _)) => assert_eq!(status, NrStatus::Ok),
            refused => assert_refused(v, &refused),
        }
        rig.right("/echo", "").await;
    }
    let m = rig.since(&before).await;
    assert_eq!(accounted(&m), 2 * REFUSALS.len() as u64);
}

async fn a_refusal_and_then_an_answer() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for delay in [0, 2000] {
        for v in REFUSALS {
            // The slot is free for the next call long before the answer comes.
            let query = format!("v={v}&thread=1&delay={delay}");
            let answer = rig.answer("/refuse-and-answer", &query).await;
            if delay > 0 || answer.is_err() {
                assert_refused(v, &answer);
            }
            rig.right("/echo", "delay=100").await;
        }
    }
    let m = rig.since(&before).await;
    let n = 2 * REFUSALS.len() as u64;
    assert_eq!(accounted(&m), 2 * n);
    assert!(m.refused >= n / 2, "{m:?}");
}
