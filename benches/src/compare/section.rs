//! The parts of a run.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::{CASES, Case, latency, linear, sweeps};

/// A part of a run: a table and a plot of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// Each kind of work, with goals.
    Rows,
    /// Against 1 to 16 threads of the plugin.
    Threads,
    /// With 1 to 1,000,000 calls in flight.
    Depth,
    /// With results of 0 B to 1 MiB.
    Payload,
    /// With streams of 1 to 2,048 frames.
    Streams,
    /// The ring's reactor, waiting in different ways.
    Strategies,
    /// Latency at a fixed rate.
    Latency,
    /// The ring's queue beside others, without hosts.
    Queues,
    /// The ring from ten thousand calls to a hundred million.
    Linear,
}

impl Section {
    /// All of them, in the order of the report.
    pub const ALL: &[Self] = &[
        Self::Rows,
        Self::Threads,
        Self::Depth,
        Self::Payload,
        Self::Streams,
        Self::Strategies,
        Self::Latency,
        Self::Queues,
        Self::Linear,
    ];

    /// For options, files and progress.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Threads => "threads",
            Self::Depth => "depth",
            Self::Payload => "payload",
            Self::Streams => "streams",
            Self::Strategies => "strategies",
            Self::Latency => "latency",
            Self::Queues => "queues",
            Self::Linear => "linear",
        }
    }

    /// For the report.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Rows => "Each kind of work",
            Self::Threads => "Plugin threads: bg unary, 0 B, two workers, 1,024 in flight",
            Self::Depth => "Calls in flight: bg unary, 0 B, current-thread",
            Self::Payload => "Payload: bg unary, current-thread, 64 in flight",
            Self::Streams => "Streams: 64 B frames, 64 streams, current-thread, per frame",
            Self::Strategies => "How the ring's reactor waits: bg unary, 0 B",
            Self::Latency => "Latency at a fixed rate: bg unary, 0 B",
            Self::Queues => "Queues alone: 56 B records, one consumer",
            Self::Linear => "Linear cost: the ring, one host from the first call to the last",
        }
    }

    /// What its plot has to the right; none if its rows are no series.
    #[must_use]
    pub const fn axis(self) -> Option<&'static str> {
        match self {
            Self::Rows | Self::Strategies | Self::Latency => None,
            Self::Threads => Some("plugin threads"),
            Self::Depth => Some("calls in flight"),
            Self::Payload => Some("payload"),
            Self::Streams => Some("frames a stream"),
            Self::Queues => Some("producers"),
            Self::Linear => Some("calls"),
        }
    }

    /// What is measured by time with several contenders; none for the last three sections.
    pub(super) const fn cases(self) -> &'static [Case] {
        match self {
            Self::Rows => CASES,
            Self::Threads => sweeps::THREADS,
            Self::Depth => sweeps::DEPTH,
            Self::Payload => sweeps::PAYLOAD,
            Self::Streams => sweeps::STREAMS,
            Self::Strategies => sweeps::STRATEGIES,
            Self::Latency | Self::Queues | Self::Linear => &[],
        }
    }

    /// The names for `--filter`, each with what it is.
    #[must_use]
    pub fn names(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::Latency => latency::CASES.iter().map(|case| (case.name, case.label)).collect(),
            Self::Queues => vec![("queues", self.title())],
            Self::Linear => linear::CASES.iter().map(|case| (case.name, case.label)).collect(),
            _ => self.cases().iter().flat_map(|case| case.lines.iter().map(|line| (case.name, line.label))).collect(),
        }
    }
}

/// What the user asked for.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Sections; all if there are none.
    pub sections: Vec<Section>,
    /// Names of cases, or parts of names; all cases if there are none.
    pub filter: Vec<String>,
}

impl Selection {
    /// The sections in which anything is to be measured.
    #[must_use]
    pub fn sections(&self) -> Vec<Section> {
        let some = |section: &Section| section.names().iter().any(|(name, _)| self.wants(*section, name));
        Section::ALL.iter().copied().filter(some).collect()
    }

    /// Whether this case is to be measured. A name of a case stands for that case alone, anything else for all cases whose
    /// names contain it.
    #[must_use]
    pub fn wants(&self, section: Section, case: &str) -> bool {
        let exact =
            |part: &str| Section::ALL.iter().any(|section| section.names().iter().any(|(name, _)| *name == part));
        let matches = |part: &String| if exact(part) { case == part } else { case.contains(part) };
        (self.sections.is_empty() || self.sections.contains(&section))
            && (self.filter.is_empty() || self.filter.iter().any(matches))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(sections: &[Section], filter: &[&str]) -> Selection {
        Selection { sections: sections.to_vec(), filter: filter.iter().map(|&part| part.to_owned()).collect() }
    }

    #[test]
    fn an_exact_name_is_that_case_alone() {
        let one = select(&[], &["bg-unary"]);
        assert!(one.wants(Section::Rows, "bg-unary") && !one.wants(Section::Rows, "bg-unary-1k"));
        assert_eq!(one.sections(), [Section::Rows]);
        let some = select(&[], &["bg-una"]);
        assert!(some.wants(Section::Rows, "bg-unary") && some.wants(Section::Rows, "bg-unary-1k"));
    }

    #[test]
    fn sections_and_filters_both_count() {
        assert_eq!(select(&[], &[]).sections(), Section::ALL);
        assert_eq!(select(&[Section::Depth], &[]).sections(), [Section::Depth]);
        assert_eq!(select(&[Section::Depth], &["threads"]).sections(), []);
    }

    #[test]
    fn no_two_cases_have_one_name() {
        let mut names: Vec<_> = Section::ALL.iter().flat_map(|section| section.cases()).map(|case| case.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
