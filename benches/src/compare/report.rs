//! What came out of a run.

use std::{fs, path::Path};

use serde::Serialize;

use super::{Case, Goal, Line, Machine, Metric};
use crate::{BenchError, Contender, Ring, drive::Sample};

/// A whole run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where and when.
    pub machine: Machine,
    /// How.
    pub command: String,
    /// How many turns.
    pub reps: usize,
    /// How long each measurement was.
    pub seconds: f64,
    /// One for each line.
    pub rows: Vec<Row>,
}

/// One line: a figure of every contender.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The case's name.
    pub case: &'static str,
    /// What was measured, in words.
    pub label: &'static str,
    /// Which of a sample's figures it is.
    pub metric: Metric,
    /// What the figures count.
    pub unit: &'static str,
    /// How good the ring has to be.
    pub goal: Option<Goal>,
    /// One for each contender, the reference first.
    pub figures: Vec<Figure>,
    /// One for each contender but the reference.
    pub pairs: Vec<Pair>,
}

/// Some numbers of one kind.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// Whose.
    pub contender: &'static str,
    /// One for each turn.
    pub samples: Vec<f64>,
    /// The one in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

/// One contender beside the reference.
#[derive(Debug, Clone, Serialize)]
pub struct Pair {
    /// Beside whom.
    pub reference: &'static str,
    /// Its figure for each of the reference's, turn by turn; below 1 is better.
    pub ratio: Figure,
    /// Who is ahead.
    pub verdict: Verdict,
    /// Whether some turns say otherwise.
    pub mixed: bool,
    /// Whether the goal is reached; none without a goal, or for anyone but the ring.
    pub goal_reached: Option<bool>,
}

/// Who is ahead by the median of the ratios.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The contender.
    Ahead,
    /// Nobody.
    Even,
    /// The reference.
    Behind,
}

impl Figure {
    /// The figures of one contender; `samples` is not empty.
    fn new(contender: &'static str, samples: Vec<f64>) -> Self {
        let mut sorted = samples.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |i: usize| sorted.get(i).copied().unwrap_or(f64::NAN);
        let (last, half) = (sorted.len().saturating_sub(1), sorted.len() / 2);
        let median =
            if sorted.len().is_multiple_of(2) { f64::midpoint(at(half.saturating_sub(1)), at(half)) } else { at(half) };
        Self { contender, median, min: at(0), max: at(last), samples }
    }
}

impl Pair {
    fn new(reference: &Figure, figure: &Figure, goal: Option<Goal>) -> Self {
        let ratios = reference.samples.iter().zip(&figure.samples);
        let ratio = Figure::new(figure.contender, ratios.map(|(&reference, &own)| ratio(own, reference)).collect());
        let verdict = if ratio.median < 1.0 {
            Verdict::Ahead
        } else if ratio.median > 1.0 {
            Verdict::Behind
        } else {
            Verdict::Even
        };
        let goal = goal.filter(|_| figure.contender == Ring::NAME);
        Self {
            reference: reference.contender,
            verdict,
            mixed: ratio.min < 1.0 && ratio.max > 1.0,
            goal_reached: goal.map(|goal| goal.reached(figure.median, ratio.median)),
            ratio,
        }
    }
}

/// Two zeros are alike.
fn ratio(own: f64, reference: f64) -> f64 {
    if own == reference { 1.0 } else { own / reference }
}

impl Row {
    /// A line of a case; `samples` are those of the contenders `names`, turn by turn.
    pub(super) fn new(case: &Case, line: &Line, names: &[&'static str], samples: &[Vec<Sample>]) -> Self {
        let figures: Vec<Figure> = names
            .iter()
            .zip(samples)
            .map(|(name, samples)| {
                let values = samples.iter().filter_map(|sample| line.metric.of(sample));
                Figure::new(name, values.collect())
            })
            .collect();
        let pairs = match &*figures {
            [reference, others @ ..] => others.iter().map(|figure| Pair::new(reference, figure, line.goal)).collect(),
            [] => Vec::new(),
        };
        Self {
            case: case.name,
            label: line.label,
            metric: line.metric,
            unit: line.metric.unit(),
            goal: line.goal,
            figures,
            pairs,
        }
    }
}

impl Report {
    /// Whether no contender is behind the reference in any row.
    #[must_use]
    pub fn all_ahead(&self) -> bool {
        let mut pairs = self.rows.iter().flat_map(|row| &row.pairs);
        pairs.all(|pair| pair.verdict != Verdict::Behind)
    }

    /// Writes `compare.json`, `compare.md` and `compare.svg` into `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// The folder or a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), BenchError> {
        fs::create_dir_all(folder)?;
        let json = serde_json::to_string_pretty(self)? + "\n";
        fs::write(folder.join("compare.json"), json)?;
        fs::write(folder.join("compare.md"), self.markdown())?;
        fs::write(folder.join("compare.svg"), self.plot())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_spread() {
        let odd = Figure::new("a", vec![3.0, 1.0, 2.0]);
        assert_eq!((odd.median, odd.min, odd.max), (2.0, 1.0, 3.0));
        let even = Figure::new("a", vec![4.0, 1.0, 2.0, 3.0]);
        assert_eq!((even.median, even.min, even.max), (2.5, 1.0, 4.0));
    }

    #[test]
    fn ratios_are_taken_within_a_turn() {
        let reference = Figure::new("mutex", vec![10.0, 20.0, 40.0]);
        let ring = Figure::new(Ring::NAME, vec![5.0, 10.0, 48.0]);
        let pair = Pair::new(&reference, &ring, Some(Goal::Ratio(0.5)));
        assert_eq!(pair.ratio.samples, [0.5, 0.5, 1.2]);
        assert_eq!(pair.verdict, Verdict::Ahead);
        assert!(pair.mixed);
        assert_eq!(pair.goal_reached, Some(true));
    }

    #[test]
    fn zero_allocations_are_good_whatever_the_others_have() {
        let some = Figure::new("mutex", vec![4.0]);
        let none = Figure::new(Ring::NAME, vec![0.0]);
        let pair = Pair::new(&some, &none, Some(Goal::Figure(0.0)));
        assert_eq!((pair.verdict, pair.goal_reached), (Verdict::Ahead, Some(true)));
        let pair = Pair::new(&none, &none, None);
        assert_eq!((pair.verdict, pair.goal_reached), (Verdict::Even, None));
        assert_eq!(Pair::new(&none, &some, None).verdict, Verdict::Behind);
    }
}
