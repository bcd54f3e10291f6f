//! `nylon.stream/1`: frames with backpressure.

use std::ffi::c_void;

use nylon_ring::{
    NR_SEND_CLOSED, NR_SEND_FULL, NR_SEND_INVALID, NR_SEND_SENT, NR_WATCH_REFUSED, NrBytes, NrCallback, NrStreamExt,
};
use nylon_ring_runtime::TrySendError;

use super::{on_context, register};
use crate::context::Context;

/// The table behind the id.
pub(super) static TABLE: NrStreamExt = NrStreamExt {
    struct_size: size_of::<NrStreamExt>() as u32,
    _reserved0: 0,
    try_send: Some(try_send),
    on_writable: Some(on_writable),
    credits: Some(credits),
};

/// `NrStreamExt::try_send`.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given; `payload` is null, absurdly long, or readable.
unsafe extern "C" fn try_send(host_ctx: *mut c_void, sid: u64, payload: NrBytes) -> u32 {
    let send = |context: &'static Context| {
        let invalid = || {
            context.extension_errors.count();
            NR_SEND_INVALID
        };
        if payload.len > context.runtime.buffer_limit() {
            return invalid();
        }
        // SAFETY: what `as_slice` cannot check, that a plausible pointer is readable, the caller vouches for.
        let Ok(bytes) = (unsafe { payload.as_slice() }) else { return invalid() };
        match context.runtime.try_send(sid, bytes) {
            Ok(()) => NR_SEND_SENT,
            Err(TrySendError::Full) => NR_SEND_FULL,
            Err(TrySendError::Closed) => NR_SEND_CLOSED,
        }
    };
    // SAFETY: as the caller promises.
    unsafe { on_context(host_ctx, NR_SEND_CLOSED, send) }
}

/// `NrStreamExt::on_writable`.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given; `callback` can be called once with `user`, on any thread.
unsafe extern "C" fn on_writable(
    host_ctx: *mut c_void,
    sid: u64,
    callback: Option<NrCallback>,
    user: *mut c_void,
) -> u32 {
    // SAFETY: as the caller promises.
    unsafe {
        on_context(host_ctx, NR_WATCH_REFUSED, |context| {
            register(context, sid, callback, user, |callback| {
                context.runtime.on_writable(sid, move |event| callback.call(event))
            })
        })
    }
}

/// `NrStreamExt::credits`.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given.
unsafe extern "C" fn credits(host_ctx: *mut c_void, sid: u64) -> u64 {
    // SAFETY: as the caller promises.
    unsafe { on_context(host_ctx, 0, |context| context.runtime.credits(sid)) }
}
