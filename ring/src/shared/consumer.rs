//! The side of a shared ring that takes, and believes nothing; the protocol stands in `shared.rs`.

use std::mem;

use crate::{
    ring::Armed,
    shared::{
        layout::{AWAITED, FURTHER, SharedCell, Stamps, cells_for, longest, unpack},
        memory::Memory,
    },
    sync::Ordering,
};

/// Takes records; there is one for each ring.
#[derive(Debug)]
pub struct Consumer {
    memory: Memory,
    stamps: Stamps,
    /// The next record's position.
    position: u64,
    /// What was stored to `head` last.
    released: u64,
    /// A copy of the payload that was taken last.
    bytes: Vec<u8>,
    corrupt: Option<Corrupt>,
}

/// What no producer could have left in the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corrupt {
    /// Which word it is.
    pub what: &'static str,
    /// Its value.
    pub found: u64,
    /// Where the consumer was.
    pub position: u64,
}

/// One record, copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Whom it is for, if it is true.
    pub sid: u64,
    /// Any number.
    pub status: u32,
    /// The payload.
    pub bytes: &'a [u8],
}

/// What the consumer finds at a position.
enum Found {
    Record,
    Further,
    Vacant,
}

impl Consumer {
    /// Takes from `memory`, which must be new.
    pub fn new(memory: Memory) -> Self {
        let stamps = Stamps::new(memory.cells().len());
        Self { memory, stamps, position: 0, released: 0, bytes: Vec::new(), corrupt: None }
    }

    #[inline]
    fn cell(&self, p: u64) -> &SharedCell {
        let cells = self.memory.cells();
        &cells[p as usize & (cells.len() - 1)]
    }

    fn capacity(&self) -> u64 {
        self.memory.cells().len() as u64
    }

    /// Declares the ring dead.
    #[cold]
    fn die<T>(&mut self, what: &'static str, found: u64) -> Result<T, Corrupt> {
        let corrupt = Corrupt { what, found, position: self.position };
        self.corrupt = Some(corrupt);
        Err(corrupt)
    }

    /// What a stamp says about the cell at the consumer's position.
    #[inline]
    fn judge(&mut self, stamp: u64) -> Result<Found, Corrupt> {
        let (filled, vacant) = (self.stamps.filled(self.position), self.stamps.vacant(self.position));
        match stamp {
            _ if stamp == filled => Ok(Found::Record),
            _ if stamp & !AWAITED & !FURTHER == vacant => Ok(Found::Vacant),
            _ if stamp == filled | FURTHER => Ok(Found::Further),
            _ => self.die("a stamp", stamp),
        }
    }

    /// Takes the next record, if it is published.
    #[inline]
    pub fn take(&mut self) -> Result<Option<Message<'_>>, Corrupt> {
        match self.look()? {
            Found::Record => self.copy_out().map(Some),
            Found::Vacant => Ok(None),
            // The record before this position would have ended behind it.
            Found::Further => self.die("a stray stamp", self.stamps.filled(self.position) | FURTHER),
        }
    }

    #[inline]
    fn look(&mut self) -> Result<Found, Corrupt> {
        if let Some(corrupt) = self.corrupt {
            return Err(corrupt);
        }
        // Ordering: Acquire; pairs with [shared publish]: all cells of the record are visible.
        let stamp = self.cell(self.position).stamp.load(Ordering::Acquire);
        self.judge(stamp)
    }

    /// Copies the record at the consumer's position, and goes on behind it.
    #[inline]
    fn copy_out(&mut self) -> Result<Message<'_>, Corrupt> {
        let mut bytes = mem::take(&mut self.bytes);
        match self.copy_to(&mut bytes) {
            Ok((sid, status, behind)) => {
                (self.bytes, self.position) = (bytes, behind);
                Ok(Message { sid, status, bytes: &self.bytes })
            }
            Err((what, found)) => self.die(what, found),
        }
    }

    /// Copies the payload of the record at the consumer's position; returns its sid, its status, and the position behind it; or
    /// which word is impossible, and its value.
    #[inline]
    fn copy_to(&self, bytes: &mut Vec<u8>) -> Result<(u64, u32, u64), (&'static str, u64)> {
        // Ordering: Relaxed, for every word but the stamp of the first cell, which was acquired. Each is loaded once.
        let first = self.cell(self.position);
        let sid = first.words[0].load(Ordering::Relaxed);
        let about = first.words[1].load(Ordering::Relaxed);
        let (status, len) = ((about >> 32) as u32, about as u32 as usize);
        if len > longest(self.memory.cells().len()) {
            return Err(("a length", len as u64));
        }
        bytes.clear();
        for word in first.first_words() {
            unpack(bytes, len, word.load(Ordering::Relaxed));
        }
        let behind = self.position + cells_for(len);
        for p in self.position + 1..behind {
            let cell = self.cell(p);
            let stamp = cell.stamp.load(Ordering::Relaxed);
            if stamp != self.stamps.filled(p) | FURTHER {
                return Err(("the stamp of a further cell", stamp));
            }
            for word in &cell.words {
                unpack(bytes, len, word.load(Ordering::Relaxed));
            }
        }
        Ok((sid, status, behind))
    }

    /// Frees the cells of every record that was taken, once a batch.
    pub fn release(&mut self) -> Result<(), Corrupt> {
        let header = self.memory.header();
        // Ordering: Relaxed; nobody else writes it, or the ring is corrupt.
        let head = header.head.0.load(Ordering::Relaxed);
        if head != self.released {
            return self.die("a head", head);
        }
        // Ordering: Relaxed; coherence: the claims of the records that were taken happened before.
        let tail = header.tail.0.load(Ordering::Relaxed);
        if tail.wrapping_sub(self.position) > self.capacity() {
            return self.die("a tail", tail);
        }
        // Ordering: Release; [shared release], pairs with the Acquire in `Producer::claim`: the words were read.
        header.head.0.store(self.position, Ordering::Release);
        self.released = self.position;
        Ok(())
    }

    /// Marks the next cell, so that its publisher rings; or finds it published.
    pub fn arm(&mut self) -> Result<Armed, Corrupt> {
        // Ordering: Relaxed; the exchange counts.
        let stamp = self.cell(self.position).stamp.load(Ordering::Relaxed);
        if !matches!(self.judge(stamp)?, Found::Vacant) {
            return Ok(Armed::Ready);
        }
        let awaited = stamp | AWAITED;
        // Ordering: Relaxed; as in `Ring::arm`: `take` acquires, and judges what is there now.
        match self.cell(self.position).stamp.compare_exchange(stamp, awaited, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Ok(Armed::Asleep),
            Err(_) => Ok(Armed::Ready),
        }
    }

    /// Takes every record that is published, whatever lies between, and returns how many positions were passed over before the
    /// last of them. Only when nobody pushes any more; the ring is of no use afterwards.
    pub fn salvage(&mut self, mut deliver: impl FnMut(Message<'_>)) -> Result<u64, Corrupt> {
        let (end, mut passed, mut lost) = (self.position.wrapping_add(self.capacity()), 0, 0);
        while self.position < end {
            if let Found::Record = self.look()? {
                deliver(self.copy_out()?);
                lost = passed;
            } else {
                self.position += 1;
                passed += 1;
            }
        }
        Ok(lost)
    }
}
