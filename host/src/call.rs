//! Waiting for the result of a unary call.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use nylon_ring_runtime::{Pending, Reply};

use crate::{context::Context, error::NylonRingHostError, seats::Insurance};

/// A pending result whose shard is served wherever this is polled.
#[derive(Debug)]
pub(crate) struct Answer {
    context: &'static Context,
    pending: Pending<'static>,
    insurance: Option<Insurance>,
}

impl Answer {
    #[inline]
    pub(crate) fn new(context: &'static Context, pending: Pending<'static>) -> Self {
        Self { context, pending, insurance: None }
    }
}

impl Future for Answer {
    type Output = Result<Reply, NylonRingHostError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(result) = Pin::new(&mut this.pending).poll(cx) {
            return Poll::Ready(result.map_err(NylonRingHostError::waiting));
        }
        this.context.seats.ensure_served(this.context, this.pending.shard(), cx.waker(), &mut this.insurance)?;
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
