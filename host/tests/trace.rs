//! The span of each call (feature `tracing`; `make test` runs this).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[expect(dead_code, reason = "shared with other tests")]
mod common;
#[path = "common/witness.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod witness;

use std::sync::Mutex;

use futures::executor::block_on;
use nylon_ring_host::RequestView;
use tracing_subscriber::fmt::{MakeWriter, format::FmtSpan};
use witness::{ask, load, staying};

/// What is written about one path while `work` is done.
fn lines(path: &str, work: impl FnOnce()) -> Vec<String> {
    let log: &Mutex<Vec<u8>> = Box::leak(Box::default());
    let subscriber = tracing_subscriber::fmt()
        .with_span_events(FmtSpan::NEW | FmtSpan::ENTER | FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(|| log.make_writer())
        .finish();
    tracing::subscriber::with_default(subscriber, work);
    let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    text.lines().filter(|line| line.contains(path)).map(str::to_owned).collect()
}

fn count(lines: &[String], event: &str) -> usize {
    lines.iter().filter(|line| line.contains(&format!("nylon_ring::call: {event}"))).count()
}

#[test]
fn a_call_has_a_span_from_handle_to_its_answer() {
    let (host, _) = block_on(load(staying()));
    let lines = lines("/later", || assert_eq!(block_on(ask(&host, "/later")).unwrap(), "1"));
    let sid = lines[0].split("sid=").nth(1).unwrap().split(' ').next().unwrap();
    assert_ne!(sid.parse::<u64>().unwrap(), 0);
    let fields = format!("call{{plugin=\"unload\" sid={sid} path=\"/later\"}}");
    assert!(lines.iter().all(|line| line.contains(&fields)), "{lines:#?}");
    assert_eq!((count(&lines, "new"), count(&lines, "close")), (1, 1), "{lines:#?}");
    assert!(count(&lines, "enter") >= 2, "in handle, and when the caller looks: {lines:#?}");
}

#[test]
fn a_stream_has_a_span_until_it_is_dropped() {
    let (host, _) = block_on(load(staying()));
    let lines = lines("/stream", || {
        let mut stream =
            block_on(host.call_stream_view(RequestView { path: "/stream", ..RequestView::default() })).unwrap();
        assert_eq!(block_on(stream.recv()).unwrap().data, b"first");
    });
    assert_eq!((count(&lines, "new"), count(&lines, "close")), (1, 1), "{lines:#?}");
}
