//! Requests, responses and statuses of the `http` crate.
//!
//! | HTTP | request of the ABI |
//! | --- | --- |
//! | method | method |
//! | path of the URI | path, as it came: percent-encoded |
//! | query of the URI | query, without the question mark; empty when there is none |
//! | headers | headers, names in lower case; a name that occurs several times stays so |
//! | authority of the URI | header `host`, if there is none (HTTP/2 has no such header) |
//! | body | body |
//!
//! Version and scheme are left out. A header whose value is not UTF-8 is an error: the ABI has no place for it.

use http::{HeaderMap, Method, Request as HttpRequest, Response, StatusCode, Uri, header::HOST};
use nylon_ring::NrStatus;

use crate::{
    error::NylonRingHostError,
    request::{HighLevelRequest, RequestView},
};

/// An HTTP request that a plugin can be called with. Nothing is copied; the list of headers is one allocation.
///
/// ```no_run
/// # async fn run(host: nylon_ring_host::NylonRingHost) -> Result<(), nylon_ring_host::NylonRingHostError> {
/// use nylon_ring_host::{HttpView, http_response};
///
/// let request = http::Request::get("/hello?name=ada").body("a body").unwrap_or_default();
/// let (status, payload) = host.call_view(HttpView::new(&request)?.view()).await?;
/// let response = http_response(status, payload);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpView<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
}

impl<'a> HttpView<'a> {
    /// Borrows the parts of `request`.
    ///
    /// # Errors
    ///
    /// [`HeaderNotText`](NylonRingHostError::HeaderNotText).
    pub fn new<B: AsRef<[u8]>>(request: &'a HttpRequest<B>) -> Result<Self, NylonRingHostError> {
        Self::of(request.method(), request.uri(), request.headers(), request.body().as_ref())
    }

    /// What [`NylonRingHost::call_view`](crate::NylonRingHost::call_view) takes.
    pub fn view(&self) -> RequestView<'_> {
        RequestView { method: self.method, path: self.path, query: self.query, headers: &self.headers, body: self.body }
    }

    fn of(
        method: &'a Method,
        uri: &'a Uri,
        headers: &'a HeaderMap,
        body: &'a [u8],
    ) -> Result<Self, NylonRingHostError> {
        let mut texts = Vec::with_capacity(headers.len() + 1);
        if let (false, Some(authority)) = (headers.contains_key(HOST), uri.authority()) {
            let host = authority.as_str();
            texts.push((HOST.as_str(), host.rsplit_once('@').map_or(host, |(_user, host)| host)));
        }
        for (name, value) in headers {
            let value = std::str::from_utf8(value.as_bytes())
                .map_err(|_| NylonRingHostError::HeaderNotText { name: name.to_string() })?;
            texts.push((name.as_str(), value));
        }
        Ok(Self {
            method: method.as_str(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            headers: texts,
            body,
        })
    }
}

/// As [`HttpView`], owned. A body that is a `Vec<u8>`, or a `Bytes` that nobody shares, is not copied.
impl<B: Into<Vec<u8>>> TryFrom<HttpRequest<B>> for HighLevelRequest {
    type Error = NylonRingHostError;

    fn try_from(request: HttpRequest<B>) -> Result<Self, Self::Error> {
        let (parts, body) = request.into_parts();
        let HttpView { method, path, query, headers, .. } =
            HttpView::of(&parts.method, &parts.uri, &parts.headers, &[])?;
        Ok(Self {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers: headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            body: body.into(),
        })
    }
}

/// The way back. Names of headers come out in lower case.
impl TryFrom<HighLevelRequest> for HttpRequest<Vec<u8>> {
    type Error = NylonRingHostError;

    fn try_from(request: HighLevelRequest) -> Result<Self, Self::Error> {
        let HighLevelRequest { method, path, query, headers, body } = request;
        let target = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
        let builder = HttpRequest::builder().method(method.as_str()).uri(target);
        let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(name, value));
        let request = builder.body(body).map_err(|error| NylonRingHostError::NotHttp { reason: error.to_string() })?;
        // What is no path may still be a URI: a host, or a path with a query or fragment of its own.
        if request.uri().path() != path || request.uri().query().unwrap_or_default() != query {
            return Err(NylonRingHostError::NotHttp { reason: format!("{path:?} is no path, or {query:?} no query") });
        }
        Ok(request)
    }
}

/// The HTTP status for a plugin's.
///
/// | plugin | HTTP | why |
/// | --- | --- | --- |
/// | `Ok`, `StreamEnd` | 200 | |
/// | `Err` | 500 | the plugin failed, and it is a part of this server. Not 502: no other server is involved, and proxies in front would try the request again |
/// | `Invalid` | 400 | the request makes no sense to the plugin |
/// | `Unsupported` | 404 | what plugins answer to paths that they do not know. Not 501: a client's wrong path is no failure of the server, and must not alarm anybody |
pub fn http_status(status: NrStatus) -> StatusCode {
    match status {
        NrStatus::Ok | NrStatus::StreamEnd => StatusCode::OK,
        NrStatus::Err => StatusCode::INTERNAL_SERVER_ERROR,
        NrStatus::Invalid => StatusCode::BAD_REQUEST,
        NrStatus::Unsupported => StatusCode::NOT_FOUND,
    }
}

/// A response of a plugin's result: its [status](http_status) and the payload as body, without headers.
pub fn http_response<B>(status: NrStatus, payload: B) -> Response<B> {
    let mut response = Response::new(payload);
    *response.status_mut() = http_status(status);
    response
}

impl NylonRingHostError {
    /// The HTTP status for a call that failed.
    ///
    /// | error | HTTP | why |
    /// | --- | --- | --- |
    /// | [`Timeout`](Self::Timeout) | 504 | |
    /// | [`TooManyInFlight`](Self::TooManyInFlight), [`ShuttingDown`](Self::ShuttingDown), [`Closed`](Self::Closed) | 503 | another try, later or elsewhere, may succeed |
    /// | [`HeaderNotText`](Self::HeaderNotText), [`NotHttp`](Self::NotHttp) | 400 | |
    /// | [`TooLarge`](Self::TooLarge) | 431 | method, path, query or headers are too long |
    /// | [`Refused`](Self::Refused) | as the [status](http_status), 500 for one that is no failure | |
    /// | all others | 500 | |
    pub fn http_status(&self) -> StatusCode {
        match self {
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::TooManyInFlight { .. } | Self::ShuttingDown | Self::Closed => StatusCode::SERVICE_UNAVAILABLE,
            Self::HeaderNotText { .. } | Self::NotHttp { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Refused { status: status @ (NrStatus::Invalid | NrStatus::Unsupported) } => http_status(*status),
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}
