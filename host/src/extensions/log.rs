//! `nylon.log/1`: a plugin's messages, as events of `tracing` with the target `nylon_ring::plugin`.

use std::{borrow::Cow, ffi::c_void};

use nylon_ring::{NR_LOG_DEBUG, NR_LOG_ERROR, NR_LOG_INFO, NR_LOG_WARN, NrLogExt, NrStr};
use tracing::{Level, enabled, event};

use super::on_context;
use crate::context::Context;

/// The table behind the id.
pub(super) static TABLE: NrLogExt =
    NrLogExt { struct_size: size_of::<NrLogExt>() as u32, _reserved0: 0, enabled: Some(enabled), log: Some(log) };

/// Does something with a level that `tracing` wants to know at compile time.
macro_rules! with_level {
    ($level:expr, $what:ident) => {
        match $level {
            NR_LOG_ERROR => $what!(Level::ERROR),
            NR_LOG_WARN => $what!(Level::WARN),
            NR_LOG_INFO => $what!(Level::INFO),
            NR_LOG_DEBUG => $what!(Level::DEBUG),
            _ => $what!(Level::TRACE),
        }
    };
}

/// `NrLogExt::enabled`.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given.
unsafe extern "C" fn enabled(host_ctx: *mut c_void, level: u32) -> u32 {
    macro_rules! look {
        ($level:expr) => {
            u32::from(enabled!(target: "nylon_ring::plugin", $level))
        };
    }
    // SAFETY: as the caller promises.
    unsafe { on_context(host_ctx, 0, |_| with_level!(level, look)) }
}

/// `NrLogExt::log`.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given; both texts are null, or readable.
unsafe extern "C" fn log(host_ctx: *mut c_void, sid: u64, level: u32, target: NrStr, message: NrStr) {
    let write = |context: &'static Context| {
        // SAFETY: what cannot be checked, that a plausible pointer is readable, the caller vouches for.
        let part = unsafe { text(&target) };
        // SAFETY: as above.
        let message = unsafe { text(&message) };
        let (Some(part), Some(message)) = (part, message) else { return context.extension_errors.count() };
        let plugin = &*context.name;
        macro_rules! write {
            ($level:expr) => {
                event!(target: "nylon_ring::plugin", $level, plugin, sid, part = &*part, "{message}")
            };
        }
        with_level!(level, write)
    };
    // SAFETY: as the caller promises.
    unsafe { on_context(host_ctx, (), write) }
}

/// The text of a view, with what is not UTF-8 replaced; `None` for null with a length.
///
/// # Safety
///
/// The view is null, or readable for as long as it is borrowed.
unsafe fn text(view: &NrStr) -> Option<Cow<'_, str>> {
    let bytes = nylon_ring::NrBytes { ptr: view.ptr, len: view.len.into() };
    // SAFETY: as the caller promises.
    let bytes = unsafe { bytes.as_slice() }.ok()?;
    Some(String::from_utf8_lossy(bytes))
}
