//! How long calls of `send_result` took: a histogram with a resolution of a sixteenth, from 1 to 2^64 ticks.
//!
//! One thread writes a histogram; it is reset and read while that thread has no work, so Relaxed loads and stores do.
//!
//! The text of `/stats`: one line `<count> <sum> <max> <overhead> <ticks per ns>`, then one line `<lowest> <highest>
//! <count>` for each bucket that is not empty, in rising order. All but the last of the first line in ticks; `overhead`
//! is what timing nothing shows, and is contained in each value.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Buckets of each power of two.
const PER_OCTAVE: usize = 16;
const BUCKETS: usize = 64 * PER_OCTAVE;

/// The times of one thread.
pub(crate) struct Histogram {
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }
    }

    /// Adds one value; only by the thread that owns the histogram.
    #[inline]
    pub(crate) fn record(&self, ticks: u64) {
        add(&self.buckets[index(ticks)], 1);
        add(&self.sum, ticks);
        if ticks > self.max.load(Relaxed) {
            self.max.store(ticks, Relaxed);
        }
    }

    pub(crate) fn reset(&self) {
        for counter in self.buckets.iter().chain([&self.sum, &self.max]) {
            counter.store(0, Relaxed);
        }
    }
}

/// One more without a read-modify-write: there is one writer.
#[inline]
fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
}

/// Which bucket a value belongs to.
#[inline]
fn index(ticks: u64) -> usize {
    if ticks < PER_OCTAVE as u64 {
        return ticks as usize;
    }
    let octave = ticks.ilog2() as usize - 4; // from 0
    (octave + 1) * PER_OCTAVE + ((ticks >> octave) as usize & (PER_OCTAVE - 1))
}

/// The lowest and the highest value of a bucket.
fn bounds(index: usize) -> (u64, u64) {
    if index < PER_OCTAVE {
        return (index as u64, index as u64);
    }
    let octave = index / PER_OCTAVE - 1;
    let lowest = ((PER_OCTAVE + index % PER_OCTAVE) as u64) << octave;
    (lowest, lowest + ((1 << octave) - 1))
}

/// The text of `/stats`.
pub(crate) fn text<'a>(histograms: impl Iterator<Item = &'a Histogram>, overhead: f64, ticks_per_ns: f64) -> String {
    let (mut buckets, mut sum, mut max) = (vec![0_u64; BUCKETS], 0_u64, 0);
    for histogram in histograms {
        for (total, counter) in buckets.iter_mut().zip(&histogram.buckets) {
            *total += counter.load(Relaxed);
        }
        sum += histogram.sum.load(Relaxed);
        max = histogram.max.load(Relaxed).max(max);
    }
    let count: u64 = buckets.iter().sum();
    let mut text = format!("{count} {sum} {max} {overhead} {ticks_per_ns}\n");
    for (index, &count) in buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
        let (lowest, highest) = bounds(index);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{lowest} {highest} {count}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_within_the_bounds_of_its_bucket() {
        let values = (0..5000).chain((5..64).flat_map(|bit| {
            let power = 1_u64 << bit;
            [power - 1, power, power + 1, power + power / 3]
        }));
        for value in values.chain([u64::MAX]) {
            let (lowest, highest) = bounds(index(value));
            assert!((lowest..=highest).contains(&value), "{value}: {lowest}..={highest}");
        }
    }

    #[test]
    fn buckets_touch_and_do_not_overlap() {
        let last = index(u64::MAX);
        for i in 0..last {
            assert_eq!(bounds(i).1 + 1, bounds(i + 1).0, "bucket {i}");
        }
        assert_eq!(bounds(last).1, u64::MAX);
    }

    #[test]
    fn the_text_adds_up_what_the_threads_recorded() {
        let (a, b) = (Histogram::new(), Histogram::new());
        a.record(3);
        b.record(3);
        b.record(40);
        assert_eq!(text([&a, &b].into_iter(), 7.5, 2.5), "3 46 40 7.5 2.5\n3 3 2\n40 41 1\n");
        b.reset();
        assert_eq!(text([&b].into_iter(), 7.5, 2.5), "0 0 0 7.5 2.5\n");
    }
}
