//! The plugin that sends frames.

use std::{ops::RangeInclusive, path::Path, time::Duration};

use futures::future::join_all;
use nylon_ring_host::{NrStatus, NylonRingHost, NylonRingHostError, StreamReceiver};

use crate::rig::Rig;

/// How many frames a stream may have on their way.
const WINDOW: u64 = 64;

/// Checks a language's streaming plugin.
///
/// # Panics
/// A check failed.
pub fn streaming(plugin: &Path) {
    let rig = Rig::load(plugin, NylonRingHost::builder().stream_window(WINDOW as u32));
    rig.check("frames come in order", in_order);
    rig.check("a stream that fails says so last", fails);
    rig.check("a number that is none is Invalid", bad_numbers);
    rig.check("another path is Unsupported", other_paths);
    rig.check("16 streams at once", many_at_once);
    rig.check("a slow reader stops the plugin", slow_reader);
    rig.check("a stream that is given up ends", given_up);
    rig.check_once("streams in flight end when the host is shut down", shut_down);
    rig.keeps_to_the_contract();
}

/// Reads the frames of these numbers.
async fn reads(rig: &Rig, stream: &mut StreamReceiver, numbers: RangeInclusive<u64>) {
    for i in numbers {
        let frame = rig.recv(stream).await.expect("a stream ends with a terminal frame");
        let text = String::from_utf8_lossy(&frame.data);
        assert_eq!((frame.status, &*text), (NrStatus::Ok, &*i.to_string()));
    }
}

/// Reads the last frame.
async fn ends(rig: &Rig, mut stream: StreamReceiver) -> (NrStatus, Vec<u8>) {
    let last = rig.recv(&mut stream).await.expect("a stream ends with a terminal frame");
    assert!(rig.recv(&mut stream).await.is_none(), "nothing comes after the terminal frame");
    (last.status, last.data.into_vec())
}

async fn counts_to(rig: &Rig, mut stream: StreamReceiver, n: u64) -> (NrStatus, Vec<u8>) {
    reads(rig, &mut stream, 1..=n).await;
    ends(rig, stream).await
}

async fn in_order(rig: Rig) {
    for n in [0, 1, 2, 17, WINDOW - 1, WINDOW, WINDOW + 1, 1000, 20_000] {
        for path in ["/count", "/flow"] {
            let (status, last) = counts_to(&rig, rig.stream(path, &format!("n={n}")).await, n).await;
            assert_eq!((status, &*last), (NrStatus::StreamEnd, &b""[..]));
        }
    }
}

async fn fails(rig: Rig) {
    for after in [0, 1, 3] {
        let (status, text) = counts_to(&rig, rig.stream("/fail", &format!("after={after}")).await, after).await;
        assert_eq!(status, NrStatus::Err);
        assert!(!text.is_empty(), "it says why");
    }
}

async fn bad_numbers(rig: Rig) {
    for (path, query) in [("/count", ""), ("/count", "n=x"), ("/flow", "n=-1"), ("/fail", "n=1")] {
        let (status, _) = counts_to(&rig, rig.stream(path, query).await, 0).await;
        assert_eq!(status, NrStatus::Invalid, "{path}?{query}");
    }
}

async fn other_paths(rig: Rig) {
    let (status, _) = counts_to(&rig, rig.stream("/", "n=1").await, 0).await;
    assert_eq!(status, NrStatus::Unsupported);
}

async fn many_at_once(rig: Rig) {
    let streams = (0..16_u64).map(|i| {
        let rig = rig.clone();
        tokio::spawn(async move {
            let (path, n) = (if i % 2 == 0 { "/count" } else { "/flow" }, 100 * i);
            counts_to(&rig, rig.stream(path, &format!("n={n}")).await, n).await.0
        })
    });
    for status in join_all(streams).await {
        assert_eq!(status.unwrap(), NrStatus::StreamEnd);
    }
}

/// Waits until the plugin has filled the windows of `streams` streams that nobody reads.
async fn stalls(rig: &Rig, streams: u64) {
    let full = streams * WINDOW;
    rig.until("the windows are full", |books| rig.waiting(books) >= full).await;
    // A plugin that pays no heed to the window goes on meanwhile.
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(rig.waiting(&rig.host.metrics()), full, "no frame goes past the window");
}

async fn slow_reader(rig: Rig) {
    let (n, half) = (8 * WINDOW, WINDOW / 2);
    let mut stream = rig.stream("/flow", &format!("n={n}")).await;
    let mut read = 0;
    while read < 4 * WINDOW {
        stalls(&rig, 1).await;
        // Half of the window is free then, which is when the plugin is told to go on.
        reads(&rig, &mut stream, read + 1..=read + half).await;
        read += half;
    }
    reads(&rig, &mut stream, read + 1..=n).await;
    assert_eq!(ends(&rig, stream).await.0, NrStatus::StreamEnd);
}

/// Streams without an end whose windows are full. Some frames have been read.
async fn endless(rig: &Rig) -> Vec<StreamReceiver> {
    let half = WINDOW / 2;
    let mut streams = Vec::new();
    for (others, halves) in [0, 1, 2, 5].into_iter().enumerate() {
        let mut stream = rig.stream("/forever", "").await;
        stalls(rig, others as u64 + 1).await;
        for i in 0..halves {
            reads(rig, &mut stream, i * half + 1..=(i + 1) * half).await;
            stalls(rig, others as u64 + 1).await;
        }
        streams.push(stream);
    }
    streams
}

async fn given_up(rig: Rig) {
    for _ in 0..4 {
        let streams = endless(&rig).await;
        rig.give_up_streams(streams);
        rig.until("the plugin ends the streams", |books| rig.all_ended(books)).await;
    }
    rig.balanced();
}

async fn shut_down(rig: Rig) {
    let mut streams = endless(&rig).await;
    let outcome = rig.host.shutdown(Duration::from_millis(50)).await;
    assert!(matches!(outcome, Err(NylonRingHostError::ShutdownTimedOut { .. })), "{outcome:?}");
    rig.takes_no_more().await;
    for stream in &mut streams {
        let mut last = None;
        while let Some(frame) = stream.recv().await {
            last = Some(frame.status);
        }
        // By whom is a matter of chance: the host closes it, or the plugin hears of that first.
        assert!(matches!(last, Some(NrStatus::Err | NrStatus::StreamEnd)), "{last:?}, {:?}", stream.error());
    }
}
