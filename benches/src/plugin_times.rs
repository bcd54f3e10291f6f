//! How long the plugin's threads were inside `send_result`.

use crate::BenchError;

/// What the plugin answered to `/stats`.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginTimes {
    count: u64,
    /// In ticks, like all below.
    sum: u64,
    max: u64,
    /// What timing nothing shows; contained in every value.
    overhead: f64,
    ticks_per_ns: f64,
    /// Lowest value, highest value and number of values, in rising order.
    buckets: Vec<(u64, u64, u64)>,
}

impl PluginTimes {
    /// Reads the text of `/stats`; the plugin's `stats` module says what it looks like.
    ///
    /// # Errors
    /// It does not look like that.
    pub fn parse(text: &str) -> Result<Self, BenchError> {
        Self::read(text).ok_or_else(|| BenchError::Times(text.chars().take(100).collect()))
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut head = lines.next()?.split(' ');
        let mut next = || head.next()?.parse::<u64>().ok();
        let (count, sum, max) = (next()?, next()?, next()?);
        let mut next = || head.next()?.parse::<f64>().ok();
        let (overhead, ticks_per_ns) = (next()?, next()?);
        let mut buckets = Vec::new();
        for line in lines {
            let mut numbers = line.split(' ').map(str::parse);
            let mut next = || numbers.next()?.ok();
            buckets.push((next()?, next()?, next()?));
        }
        Some(Self { count, sum, max, overhead, ticks_per_ns, buckets })
    }

    /// How many calls of `send_result` were timed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean, in ns.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.ns(self.sum as f64 / self.count.max(1) as f64)
    }

    /// The longest, in ns.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.ns(self.max as f64)
    }

    /// The value that a share of `quantile` of all values does not exceed, in ns; to a sixteenth of itself.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> f64 {
        let rank = (quantile * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for &(lowest, highest, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return self.ns((lowest + (highest - lowest) / 2) as f64);
            }
        }
        0.0
    }

    /// Ticks without those of the clock itself, in ns.
    fn ns(&self, ticks: f64) -> f64 {
        (ticks - self.overhead).max(0.0) / self.ticks_per_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_come_from_the_buckets_less_the_clock() {
        let times = PluginTimes::parse("100 2070 320 10 2\n10 10 50\n30 32 49\n320 320 1\n").unwrap();
        assert_eq!(times.count(), 100);
        assert_eq!(times.quantile(0.5), 0.0);
        assert_eq!(times.quantile(0.51), 10.5);
        assert_eq!(times.quantile(0.99), 10.5);
        assert_eq!(times.quantile(0.9999), 155.0);
        assert_eq!(times.max(), 155.0);
        assert!((times.mean() - 5.35).abs() < 1e-9);
    }

    #[test]
    fn other_text_is_an_error() {
        for text in ["", "1 2 3", "1 2 3 4 x", "1 2 3 4 5\n1 2"] {
            assert!(PluginTimes::parse(text).is_err(), "{text:?}");
        }
    }
}
