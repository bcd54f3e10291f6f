//! Some numbers of one kind: one for each turn.

use serde::{Deserialize, Serialize};

/// What one contender has in one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Whose.
    pub contender: String,
    /// One for each turn.
    pub samples: Vec<f64>,
    /// The one in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

/// Ratios beyond this are written as this: JSON has no infinity.
const MOST: f64 = 1e6;

impl Figure {
    /// The figures of one contender, turn by turn; none if there are none.
    pub(super) fn new(contender: &str, samples: Vec<f64>) -> Option<Self> {
        let mut sorted = samples.clone();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let half = sorted.len() / 2;
        let upper = *sorted.get(half)?;
        let median = if sorted.len().is_multiple_of(2) { f64::midpoint(*sorted.get(half - 1)?, upper) } else { upper };
        Some(Self { contender: contender.to_owned(), samples, median, min, max })
    }

    /// This one for each of the least of the `references`, turn by turn; none without references.
    pub(super) fn ratio(&self, references: &[&Self]) -> Option<Self> {
        let ratios = self.samples.iter().enumerate().filter_map(|(turn, &own)| {
            let least = references.iter().filter_map(|reference| reference.samples.get(turn)).copied();
            Some(divide(own, least.reduce(f64::min)?))
        });
        Self::new(&self.contender, ratios.collect())
    }

    /// Half of the spread for each of the median, in percent.
    pub(super) fn spread(&self) -> f64 {
        if self.median == 0.0 { 0.0 } else { (self.max - self.min) / 2.0 / self.median * 100.0 }
    }
}

/// What differs by less than a hundredth is alike: no allocations, and the few that start the tasks.
fn divide(own: f64, reference: f64) -> f64 {
    if (own - reference).abs() < 0.01 { 1.0 } else { (own / reference).min(MOST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(samples: &[f64]) -> Figure {
        Figure::new("a", samples.to_vec()).unwrap()
    }

    #[test]
    fn the_median_and_the_spread() {
        let odd = figure(&[3.0, 1.0, 2.0]);
        assert_eq!((odd.median, odd.min, odd.max, odd.spread()), (2.0, 1.0, 3.0, 50.0));
        let even = figure(&[4.0, 1.0, 2.0, 3.0]);
        assert_eq!((even.median, even.min, even.max), (2.5, 1.0, 4.0));
        assert_eq!(figure(&[0.0]).spread(), 0.0);
        assert_eq!(Figure::new("a", vec![]), None);
    }

    #[test]
    fn ratios_are_taken_within_a_turn_to_the_better_one_of_this_turn() {
        let (one, other) = (figure(&[10.0, 20.0, 40.0]), figure(&[20.0, 10.0, 80.0]));
        let own = figure(&[5.0, 5.0, 48.0]);
        assert_eq!(own.ratio(&[&one]).unwrap().samples, [0.5, 0.25, 1.2]);
        assert_eq!(own.ratio(&[&one, &other]).unwrap().samples, [0.5, 0.5, 1.2]);
        assert_eq!(own.ratio(&[]), None);
    }

    #[test]
    fn a_ratio_to_nothing_is_finite() {
        let (none, some) = (figure(&[0.0]), figure(&[4.0]));
        assert_eq!(none.ratio(&[&none]).unwrap().median, 1.0);
        assert_eq!(figure(&[0.004]).ratio(&[&none]).unwrap().median, 1.0);
        assert_eq!(none.ratio(&[&some]).unwrap().median, 0.0);
        assert_eq!(some.ratio(&[&none]).unwrap().median, MOST);
    }
}
