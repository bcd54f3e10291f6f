//! Fuzzes what comes from shared memory: any words, anywhere, at any time.
//!
//! `cargo test` tries random inputs for about a second; `make fuzz` for as long as it is told, and with `cargo bolero` a
//! coverage-guided engine finds its way.

#![cfg(all(target_os = "linux", not(any(nylon_loom, miri))))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    collections::VecDeque,
    os::fd::AsRawFd,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use bolero::TypeGenerator;
use memmap2::{MmapOptions, MmapRaw};
use nylon_ring_runtime::{NrStatus, RuntimeError, SharedConsumer, SharedProducer, Turn};

/// The cells of the ring: few, so that every word is met, and laps are many.
const CELLS: usize = 8;
/// Words before the first cell, and in all.
const HEADER: usize = 48;
const WORDS: usize = HEADER + CELLS * 8;
const LONGEST: usize = 40 + (CELLS - 1) * 56;

/// What happens next.
#[derive(Debug, Clone, TypeGenerator)]
enum Step {
    /// An honest producer pushes so many bytes, of this value.
    Push { len: u16, byte: u8 },
    /// The consumer takes up to so many records.
    Turn { budget: u8 },
    /// Somebody writes any value over a word.
    Write { word: u8, value: u64 },
    /// Somebody writes what could nearly stand there.
    Nudge { word: u8, by: i8 },
    /// Somebody flips a bit.
    Flip { word: u8, bit: u8 },
}

struct Bench {
    consumer: SharedConsumer,
    producer: SharedProducer,
    map: MmapRaw,
}

impl Bench {
    fn new() -> Self {
        let consumer = SharedConsumer::create(CELLS as u32).unwrap();
        let doorbell = consumer.doorbell().try_clone_to_owned().unwrap();
        let producer = SharedProducer::attach(consumer.memory(), doorbell).unwrap();
        let map = MmapOptions::new().len(WORDS * 8).map_raw(consumer.memory().as_raw_fd()).unwrap();
        Self { consumer, producer, map }
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        // SAFETY: the mapping has that many words.
        let word = unsafe { self.map.as_ptr().cast::<AtomicU64>().add(index % WORDS) };
        // SAFETY: an atomic word in a mapping that lives as long as `self`.
        unsafe { &*word }
    }
}

/// What an honest producer has pushed, and the consumer not taken.
type Sent = VecDeque<(u64, u8, usize)>;

/// Without a liar the consumer takes what was pushed. With one it still neither panics nor hangs, hands out no payload that is
/// longer than the ring, and what it has once declared dead stays dead.
fn play(steps: &[Step]) {
    let mut bench = Bench::new();
    let (mut sent, mut honest, mut dead) = (Sent::new(), true, None::<String>);
    for (n, step) in steps.iter().enumerate() {
        match *step {
            Step::Push { len, byte } => {
                let len = usize::from(len) % (LONGEST + 2);
                match bench.producer.push(n as u64, NrStatus::Ok, &vec![byte; len]) {
                    Ok(()) => sent.push_back((n as u64, byte, len)),
                    Err(RuntimeError::TooLong { limit, .. }) => assert!(limit == LONGEST && len > LONGEST),
                    Err(RuntimeError::RingFull) => assert!(!honest || !sent.is_empty(), "an empty ring is full"),
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Turn { budget } => turn(&mut bench.consumer, budget.into(), &mut sent, honest, &mut dead),
            Step::Write { word, value } => {
                bench.word(word.into()).store(value, Relaxed);
                honest = false;
            }
            Step::Nudge { word, by } => {
                bench.word(word.into()).fetch_add(i64::from(by) as u64, Relaxed);
                honest = false;
            }
            Step::Flip { word, bit } => {
                bench.word(word.into()).fetch_xor(1 << (bit % 64), Relaxed);
                honest = false;
            }
        }
    }
    let mut left = Vec::new();
    match bench.consumer.salvage(|sid, _, bytes| left.push((sid, bytes.to_vec()))) {
        Ok(salvaged) => assert!(dead.is_none() && salvaged.records as usize == left.len() && left.len() <= CELLS),
        Err(error) => assert!(!honest && dead.is_none_or(|first| first == error.to_string())),
    }
    if honest {
        let sent: Vec<_> = sent.into_iter().map(|(sid, byte, len)| (sid, vec![byte; len])).collect();
        assert_eq!(left, sent);
    }
}

fn turn(consumer: &mut SharedConsumer, budget: usize, sent: &mut Sent, honest: bool, dead: &mut Option<String>) {
    let mut taken = 0;
    let result = consumer.turn(budget, |sid, status, bytes| {
        taken += 1;
        assert!(bytes.len() <= LONGEST);
        if honest {
            let (of, byte, len) = sent.pop_front().expect("a record that nobody sent");
            assert_eq!((sid, status, bytes), (of, NrStatus::Ok, &vec![byte; len][..]));
        }
    });
    assert!(taken <= budget.max(1));
    match (result, dead) {
        (Ok(turn), None) => assert!(!honest || turn == Turn::More || sent.is_empty(), "it sleeps beside a record"),
        (Err(error), None) if honest => panic!("{error}"),
        (Err(error), dead @ None) => *dead = Some(error.to_string()),
        (result, Some(first)) => {
            assert!(taken == 0 && result.unwrap_err().to_string() == *first, "what is dead came back");
        }
    }
}

#[test]
fn words_from_shared_memory() {
    bolero::check!().with_type::<Vec<Step>>().for_each(|steps| play(steps));
}

/// Every value that could nearly stand there, over every word, once records lie in the ring: one by one, by rule and not by chance.
#[test]
fn every_word_of_the_memory() {
    for word in 0..WORDS as u8 {
        for lap in [0, 1, 9] {
            let laps = (0..lap * CELLS).flat_map(|_| [Step::Push { len: 40, byte: 1 }, Step::Turn { budget: 1 }]);
            let lie = [0, 1, 2, 3, 4, 5, 6, 7, 8, 36, 40, 41, 100, 1 << 31, 1 << 32, 1 << 63, u64::MAX - 7, u64::MAX]
                .into_iter()
                .map(|value| Step::Write { word, value })
                .chain((-9..9).map(|by| Step::Nudge { word, by }))
                .chain((0..64).map(|bit| Step::Flip { word, bit }));
            for lie in lie {
                let records = [Step::Push { len: 30, byte: 2 }, Step::Push { len: 150, byte: 3 }];
                let after = [Step::Push { len: 50, byte: 4 }, Step::Turn { budget: 9 }, Step::Turn { budget: 9 }];
                let steps: Vec<Step> = laps.clone().chain(records).chain([lie]).chain(after).collect();
                play(&steps);
            }
        }
    }
}

/// A stamp, `head` or `tail` that no producer could have left is found out at once.
#[test]
fn a_word_that_cannot_be_kills_the_ring() {
    let [tail, head, stamp, length, further] = [16, 32, HEADER, HEADER + 2, HEADER + 8];
    for (word, value, what) in [
        (tail, 1, "a tail"),
        (tail, 2 + CELLS as u64 + 1, "a tail"),
        (head, 1, "a head"),
        (head, u64::MAX, "a head"),
        (stamp, 8, "a stamp"),
        (stamp, 6, "a stray stamp"),
        (stamp, u64::MAX, "a stamp"),
        (length, LONGEST as u64 + 1, "a length"),
        (length, u64::from(u32::MAX), "a length"),
        (length, 97, "the stamp of a further cell"),
        (further, 4, "the stamp of a further cell"),
        (further, 2, "the stamp of a further cell"),
    ] {
        let mut bench = Bench::new();
        bench.producer.push(1, NrStatus::Ok, &[1; 50]).unwrap();
        let right = bench.word(word).swap(value, Relaxed);
        for _ in 0..2 {
            let error = bench.consumer.turn(9, |_, _, _| ()).unwrap_err();
            assert!(
                matches!(error, RuntimeError::Corrupt { what: found, .. } if found == what),
                "word {word}: {error}"
            );
            // Who has written over the memory once is never believed again.
            bench.word(word).store(right, Relaxed);
        }
    }
}
