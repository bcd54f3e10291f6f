//! The words in the shared memory; `shared.rs` says what they mean.

use crate::sync::AtomicU64;

/// The first word of the memory, so that no other file is taken for a ring. Its last byte is the version of the layout.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"nylring\x01");

/// Set in a vacant stamp by a consumer that sleeps until the cell is published.
pub(crate) const AWAITED: u64 = 1;
/// Set in the stamp of every cell of a record but its first.
pub(crate) const FURTHER: u64 = 2;

/// Words of payload in the first cell of a record, and in every further one.
const FIRST_WORDS: usize = 5;
const FURTHER_WORDS: usize = 7;
/// The bytes of a word.
const WORD: usize = 8;

/// A word on cache lines of its own.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Line<T>(pub(crate) T);

/// What lies before the cells.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Header {
    /// Written by the creator before anyone else has the memory; a producer reads it once.
    pub(crate) geometry: Line<Geometry>,
    /// The next position to claim. Written by producers; the consumer only looks whether it is plausible.
    pub(crate) tail: Line<AtomicU64>,
    /// Positions before it are free again. Written by the consumer, who keeps its own copy.
    pub(crate) head: Line<AtomicU64>,
}

/// What the memory is.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Geometry {
    pub(crate) magic: AtomicU64,
    pub(crate) cells: AtomicU64,
}

/// One cell.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct SharedCell {
    pub(crate) stamp: AtomicU64,
    pub(crate) words: [AtomicU64; 1 + 1 + FIRST_WORDS],
}

#[cfg(not(nylon_loom))]
const _: () = assert!(size_of::<SharedCell>() == 64 && size_of::<Header>() == 384);

impl Header {
    /// Before anything was pushed.
    #[cfg(any(nylon_loom, miri))]
    pub(crate) fn new(cells: usize) -> Self {
        let geometry = Geometry { magic: AtomicU64::new(MAGIC), cells: AtomicU64::new(cells as u64) };
        Self { geometry: Line(geometry), tail: Line(AtomicU64::new(0)), head: Line(AtomicU64::new(0)) }
    }
}

impl SharedCell {
    /// Before the first lap.
    #[cfg(any(nylon_loom, miri))]
    pub(crate) fn new() -> Self {
        Self { stamp: AtomicU64::new(0), words: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// The words for payload of a record's first cell, behind sid, length and status.
    #[inline]
    pub(crate) fn first_words(&self) -> &[AtomicU64] {
        &self.words[2..]
    }
}

/// The stamps of a ring of `1 << bits` cells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamps {
    bits: u32,
}

impl Stamps {
    /// `cells` must be a power of two.
    pub(crate) fn new(cells: usize) -> Self {
        Self { bits: cells.trailing_zeros() }
    }

    /// The stamp of the first cell of a published record.
    #[inline]
    pub(crate) fn filled(self, p: u64) -> u64 {
        ((p >> self.bits) + 1) << 2
    }

    /// The stamp that position `p` has before it is filled, but for the flags.
    #[inline]
    pub(crate) fn vacant(self, p: u64) -> u64 {
        (p >> self.bits) << 2
    }
}

/// How many cells a record of `len` bytes takes.
#[inline]
pub(crate) fn cells_for(len: usize) -> u64 {
    1 + len.saturating_sub(FIRST_WORDS * WORD).div_ceil(FURTHER_WORDS * WORD) as u64
}

/// The most bytes that a record may have in a ring of so many cells.
pub(crate) fn longest(cells: usize) -> usize {
    (FIRST_WORDS + (cells - 1) * FURTHER_WORDS) * WORD
}

/// The words of payload; the last one is filled up with zeros.
#[inline]
pub(crate) fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.chunks(WORD).map(|chunk| {
        let mut word = [0; WORD];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    })
}

/// Adds the bytes of one word, as far as the payload of `len` bytes goes.
#[inline]
pub(crate) fn unpack(bytes: &mut Vec<u8>, len: usize, word: u64) {
    let rest = len.saturating_sub(bytes.len()).min(WORD);
    bytes.extend_from_slice(&word.to_le_bytes()[..rest]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_takes_as_many_cells_as_its_bytes_need() {
        let cells = [0, 1, 40, 41, 96, 97, 152, 153].map(cells_for);
        assert_eq!(cells, [1, 1, 1, 2, 2, 3, 3, 4]);
        for cells in [1, 2, 64, 1 << 24] {
            assert_eq!(cells_for(longest(cells)), cells as u64);
            assert_eq!(cells_for(longest(cells) + 1), cells as u64 + 1);
        }
    }

    #[test]
    fn words_round_trip() {
        for len in 0..30 {
            let payload: Vec<u8> = (1..=len).collect();
            let mut bytes = Vec::new();
            words(&payload).for_each(|word| unpack(&mut bytes, len.into(), word));
            assert_eq!(bytes, payload);
        }
    }

    #[test]
    fn memory_that_is_all_zero_is_an_empty_ring() {
        let stamps = Stamps::new(4);
        assert_eq!([0, 3].map(|p| stamps.vacant(p)), [0, 0]);
        assert_eq!([4, 7].map(|p| stamps.vacant(p)), [0, 3].map(|p| stamps.filled(p)));
    }
}
