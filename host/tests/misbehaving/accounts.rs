//! Bookkeeping: every result that the plugin sent is in exactly one of the host's counters.

use nylon_ring_host::Metrics;

/// How many results are accounted for: each was delivered to its call, or dropped for one reason.
pub fn accounted(m: &Metrics) -> u64 {
    m.delivered + m.unknown_sid + m.duplicate + m.after_end + m.overflow_dropped
}

/// Results that nobody had: dropped, or delivered to a call whose caller was gone before it took them.
pub fn dropped(m: &Metrics) -> u64 {
    accounted(m) - m.delivered + m.abandoned
}

/// What happened between two readings; `in_flight` and `buffered` are those of the later one.
pub fn between(before: &Metrics, after: &Metrics) -> Metrics {
    let mut m = *after;
    for (now, then) in [
        (&mut m.opened, before.opened),
        (&mut m.drained, before.drained),
        (&mut m.delivered, before.delivered),
        (&mut m.unknown_sid, before.unknown_sid),
        (&mut m.duplicate, before.duplicate),
        (&mut m.after_end, before.after_end),
        (&mut m.overflow_dropped, before.overflow_dropped),
        (&mut m.overflowed, before.overflowed),
        (&mut m.abandoned, before.abandoned),
        (&mut m.cancelled, before.cancelled),
        (&mut m.refused, before.refused),
        (&mut m.unknown_status, before.unknown_status),
        (&mut m.invalid_payload, before.invalid_payload),
        (&mut m.state_errors, before.state_errors),
        (&mut m.null_context, before.null_context),
    ] {
        *now -= then;
    }
    m
}
