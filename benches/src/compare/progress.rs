//! How far a run is, and how long it will take yet.

use std::time::{Duration, Instant};

/// Tells about a run whose parts have known costs, more or less.
pub(super) struct Progress<'a> {
    say: &'a mut dyn FnMut(&str),
    start: Instant,
    /// Seconds, as planned.
    planned: f64,
    /// The planned seconds of what is done.
    done: f64,
}

impl<'a> Progress<'a> {
    pub(super) fn new(planned: f64, say: &'a mut dyn FnMut(&str)) -> Self {
        Self { say, start: Instant::now(), planned, done: 0.0 }
    }

    /// Something is done that was planned to take `cost` seconds.
    pub(super) fn step(&mut self, cost: f64, text: &str) {
        self.done += cost;
        let left = left(self.start.elapsed().as_secs_f64(), self.done, self.planned);
        let left = humantime::format_duration(Duration::from_secs(left.round() as u64));
        (self.say)(&format!("{text}  (about {left} left)"));
    }
}

/// Seconds left, if the rest keeps to the plan as well as what is done.
fn left(elapsed: f64, done: f64, planned: f64) -> f64 {
    if done <= 0.0 { planned } else { (planned - done).max(0.0) * elapsed / done }
}

#[cfg(test)]
mod tests {
    use super::left;

    #[test]
    fn what_is_left_follows_from_what_was_done() {
        assert_eq!(left(0.0, 0.0, 100.0), 100.0);
        assert_eq!(left(50.0, 25.0, 100.0), 150.0);
        assert_eq!(left(50.0, 100.0, 100.0), 0.0);
        assert_eq!(left(50.0, 101.0, 100.0), 0.0);
    }
}
