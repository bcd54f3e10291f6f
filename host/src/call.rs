//! A unary call as a future.
//!
//! Written out, not an `async fn`: the request stays where it is until it is handed over, and a call that is answered inside
//! `handle` is never stored.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context as TaskContext, Poll, ready},
};

use nylon_ring::NrStatus;
use nylon_ring_runtime::{Pending, Reply, RuntimeError};

use crate::{context::Context, error::NylonRingHostError, host::Inner, request::Request, seats::Insurance};

/// A call of the plugin, handed over when it is first polled; resolves to its status and payload, as a `P`.
#[derive(Debug)]
pub(crate) struct Call<'a, R, P> {
    host: &'a Inner,
    stage: Stage<R>,
    payload: PhantomData<fn() -> P>,
}

#[derive(Debug)]
enum Stage<R> {
    /// Not polled yet.
    Request(R),
    /// The plugin has it, and the request is dropped: `handle` copied what it wants.
    Answer(Answer),
    /// Resolved.
    Done,
}

impl<'a, R, P> Call<'a, R, P> {
    #[inline]
    pub(crate) fn new(host: &'a Inner, request: R) -> Self {
        Self { host, stage: Stage::Request(request), payload: PhantomData }
    }
}

impl<R: Request + Unpin, P: From<Reply>> Future for Call<'_, R, P> {
    type Output = Result<(NrStatus, P), NylonRingHostError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let host = this.host;
        if let Stage::Request(request) = &this.stage {
            let mut pending = host.open()?;
            let sid = pending.sid();
            let handled = request.with_abi(|abi| pending.inline(|| host.plugin.handle(sid, abi)));
            this.stage = Stage::Done;
            if let Err(error) = host.accepted(handled) {
                pending.refuse();
                return Poll::Ready(Err(error));
            }
            if let Some(answer) = pending.try_take() {
                return Poll::Ready(finish(answer));
            }
            this.stage = Stage::Answer(Answer { context: host.context, pending, insurance: None });
        }
        let Stage::Answer(answer) = &mut this.stage else { return Poll::Ready(Err(NylonRingHostError::Closed)) };
        let answer = ready!(answer.poll(cx));
        this.stage = Stage::Done;
        Poll::Ready(answer.and_then(|reply| finish(Ok(reply))))
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
}

impl Answer {
    #[inline]
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Reply, NylonRingHostError>> {
        if let Poll::Ready(result) = Pin::new(&mut self.pending).poll(cx) {
            return Poll::Ready(result.map_err(NylonRingHostError::waiting));
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
