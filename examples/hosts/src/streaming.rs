//! Streaming calls: one request, any number of frames, and a terminal one.

use std::time::Instant;

use nylon_ring_host::{NrStatus, NylonRingHost, RequestView};

use crate::ExampleError;

/// Receives the frames of one stream. The example plugin sends five, one a second.
///
/// # Errors
///
/// The host's, and a stream that ends otherwise than with `StreamEnd`.
pub async fn run(host: &NylonRingHost) -> Result<(), ExampleError> {
    println!("the frames of GET /stream:");
    let start = Instant::now();
    // A `RequestView` borrows what a `HighLevelRequest` owns: making the call allocates nothing on this side.
    let mut stream =
        host.call_stream_view(RequestView { method: "GET", path: "/stream", ..Default::default() }).await?;
    let mut last = None;
    while let Some(frame) = stream.recv().await {
        let text = String::from_utf8_lossy(&frame.data).into_owned();
        println!("  {:.2} s: ({:?}, {text:?})", start.elapsed().as_secs_f64(), frame.status);
        last = Some((frame.status, text));
    }
    // The terminal frame is the last one; after it `recv` returns `None`.
    match last {
        Some((NrStatus::StreamEnd, _)) | None => Ok(()),
        Some((status, text)) => Err(ExampleError::Answer { path: "/stream", status, text }),
    }
}
