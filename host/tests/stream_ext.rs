//! A `StreamReceiver` as a `futures::Stream`, with the usual adapters.

#![allow(clippy::unwrap_used, reason = "tests")]

mod held;

use futures::stream::{self, StreamExt};
use held::{held, view};
use nylon_ring_host::{NrStatus, StreamFrame};

fn text(frame: &StreamFrame) -> String {
    String::from_utf8_lossy(&frame.data).into_owned()
}

#[tokio::test]
async fn frames_pass_through_adapters() {
    let host = held();
    let first = host.call_stream_view(view("/stream", b"")).await.unwrap();
    let second = host.call_stream_view(view("/stream", b"")).await.unwrap();
    let (_, released) = host.call_view(view("/release", b"")).await.unwrap();
    assert_eq!(released, b"2");

    // One after the other, then both at once.
    let texts: Vec<_> = first.map(|frame| text(&frame)).collect().await;
    assert_eq!(texts, ["first", "last", ""]);
    let third = host.call_stream_view(view("/stream", b"")).await.unwrap();
    host.call_view(view("/release", b"")).await.unwrap();
    let merged = stream::select(second, third).filter(|frame| std::future::ready(frame.status == NrStatus::Ok));
    let mut texts: Vec<_> = merged.map(|frame| text(&frame)).collect().await;
    texts.sort();
    assert_eq!(texts, ["first", "first", "last", "last"]);
}

#[tokio::test]
async fn a_stream_that_is_cut_short_is_given_up() {
    let host = held();
    let stream = host.call_stream_view(view("/stream", b"")).await.unwrap();
    let frames: Vec<_> = stream.take(1).collect().await;
    assert_eq!(text(&frames[0]), "first");
    let metrics = host.metrics();
    assert_eq!((metrics.cancelled, metrics.in_flight), (1, 0), "{metrics:?}");
}
