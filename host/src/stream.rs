//! Receiving the frames of a streaming call.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use futures_core::Stream;
use nylon_ring::NrStatus;
use nylon_ring_runtime::{Receiver, Reply};

use crate::{
    deadline::Bounds, error::NylonRingHostError, host::Inner, payload::Payload, seats::Insurance, trace::CallSpan,
};

/// One frame of a stream.
#[derive(Debug)]
pub struct StreamFrame {
    /// `Ok` for a frame with more to come, anything else for the last one.
    pub status: NrStatus,
    /// The frame's bytes.
    pub data: Payload,
}

/// The frames of one stream, in the order sent; the terminal frame is the last one. Also a [`futures_core::Stream`].
///
/// A stream that the host had to end (its frames passed the buffer limit, or the host was shut down) yields a terminal frame
/// of status `Err` with a text, and [`error`](Self::error) says why. Dropping the receiver gives the stream up.
pub struct StreamReceiver {
    // Declared before `host`: the receiver must be gone when the host goes.
    frames: Receiver<'static>,
    host: Arc<Inner>,
    /// Boxed, as is the next: streams that need neither are moved more cheaply.
    error: Option<Box<NylonRingHostError>>,
    /// Gone with the last frame.
    bounds: Option<Box<Bounds>>,
    insurance: Option<Insurance>,
    span: CallSpan,
}

impl StreamReceiver {
    pub(crate) fn new(
        host: Arc<Inner>,
        frames: Receiver<'static>,
        bounds: Option<Box<Bounds>>,
        span: CallSpan,
    ) -> Self {
        host.context.seats.ensure_drained(host.context, frames.shard());
        Self { frames, host, error: None, bounds, insurance: None, span }
    }

    /// The next frame, or `None` after the terminal one. Dropping the future loses nothing.
    #[inline]
    pub fn recv(&mut self) -> impl Future<Output = Option<StreamFrame>> + Send + Unpin + '_ {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// Polls for the next frame.
    #[inline(never)]
    pub fn poll_recv(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<StreamFrame>> {
        let at_hand = {
            let _entered = self.span.enter();
            self.frames.next_at_hand()
        };
        match at_hand {
            Some(reply) => Poll::Ready(Some(StreamFrame { status: NrStatus::Ok, data: reply.into() })),
            None => self.poll_further(cx),
        }
    }

    /// The same, when there is more to it than to take a frame.
    #[inline(never)]
    fn poll_further(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<StreamFrame>> {
        let mut place = None;
        let polled = {
            let _entered = self.span.enter();
            self.frames.poll_into(cx, &mut place)
        };
        let error = match polled {
            Poll::Ready(Some(Ok(()))) => return Poll::Ready(self.frame(&mut place)),
            Poll::Ready(Some(Err(error))) => *NylonRingHostError::waiting(error),
            Poll::Ready(None) => return Poll::Ready(None),
            // The last look into the ring.
            Poll::Pending if self.is_due(cx) => match self.frames.try_next() {
                Some(Ok(reply)) => return Poll::Ready(self.frame(&mut Some(reply))),
                Some(Err(error)) => *NylonRingHostError::waiting(error),
                None => {
                    self.frames.cancel();
                    self.host.context.timed_out()
                }
            },
            Poll::Pending => {
                let (context, shard) = (self.host.context, self.frames.shard());
                match context.seats.ensure_served(context, shard, cx.waker(), &mut self.insurance) {
                    Ok(()) => return Poll::Pending,
                    Err(error) => {
                        self.frames.cancel();
                        error
                    }
                }
            }
        };
        Poll::Ready(self.fail(error))
    }

    /// The frame in `place`, or that of an error where it stands for others.
    #[inline]
    fn frame(&mut self, place: &mut Option<Reply>) -> Option<StreamFrame> {
        match Reply::take(place) {
            Some(reply) if !reply.is_overflow() => {
                if !self.frames.is_open() {
                    self.bounds = None;
                }
                Some(StreamFrame { status: reply.status(), data: reply.into() })
            }
            _ => self.fail(NylonRingHostError::Overflow { limit: self.host.context.runtime.buffer_limit() }),
        }
    }

    /// Whether the deadline has passed, or there is nothing that would tell.
    #[inline]
    fn is_due(&mut self, cx: &mut TaskContext<'_>) -> bool {
        self.bounds.as_mut().is_some_and(|bounds| bounds.poll(cx).is_ready())
    }

    /// Why the host ended the stream, if it did.
    pub fn error(&self) -> Option<&NylonRingHostError> {
        self.error.as_deref()
    }

    /// The terminal frame of a stream that the host ended.
    #[cold]
    fn fail(&mut self, error: NylonRingHostError) -> Option<StreamFrame> {
        let reply = Reply::copy(NrStatus::Err, error.to_string().as_bytes());
        self.error = Some(Box::new(error));
        self.bounds = None;
        reply.map(|reply| StreamFrame { status: reply.status(), data: reply.into() })
    }
}

impl Stream for StreamReceiver {
    type Item = StreamFrame;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<StreamFrame>> {
        self.get_mut().poll_recv(cx)
    }
}

impl fmt::Debug for StreamReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReceiver")
            .field("frames", &self.frames)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
