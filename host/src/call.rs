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
    deadline::{CallOptions, Due, Timer, is_past},
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

#[repr(u8)] // a tag of its own: `Done` is found at once when the call is dropped
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
        let host = this.host;
        match &this.stage {
            // The straight way: neither deadline nor limit.
            Stage::Request(request) if this.options.due.is_none() && host.is_unbounded() => {
                let mut pending = host.open()?;
                let sid = pending.sid();
                let span = CallSpan::open(host.context, sid, request);
                let handled = {
                    let _entered = span.enter();
                    request.with_abi(|abi| pending.inline(|| host.plugin.handle(sid, abi)))
                };
                this.stage = Stage::Done;
                if let Err(error) = host.accepted(handled) {
                    pending.refuse();
                    return Poll::Ready(Err(error));
                }
                if let Some(answer) = pending.try_take() {
                    return Poll::Ready(finish(answer));
                }
                this.stage =
                    Stage::Answer(Answer { context: host.context, pending, insurance: None, bounds: None, span });
            }
            Stage::Request(_) | Stage::Queued(_) => {
                if let Some(answered) = ready!(this.poll_bounded(cx)) {
                    return Poll::Ready(answered.and_then(|reply| finish(Ok(reply))));
                }
            }
            _ => {}
        }
        let Stage::Answer(answer) = &mut this.stage else { return Poll::Ready(Err(NylonRingHostError::Closed)) };
        let answer = ready!(answer.poll(cx));
        this.stage = Stage::Done;
        Poll::Ready(answer.and_then(|reply| finish(Ok(reply))))
    }
}

impl<R: Request + Unpin, P> Call<'_, R, P> {
    /// Hands over a call that has a deadline or needs a place, as soon as it has one; returns its answer, if it has come.
    #[inline(never)]
    fn poll_bounded(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Reply, NylonRingHostError>>> {
        let host = self.host;
        if let Stage::Request(_) = &self.stage {
            let deadline = host.due(self.options).and_then(Due::deadline);
            if is_past(deadline) {
                self.stage = Stage::Done;
                return Poll::Ready(Some(Err(host.context.timed_out())));
            }
            let place = match &host.admission {
                None => Ok(None),
                Some(admission) => admission.try_enter(),
            };
            let Stage::Request(request) = mem::replace(&mut self.stage, Stage::Done) else {
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
        let Stage::Queued(queued) = mem::replace(&mut self.stage, Stage::Done) else { return Poll::Ready(None) };
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
        if let Some(answer) = pending.try_take() {
            // It may have come too late: `handle` took its time.
            return Some(host.context.in_time(deadline, answer));
        }
        let bounds = Some(Box::new(Bounds { deadline, timer: Timer::default(), _place: place }));
        self.stage = Stage::Answer(Answer { context: host.context, pending, insurance: None, bounds, span });
        None
    }
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
    /// Dropped after `pending`.
    bounds: Option<Box<Bounds>>,
    span: CallSpan,
}

/// What bounds a call in flight.
#[derive(Debug)]
struct Bounds {
    deadline: Option<Instant>,
    timer: Timer,
    _place: Place,
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
            && bounds.timer.poll(bounds.deadline, cx)?.is_ready()
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
