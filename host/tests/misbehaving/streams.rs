//! Streams: order, terminal frames, readers that are slow or gone.

use std::time::Duration;

use futures::future::join_all;
use nylon_ring_host::{NrStatus, NylonRingHost};

use crate::{
    accounts::{accounted, dropped},
    on_both_runtimes,
    rig::{Rig, assert_in_order, lossy, read_to_end},
};

on_both_runtimes! {
    frames_in_order,
    twenty_thousand_frames_inside_handle,
    thirty_two_streams_at_once,
    every_terminal_status,
    frames_after_the_end,
    a_status_that_is_not_in_the_abi,
    a_payload_that_is_not_there,
    a_frame_past_the_buffer_limit,
    a_slow_reader,
    a_reader_that_keeps_up,
    a_reader_that_leaves,
    readers_that_leave_before_the_first_frame,
    a_stream_that_never_ends,
    an_answer_of_two_threads,
}

async fn frames_in_order() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for query in ["n=0", "n=1", "n=500", "n=500&bg=1"] {
        let (mut stream, body) = rig.stream("/frames", query).await;
        let (frames, last) = read_to_end(&mut stream).await;
        assert_in_order(&frames, 0, &body);
        assert_eq!(last.status, NrStatus::StreamEnd);
        assert_eq!(lossy(&last.data), lossy(&body));
    }
    let m = rig.since(&before).await;
    assert_eq!((m.opened, m.delivered, dropped(&m)), (4, 1005, 0));
}

async fn twenty_thousand_frames_inside_handle() {
    // A ring that holds a small part of them.
    let rig = Rig::with(NylonRingHost::builder().cells_per_shard(256));
    let before = rig.settle().await;
    for query in ["n=20000", "n=20000&bg=1"] {
        let (mut stream, body) = rig.stream("/frames", query).await;
        let (frames, last) = read_to_end(&mut stream).await;
        assert_eq!(frames.len(), 20_000);
        assert_in_order(&frames, 0, &body);
        assert_eq!(last.status, NrStatus::StreamEnd);
    }
    let m = rig.since(&before).await;
    assert_eq!((m.delivered, dropped(&m), m.overflowed), (40_002, 0, 0));
    rig.right("/echo", "").await;
}

async fn thirty_two_streams_at_once() {
    let rig = Rig::new();
    let before = rig.settle().await;
    join_all((0..32).map(|_| async {
        let (mut stream, body) = rig.stream("/frames", "n=500&bg=1").await;
        let (frames, _) = read_to_end(&mut stream).await;
        assert_eq!(frames.len(), 500);
        assert_in_order(&frames, 0, &body);
    }))
    .await;
    let m = rig.since(&before).await;
    assert_eq!((m.delivered, dropped(&m)), (32 * 501, 0));
}

async fn every_terminal_status() {
    let rig = Rig::new();
    for (end, status) in
        [(1, NrStatus::Err), (2, NrStatus::Invalid), (3, NrStatus::Unsupported), (4, NrStatus::StreamEnd)]
    {
        for bg in [0, 1] {
            let (mut stream, body) = rig.stream("/frames", &format!("n=3&bg={bg}&end={end}")).await;
            let (frames, last) = read_to_end(&mut stream).await;
            assert_eq!((frames.len(), last.status), (3, status));
            assert_eq!(lossy(&last.data), lossy(&body));
        }
    }
    assert_eq!(dropped(&rig.settle().await), 0);
}

async fn frames_after_the_end() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for end in 1..=4 {
        for bg in [0, 1] {
            let query = format!("n=50&bg={bg}&end={end}");
            let (mut stream, body) = rig.stream("/after-end", &query).await;
            let (frames, last) = read_to_end(&mut stream).await;
            assert_eq!(frames.len(), 1);
            assert_eq!(lossy(&frames[0].data), lossy(&body));
            assert_eq!(lossy(&last.data), lossy(&body));
        }
    }
    let m = rig.since(&before).await;
    assert_eq!((m.delivered, dropped(&m), m.duplicate), (16, 400, 0));
    rig.right("/echo", "bg=1").await;
}

async fn a_status_that_is_not_in_the_abi() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for v in [5, 6, 1000, u32::MAX] {
        let (mut stream, _) = rig.stream("/frames", &format!("n=2&end={v}")).await;
        let (frames, last) = read_to_end(&mut stream).await;
        assert_eq!((frames.len(), last.status), (2, NrStatus::Err), "{v}");
    }
    let m = rig.since(&before).await;
    assert_eq!((m.delivered, m.unknown_status, dropped(&m)), (12, 4, 0));
}

async fn a_payload_that_is_not_there() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for query in ["null=1&len=9", "len=18446744073709551615"] {
        let (mut stream, _) = rig.stream("/payload", query).await;
        let (frames, last) = read_to_end(&mut stream).await;
        assert_eq!((frames.len(), last.status), (0, NrStatus::Invalid));
    }
    let m = rig.since(&before).await;
    assert_eq!((m.delivered, m.invalid_payload, dropped(&m)), (2, 2, 0));
    rig.right("/echo", "").await;
}

async fn a_frame_past_the_buffer_limit() {
    let rig = Rig::new();
    let before = rig.settle().await;
    let (mut stream, _) = rig.stream("/payload", "len=1099511627776").await;
    let (frames, last) = read_to_end(&mut stream).await;
    assert_eq!((frames.len(), last.status), (0, NrStatus::Err));
    let m = rig.since(&before).await;
    assert_eq!((m.overflowed, dropped(&m)), (1, 0));
    rig.right("/echo", "").await;
}

/// Frames are kept up to the limit, in order; then the stream ends with `Err`, and says so in the metrics.
async fn a_slow_reader() {
    const LIMIT: u64 = 1 << 20;
    let rig = Rig::with(NylonRingHost::builder().buffer_limit(LIMIT));
    let (mut stream, body) = rig.stream("/endless", "").await;
    rig.until("the buffer to fill", |m| m.after_end + m.overflow_dropped > 0).await;
    // Others are not kept from being answered, and the plugin is told.
    rig.right("/stop", "").await;
    let (frames, last) = read_to_end(&mut stream).await;
    assert_eq!(last.status, NrStatus::Err);
    assert_in_order(&frames, 0, &body);
    let bytes: u64 = frames.iter().map(|f| f.data.len() as u64).sum();
    assert!(bytes <= LIMIT, "{bytes} bytes were kept");
    assert!(!frames.is_empty());
    drop(stream);
    rig.right("/quiet", "").await;
    rig.right("/echo", "bg=1").await;
    let m = rig.settle().await;
    assert!(m.overflowed >= 1, "{m:?}");
    assert_eq!(m.buffered, 0);
}

async fn a_reader_that_keeps_up() {
    let rig = Rig::new();
    let before = rig.settle().await;
    let (mut stream, body) = rig.stream("/endless", "pace=200&batch=8").await;
    let mut frames = Vec::new();
    while frames.len() < 2000 {
        frames.push(stream.recv().await.unwrap());
    }
    rig.right("/stop", "").await;
    let (rest, last) = read_to_end(&mut stream).await;
    assert_eq!(last.status, NrStatus::StreamEnd);
    frames.extend(rest);
    assert_in_order(&frames, 0, &body);
    let m = rig.since(&before).await;
    assert_eq!(m.delivered, frames.len() as u64 + 2);
    assert_eq!((m.overflowed, dropped(&m)), (0, 0));
}

async fn a_reader_that_leaves() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for _ in 0..8 {
        let (mut stream, body) = rig.stream("/endless", "pace=100&batch=16").await;
        let frames = vec![stream.recv().await.unwrap(), stream.recv().await.unwrap()];
        assert_in_order(&frames, 0, &body);
    }
    rig.until("frames to be dropped", |m| dropped(m) > 1000).await;
    rig.right("/stop", "").await;
    let m = rig.since(&before).await;
    assert_eq!((m.opened, m.cancelled, m.in_flight), (9, 8, 0));
    rig.right("/echo", "").await;
}

async fn readers_that_leave_before_the_first_frame() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for _ in 0..50 {
        drop(rig.stream("/frames", "n=20").await);
        drop(rig.stream("/frames", "n=20&delay=300").await);
    }
    let m = rig.since(&before).await;
    assert_eq!((m.opened, m.in_flight), (100, 0));
    assert_eq!(accounted(&m), 2100);
    assert_eq!(m.overflowed, 0);
}

async fn a_stream_that_never_ends() {
    let rig = Rig::new();
    let before = rig.settle().await;
    for path in ["/never", "/echo"] {
        let (mut stream, body) = rig.stream(path, "").await;
        if path == "/echo" {
            assert_eq!(lossy(&stream.recv().await.unwrap().data), lossy(&body));
        }
        let patience = Duration::from_millis(20);
        assert!(tokio::time::timeout(patience, stream.recv()).await.is_err());
    }
    let m = rig.since(&before).await;
    assert_eq!((m.opened, m.cancelled, m.in_flight), (2, 2, 0));
    rig.right("/echo", "").await;
}

/// Eight threads send one frame each for one sid: all of them arrive, in any order, and the stream stays open.
async fn an_answer_of_two_threads() {
    let rig = Rig::new();
    for _ in 0..50 {
        let (mut stream, body) = rig.stream("/race", "n=8").await;
        let mut letters = Vec::new();
        for _ in 0..8 {
            let frame = stream.recv().await.unwrap();
            let (letter, rest) = frame.data.split_last().unwrap();
            assert_eq!(lossy(rest), lossy(&body));
            letters.push(*letter);
        }
        letters.sort_unstable();
        assert_eq!(letters, b"ABCDEFGH");
    }
    assert_eq!(dropped(&rig.settle().await), 0);
}
