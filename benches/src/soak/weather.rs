//! Kinds of hosts, and what their callers do: the settings, and the dice that make the orders.

use std::time::Duration;

use fastrand::Rng;
use nylon_ring_host::{HostBuilder, Idle, NylonRingHost};

use super::order::{ANSWERS_REFUSED, FIRST_ENDS, LARGEST, MOST_THREADS, NEVER_ENDS, Order, Payload, WITH_STATE};

/// Which streams are given up before their end was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    /// None.
    Never,
    /// Those whose end waits until then.
    BeforeTheEnd,
    /// Any, at any time: the end may have come.
    AnyTime,
}

/// One kind of host.
#[derive(Debug)]
pub(super) struct Weather {
    pub(super) name: &'static str,
    pub(super) shards: usize,
    pub(super) slots: usize,
    cells: usize,
    limit: u64,
    /// Whether reactors look for more before they sleep.
    polls: bool,
    /// Whether there are many streams, most of them sent by several threads.
    crews: bool,
    /// Whether unary calls are given up.
    pub(super) unary_leave: bool,
    pub(super) streams_leave: Leaving,
    /// Whether runtimes are dropped with calls in flight.
    pub(super) abrupt: bool,
    /// Whether the last round is one of shutting down under load.
    pub(super) closes: bool,
}

const PLENTY: u64 = 256 << 20;

const CALM: Weather = Weather {
    name: "calm",
    shards: 8,
    slots: 1500,
    cells: 4096,
    limit: PLENTY,
    polls: true,
    crews: false,
    unary_leave: false,
    streams_leave: Leaving::Never,
    abrupt: false,
    closes: false,
};

/// All of them. The first three are without any loss: their books are the strictest.
pub(super) static WEATHERS: [Weather; 9] = [
    CALM,
    Weather { name: "flood", shards: 3, slots: 2000, cells: 16, ..CALM },
    Weather { name: "one shard", shards: 1, slots: 2000, cells: 64, ..CALM },
    Weather { name: "tight", shards: 5, slots: 700, cells: 16, limit: 96 << 10, ..CALM },
    Weather { name: "many hands", shards: 5, slots: 700, cells: 16, limit: 96 << 10, crews: true, ..CALM },
    Weather {
        name: "impatient",
        shards: 6,
        slots: 700,
        cells: 256,
        polls: false,
        unary_leave: true,
        closes: true,
        ..CALM
    },
    Weather { name: "cut short", shards: 6, slots: 700, cells: 32, streams_leave: Leaving::BeforeTheEnd, ..CALM },
    Weather {
        name: "crowded",
        shards: 2,
        slots: 40,
        cells: 64,
        unary_leave: true,
        streams_leave: Leaving::AnyTime,
        closes: true,
        ..CALM
    },
    Weather {
        name: "storm",
        shards: 6,
        slots: 700,
        cells: 32,
        limit: 512 << 10,
        polls: true,
        crews: false,
        unary_leave: true,
        streams_leave: Leaving::AnyTime,
        abrupt: true,
        closes: true,
    },
];

/// How a caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Until the end.
    ToTheEnd,
    /// For so many polls, one after the other.
    Polls(u32),
    /// For so long.
    For(Duration),
}

/// What a caller does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// For a unary call, its result; for a stream, each of its frames.
    pub(super) wait: Wait,
    /// After how many frames a stream is dropped.
    pub(super) frames: u64,
    /// How often others get their turn before a stream is read.
    pub(super) dawdle: u32,
    /// Whether the request is owned, and the stream read through the trait.
    pub(super) owned: bool,
    /// Whether the plugin may send the last result only when the caller is through.
    pub(super) gate_last: bool,
}

/// Calls made together. Where a ticket is 1, the caller puts its own.
pub(super) type Batch = Vec<(Order, Manner)>;

/// The most of them.
const MOST_AT_ONCE: usize = 24;

/// Whether something happens that does one time in `n`.
fn once_in(rng: &mut Rng, n: u32) -> bool {
    rng.u32(0..n) == 0
}

impl Weather {
    /// Whether results may be lost to the buffer limit.
    pub(super) fn is_tight(&self) -> bool {
        self.limit < PLENTY
    }

    /// Whether calls may find no slot.
    pub(super) fn is_crowded(&self) -> bool {
        self.slots < 100
    }

    /// Whether nobody gives anything up, and all that is refused stays without a result.
    pub(super) fn is_orderly(&self) -> bool {
        !self.unary_leave && self.streams_leave == Leaving::Never
    }

    pub(super) fn builder(&self) -> HostBuilder {
        let builder = NylonRingHost::builder()
            .shards(self.shards)
            .slots_per_shard(self.slots)
            .cells_per_shard(self.cells)
            .buffer_limit(self.limit);
        if self.polls { builder } else { builder.idle(Idle::Park) }
    }

    /// The next thing for a caller to do. `timers` says whether it may sleep, `closing` whether the host will be shut down.
    pub(super) fn batch(&self, rng: &mut Rng, timers: bool, closing: bool) -> Batch {
        if once_in(rng, 128) {
            return (0..rng.usize(2..=MOST_AT_ONCE)).map(|_| self.gated(self.any(rng, timers, closing))).collect();
        }
        vec![self.any(rng, timers, closing)]
    }

    /// The last result waits until all of the batch are under way.
    fn gated(&self, (order, manner): (Order, Manner)) -> (Order, Manner) {
        let ticket = u64::from(order.threads > 0);
        let frames = if self.streams_leave == Leaving::BeforeTheEnd { u64::MAX } else { manner.frames };
        (Order { ticket, ..order }, Manner { gate_last: false, frames, ..manner })
    }

    fn any(&self, rng: &mut Rng, timers: bool, closing: bool) -> (Order, Manner) {
        let mut order = self.order(rng);
        let mut manner =
            Manner { wait: Wait::ToTheEnd, frames: u64::MAX, dawdle: 0, owned: rng.bool(), gate_last: false };
        if order.stream {
            self.stream(rng, &mut order, &mut manner);
        } else {
            self.unary(rng, timers, &mut order, &mut manner);
        }
        if closing && once_in(rng, 64) {
            order.flags = NEVER_ENDS;
        }
        if order.verdict != 0 {
            order.flags &= !(WITH_STATE | NEVER_ENDS);
        }
        (order, manner)
    }

    /// What is the same for both kinds.
    fn order(&self, rng: &mut Rng) -> Order {
        let few = |rng: &mut Rng, n| if once_in(rng, n) { rng.u8(1..4) } else { 0 };
        let foreign = |rng: &mut Rng| if rng.bool() { rng.u32(5..9) } else { rng.u32(5..) };
        let mut order = Order {
            seed: rng.u64(..),
            stream: once_in(rng, if self.crews { 2 } else { 8 }),
            threads: if rng.bool() { 0 } else { 1 },
            extras: few(rng, 16),
            stale: few(rng, 32),
            forged: few(rng, 32),
            null_context: few(rng, 256),
            len: [0, 40, 40, 40, 40, 41, 41, 16][rng.usize(0..8)],
            status: if once_in(rng, 16) { rng.u32(0..5) } else { 0 },
            ..Order::default()
        };
        match rng.u32(0..256) {
            0 => order.len = LARGEST as u32,
            1..8 => order.len = 4097,
            8 => order.status = foreign(rng),
            9 => order.verdict = foreign(rng),
            10 | 11 => order.verdict = rng.u32(1..5),
            12 => order.payload = Payload::NullWithLength,
            13 => order.payload = Payload::TooLong,
            14 if self.is_tight() => order.payload = Payload::PastLimit,
            15..48 => order.flags |= WITH_STATE,
            48..56 => order.threads = rng.u8(2..=MOST_THREADS),
            56..60 => (order.threads, order.delay_us) = (1, rng.u32(10..2000)),
            _ => {}
        }
        order
    }

    fn unary(&self, rng: &mut Rng, timers: bool, order: &mut Order, manner: &mut Manner) {
        if !self.unary_leave {
            return;
        }
        if order.verdict != 0 && rng.bool() {
            order.flags |= ANSWERS_REFUSED;
        }
        match rng.u32(0..64) {
            0..8 => manner.wait = Wait::Polls(rng.u32(1..6)),
            8 if timers => {
                manner.wait = Wait::For(Duration::from_millis(1));
                (order.threads, order.delay_us) = (1, rng.u32(500..2500));
            }
            9 => {
                (order.threads, order.ticket) = (1, 1);
                (manner.wait, manner.gate_last) = (Wait::Polls(rng.u32(1..4)), true);
            }
            10 => {
                order.flags = NEVER_ENDS;
                manner.wait = Wait::Polls(rng.u32(1..4));
            }
            _ => {}
        }
    }

    fn stream(&self, rng: &mut Rng, order: &mut Order, manner: &mut Manner) {
        order.frames = match rng.u32(0..16) {
            0 => rng.u32(0..=200),
            1..8 => rng.u32(0..24),
            _ => rng.u32(0..4),
        };
        if order.status == 0 {
            order.status = 4;
        }
        if self.crews && !once_in(rng, 4) {
            // One ends it, while others send and lose frames to the limit.
            (order.flags, order.threads, order.frames) = (FIRST_ENDS, rng.u8(2..=MOST_THREADS), rng.u32(8..64));
        }
        if order.frames > 4 {
            order.len = order.len.min(4097);
        }
        if order.frames > 24 && !once_in(rng, 32) {
            order.len = order.len.min(41);
        }
        if once_in(rng, 16) {
            manner.dawdle = rng.u32(1..20);
        }
        let any_of = |rng: &mut Rng, order: &Order| rng.u64(0..=order.all_frames());
        match self.streams_leave {
            Leaving::BeforeTheEnd if once_in(rng, 6) => {
                // What is sent inside `handle` cannot wait.
                (order.threads, order.ticket) = (order.threads.max(1), 1);
                (manner.frames, manner.gate_last) = (any_of(rng, order), true);
            }
            Leaving::AnyTime if order.verdict != 0 => order.flags |= ANSWERS_REFUSED,
            Leaving::AnyTime => match rng.u32(0..24) {
                0 | 1 => manner.frames = any_of(rng, order),
                2 => manner.frames = 0,
                3 | 4 => manner.wait = Wait::Polls(rng.u32(1..6)),
                5 => (order.flags, manner.frames) = (NEVER_ENDS, any_of(rng, order)),
                _ => {}
            },
            _ => {}
        }
    }
}
