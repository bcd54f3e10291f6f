//! `ring.rs`: claim, publish, consume, release, arm.
//!
//! The rings have one, two and four cells: their number is a power of two, so there is none of three. A ring of one cell meets
//! every record in a lap of its own, one of two wraps its stamps within a model, one of four gives each producer a cell. Positions
//! start at 0 and count up to 2^63 before a stamp could repeat: what wraps here is the number of the cell, not that of the record.
//! Whether a ring is quiescent is asked inside an inline scope alone: the models of `inline.rs` look at it.

use std::sync::Arc;

use loom::{
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, Thread},
};
use nylon_ring_loom_tests::{Bound, model, outcomes};
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
    let (mut seen, mut released) = (Vec::new(), 0);
    while seen.len() < count {
        let p = seen.len() as u64;
        // SAFETY: the calling thread is the only consumer; `p` records have been taken, in order.
        if let Some(value) = unsafe { ring.take(p) } {
            seen.push(value);
            continue;
        }
        if released != p {
            released = p;
            // SAFETY: as above.
            unsafe { ring.release(p) };
        }
        // SAFETY: as above.
        if unsafe { ring.arm(p) } == Armed::Asleep {
            thread::park();
        }
    }
    seen
}

fn producer<const N: usize>(ring: &Arc<Ring<u64>>, values: [u64; N]) -> thread::JoinHandle<()> {
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
        let (first, second) = (producer(&ring, [10, 11]), producer(&ring, [20]));
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
        let producer = producer(&ring, [10, 11, 12]);
        assert_eq!(consume(&ring, 3), [10, 11, 12]);
        producer.join().unwrap();
    });
}

/// Records that are left in the ring are dropped with it, once. Legal: whatever was taken and what was left add up.
#[test]
fn what_is_left_is_dropped_once() {
    model("ring::what_is_left_is_dropped_once", Bound::Three, || {
        let value = Arc::new(());
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
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

/// The same in the second lap, with two producers. Legal: the same.
#[test]
fn what_is_left_of_a_lap_is_dropped_once() {
    model("ring::what_is_left_of_a_lap_is_dropped_once", Bound::Any, || {
        let value = Arc::new(());
        let ring = Arc::new(Ring::new(Region::new(2, |index| Cell::new(index, 2)).unwrap()));
        assert!(ring.push(value.clone()).is_ok());
        // SAFETY: this thread is the only consumer, at position 0.
        drop(unsafe { ring.take(0) });
        // SAFETY: as above; the record was taken.
        unsafe { ring.release(1) };
        let producers = [(); 2].map(|()| {
            let (ring, value) = (ring.clone(), value.clone());
            thread::spawn(move || assert!(ring.push(value).is_ok()))
        });
        // SAFETY: as above, at position 1.
        let taken = unsafe { ring.take(1) };
        // SAFETY: as above; what was taken lies before the position.
        unsafe { ring.release(1 + u64::from(taken.is_some())) };
        drop(taken);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        drop(ring);
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

/// Producers of one record each, numbered from 1, and a consumer that looks once while they push and again when they are
/// done. Returns what it found, in order; 0 stands for a record that was refused.
fn push_one_each<const N: usize>(cells: usize) -> [u64; N] {
    let ring = ring(cells);
    let producers: [_; N] = std::array::from_fn(|index| {
        let (ring, value) = (ring.clone(), index as u64 + 1);
        thread::spawn(move || ring.push(value).is_ok())
    });
    let mut seen = Vec::new();
    let mut look = || {
        let p = seen.len() as u64;
        // SAFETY: this thread is the only consumer; `p` records have been taken, in order.
        let Some(value) = (unsafe { ring.take(p) }) else { return false };
        // SAFETY: as above; what was taken lies before the position.
        unsafe { ring.release(p + 1) };
        seen.push(value);
        true
    };
    look();
    let pushed = producers.map(|producer| producer.join().unwrap()).into_iter().filter(|pushed| *pushed).count();
    while look() {}
    assert_eq!(seen.len(), pushed, "a record was lost, or taken twice");
    seen.resize(N, 0);
    seen.try_into().unwrap()
}

const ORDERS: [[u64; 3]; 6] = [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]];
const PAIRS: [[u64; 3]; 6] = [[1, 2, 0], [1, 3, 0], [2, 1, 0], [2, 3, 0], [3, 1, 0], [3, 2, 0]];

/// Three producers, and a cell for each of them. Legal: the three records in any of the six orders.
#[test]
fn three_producers_in_any_order() {
    outcomes("ring::three_producers_in_any_order", Bound::Three, ORDERS, || push_one_each(4));
}

/// The same through two cells: one of them serves a second lap, if it is released in time. Legal: as above, or two of the
/// records, and the third is refused.
#[test]
fn three_producers_share_two_cells() {
    let legal = ORDERS.into_iter().chain(PAIRS);
    outcomes("ring::three_producers_share_two_cells", Bound::Three, legal, || push_one_each(2));
}

/// Two producers share one cell. Legal: both records in either order, or one of them, and the other is refused.
#[test]
fn two_producers_share_one_cell() {
    let legal = [[1, 2], [2, 1], [1, 0], [2, 0]];
    outcomes("ring::two_producers_share_one_cell", Bound::Any, legal, || push_one_each(1));
}

/// Six records through two cells: three laps. Legal: all six, in order.
#[test]
fn stamps_tell_one_lap_from_the_next() {
    model("ring::stamps_tell_one_lap_from_the_next", Bound::Three, || {
        let ring = ring(2);
        let producer = producer(&ring, [10, 11, 12, 13, 14, 15]);
        assert_eq!(consume(&ring, 6), [10, 11, 12, 13, 14, 15]);
        producer.join().unwrap();
    });
}

/// Two producers push one record each into a ring that has room for both, in its second lap; a third record follows. Legal: both
/// are taken, in any order; the third is refused while both lie there.
#[test]
fn a_push_fails_only_when_the_ring_is_full() {
    let legal = [[10, 20], [20, 10]];
    outcomes("ring::a_push_fails_only_when_the_ring_is_full", Bound::Any, legal, || {
        let ring = ring(2);
        for value in [1, 2] {
            assert_eq!(ring.push(value), Ok(Published::Quiet));
        }
        assert_eq!(consume(&ring, 2), [1, 2]);
        // SAFETY: this thread is the only consumer, and has taken two records.
        unsafe { ring.release(2) };
        let pushing = {
            let ring = ring.clone();
            thread::spawn(move || assert_eq!(ring.push(10), Ok(Published::Quiet)))
        };
        assert_eq!(ring.push(20), Ok(Published::Quiet));
        pushing.join().unwrap();
        assert_eq!(ring.push(30), Err(30));
        // SAFETY: as above; what was taken before lies before the position.
        [2, 3].map(|p| unsafe { ring.take(p) }.unwrap())
    });
}

/// A producer meets a full ring while the consumer empties it. Legal: it is refused, or it finds the cell free; and once it knows
/// that the cell was released, it is not refused.
#[test]
fn a_released_cell_is_found() {
    outcomes("ring::a_released_cell_is_found", Bound::Any, ["at once", "when it knew"], || {
        let ring = ring(1);
        let released = Arc::new(AtomicBool::new(false));
        assert_eq!(ring.push(10), Ok(Published::Quiet));
        let (shared, told) = (ring.clone(), released.clone());
        let producer = thread::spawn(move || {
            if shared.push(11).is_ok() {
                return "at once";
            }
            while !told.load(Ordering::Acquire) {
                thread::yield_now();
            }
            assert_eq!(shared.push(11), Ok(Published::Quiet));
            "when it knew"
        });
        // SAFETY: this thread is the only consumer, at position 0.
        assert_eq!(unsafe { ring.take(0) }, Some(10));
        // SAFETY: as above; the record was taken.
        unsafe { ring.release(1) };
        released.store(true, Ordering::Release);
        let outcome = producer.join().unwrap();
        // SAFETY: as above, at position 1.
        assert_eq!(unsafe { ring.take(1) }, Some(11));
        outcome
    });
}

/// What a thread sees of a record that it knows to be published, while the consumer may take it. Legal: the tail lies behind it;
/// the ring looks ready, or the record was released; and who knows that it was released finds the ring not ready any more.
#[test]
fn what_a_push_shows() {
    outcomes("ring::what_a_push_shows", Bound::Any, ["ready", "released"], || {
        let ring = ring(2);
        assert_eq!((ring.tail(), ring.looks_ready()), (0, false));
        let (shared, released) = (ring.clone(), Arc::new(AtomicBool::new(false)));
        assert_eq!(ring.push(10), Ok(Published::Quiet));
        let release = released.clone();
        let consumer = thread::spawn(move || {
            // SAFETY: this thread is the only consumer, at position 0.
            assert_eq!(unsafe { shared.take(0) }, Some(10));
            // SAFETY: as above; the record was taken.
            unsafe { shared.release(1) };
            release.store(true, Ordering::Release);
        });
        let ready = ring.looks_ready();
        let known = released.load(Ordering::Acquire);
        assert_eq!(ring.tail(), 1);
        assert!(!(known && ring.looks_ready()), "a record that was released looks ready");
        consumer.join().unwrap();
        assert_eq!((ring.tail(), ring.looks_ready()), (1, false));
        if ready { "ready" } else { "released" }
    });
}
