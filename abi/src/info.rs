//! What a plugin says of itself, and what may be shared between threads.

use crate::{NrHostApi, NrPluginInfo};

impl NrPluginInfo {
    /// Whether a host built for `expected_abi_version` and for this layout can use the plugin: the version is the
    /// same, and the plugin's struct is at least as large as the one known here.
    ///
    /// A reference to a whole `NrPluginInfo` already supposes the size. A loader that knows nothing yet reads the
    /// first two fields through the raw pointer before it makes the reference.
    ///
    /// ```
    /// use core::ptr;
    /// use nylon_ring::{NR_ABI_VERSION, NrPluginInfo, NrStr};
    ///
    /// let info = NrPluginInfo {
    ///     abi_version: NR_ABI_VERSION,
    ///     struct_size: size_of::<NrPluginInfo>() as u32,
    ///     name: NrStr::from_str("demo"),
    ///     version: NrStr::from_str("0.1.0"),
    ///     plugin_ctx: ptr::null_mut(),
    ///     vtable: ptr::null(),
    /// };
    /// assert!(info.compatible(NR_ABI_VERSION));
    /// assert!(!info.compatible(NR_ABI_VERSION + 1));
    /// ```
    #[must_use]
    pub const fn compatible(&self, expected_abi_version: u32) -> bool {
        // `u32` to `usize` loses nothing: `layout.rs` admits 64-bit targets only.
        self.abi_version == expected_abi_version && self.struct_size as usize >= size_of::<NrPluginInfo>()
    }
}

// SAFETY: safe code can only copy the fields; every use of what the pointers lead to is an `unsafe` operation of its
// own. Those uses may rely on the contract: the info, its texts and its vtable do not change while the library is
// loaded, whichever thread looks, and `plugin_ctx` is only ever handed back to the plugin, on any thread.
unsafe impl Sync for NrPluginInfo {}

// SAFETY: as for `Sync`; nothing in it belongs to the thread that made it, and it has no destructor.
unsafe impl Send for NrPluginInfo {}

// SAFETY: safe code can only copy the fields; every use of what the pointers lead to is an `unsafe` operation of its
// own. Those uses may rely on the contract: the host never changes the struct, and its functions take `host_ctx` on
// any thread.
unsafe impl Sync for NrHostApi {}

// SAFETY: as for `Sync`; nothing in it belongs to the thread that made it, and it has no destructor.
unsafe impl Send for NrHostApi {}
