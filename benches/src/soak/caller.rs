//! One caller: makes call after call, looks at what comes of each, and counts.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Instant,
};

use fastrand::Rng;
use futures::stream::{FuturesUnordered, StreamExt};
use nylon_ring_host::{HighLevelRequest, NrStatus, NylonRingHostError, RequestView, StreamReceiver};

use super::{
    books::{COUNTS, Callers, Count},
    house::House,
    order::{Order, Payload, Reading},
    weather::{Batch, Manner, Wait},
};

/// Where a caller counts, and says what it is about. Written by the caller, read by whoever watches.
#[derive(Debug)]
pub(super) struct Desk {
    /// Also that of its gate in the plugin.
    pub(super) number: usize,
    counts: [AtomicU64; COUNTS],
    /// The last id and the last ticket that were given out.
    serial: AtomicU64,
    ticket: AtomicU64,
    /// What is under way since when, and how many calls it is.
    pub(super) doing: Mutex<Option<Doing>>,
}

/// What a caller is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Doing {
    pub(super) since: Instant,
    #[expect(dead_code, reason = "printed when it does not come to an end")]
    pub(super) first: (Order, Manner),
    #[expect(dead_code, reason = "as above")]
    pub(super) calls: usize,
}

impl Desk {
    pub(super) fn new(number: usize) -> Self {
        Self {
            number,
            counts: [const { AtomicU64::new(0) }; COUNTS],
            serial: AtomicU64::new(0),
            ticket: AtomicU64::new(0),
            doing: Mutex::new(None),
        }
    }

    // Ordering: all counters Relaxed; the sums are used when the callers have been joined.
    fn count(&self, count: Count) {
        self.counts[count as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Adds what was counted here.
    pub(super) fn add_to(&self, sum: &mut Callers) {
        for (sum, count) in sum.0.iter_mut().zip(&self.counts) {
            *sum += count.load(Ordering::Relaxed);
        }
    }

    /// The last ticket that was given out.
    pub(super) fn ticket(&self) -> u64 {
        self.ticket.load(Ordering::Relaxed)
    }

    pub(super) fn next_ticket(&self) -> u64 {
        self.ticket.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// An id that no other order of this process has.
    pub(super) fn next_id(&self, house: &House) -> u64 {
        (house.number << 52) | ((self.number as u64) << 40) | self.serial.fetch_add(1, Ordering::Relaxed)
    }

    fn set_doing(&self, doing: Option<Doing>) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = doing;
    }

    /// Says that nobody sits here: a caller whose runtime was dropped could not.
    pub(super) fn leave(&self) {
        self.set_doing(None);
    }

    /// Ends a unary call whose result has come.
    pub(super) fn finish(&self, begun: Begun<'_>) {
        self.count(Count::Taken);
        begun.ends(Count::Finished);
    }

    /// Begins a call: it is given up, unless its end is told.
    pub(super) fn begin(&self) -> Begun<'_> {
        Begun { desk: self, end: Count::GivenUp }
    }
}

/// A call under way. Dropping it counts how it ended.
#[derive(Debug)]
#[must_use]
pub(super) struct Begun<'a> {
    desk: &'a Desk,
    end: Count,
}

impl Begun<'_> {
    pub(super) fn ends(mut self, end: Count) {
        self.end = end;
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.desk.count(self.end);
    }
}

/// Makes calls until the round is over.
pub(super) async fn run(house: &House, desk: &Desk, seed: u64, timers: bool) {
    let mut rng = Rng::with_seed(seed);
    while house.goes_on() {
        let mut batch = house.weather.batch(&mut rng, timers, house.is_closing());
        let ticket = desk.next_ticket();
        for (order, _) in &mut batch {
            (order.id, order.gate) = (desk.next_id(house), desk.number as u32);
            order.ticket *= ticket;
        }
        if let Some(&first) = batch.first() {
            desk.set_doing(Some(Doing { since: Instant::now(), first, calls: batch.len() }));
        }
        if let Err(text) = together(house, desk, ticket, batch).await {
            house.fail(text);
        }
    }
    desk.leave();
}

/// Makes the calls of a batch. Their gate opens when all are under way, or when all have ended.
async fn together(house: &House, desk: &Desk, ticket: u64, batch: Batch) -> Result<(), String> {
    let mut is_open = batch.iter().any(|(_, manner)| manner.gate_last);
    let calls = async {
        if let [(order, manner)] = batch[..] {
            return perform(house, desk, order, manner).await;
        }
        let calls = batch.into_iter().map(|(order, manner)| perform(house, desk, order, manner));
        let mut calls: FuturesUnordered<_> = calls.collect();
        while let Some(ended) = calls.next().await {
            ended?;
        }
        Ok(())
    };
    let mut calls = pin!(calls);
    let ended = poll_fn(|cx| {
        let ended = calls.as_mut().poll(cx);
        if ended.is_pending() && !is_open {
            is_open = true;
            house.open_gate(desk, ticket);
        }
        ended
    });
    let ended = ended.await;
    house.open_gate(desk, ticket);
    ended
}

/// Makes one call. What should not have come is an error.
async fn perform(house: &House, desk: &Desk, order: Order, manner: Manner) -> Result<(), String> {
    let ended =
        if order.stream { stream(house, desk, &order, manner).await } else { unary(house, desk, &order, manner).await };
    ended.map_err(|text| format!("{text}; {order:?}, {manner:?}"))
}

async fn unary(house: &House, desk: &Desk, order: &Order, manner: Manner) -> Result<(), String> {
    let body = order.bytes();
    let begun = desk.begin();
    let answer = async {
        if manner.owned {
            let (status, bytes) = house.host.call(owned(&body)).await?;
            Ok(order.check_last(status, &bytes))
        } else {
            let (status, bytes) = house.host.call_view(view(&body)).await?;
            Ok(order.check_last(status, &bytes))
        }
    };
    match patiently(manner.wait, answer).await {
        None => Ok(()),
        Some(Ok(checked)) => {
            desk.finish(begun);
            checked
        }
        Some(Err(error)) => {
            let end = judge(house, order, &error)?;
            begun.ends(end);
            make_room(end).await;
            Ok(())
        }
    }
}

async fn stream(house: &House, desk: &Desk, order: &Order, manner: Manner) -> Result<(), String> {
    let body = order.bytes();
    let begun = desk.begin();
    let opened = if manner.owned {
        house.host.call_stream(owned(&body)).await
    } else {
        house.host.call_stream_view(view(&body)).await
    };
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(error) => {
            let end = judge(house, order, &error)?;
            begun.ends(end);
            make_room(end).await;
            return Ok(());
        }
    };
    desk.count(Count::Streams);
    for _ in 0..manner.dawdle {
        give_way().await;
    }
    let mut reading = Reading::new(order);
    loop {
        if reading.frames == manner.frames {
            return Ok(());
        }
        let next =
            patiently(manner.wait, async { if manner.owned { stream.next().await } else { stream.recv().await } });
        let Some(next) = next.await else { return Ok(()) };
        let frame = next.ok_or("the stream ended without its last frame")?;
        if let Some(error) = stream.error() {
            let end = judge(house, order, error)?;
            nothing_follows(&mut stream, frame.status).await?;
            begun.ends(end);
            return Ok(());
        }
        desk.count(Count::Taken);
        if reading.check(frame.status, &frame.data)? {
            nothing_follows(&mut stream, frame.status).await?;
            begun.ends(Count::Finished);
            return Ok(());
        }
    }
}

/// After the last frame of a stream, which this is the status of.
async fn nothing_follows(stream: &mut StreamReceiver, last: NrStatus) -> Result<(), String> {
    if last == NrStatus::Ok {
        return Err("the last frame is Ok".to_owned());
    }
    match stream.recv().await {
        None => Ok(()),
        Some(frame) => Err(format!("{frame:?} follows the last frame")),
    }
}

/// How a call ended that met this error; an error if it should not have.
fn judge(house: &House, order: &Order, error: &NylonRingHostError) -> Result<Count, String> {
    let refusal = (order.verdict != 0).then(|| Order::named(order.verdict));
    match error {
        NylonRingHostError::Refused { status } if refusal == Some(*status) => Ok(Count::Refused),
        NylonRingHostError::Overflow { .. } if house.weather.is_tight() || order.payload == Payload::PastLimit => {
            Ok(Count::Overflowed)
        }
        NylonRingHostError::TooManyInFlight { .. } if house.weather.is_crowded() => Ok(Count::Full),
        NylonRingHostError::ShuttingDown if house.is_closing() => {
            house.send_home();
            Ok(Count::TurnedAway)
        }
        NylonRingHostError::Closed if house.is_closing() => Ok(Count::Closed),
        unexpected => Err(unexpected.to_string()),
    }
}

/// Who finds no slot lets those go on that have one.
async fn make_room(end: Count) {
    if end == Count::Full {
        give_way().await;
    }
}

/// Waits as a manner has it; `None` when it was given up.
async fn patiently<T>(wait: Wait, future: impl Future<Output = T>) -> Option<T> {
    let mut left = match wait {
        Wait::ToTheEnd => return Some(future.await),
        Wait::For(time) => return tokio::time::timeout(time, future).await.ok(),
        Wait::Polls(polls) => polls,
    };
    let mut future = pin!(future);
    let polled = poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    });
    polled.await
}

/// Lets others have their turn, under any executor.
async fn give_way() {
    let mut gave_way = false;
    poll_fn(|cx| {
        if gave_way {
            return Poll::Ready(());
        }
        gave_way = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub(super) fn view(body: &[u8]) -> RequestView<'_> {
    RequestView { method: "SOAK", path: "/", query: "", headers: &[], body }
}

fn owned(body: &[u8]) -> HighLevelRequest {
    HighLevelRequest { method: "SOAK".into(), path: "/".into(), body: body.into(), ..Default::default() }
}
