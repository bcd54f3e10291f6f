//! Requests: borrowed for the handler, owned for work that goes on after it.

use std::{iter::FusedIterator, slice};

use nylon_ring::NrHeaderRef;

/// A request, in the host's memory; nothing is copied. All of it was checked before the handler got it.
///
/// It ends with the handler. Work that goes on takes [`to_owned`](Request::to_owned), or copies of single parts:
///
/// ```compile_fail
/// use nylon_ring_sdk::{Call, Request};
///
/// fn call(req: Request<'_>, call: Call) {
///     std::thread::spawn(move || call.reply(req.path())); // error: borrowed data escapes
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a [NrHeaderRef<'a>],
    pub(crate) body: &'a [u8],
}

impl<'a> Request<'a> {
    /// The method, such as `GET`.
    #[must_use]
    pub const fn method(&self) -> &'a str {
        self.method
    }

    /// The path, such as `/hello`.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// The query, without the question mark; empty when there is none.
    #[must_use]
    pub const fn query(&self) -> &'a str {
        self.query
    }

    /// Names and values of the headers, in the host's order.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        Headers { rest: self.headers.iter() }
    }

    /// The value of the first header of this name; ASCII letters match in either case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut headers = self.headers();
        headers.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }

    /// The body; empty when there is none.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// A copy that outlives the handler.
    #[must_use]
    pub fn to_owned(&self) -> OwnedRequest {
        OwnedRequest {
            method: self.method.to_owned(),
            path: self.path.to_owned(),
            query: self.query.to_owned(),
            headers: self.headers().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            body: self.body.to_vec(),
        }
    }
}

/// The headers of a [`Request`]: pairs of name and value.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    rest: slice::Iter<'a, NrHeaderRef<'a>>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.rest.next().map(|header| (header.key(), header.value()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl ExactSizeIterator for Headers<'_> {}
impl FusedIterator for Headers<'_> {}

/// A [`Request`] that owns its parts, for work that goes on after the handler has returned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct OwnedRequest {
    /// The method, such as `GET`.
    pub method: String,
    /// The path, such as `/hello`.
    pub path: String,
    /// The query, without the question mark; empty when there is none.
    pub query: String,
    /// Names and values of the headers, in the host's order.
    pub headers: Vec<(String, String)>,
    /// The body; empty when there is none.
    pub body: Vec<u8>,
}

impl OwnedRequest {
    /// The value of the first header of this name; ASCII letters match in either case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value.as_str()))
    }
}
