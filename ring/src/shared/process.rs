//! The two ends of a shared ring, as processes hold them: memory, and a doorbell.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::Duration,
};

use nylon_ring::NrStatus;

use crate::{
    doorbell,
    error::RuntimeError,
    reactor::Turn,
    ring::{Armed, Published},
    shared::{
        consumer::{Consumer, Corrupt, Message},
        memory::{MAX_CELLS, Memory},
        producer::{NotPushed, Producer},
    },
};

/// The end that takes results, in the process that made the ring.
///
/// Hand the descriptors of [`memory`](Self::memory) and [`doorbell`](Self::doorbell) to the process that shall push, for example as
/// inherited ones; there a [`SharedProducer`] is made of them. The memory is one crash domain: give every process that may die by
/// itself a ring of its own.
///
/// ```
/// use nylon_ring_runtime::{NrStatus, SharedConsumer, SharedProducer, Turn};
///
/// let mut consumer = SharedConsumer::create(64)?;
/// // Another process would do this:
/// let producer = SharedProducer::attach(consumer.memory(), consumer.doorbell().try_clone_to_owned()?)?;
/// producer.push(7, NrStatus::Ok, b"hello")?;
///
/// let mut seen = Vec::new();
/// let turn = consumer.turn(64, |sid, status, bytes| seen.push((sid, status, bytes.to_vec())))?;
/// assert_eq!((turn, seen), (Turn::Sleep, vec![(7, NrStatus::Ok, b"hello".to_vec())]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SharedConsumer {
    consumer: Consumer,
    memory: OwnedFd,
    doorbell: OwnedFd,
    taken: u64,
    foreign: u64,
}

/// What was left in a ring whose producers are dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// Records that were published, and have been delivered now.
    pub records: u64,
    /// Cells before the last of them that were claimed, and never published.
    pub lost_cells: u64,
}

/// The end that pushes; any number of threads may share it.
#[derive(Debug)]
pub struct SharedProducer {
    producer: Producer,
    doorbell: OwnedFd,
}

impl From<Corrupt> for RuntimeError {
    fn from(Corrupt { what, found, position }: Corrupt) -> Self {
        Self::Corrupt { what, found, position }
    }
}

impl SharedConsumer {
    /// Makes a ring of `cells` cells of 64 bytes, 1 to 16,777,216, rounded up to a power of two. Its longest record takes all of
    /// them: 56 bytes a cell, less 16.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Setting`] when `cells` is out of range, [`RuntimeError::Region`] and [`RuntimeError::Doorbell`] when the
    /// system refuses.
    pub fn create(cells: u32) -> Result<Self, RuntimeError> {
        if !(1..=MAX_CELLS).contains(&cells.into()) {
            return Err(RuntimeError::Setting { name: "cells", value: cells.into(), low: 1, high: MAX_CELLS });
        }
        let (memory, fd) = Memory::create(cells.next_power_of_two())?;
        let doorbell = doorbell::eventfd()?;
        Ok(Self { consumer: Consumer::new(memory), memory: fd, doorbell, taken: 0, foreign: 0 })
    }

    /// The descriptor of the memory.
    pub fn memory(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }

    /// The eventfd that producers write to when the consumer sleeps. Register it edge-triggered; it need not be read.
    pub fn doorbell(&self) -> BorrowedFd<'_> {
        self.doorbell.as_fd()
    }

    /// Takes up to about `budget` records and hands each to `deliver`: the sid, the status, and the payload, which is a copy that
    /// nobody else can change. Nothing of it is to be believed: [`Runtime::send`](crate::Runtime::send) checks a sid, and a status that
    /// is none arrives as [`NrStatus::Err`].
    ///
    /// After [`Turn::Sleep`] the next record rings the doorbell; after [`Turn::More`] nobody does. The process that pushes may die
    /// in between: who sleeps watches it as well, by a pidfd for example.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Corrupt`], now and ever after, when somebody wrote over the memory.
    pub fn turn(&mut self, budget: usize, mut deliver: impl FnMut(u64, NrStatus, &[u8])) -> Result<Turn, RuntimeError> {
        for _ in 0..budget.max(1) {
            let Some(message) = self.consumer.take()? else {
                self.consumer.release()?;
                return Ok(match self.consumer.arm()? {
                    Armed::Asleep => Turn::Sleep,
                    Armed::Ready => Turn::More,
                });
            };
            self.taken += 1;
            hand_over(message, &mut self.foreign, &mut deliver);
        }
        self.consumer.release()?;
        Ok(Turn::More)
    }

    /// Blocks the thread until the doorbell rings, or `timeout` is over. It may also return for no reason.
    pub fn wait(&self, timeout: Option<Duration>) {
        doorbell::wait(&self.doorbell, timeout);
    }

    /// Takes every record that was published, although some before it may have been claimed and never published. Only when every
    /// process that pushed is dead: one that lives may lose records.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Corrupt`] when somebody wrote over the memory; what came before that place has been delivered.
    pub fn salvage(mut self, mut deliver: impl FnMut(u64, NrStatus, &[u8])) -> Result<Salvaged, RuntimeError> {
        let (mut records, foreign) = (0, &mut self.foreign);
        let lost_cells = self.consumer.salvage(|message| {
            records += 1;
            hand_over(message, foreign, &mut deliver);
        })?;
        Ok(Salvaged { records, lost_cells })
    }

    /// How many records were taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// How many of them had a status that is none.
    pub fn foreign_statuses(&self) -> u64 {
        self.foreign
    }
}

fn hand_over(message: Message<'_>, foreign: &mut u64, deliver: &mut impl FnMut(u64, NrStatus, &[u8])) {
    let status = NrStatus::from_raw(message.status).unwrap_or_else(|| {
        *foreign += 1;
        NrStatus::Err
    });
    deliver(message.sid, status, message.bytes);
}

impl SharedProducer {
    /// Maps the ring whose consumer gave out these descriptors.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::NotARing`] when `memory` is not what [`SharedConsumer::memory`] returned, [`RuntimeError::Region`] when it
    /// cannot be mapped.
    pub fn attach(memory: impl AsFd, doorbell: OwnedFd) -> Result<Self, RuntimeError> {
        Ok(Self { producer: Producer::new(Memory::attach(memory)?), doorbell })
    }

    /// Copies one record into the ring. From any thread; never blocks and takes no mutex. The one system call it may make is the
    /// doorbell's write, when the consumer sleeps.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::RingFull`] when there is no room now, [`RuntimeError::TooLong`] when there never will be.
    #[inline]
    pub fn push(&self, sid: u64, status: NrStatus, bytes: &[u8]) -> Result<(), RuntimeError> {
        match self.producer.push(sid, status as u32, bytes) {
            Ok(Published::Quiet) => Ok(()),
            Ok(Published::Awaited) => {
                doorbell::ring(&self.doorbell);
                Ok(())
            }
            Err(NotPushed::Full) => Err(RuntimeError::RingFull),
            Err(NotPushed::TooLong(limit)) => Err(RuntimeError::TooLong { len: bytes.len(), limit }),
        }
    }
}
