//! The functions that plugins call: each validates and delegates, and catches the panics of what may panic.
//!
//! They may be called from any thread, at any time, with any values. A status is read as the `u32` that it is; a pointer is
//! looked at only when its length allows; a null context is counted and ignored. Nothing here allocates or takes a lock, but
//! for the copy of the payload.

use std::{
    ffi::{CStr, c_char, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
};

use nylon_ring::{NrBytes, NrHostApi, NrHostVTable, NrStatus};

use crate::{
    context::{Context, NULL_CONTEXT},
    extensions,
};

/// Runs `f`; a panic, which would be a bug of ours, ends in `otherwise` and goes no further.
#[inline]
pub(crate) fn contain<R>(otherwise: R, f: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or(otherwise)
}

/// The table every plugin gets.
pub(crate) fn vtable() -> NrHostVTable {
    NrHostVTable::from_raw(send_result)
}

/// The door to the extensions.
pub(crate) fn api(host_ctx: *mut c_void) -> NrHostApi {
    NrHostApi { struct_size: size_of::<NrHostApi>() as u32, flags: 0, host_ctx, get_extension: Some(get_extension) }
}

/// `NrHostVTable::send_result`: pushes a result into the ring that its sid names.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given; `payload` is null, absurdly long, or readable.
unsafe extern "C" fn send_result(host_ctx: *mut c_void, sid: u64, status: u32, payload: NrBytes) {
    // SAFETY: the caller passes null or what it was given.
    let Some(context) = (unsafe { Context::from_host_ctx(host_ctx) }) else { return NULL_CONTEXT.count() };
    let status = context.status(status);
    if payload.len > context.runtime.buffer_limit() {
        return send_huge(context, sid, status, payload);
    }
    // SAFETY: what `as_slice` cannot check, that a plausible pointer is readable, the caller vouches for.
    let Ok(bytes) = (unsafe { payload.as_slice() }) else { return send_invalid(context, sid) };
    if !context.runtime.send_at_once(sid, status, bytes) {
        send(context, sid, status, bytes);
    }
}

/// Out of line, as what follows: what is sent at once cannot panic, and needs no preparations for it.
#[inline(never)]
fn send(context: &Context, sid: u64, status: NrStatus, bytes: &[u8]) {
    contain((), || context.runtime.send_otherwise(sid, status, bytes));
}

/// More bytes than may be buffered, or than there can be.
#[cold]
fn send_huge(context: &Context, sid: u64, status: NrStatus, payload: NrBytes) {
    if payload.len > isize::MAX as u64 || payload.ptr.is_null() {
        return send_invalid(context, sid);
    }
    contain((), || context.runtime.send_overflow(sid, status));
}

/// What stands for a payload that cannot be one.
#[cold]
fn send_invalid(context: &Context, sid: u64) {
    context.invalid_payload.count();
    send(context, sid, NrStatus::Invalid, &[]);
}

/// `NrHostApi::get_extension`.
///
/// # Safety
///
/// `id` is null or a NUL-terminated string.
unsafe extern "C" fn get_extension(_host_ctx: *mut c_void, id: *const c_char) -> *const c_void {
    contain(ptr::null(), || {
        if id.is_null() {
            return ptr::null();
        }
        // SAFETY: not null, and the caller vouches for the terminator.
        let id = unsafe { CStr::from_ptr(id) };
        extensions::table(id)
    })
}
