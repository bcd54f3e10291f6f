//! Rings in shared memory, between real processes: order, death at any moment, and processes that lie.
//!
//! The process that pushes is this very test executable, started anew with the test `a_process_of_its_own` and its orders in the
//! environment.

#![cfg(all(target_os = "linux", not(any(nylon_loom, miri))))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "shared/child.rs"]
mod child;
#[path = "shared/records.rs"]
mod records;

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use child::{Child, Job};
use nylon_ring_runtime::{NrStatus, Runtime, RuntimeError, SharedConsumer, SharedProducer, Turn};
use records::{Books, Progress};

/// So long nothing here may take, whatever the machine does meanwhile.
const LIMIT: Duration = Duration::from_secs(120);

#[test]
#[ignore = "the process that the other tests start"]
fn a_process_of_its_own() {
    child::main();
}

/// Takes turns until `done`, and sleeps whenever it may.
fn consume(consumer: &mut SharedConsumer, books: &mut Books, mut done: impl FnMut(&Books) -> bool) {
    let start = Instant::now();
    while !done(books) {
        assert!(start.elapsed() < LIMIT, "the consumer hangs at {books:?}");
        if consumer.turn(256, |sid, status, bytes| books.enter(sid, status, bytes)).unwrap() == Turn::Sleep {
            consumer.wait(Some(Duration::from_secs(1)));
        }
    }
}

fn ten_million_records(threads: u64) {
    const RECORDS: u64 = 10_000_000;
    let mut consumer = SharedConsumer::create(4096).unwrap();
    let mut child = Child::start(&consumer, None, Job::Push { threads, each: RECORDS / threads, longest: 64 });
    let mut books = Books::new(threads, 64);
    consume(&mut consumer, &mut books, |books| books.entered() == RECORDS);
    child.succeeds();
    assert_eq!(books.counts(), vec![RECORDS / threads; threads as usize]);
    let left = consumer.salvage(|_, _, _| panic!("a record that was never sent")).unwrap();
    assert_eq!((left.records, left.lost_cells), (0, 0));
}

#[test]
fn ten_million_records_of_one_thread() {
    ten_million_records(1);
}

#[test]
fn ten_million_records_of_two_threads() {
    ten_million_records(2);
}

#[test]
fn ten_million_records_of_four_threads() {
    ten_million_records(4);
}

/// Every record that was published before the kill is delivered, whole and in order; none is delivered that was not sent.
#[test]
fn a_process_killed_at_any_moment_loses_nothing_that_it_published() {
    let (mut holes, mut salvaged) = (0, 0);
    for round in 0..500 {
        let mut random = fastrand::Rng::with_seed(round);
        let threads = random.u64(1..=4);
        // From a ring that is full most of the time to one that never is; a record takes up to half of it.
        let cells = 1 << random.u32(3..12);
        let longest = random.u64(0..=(cells as u64 * 28).min(2000));
        let mut consumer = SharedConsumer::create(cells).unwrap();
        let progress = Progress::create();
        let mut child = Child::start(&consumer, Some(&progress), Job::Push { threads, each: u64::MAX, longest });
        let mut books = Books::new(threads, longest);
        consume(&mut consumer, &mut books, |books| books.entered() > 0);
        let end = Instant::now() + Duration::from_micros(random.u64(0..3000));
        // Either the consumer keeps up, or it looks away and finds the ring full.
        if random.bool() {
            consume(&mut consumer, &mut books, |_| Instant::now() >= end);
        } else {
            std::thread::sleep(end.saturating_duration_since(Instant::now()));
        }
        child.kill();
        let left = consumer.salvage(|sid, status, bytes| books.enter(sid, status, bytes)).unwrap();
        holes += u64::from(left.lost_cells > 0);
        salvaged += left.records;
        for (thread, (seen, published)) in books.counts().into_iter().zip(progress.published()).enumerate() {
            assert!(
                seen == published || seen == published + 1,
                "round {round}, thread {thread}: {published} were published for certain, {seen} were delivered"
            );
        }
    }
    println!("{salvaged} records were salvaged; {holes} kills left a claim that was never published");
    assert!(salvaged > 0, "no kill met a record on its way: the test shows nothing");
    assert!(holes > 0, "no kill met a producer between claim and publish: the test shows nothing");
}

/// The consumer neither panics nor hangs, and declares the ring dead.
#[test]
fn a_process_that_scribbles_kills_its_ring_and_nothing_else() {
    for seed in 0..50 {
        let mut consumer = SharedConsumer::create(64).unwrap();
        let mut child = Child::start(&consumer, None, Job::Scribble { seed });
        let start = Instant::now();
        let error = loop {
            assert!(start.elapsed() < LIMIT, "the consumer believes all that it is told");
            match consumer.turn(256, |_, _, bytes| assert!(bytes.len() <= 64 * 56)) {
                Ok(Turn::More) => {}
                Ok(Turn::Sleep) => consumer.wait(Some(Duration::from_millis(1))),
                Err(error) => break error,
            }
        };
        child.kill();
        assert!(matches!(error, RuntimeError::Corrupt { .. }), "{error}");
        let again = consumer.turn(256, |_, _, _| panic!("a record from a ring that is dead")).unwrap_err();
        assert_eq!(again.to_string(), error.to_string());
        let last = consumer.salvage(|_, _, _| panic!("a record from a ring that is dead")).unwrap_err();
        assert_eq!(last.to_string(), error.to_string());
    }
}

/// What a process sends through shared memory reaches the calls of a runtime; a sid that it made up reaches nobody.
#[test]
fn records_find_their_calls() {
    let runtime = Runtime::builder().shards(1).build().unwrap();
    let mut call = runtime.open(0).unwrap();
    let mut consumer = SharedConsumer::create(8).unwrap();
    let producer = local(&consumer);
    producer.push(call.sid() ^ 1 << 40, NrStatus::Ok, b"forged").unwrap();
    producer.push(call.sid(), NrStatus::Ok, &[7; 100]).unwrap();
    let turn = consumer.turn(64, |sid, status, bytes| runtime.send(sid, status, bytes)).unwrap();
    assert_eq!(turn, Turn::Sleep);
    assert_eq!(&call.try_take().unwrap().unwrap()[..], [7; 100]);
    assert_eq!(runtime.metrics().unknown_sid, 1);
}

fn local(consumer: &SharedConsumer) -> SharedProducer {
    SharedProducer::attach(consumer.memory(), consumer.doorbell().try_clone_to_owned().unwrap()).unwrap()
}

#[test]
fn a_full_ring_and_a_record_that_is_too_long_are_errors() {
    let mut consumer = SharedConsumer::create(4).unwrap();
    let producer = local(&consumer);
    let longest = [1; 40 + 3 * 56];
    producer.push(1, NrStatus::Ok, &longest).unwrap();
    assert!(matches!(producer.push(2, NrStatus::Ok, b""), Err(RuntimeError::RingFull)));
    let too_long = producer.push(2, NrStatus::Ok, &[0; 40 + 3 * 56 + 1]).unwrap_err();
    assert!(matches!(too_long, RuntimeError::TooLong { len: 209, limit: 208 }), "{too_long}");
    let mut seen = Vec::new();
    assert_eq!(consumer.turn(9, |sid, _, bytes| seen.push((sid, bytes.to_vec()))).unwrap(), Turn::Sleep);
    assert_eq!(seen, [(1, longest.to_vec())]);
    producer.push(2, NrStatus::StreamEnd, b"there is room again").unwrap();
    assert_eq!(
        consumer.turn(9, |sid, status, _| assert_eq!((sid, status), (2, NrStatus::StreamEnd))).unwrap(),
        Turn::Sleep
    );
    assert_eq!(consumer.taken(), 2);
}

#[test]
fn a_doorbell_rings_once_for_a_consumer_that_sleeps() {
    let mut consumer = SharedConsumer::create(4).unwrap();
    let producer = local(&consumer);
    let rung = |consumer: &SharedConsumer| rustix::io::read(consumer.doorbell(), &mut [0; 8]).is_ok();
    producer.push(1, NrStatus::Ok, b"").unwrap();
    assert!(!rung(&consumer), "nobody slept");
    assert_eq!(consumer.turn(9, |_, _, _| ()).unwrap(), Turn::Sleep);
    producer.push(2, NrStatus::Ok, b"").unwrap();
    producer.push(3, NrStatus::Ok, b"").unwrap();
    assert!(rung(&consumer), "the consumer sleeps for ever");
    assert!(!rung(&consumer));
}

/// Each record is pushed as soon as the one before it was taken: about when the consumer finds nothing more, and lies down.
#[test]
fn a_consumer_never_sleeps_on_a_record() {
    const RECORDS: u64 = 60_000;
    let mut consumer = SharedConsumer::create(4).unwrap();
    let (producer, taken) = (local(&consumer), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            for record in 0..RECORDS {
                while taken.load(Ordering::Acquire) < record {
                    std::hint::spin_loop();
                }
                (0..record % 64).for_each(|_| std::hint::spin_loop());
                producer.push(record, NrStatus::Ok, b"").unwrap();
            }
        });
        while taken.load(Ordering::Relaxed) < RECORDS {
            let turn = consumer.turn(9, |sid, _, _| taken.store(sid + 1, Ordering::Release)).unwrap();
            if turn == Turn::Sleep && taken.load(Ordering::Relaxed) < RECORDS {
                let start = Instant::now();
                consumer.wait(Some(LIMIT));
                if start.elapsed() >= LIMIT {
                    // The producer waits as well: nobody would end this.
                    taken.store(RECORDS, Ordering::Release);
                    panic!("the consumer sleeps for ever");
                }
            }
        }
    });
}

#[test]
fn other_descriptors_are_not_taken_for_a_ring() {
    let doorbell = || SharedConsumer::create(1).unwrap().doorbell().try_clone_to_owned().unwrap();
    let error = |fd| SharedProducer::attach(fd, doorbell()).unwrap_err().to_string();
    let null = std::fs::File::open("/dev/null").unwrap().into();
    assert!(error(null).contains("is not a memfd"));
    assert!(error(doorbell()).contains("is not a memfd"));
    for (length, seals, reason) in [
        (384 + 64, false, "is not sealed"),
        (383, true, "is too short"),
        (384, true, "has a length that no ring has"),
        (384 + 3 * 64, true, "has a length that no ring has"),
        (384 + 64 + 1, true, "has a length that no ring has"),
        (384 + 64, true, "does not start as a ring"),
    ] {
        use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
        let fd = memfd_create("other", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&fd, length).unwrap();
        if seals {
            fcntl_add_seals(&fd, SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL).unwrap();
        }
        let error = error(fd);
        assert!(error.contains(reason), "{length} bytes: {error}");
    }
    let zero = SharedConsumer::create(0).unwrap_err();
    assert!(matches!(zero, RuntimeError::Setting { name: "cells", value: 0, .. }), "{zero}");
}

/// Nobody can cut the memory short under the consumer, which would be a SIGBUS.
#[test]
fn the_memory_is_sealed() {
    let consumer = SharedConsumer::create(4).unwrap();
    for length in [0, 100, 1 << 20] {
        assert_eq!(rustix::fs::ftruncate(consumer.memory(), length), Err(rustix::io::Errno::PERM));
    }
    let seals = rustix::fs::SealFlags::WRITE;
    assert!(rustix::fs::fcntl_add_seals(consumer.memory(), seals).is_err(), "a producer could lock the others out");
}

#[test]
fn the_child_wants_orders() {
    assert!(env::var_os(child::ORDERS).is_none(), "{} is for the process that these tests start", child::ORDERS);
}
