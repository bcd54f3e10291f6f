//! The opening of a stream as a future.
//!
//! Written out, as a unary `Call` is: on a host with nothing to wait for, the request stays where it is until it is handed over, and the
//! receiver is written where the caller wants it.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
    time::Instant,
};

use crate::{
    admission,
    deadline::{Bounds, CallOptions, Due, is_past},
    error::NylonRingHostError,
    host::Inner,
    request::{Request, Room},
    stream::StreamReceiver,
    trace::CallSpan,
};

type Opened = Result<StreamReceiver, NylonRingHostError>;

/// A streaming call of the plugin, handed over when it is first polled; resolves to the receiver of its frames.
pub(crate) struct Opening<'a, R> {
    host: &'a Arc<Inner>,
    stage: Stage<'a, R>,
    options: CallOptions,
}

enum Stage<'a, R> {
    /// Not polled yet.
    Request(R),
    /// Of a host that has more to look at than its plugin, or with a deadline of its own.
    Bounded(Pin<Box<dyn Future<Output = Opened> + Send + 'a>>),
    /// There is nothing more to come.
    Resolved,
}

impl<'a, R> Opening<'a, R> {
    #[inline]
    pub(crate) fn new(host: &'a Arc<Inner>, request: R, options: CallOptions) -> Self {
        Self { host, stage: Stage::Request(request), options }
    }
}

impl<'a, R: Request + 'a> Future for Opening<'a, R> {
    type Output = Opened;

    // Always inlined: the receiver is written where the caller wants it.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Opened> {
        match &self.stage {
            // The straight way: nothing to wait for.
            Stage::Request(request) if self.host.is_plain & self.options.due.is_none() => {
                let opened = open(self.host, request, None, None);
                self.stage = Stage::Resolved;
                Poll::Ready(opened)
            }
            _ => self.poll_bounded(cx),
        }
    }
}

impl<'a, R: Request + 'a> Opening<'a, R> {
    #[inline(never)]
    fn poll_bounded(&mut self, cx: &mut TaskContext<'_>) -> Poll<Opened> {
        self.stage = match mem::replace(&mut self.stage, Stage::Resolved) {
            Stage::Request(request) => Stage::Bounded(Box::pin(open_bounded(self.host, request, self.options))),
            stage => stage,
        };
        let Stage::Bounded(opening) = &mut self.stage else { return Poll::Ready(Err(NylonRingHostError::Closed)) };
        let opened = ready!(opening.as_mut().poll(cx));
        self.stage = Stage::Resolved;
        Poll::Ready(opened)
    }
}

/// Opens a stream that may have a deadline or need a place, as soon as it has one.
async fn open_bounded(host: &Arc<Inner>, request: impl Request, options: CallOptions) -> Opened {
    let deadline = host.due(options).and_then(Due::deadline);
    if is_past(deadline) {
        return Err(host.context.timed_out());
    }
    let place = match &host.admission {
        None => None,
        Some(admission) => match admission.try_enter()? {
            None => match admission.enter(deadline).await {
                Err(NylonRingHostError::Timeout) => return Err(host.context.timed_out()),
                entered => entered?,
            },
            place => place,
        },
    };
    open(host, &request, deadline, place)
}

/// Hands a stream to the plugin.
#[inline(never)]
fn open(host: &Arc<Inner>, request: &impl Request, deadline: Option<Instant>, place: admission::Place) -> Opened {
    let context = host.context;
    let mut room = Room::default();
    let abi = request.abi(&mut room).map_err(|error| *error)?;
    let shard = context.seats.shard(&context.runtime);
    let opened = shard.and_then(|shard| shard.open_stream().map_err(NylonRingHostError::opening));
    let mut frames = opened.map_err(|error| *error)?;
    let sid = frames.sid();
    if let Some(deadline) = deadline {
        context.set_deadline(sid, deadline);
    }
    let span = CallSpan::open(context, sid, request);
    let handled = {
        let _entered = span.enter();
        frames.inline(|| host.handle(sid, abi))
    };
    if let Err(refusal) = handled.accepted() {
        frames.refuse();
        return Err(*host.refused(refusal));
    }
    Ok(StreamReceiver::new(host.clone(), frames, Bounds::new(deadline, place), span))
}
