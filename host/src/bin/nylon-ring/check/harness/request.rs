//! Requests, and the memory that they are lent from.

use std::{io, ptr};

use nylon_ring::{NrBytes, NrHeader, NrRequest, NrStr};

use super::arena::{Kind, Loan};

/// A request.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// How reports name it.
    pub(crate) fn name(&self) -> String {
        if *self == Self::default() {
            return "a request with nothing in it".to_owned();
        }
        let path: String = self.path.chars().take(60).collect();
        let mark = if self.query.is_empty() { "" } else { "?" };
        let query: String = self.query.chars().take(60).collect();
        format!("{} {path}{mark}{query}", self.method)
    }
}

/// A request in the arena: three loans, each of which ends where its text ends.
#[derive(Debug)]
pub(crate) struct Lent {
    /// The struct, the headers, and all texts but the path.
    meta: Loan,
    path: Loan,
    body: Loan,
    request: *const NrRequest,
    body_view: NrBytes,
}

const REQUEST: usize = size_of::<NrRequest>();
const HEADER: usize = size_of::<NrHeader>();

impl Lent {
    /// Lends a request, until [`end`](Self::end).
    pub(crate) fn new(from: &Request) -> io::Result<Self> {
        let texts: usize = from.headers.iter().map(|(key, value)| key.len() + value.len()).sum();
        let head = REQUEST + HEADER * from.headers.len();
        // Rounded up to the alignment of the struct, so that the last text ends with the page.
        let used = head + from.method.len() + texts + from.query.len();
        let total = used.next_multiple_of(8);
        let meta = Loan::new(total, 8, Kind::Request)?;
        let path = Loan::new(from.path.len(), 1, Kind::Request)?;
        let body = Loan::new(from.body.len(), 1, Kind::Request)?;

        let mut at = head + (total - used);
        let mut text = |text: &str| {
            let view = NrStr { ptr: meta.write(at, text.as_bytes()), len: text.len() as u32 };
            at += text.len();
            view
        };
        let method = text(&from.method);
        let headers: Vec<NrHeader> =
            from.headers.iter().map(|(key, value)| NrHeader { key: text(key), value: text(value) }).collect();
        let query = text(&from.query);
        for (i, header) in headers.iter().enumerate() {
            meta.put(REQUEST + i * HEADER, *header);
        }
        let first = if headers.is_empty() { ptr::null() } else { meta.ptr().wrapping_add(REQUEST).cast::<NrHeader>() };
        let request = NrRequest {
            path: NrStr { ptr: path.write(0, from.path.as_bytes()), len: from.path.len() as u32 },
            method,
            query,
            headers: first,
            headers_len: headers.len() as u32,
            _reserved0: 0,
            _reserved1: 0,
        };
        let request = meta.put(0, request);
        let body_view = NrBytes { ptr: body.write(0, &from.body), len: from.body.len() as u64 };
        for loan in [&meta, &path, &body] {
            loan.freeze()?;
        }
        Ok(Self { meta, path, body, request, body_view })
    }

    /// What `handle` is given.
    pub(crate) fn views(&self) -> (*const NrRequest, NrBytes) {
        (self.request, self.body_view)
    }

    /// `handle` has returned: all of it is gone.
    pub(crate) fn end(&self) {
        for loan in [&self.meta, &self.path, &self.body] {
            loan.end(Kind::RequestGone);
        }
    }
}
