//! Building a [`NrRequest`], and reading its headers.

use core::ptr;

use crate::{NrHeader, NrHeaderRef, NrRequest, NrStr, NrViewError, view::checked_slice};

impl NrRequest {
    /// A request that borrows all it is given; the reserved fields are zero.
    ///
    /// Nothing is copied or allocated, and the result does not borrow as far as the compiler can see: keep the texts
    /// and the headers alive, and in their place, until the call that the request is passed to has returned. Headers
    /// come from [`NrHeaderRef::as_nr`], [`NrHeaderList::as_nr`](crate::NrHeaderList::as_nr) or
    /// [`NrHeaders::as_nr`](crate::NrHeaders::as_nr).
    ///
    /// ```
    /// use nylon_ring::{NrHeaderRef, NrRequest};
    ///
    /// let headers = [NrHeaderRef::new("accept", "text/plain")?];
    /// let request = NrRequest::build("GET", "/hello", "a=1", NrHeaderRef::as_nr(&headers))?;
    /// assert_eq!(request.headers_len, 1);
    /// // SAFETY: a literal lives for ever.
    /// assert_eq!(unsafe { request.path.as_str() }, Ok("/hello"));
    /// # Ok::<(), nylon_ring::NrViewError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NrViewError::TooLong`] if a text has more than `u32::MAX` bytes, or if there are more than `u32::MAX` headers.
    pub fn build(method: &str, path: &str, query: &str, headers: &[NrHeader]) -> Result<Self, NrViewError> {
        let headers_len = u32::try_from(headers.len())
            .map_err(|_| NrViewError::TooLong { len: headers.len() as u64, max: u64::from(u32::MAX) })?;
        Ok(Self {
            path: NrStr::try_from_str(path)?,
            method: NrStr::try_from_str(method)?,
            query: NrStr::try_from_str(query)?,
            headers: if headers.is_empty() { ptr::null() } else { headers.as_ptr() },
            headers_len,
            _reserved0: 0,
            _reserved1: 0,
        })
    }

    /// The headers, checked; nothing is read if the pointer or the count cannot be valid.
    ///
    /// The texts of the headers are still to be checked, one by one, by [`NrStr::as_str`];
    /// [`NrRequest::header_refs`] does that for all of them.
    ///
    /// ```
    /// use nylon_ring::{NrRequest, NrViewError};
    ///
    /// let mut request = NrRequest::build("GET", "/", "", &[])?;
    /// // SAFETY: without headers there is nothing to read.
    /// assert_eq!(unsafe { request.headers() }?.len(), 0);
    ///
    /// request.headers_len = 2; // and still null
    /// // SAFETY: a null pointer is never read.
    /// let error = unsafe { request.headers() }.err();
    /// assert_eq!(error, Some(NrViewError::NullPointer { len: 2 }));
    /// # Ok::<(), NrViewError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NrViewError::NullPointer`] (null with a count above 0), [`NrViewError::Misaligned`] or
    /// [`NrViewError::TooLong`] (past the end of the address space).
    ///
    /// # Safety
    ///
    /// If `headers` is neither null nor misaligned and `headers_len` is not 0, then for all of `'a`, which the caller
    /// chooses:
    ///
    /// * `headers_len` headers at `headers` can be read and are initialised;
    /// * nobody writes to them.
    ///
    /// A request that came as an argument satisfies this, by the contract of the ABI, until that call returns.
    pub unsafe fn headers<'a>(&self) -> Result<&'a [NrHeader], NrViewError> {
        // SAFETY: the caller promises what `checked_slice` asks.
        unsafe { checked_slice(self.headers, u64::from(self.headers_len)) }
    }

    /// The headers with all their texts checked, in place: safe to read from here on.
    ///
    /// ```
    /// use nylon_ring::{NrHeaderRef, NrRequest};
    ///
    /// let headers = [NrHeaderRef::new("accept", "text/plain")?];
    /// let request = NrRequest::build("GET", "/", "", NrHeaderRef::as_nr(&headers))?;
    /// // SAFETY: `headers` lives, unchanged, to the end of this example.
    /// let seen = unsafe { request.header_refs() }?;
    /// assert_eq!((seen[0].key(), seen[0].value()), ("accept", "text/plain"));
    /// # Ok::<(), nylon_ring::NrViewError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`NrRequest::headers`] and, for the first bad text, as [`NrStr::as_str`].
    ///
    /// # Safety
    ///
    /// As [`NrRequest::headers`], and the texts of all headers are such as [`NrStr::as_str`] asks.
    pub unsafe fn header_refs<'a>(&self) -> Result<&'a [NrHeaderRef<'a>], NrViewError> {
        // SAFETY: the caller promises it.
        let headers: &'a [NrHeader] = unsafe { self.headers() }?;
        for header in headers {
            // SAFETY: the caller promises it of every text.
            unsafe { header.key.as_str() }?;
            // SAFETY: the caller promises it of every text.
            unsafe { header.value.as_str() }?;
        }
        // SAFETY: every text was checked just now, and is unchanged for 'a by the caller's promise.
        Ok(unsafe { NrHeaderRef::from_nr(headers) })
    }
}
