//! What is shown of a sample.

use serde::{Deserialize, Serialize};

use crate::drive::Sample;

/// What a line of the report shows. Less is better, of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Nanoseconds of wall time for each result.
    NsPerResult,
    /// Nanoseconds of wall time for each record of a raw queue.
    NsPerItem,
    /// Mean time inside `send_result`, ns.
    SendMean,
    /// Median time inside `send_result`, ns.
    SendMedian,
    /// 99.99th percentile of the time inside `send_result`, ns.
    SendP9999,
    /// Heap allocations of the process for each result.
    Allocations,
    /// Resident bytes for each call in flight and the task that waits for it.
    MemoryEach,
    /// Resident memory of the process, MiB.
    Resident,
}

impl Metric {
    /// The figure; none if the sample does not hold it.
    #[must_use]
    pub fn of(self, sample: &Sample) -> Option<f64> {
        let times = sample.times.as_ref();
        match self {
            Self::NsPerResult => Some(sample.ns()),
            Self::SendMean => times.map(|times| times.mean()),
            Self::SendMedian => times.map(|times| times.quantile(0.5)),
            Self::SendP9999 => times.map(|times| times.quantile(0.9999)),
            Self::Allocations => Some(sample.allocations_each()),
            Self::MemoryEach => sample.memory_each,
            Self::NsPerItem | Self::Resident => None,
        }
    }

    /// What the figure counts.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Allocations => "allocations",
            Self::MemoryEach => "B",
            Self::Resident => "MiB",
            Self::NsPerResult | Self::NsPerItem | Self::SendMean | Self::SendMedian | Self::SendP9999 => "ns",
        }
    }
}
