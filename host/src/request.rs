//! Requests: an owned form, a borrowed form, and the ABI's view of both.
//!
//! The ABI's view borrows all it points to. It is built in a [`Room`] of the caller's (up to [`INLINE_HEADERS`] headers without an
//! allocation), and handed out as an [`AbiRequest`], which cannot be made elsewhere: whoever holds one holds live memory.

use std::{fmt, marker::PhantomData, ptr};

use nylon_ring::{NrBytes, NrHeader, NrRequest, NrStr};
use smallvec::SmallVec;

use crate::error::NylonRingHostError;

/// With more headers than this a request's view is built on the heap.
pub(crate) const INLINE_HEADERS: usize = 32;

/// The longest text, and the longest header list. All ones: several lengths joined by `|` are above it if one of them
/// is.
const MAX_LEN: usize = u32::MAX as usize;

/// A request that owns its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct HighLevelRequest {
    /// The method, as in `GET`.
    pub method: String,
    /// The path, as in `/hello`.
    pub path: String,
    /// The query, without the question mark.
    pub query: String,
    /// Names and values, in order; a name may occur more than once.
    pub headers: Vec<(String, String)>,
    /// The payload; any bytes.
    pub body: Vec<u8>,
}

/// A request that borrows its parts, so that making a call copies and allocates nothing on this side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RequestView<'a> {
    /// The method, as in `GET`.
    pub method: &'a str,
    /// The path, as in `/hello`.
    pub path: &'a str,
    /// The query, without the question mark.
    pub query: &'a str,
    /// Names and values, in order; a name may occur more than once.
    pub headers: &'a [(&'a str, &'a str)],
    /// The payload; any bytes.
    pub body: &'a [u8],
}

/// A request as the ABI has it. All that it points to lives for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct AbiRequest<'a> {
    request: &'a NrRequest,
    path: &'a str,
    body: NrBytes,
    borrowed: PhantomData<&'a [u8]>,
}

impl AbiRequest<'_> {
    /// The metadata, for a plugin's `handle`.
    #[inline]
    pub(crate) fn request(&self) -> *const NrRequest {
        self.request
    }

    /// The path, for the host itself.
    #[inline]
    pub(crate) fn path(&self) -> &str {
        self.path
    }

    /// The body, for a plugin's `handle`.
    #[inline]
    pub(crate) fn body(&self) -> NrBytes {
        self.body
    }
}

impl fmt::Debug for AbiRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbiRequest")
            .field("headers", &self.request.headers_len)
            .field("body", &self.body.len)
            .finish_non_exhaustive()
    }
}

/// Either form.
pub(crate) trait Request: Send + Sync + Unpin {
    /// The path.
    #[cfg(feature = "tracing")]
    fn path(&self) -> &str;

    /// The ABI's view of this request, built in `room`.
    ///
    /// # Errors
    ///
    /// [`NylonRingHostError::TooLarge`] where a part is longer than the ABI can say. Boxed, so that what a call returns goes
    /// through registers.
    fn abi<'a>(&'a self, room: &'a mut Room) -> Result<AbiRequest<'a>, Box<NylonRingHostError>>;
}

/// Where the ABI's view of a request lies. What is in it means nothing by itself.
#[derive(Default)]
pub(crate) struct Room {
    headers: Headers,
    request: Option<NrRequest>,
}

type Headers = SmallVec<[NrHeader; INLINE_HEADERS]>;

impl Request for HighLevelRequest {
    #[cfg(feature = "tracing")]
    fn path(&self) -> &str {
        &self.path
    }

    #[inline(always)]
    fn abi<'a>(&'a self, room: &'a mut Room) -> Result<AbiRequest<'a>, Box<NylonRingHostError>> {
        let headers = self.headers.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        let parts = Parts { method: &self.method, path: &self.path, query: &self.query, body: &self.body };
        parts.abi(headers, room)
    }
}

impl<T: Request> Request for &T {
    #[cfg(feature = "tracing")]
    fn path(&self) -> &str {
        (**self).path()
    }

    #[inline(always)]
    fn abi<'a>(&'a self, room: &'a mut Room) -> Result<AbiRequest<'a>, Box<NylonRingHostError>> {
        (**self).abi(room)
    }
}

impl Request for RequestView<'_> {
    #[cfg(feature = "tracing")]
    fn path(&self) -> &str {
        self.path
    }

    #[inline(always)]
    fn abi<'a>(&'a self, room: &'a mut Room) -> Result<AbiRequest<'a>, Box<NylonRingHostError>> {
        let parts = Parts { method: self.method, path: self.path, query: self.query, body: self.body };
        parts.abi(self.headers.iter().copied(), room)
    }
}

/// What both forms have in common.
struct Parts<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    body: &'a [u8],
}

impl<'a> Parts<'a> {
    #[inline(always)]
    fn abi(
        self,
        headers: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
        room: &'a mut Room,
    ) -> Result<AbiRequest<'a>, Box<NylonRingHostError>> {
        let lengths = [self.method.len(), self.path.len(), self.query.len(), headers.len()];
        if lengths.iter().fold(0, |all, len| all | len) > MAX_LEN {
            return Err(too_large(lengths));
        }
        let request = room.request.insert(NrRequest {
            path: view(self.path),
            method: view(self.method),
            query: view(self.query),
            headers: ptr::null(),
            headers_len: 0,
            _reserved0: 0,
            _reserved1: 0,
        });
        if headers.len() != 0 {
            list(headers, &mut room.headers)?;
            (request.headers, request.headers_len) = (room.headers.as_ptr(), room.headers.len() as u32);
        }
        Ok(AbiRequest { request, path: self.path, body: NrBytes::from_slice(self.body), borrowed: PhantomData })
    }
}

/// Names the longest part: the ABI has the same limit for all.
#[cold]
fn too_large([method, path, query, headers]: [usize; 4]) -> Box<NylonRingHostError> {
    longest([("method", method), ("path", path), ("query", query), ("header list", headers)])
}

/// Lists the ABI's view of headers in their room.
#[inline(never)] // so that who has none needs no registers for them
fn list<'a>(
    headers: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
    room: &mut Headers,
) -> Result<(), Box<NylonRingHostError>> {
    room.clear();
    room.reserve_exact(headers.len());
    for (key, value) in headers {
        room.push(header(key, value)?);
    }
    Ok(())
}

/// Borrows both texts for longer than the compiler knows; they are the request's, which outlives its view.
#[inline]
fn header(key: &str, value: &str) -> Result<NrHeader, Box<NylonRingHostError>> {
    if key.len() | value.len() > MAX_LEN {
        return Err(longest([("name of a header", key.len()), ("value of a header", value.len())]));
    }
    Ok(NrHeader { key: view(key), value: view(value) })
}

/// Of a text that was found to be short enough. ([`NrStr::from_str`] would measure it again, and this is the way of
/// every call.)
#[inline]
fn view(text: &str) -> NrStr {
    NrStr { ptr: text.as_ptr(), len: text.len() as u32 }
}

#[cold]
fn longest<const N: usize>(parts: [(&'static str, usize); N]) -> Box<NylonRingHostError> {
    let longest = parts.into_iter().max_by_key(|(_, len)| *len);
    let (what, len) = longest.unwrap_or_default();
    Box::new(NylonRingHostError::TooLarge { what, len, limit: u32::MAX })
}

#[cfg(test)]
mod tests {
    use nylon_ring::NrStr;

    use super::*;

    #[test]
    fn an_error_names_the_part_that_is_too_long() {
        assert!(matches!(
            *too_large([3, 1, 0, u32::MAX as usize + 1]),
            NylonRingHostError::TooLarge { what: "header list", len: 0x1_0000_0000, limit: u32::MAX }
        ));
    }

    #[test]
    fn no_headers_are_a_null_pointer() {
        let mut room = Room::default();
        let request = RequestView::default();
        let abi = request.abi(&mut room).expect("short enough");
        assert!(abi.request.headers.is_null() && abi.request.headers_len == 0 && abi.body.len == 0);
    }

    #[test]
    fn both_forms_look_the_same_to_a_plugin() {
        for count in [1, INLINE_HEADERS, INLINE_HEADERS + 1, 500] {
            let owned = HighLevelRequest {
                method: "GET".into(),
                path: "/p".into(),
                query: "q=1".into(),
                headers: (0..count).map(|i| (format!("k{i}"), format!("v{i}"))).collect(),
                body: b"body".to_vec(),
            };
            let headers: Vec<_> = owned.headers.iter().map(|(k, v)| (&**k, &**v)).collect();
            let view = RequestView {
                method: &owned.method,
                path: &owned.path,
                query: &owned.query,
                headers: &headers,
                body: &owned.body,
            };
            assert_eq!(copy(owned.abi(&mut Room::default()).expect("short enough")), owned);
            assert_eq!(copy(view.abi(&mut Room::default()).expect("short enough")), owned);
        }
    }

    /// What a plugin does: copies all it was given.
    fn copy(abi: AbiRequest<'_>) -> HighLevelRequest {
        let owned = |text: NrStr| {
            // SAFETY: an `AbiRequest` points to live memory.
            unsafe { text.as_str() }.expect("valid text").to_owned()
        };
        // SAFETY: an `AbiRequest` points to live memory.
        let headers = unsafe { abi.request.header_refs() }.expect("valid headers");
        // SAFETY: an `AbiRequest` points to live memory.
        let body = unsafe { abi.body.as_slice() }.expect("valid body");
        HighLevelRequest {
            method: owned(abi.request.method),
            path: owned(abi.request.path),
            query: owned(abi.request.query),
            headers: headers.iter().map(|header| (header.key().to_owned(), header.value().to_owned())).collect(),
            body: body.to_vec(),
        }
    }
}
