//! How a sid is laid out: `[generation | shard | slot]`, most significant bits first.
//!
//! A sid finds its ring and its slot by shifts, without any lookup. Slot and shard take the bits they need, at least
//! [`STATE_BITS`] together; the generation takes the rest. A slot's state word keeps its generation in the very bits
//! where the sid has it, and uses the bits below for the slot's phase, so one masked comparison tells whether a sid is
//! the one that is open.

/// Low bits of a slot's state word that hold its phase and flags; no generation reaches into them.
pub(crate) const STATE_BITS: u32 = 5;

/// Splits sids into generation, shard and slot, and puts them together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SidLayout {
    slot_bits: u32,
    slot_mask: u64,
    shard_mask: u64,
    generation_mask: u64,
}

impl SidLayout {
    /// A layout with room for `shards` shards of `slots` slots; both at least 1.
    pub(crate) fn new(shards: u64, slots: u64) -> Self {
        let shard_bits = bits_for(shards);
        let slot_bits = bits_for(slots).max(STATE_BITS.saturating_sub(shard_bits));
        Self {
            slot_bits,
            slot_mask: (1 << slot_bits) - 1,
            shard_mask: (1 << shard_bits) - 1,
            generation_mask: u64::MAX << (slot_bits + shard_bits),
        }
    }

    /// The bits of a sid, and of a state word, that hold the generation.
    #[inline]
    pub(crate) fn generation_mask(self) -> u64 {
        self.generation_mask
    }

    /// The difference between one generation and the next; additions wrap.
    #[inline]
    pub(crate) fn generation_step(self) -> u64 {
        self.generation_mask.wrapping_neg()
    }

    /// The bits of the generation that follows a sid's.
    #[inline]
    pub(crate) fn next_generation(self, sid: u64) -> u64 {
        (sid & self.generation_mask).wrapping_add(self.generation_step())
    }

    /// The shard a sid names; it may not exist when the sid is forged.
    #[inline]
    pub(crate) fn shard(self, sid: u64) -> usize {
        ((sid >> self.slot_bits) & self.shard_mask) as usize
    }

    /// The slot a sid names; it may not exist when the sid is forged.
    #[inline]
    pub(crate) fn slot(self, sid: u64) -> usize {
        (sid & self.slot_mask) as usize
    }

    /// The sid of a shard's slot in the generation whose bits are set in `generation`.
    #[inline]
    pub(crate) fn sid(self, generation: u64, shard: usize, slot: usize) -> u64 {
        generation | (shard as u64) << self.slot_bits | slot as u64
    }
}

/// Bits needed to number `n` things from 0.
fn bits_for(n: u64) -> u32 {
    64 - n.saturating_sub(1).leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_leaves_the_rest_to_the_generation() {
        for (shards, slots) in [(1, 1), (1, 2), (2, 16_384), (3, 5), (64, 1 << 20), (256, 1 << 22)] {
            let layout = SidLayout::new(shards, slots);
            assert!(layout.generation_step() <= 1 << 32, "at least 32 bits are left to the generation");
            assert!(layout.generation_step() >= 1 << STATE_BITS);
            let generation = 0x9e37_79b9_7f4a_7c15 & layout.generation_mask();
            let (shard, slot) = (shards as usize - 1, slots as usize - 1);
            let sid = layout.sid(generation, shard, slot);
            assert_eq!(layout.shard(sid), shard);
            assert_eq!(layout.slot(sid), slot);
            assert_eq!(sid & layout.generation_mask(), generation);
        }
    }

    #[test]
    fn every_single_flipped_bit_names_another_sid() {
        let layout = SidLayout::new(2, 3);
        let sid = layout.sid(layout.generation_step() * 7, 1, 2);
        for bit in 0..64 {
            let other = sid ^ (1 << bit);
            let same = layout.shard(other) == 1
                && layout.slot(other) == 2
                && other & layout.generation_mask() == sid & layout.generation_mask();
            assert!(!same, "bit {bit} is ignored");
        }
    }
}
