//! What came out of a run.

use std::{collections::BTreeSet, fs, path::Path};

use serde::{Deserialize, Serialize};

use super::{Case, Figure, Goal, LatencyRow, Line, Machine, Metric, Options, Section, Standing, Verdict, plots};
use crate::BenchError;

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where and when.
    pub machine: Machine,
    /// How.
    pub command: String,
    /// How long each measurement was.
    pub seconds: f64,
    /// The sections that ran.
    pub took: Vec<Took>,
    /// One for each line of all sections but the latencies.
    pub rows: Vec<Row>,
    /// One for each rate and contender.
    pub latency: Vec<LatencyRow>,
}

/// How long a section took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Took {
    /// Which.
    pub section: Section,
    /// How many turns it had.
    pub turns: usize,
    /// How long it took in all.
    pub seconds: f64,
}

/// One line: a figure of every contender.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Where it belongs.
    pub section: Section,
    /// The case's name.
    pub case: String,
    /// What was measured, in words.
    pub label: String,
    /// Which of a sample's figures it is.
    pub metric: Metric,
    /// What the figures count.
    pub unit: String,
    /// Where the section's plot has it; none if it is no point of a series.
    pub x: Option<f64>,
    /// How good the ring has to be.
    pub goal: Option<Goal>,
    /// One for each contender.
    pub figures: Vec<Figure>,
    /// The ring beside the references; none if one of the sides is missing.
    pub standing: Option<Standing>,
}

impl Row {
    /// A line of a case.
    pub(super) fn new(section: Section, case: &Case, line: &Line, figures: Vec<Figure>) -> Self {
        Self {
            section,
            case: case.name.to_owned(),
            label: line.label.to_owned(),
            metric: line.metric,
            unit: line.metric.unit().to_owned(),
            x: case.x,
            goal: line.goal,
            standing: Standing::new(&figures, line.goal),
            figures,
        }
    }
}

impl Report {
    pub(super) fn new(machine: Machine, options: &Options) -> Self {
        Self {
            machine,
            command: options.command.clone(),
            seconds: options.plan.time.as_secs_f64(),
            took: Vec::new(),
            rows: Vec::new(),
            latency: Vec::new(),
        }
    }

    /// Whether the ring is behind the better reference in no row with a goal or without.
    #[must_use]
    pub fn all_ahead(&self) -> bool {
        let mut standings = self.rows.iter().filter_map(|row| row.standing.as_ref());
        standings.all(|standing| standing.verdict != Verdict::Behind)
    }

    /// Whether no goal is missed.
    #[must_use]
    pub fn all_goals(&self) -> bool {
        let mut standings = self.rows.iter().filter_map(|row| row.standing.as_ref());
        standings.all(|standing| standing.goal_reached != Some(false))
    }

    /// The rows of a section.
    pub(super) fn section(&self, section: Section) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.section == section)
    }

    /// The sections that have anything to show, in order.
    pub(super) fn sections(&self) -> BTreeSet<Section> {
        let latency = self.latency.first().map(|_| Section::Latency);
        self.rows.iter().map(|row| row.section).chain(latency).collect()
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// The file cannot be read, or is not such a report.
    pub fn read(json: &Path) -> Result<Self, BenchError> {
        Ok(serde_json::from_str(&fs::read_to_string(json)?)?)
    }

    /// Writes `compare.json`, `compare.md` and the plots into `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// The folder or a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), BenchError> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("compare.json"), serde_json::to_string_pretty(self)? + "\n")?;
        self.render(folder)
    }

    /// Writes `compare.md` and the plots alone.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn render(&self, folder: &Path) -> Result<(), BenchError> {
        let plots = plots::all(self)?;
        for plot in &plots {
            fs::write(folder.join(plot.file), &plot.svg)?;
        }
        fs::write(folder.join("compare.md"), self.page(&plots))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Quantile;

    fn machine() -> Machine {
        Machine {
            cpu: "a processor & its <brand>".to_owned(),
            cores: 2,
            kernel: "Linux".to_owned(),
            rustc: "rustc".to_owned(),
            commit: "0123456789ab".to_owned(),
            date: "2026-01-01T00:00:00Z".to_owned(),
            load: "0.00".to_owned(),
        }
    }

    fn figures(of: &[(&str, f64)]) -> Vec<Figure> {
        let figure = |(i, &(name, median)): (usize, &(&str, f64))| {
            let spread = 1.0 + 0.04 * (i + 1) as f64;
            Figure::new(name, vec![median / spread, median, median * spread])
        };
        of.iter().enumerate().filter_map(figure).collect()
    }

    /// Rows of one section, each with figures that depend on its place.
    fn rows(section: Section) -> Vec<Row> {
        let lines = section.cases().iter().flat_map(|case| case.lines.iter().map(move |line| (case, line)));
        let row = |(i, (case, line)): (usize, (&Case, &Line))| {
            let ns = 100.0 + 40.0 * i as f64 * i as f64;
            let ring = if i % 5 == 3 { ns * 1.3 } else { ns * 0.08 * (i + 1) as f64 };
            let of = [
                ("mutex", ns * 1.4),
                ("public-0.2.2", ns),
                ("ring", ring),
                ("ring-call", ring * 1.2),
                ("dashmap", ns * 1.1),
                ("public-fast", ns * 0.8),
            ];
            Row::new(section, case, line, figures(&of))
        };
        lines.enumerate().map(row).collect()
    }

    /// A section without cases of its own.
    fn points(section: Section, metric: Metric, xs: &[f64], of: &[(&str, f64)]) -> Vec<Row> {
        let row = |&x: &f64| {
            let shape = crate::work::Shape::of(crate::work::Work::SYNC_EMPTY);
            let case = Case { name: section.name(), x: Some(x), shape, lines: &[] };
            let grown = of.iter().map(|&(name, ns)| (name, ns * (1.0 + x.log10() / 10.0))).collect::<Vec<_>>();
            let row = Row::new(section, &case, &Line { label: "", metric, goal: None }, figures(&grown));
            Row { label: format!("{x} {}", section.name()), ..row }
        };
        xs.iter().map(row).collect()
    }

    fn latency(contender: &str, factor: f64) -> LatencyRow {
        let curve = (0..=45_u8).map(|tenths| f64::from(tenths) / 10.0);
        LatencyRow {
            case: "latency-10k".to_owned(),
            label: "10,000/s, current-thread".to_owned(),
            rate: 10_000,
            contender: contender.to_owned(),
            requests: 60_000,
            late: 60,
            achieved: figures(&[(contender, 9999.0)]).remove(0),
            quantiles: vec![Quantile { name: "p50".to_owned(), ns: 900.0, turns: vec![800.0, 1000.0] }],
            curve: curve.map(|nines| (nines, factor * 1000.0 * 3_f64.powf(nines))).collect(),
        }
    }

    /// Something of everything.
    fn made_up() -> Report {
        let sections = Section::ALL.iter().flat_map(|&section| rows(section));
        let queues = [("ours", 9.0), ("crossbeam ArrayQueue", 12.0), ("flume", 21.0), ("Mutex<VecDeque>", 30.0)];
        let ways = [("ring sync", 70.0), ("ring bg", 250.0)];
        let calls = [1e4, 1e5, 1e6, 1e7, 1e8];
        let queues = points(Section::Queues, Metric::NsPerItem, &[1.0, 2.0, 4.0], &queues);
        let linear = points(Section::Linear, Metric::NsPerResult, &calls, &ways);
        let memory = points(Section::Linear, Metric::Resident, &calls, &[("ring sync", 20.0), ("ring bg", 22.0)]);
        Report {
            machine: machine(),
            command: "compare".to_owned(),
            seconds: 0.6,
            took: vec![Took { section: Section::Rows, turns: 5, seconds: 300.0 }],
            rows: sections.chain(queues).chain(linear).chain(memory).collect(),
            latency: vec![latency("mutex", 3.0), latency("public-0.2.2", 4.0), latency("ring", 1.0)],
        }
    }

    #[test]
    fn what_was_written_is_read_again_and_makes_the_same_page_and_plots() {
        let folder = tempfile::tempdir().unwrap();
        let (first, again) = (folder.path().join("first"), folder.path().join("again"));
        let report = made_up();
        report.write(&first).unwrap();
        let read = Report::read(&first.join("compare.json")).unwrap();
        assert!(read == report, "something was lost");
        assert_eq!(read.table(), report.table());
        read.write(&again).unwrap();
        let mut files = 0;
        for file in fs::read_dir(&first).unwrap() {
            let name = file.unwrap().file_name();
            assert!(fs::read(first.join(&name)).unwrap() == fs::read(again.join(&name)).unwrap(), "{name:?}");
            files += 1;
        }
        // JSON, page, and a plot for each section but one.
        assert_eq!(files, 2 + Section::ALL.len() - 1);
        // To look at.
        if let Some(keep) = std::env::var_os("COMPARE_MADE_UP") {
            report.write(Path::new(&keep)).unwrap();
        }
    }

    #[test]
    fn the_page_has_all_sections_and_embeds_every_plot() {
        let folder = tempfile::tempdir().unwrap();
        made_up().render(folder.path()).unwrap();
        let page = fs::read_to_string(folder.path().join("compare.md")).unwrap();
        for section in Section::ALL {
            assert!(page.contains(&format!("## {}", section.title())), "{section:?}");
        }
        for file in fs::read_dir(folder.path()).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            assert!(name == "compare.md" || page.contains(&format!("]({name})")), "{name}");
        }
    }

    #[test]
    fn the_table_fits_a_terminal() {
        let table = made_up().table();
        let widest = table.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(200), "{widest:?}\n{table}");
    }

    #[test]
    fn one_row_behind_and_one_goal_missed_are_enough() {
        let row = |ring| {
            let [case, ..] = Section::Rows.cases() else { unreachable!() };
            Row::new(Section::Rows, case, &case.lines[0], figures(&[("mutex", 100.0), ("ring", ring)]))
        };
        let with = |rows| Report { rows, ..made_up() };
        let (good, poor, bad) = (row(40.0), row(60.0), row(160.0));
        let report = with(vec![good.clone()]);
        assert!(report.all_ahead() && report.all_goals());
        let report = with(vec![good.clone(), poor]);
        assert!(report.all_ahead() && !report.all_goals());
        let report = with(vec![good, bad]);
        assert!(!report.all_ahead() && !report.all_goals());
    }
}
