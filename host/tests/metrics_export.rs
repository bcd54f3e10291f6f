//! What a host counts, seen by a recorder of the `metrics` facade.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[expect(dead_code, reason = "shared with other tests")]
mod common;
#[path = "common/witness.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod witness;

use std::collections::BTreeMap;

use futures::{executor::block_on, future::FutureExt};
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use nylon_ring_host::{MetricsExporter, ReloadableHost, RequestView};
use witness::{ask, load, plugin, staying};

/// All series: name and labels, and the value.
fn series(recorder: &DebuggingRecorder) -> BTreeMap<(String, String), f64> {
    let entry = |(key, _, _, value)| {
        let key: metrics_util::CompositeKey = key;
        let labels = key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let value = match value {
            DebugValue::Counter(value) => value as f64,
            DebugValue::Gauge(value) => value.into_inner(),
            DebugValue::Histogram(_) => panic!("there are none"),
        };
        ((key.key().name().to_owned(), labels), value)
    };
    recorder.snapshotter().snapshot().into_vec().into_iter().map(entry).collect()
}

#[test]
fn counters_grow_and_gauges_follow() {
    let recorder = DebuggingRecorder::new();
    let (host, _) = block_on(load(staying()));
    let mut exporter = MetricsExporter::new("one");
    metrics::with_local_recorder(&recorder, || exporter.record(&host));
    let value = |seen: &BTreeMap<(String, String), f64>, name: &str| seen[&(name.to_owned(), "plugin=one".to_owned())];
    let first = series(&recorder);
    assert_eq!((value(&first, "nylon_ring_opened_total"), value(&first, "nylon_ring_in_flight")), (1.0, 0.0));
    let mut held = Box::pin(host.call_view(RequestView { path: "/hold", ..RequestView::default() }));
    assert!(held.as_mut().now_or_never().is_none());
    assert_eq!(block_on(ask(&host, "/later")).unwrap(), "2");
    metrics::with_local_recorder(&recorder, || exporter.record(&host));
    let second = series(&recorder);
    assert_eq!((value(&second, "nylon_ring_opened_total"), value(&second, "nylon_ring_in_flight")), (2.0, 1.0));
    assert_eq!(value(&second, "nylon_ring_delivered_total"), 1.0);
    // Only the plugin's name is a label, and one series belongs to no plugin.
    let labels: Vec<_> = second.keys().filter(|(_, labels)| labels != "plugin=one").collect();
    assert_eq!(labels, [&("nylon_ring_null_context_total".to_owned(), String::new())]);
}

/// A reload begins new counters; the series go on.
#[test]
fn a_reload_takes_nothing_back() {
    let recorder = DebuggingRecorder::new();
    let host = ReloadableHost::load(staying(), plugin(&[])).unwrap();
    let mut exporter = MetricsExporter::new("one");
    let mut opened = 0.0;
    for calls in [3, 1, 2] {
        for _ in 0..calls {
            block_on(host.call_view(RequestView { path: "/later", ..RequestView::default() })).unwrap();
        }
        metrics::with_local_recorder(&recorder, || exporter.record(&host.current()));
        // What is taken from this recorder counts from 0 again.
        opened += series(&recorder)[&("nylon_ring_opened_total".to_owned(), "plugin=one".to_owned())];
        block_on(host.reload(common::LIMIT)).unwrap();
    }
    assert_eq!(opened, 6.0);
}
