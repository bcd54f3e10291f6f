//! A host's counters for the `metrics` facade (feature `metrics`), and through it for Prometheus and the like.
//!
//! Every series has one label, `plugin`, whose values are the names that whoever exports gives: there are as many series as plugins
//! times counters, whatever is called.

use std::ptr;

use metrics::{Label, counter, gauge};

use crate::{context::Context, host::NylonRingHost, metrics::Metrics};

/// Publishes what a host counts through the recorder of the `metrics` crate. One for each plugin.
///
/// ```no_run
/// # async fn run(host: nylon_ring_host::ReloadableHost) {
/// let mut exporter = nylon_ring_host::MetricsExporter::new("auth");
/// loop {
///     exporter.record(&host.current());
///     tokio::time::sleep(std::time::Duration::from_secs(10)).await;
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct MetricsExporter {
    labels: [Label; 1],
    /// Which host was recorded last, and what it had counted by then.
    last: Option<(&'static Context, Metrics)>,
}

impl MetricsExporter {
    /// Publishes under this value of the label `plugin`: a name of a [`Registry`](crate::Registry), or the plugin's own.
    pub fn new(plugin: impl Into<String>) -> Self {
        Self { labels: [Label::new("plugin", plugin.into())], last: None }
    }

    /// Adds what the host has counted since the last time; costs a look at every slot. A host that is another one than the last time (its
    /// plugin was reloaded) begins anew, and what the old one counted after the last time is left out.
    pub fn record(&mut self, host: &NylonRingHost) {
        let (context, now) = (host.context(), host.metrics());
        let before = match self.last.replace((context, now)) {
            Some((same, before)) if ptr::eq(same, context) => before,
            _ => Metrics::default(),
        };
        for ((name, now), before) in Metrics::NAMES.into_iter().zip(now.values()).zip(before.values()) {
            match name {
                "in_flight" => gauge!("nylon_ring_in_flight", self.labels.iter()).set(now as f64),
                "buffered" => gauge!("nylon_ring_buffered_bytes", self.labels.iter()).set(now as f64),
                // That of the whole process.
                "null_context" => counter!("nylon_ring_null_context_total").absolute(now),
                _ => counter!(format!("nylon_ring_{name}_total"), self.labels.iter())
                    .increment(now.saturating_sub(before)),
            }
        }
    }
}
