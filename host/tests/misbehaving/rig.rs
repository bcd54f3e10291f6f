//! A host with the misbehaving plugin, and calls whose body is unlike that of any other call.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures::future::FutureExt;
use nylon_ring_artifacts::{c_plugin, c_source};
use nylon_ring_host::{
    HighLevelRequest, HostBuilder, Metrics, NrStatus, NylonRingHost, NylonRingHostError, RequestView, StreamFrame,
    StreamReceiver,
};

use crate::accounts::{accounted, between};

pub type Answer = Result<(NrStatus, Vec<u8>), NylonRingHostError>;

/// Calls that [`Rig::settle`] makes itself, each with one result.
const OWN_CALLS: u64 = 2;

#[derive(Clone)]
pub struct Rig {
    pub host: NylonRingHost,
}

pub fn plugin() -> PathBuf {
    c_plugin(&c_source("misbehaving"), &[]).unwrap()
}

/// Text that no other call of this process has.
pub fn unique() -> Vec<u8> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    // Of different lengths, below and above what fits one cell of a ring.
    let padding = ".".repeat((n % 5) as usize * 17);
    format!("call {n}{padding}").into_bytes()
}

impl Rig {
    pub fn new() -> Self {
        Self::with(NylonRingHost::builder())
    }

    pub fn with(builder: HostBuilder) -> Self {
        let host = builder.load(plugin()).unwrap();
        assert_eq!(host.name(), "misbehaving");
        assert_eq!(host.version(), "0.1.0");
        Self { host }
    }

    /// One call with this body, alternately through either function.
    pub async fn call_with(&self, path: &str, query: &str, body: &[u8]) -> Answer {
        static TURN: AtomicU64 = AtomicU64::new(0);
        if TURN.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            let request = HighLevelRequest {
                method: "GET".into(),
                path: path.into(),
                query: query.into(),
                headers: Vec::new(),
                body: body.into(),
            };
            self.host.call(request).await
        } else {
            let (status, payload) = self.host.call_view(view(path, query, body)).await?;
            Ok((status, payload.into()))
        }
    }

    /// One call that must be answered `Ok` with its own body.
    pub async fn right(&self, path: &str, query: &str) {
        let body = unique();
        let (status, payload) = self.call_with(path, query, &body).await.unwrap();
        assert_eq!(status, NrStatus::Ok, "{path}?{query}: {}", lossy(&payload));
        assert_eq!(lossy(&payload), lossy(&body), "{path}?{query}");
    }

    /// One call with some other answer, which must not be somebody else's.
    pub async fn answer(&self, path: &str, query: &str) -> Answer {
        let body = unique();
        let answer = self.call_with(path, query, &body).await;
        if let Ok((_, payload)) = &answer {
            assert!(
                *payload == body || !is_foreign(payload, &body),
                "{path}?{query} got {}, its own body is {}",
                lossy(payload),
                lossy(&body)
            );
        }
        answer
    }

    /// A question to the plugin.
    pub async fn text(&self, path: &str) -> String {
        let (status, payload) = self.call_with(path, "", b"").await.unwrap();
        assert_eq!(status, NrStatus::Ok, "{path}");
        String::from_utf8(payload).unwrap()
    }

    /// One call that nobody waits for longer than this.
    pub async fn give_up_after(&self, path: &str, query: &str, patience: Duration) {
        let body = unique();
        let call = self.call_with(path, query, &body);
        if let Ok(answer) = tokio::time::timeout(patience, call).await {
            assert_eq!(lossy(&answer.unwrap().1), lossy(&body), "{path}?{query}");
        }
    }

    /// One call that is given up after its first poll, with or without an answer.
    pub fn poke(&self, path: &str, query: &str) {
        let _ = self.call_with(path, query, &unique()).now_or_never();
    }

    pub async fn stream(&self, path: &str, query: &str) -> (StreamReceiver, Vec<u8>) {
        let body = unique();
        let stream = self.host.call_stream_view(view(path, query, &body)).await;
        (stream.unwrap(), body)
    }

    /// Waits for the plugin's threads, and then until every result that it sent is accounted for.
    pub async fn settle(&self) -> Metrics {
        self.right("/quiet", "").await;
        let sent: u64 = self.text("/count").await.parse().unwrap();
        let start = Instant::now();
        loop {
            let metrics = self.host.metrics();
            if accounted(&metrics) == sent && metrics.in_flight == 0 {
                return metrics;
            }
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "{sent} results sent, {} accounted for: {metrics:?}",
                accounted(&metrics)
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Settles, and says what happened since; the settling's own calls are left out.
    pub async fn since(&self, before: &Metrics) -> Metrics {
        let mut metrics = between(before, &self.settle().await);
        metrics.opened -= OWN_CALLS;
        metrics.delivered -= OWN_CALLS;
        metrics
    }

    /// Waits until the metrics are as wanted.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Metrics) -> bool) {
        let start = Instant::now();
        while !wanted(&self.host.metrics()) {
            assert!(start.elapsed() < Duration::from_secs(20), "waited for {what}: {:?}", self.host.metrics());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// A request that borrows its parts.
pub fn view<'a>(path: &'a str, query: &'a str, body: &'a [u8]) -> RequestView<'a> {
    RequestView { method: "GET", path, query, headers: &[], body }
}

/// Whether a payload is one that no call may see, or that another call should have.
fn is_foreign(payload: &[u8], body: &[u8]) -> bool {
    payload.starts_with(b"WRONG") || (payload.starts_with(b"call ") && !payload.starts_with(body))
}

/// Bytes as text for a message.
pub fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
}

/// Reads a stream to its end: every frame but the last is `Ok`, and nothing follows the last.
pub async fn read_to_end(stream: &mut StreamReceiver) -> (Vec<StreamFrame>, StreamFrame) {
    let mut frames = Vec::new();
    loop {
        let frame = stream.recv().await.expect("a stream ends with a terminal frame");
        if frame.status != NrStatus::Ok {
            assert!(stream.recv().await.is_none(), "the terminal frame is the last");
            assert!(stream.recv().await.is_none(), "and stays the last");
            return (frames, frame);
        }
        frames.push(frame);
    }
}

/// Checks frames of `/frames` and `/endless`: an index that counts from `first`, and the body.
pub fn assert_in_order(frames: &[StreamFrame], first: u32, body: &[u8]) {
    for (frame, index) in frames.iter().zip(first..) {
        assert_eq!(frame.data[..4], index.to_le_bytes(), "frame {index}");
        assert_eq!(lossy(&frame.data[4..]), lossy(body), "frame {index}");
    }
}
