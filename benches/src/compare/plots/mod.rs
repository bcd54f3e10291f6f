//! The report's pictures, as SVG.

mod axis;
mod panel;
mod ratios;

use self::{
    axis::Axis,
    panel::{Panel, Point, Series},
};
use super::{LatencyRow, Metric, Report, Row, Section};
use crate::BenchError;

/// One picture.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) section: Section,
    pub(super) file: &'static str,
    pub(super) title: &'static str,
    pub(super) svg: String,
}

/// All that there is something to show for.
pub(super) fn all(report: &Report) -> Result<Vec<Plot>, BenchError> {
    let mut plots = Vec::new();
    for section in report.sections() {
        let (file, svg) = match section {
            Section::Strategies => continue,
            Section::Rows => ("compare.svg", ratios::draw(report)?),
            Section::Latency => ("compare-latency.svg", panel::draw(section.title(), &latencies(&report.latency))?),
            _ => (file(section), panel::draw(section.title(), &series(report, section))?),
        };
        plots.push(Plot { section, file, title: section.title(), svg });
    }
    Ok(plots)
}

fn file(section: Section) -> &'static str {
    match section {
        Section::Threads => "compare-threads.svg",
        Section::Depth => "compare-depth.svg",
        Section::Payload => "compare-payload.svg",
        Section::Streams => "compare-streams.svg",
        Section::Queues => "compare-queues.svg",
        Section::Linear => "compare-linear.svg",
        Section::Rows | Section::Strategies | Section::Latency => "compare.svg",
    }
}

/// One panel for each metric of a section.
fn series(report: &Report, section: Section) -> Vec<Panel> {
    let mut metrics: Vec<Metric> = Vec::new();
    for row in report.section(section) {
        if !metrics.contains(&row.metric) {
            metrics.push(row.metric);
        }
    }
    let rows =
        |metric| report.section(section).filter(|row| row.metric == metric && row.x.is_some()).collect::<Vec<_>>();
    metrics.into_iter().map(|metric| metric_panel(section, metric, &rows(metric))).collect()
}

fn metric_panel(section: Section, metric: Metric, rows: &[&Row]) -> Panel {
    // Throughput says more than time about threads.
    let rate = section == Section::Threads;
    let show = |ns: f64| if rate { 1e3 / ns.max(f64::MIN_POSITIVE) } else { ns };
    let mut series: Vec<Series> = Vec::new();
    for row in rows {
        for figure in &row.figures {
            let point =
                Point { x: row.x.unwrap_or(0.0), y: show(figure.median), min: show(figure.min), max: show(figure.max) };
            match series.iter_mut().find(|series| series.name == figure.contender) {
                Some(series) => series.points.push(point),
                None => series.push(Series { name: figure.contender.clone(), points: vec![point] }),
            }
        }
    }
    let mut xs: Vec<f64> = rows.iter().filter_map(|row| row.x).collect();
    xs.dedup();
    let points = || series.iter().flat_map(|series| &series.points).flat_map(|point| [point.y, point.min, point.max]);
    let (title, y) = match metric {
        _ if rate => ("Throughput", Axis::from_zero("million results a second", points())),
        Metric::MemoryEach => ("Memory", Axis::log("B for each call in flight", points())),
        Metric::Resident => ("Resident memory of the process", Axis::from_zero("MiB", points())),
        _ if section == Section::Linear => ("Time", Axis::from_zero("ns a call", points())),
        Metric::NsPerItem => ("Time", Axis::log("ns a record", points())),
        _ => ("Time", Axis::log("ns a result", points())),
    };
    let label = if section == Section::Payload { axis::bytes } else { axis::short };
    let x = Axis::at(section.axis().unwrap_or_default(), &xs, label);
    Panel { title: title.to_owned(), x, y, series, marks: true }
}

/// One panel for each rate; all with the same axis of latencies.
fn latencies(rows: &[LatencyRow]) -> Vec<Panel> {
    let all = || rows.iter().flat_map(|row| &row.curve);
    let most = all().map(|(nines, _)| *nines).fold(1.0, f64::max);
    let mut panels: Vec<Panel> = Vec::new();
    for row in rows {
        let point = |&(x, ns): &(f64, f64)| Point { x, y: ns / 1e3, min: ns / 1e3, max: ns / 1e3 };
        let series = Series { name: row.contender.clone(), points: row.curve.iter().map(point).collect() };
        match panels.iter_mut().find(|panel| panel.title == row.label) {
            Some(panel) => panel.series.push(series),
            None => panels.push(Panel {
                title: row.label.clone(),
                x: Axis::nines("share of requests that are as fast or faster", most),
                y: Axis::log("latency, µs", all().map(|(_, ns)| ns / 1e3)),
                series: vec![series],
                marks: false,
            }),
        }
    }
    panels
}
