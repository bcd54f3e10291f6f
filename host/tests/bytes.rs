//! Payloads as `bytes::Bytes`, and back.

#![allow(clippy::unwrap_used, reason = "tests")]

mod held;

use bytes::Bytes;
use held::{held, view};

#[tokio::test]
async fn a_payload_becomes_bytes_without_a_copy() {
    let host = held();
    for len in [0, 1, 40, 41, 100_000] {
        let body = Bytes::from(vec![7; len]);
        let (_, payload) = host.call_view(view("/echo", &body)).await.unwrap();
        let (inside, on_the_heap) = (payload.as_ptr(), len > 40);
        let bytes = Bytes::from(payload);
        assert_eq!(bytes, body);
        assert_eq!(bytes.as_ptr() == inside, on_the_heap, "{len} bytes");
    }
}
