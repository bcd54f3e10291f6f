//! Each format through the real host and the real plugin.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use nylon_ring_artifacts::cargo_cdylib;
use nylon_ring_host::{NrStatus, NylonRingHost, RequestView};
use nylon_ring_payloads::{FORMATS, Summary};
use nylon_ring_payloads_host::{ExampleError, sum};

fn host() -> NylonRingHost {
    NylonRingHost::load(cargo_cdylib("nylon-ring-payloads-plugin").unwrap()).unwrap()
}

#[tokio::test]
async fn every_format_goes_there_and_back() {
    let host = host();
    for (name, numbers, total) in [
        ("", vec![], 0),
        ("näme \"quoted\" \n 名", vec![i64::MIN, 1, i64::MAX], 0),
        ("many", (0..10_000).collect(), 49_995_000),
    ] {
        for format in &FORMATS {
            let (summary, ..) = sum(&host, format, name, &numbers).await.unwrap();
            assert_eq!(summary, Summary { name: name.into(), count: numbers.len(), sum: total }, "{}", format.path);
        }
    }
}

#[tokio::test]
async fn a_sum_that_does_not_fit_is_invalid() {
    let host = host();
    for format in &FORMATS {
        let error = sum(&host, format, "large", &[i64::MAX, 1]).await.unwrap_err();
        assert!(matches!(error, ExampleError::Answer { status: NrStatus::Invalid, .. }), "{}: {error}", format.path);
    }
}

#[tokio::test]
async fn a_body_that_is_not_the_format_is_invalid() {
    let host = host();
    for format in &FORMATS {
        let view = RequestView { path: format.path, body: b"\xff\xff\xff not it", ..Default::default() };
        let (status, text) = host.call_view(view).await.unwrap();
        assert_eq!(status, NrStatus::Invalid, "{}", format.path);
        assert!(std::str::from_utf8(&text).is_ok_and(|text| !text.is_empty()), "{}", format.path);
    }
    let (status, _) = host.call_view(RequestView { path: "/xml", ..Default::default() }).await.unwrap();
    assert_eq!(status, NrStatus::Unsupported);
}
