//! A unary call as a future.
//!
//! Written out, not an `async fn`: the request stays where it is until it is handed over, and a call that is answered inside
//! `handle` is never stored.

use std::{
    future::Future,
    marker::PhantomData,
    mem,
    pin::Pin,
    task::{Context as TaskContext, Poll, ready},
    time::Instant,
};

use nylon_ring::NrStatus;
use nylon_ring_runtime::{Pending, Reply, RuntimeError};

use crate::{
    admission::Place,
    context::Context,
    deadline::{CallOptions, Timer, is_past},
    error::NylonRingHostError,
    host::Inner,
    request::Request,
    seats::Insurance,
};

/// A call of the plugin, handed over when it is first polled; resolves to its status and payload, as a `P`.
pub(crate) struct Call<'a, R, P> {
    host: &'a Inner,
    stage: Stage<'a, R>,
    options: CallOptions,
    payload: PhantomData<fn() -> P>,
}

enum Stage<'a, R> {
    /// Not polled yet.
    Request(R),
    /// Waits for a place among those in flight.
    Queued(Box<Queued<'a, R>>),
    /// The plugin has it, and the request is dropped: `handle` copied what it wants.
    Answer(Answer),
    /// Resolved.
    Done,
}

/// A call that waits for a place.
struct Queued<'a, R> {
    request: R,
    deadline: Option<Instant>,
    entering: Pin<Box<dyn Future<Output = Result<Place, NylonRingHostError>> + Send + 'a>>,
}

impl<'a, R, P> Call<'a, R, P> {
    #[inline]
    pub(crate) fn new(host: &'a Inner, request: R, options: CallOptions) -> Self {
        Self { host, stage: Stage::Request(request), options, payload: PhantomData }
    }
}

impl<R: Request + Unpin, P: From<Reply>> Future for Call<'_, R, P> {
    type Output = Result<(NrStatus, P), NylonRingHostError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Stage::Request(request) = &this.stage {
            let host = this.host;
            if host.is_plain(this.options) {
                // The straight way: nothing but the call itself.
                let handed = hand_over(host, request, None, None);
                this.stage = Stage::Done;
                match handed {
                    Ok(Handed::Answered(answer)) => return Poll::Ready(finish(answer)),
                    Ok(Handed::Over(answer)) => this.stage = Stage::Answer(answer),
                    Err(error) => return Poll::Ready(Err(error)),
                }
            } else if let Some(answered) = this.begin() {
                return Poll::Ready(answered.and_then(finish));
            }
        }
        if let Stage::Queued(_) = &this.stage
            && let Some(answered) = ready!(this.poll_queued(cx))
        {
            return Poll::Ready(answered.and_then(finish));
        }
        let Stage::Answer(answer) = &mut this.stage else { return Poll::Ready(Err(NylonRingHostError::Closed)) };
        let answer = ready!(answer.poll(cx));
        this.stage = Stage::Done;
        Poll::Ready(answer.and_then(|reply| finish(Ok(reply))))
    }
}

/// What a call that began has come to: `None` if it waits.
type Begun = Option<Result<Result<Reply, RuntimeError>, NylonRingHostError>>;

impl<'a, R: Request + Unpin, P> Call<'a, R, P> {
    /// Begins a call that has a deadline, or needs a place.
    #[cold]
    fn begin(&mut self) -> Begun {
        let Stage::Request(request) = mem::replace(&mut self.stage, Stage::Done) else { return None };
        let deadline = self.host.due(self.options).and_then(|due| due.deadline());
        if is_past(deadline) {
            return Some(Err(self.host.context.timed_out()));
        }
        let place = match self.host.admission.as_ref().map(|admission| (admission, admission.try_enter())) {
            None => None,
            Some((_, Err(error))) => return Some(Err(error)),
            Some((_, Ok(Some(place)))) => Some(place),
            Some((admission, Ok(None))) => {
                let entering = Box::pin(admission.enter(deadline));
                self.stage = Stage::Queued(Box::new(Queued { request, deadline, entering }));
                return None;
            }
        };
        self.hand_over(&request, deadline, place)
    }

    #[cold]
    fn poll_queued(&mut self, cx: &mut TaskContext<'_>) -> Poll<Begun> {
        let Stage::Queued(queued) = &mut self.stage else { return Poll::Ready(None) };
        let place = ready!(queued.entering.as_mut().poll(cx));
        let Stage::Queued(queued) = mem::replace(&mut self.stage, Stage::Done) else { return Poll::Ready(None) };
        Poll::Ready(match place {
            Ok(place) => self.hand_over(&queued.request, queued.deadline, place),
            Err(NylonRingHostError::Timeout) => Some(Err(self.host.context.timed_out())),
            Err(error) => Some(Err(error)),
        })
    }

    fn hand_over(&mut self, request: &R, deadline: Option<Instant>, place: Place) -> Begun {
        match hand_over(self.host, request, deadline, place) {
            // It came too late: `handle` took its time.
            Ok(Handed::Answered(_)) if is_past(deadline) => {
                self.host.context.late.count();
                Some(Err(self.host.context.timed_out()))
            }
            Ok(Handed::Answered(answer)) => Some(Ok(answer)),
            Ok(Handed::Over(answer)) => {
                self.stage = Stage::Answer(answer);
                None
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// What has become of a call when `handle` has returned.
enum Handed {
    Answered(Result<Reply, RuntimeError>),
    Over(Answer),
}

/// Hands a request to the plugin.
#[inline(always)]
fn hand_over<R: Request>(
    host: &Inner,
    request: &R,
    deadline: Option<Instant>,
    place: Place,
) -> Result<Handed, NylonRingHostError> {
    let mut pending = host.open()?;
    let sid = pending.sid();
    if let Some(deadline) = deadline {
        host.context.set_deadline(sid, deadline);
    }
    let handled = request.with_abi(|abi| pending.inline(|| host.plugin.handle(sid, abi)));
    if let Err(error) = host.accepted(handled) {
        pending.refuse();
        return Err(error);
    }
    Ok(match pending.try_take() {
        Some(answer) => Handed::Answered(answer),
        None => {
            let context = host.context;
            Handed::Over(Answer { context, pending, insurance: None, deadline, timer: Timer::default(), _place: place })
        }
    })
}

#[inline(always)]
fn finish<P: From<Reply>>(answer: Result<Reply, RuntimeError>) -> Result<(NrStatus, P), NylonRingHostError> {
    match answer {
        Ok(reply) => Ok((reply.status(), reply.into())),
        Err(error) => Err(NylonRingHostError::waiting(error)),
    }
}

/// A pending result whose shard is served wherever this is polled.
#[derive(Debug)]
struct Answer {
    context: &'static Context,
    pending: Pending<'static>,
    insurance: Option<Insurance>,
    deadline: Option<Instant>,
    timer: Timer,
    /// Given back after `pending`.
    _place: Place,
}

impl Answer {
    #[inline]
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Reply, NylonRingHostError>> {
        if let Poll::Ready(result) = Pin::new(&mut self.pending).poll(cx) {
            if is_past(self.deadline) {
                self.context.late.count();
                return Poll::Ready(Err(self.context.timed_out()));
            }
            return Poll::Ready(result.map_err(NylonRingHostError::waiting));
        }
        if self.deadline.is_some() && self.timer.poll(self.deadline, cx)?.is_ready() {
            // Dropping this gives the call up.
            return Poll::Ready(Err(self.context.timed_out()));
        }
        let seats = &self.context.seats;
        seats.ensure_served(self.context, self.pending.shard(), cx.waker(), &mut self.insurance)?;
        Poll::Pending
    }
}

impl Drop for Answer {
    #[inline]
    fn drop(&mut self) {
        if self.pending.is_open() {
            self.context.seats.ensure_drained(self.context, self.pending.shard());
        }
    }
}
