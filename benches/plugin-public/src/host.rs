//! The way back to the host.

use std::{ffi::c_void, ptr};

use nylon_ring_bench_work::{Sent, Status};
use public::{NrHostVTable, NrOwnedBytes, NrStatus, NrVec};

/// What `init` was given.
#[derive(Clone)]
pub(crate) struct Host {
    ctx: *mut c_void,
    /// A copy: the host's own goes when the host does.
    vtable: NrHostVTable,
}

// SAFETY: the host promises that its functions may be called with this context from any thread.
unsafe impl Send for Host {}
// SAFETY: as above; nothing here is ever written.
unsafe impl Sync for Host {}

impl Host {
    pub(crate) fn new(ctx: *mut c_void, vtable: NrHostVTable) -> Self {
        Self { ctx, vtable }
    }
}

impl nylon_ring_bench_work::Host for Host {
    /// Hands the bytes over as they are: the host makes its one copy when the caller takes them. A lease would cost a
    /// second look-up, and `send_result` a second copy.
    #[inline]
    fn send(&self, sid: u64, status: Status, payload: &'static [u8]) -> Sent {
        let status = self::status(status);
        sent(if payload.is_empty() {
            // SAFETY: the context belongs to the function.
            unsafe { (self.vtable.send_result)(self.ctx, sid, status, NrVec::default()) }
        } else {
            // SAFETY: the context belongs to the function, and the bytes live for ever.
            unsafe { (self.vtable.send_result_owned)(self.ctx, sid, status, NrOwnedBytes::from_static(payload)) }
        })
    }

    /// Writes into a buffer that the host lends: inside the call that is the fastest way, by about a tenth.
    #[inline]
    fn send_copied(&self, sid: u64, status: Status, payload: &[u8]) -> Sent {
        if payload.is_empty() {
            return self.send(sid, status, &[]);
        }
        let (status, len) = (self::status(status), payload.len() as u64);
        // SAFETY: the context belongs to the function.
        let lease = unsafe { (self.vtable.acquire_result_buffer)(self.ctx, sid, len) };
        sent(if lease.is_failed() || lease.cap < len {
            // SAFETY: the context belongs to the function.
            unsafe { (self.vtable.send_result)(self.ctx, sid, status, NrVec::from_vec(payload.to_vec())) }
        } else {
            // SAFETY: the buffer is ours until it is committed, is not the payload's, and has room for `len` bytes.
            unsafe { ptr::copy_nonoverlapping(payload.as_ptr(), lease.ptr, payload.len()) };
            // SAFETY: the context belongs to the function, and the first `len` bytes have been written.
            unsafe { (self.vtable.commit_result_buffer)(self.ctx, sid, status, lease.token, len) }
        })
    }
}

/// What the host's answer means. A sid that it does not know any more is no reason to send again.
#[inline]
fn sent(answer: NrStatus) -> Sent {
    if answer == NrStatus::Backpressure { Sent::NoRoom } else { Sent::Taken }
}

/// The same status in the ABI's words.
#[inline]
pub(crate) fn status(status: Status) -> NrStatus {
    match status {
        Status::Ok => NrStatus::Ok,
        Status::Err => NrStatus::Err,
        Status::Invalid => NrStatus::Invalid,
        Status::Unsupported => NrStatus::Unsupported,
        Status::StreamEnd => NrStatus::StreamEnd,
    }
}
