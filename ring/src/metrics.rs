//! What a runtime counts. Nothing on the hot path is shared to count it: the consumer's counters have one writer, the
//! number of calls follows from the slots' generations, and only what goes wrong costs a shared addition.

use crate::sync::Tally;

/// The counters of one shard.
#[derive(Debug)]
pub(crate) struct Counters {
    // Written by the consumer.
    pub(crate) drained: Tally,
    pub(crate) delivered: Tally,
    pub(crate) unknown: Tally,
    pub(crate) duplicate: Tally,
    pub(crate) after_end: Tally,
    pub(crate) batches: Tally,
    // Written by anyone, when something goes wrong.
    pub(crate) unknown_at_door: Tally,
    pub(crate) overflowed_at_door: Tally,
    pub(crate) overflowed: Tally,
    pub(crate) abandoned: Tally,
    pub(crate) duplicate_inline: Tally,
    pub(crate) cancelled: Tally,
    pub(crate) turns: Tally,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            drained: Tally::new(),
            delivered: Tally::new(),
            unknown: Tally::new(),
            duplicate: Tally::new(),
            after_end: Tally::new(),
            overflowed: Tally::new(),
            batches: Tally::new(),
            unknown_at_door: Tally::new(),
            overflowed_at_door: Tally::new(),
            abandoned: Tally::new(),
            duplicate_inline: Tally::new(),
            cancelled: Tally::new(),
            turns: Tally::new(),
        }
    }
}

/// A counter of things that go wrong, for code around a runtime: shared by any number of threads, ordered with nothing.
#[derive(Debug)]
pub struct Counter(Tally);

impl Counter {
    /// A counter at 0.
    pub const fn new() -> Self {
        Self(Tally::new())
    }

    /// Adds one.
    pub fn count(&self) {
        self.0.add_shared(1);
    }

    /// The number of things counted.
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self::new()
    }
}

/// A snapshot of a runtime's counters, summed over its shards. Counters only grow, but for `in_flight` and `buffered`.
///
/// Every record that was sent is, once its shard has been drained, exactly one of: `delivered`, `unknown_sid`,
/// `duplicate`, `after_end`, or `overflow_dropped`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Calls and streams opened.
    pub opened: u64,
    /// Calls and streams open, or answered and not taken yet.
    pub in_flight: u64,
    /// Bytes of results that wait for their callers, as far as they are accounted for.
    pub buffered: u64,
    /// Records taken out of rings and overflow queues. Results that a caller's own thread sent may not come that way.
    pub drained: u64,
    /// Results and frames that reached their call.
    pub delivered: u64,
    /// Dropped: the sid named no open call (stale, forged, foreign, or given up).
    pub unknown_sid: u64,
    /// Dropped: the call had its one result already.
    pub duplicate: u64,
    /// Dropped: the stream had ended already.
    pub after_end: u64,
    /// Dropped: past the buffer limit, for a call that had its overflow mark already.
    pub overflow_dropped: u64,
    /// Taken as an overflow error, in place of bytes that did not fit the buffer limit.
    pub overflowed: u64,
    /// Delivered, but given up before it was taken.
    pub abandoned: u64,
    /// Calls given up before their terminal result.
    pub cancelled: u64,
    /// Turns of reactors: each is a wake-up, or a continuation of one that ran out of budget.
    pub turns: u64,
    /// Batches drained, by reactors and by callers that helped.
    pub batches: u64,
}

/// One call in flight, at the moment when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct InFlight {
    /// The call's sid.
    pub sid: u64,
    /// It has not been handed over yet: [`Pending::inline`](crate::Pending::inline) or its like has not returned.
    pub handing_over: bool,
}
