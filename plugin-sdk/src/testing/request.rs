//! Requests and replies of tests.

use std::{borrow::Cow, time::Duration};

use nylon_ring::NrStatus;

use crate::{Level, OwnedRequest};

/// A request that a test makes. A text alone is a `GET` of that path.
///
/// ```
/// use nylon_ring_sdk::testing::MockRequest;
/// use std::time::Duration;
///
/// let request = MockRequest::new("POST", "/users")
///     .query("dry=1")
///     .header("content-type", "application/json")
///     .body(r#"{ "name": "ada" }"#)
///     .deadline(Duration::from_secs(1));
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a request does nothing until it is called"]
pub struct MockRequest {
    pub(super) request: OwnedRequest,
    pub(super) deadline: Option<Duration>,
}

impl MockRequest {
    /// A request without query, headers and body.
    pub fn new(method: impl Into<String>, path: impl Into<String>) -> Self {
        let request = OwnedRequest { method: method.into(), path: path.into(), ..OwnedRequest::default() };
        Self { request, deadline: None }
    }

    /// A `GET`.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// With this query.
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.request.query = query.into();
        self
    }

    /// With one header more.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.headers.push((name.into(), value.into()));
        self
    }

    /// With this body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.request.body = body.into();
        self
    }

    /// With a caller who waits this long. Past it the call counts as given up, but callbacks are not called: give it up
    /// by [`PendingCall::cancel`](super::PendingCall::cancel) for that.
    pub fn deadline(mut self, wait: Duration) -> Self {
        self.deadline = Some(wait);
        self
    }
}

impl From<&str> for MockRequest {
    fn from(path: &str) -> Self {
        Self::get(path)
    }
}

impl From<OwnedRequest> for MockRequest {
    fn from(request: OwnedRequest) -> Self {
        Self { request, deadline: None }
    }
}

/// A result, or one frame of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reply {
    /// How it ended; for a frame, whether others follow.
    pub status: NrStatus,
    /// What it says.
    pub payload: Vec<u8>,
}

impl Reply {
    /// The payload as text.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.payload)
    }

    /// Whether the status is [`NrStatus::Ok`].
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status == NrStatus::Ok
    }
}

/// A message that the plugin logged through the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogLine {
    /// The call that it is about.
    pub sid: Option<u64>,
    /// How much it matters.
    pub level: Level,
    /// Which part of the plugin speaks.
    pub target: String,
    /// What it says.
    pub message: String,
}
