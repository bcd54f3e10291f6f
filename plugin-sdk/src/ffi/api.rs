//! What the host offers beside the core ABI.

use std::ffi::{CStr, c_char, c_void};

use nylon_ring::NrHostApi;

type GetExtension = unsafe extern "C" fn(*mut c_void, *const c_char) -> *const c_void;

/// The host's door to extensions, read once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api {
    pub(super) host_ctx: *mut c_void,
    get_extension: GetExtension,
}

// SAFETY: F3: all it holds may be used from any thread.
unsafe impl Send for Api {}
// SAFETY: F3.
unsafe impl Sync for Api {}

impl Api {
    /// `None` if there is nothing that could be used.
    ///
    /// # Safety
    ///
    /// `api` is null or satisfies F3.
    pub(super) unsafe fn read(api: *const NrHostApi) -> Option<Self> {
        if !api.is_aligned() {
            return None;
        }
        // SAFETY: F3, and it is aligned; every `NrHostApi` begins with its size, which may be too small for the rest.
        let size = unsafe { api.cast::<u32>().as_ref() }?;
        if (*size as usize) < size_of::<NrHostApi>() {
            return None;
        }
        // SAFETY: F3; aligned, and as large as the type.
        let api = unsafe { api.as_ref() }?;
        api.get_extension.map(|get_extension| Self { host_ctx: api.host_ctx, get_extension })
    }

    /// The extension's table; null if the host does not offer it.
    pub(crate) fn extension(&self, id: &CStr) -> *const c_void {
        // SAFETY: F3; `id` is NUL-terminated.
        unsafe { (self.get_extension)(self.host_ctx, id.as_ptr()) }
    }
}
