//! One request: its body, the call, the response.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use nylon_ring_host::{CallOptions, HttpView, NrStatus, NylonRingHost, NylonRingHostError, http_response, http_status};
use tokio::time::timeout;

use crate::{frames::Frames, metrics::Counters};

/// A result as a whole, or a stream.
pub(crate) type Answer = Response<Either<Full<Bytes>, Frames>>;

/// What all connections share.
pub(crate) struct Service {
    pub(crate) host: NylonRingHost,
    pub(crate) streams: Vec<String>,
    pub(crate) body_limit: usize,
    pub(crate) timeout: Duration,
    pub(crate) counters: Counters,
}

/// Why the plugin was not called, or gave no answer.
enum Failure {
    /// What the gateway has to say.
    Own(StatusCode, &'static str),
    Host(NylonRingHostError),
}

impl From<NylonRingHostError> for Failure {
    fn from(error: NylonRingHostError) -> Self {
        Self::Host(error)
    }
}

impl Service {
    /// Answers one request. When the client hangs up, hyper drops this future, and with it the call.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Answer {
        let answer = self.try_answer(request).await.unwrap_or_else(|failure| match failure {
            Failure::Own(status, text) => explain(status, text.into()),
            Failure::Host(error) => explain(error.http_status(), error.to_string().into()),
        });
        self.counters.count(answer.status());
        answer
    }

    async fn try_answer(&self, request: Request<Incoming>) -> Result<Answer, Failure> {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, self.read(body).await?);
        if self.streams.iter().any(|path| path == request.uri().path()) {
            return self.stream(&request).await;
        }
        let (status, payload) = self.host.call_view(HttpView::new(&request)?.view()).await?;
        Ok(match status {
            NrStatus::Ok | NrStatus::StreamEnd => http_response(status, Either::Left(Full::new(payload.into()))),
            failure => explain(http_status(failure), payload.into()),
        })
    }

    /// The whole body, unless it is too large or too slow.
    async fn read(&self, body: Incoming) -> Result<Bytes, Failure> {
        const TOO_LARGE: Failure = Failure::Own(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
        if body.size_hint().lower() > self.body_limit as u64 {
            return Err(TOO_LARGE);
        }
        match timeout(self.timeout, Limited::new(body, self.body_limit).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(TOO_LARGE),
            Ok(Err(_)) => Err(Failure::Own(StatusCode::BAD_REQUEST, "the body cannot be read")),
            Err(_) => Err(Failure::Own(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
        }
    }

    /// Waits for the first frame, because the status of the response depends on it.
    async fn stream(&self, request: &Request<Bytes>) -> Result<Answer, Failure> {
        // A stream may go on for ever; only its first frame has to come in time.
        let options = CallOptions::new().no_timeout();
        let mut frames = self.host.call_stream_view_with(HttpView::new(request)?.view(), options).await?;
        let first = timeout(self.timeout, frames.recv()).await.map_err(|_| NylonRingHostError::Timeout)?;
        let first = first.ok_or(NylonRingHostError::Closed)?;
        Ok(match first.status {
            NrStatus::Ok | NrStatus::StreamEnd => {
                http_response(first.status, Either::Right(Frames::new(first, frames)))
            }
            failure => {
                let status = frames.error().map_or(http_status(failure), NylonRingHostError::http_status);
                explain(status, first.data.into())
            }
        })
    }
}

/// A failure, with a text.
fn explain(status: StatusCode, text: Bytes) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(text)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
