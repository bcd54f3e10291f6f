//! `ring.rs`: claim, publish, consume, release, arm.

use loom::{
    sync::Arc,
    thread::{self, Thread},
};
use nylon_ring_loom_tests::{Bound, model};
use nylon_ring_runtime::internals::{Armed, Cell, Published, Region, Ring};

fn ring(cells: usize) -> Arc<Ring<u64>> {
    Arc::new(Ring::new(Region::new(cells, |index| Cell::new(index, cells)).unwrap()))
}

/// Pushes, yielding while the ring is full, and wakes the consumer if it is owed that.
fn push(ring: &Ring<u64>, mut value: u64, consumer: &Thread) {
    loop {
        match ring.push(value) {
            Ok(Published::Awaited) => return consumer.unpark(),
            Ok(Published::Quiet) => return,
            Err(back) => value = back,
        }
        thread::yield_now();
    }
}

/// Consumes `count` records; sleeps whenever the ring could be armed.
fn consume(ring: &Ring<u64>, count: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let p = seen.len() as u64;
        // SAFETY: the calling thread is the only consumer; `p` records have been taken, in order.
        if let Some(value) = unsafe { ring.take(p) } {
            seen.push(value);
            continue;
        }
        // SAFETY: as above.
        unsafe { ring.release(p) };
        // SAFETY: as above.
        if unsafe { ring.arm(p) } == Armed::Asleep {
            thread::park();
        }
    }
    seen
}

fn producer(ring: &Arc<Ring<u64>>, values: [u64; 2]) -> thread::JoinHandle<()> {
    let (ring, consumer) = (ring.clone(), thread::current());
    thread::spawn(move || values.into_iter().for_each(|value| push(&ring, value, &consumer)))
}

/// Two producers of two records each, and a consumer that sleeps whenever it may. Legal: all four records, each
/// producer's in order, that is one of the six merges of 10 11 with 20 21; and the consumer never sleeps for ever.
#[test]
fn two_producers_in_order() {
    model("ring::two_producers_in_order", Bound::Two, || {
        let ring = ring(4);
        let producers = [producer(&ring, [10, 11]), producer(&ring, [20, 21])];
        let seen = consume(&ring, 4);
        for of in [1, 2] {
            let own: Vec<u64> = seen.iter().copied().filter(|value| value / 10 == of).collect();
            assert_eq!(own, [of * 10, of * 10 + 1]);
        }
        producers.into_iter().for_each(|producer| producer.join().unwrap());
    });
}

/// The same through two cells: producers find the ring full and every cell serves two laps.
#[test]
fn two_cells_are_reused_by_two_producers() {
    model("ring::two_cells_are_reused_by_two_producers", Bound::Two, || {
        let ring = ring(2);
        let first = producer(&ring, [10, 11]);
        let (shared, consumer) = (ring.clone(), thread::current());
        let second = thread::spawn(move || push(&shared, 20, &consumer));
        let seen = consume(&ring, 3);
        assert!([[10, 11, 20], [10, 20, 11], [20, 10, 11]].iter().any(|legal| seen == legal));
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// One cell serves every lap: a producer must find a cell emptied before it fills it again. Legal: 10 11 12.
#[test]
fn one_cell_is_reused() {
    model("ring::one_cell_is_reused", Bound::Three, || {
        let ring = ring(1);
        let (shared, consumer) = (ring.clone(), thread::current());
        let producer = thread::spawn(move || (10..13).for_each(|value| push(&shared, value, &consumer)));
        assert_eq!(consume(&ring, 3), [10, 11, 12]);
        producer.join().unwrap();
    });
}

/// Records that are left in the ring are dropped with it, once. Legal: whatever was taken and what was left add up.
#[test]
fn what_is_left_is_dropped_once() {
    model("ring::what_is_left_is_dropped_once", Bound::Three, || {
        let value = std::sync::Arc::new(());
        let ring = Arc::new(Ring::new(Region::new(2, |index| Cell::new(index, 2)).unwrap()));
        let (shared, sent) = (ring.clone(), value.clone());
        let producer = thread::spawn(move || {
            let _ = shared.push(sent.clone());
            let _ = shared.push(sent);
        });
        // SAFETY: this thread is the only consumer, at position 0.
        let taken = unsafe { ring.take(0) };
        // SAFETY: as above; what was taken lies before the position.
        unsafe { ring.release(u64::from(taken.is_some())) };
        drop(taken);
        producer.join().unwrap();
        drop(ring);
        assert_eq!(std::sync::Arc::strong_count(&value), 1);
    });
}
