//! A plugin's stream as the body of a response: each frame is sent when it comes, as a chunk.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use nylon_ring_host::{NrStatus, StreamFrame, StreamReceiver};

/// The frames, the first of which has been taken already. Dropping it gives the stream up.
///
/// It is polled only when the client can take more, so a slow client holds up a plugin that heeds `nylon.stream/1`.
pub(crate) struct Frames {
    first: Option<StreamFrame>,
    rest: StreamReceiver,
    failure: Option<io::Error>,
}

impl Frames {
    pub(crate) fn new(first: StreamFrame, rest: StreamReceiver) -> Self {
        Self { first: Some(first), rest, failure: None }
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if let Some(failure) = this.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        loop {
            let next = match this.first.take() {
                Some(first) => Some(first),
                None => ready!(this.rest.poll_recv(cx)),
            };
            let Some(StreamFrame { status, data }) = next else { return Poll::Ready(None) };
            match status {
                // An empty chunk would be the end of the body.
                NrStatus::Ok | NrStatus::StreamEnd if data.is_empty() => {}
                NrStatus::Ok | NrStatus::StreamEnd => return Poll::Ready(Some(Ok(Frame::data(data.into())))),
                _ => {
                    let text = String::from_utf8_lossy(&data);
                    this.failure = Some(io::Error::other(format!("the plugin's stream ended: {status:?}: {text}")));
                    // At an error hyper throws away what it has not written yet. It writes when nothing more is there.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }
}
