//! Making and reading [`NrStr`] and [`NrBytes`].
//!
//! Reading goes through [`checked_slice`], which looks at nothing but the pointer's value and the length until these
//! rule out all that can be ruled out:
//!
//! | pointer | length | answer |
//! | --- | --- | --- |
//! | any | 0 | empty; the pointer is not used |
//! | null | above 0 | [`NrViewError::NullPointer`] |
//! | any | past `isize::MAX`, or past the end of the address space | [`NrViewError::TooLong`] |
//! | other | other | read; that the memory is there and alive is the caller's promise |

use core::{ptr, slice, str};

use crate::{NrBytes, NrStr, NrViewError};

/// The longest text an [`NrStr`] can hold, in bytes.
const MAX_TEXT: usize = u32::MAX as usize;

/// The length of the longest prefix of `text` that has at most `max` bytes and ends with a whole character.
const fn prefix_len(text: &str, max: usize) -> usize {
    if text.len() <= max {
        return text.len();
    }
    let mut len = max;
    while !text.is_char_boundary(len) {
        len -= 1; // ends at 0 at the latest, which is a boundary
    }
    len
}

/// The elements that `ptr` and `len` describe, checked as the module says.
///
/// # Safety
///
/// If `ptr` is neither null nor misaligned and `len` is not 0, then `len` elements at `ptr` are readable, initialised,
/// and not written to for all of `'a`. (Where the checks fail, nothing is asked of the pointer.)
pub(crate) unsafe fn checked_slice<'a, T>(ptr: *const T, len: u64) -> Result<&'a [T], NrViewError> {
    if len == 0 {
        return Ok(&[]);
    }
    if ptr.is_null() {
        return Err(NrViewError::NullPointer { len });
    }
    if !ptr.is_aligned() {
        let align = align_of::<T>();
        return Err(NrViewError::Misaligned { align });
    }
    // Neither more bytes than `isize::MAX` nor more than are left above `ptr`. (No `T` here has the size 0.)
    let bytes = (isize::MAX as usize).min(usize::MAX - ptr.addr());
    let max = (bytes / size_of::<T>().max(1)) as u64;
    if len > max {
        return Err(NrViewError::TooLong { len, max });
    }
    // SAFETY: not null, aligned, at most `isize::MAX` bytes and no wrap-around, by the checks above; readable,
    // initialised and unchanged for 'a, by the caller's promise. `len` fits a `usize`, for `max` does.
    Ok(unsafe { slice::from_raw_parts(ptr, len as usize) })
}

impl NrStr {
    /// The empty text: null and 0.
    ///
    /// ```
    /// assert!(nylon_ring::NrStr::EMPTY.is_empty());
    /// ```
    pub const EMPTY: Self = Self { ptr: ptr::null(), len: 0 };

    /// A view of `text`; of text past `u32::MAX` bytes, a view of the longest prefix of whole characters that fits.
    ///
    /// It saturates so that it can neither panic nor fail, can fill a `static`, and is always a valid view. Use it for
    /// text that you know to be short, such as a literal or a name. Text that comes from elsewhere and could be
    /// longer goes through [`NrStr::try_from_str`], because a path that was silently cut short is another path.
    ///
    /// The view does not borrow: keep `text` alive for as long as anyone reads it. (It is not an implementation of
    /// [`FromStr`](core::str::FromStr): that one is fallible, has no lifetime to speak of, and cannot be `const`.)
    ///
    /// ```
    /// use nylon_ring::NrStr;
    ///
    /// static NAME: &str = "demo";
    /// const VIEW: NrStr = NrStr::from_str(NAME);
    /// assert_eq!(VIEW.len, 4);
    /// ```
    #[must_use]
    pub const fn from_str(text: &str) -> Self {
        Self {
            ptr: text.as_ptr(),
            len: prefix_len(text, MAX_TEXT) as u32, // no loss: at most `MAX_TEXT`
        }
    }

    /// A view of the whole of `text`.
    ///
    /// The view does not borrow: keep `text` alive for as long as anyone reads it.
    ///
    /// ```
    /// use nylon_ring::NrStr;
    ///
    /// let path = String::from("/hello");
    /// assert_eq!(NrStr::try_from_str(&path)?.len, 6);
    /// # Ok::<(), nylon_ring::NrViewError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NrViewError::TooLong`] if `text` has more than `u32::MAX` bytes.
    pub const fn try_from_str(text: &str) -> Result<Self, NrViewError> {
        if text.len() > MAX_TEXT {
            return Err(NrViewError::TooLong { len: text.len() as u64, max: MAX_TEXT as u64 });
        }
        Ok(Self::from_str(text))
    }

    /// Whether the length is 0.
    ///
    /// ```
    /// use nylon_ring::NrStr;
    ///
    /// assert!(NrStr::from_str("").is_empty());
    /// ```
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The text, checked; nothing is read if the pointer or the length cannot be valid.
    ///
    /// ```
    /// use nylon_ring::{NrStr, NrViewError};
    ///
    /// let text = String::from("grüezi");
    /// let view = NrStr::from_str(&text);
    /// // SAFETY: `text` lives, unchanged, to the end of this example.
    /// assert_eq!(unsafe { view.as_str() }, Ok("grüezi"));
    ///
    /// let broken = NrStr { ptr: core::ptr::null(), len: 3 };
    /// // SAFETY: a null pointer is never read.
    /// assert_eq!(unsafe { broken.as_str() }, Err(NrViewError::NullPointer { len: 3 }));
    /// ```
    ///
    /// # Errors
    ///
    /// [`NrViewError::NullPointer`] (null with a length above 0), [`NrViewError::TooLong`] (past the end of the
    /// address space) or [`NrViewError::NotUtf8`].
    ///
    /// # Safety
    ///
    /// If `ptr` is not null and `len` is not 0, then for all of `'a`, which the caller chooses:
    ///
    /// * `len` bytes at `ptr` can be read and are initialised;
    /// * nobody writes to them.
    ///
    /// A view that came as an argument satisfies this, by the contract of the ABI, until that call returns.
    pub unsafe fn as_str<'a>(&self) -> Result<&'a str, NrViewError> {
        // SAFETY: the caller promises what `checked_slice` asks.
        let bytes = unsafe { checked_slice(self.ptr, u64::from(self.len)) }?;
        str::from_utf8(bytes).map_err(NrViewError::NotUtf8)
    }
}

impl NrBytes {
    /// The empty bytes: null and 0.
    ///
    /// ```
    /// assert!(nylon_ring::NrBytes::EMPTY.is_empty());
    /// ```
    pub const EMPTY: Self = Self { ptr: ptr::null(), len: 0 };

    /// A view of `bytes`.
    ///
    /// The view does not borrow: keep `bytes` alive for as long as anyone reads it. Of an empty slice the pointer is
    /// not null; [`NrBytes::EMPTY`] is.
    ///
    /// ```
    /// use nylon_ring::NrBytes;
    ///
    /// static BODY: &[u8] = &[1, 2, 3];
    /// assert_eq!(NrBytes::from_slice(BODY).len, 3);
    /// ```
    #[must_use]
    pub const fn from_slice(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), len: bytes.len() as u64 }
    }

    /// Whether the length is 0.
    ///
    /// ```
    /// use nylon_ring::NrBytes;
    ///
    /// assert!(NrBytes::from_slice(&[]).is_empty());
    /// ```
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes, checked; nothing is read if the pointer or the length cannot be valid.
    ///
    /// ```
    /// use nylon_ring::{NrBytes, NrViewError};
    ///
    /// let body = vec![1, 2, 3];
    /// let view = NrBytes::from_slice(&body);
    /// // SAFETY: `body` lives, unchanged, to the end of this example.
    /// assert_eq!(unsafe { view.as_slice() }, Ok(&[1, 2, 3][..]));
    ///
    /// let broken = NrBytes { ptr: body.as_ptr(), len: u64::MAX };
    /// // SAFETY: a length past `isize::MAX` is never read.
    /// assert!(matches!(unsafe { broken.as_slice() }, Err(NrViewError::TooLong { .. })));
    /// ```
    ///
    /// # Errors
    ///
    /// [`NrViewError::NullPointer`] (null with a length above 0) or [`NrViewError::TooLong`] (past `isize::MAX`, or
    /// past the end of the address space).
    ///
    /// # Safety
    ///
    /// If `ptr` is not null and `len` is neither 0 nor too long, then for all of `'a`, which the caller chooses:
    ///
    /// * `len` bytes at `ptr` can be read and are initialised;
    /// * nobody writes to them.
    ///
    /// A view that came as an argument satisfies this, by the contract of the ABI, until that call returns.
    pub unsafe fn as_slice<'a>(&self) -> Result<&'a [u8], NrViewError> {
        // SAFETY: the caller promises what `checked_slice` asks.
        unsafe { checked_slice(self.ptr, self.len) }
    }
}

/// [`NrStr::EMPTY`].
impl Default for NrStr {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// [`NrBytes::EMPTY`].
impl Default for NrBytes {
    fn default() -> Self {
        Self::EMPTY
    }
}

#[cfg(test)]
mod tests {
    use super::prefix_len;

    #[test]
    fn a_prefix_ends_with_a_whole_character() {
        let text = "aé€𝄞"; // 1, 2, 3 and 4 bytes: boundaries at 0, 1, 3, 6 and 10
        let lens: [usize; 12] = core::array::from_fn(|max| prefix_len(text, max));
        assert_eq!(lens, [0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10]);
    }

    #[test]
    fn a_prefix_of_nothing_is_nothing() {
        assert_eq!(prefix_len("", 0), 0);
        assert_eq!(prefix_len("", 5), 0);
    }
}
