//! A unary call as a future.
//!
//! Written out, not an `async fn`: the request stays where it is until it is handed over, and a call that is answered inside
//! `handle` is never stored.

use std::{
    future::Future,
    marker::PhantomData,
    mem::{self, ManuallyDrop},
    pin::Pin,
    task::{Context as TaskContext, Poll, ready},
    time::Instant,
};

use nylon_ring::NrStatus;
use nylon_ring_runtime::{self as ring, Reply};

use crate::{
    admission,
    context::Context,
    deadline::{Bounds, CallOptions, Due, is_past},
    error::NylonRingHostError,
    host::Inner,
    request::{Request, Room},
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

#[repr(u8)] // a tag of its own: `Resolved` is found at once when the call is dropped
enum Stage<'a, R> {
    /// Not polled yet.
    Request(R),
    /// Waits for a place among those in flight.
    Queued(Apart<Box<Queued<'a, R>>>),
    /// The plugin has it, and the request is dropped: `handle` copied what it wants.
    Answer(Apart<Answer>),
    /// There is nothing more to come.
    Resolved,
}

/// What is dropped out of line, so that to drop a call that is resolved is a look at its stage.
struct Apart<T>(ManuallyDrop<T>);

impl<T> Apart<T> {
    #[inline(always)]
    fn new(value: T) -> Self {
        Self(ManuallyDrop::new(value))
    }
}

impl<T> Drop for Apart<T> {
    #[inline(never)]
    fn drop(&mut self) {
        // SAFETY: this is the last use.
        unsafe { ManuallyDrop::drop(&mut self.0) }
    }
}

/// How a call ends whose answer, if any, lies in its place. An error is boxed, so that this goes through a register.
type Outcome = Result<(), Box<NylonRingHostError>>;

/// A call that waits for a place.
struct Queued<'a, R> {
    request: R,
    deadline: Option<Instant>,
    entering: Pin<Box<dyn Future<Output = Result<admission::Place, NylonRingHostError>> + Send + 'a>>,
}

impl<'a, R, P> Call<'a, R, P> {
    #[inline]
    pub(crate) fn new(host: &'a Inner, request: R, options: CallOptions) -> Self {
        Self { host, stage: Stage::Request(request), options, payload: PhantomData }
    }
}

impl<R: Request + Unpin, P: From<Reply>> Future for Call<'_, R, P> {
    type Output = Result<(NrStatus, P), NylonRingHostError>;

    // Always inlined: the answer is written into this frame by whoever gives it, and read here by whoever wants it.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut place = None;
        let outcome = ready!(self.advance(cx, &mut place));
        // Here, where the compiler sees that nothing is left to drop.
        self.stage = Stage::Resolved;
        if let Err(error) = outcome {
            return Poll::Ready(Err(*error));
        }
        match place.take() {
            Some(reply) => Poll::Ready(Ok((reply.status(), reply.into()))),
            None => Poll::Ready(Err(NylonRingHostError::Closed)),
        }
    }
}

impl<R: Request + Unpin, P> Call<'_, R, P> {
    /// Takes the call to its end, with the answer in `place`, or to an error. Then it is to be resolved.
    #[inline(never)]
    fn advance(&mut self, cx: &mut TaskContext<'_>, place: &mut Option<Reply>) -> Poll<Outcome> {
        let host = self.host;
        match &self.stage {
            // The straight way: neither deadline nor limit.
            Stage::Request(request) if host.is_plain & self.options.due.is_none() => {
                let mut room = Room::default();
                let abi = request.abi(&mut room)?;
                let mut call = host.open()?;
                let sid = call.sid();
                let span = CallSpan::open(host.context, sid, request);
                let handled = {
                    let _entered = span.enter();
                    call.inline(place, || host.plugin.handle(sid, abi))
                };
                if let Err(refusal) = handled.accepted() {
                    call.refuse(place);
                    return Poll::Ready(Err(host.refused(refusal)));
                }
                if let Some(outcome) = call.take_delivered(place) {
                    return Poll::Ready(outcome.map_err(|error| NylonRingHostError::waiting(*error)));
                }
                let answer = Answer { context: host.context, call, insurance: None, bounds: None, span };
                self.stage = Stage::Answer(Apart::new(answer));
            }
            Stage::Request(_) | Stage::Queued(_) => {
                if let Some(outcome) = ready!(self.poll_bounded(cx, place)) {
                    return Poll::Ready(outcome);
                }
            }
            _ => {}
        }
        let Stage::Answer(answer) = &mut self.stage else { return Poll::Ready(Ok(())) };
        answer.0.poll(cx, place)
    }

    /// Hands over a call that has a deadline or needs a place, as soon as it has one; says whether its answer has come.
    #[inline(never)]
    fn poll_bounded(&mut self, cx: &mut TaskContext<'_>, place: &mut Option<Reply>) -> Poll<Option<Outcome>> {
        let host = self.host;
        if let Stage::Request(_) = &self.stage {
            let deadline = host.due(self.options).and_then(Due::deadline);
            if is_past(deadline) {
                return Poll::Ready(Some(Err(host.context.timed_out().into())));
            }
            let entered = match &host.admission {
                None => Ok(None),
                Some(admission) => admission.try_enter(),
            };
            let Stage::Request(request) = mem::replace(&mut self.stage, Stage::Resolved) else {
                return Poll::Ready(Some(Err(NylonRingHostError::Closed.into())));
            };
            match (entered, &host.admission) {
                (Err(error), _) => return Poll::Ready(Some(Err(error.into()))),
                (Ok(None), Some(admission)) => {
                    let entering = Box::pin(admission.enter(deadline));
                    self.stage = Stage::Queued(Apart::new(Box::new(Queued { request, deadline, entering })));
                }
                (Ok(entered), _) => return Poll::Ready(self.hand_over(&request, deadline, entered, place)),
            }
        }
        let Stage::Queued(queued) = &mut self.stage else { return Poll::Ready(None) };
        let entered = ready!(queued.0.entering.as_mut().poll(cx));
        let Stage::Queued(queued) = mem::replace(&mut self.stage, Stage::Resolved) else { return Poll::Ready(None) };
        Poll::Ready(match entered {
            Ok(entered) => self.hand_over(&queued.0.request, queued.0.deadline, entered, place),
            Err(NylonRingHostError::Timeout) => Some(Err(host.context.timed_out().into())),
            Err(error) => Some(Err(error.into())),
        })
    }

    fn hand_over(
        &mut self,
        request: &R,
        deadline: Option<Instant>,
        entered: admission::Place,
        place: &mut Option<Reply>,
    ) -> Option<Outcome> {
        let host = self.host;
        let mut room = Room::default();
        let opened = request.abi(&mut room).and_then(|abi| Ok((abi, host.open()?)));
        let (abi, mut call) = match opened {
            Ok(opened) => opened,
            Err(error) => return Some(Err(error)),
        };
        let sid = call.sid();
        if let Some(deadline) = deadline {
            host.context.set_deadline(sid, deadline);
        }
        let span = CallSpan::open(host.context, sid, request);
        let handled = {
            let _entered = span.enter();
            call.inline(place, || host.handle(sid, abi))
        };
        if let Err(refusal) = handled.accepted() {
            call.refuse(place);
            return Some(Err(host.refused(refusal)));
        }
        if let Some(outcome) = call.take_delivered(place) {
            // It may have come too late: `handle` took its time.
            return Some(host.context.in_time(deadline, outcome));
        }
        let bounds = Bounds::new(deadline, entered);
        let answer = Answer { context: host.context, call, insurance: None, bounds, span };
        self.stage = Stage::Answer(Apart::new(answer));
        None
    }
}

/// A pending result whose shard is served wherever this is polled.
#[derive(Debug)]
struct Answer {
    context: &'static Context,
    call: ring::Call<'static>,
    insurance: Option<Insurance>,
    /// Dropped after `call`.
    bounds: Option<Box<Bounds>>,
    span: CallSpan,
}

impl Answer {
    #[inline]
    fn poll(&mut self, cx: &mut TaskContext<'_>, place: &mut Option<Reply>) -> Poll<Outcome> {
        let polled = {
            let _entered = self.span.enter();
            self.call.poll_into(cx, place)
        };
        if let Poll::Ready(outcome) = polled {
            let deadline = self.bounds.as_ref().and_then(|bounds| bounds.deadline);
            return Poll::Ready(self.context.in_time(deadline, outcome));
        }
        if let Some(bounds) = &mut self.bounds
            && bounds.poll(cx)?.is_ready()
        {
            // Dropping this gives the call up.
            return Poll::Ready(Err(self.context.timed_out().into()));
        }
        let seats = &self.context.seats;
        seats.ensure_served(self.context, self.call.shard(), cx.waker(), &mut self.insurance)?;
        Poll::Pending
    }
}

impl Drop for Answer {
    #[inline]
    fn drop(&mut self) {
        if self.call.is_open() {
            self.context.seats.ensure_drained(self.context, self.call.shard());
        }
    }
}
