//! Payloads as `bytes::Bytes`.
//!
//! For the other direction nothing is needed: a [`RequestView`](crate::RequestView) borrows its body, from a `Bytes` as from anything
//! else, and a `Bytes` that nobody shares becomes a `Vec<u8>` without a copy.

use bytes::Bytes;

use crate::payload::Payload;

/// As [`Payload::into_vec`]: without a copy of more than 4 KiB, without an allocation for none.
impl From<Payload> for Bytes {
    #[inline]
    fn from(payload: Payload) -> Self {
        payload.into_vec().into()
    }
}
