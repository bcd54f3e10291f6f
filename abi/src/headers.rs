//! Headers whose borrow the compiler enforces.
//!
//! A [`NrHeader`] points at text without borrowing it. The three types here keep the text alive for as long as their
//! views can be reached, each at another price:
//!
//! | type | text | allocates |
//! | --- | --- | --- |
//! | [`NrHeaderRef<'a>`] in an array or slice | borrowed | nothing |
//! | [`NrHeaderList<'a>`] | borrowed | the list |
//! | [`NrHeaders`] | owned | the list, beside the text it is given |
//!
//! Invariants that the `unsafe` code cites:
//!
//! * **H1**: a `NrHeaderRef<'a>` is a `NrHeader` in memory (`repr(transparent)`), and both its texts are valid UTF-8,
//!   readable and unchanged for `'a`; an empty one may have any pointer.
//! * **H2**: the views of an `NrHeaders` point only into the heap buffers of the strings it owns. Nothing hands out
//!   these strings mutably or drops one while the `NrHeaders` is there, and to move it moves no buffer. (That is why
//!   it must not derive `Clone`: the views of the copy would point into the original.)

use alloc::{string::String, vec::Vec};
use core::{fmt, marker::PhantomData, slice, str};

use crate::{NrHeader, NrStr, NrViewError};

impl NrHeader {
    /// A header that views `key` and `value`, each cut to `u32::MAX` bytes as by [`NrStr::from_str`].
    ///
    /// It does not borrow: keep both alive for as long as anyone reads it. [`NrHeaderRef::new`] borrows, and refuses
    /// what is too long.
    ///
    /// ```
    /// let header = nylon_ring::NrHeader::new("accept", "text/plain");
    /// assert_eq!((header.key.len, header.value.len), (6, 10));
    /// ```
    #[must_use]
    pub const fn new(key: &str, value: &str) -> Self {
        Self { key: NrStr::from_str(key), value: NrStr::from_str(value) }
    }
}

/// A [`NrHeader`] that borrows its text, in the same layout: an array of them is an array of headers.
///
/// ```
/// use nylon_ring::NrHeaderRef;
///
/// let headers = [NrHeaderRef::new("host", "localhost")?, NrHeaderRef::new("accept", "*/*")?];
/// assert_eq!(NrHeaderRef::as_nr(&headers).len(), 2);
/// # Ok::<(), nylon_ring::NrViewError>(())
/// ```
#[repr(transparent)]
#[derive(Copy, Clone)]
pub struct NrHeaderRef<'a> {
    raw: NrHeader,
    text: PhantomData<&'a str>,
}

// SAFETY: H1: it is two `&'a str` under another layout, and those are `Send`.
unsafe impl Send for NrHeaderRef<'_> {}

// SAFETY: H1: it is two `&'a str` under another layout, and those are `Sync`.
unsafe impl Sync for NrHeaderRef<'_> {}

impl<'a> NrHeaderRef<'a> {
    /// The header of this name and value.
    ///
    /// ```
    /// let header = nylon_ring::NrHeaderRef::new("accept", "text/plain")?;
    /// assert_eq!(header.key(), "accept");
    /// # Ok::<(), nylon_ring::NrViewError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NrViewError::TooLong`] if a text has more than `u32::MAX` bytes.
    pub fn new(key: &'a str, value: &'a str) -> Result<Self, NrViewError> {
        Ok(Self {
            raw: NrHeader { key: NrStr::try_from_str(key)?, value: NrStr::try_from_str(value)? },
            text: PhantomData,
        })
    }

    /// The name.
    #[must_use]
    pub fn key(&self) -> &'a str {
        self.text(&self.raw.key)
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &'a str {
        self.text(&self.raw.value)
    }

    /// The headers as the ABI has them; no copy is made.
    ///
    /// ```compile_fail,E0597
    /// use nylon_ring::NrHeaderRef;
    ///
    /// let headers = {
    ///     let value = String::from("short-lived");
    ///     [NrHeaderRef::new("key", &value)?] // error: `value` does not live long enough
    /// };
    /// NrHeaderRef::as_nr(&headers);
    /// # Ok::<(), nylon_ring::NrViewError>(())
    /// ```
    #[must_use]
    pub fn as_nr(headers: &[Self]) -> &[NrHeader] {
        // SAFETY: H1: the same layout. Pointer and length are those of a slice that lives as long.
        unsafe { slice::from_raw_parts(headers.as_ptr().cast(), headers.len()) }
    }

    /// The headers of the ABI as checked ones; no copy is made.
    ///
    /// # Safety
    ///
    /// Every text in `headers` is one of which H1 holds for `'a`.
    pub(crate) unsafe fn from_nr(headers: &'a [NrHeader]) -> &'a [Self] {
        // SAFETY: H1, by the caller's promise: the same layout. Pointer and length are those of a slice.
        unsafe { slice::from_raw_parts(headers.as_ptr().cast(), headers.len()) }
    }

    /// `view` as text; `view` must be one of the two in `self`.
    fn text(&self, view: &NrStr) -> &'a str {
        if view.is_empty() {
            return ""; // the pointer may be anything
        }
        // SAFETY: H1, and it is not empty.
        let bytes = unsafe { slice::from_raw_parts(view.ptr, view.len as usize) };
        // SAFETY: H1.
        unsafe { str::from_utf8_unchecked(bytes) }
    }
}

impl fmt::Debug for NrHeaderRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.key(), self.value()).fmt(f)
    }
}

/// A list of headers that borrows its text.
///
/// ```
/// use nylon_ring::{NrHeaderList, NrRequest};
///
/// let list = NrHeaderList::from_pairs([("host", "localhost"), ("accept", "*/*")])?;
/// let request = NrRequest::build("GET", "/", "", list.as_nr())?;
/// assert_eq!(request.headers_len, 2);
/// # Ok::<(), nylon_ring::NrViewError>(())
/// ```
///
/// The text cannot go away before the list:
///
/// ```compile_fail,E0505
/// use nylon_ring::NrHeaderList;
///
/// let value = String::from("localhost");
/// let list = NrHeaderList::from_pairs([("host", value.as_str())])?;
/// drop(value); // error: cannot move out of `value` because it is borrowed
/// list.as_nr();
/// # Ok::<(), nylon_ring::NrViewError>(())
/// ```
#[derive(Debug, Default, Clone)]
pub struct NrHeaderList<'a> {
    headers: Vec<NrHeaderRef<'a>>,
}

impl<'a> NrHeaderList<'a> {
    /// A list without headers; it allocates nothing yet.
    ///
    /// ```
    /// assert!(nylon_ring::NrHeaderList::new().as_nr().is_empty());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        let headers = Vec::new();
        Self { headers }
    }

    /// The list of these names and values, in their order.
    ///
    /// ```
    /// let list = nylon_ring::NrHeaderList::from_pairs([("host", "localhost")])?;
    /// assert_eq!(list.as_slice()[0].value(), "localhost");
    /// # Ok::<(), nylon_ring::NrViewError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NrViewError::TooLong`] if a text has more than `u32::MAX` bytes.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, NrViewError> {
        let pairs = pairs.into_iter();
        let headers = pairs.map(|(key, value)| NrHeaderRef::new(key, value));
        let headers = headers.collect::<Result<_, _>>()?;
        Ok(Self { headers })
    }

    /// Adds a header at the end.
    ///
    /// ```
    /// let mut list = nylon_ring::NrHeaderList::new();
    /// list.push("host", "localhost")?;
    /// assert_eq!(list.as_nr().len(), 1);
    /// # Ok::<(), nylon_ring::NrViewError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NrViewError::TooLong`] if a text has more than `u32::MAX` bytes; the list is as before.
    pub fn push(&mut self, key: &'a str, value: &'a str) -> Result<(), NrViewError> {
        self.headers.push(NrHeaderRef::new(key, value)?);
        Ok(())
    }

    /// The headers, safe to read.
    #[must_use]
    pub fn as_slice(&self) -> &[NrHeaderRef<'a>] {
        &self.headers
    }

    /// The headers as the ABI has them.
    #[must_use]
    pub fn as_nr(&self) -> &[NrHeader] {
        NrHeaderRef::as_nr(&self.headers)
    }
}

/// Headers that own their text. They may be moved, and sent to other threads.
///
/// ```
/// use nylon_ring::{NrHeaders, NrRequest};
///
/// let headers = NrHeaders::new(vec![("host".to_owned(), "localhost".to_owned())])?;
/// let request = NrRequest::build("GET", "/", "", headers.as_nr())?;
/// assert_eq!(request.headers_len, 1);
/// # Ok::<(), nylon_ring::NrViewError>(())
/// ```
///
/// The views cannot outlive it:
///
/// ```compile_fail,E0505
/// use nylon_ring::NrHeaders;
///
/// let headers = NrHeaders::new(vec![("host".to_owned(), "localhost".to_owned())])?;
/// let views = headers.as_nr();
/// drop(headers); // error: cannot move out of `headers` because it is borrowed
/// assert_eq!(views.len(), 1);
/// # Ok::<(), nylon_ring::NrViewError>(())
/// ```
#[derive(Default)]
pub struct NrHeaders {
    /// One for each of `owned`, in the same order. Written once, in `new`.
    views: Vec<NrHeader>,
    /// What `views` points into; never changed (H2).
    owned: Vec<(String, String)>,
}

// SAFETY: H2: the views lead only to what it owns, which is `Send`, and which moves along.
unsafe impl Send for NrHeaders {}

// SAFETY: H2: through a shared reference everything is only read.
unsafe impl Sync for NrHeaders {}

impl NrHeaders {
    /// The headers of these names and values, in their order. The text is not copied.
    ///
    /// ```
    /// let headers = nylon_ring::NrHeaders::new(vec![("host".into(), "localhost".into())])?;
    /// assert_eq!(headers.pairs()[0].1, "localhost");
    /// # Ok::<(), nylon_ring::NrViewError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NrViewError::TooLong`] if a text has more than `u32::MAX` bytes.
    pub fn new(owned: Vec<(String, String)>) -> Result<Self, NrViewError> {
        let headers = owned.iter().map(|(key, value)| NrHeaderRef::new(key, value).map(|NrHeaderRef { raw, .. }| raw));
        let views = headers.collect::<Result<_, _>>()?;
        Ok(Self { views, owned })
    }

    /// The headers as the ABI has them.
    #[must_use]
    pub fn as_nr(&self) -> &[NrHeader] {
        &self.views
    }

    /// The names and values.
    #[must_use]
    pub fn pairs(&self) -> &[(String, String)] {
        &self.owned
    }

    /// The names and values, given back.
    #[must_use]
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.owned
    }
}

/// As [`NrHeaders::new`].
impl TryFrom<Vec<(String, String)>> for NrHeaders {
    type Error = NrViewError;

    fn try_from(owned: Vec<(String, String)>) -> Result<Self, NrViewError> {
        Self::new(owned)
    }
}

impl fmt::Debug for NrHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.owned).finish()
    }
}
