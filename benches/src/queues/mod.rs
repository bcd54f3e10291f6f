//! Raw queues: many producers, one consumer, records of 56 bytes, nothing else.
//!
//! Every producer pushes its share of the records, and the consumer pops until all have come. Whoever finds the queue full, or
//! empty, waits a little and tries again, all in the same way (`patience.rs`); nobody is parked or woken, so what is
//! measured is the queue. The consumer checks that each producer's records come in order, and that the sum of all words
//! is what the producers pushed.
//!
//! Queues take turns: A B C, A B C, ….

mod measure;
mod patience;
mod peers;
mod ring;

use serde::Serialize;

use crate::BenchError;
use measure::{Contest, contest};

/// One record: a producer's number, the record's own, and words that depend on it. As large as one result of the host: with
/// a stamp, a cache line.
type Record = [u64; 7];

/// Records that a bounded queue has room for.
const CAPACITY: usize = 4096;

/// How many producers there are, row by row.
pub const PRODUCERS: [usize; 4] = [1, 2, 4, 8];

/// The sending end of one producer.
trait Producer: Send {
    /// Pushes a record; false if the queue is full.
    fn push(&mut self, record: Record) -> bool;
}

/// The one receiving end.
trait Consumer: Send {
    /// Pops the next record, if there is one.
    fn pop(&mut self) -> Option<Record>;
}

/// A queue that is measured.
trait Queue {
    /// What the report calls it.
    const NAME: &'static str;
    /// How many producers it can have.
    const PRODUCERS: usize = usize::MAX;
    /// A sending end.
    type Producer: Producer;
    /// The receiving end.
    type Consumer: Consumer;

    /// A new queue with room for [`CAPACITY`] records, or more than there are, and so many sending ends.
    fn open(producers: usize) -> Result<(Vec<Self::Producer>, Self::Consumer), BenchError>;
}

/// All of them, in the order of the report.
const QUEUES: &[Contest] = &[
    contest::<ring::Ring>(),
    contest::<peers::ArrayQueue>(),
    contest::<peers::SegQueue>(),
    contest::<peers::CrossbeamChannel>(),
    contest::<peers::ThingBuf>(),
    contest::<peers::Crossfire>(),
    contest::<peers::Kanal>(),
    contest::<peers::Flume>(),
    contest::<peers::TokioMpsc>(),
    contest::<peers::Rtrb>(),
    contest::<peers::MutexVecDeque>(),
];

/// What one queue took with so many producers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueRow {
    /// Which queue.
    pub queue: &'static str,
    /// How many producers.
    pub producers: usize,
    /// Nanoseconds for each record, turn by turn.
    pub samples_ns: Vec<f64>,
    /// Their median; of an even number, the mean of the two in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl QueueRow {
    fn new(queue: &'static str, producers: usize, samples_ns: Vec<f64>) -> Self {
        let mut sorted = samples_ns.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let median =
            if sorted.len() % 2 == 1 { at(middle) } else { f64::midpoint(at(middle.wrapping_sub(1)), at(middle)) };
        Self { queue, producers, median, min: at(0), max: at(sorted.len().wrapping_sub(1)), samples_ns }
    }
}

/// Measures all queues with each number of producers: `items` records in each measurement, shared evenly by the producers.
///
/// Tells about its progress line by line through `progress`. A queue that can have fewer producers has no row for more.
///
/// # Errors
/// A queue lost, invented or reordered records; or the arguments leave nothing to do.
pub fn run(turns: usize, items: u64, mut progress: impl FnMut(&str)) -> Result<Vec<QueueRow>, BenchError> {
    if turns == 0 || items == 0 {
        return Err(BenchError::Usage("nothing to measure: no turns or no items".to_owned()));
    }
    let mut rows = Vec::new();
    for producers in PRODUCERS {
        let queues: Vec<&Contest> = QUEUES.iter().filter(|queue| queue.producers >= producers).collect();
        let mut samples = vec![Vec::with_capacity(turns); queues.len()];
        for turn in 0..turns {
            let mut line = format!("[queues, {producers} producers] {}/{turns}", turn + 1);
            for (queue, samples) in queues.iter().zip(&mut samples) {
                let ns = (queue.measure)(producers, items)?;
                line += &format!("  {} {ns:.1}", queue.name);
                samples.push(ns);
            }
            progress(&line);
        }
        rows.extend(queues.iter().zip(samples).map(|(queue, samples)| QueueRow::new(queue.name, producers, samples)));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::{Arc, Mutex},
    };

    use super::*;

    /// A queue that does something else with the tenth record.
    struct Broken<const HOW: char>;

    struct End<const HOW: char>(Arc<Mutex<(u64, VecDeque<Record>)>>);

    impl<const HOW: char> Producer for End<HOW> {
        fn push(&mut self, mut record: Record) -> bool {
            let (count, queue) = &mut *self.0.lock().unwrap();
            *count += 1;
            match HOW {
                'l' if *count == 10 => {}
                'd' if *count == 10 => queue.extend([record, record]),
                's' if *count == 10 => queue.push_front(record),
                't' if *count == 10 => {
                    record[6] += 1;
                    queue.push_back(record);
                }
                _ => queue.push_back(record),
            }
            true
        }
    }

    impl<const HOW: char> Consumer for End<HOW> {
        fn pop(&mut self) -> Option<Record> {
            let queue = &mut self.0.lock().unwrap().1;
            // From the tenth on only: who is pushed to the front must have somebody to pass.
            if queue.len() < 10 && Arc::strong_count(&self.0) > 1 { None } else { queue.pop_front() }
        }
    }

    impl<const HOW: char> Queue for Broken<HOW> {
        const NAME: &'static str = "broken";
        type Producer = End<HOW>;
        type Consumer = End<HOW>;

        fn open(producers: usize) -> Result<(Vec<End<HOW>>, End<HOW>), BenchError> {
            let queue = Arc::default();
            Ok(((0..producers).map(|_| End(Arc::clone(&queue))).collect(), End(queue)))
        }
    }

    #[test]
    fn a_queue_that_breaks_its_promise_is_found() {
        for (broken, fault) in [
            (contest::<Broken<'l'>>(), "record 10 of producer 0 came where 9 was due"),
            (contest::<Broken<'d'>>(), "record 9 of producer 0 came where 10 was due"),
            (contest::<Broken<'s'>>(), "record 9 of producer 0 came where 0 was due"),
            (contest::<Broken<'t'>>(), "what came is not what was pushed"),
        ] {
            let error = (broken.measure)(1, 30).unwrap_err().to_string();
            assert!(error.ends_with(fault), "{error}");
        }
        let error = (contest::<Broken<'l'>>().measure)(1, 10).unwrap_err().to_string();
        assert!(error.ends_with("1 records did not come"), "{error}");
        (contest::<Broken<' '>>().measure)(4, 30).unwrap();
    }

    #[test]
    fn every_queue_delivers_everything_in_order() {
        let mut lines = 0;
        let rows = run(2, 20_000, |_| lines += 1).unwrap();
        assert_eq!(lines, 2 * PRODUCERS.len());
        for queue in QUEUES {
            let of: Vec<_> = rows.iter().filter(|row| row.queue == queue.name).collect();
            let counts: Vec<_> = PRODUCERS.into_iter().filter(|&producers| producers <= queue.producers).collect();
            assert_eq!(of.iter().map(|row| row.producers).collect::<Vec<_>>(), counts, "{}", queue.name);
            for row in of {
                assert_eq!(row.samples_ns.len(), 2, "{}", queue.name);
                assert!(row.min > 0.0 && row.min <= row.median && row.median <= row.max, "{row:?}");
            }
        }
    }

    #[test]
    fn items_that_do_not_divide_evenly_all_come() {
        for queue in QUEUES {
            (queue.measure)(queue.producers.min(8), 1003).unwrap();
        }
    }

    #[test]
    fn the_median_of_an_even_number_lies_in_the_middle() {
        let row = QueueRow::new("queue", 1, vec![4.0, 1.0, 2.0, 8.0]);
        assert_eq!((row.median, row.min, row.max), (3.0, 1.0, 8.0));
        assert_eq!(QueueRow::new("queue", 1, vec![3.0, 9.0, 1.0]).median, 3.0);
    }

    #[test]
    fn nothing_to_do_is_an_error() {
        assert!(run(0, 1, |_| ()).is_err());
        assert!(run(1, 0, |_| ()).is_err());
    }
}
