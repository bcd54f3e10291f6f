//! The bytes of a result.

use std::{fmt, ops::Deref};

use nylon_ring_runtime::Reply;

/// The bytes of a result or frame. Dereferences to `[u8]`.
///
/// Up to 40 bytes lie inside. More are one allocation, which [`into_vec`](Self::into_vec) hands on without a copy; but up to 4 KiB that
/// come from another thread may be cut from a chunk of 16 KiB. The host has few of those, and results cost more while all of them are held:
/// what is to be kept for long is better kept as a vector.
pub struct Payload(Reply);

impl Payload {
    /// The bytes as a vector: no copy of more than 4 KiB, no allocation for none.
    #[inline]
    pub fn into_vec(self) -> Vec<u8> {
        self.0.into_vec()
    }
}

impl From<Reply> for Payload {
    #[inline]
    fn from(reply: Reply) -> Self {
        Self(reply)
    }
}

impl Deref for Payload {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Payload> for Vec<u8> {
    #[inline]
    fn from(payload: Payload) -> Self {
        payload.into_vec()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.escape_ascii())
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Payload {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}
