//! `shared.rs`: a ring in shared memory. The mapping is on the heap here, and nobody dies: a producer that was killed is one that
//! is not run any further, so `salvage` runs while producers stand anywhere.

use loom::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, Thread},
};
use nylon_ring_loom_tests::{Bound, model};
use nylon_ring_runtime::internals::{Armed, Consumer, Memory, NotPushed, Producer, Published};

/// More than the first cell of a record holds.
const LONG: usize = 48;

/// Pushes, yielding while the ring is full, and wakes the consumer if it is owed that.
fn push(producer: &Producer, sid: u64, len: usize, consumer: &Thread) {
    loop {
        match producer.push(sid, sid as u32, &[sid as u8; LONG][..len]) {
            Ok(Published::Awaited) => return consumer.unpark(),
            Ok(Published::Quiet) => return,
            Err(NotPushed::Full) => thread::yield_now(),
            Err(NotPushed::TooLong(limit)) => panic!("{len} bytes are too long for {limit}"),
        }
    }
}

/// The sid of a record that must be whole.
fn whole(sid: u64, status: u32, bytes: &[u8], len: usize) -> u64 {
    assert_eq!((u64::from(status), bytes), (sid, &[sid as u8; LONG][..len]), "a torn record");
    sid
}

/// Consumes `count` records; sleeps whenever the ring could be armed.
fn consume(consumer: &mut Consumer, count: usize, len: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.len() < count {
        if let Some(message) = consumer.take().unwrap() {
            seen.push(whole(message.sid, message.status, message.bytes, len));
            continue;
        }
        consumer.release().unwrap();
        if consumer.arm().unwrap() == Armed::Asleep {
            thread::park();
        }
    }
    consumer.release().unwrap();
    seen
}

/// A ring of so many cells, with a producer that pushes these sids, each with `len` bytes, from a thread for each list.
fn run(cells: usize, len: usize, of: &[&'static [u64]]) -> Vec<u64> {
    let memory = Memory::new(cells);
    let producer = Arc::new(Producer::new(memory.clone()));
    let mut consumer = Consumer::new(memory);
    let threads: Vec<_> = of
        .iter()
        .map(|&sids| {
            let (producer, consumer) = (producer.clone(), thread::current());
            thread::spawn(move || sids.iter().for_each(|&sid| push(&producer, sid, len, &consumer)))
        })
        .collect();
    let seen = consume(&mut consumer, of.iter().map(|sids| sids.len()).sum(), len);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(consumer.take(), Ok(None));
    seen
}

/// Two producers, three records of two cells each, and a consumer that sleeps whenever it may. Legal: each producer's records in
/// order, each whole, in any merge.
#[test]
fn records_of_two_producers() {
    model("shared::records_of_two_producers", Bound::Two, || {
        let seen = run(8, LONG, &[&[1, 2], &[3]]);
        assert!([[1, 2, 3], [1, 3, 2], [3, 1, 2]].contains(&[seen[0], seen[1], seen[2]]), "{seen:?}");
    });
}

/// Two cells serve every lap of records of two cells, then of one. Legal: 1 2 3.
#[test]
fn cells_are_reused() {
    model("shared::cells_are_reused", Bound::Three, || assert_eq!(run(2, LONG, &[&[1, 2, 3]]), [1, 2, 3]));
    model("shared::one_cell_is_reused", Bound::Three, || assert_eq!(run(1, 8, &[&[1, 2, 3]]), [1, 2, 3]));
}

/// Two producers share two cells: claims meet a ring that is full, and one that only looks so. Legal: any order of the two.
#[test]
fn two_producers_share_two_cells() {
    model("shared::two_producers_share_two_cells", Bound::Two, || {
        let mut seen = run(2, LONG, &[&[1], &[2]]);
        seen.sort_unstable();
        assert_eq!(seen, [1, 2]);
    });
}

/// Everything stops while two producers stand anywhere, and what was published is salvaged. Legal: any of their records, each
/// whole and in order; for certain those whose push had returned.
#[test]
fn salvage_takes_what_was_published() {
    model("shared::salvage_takes_what_was_published", Bound::Two, || {
        let memory = Memory::new(4);
        let producer = Arc::new(Producer::new(memory.clone()));
        let mut consumer = Consumer::new(memory);
        let done = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let threads = [(0, LONG), (1, 8)].map(|(index, len)| {
            let (producer, done) = (producer.clone(), done.clone());
            thread::spawn(move || {
                let _ = producer.push(index, index as u32, &[index as u8; LONG][..len]).unwrap();
                done[index as usize].store(1, Ordering::Release);
            })
        });
        let published = [0, 1].map(|index: usize| done[index].load(Ordering::Acquire));
        let mut seen = [0, 0];
        let lost = consumer
            .salvage(|message| {
                let len = if message.sid == 0 { LONG } else { 8 };
                seen[whole(message.sid, message.status, message.bytes, len) as usize] += 1;
            })
            .unwrap();
        for (seen, published) in seen.into_iter().zip(published) {
            assert!(seen == published || (seen, published) == (1, 0), "{seen} of {published}");
        }
        let claimed_by_the_other = match seen {
            [0, 1] => 2,
            [1, 0] => 1,
            _ => 0,
        };
        assert!([0, claimed_by_the_other].contains(&lost), "{lost} cells were lost, and {seen:?} seen");
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
