//! One measurement of one queue.

use std::{
    array,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use super::{Consumer, Producer, Queue, Record, patience::Patience};
use crate::BenchError;

/// A queue without its type.
pub(super) struct Contest {
    pub(super) name: &'static str,
    /// How many producers it can have.
    pub(super) producers: usize,
    /// Nanoseconds for each of so many records, with so many producers.
    pub(super) measure: fn(usize, u64) -> Result<f64, BenchError>,
}

pub(super) const fn contest<Q: Queue>() -> Contest {
    Contest { name: Q::NAME, producers: Q::PRODUCERS, measure: measure::<Q> }
}

/// What a queue did to the records; the first fault that was seen.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("record {got} of producer {producer} came where {expected} was due")]
    Order { producer: u64, expected: u64, got: u64 },
    #[error("{0} records did not come")]
    Lost(u64),
    #[error("what came is not what was pushed")]
    Sum,
}

fn measure<Q: Queue>(producers: usize, items: u64) -> Result<f64, BenchError> {
    let (senders, mut receiver) = Q::open(producers)?;
    let start = Barrier::new(producers + 1);
    let (elapsed, came, pushed) = thread::scope(|scope| {
        let threads: Vec<_> = (0_u64..)
            .zip(senders)
            .map(|(number, mut sender)| {
                let share = items / producers as u64 + u64::from(number < items % producers as u64);
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    produce(&mut sender, number, share)
                })
            })
            .collect();
        start.wait();
        let begin = Instant::now();
        let came = consume(&mut receiver, producers, items, || threads.iter().all(|thread| thread.is_finished()));
        let elapsed = begin.elapsed();
        // A consumer that has given up would leave them waiting for room for ever.
        if came.is_err() {
            while threads.iter().any(|thread| !thread.is_finished()) {
                receiver.pop();
                thread::yield_now();
            }
        }
        let mut pushed = 0_u64;
        for thread in threads {
            pushed = pushed.wrapping_add(thread.join().unwrap_or_default());
        }
        (elapsed, came, pushed)
    });
    let came = came.and_then(|sum| if sum == pushed { Ok(()) } else { Err(Fault::Sum) });
    came.map_err(|fault| BenchError::Queue { queue: Q::NAME, fault: fault.to_string() })?;
    Ok(per_item(elapsed, items))
}

fn per_item(elapsed: Duration, items: u64) -> f64 {
    elapsed.as_nanos() as f64 / items as f64
}

/// A producer's record `n`; no two words of it are the same.
#[inline]
fn record(producer: u64, n: u64) -> Record {
    let mut record: Record = array::from_fn(|word| n.wrapping_add((word as u64) << 32));
    record[0] = producer;
    record
}

#[inline]
fn sum(record: &Record) -> u64 {
    record.iter().fold(0, |sum, word| sum.wrapping_add(*word))
}

/// Pushes `share` records; the sum of their words.
fn produce(sender: &mut impl Producer, producer: u64, share: u64) -> u64 {
    let mut total = 0_u64;
    let mut patience = Patience::default();
    for n in 0..share {
        let record = record(producer, n);
        total = total.wrapping_add(sum(&record));
        while !sender.push(record) {
            patience.wait();
        }
        patience.reset();
    }
    total
}

/// Pops `items` records; the sum of their words. `all_pushed` says that no more will come than are there.
fn consume(
    receiver: &mut impl Consumer,
    producers: usize,
    items: u64,
    all_pushed: impl Fn() -> bool,
) -> Result<u64, Fault> {
    let mut next = vec![0_u64; producers];
    let mut total = 0_u64;
    let mut patience = Patience::default();
    for left in (1..=items).rev() {
        let record = loop {
            if let Some(record) = receiver.pop() {
                break record;
            }
            if patience.is_out() && all_pushed() {
                break receiver.pop().ok_or(Fault::Lost(left))?;
            }
            patience.wait();
        };
        patience.reset();
        let [producer, stamped, ..] = record;
        let got = stamped.wrapping_sub(1 << 32);
        match next.get_mut(producer as usize) {
            Some(expected) if *expected == got => *expected += 1,
            expected => {
                let expected = expected.map_or(0, |expected| *expected);
                return Err(Fault::Order { producer, expected, got });
            }
        }
        total = total.wrapping_add(sum(&record));
    }
    Ok(total)
}
