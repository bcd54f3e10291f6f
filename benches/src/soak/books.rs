//! The books: what the plugin says it sent, what the host counted, what the callers got; and the equations between them.

use std::{
    ffi::CStr,
    sync::atomic::{AtomicU64, Ordering},
};

use nylon_ring_host::{Metrics, NylonRingHost};

use super::weather::{Leaving, Weather};

/// Where callers tell the plugin how far it may go.
pub(super) const GATES: usize = 128;

/// What the plugin counts; `Books` in `examples/c/soak.c`, where the fields are explained.
#[derive(Debug)]
#[repr(C)]
pub(super) struct PluginBooks {
    pub(super) sent: AtomicU64,
    null_context: AtomicU64,
    foreign: AtomicU64,
    bad_payload: AtomicU64,
    refused: AtomicU64,
    state_errors: AtomicU64,
    state_wrong: AtomicU64,
    surplus: AtomicU64,
    forged: AtomicU64,
    pub(super) open: AtomicU64,
    pub(super) gates: [AtomicU64; GATES],
}

impl PluginBooks {
    /// Those of the plugin that this host has loaded.
    pub(super) fn of(host: &NylonRingHost) -> Option<&'static Self> {
        const ID: &CStr = c"soak.books/1";
        let books = host.plugin_extension(ID)?.cast::<Self>();
        // SAFETY: the plugin is `examples/c/soak.c`, whose `Books` has this layout; they are static, in a library that stays
        // mapped, and both sides touch them by atomic operations alone.
        Some(unsafe { books.as_ref() })
    }
}

/// What a caller counts: how each of its calls ended, and what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// Ended as it should have.
    Finished,
    /// Ended by an overflow.
    Overflowed,
    /// Refused by the plugin.
    Refused,
    /// Given up.
    GivenUp,
    /// Failed because the host was closed.
    Closed,
    /// Not opened: no slot was free.
    Full,
    /// Not opened: the host was shutting down.
    TurnedAway,
    /// Results and frames.
    Taken,
    /// Streams that were taken on, of the calls above.
    Streams,
}

/// How many things callers count.
pub(super) const COUNTS: usize = Count::Streams as usize + 1;

/// What callers counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Callers(pub(super) [u64; COUNTS]);

impl Callers {
    pub(super) fn get(&self, count: Count) -> u64 {
        self.0[count as usize]
    }

    fn sum<const N: usize>(&self, counts: [Count; N]) -> u64 {
        counts.into_iter().map(|count| self.get(count)).sum()
    }

    /// Calls that were opened.
    pub(super) fn opened(&self) -> u64 {
        use Count::{Closed, Finished, GivenUp, Overflowed, Refused};
        self.sum([Finished, Overflowed, Refused, GivenUp, Closed])
    }
}

/// One equation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) what: &'static str,
    pub(super) left: u64,
    pub(super) sign: &'static str,
    pub(super) right: u64,
}

impl Line {
    pub(super) fn holds(&self) -> bool {
        if self.sign == "=" { self.left == self.right } else { self.left <= self.right }
    }
}

/// How many results the host has accounted for.
pub(super) fn accounted(m: &Metrics) -> u64 {
    m.delivered + m.unknown_sid + m.duplicate + m.after_end + m.overflow_dropped
}

/// What is known of a host at rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Balance<'a> {
    pub(super) weather: &'a Weather,
    pub(super) plugin: &'a PluginBooks,
    pub(super) host: Metrics,
    pub(super) callers: Callers,
    /// Results without a host that came before this host was loaded.
    pub(super) null_before: u64,
    /// Whether the host was shut down under load.
    pub(super) closed: bool,
    /// Whether every slot was opened again, which takes along what was stored while its call was being closed.
    pub(super) reopened: bool,
}

impl Balance<'_> {
    /// All equations that apply.
    pub(super) fn lines(&self) -> Vec<Line> {
        let mut lines = self.always();
        lines.extend(self.endings());
        lines.extend(self.losses());
        lines
    }

    fn always(&self) -> Vec<Line> {
        let (m, c) = (&self.host, &self.callers);
        // Ordering: Relaxed; at rest nobody writes.
        let p = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (sent, forged) = (p(&self.plugin.sent), p(&self.plugin.forged));
        let taken = c.sum([Count::Taken, Count::Overflowed]);
        let null_context = m.null_context - self.null_before;
        let mut lines = vec![
            equal("sent = delivered + unknown_sid + duplicate + after_end + overflow_dropped", sent, accounted(m)),
            equal("delivered = taken + overflow errors + abandoned", m.delivered, taken + m.abandoned),
            equal("opened = calls as callers saw them end", m.opened, c.opened()),
            equal("in_flight = 0", m.in_flight, 0),
            equal("refused = refusals of handle", m.refused, p(&self.plugin.refused)),
            equal("refused = refusals that callers saw", m.refused, c.get(Count::Refused)),
            equal("unknown_status = foreign statuses sent and returned", m.unknown_status, p(&self.plugin.foreign)),
            equal("invalid_payload = unreadable payloads sent", m.invalid_payload, p(&self.plugin.bad_payload)),
            equal("null_context = sent without a host", null_context, p(&self.plugin.null_context)),
            equal("state_errors = calls of set_state turned down", m.state_errors, p(&self.plugin.state_errors)),
            equal("values of state that were wrong = 0", p(&self.plugin.state_wrong), 0),
            at_most("forged <= unknown_sid", forged, m.unknown_sid),
            at_most("drained <= sent", m.drained, sent),
        ];
        if self.reopened || self.weather.is_orderly() {
            lines.push(equal("buffered = 0", m.buffered, 0));
        }
        lines
    }

    /// How calls ended that were not finished. A unary call that was given up is `cancelled`, or its result `abandoned`. So is a
    /// stream; but one that was given up after its end had come is neither, and its frames, any number, are abandoned.
    fn endings(&self) -> Vec<Line> {
        let (m, c) = (&self.host, &self.callers);
        let left = c.sum([Count::GivenUp, Count::Refused, Count::Closed]);
        let bounds = [
            at_most("cancelled <= given up + refused + closed", m.cancelled, left),
            at_most("given up + refused + closed <= cancelled + abandoned", left, m.cancelled + m.abandoned),
        ];
        if self.closed {
            return bounds.to_vec();
        }
        match (self.weather.unary_leave, self.weather.streams_leave) {
            // No stream leaves.
            (_, Leaving::Never) => {
                vec![equal("cancelled + abandoned = given up + refused", m.cancelled + m.abandoned, left)]
            }
            // Only streams leave, and before their end.
            (false, Leaving::BeforeTheEnd) => vec![equal("cancelled = given up + refused", m.cancelled, left)],
            (true, Leaving::BeforeTheEnd) | (_, Leaving::AnyTime) => bounds.to_vec(),
        }
    }

    /// What is known of drops where there are few reasons for them.
    fn losses(&self) -> Vec<Line> {
        let (m, c) = (&self.host, &self.callers);
        let mut lines = vec![equal("overflowed = overflow errors", m.overflowed, c.get(Count::Overflowed))];
        if self.weather.is_orderly() {
            lines.push(equal("nobody leaves: abandoned = 0", m.abandoned, 0));
        }
        if !self.weather.is_tight() {
            lines.push(equal("room enough: overflowed + overflow_dropped = 0", m.overflowed + m.overflow_dropped, 0));
        }
        if self.weather.is_orderly() && !self.weather.is_tight() {
            let dropped = m.unknown_sid + m.duplicate + m.after_end;
            let surplus = self.plugin.surplus.load(Ordering::Relaxed);
            lines.push(equal("nobody leaves, room enough: dropped = sent to be dropped", dropped, surplus));
        }
        lines
    }
}

fn equal(what: &'static str, left: u64, right: u64) -> Line {
    Line { what, left, sign: "=", right }
}

fn at_most(what: &'static str, left: u64, right: u64) -> Line {
    Line { what, left, sign: "<=", right }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::soak::weather::WEATHERS;

    fn nothing() -> PluginBooks {
        // SAFETY: all fields are atomic integers, for which all bits 0 is a value.
        unsafe { std::mem::zeroed() }
    }

    fn balance<'a>(plugin: &'a PluginBooks, weather: &'a Weather) -> Balance<'a> {
        Balance {
            weather,
            plugin,
            host: Metrics::default(),
            callers: Callers::default(),
            null_before: 0,
            closed: false,
            reopened: true,
        }
    }

    fn holds(balance: &Balance<'_>) -> bool {
        balance.lines().iter().all(Line::holds)
    }

    /// Each counter by itself, one too high, in the calm: nothing else could make up for it.
    #[test]
    fn one_too_many_of_anything_is_found() {
        let [calm, ..] = &WEATHERS;
        let plugin = nothing();
        assert!(holds(&balance(&plugin, calm)));
        let host: [fn(&mut Metrics) -> &mut u64; 14] = [
            |m| &mut m.opened,
            |m| &mut m.in_flight,
            |m| &mut m.buffered,
            |m| &mut m.delivered,
            |m| &mut m.unknown_sid,
            |m| &mut m.duplicate,
            |m| &mut m.after_end,
            |m| &mut m.overflow_dropped,
            |m| &mut m.overflowed,
            |m| &mut m.abandoned,
            |m| &mut m.cancelled,
            |m| &mut m.refused,
            |m| &mut m.unknown_status,
            |m| &mut m.invalid_payload,
        ];
        for (n, field) in host.iter().enumerate() {
            let mut off = balance(&plugin, calm);
            *field(&mut off.host) += 1;
            assert!(!holds(&off), "counter {n} of the host");
        }
        // Full, TurnedAway and Streams are only shown.
        for n in 0..=Count::Closed as usize {
            let mut off = balance(&plugin, calm);
            off.callers.0[n] += 1;
            assert!(!holds(&off), "count {n} of the callers");
        }
        let mut taken = balance(&plugin, calm);
        taken.callers.0[Count::Taken as usize] += 1;
        assert!(!holds(&taken));
    }

    #[test]
    fn one_too_many_in_the_books_of_the_plugin_is_found() {
        let [calm, ..] = &WEATHERS;
        let fields: [fn(&PluginBooks) -> &AtomicU64; 8] = [
            |p| &p.sent,
            |p| &p.null_context,
            |p| &p.foreign,
            |p| &p.bad_payload,
            |p| &p.refused,
            |p| &p.state_errors,
            |p| &p.state_wrong,
            |p| &p.surplus,
        ];
        for (n, field) in fields.iter().enumerate() {
            let plugin = nothing();
            field(&plugin).fetch_add(1, Ordering::Relaxed);
            assert!(!holds(&balance(&plugin, calm)), "count {n} of the plugin");
        }
    }

    #[test]
    fn a_result_that_went_missing_is_found_in_every_weather() {
        for weather in &WEATHERS {
            let plugin = nothing();
            plugin.sent.fetch_add(1, Ordering::Relaxed);
            assert!(!holds(&balance(&plugin, weather)), "{}", weather.name);
            // It was delivered, and nobody had it.
            let mut lost = balance(&plugin, weather);
            lost.host.delivered += 1;
            assert!(!holds(&lost), "{}", weather.name);
        }
    }

    #[test]
    fn the_layout_is_that_of_the_plugin() {
        assert_eq!((offset_of!(PluginBooks, open), offset_of!(PluginBooks, gates)), (9 * 8, 10 * 8));
    }
}
