//! How good the ring has to be, and how good it is.

use serde::{Deserialize, Serialize};

use super::Figure;

/// Who has goals.
pub(super) const SUBJECT: &str = "ring";
/// What every goal is against that does not name the better one.
pub(super) const BASELINE: &str = "mutex";
/// Of whom the better one is taken, turn by turn.
pub(super) const REFERENCES: &[&str] = &[BASELINE, "public-0.2.2"];

/// How good the ring has to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// At most this share of the better reference's figure.
    Better(f64),
    /// At most this share of the mutex baseline's figure.
    Baseline(f64),
    /// At most this figure, to one hundredth.
    Figure(f64),
}

/// Who is ahead by the median of the ratios to the better reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The ring.
    Ahead,
    /// Nobody.
    Even,
    /// The reference.
    Behind,
}

/// The ring beside the references, in one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Its figure for each of the better reference's, turn by turn; below 1 is better.
    pub better: Figure,
    /// The same for the mutex baseline's; none if that did not take part.
    pub baseline: Option<Figure>,
    /// Who is ahead.
    pub verdict: Verdict,
    /// Whether some turns say otherwise.
    pub mixed: bool,
    /// Whether the goal is reached; none without a goal, or without whom it is against.
    pub goal_reached: Option<bool>,
}

impl Standing {
    /// None if the ring did not take part, or no reference did.
    pub(super) fn new(figures: &[Figure], goal: Option<Goal>) -> Option<Self> {
        let named = |names: &[&str]| -> Vec<&Figure> {
            figures.iter().filter(|figure| names.contains(&figure.contender.as_str())).collect()
        };
        let own = *named(&[SUBJECT]).first()?;
        let better = own.ratio(&named(REFERENCES))?;
        let baseline = own.ratio(&named(&[BASELINE]));
        let verdict = match better.median {
            ratio if ratio < 1.0 => Verdict::Ahead,
            ratio if ratio > 1.0 => Verdict::Behind,
            _ => Verdict::Even,
        };
        let goal_reached = goal.and_then(|goal| match goal {
            Goal::Better(share) => Some(better.median <= share),
            Goal::Baseline(share) => Some(baseline.as_ref()?.median <= share),
            Goal::Figure(most) => Some(own.median < most + 0.01),
        });
        let mixed = better.min < 1.0 && better.max > 1.0;
        Some(Self { better, baseline, verdict, mixed, goal_reached })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ring, the baseline and the public one, one sample a turn.
    fn standing(ring: &[f64], mutex: &[f64], public: &[f64], goal: Goal) -> Standing {
        let figures: Vec<_> = [(SUBJECT, ring), (BASELINE, mutex), (REFERENCES[1], public), ("dashmap", &[0.1][..])]
            .into_iter()
            .filter_map(|(name, samples)| Figure::new(name, samples.to_vec()))
            .collect();
        Standing::new(&figures, Some(goal)).unwrap()
    }

    #[test]
    fn a_goal_against_the_better_one_is_against_whoever_is_better() {
        let half = Goal::Better(0.5);
        assert_eq!(standing(&[5.0], &[10.0], &[20.0], half).goal_reached, Some(true));
        assert_eq!(standing(&[5.0], &[20.0], &[10.0], half).goal_reached, Some(true));
        assert_eq!(standing(&[6.0], &[20.0], &[10.0], half).goal_reached, Some(false));
        assert_eq!(standing(&[6.0], &[10.0], &[], half).goal_reached, Some(false));
    }

    #[test]
    fn a_goal_against_the_baseline_leaves_the_other_one_aside() {
        let tenth = Goal::Baseline(0.1);
        let row = standing(&[10.0], &[100.0], &[5.0], tenth);
        assert_eq!((row.goal_reached, row.verdict), (Some(true), Verdict::Behind));
        assert_eq!((row.better.median, row.baseline.unwrap().median), (2.0, 0.1));
        let row = standing(&[10.0], &[], &[5.0], tenth);
        assert_eq!((row.goal_reached, row.baseline), (None, None));
    }

    #[test]
    fn the_verdict_says_when_turns_differ() {
        let row = standing(&[5.0, 10.0, 48.0], &[10.0, 20.0, 40.0], &[50.0, 50.0, 50.0], Goal::Better(0.5));
        assert_eq!((row.verdict, row.mixed, row.goal_reached), (Verdict::Ahead, true, Some(true)));
        assert_eq!(row.better.samples, [0.5, 0.5, 1.2]);
    }

    #[test]
    fn a_figure_is_good_whatever_the_others_have() {
        let none = Goal::Figure(0.0);
        let row = standing(&[0.0], &[4.0], &[2.0], none);
        assert_eq!((row.verdict, row.goal_reached), (Verdict::Ahead, Some(true)));
        let row = standing(&[0.0], &[0.0], &[2.0], none);
        assert_eq!((row.verdict, row.goal_reached), (Verdict::Even, Some(true)));
        let row = standing(&[0.02], &[4.0], &[2.0], none);
        assert_eq!((row.verdict, row.goal_reached), (Verdict::Ahead, Some(false)));
    }

    #[test]
    fn without_the_ring_or_a_reference_there_is_nothing_to_say() {
        let alone = Figure::new(SUBJECT, vec![1.0]).unwrap();
        let other = Figure::new("dashmap", vec![1.0]).unwrap();
        assert_eq!(Standing::new(&[alone, other.clone()], None), None);
        let mutex = Figure::new(BASELINE, vec![1.0]).unwrap();
        assert_eq!(Standing::new(&[mutex, other], None), None);
    }
}
