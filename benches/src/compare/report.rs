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
