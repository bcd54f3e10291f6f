//! One result: a status and bytes, 48 bytes in all, moved from cell to slot to caller.
//!
//! Up to [`INLINE`] bytes travel inside. Longer ones are copied by the producer, and stay where they are however far the result travels:
//! in a chunk of the shard's (`bump.rs`), or in an allocation that becomes the caller's `Vec<u8>`.

use std::{
    fmt,
    mem::{self, ManuallyDrop, MaybeUninit},
    ops::Deref,
    ptr::{self, NonNull},
    slice,
};

use nylon_ring::NrStatus;

use crate::bump::{self, Bumps};

/// The most bytes that travel without an allocation.
pub const INLINE: usize = 40;

/// `len` of a reply whose bytes are on the heap.
const HEAP: u32 = u32::MAX;

const OK: u32 = NrStatus::Ok as u32;

/// Set in the status word of a reply that stands for one that did not fit the buffer limit.
const OVERFLOW: u32 = 1 << 31;

/// The status word of a frame of status `Ok` that was sent against credit (`window.rs`).
const CREDITED: u32 = 5;

/// A status and the bytes that came with it. Dereferences to the bytes.
///
/// Invariants: (1) `len == HEAP` means that `data.heap` is the active field, and owns its bytes; (2) otherwise `len <= INLINE` and the first
/// `len` bytes of `data.inline` are initialised; (3) `status` is an `NrStatus` value, with or without `OVERFLOW`, or `CREDITED`.
#[repr(C)]
pub struct Reply {
    len: u32,
    status: u32,
    data: Data,
}

#[repr(C)]
union Data {
    inline: [MaybeUninit<u8>; INLINE],
    heap: Heap,
}

/// Bytes on the heap: the parts of a `Vec<u8>`, or a piece that was cut by [`Bumps::copy`]. Plain words, owned by their reply.
#[derive(Clone, Copy)]
struct Heap {
    bytes: NonNull<u8>,
    len: usize,
    /// 0 if they are a piece. A vector that is not empty has some.
    capacity: usize,
}

impl From<Vec<u8>> for Heap {
    /// `bytes` are not empty.
    fn from(bytes: Vec<u8>) -> Self {
        let mut bytes = ManuallyDrop::new(bytes);
        let (len, capacity) = (bytes.len(), bytes.capacity());
        debug_assert!(capacity > 0);
        // SAFETY: a vector's pointer is not null.
        Self { bytes: unsafe { NonNull::new_unchecked(bytes.as_mut_ptr()) }, len, capacity }
    }
}

const _: () = assert!(size_of::<Reply>() == 48);

impl Reply {
    /// Copies `bytes`. `None` when the memory for them cannot be had.
    #[inline]
    pub fn copy(status: NrStatus, bytes: &[u8]) -> Option<Self> {
        Self::short(status, bytes).or_else(|| Self::long(status as u32, bytes))
    }

    /// The same, for another thread: the bytes may be cut from a chunk of memory that is shared with others (`bump.rs`), and lives
    /// until the last of them is dropped. Then [`into_vec`](Self::into_vec) copies.
    #[doc(hidden)]
    #[inline]
    pub fn cut(bumps: &Bumps, status: NrStatus, bytes: &[u8]) -> Option<Self> {
        let piece = || {
            let len = bytes.len();
            let bytes = if len <= bump::LONGEST { bumps.copy(bytes)? } else { return None };
            Some(Self::on_heap(status as u32, Heap { bytes, len, capacity: 0 }))
        };
        Self::short(status, bytes).or_else(piece).or_else(|| Self::long(status as u32, bytes))
    }

    /// Copies at most [`INLINE`] bytes. `None` when there are more.
    #[inline(always)]
    pub(crate) fn short(status: NrStatus, bytes: &[u8]) -> Option<Self> {
        let status = status as u32;
        if bytes.is_empty() {
            return Some(Self::without_bytes(status));
        }
        if bytes.len() > INLINE {
            return None;
        }
        let mut inline = [MaybeUninit::uninit(); INLINE];
        // SAFETY: `bytes` has at most INLINE bytes, and a local array overlaps nothing of the caller's.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr().cast(), inline.as_mut_ptr(), bytes.len()) };
        Some(Self { len: bytes.len() as u32, status, data: Data { inline } })
    }

    /// Copies more than [`INLINE`] bytes.
    #[inline]
    fn long(status: u32, bytes: &[u8]) -> Option<Self> {
        let mut heap = Vec::new();
        heap.try_reserve_exact(bytes.len()).ok()?;
        heap.extend_from_slice(bytes);
        Some(Self::on_heap(status, heap.into()))
    }

    #[inline]
    fn on_heap(status: u32, heap: Heap) -> Self {
        Self { len: HEAP, status, data: Data { heap } }
    }

    /// Takes the reply out of a place. Of one without bytes only the status is read: its other words may just have been written,
    /// in parts, and a processor waits for those before it reads them as a whole.
    #[inline(always)]
    pub fn take(place: &mut Option<Self>) -> Option<Self> {
        match place {
            Some(Self { len: 0, status, .. }) => {
                let status = *status;
                *place = None;
                Some(Self::without_bytes(status))
            }
            _ => place.take(),
        }
    }

    /// Takes the reply out of its place, which keeps the status, and no bytes.
    #[inline]
    pub(crate) fn take_out(&mut self) -> Self {
        let empty = Self::without_bytes(self.status);
        if self.len == 0 { empty } else { mem::replace(self, empty) }
    }

    /// The same of a reply of status `Ok` that was not sent against credit.
    #[inline(always)]
    pub(crate) fn take_plain(&mut self) -> Option<Self> {
        match self {
            Self { status: OK, .. } => Some(self.take_out()),
            _ => None,
        }
    }

    /// Gives the bytes to a reply without any: at most [`INLINE`] of them.
    #[inline(always)]
    pub(crate) fn set_short(&mut self, bytes: &[u8]) {
        let len = bytes.len().min(INLINE);
        if self.len == 0 {
            self.len = len as u32;
            // SAFETY: without bytes, so `heap` is not the active field; a reply overlaps nothing of the caller's.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), (&raw mut self.data.inline).cast(), len) };
        }
    }

    #[inline(always)]
    pub(crate) fn without_bytes(status: u32) -> Self {
        Self { len: 0, status, data: Data { inline: [MaybeUninit::uninit(); INLINE] } }
    }

    /// Takes over `bytes`, without a copy of more than [`INLINE`].
    pub(crate) fn own(status: NrStatus, bytes: Vec<u8>) -> Option<Self> {
        if bytes.len() <= INLINE {
            return Self::copy(status, &bytes);
        }
        Some(Self::on_heap(status as u32, bytes.into()))
    }

    /// The same frame, sent against credit.
    pub(crate) fn credited(mut self) -> Self {
        if self.status == OK {
            self.status = CREDITED;
        }
        self
    }

    /// Whether a credit is to be given back when it is taken.
    #[inline]
    pub(crate) fn is_credited(&self) -> bool {
        self.status == CREDITED
    }

    /// The reply that stands for one of status `status` that could not be kept.
    pub(crate) fn overflow(status: NrStatus) -> Self {
        Self::without_bytes(OVERFLOW | status as u32)
    }

    /// Whether this reply stands for one that did not fit the buffer limit.
    pub fn is_overflow(&self) -> bool {
        self.status & OVERFLOW != 0
    }

    /// Whether it ends its stream *for the plugin*: an overflow ends it for the receiver only, if the frame it stands for
    /// was not terminal.
    pub(crate) fn ends(&self) -> bool {
        !matches!(self.status & !OVERFLOW, OK | CREDITED)
    }

    /// The status; [`NrStatus::Err`] for an [overflow](Self::is_overflow).
    #[inline]
    pub fn status(&self) -> NrStatus {
        match self.status {
            OK | CREDITED => NrStatus::Ok,
            2 => NrStatus::Invalid,
            3 => NrStatus::Unsupported,
            4 => NrStatus::StreamEnd,
            _ => NrStatus::Err,
        }
    }

    /// Bytes held on the heap.
    #[inline]
    pub(crate) fn heap_len(&self) -> u64 {
        if self.len == HEAP { self.len() as u64 } else { 0 }
    }

    /// Bytes that are charged to the ledger while the reply is in the ring, and until the caller of a unary call takes it.
    #[inline]
    pub(crate) fn ring_cost(&self) -> u64 {
        let heap = self.heap_len();
        if heap > UNCHARGED { heap } else { 0 }
    }

    /// The bytes as a vector: without a copy when they are an allocation of their own, without an allocation when there are none.
    #[inline]
    pub fn into_vec(self) -> Vec<u8> {
        match self.heap() {
            Some(Heap { bytes, len, capacity }) if capacity > 0 => {
                mem::forget(self);
                // SAFETY: the parts of a vector, whose owner is gone.
                unsafe { Vec::from_raw_parts(bytes.as_ptr(), len, capacity) }
            }
            _ => self.to_vec(),
        }
    }

    #[inline(always)]
    fn heap(&self) -> Option<Heap> {
        if self.len != HEAP {
            return None;
        }
        // SAFETY: invariant 1.
        Some(unsafe { self.data.heap })
    }
}

impl Deref for Reply {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        if let Some(heap) = self.heap() {
            // SAFETY: invariant 1: the bytes live as long as the reply.
            return unsafe { slice::from_raw_parts(heap.bytes.as_ptr(), heap.len) };
        }
        // SAFETY: invariant 2 says that `inline` is the active field.
        let inline = unsafe { &self.data.inline };
        // SAFETY: invariant 2: the first `len` bytes are initialised.
        unsafe { slice::from_raw_parts(inline.as_ptr().cast(), self.len as usize) }
    }
}

impl Drop for Reply {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(heap) = self.heap() {
            // SAFETY: this is the last use.
            unsafe { free(heap.bytes, heap.capacity) };
        }
    }
}

/// Frees the bytes of a [`Heap`]. Out of line, and given words: otherwise whoever moves a reply does so in other parts than it was
/// written in, and waits for them.
///
/// # Safety
///
/// This is the last use of the bytes.
#[inline(never)]
unsafe fn free(bytes: NonNull<u8>, capacity: usize) {
    if capacity == 0 {
        // SAFETY: a piece, and the caller's last use of it.
        unsafe { bump::free(bytes) };
    } else {
        // SAFETY: the parts of a vector, whose bytes need no destructor.
        drop(unsafe { Vec::from_raw_parts(bytes.as_ptr(), 0, capacity) });
    }
}

impl From<Reply> for Vec<u8> {
    fn from(reply: Reply) -> Self {
        reply.into_vec()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("status", &self.status()).field("len", &self.len()).finish()
    }
}

// SAFETY: plain bytes, a `Vec<u8>`, or a piece; all of them may be used and dropped by another thread.
unsafe impl Send for Reply {}
// SAFETY: `&Reply` gives nothing but `&[u8]` and a status.
unsafe impl Sync for Reply {}

/// What travels through a ring: a reply and the sid it is for. 56 bytes: with a stamp, one cache line.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) sid: u64,
    pub(crate) reply: Reply,
}

const _: () = assert!(size_of::<Record>() == 56);

/// Heap bytes up to which a record in the ring, or a result in its slot, is not charged to the ledger: the number of cells and
/// of calls in flight bounds their sum.
pub(crate) const UNCHARGED: u64 = 4096;

/// What a record occupies in a queue beside its heap bytes.
pub(crate) const QUEUED: u64 = 64;

impl Record {
    /// Writes a record of at most [`INLINE`] bytes to its place: what is built elsewhere is written in parts, and a processor waits for
    /// those before it moves it as a whole.
    #[inline(always)]
    pub(crate) fn write_short(place: &mut MaybeUninit<Self>, sid: u64, status: NrStatus, bytes: &[u8]) {
        let record = place.write(Self { sid, reply: Reply::without_bytes(status as u32) });
        if !bytes.is_empty() {
            record.reply.set_short(bytes);
        }
    }

    /// As [`Reply::ring_cost`].
    #[inline]
    pub(crate) fn ring_cost(&self) -> u64 {
        self.reply.ring_cost()
    }

    /// Bytes that are charged while the record is in the overflow queue.
    pub(crate) fn spill_cost(&self) -> u64 {
        if self.reply.is_overflow() { 0 } else { self.frame_cost() }
    }

    /// Bytes that are charged while the record is in a stream's queue.
    #[inline]
    pub(crate) fn frame_cost(&self) -> u64 {
        QUEUED + self.reply.heap_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_bytes_at_every_length_around_the_boundary() {
        for len in [0, 1, 39, 40, 41, 100, 5000] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let reply = Reply::copy(NrStatus::Unsupported, &bytes).unwrap();
            assert_eq!(&*reply, &bytes[..]);
            assert_eq!(reply.status(), NrStatus::Unsupported);
            assert_eq!(reply.heap_len(), if len > INLINE { len as u64 } else { 0 });
            assert_eq!(reply.into_vec(), bytes);
        }
    }

    #[test]
    fn frames_in_a_row_keep_their_bytes_wherever_they_lie() {
        let bumps = Bumps::new();
        let frame = |len| {
            let bytes: Vec<u8> = (0..len).map(|i| (i + len) as u8).collect();
            (Reply::cut(&bumps, NrStatus::Ok, &bytes).unwrap(), bytes)
        };
        let lengths = [40, 41, 64, bump::LONGEST, bump::LONGEST + 1];
        let frames: Vec<_> = (0..60).map(|i| frame(lengths[i % lengths.len()])).collect();
        assert!(frames.iter().filter(|(reply, _)| reply.heap().is_some_and(|heap| heap.capacity == 0)).count() > 30);
        // Another thread drops half of them, so that some of the chunks are used again.
        let (kept, dropped): (Vec<_>, Vec<_>) = frames.into_iter().enumerate().partition(|(i, _)| i % 2 == 0);
        std::thread::spawn(move || dropped.iter().for_each(|(_, (reply, bytes))| assert_eq!(&**reply, &**bytes)))
            .join()
            .unwrap();
        let more: Vec<_> = (0..60).map(|_| frame(100)).collect();
        for (reply, bytes) in kept.into_iter().map(|(_, frame)| frame).chain(more) {
            assert_eq!(reply.heap_len(), if bytes.len() > INLINE { bytes.len() as u64 } else { 0 });
            assert_eq!(reply.into_vec(), bytes);
        }
    }

    #[test]
    fn an_overflow_is_an_error_without_bytes() {
        for (status, ends) in [(NrStatus::Ok, false), (NrStatus::StreamEnd, true)] {
            let reply = Reply::overflow(status);
            assert!(reply.is_overflow() && reply.is_empty());
            assert_eq!((reply.status(), reply.ends()), (NrStatus::Err, ends));
        }
    }
}
