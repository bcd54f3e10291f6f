//! Memory that a result is written into: the host's if it lends some, otherwise the plugin's own.

use std::{
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    slice,
};

use nylon_ring::{NrBuffer, NrStatus};

use super::{Link, Open};

/// Bytes that become a result. All of them are zero at first.
#[derive(Debug)]
pub(crate) enum Memory {
    Own(Vec<u8>),
    Lent(Lent),
}

/// Memory of the host (F8). The `Open` of the call that it was reserved for lives longer.
#[derive(Debug)]
pub(crate) struct Lent {
    link: &'static Link,
    buffer: NrBuffer,
    /// At most `buffer.capacity`.
    len: usize,
}

// SAFETY: F8: the memory is the plugin's alone meanwhile, on any thread; F3.
unsafe impl Send for Lent {}
// SAFETY: as above; a shared reference only reads.
unsafe impl Sync for Lent {}

impl Memory {
    /// Memory for a result of `len` bytes.
    pub(crate) fn reserve(open: &Open, len: usize) -> Self {
        Lent::reserve(open, len).map_or_else(|| Self::Own(vec![0; len]), Self::Lent)
    }

    /// Sends the first `len` bytes, or all there are.
    pub(super) fn commit(self, link: &Link, sid: u64, status: NrStatus, len: usize) {
        let len = len.min(self.len());
        match self {
            Self::Own(bytes) => link.send(sid, status, bytes.get(..len).unwrap_or_default()),
            Self::Lent(lent) => lent.commit(sid, status, len),
        }
    }
}

impl Lent {
    fn reserve(open: &Open, len: usize) -> Option<Self> {
        let link = open.link();
        let tables = link.tables.as_ref()?;
        let table = tables.buffer?;
        // SAFETY: F3.
        let buffer = unsafe { (table.reserve)(tables.host_ctx, open.sid(), len as u64) };
        let usable = !buffer.ptr.is_null() && buffer.capacity >= len as u64 && isize::try_from(len).is_ok();
        let lent = Self { link, buffer, len: if usable { len } else { 0 } };
        if buffer.ptr.is_null() {
            std::mem::forget(lent); // there is nothing to give back
            return None;
        }
        usable.then_some(lent) // what is too small goes back here
    }

    fn commit(self, sid: u64, status: NrStatus, len: usize) {
        let this = ManuallyDrop::new(self); // its `Drop` would give the buffer back again
        if let Some((table, tables)) = this.link.tables.as_ref().and_then(|tables| Some((tables.buffer?, tables))) {
            // SAFETY: F3, and F8: `self` is gone after this.
            unsafe { (table.commit)(tables.host_ctx, sid, status.as_raw(), this.buffer, len as u64) }
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some((table, tables)) = self.link.tables.as_ref().and_then(|tables| Some((tables.buffer?, tables))) {
            // SAFETY: F3, and F8: `self` is gone after this.
            unsafe { (table.release)(tables.host_ctx, self.buffer) }
        }
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            // SAFETY: F8; `len` is at most the capacity and `isize::MAX`, and the pointer is not null.
            Self::Lent(lent) => unsafe { slice::from_raw_parts(lent.buffer.ptr, lent.len) },
        }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Own(bytes) => bytes,
            // SAFETY: as in `deref`; `&mut self` is the only access.
            Self::Lent(lent) => unsafe { slice::from_raw_parts_mut(lent.buffer.ptr, lent.len) },
        }
    }
}
