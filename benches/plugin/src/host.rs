//! The way back to the host.

use std::ffi::c_void;

use nylon_ring::{NrBytes, NrStatus};

type SendResult = unsafe extern "C" fn(*mut c_void, u64, NrStatus, NrBytes);

/// What `init` was given.
#[derive(Clone)]
pub(crate) struct Host {
    ctx: *mut c_void,
    send_result: SendResult,
}

// SAFETY: the host promises that `send_result` may be called with this context from any thread.
unsafe impl Send for Host {}
// SAFETY: as above; nothing here is ever written.
unsafe impl Sync for Host {}

impl Host {
    pub(crate) fn new(ctx: *mut c_void, send_result: SendResult) -> Self {
        Self { ctx, send_result }
    }

    /// Sends a result or a frame; `Ok`, which is what `handle` then returns.
    #[inline]
    pub(crate) fn send(&self, sid: u64, status: NrStatus, payload: &[u8]) -> NrStatus {
        self.send_borrowed(sid, status, NrBytes::from_slice(payload))
    }

    /// The same with bytes of the caller's.
    #[inline]
    pub(crate) fn send_borrowed(&self, sid: u64, status: NrStatus, payload: NrBytes) -> NrStatus {
        // SAFETY: the context belongs to the function, and the payload lives until it returns.
        unsafe { (self.send_result)(self.ctx, sid, status, payload) };
        NrStatus::Ok
    }
}
