//! The way back to the host.

use std::ffi::c_void;

use nylon_ring::{NrBytes, NrStatus};
use nylon_ring_bench_work::{Sent, Status};

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
}

impl nylon_ring_bench_work::Host for Host {
    #[inline]
    fn send(&self, sid: u64, status: Status, payload: &'static [u8]) -> Sent {
        self.send_copied(sid, status, payload)
    }

    #[inline]
    fn send_copied(&self, sid: u64, status: Status, payload: &[u8]) -> Sent {
        // SAFETY: the context belongs to the function, and the payload lives until it returns.
        unsafe { (self.send_result)(self.ctx, sid, self::status(status), NrBytes::from_slice(payload)) };
        Sent::Taken
    }
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
