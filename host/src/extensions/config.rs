//! `nylon.config/1`: what the host was configured with for this plugin.

use std::{ffi::c_void, ptr};

use nylon_ring::{NrBytes, NrConfigExt};

use super::on_context;

/// The table behind the id.
pub(super) static TABLE: NrConfigExt =
    NrConfigExt { struct_size: size_of::<NrConfigExt>() as u32, _reserved0: 0, get: Some(get) };

/// `NrConfigExt::get`.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given.
unsafe extern "C" fn get(host_ctx: *mut c_void) -> NrBytes {
    let nothing = NrBytes { ptr: ptr::null(), len: 0 };
    // SAFETY: as the caller promises.
    unsafe { on_context(host_ctx, nothing, |context| NrBytes::from_slice(&context.config)) }
}
