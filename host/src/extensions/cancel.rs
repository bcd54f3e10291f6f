//! `nylon.cancel/1`: whether anybody still waits.

use std::ffi::c_void;

use nylon_ring::{NR_WATCH_REFUSED, NrCallback, NrCancelExt};

use super::{on_context, register};

/// The table behind the id.
pub(super) static TABLE: NrCancelExt = NrCancelExt {
    struct_size: size_of::<NrCancelExt>() as u32,
    _reserved0: 0,
    is_cancelled: Some(is_cancelled),
    on_cancel: Some(on_cancel),
};

/// `NrCancelExt::is_cancelled`.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given.
unsafe extern "C" fn is_cancelled(host_ctx: *mut c_void, sid: u64) -> u32 {
    // SAFETY: as the caller promises.
    unsafe { on_context(host_ctx, 1, |context| u32::from(!context.runtime.is_wanted(sid))) }
}

/// `NrCancelExt::on_cancel`.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given; `callback` can be called once with `user`, on any thread.
unsafe extern "C" fn on_cancel(
    host_ctx: *mut c_void,
    sid: u64,
    callback: Option<NrCallback>,
    user: *mut c_void,
) -> u32 {
    // SAFETY: as the caller promises.
    unsafe {
        on_context(host_ctx, NR_WATCH_REFUSED, |context| {
            register(context, sid, callback, user, |callback| {
                context.runtime.on_give_up(sid, move |event| callback.call(event))
            })
        })
    }
}
