//! `nylon.state/1`: what a plugin stores for one call.

use std::{ffi::c_void, ptr};

use nylon_ring::{NrBytes, NrHostExt, NrStr};

use crate::{callbacks::contain, context::Context};

/// The table behind the id.
pub(super) static TABLE: NrHostExt = NrHostExt { set_state, get_state };

const NOTHING: NrBytes = NrBytes { ptr: ptr::null(), len: 0 };
const NULL_CONTEXT: NrBytes = NrBytes::from_slice(b"host_ctx is null: pass the one given to init");
const BAD_KEY: NrBytes = NrBytes::from_slice(b"the key is not UTF-8 text, or null with a length");
const BAD_VALUE: NrBytes = NrBytes::from_slice(b"the value is null with a length, or too long");
const NO_CALL: NrBytes = NrBytes::from_slice(b"the sid names no open call");
const NO_ROOM: NrBytes = NrBytes::from_slice(b"the host's buffer limit is reached");
const PANICKED: NrBytes = NrBytes::from_slice(b"the host failed: please report this");

/// `NrHostExt::set_state`: nothing on success, otherwise a text that lives for ever.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given; key and value are null, absurdly long, or readable.
unsafe extern "C" fn set_state(host_ctx: *mut c_void, sid: u64, key: NrStr, value: NrBytes) -> NrBytes {
    contain(PANICKED, || {
        // SAFETY: the caller passes null or what it was given.
        let Some(context) = (unsafe { Context::from_host_ctx(host_ctx) }) else { return NULL_CONTEXT };
        let refuse = |text| {
            context.state_errors.count();
            text
        };
        if u64::from(key.len).max(value.len) > context.runtime.buffer_limit() {
            return refuse(if value.len > isize::MAX as u64 { BAD_VALUE } else { NO_ROOM });
        }
        // SAFETY: what `as_str` cannot check, the caller vouches for.
        let Ok(key) = (unsafe { key.as_str() }) else { return refuse(BAD_KEY) };
        // SAFETY: as above.
        let Ok(value) = (unsafe { value.as_slice() }) else { return refuse(BAD_VALUE) };
        match context.runtime.set_state(sid, key, value) {
            Ok(()) => NOTHING,
            Err(nylon_ring_runtime::RuntimeError::UnknownSid) => refuse(NO_CALL),
            Err(_) => refuse(NO_ROOM),
        }
    })
}

/// `NrHostExt::get_state`: a view that stays valid until the plugin has sent the terminal result of `sid`.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given; the key is null, absurdly long, or readable.
unsafe extern "C" fn get_state(host_ctx: *mut c_void, sid: u64, key: NrStr) -> NrBytes {
    contain(NOTHING, || {
        // SAFETY: the caller passes null or what it was given.
        let Some(context) = (unsafe { Context::from_host_ctx(host_ctx) }) else { return NOTHING };
        if u64::from(key.len) > context.runtime.buffer_limit() {
            return NOTHING;
        }
        // SAFETY: what `as_str` cannot check, the caller vouches for.
        let Ok(key) = (unsafe { key.as_str() }) else { return NOTHING };
        match context.runtime.get_state(sid, key) {
            Some(value) => NrBytes { ptr: value.as_ptr().cast::<u8>().cast_const(), len: value.len() as u64 },
            None => NOTHING,
        }
    })
}
