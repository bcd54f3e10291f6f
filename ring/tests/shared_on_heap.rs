//! The ring in shared memory under Miri, which knows neither memfds nor processes: on the heap, between threads.

#![cfg(miri)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    sync::Arc,
    thread::{self, Thread},
};

use nylon_ring_runtime::internals::{Armed, Consumer, Memory, NotPushed, Producer, Published};

const THREADS: u64 = 3;
const EACH: u64 = 20;

/// Lengths around those that fit one cell and two.
fn length(number: u64, longest: usize) -> usize {
    [0, 8, 40, 41, 96, 97][number as usize % 6].min(longest)
}

fn push(producer: &Producer, sid: u64, len: usize, consumer: &Thread) {
    loop {
        match producer.push(sid, sid as u32, &vec![sid as u8; len]) {
            Ok(Published::Awaited) => return consumer.unpark(),
            Ok(Published::Quiet) => return,
            Err(NotPushed::Full) => thread::yield_now(),
            Err(NotPushed::TooLong(limit)) => panic!("{len} bytes are too long for {limit}"),
        }
    }
}

/// Every record arrives whole, and those of one thread in order, through rings of few cells.
#[test]
fn records_of_three_threads() {
    for (cells, longest) in [(1, 40), (4, 96), (16, 97)] {
        let memory = Memory::new(cells);
        let (producer, mut consumer) = (Arc::new(Producer::new(memory.clone())), Consumer::new(memory));
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (producer, consumer) = (producer.clone(), thread::current());
                thread::spawn(move || {
                    (0..EACH).for_each(|n| push(&producer, thread << 8 | n, length(n, longest), &consumer));
                })
            })
            .collect();
        let mut seen = [0; THREADS as usize];
        while seen != [EACH; THREADS as usize] {
            if let Some(message) = consumer.take().unwrap() {
                let (thread, number) = ((message.sid >> 8) as usize, message.sid & 0xff);
                assert_eq!((number, u64::from(message.status)), (seen[thread], message.sid));
                assert_eq!(message.bytes, vec![message.sid as u8; length(number, longest)]);
                seen[thread] += 1;
                continue;
            }
            consumer.release().unwrap();
            if consumer.arm().unwrap() == Armed::Asleep {
                thread::park();
            }
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        consumer.release().unwrap();
        assert!(consumer.take().unwrap().is_none());
    }
}
