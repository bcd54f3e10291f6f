//! The side of a shared ring that pushes; the protocol stands in `shared.rs`.

use crate::{
    ring::Published,
    shared::{
        layout::{AWAITED, FURTHER, SharedCell, Stamps, cells_for, longest, words},
        memory::Memory,
    },
    sync::{AtomicU64, Ordering},
};

/// Pushes records; any number of threads may share it.
#[derive(Debug)]
pub struct Producer {
    memory: Memory,
    stamps: Stamps,
}

/// Why a record was not pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotPushed {
    /// There is no room for it now.
    Full,
    /// There never will be: it has more bytes than this.
    TooLong(usize),
}

impl Producer {
    /// Pushes into `memory`.
    pub fn new(memory: Memory) -> Self {
        let stamps = Stamps::new(memory.cells().len());
        Self { memory, stamps }
    }

    #[inline]
    fn cell(&self, p: u64) -> &SharedCell {
        let cells = self.memory.cells();
        &cells[p as usize & (cells.len() - 1)]
    }

    /// Claims `count` positions in a row, or finds that there is no room.
    #[inline]
    fn claim(&self, count: u64) -> Option<u64> {
        let (tail, head) = (&self.memory.header().tail.0, &self.memory.header().head.0);
        // Ordering: Relaxed; a stale tail only makes the compare-exchange fail.
        let mut p = tail.load(Ordering::Relaxed);
        loop {
            // Ordering: Acquire; pairs with [shared release]: the consumer has read what lay in these cells a lap ago.
            let free = head.load(Ordering::Acquire).wrapping_add(self.memory.cells().len() as u64);
            // `tail` was read before `head`: what is free may lie far ahead of it. A stale one is too small: with it the ring looks
            // emptier than it is, never fuller.
            if (free.wrapping_sub(p.wrapping_add(count)) as i64) < 0 {
                return None;
            }
            // Ordering: Relaxed; a claim passes nothing on, the stamp does. Success proves that `p` was not stale.
            match tail.compare_exchange_weak(p, p.wrapping_add(count), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(p),
                Err(now) => p = now,
            }
        }
    }

    /// Copies a record into the ring. From any thread; never waits.
    pub fn push(&self, sid: u64, status: u32, bytes: &[u8]) -> Result<Published, NotPushed> {
        let (longest, count) = (longest(self.memory.cells().len()), cells_for(bytes.len()));
        if bytes.len() > longest {
            return Err(NotPushed::TooLong(longest));
        }
        let p = self.claim(count).ok_or(NotPushed::Full)?;
        let first = self.cell(p);
        let (head, rest) = bytes.split_at(bytes.len().min(size_of_val(first.first_words())));
        // Ordering: Relaxed, here and in `fill`; the swap below passes it all on.
        first.words[0].store(sid, Ordering::Relaxed);
        first.words[1].store(u64::from(status) << 32 | bytes.len() as u64, Ordering::Relaxed);
        fill(first.first_words(), head);
        let further = rest.chunks(size_of_val(&first.words));
        for (distance, bytes) in (1..).zip(further) {
            // Wrapping: if somebody wrote over `tail`, the consumer will find out; it is no reason to panic here.
            let p = p.wrapping_add(distance);
            let cell = self.cell(p);
            fill(&cell.words, bytes);
            // Ordering: Relaxed; as above. No consumer waits for this cell: it waits for first cells only.
            cell.stamp.store(self.stamps.filled(p) | FURTHER, Ordering::Relaxed);
        }
        // Ordering: Release; [shared publish], pairs with the Acquire in `Consumer::take`.
        let old = first.stamp.swap(self.stamps.filled(p), Ordering::Release);
        Ok(if old & AWAITED == 0 { Published::Quiet } else { Published::Awaited })
    }
}

/// Writes payload into the words of a cell.
#[inline]
fn fill(cell: &[AtomicU64], bytes: &[u8]) {
    for (place, word) in cell.iter().zip(words(bytes)) {
        place.store(word, Ordering::Relaxed);
    }
}
