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
use nylon_ring_runtime::{Reply, Waiting};

use crate::{
    admission::Place,
    context::Context,
    deadline::{Bounds, CallOptions, Due, is_past},
    error::NylonRingHostError,
    host::Inner,
    request::Request,
    seats::Insurance,
    trace::CallSpan,
};

/// A call of the plugin, handed over when it is first polled; resolves to its status and payload, as a `P`.
pub(crate) struct Call<'a, R, P> {
    host: &'a Inner,
    stage: Stage<'a, R>,
    options: CallOptions,
    payload: PhantomData<fn() -> P>,
}

#[repr(u8)] // a tag of its own: `Answered` is found at once when the call is dropped
enum Stage<'a, R> {
    /// Not polled yet.
    Request(R),
    /// Waits for a place among those in flight.
    Queued(Box<Queued<'a, R>>),
    /// The plugin has it, and the request is dropped: `handle` copied what it wants.
    Answer(Answer),
    /// The answer, until it is taken.
    Answered(Option<Reply>),
}

impl<R> Stage<'_, R> {
    const RESOLVED: Self = Self::Answered(None);
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

    // Small, so that it is inlined: what `advance` finds stays in the stage, and is read there by whoever wants it.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        if let Err(error) = ready!(self.advance(cx)) {
            return Poll::Ready(Err(*error));
        }
        let Stage::Answered(answer) = &mut self.stage else { return Poll::Ready(Err(NylonRingHostError::Closed)) };
        match Reply::take(answer) {
            Some(reply) => Poll::Ready(Ok((reply.status(), reply.into()))),
            None => Poll::Ready(Err(NylonRingHostError::Closed)),
        }
    }
}

impl<R: Request + Unpin, P> Call<'_, R, P> {
    /// Takes the call to `Answered`, or to an error. That is boxed, so that what this returns goes through a register.
    #[inline(never)]
    fn advance(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Box<NylonRingHostError>>> {
        let host = self.host;
        match &self.stage {
            // The straight way: neither deadline nor limit.
            Stage::Request(request) if self.options.due.is_none() && host.is_unbounded() => {
                let mut pending = host.open().map_err(Box::new)?;
                let sid = pending.sid();
                let span = CallSpan::open(host.context, sid, request);
                let handled = {
                    let _entered = span.enter();
                    request.with_abi(|abi| pending.inline(|| host.plugin.handle(sid, abi)))
                };
                if let Err(error) = host.accepted(handled) {
                    self.stage = Stage::RESOLVED;
                    pending.refuse();
                    return Poll::Ready(Err(Box::new(error)));
                }
                match pending.take_or_wait() {
                    Ok(answer) => return Poll::Ready(self.answered(answer.map_err(NylonRingHostError::waiting))),
                    Err(pending) => {
                        let answer = Answer { context: host.context, pending, insurance: None, bounds: None, span };
                        self.stage = Stage::Answer(answer);
                    }
                }
            }
            Stage::Request(_) | Stage::Queued(_) => {
                if let Some(answer) = ready!(self.poll_bounded(cx)) {
                    return Poll::Ready(self.answered(answer));
                }
            }
            _ => {}
        }
        let Stage::Answer(answer) = &mut self.stage else { return Poll::Ready(Ok(())) };
        let answer = ready!(answer.poll(cx));
        Poll::Ready(self.answered(answer))
    }

    /// Keeps an answer until it is taken.
    #[inline(always)]
    fn answered(&mut self, answer: Result<Reply, NylonRingHostError>) -> Result<(), Box<NylonRingHostError>> {
        let (reply, outcome) = match answer {
            Ok(reply) => (Some(reply), Ok(())),
            Err(error) => (None, Err(Box::new(error))),
        };
        self.stage = Stage::Answered(reply);
        outcome
    }

    /// Hands over a call that has a deadline or needs a place, as soon as it has one; returns its answer, if it has come.
    #[inline(never)]
    fn poll_bounded(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Reply, NylonRingHostError>>> {
        let host = self.host;
        if let Stage::Request(_) = &self.stage {
            let deadline = host.due(self.options).and_then(Due::deadline);
            if is_past(deadline) {
                self.stage = Stage::RESOLVED;
                return Poll::Ready(Some(Err(host.context.timed_out())));
            }
            let place = match &host.admission {
                None => Ok(None),
                Some(admission) => admission.try_enter(),
            };
            let Stage::Request(request) = mem::replace(&mut self.stage, Stage::RESOLVED) else {
                return Poll::Ready(Some(Err(NylonRingHostError::Closed)));
            };
            match (place, &host.admission) {
                (Err(error), _) => return Poll::Ready(Some(Err(error))),
                (Ok(None), Some(admission)) => {
                    let entering = Box::pin(admission.enter(deadline));
                    self.stage = Stage::Queued(Box::new(Queued { request, deadline, entering }));
                }
                (Ok(place), _) => return Poll::Ready(self.hand_over(&request, deadline, place)),
            }
        }
        let Stage::Queued(queued) = &mut self.stage else { return Poll::Ready(None) };
        let place = ready!(queued.entering.as_mut().poll(cx));
        let Stage::Queued(queued) = mem::replace(&mut self.stage, Stage::RESOLVED) else { return Poll::Ready(None) };
        Poll::Ready(match place {
            Ok(place) => self.hand_over(&queued.request, queued.deadline, place),
            Err(NylonRingHostError::Timeout) => Some(Err(host.context.timed_out())),
            Err(error) => Some(Err(error)),
        })
    }

    fn hand_over(
        &mut self,
        request: &R,
        deadline: Option<Instant>,
        place: Place,
    ) -> Option<Result<Reply, NylonRingHostError>> {
        let host = self.host;
        let mut pending = match host.open() {
            Ok(pending) => pending,
            Err(error) => return Some(Err(error)),
        };
        let sid = pending.sid();
        if let Some(deadline) = deadline {
            host.context.set_deadline(sid, deadline);
        }
        let span = CallSpan::open(host.context, sid, request);
        let handled = {
            let _entered = span.enter();
            request.with_abi(|abi| pending.inline(|| host.handle(sid, abi)))
        };
        if let Err(error) = host.accepted(handled) {
            pending.refuse();
            return Some(Err(error));
        }
        match pending.take_or_wait() {
            // It may have come too late: `handle` took its time.
            Ok(answer) => Some(host.context.in_time(deadline, answer)),
            Err(pending) => {
                let bounds = Bounds::new(deadline, place);
                self.stage = Stage::Answer(Answer { context: host.context, pending, insurance: None, bounds, span });
                None
            }
        }
    }
}

/// A pending result whose shard is served wherever this is polled.
#[derive(Debug)]
struct Answer {
    context: &'static Context,
    pending: Waiting<'static>,
    insurance: Option<Insurance>,
    /// Dropped after `pending`.
    bounds: Option<Box<Bounds>>,
    span: CallSpan,
}

impl Answer {
    #[inline]
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Reply, NylonRingHostError>> {
        let polled = {
            let _entered = self.span.enter();
            Pin::new(&mut self.pending).poll(cx)
        };
        if let Poll::Ready(result) = polled {
            let deadline = self.bounds.as_ref().and_then(|bounds| bounds.deadline);
            return Poll::Ready(self.context.in_time(deadline, result));
        }
        if let Some(bounds) = &mut self.bounds
            && bounds.poll(cx)?.is_ready()
        {
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
