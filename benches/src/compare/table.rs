//! The report's tables: one line a row, one column a contender.

use super::{
    Figure, Goal, LatencyRow, Report, Row, Section, Standing, Verdict,
    goal::{BASELINE, SUBJECT},
    grid::Grid,
};

impl Report {
    /// All tables, for a terminal.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        for section in self.sections() {
            text +=
                &format!("{} [{}]\n\n{}\n", section.title(), section.name(), self.grid(section, Detail::Spread).text());
        }
        text
    }

    /// The table of one section.
    pub(super) fn grid(&self, section: Section, detail: Detail) -> Grid {
        if section == Section::Latency {
            return latencies(&self.latency, detail);
        }
        let rows: Vec<&Row> = self.section(section).collect();
        let mut contenders: Vec<&str> = Vec::new();
        for figure in rows.iter().flat_map(|row| &row.figures) {
            if !contenders.contains(&figure.contender.as_str()) {
                contenders.push(&figure.contender);
            }
        }
        let compared = rows.iter().any(|row| row.standing.is_some());
        let mut head = vec!["row".to_owned()];
        head.extend(contenders.iter().map(|&name| name.to_owned()));
        if compared {
            head.extend([format!("{SUBJECT}/better, range"), "goal".to_owned(), "verdict".to_owned()]);
        } else {
            head.push("unit".to_owned());
        }
        let mut grid = Grid::new(head);
        grid.lines.extend(rows.iter().map(|row| line(row, &contenders, compared, detail)));
        grid
    }
}

/// How much of a figure is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// The median, and half of the spread in percent.
    Spread,
    /// The median, the least and the greatest.
    Range,
}

fn line(row: &Row, contenders: &[&str], compared: bool, detail: Detail) -> Vec<String> {
    let mut cells = vec![row.label.clone()];
    cells.extend(contenders.iter().map(|name| {
        let figure = row.figures.iter().find(|figure| figure.contender == *name);
        figure.map_or_else(String::new, |figure| cell(figure, detail))
    }));
    match (&row.standing, compared) {
        (Some(standing), _) => {
            let ratio = &standing.better;
            cells.push(format!("{:.3} ({:.3}..{:.3})", ratio.median, ratio.min, ratio.max));
            cells.push(row.goal.map_or_else(String::new, |goal| goal_cell(goal, standing)));
            cells.push(verdict(standing));
        }
        (None, true) => cells.extend([String::new(), String::new(), String::new()]),
        (None, false) => cells.push(row.unit.clone()),
    }
    cells
}

/// `135.2 ±3%` or `135.2 (130.1..140.0)`, with as many digits as mean something.
fn cell(figure: &Figure, detail: Detail) -> String {
    let digits = match figure.max {
        max if max < 10.0 => 2,
        max if max < 1000.0 => 1,
        _ => 0,
    };
    match detail {
        Detail::Spread => format!("{:.digits$} ±{:.0}%", figure.median, figure.spread()),
        Detail::Range => format!("{:.digits$} ({:.digits$}..{:.digits$})", figure.median, figure.min, figure.max),
    }
}

/// `<= 0.50`; against the baseline with the ratio that is meant: `0.459 mutex <= 0.10`.
fn goal_cell(goal: Goal, standing: &Standing) -> String {
    match (goal, &standing.baseline) {
        (Goal::Better(share), _) => format!("<= {share:.2}"),
        (Goal::Baseline(share), Some(ratio)) => format!("{:.3} {BASELINE} <= {share:.2}", ratio.median),
        (Goal::Baseline(share), None) => format!("{BASELINE} <= {share:.2}"),
        (Goal::Figure(most), _) => format!("{SUBJECT} <= {most:.0}"),
    }
}

fn verdict(standing: &Standing) -> String {
    let verdict = match standing.verdict {
        Verdict::Ahead => "ahead",
        Verdict::Even => "even",
        Verdict::Behind => "behind",
    };
    let mixed = if standing.mixed { "?" } else { "" };
    let goal = match standing.goal_reached {
        Some(true) => ", reached",
        Some(false) => ", missed",
        None => "",
    };
    format!("{verdict}{mixed}{goal}")
}

/// In µs: one line a rate and contender.
fn latencies(rows: &[LatencyRow], detail: Detail) -> Grid {
    let names = rows.iter().take(1).flat_map(|row| &row.quantiles);
    let mut head = vec!["rate, contender; µs".to_owned()];
    head.extend(names.map(|quantile| quantile.name.clone()));
    head.extend(["answered/s", "late", "requests"].map(str::to_owned));
    let mut grid = Grid::new(head);
    for row in rows {
        let mut cells = vec![format!("{}: {}", row.label, row.contender)];
        cells.extend(row.quantiles.iter().map(|quantile| {
            let range = Figure::new("", quantile.turns.clone()).filter(|_| detail == Detail::Range);
            let range = range.map(|range| format!(" ({}..{})", micros(range.min), micros(range.max)));
            micros(quantile.ns) + &range.unwrap_or_default()
        }));
        cells.push(format!("{:.0}", row.achieved.median));
        cells.push(format!("{:.2}%", late_percent(row)));
        cells.push(row.requests.to_string());
        grid.lines.push(cells);
    }
    grid
}

fn late_percent(row: &LatencyRow) -> f64 {
    row.late as f64 / row.requests.max(1) as f64 * 100.0
}

fn micros(ns: f64) -> String {
    let micros = ns / 1000.0;
    if micros < 100.0 { format!("{micros:.1}") } else { format!("{micros:.0}") }
}
