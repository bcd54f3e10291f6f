//! What can be seen of a runtime from outside. Reads what others write, and stops nobody.

use super::Runtime;
use crate::{
    metrics::{InFlight, Metrics},
    shard::{Shard, first_generation},
    slot::Stage,
};

impl Runtime {
    /// A snapshot of all counters; the cost is a look at every slot.
    pub fn metrics(&self) -> Metrics {
        let mut sum = Metrics { unknown_sid: self.nowhere.get(), buffered: self.ledger.used(), ..Metrics::default() };
        self.used_shards().for_each(|(index, shard)| self.add_metrics(index, shard, &mut sum));
        sum
    }

    /// The same of each shard that is in use, with its number; what is counted for the runtime as a whole is 0 there.
    pub fn shard_metrics(&self) -> impl Iterator<Item = (usize, Metrics)> + '_ {
        self.used_shards().map(|(index, shard)| {
            let mut metrics = Metrics::default();
            self.add_metrics(index, shard, &mut metrics);
            (index, metrics)
        })
    }

    fn used_shards(&self) -> impl Iterator<Item = (usize, &Shard)> {
        self.shards.iter().enumerate().filter_map(|(index, shard)| Some((index, shard.get()?)))
    }

    fn add_metrics(&self, index: usize, shard: &Shard, sum: &mut Metrics) {
        let config = self.shard_config(index);
        for (number, slot) in shard.slab.slots().iter().enumerate() {
            let (generation, used) = slot.census(self.layout.generation_mask());
            let reuses = generation.wrapping_sub(first_generation(&config, number)) / self.layout.generation_step();
            sum.opened += reuses + u64::from(used);
            sum.in_flight += u64::from(used);
            sum.delivered += slot.answered_inline.get();
        }
        let counters = &shard.counters;
        sum.drained += counters.drained.get();
        sum.delivered += counters.delivered.get();
        sum.unknown_sid += counters.unknown.get() + counters.unknown_at_door.get();
        sum.duplicate += counters.duplicate.get() + counters.duplicate_inline.get();
        sum.after_end += counters.after_end.get();
        sum.overflow_dropped += counters.overflowed_at_door.get();
        sum.overflowed += counters.overflowed.get();
        sum.abandoned += counters.abandoned.get();
        sum.cancelled += counters.cancelled.get();
        sum.turns += counters.turns.get();
        sum.batches += counters.batches.get();
    }

    /// Looks at every call in flight, those among them that were answered or given up and still have their slot. Stops nobody; the
    /// cost is a look at every slot. What comes or goes meanwhile is seen or not.
    pub fn in_flight(&self) -> impl Iterator<Item = InFlight> + '_ {
        let mask = self.layout.generation_mask();
        self.used_shards().flat_map(move |(shard, slab)| {
            slab.slab.slots().iter().enumerate().filter_map(move |(number, slot)| {
                // The stage first: who frees a slot changes its word before its stage.
                let handing_over = slot.is_at(Stage::HandingOver);
                let (generation, used) = slot.census(mask);
                used.then(|| InFlight { sid: self.layout.sid(generation, shard, number), handing_over })
            })
        })
    }
}
