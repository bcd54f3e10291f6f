//! The host's extensions, reached from C (`c/extensions.c`): what each does, and what it does with values that make no sense.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::{
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt};
use nylon_ring_host::{
    CallOptions, HostBuilder, Metrics, NrStatus, NylonRingHost, NylonRingHostError as Error, RequestView,
};

fn load(builder: HostBuilder) -> NylonRingHost {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/extensions.c");
    builder.load(nylon_ring_artifacts::c_plugin(&source, &[]).unwrap()).unwrap()
}

fn host() -> NylonRingHost {
    load(NylonRingHost::builder())
}

fn view<'a>(path: &'a str, body: &'a [u8]) -> RequestView<'a> {
    RequestView { method: "GET", path, query: "", headers: &[], body }
}

async fn text(host: &NylonRingHost, path: &str, body: &str) -> String {
    let (status, payload) = host.call_view(view(path, body.as_bytes())).await.unwrap();
    assert_eq!(status, NrStatus::Ok, "{path}");
    String::from_utf8(payload.into_vec()).unwrap()
}

/// What callbacks were told so far: cancelled, over, writable.
async fn told(host: &NylonRingHost) -> [u64; 3] {
    let text = text(host, "/told", "").await;
    let numbers: Vec<u64> = text.split(' ').map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

/// Waits until no call is in flight: the reactor frees the slot of one that was given up while its plugin wants to be told things.
async fn settled(host: &NylonRingHost) {
    while host.metrics().in_flight > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

on_both_runtimes! {
    every_table_is_there,
    a_plugin_is_configured,
    deadlines_are_seen,
    a_call_that_is_given_up_is_told,
    a_call_whose_deadline_passes_is_told,
    a_call_that_is_answered_is_over,
    callbacks_that_make_no_sense,
    frames_flow_as_they_are_taken,
    a_stream_that_is_dropped_ends_the_flow,
    results_are_written_in_place,
    buffers_that_make_no_sense,
    a_null_context_does_no_harm,
}

async fn every_table_is_there() {
    let expected = "nylon.log/1 24\nnylon.stream/1 32\nnylon.cancel/1 24\nnylon.deadline/1 16\nnylon.config/1 \
                    16\nnylon.buffer/1 32\n";
    assert_eq!(text(&host(), "/ids", "").await, expected);
}

async fn a_plugin_is_configured() {
    assert_eq!(text(&host(), "/config", "").await, "");
    let configured = load(NylonRingHost::builder().config(r#"{"key": "value"}"#));
    assert_eq!(text(&configured, "/config", "").await, r#"{"key": "value"}"#);
}

async fn deadlines_are_seen() {
    let host = host();
    assert_eq!(text(&host, "/deadline", "").await, "none");
    let hour = Duration::from_secs(3600);
    for options in [CallOptions::new().timeout(hour), CallOptions::new().deadline(Instant::now() + hour)] {
        let (_, left) = host.call_view_with(view("/deadline", b""), options).await.unwrap();
        let left = Duration::from_nanos(std::str::from_utf8(&left).unwrap().parse().unwrap());
        assert!(left <= hour && left > hour - common::LIMIT, "{left:?}");
    }
    assert_eq!(text(&host, "/deadline", "").await, "none", "the deadline of another call");

    let hurried = load(NylonRingHost::builder().timeout(hour));
    assert_ne!(text(&hurried, "/deadline", "").await, "none");
    let patient = hurried.call_view_with(view("/deadline", b""), CallOptions::new().no_timeout()).await.unwrap();
    assert_eq!(&*patient.1, b"none");
}

async fn a_call_that_is_given_up_is_told() {
    let host = host();
    assert_eq!(text(&host, "/wanted", "").await, "0 1");
    let call = host.call_view(view("/hold", b""));
    assert!(call.now_or_never().is_none());
    assert_eq!(told(&host).await, [1, 0, 0]);
    // The plugin still owes its result, and sends it.
    assert_eq!(text(&host, "/end-held", "").await, "ok");
    assert_eq!(told(&host).await, [1, 0, 0]);
    settled(&host).await;
    let Metrics { cancelled, extension_errors, .. } = host.metrics();
    assert_eq!((cancelled, extension_errors), (1, 0));
}

async fn a_call_whose_deadline_passes_is_told() {
    let host = host();
    let options = CallOptions::new().timeout(Duration::from_millis(20));
    let outcome = host.call_view_with(view("/hold", b""), options).await;
    assert!(matches!(outcome, Err(Error::Timeout)), "{outcome:?}");
    assert_eq!(told(&host).await, [1, 0, 0]);
    assert_eq!(host.metrics().timed_out, 1);
}

async fn a_call_that_is_answered_is_over() {
    let host = host();
    assert_eq!(text(&host, "/over", "").await, "ok");
    assert_eq!(told(&host).await, [0, 1, 0]);
}

async fn callbacks_that_make_no_sense() {
    let host = host();
    // Refused twice, and closed.
    assert_eq!(text(&host, "/null-callback", "").await, "3 3 2");
    assert_eq!((told(&host).await, host.metrics().extension_errors), ([0; 3], 2));
}

async fn frames_flow_as_they_are_taken() {
    const FRAMES: usize = 1000;
    let host = load(NylonRingHost::builder().stream_window(8));
    let mut stream = host.call_stream_view(view("/flow", FRAMES.to_string().as_bytes())).await.unwrap();
    let mut frames = vec![];
    let mut most = 0;
    while let Some(frame) = stream.next().await {
        most = host.metrics().buffered.max(most);
        frames.push(frame);
    }
    assert_eq!(frames.pop().unwrap().status, NrStatus::StreamEnd);
    let numbers: Vec<usize> =
        frames.iter().map(|frame| std::str::from_utf8(&frame.data).unwrap().parse().unwrap()).collect();
    assert_eq!(numbers, (0..FRAMES).collect::<Vec<_>>());
    // Eight frames and those that were taken with them, the window, and a place to wait in: at 64 bytes each.
    assert!(most <= 64 * 20, "{most} bytes were buffered");
    let [cancelled, over, writable] = told(&host).await;
    assert!(writable as usize >= FRAMES / 8 && (cancelled, over) == (0, 0), "{writable}");
}

async fn a_stream_that_is_dropped_ends_the_flow() {
    let host = load(NylonRingHost::builder().stream_window(8));
    let mut stream = host.call_stream_view(view("/flow", b"1000000")).await.unwrap();
    for _ in 0..20 {
        assert_eq!(stream.recv().await.unwrap().status, NrStatus::Ok);
    }
    drop(stream);
    assert_eq!(told(&host).await[0], 1);
    settled(&host).await;
}

async fn results_are_written_in_place() {
    let host = host();
    for len in [1, 40, 41, 5000, 1 << 20] {
        assert_eq!(text(&host, "/buffer", &len.to_string()).await, "x".repeat(len));
    }
    assert_eq!((host.metrics().buffered, host.metrics().extension_errors), (0, 0));
}

async fn buffers_that_make_no_sense() {
    let host = host();
    assert_eq!(text(&host, "/twice", "").await, "xxx");
    assert_eq!(host.metrics().extension_errors, 3);
    let (status, payload) = host.call_view(view("/past", b"")).await.unwrap();
    assert_eq!((status, payload.len(), host.metrics().invalid_payload), (NrStatus::Invalid, 0, 1));
    assert_eq!(text(&host, "/huge", "").await, "none");
    assert_eq!(host.metrics().buffered, 0);
}

async fn a_null_context_does_no_harm() {
    assert_eq!(text(&host(), "/null", "").await, "ok");
}

/// Keeps what is written to it.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn messages_become_events_of_tracing() {
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        futures::executor::block_on(async {
            let host = host();
            assert_eq!(text(&host, "/log", "hello").await, "4", "all but trace, which unknown levels count as");
            assert_eq!(text(&host, "/log-odd", "").await, "ok");
            assert_eq!(host.metrics().extension_errors, 2);
        });
    });
    let said = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    let levels: Vec<&str> = said.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(levels, ["ERROR", "WARN", "INFO", "DEBUG", "INFO"], "{said}");
    let first = said.lines().next().unwrap();
    for part in ["nylon_ring::plugin", "hello", "plugin=\"extensions\"", "sid=", "part=\"part\""] {
        assert!(first.contains(part), "{part} is not in {first}");
    }
    assert!(said.contains("caf\u{fffd}"), "{said}");
}
