//! What a host counts.

use crate::context::{Context, NULL_CONTEXT};

/// A snapshot of a host's counters, taken at no cost to calls under way. All of them only grow, but for `in_flight` and
/// `buffered`.
///
/// # The books
///
/// Every result that a plugin sends is counted once: `delivered`, or one of the drops `unknown_sid`, `duplicate`,
/// `after_end` and `overflow_dropped`. It is counted when it is drained, so the sum trails what was sent while results are
/// still in the rings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Calls and streams opened.
    pub opened: u64,
    /// Calls and streams in flight now.
    pub in_flight: u64,
    /// Bytes that wait for their callers now, as far as they are accounted for.
    pub buffered: u64,
    /// Results and frames taken out of rings and overflow queues.
    pub drained: u64,
    /// Results and frames that reached their call.
    pub delivered: u64,
    /// Dropped: the sid named no open call (stale, forged, from another host, or given up).
    pub unknown_sid: u64,
    /// Dropped: a second result for a unary call.
    pub duplicate: u64,
    /// Dropped: a frame after the terminal one.
    pub after_end: u64,
    /// Dropped: past the buffer limit, for a call that had its overflow error already.
    pub overflow_dropped: u64,
    /// Calls and streams that ended in an overflow error.
    pub overflowed: u64,
    /// Delivered, but given up before the caller took it.
    pub abandoned: u64,
    /// Calls and streams given up by their callers, refused ones among them.
    pub cancelled: u64,
    /// Calls and streams that the plugin's `handle` refused.
    pub refused: u64,
    /// Calls and streams whose deadline passed: while they waited for a place, before `handle`, or before their result.
    pub timed_out: u64,
    /// Dropped: results that reached a unary call, but past its deadline. (Those of a call that was given up before are `unknown_sid`.)
    pub late: u64,
    /// Statuses that the ABI does not name, in results (taken as `Err`) and as what `handle` returned.
    pub unknown_status: u64,
    /// Results whose payload could not be read (answered as `Invalid`).
    pub invalid_payload: u64,
    /// Requests of the state extension that were turned down.
    pub state_errors: u64,
    /// Calls of the other extensions that made no sense, or found no room.
    pub extension_errors: u64,
    /// Calls and streams whose `handle` was seen to take longer than its [budget](crate::HostBuilder::watch_calls).
    pub slow_handles: u64,
    /// Results with a null `host_ctx`, in this whole process.
    pub null_context: u64,
    /// Turns that reactors took.
    pub reactor_turns: u64,
    /// Batches drained, by reactors and by callers on their way.
    pub batches: u64,
}

/// All fields in order, for those who pass them on. One that is missing here does not compile.
macro_rules! fields {
    ($($field:ident),* $(,)?) => {
        impl Metrics {
            /// The names of all fields.
            pub(crate) const NAMES: [&str; [$(stringify!($field)),*].len()] = [$(stringify!($field)),*];

            /// Their values, in the same order.
            pub(crate) fn values(&self) -> [u64; Self::NAMES.len()] {
                let Self { $($field),* } = *self;
                [$($field),*]
            }

            /// The reverse.
            pub(crate) fn from_values(values: [u64; Self::NAMES.len()]) -> Self {
                let [$($field),*] = values;
                Self { $($field),* }
            }
        }
    };
}

fields![
    opened,
    in_flight,
    buffered,
    drained,
    delivered,
    unknown_sid,
    duplicate,
    after_end,
    overflow_dropped,
    overflowed,
    abandoned,
    cancelled,
    refused,
    timed_out,
    late,
    unknown_status,
    invalid_payload,
    state_errors,
    extension_errors,
    slow_handles,
    null_context,
    reactor_turns,
    batches,
];

pub(crate) fn snapshot(context: &Context) -> Metrics {
    let ring = context.runtime.metrics();
    Metrics {
        opened: ring.opened,
        in_flight: ring.in_flight,
        buffered: ring.buffered,
        drained: ring.drained,
        delivered: ring.delivered,
        unknown_sid: ring.unknown_sid,
        duplicate: ring.duplicate,
        after_end: ring.after_end,
        overflow_dropped: ring.overflow_dropped,
        overflowed: ring.overflowed,
        abandoned: ring.abandoned,
        cancelled: ring.cancelled,
        refused: context.refused.get(),
        timed_out: context.timed_out.get(),
        late: context.late.get(),
        unknown_status: context.unknown_status.get(),
        invalid_payload: context.invalid_payload.get(),
        state_errors: context.state_errors.get(),
        extension_errors: context.extension_errors.get(),
        slow_handles: context.slow_handles.get(),
        null_context: NULL_CONTEXT.get(),
        reactor_turns: ring.turns,
        batches: ring.batches,
    }
}
