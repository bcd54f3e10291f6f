//! This project's ring alone, without sids, slots and wakers.

use std::sync::Arc;

use nylon_ring_runtime::internals::{Cell, Region, Ring as Raw};

use super::{CAPACITY, Consumer, Producer, Queue, Record};
use crate::BenchError;

pub(super) struct Ring;

pub(super) struct Sender(Arc<Raw<Record>>);

pub(super) struct Receiver {
    ring: Arc<Raw<Record>>,
    position: u64,
}

/// Records that are taken before their cells are free again, as the runtime's consumer does it.
const BATCH: u64 = 64;

impl Producer for Sender {
    fn push(&mut self, record: Record) -> bool {
        // The consumer never sleeps.
        self.0.push(record).is_ok()
    }
}

impl Receiver {
    fn release(&self) {
        // SAFETY: there is one receiver, and it has taken every record before its position.
        unsafe { self.ring.release(self.position) };
    }
}

impl Consumer for Receiver {
    fn pop(&mut self) -> Option<Record> {
        // SAFETY: there is one receiver, and its position advances by one with every record taken.
        let record = unsafe { self.ring.take(self.position) };
        match record {
            Some(_) => {
                self.position += 1;
                if self.position.is_multiple_of(BATCH) {
                    self.release();
                }
            }
            None => self.release(),
        }
        record
    }
}

impl Queue for Ring {
    const NAME: &'static str = "nylon-ring";
    type Producer = Sender;
    type Consumer = Receiver;

    fn open(producers: usize) -> Result<(Vec<Sender>, Receiver), BenchError> {
        let cells = Region::new(CAPACITY, |index| Cell::new(index, CAPACITY));
        let ring = Arc::new(Raw::new(cells.map_err(|error| BenchError::Usage(error.to_string()))?));
        Ok(((0..producers).map(|_| Sender(Arc::clone(&ring))).collect(), Receiver { ring, position: 0 }))
    }
}
