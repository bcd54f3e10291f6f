//! The only caller of a plugin's functions.
//!
//! | function | when | how often |
//! | --- | --- | --- |
//! | `attach_host` | before `init` | once, if the plugin exports it |
//! | `init` | before the first `handle` | once, if the plugin has it |
//! | `handle` | between `init` and `shutdown`, from any thread | once a call |
//! | `shutdown` | after the last `handle` | at most once, if the plugin has it |
//!
//! Invariants:
//!
//! 1. The functions come from [`loader`](crate::loader), which checked them and never unmaps their library: they can
//!    be called at any time, from any thread.
//! 2. What a function returns as a status is read as a `u32`. An [`NrStatus`] is formed here alone, and only from a
//!    value that the ABI names; any other value becomes [`NrStatus::Err`].
//! 3. `plugin_ctx` is never read, only handed back.
//!
//! That a plugin keeps its own side of the ABI cannot be checked; to load a library is to trust it.

use std::{
    ffi::{CStr, c_void},
    fmt,
    ptr::NonNull,
    sync::OnceLock,
};

use nylon_ring::{NrAttachHostFn, NrGetExtensionFn, NrHostApi, NrHostVTable, NrRawHandleFn, NrRawInitFn, NrStatus};

use crate::{error::NylonRingHostError, request::AbiRequest};

/// A plugin's functions, looked up and checked once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PluginFns {
    pub(crate) handle: NrRawHandleFn,
    pub(crate) init: Option<NrRawInitFn>,
    pub(crate) shutdown: Option<unsafe extern "C" fn(*mut c_void)>,
    pub(crate) attach_host: Option<NrAttachHostFn>,
    pub(crate) get_extension: Option<NrGetExtensionFn>,
}

/// A non-`Ok` return of a plugin's function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The status; [`NrStatus::Err`] for a value that the ABI does not name.
    pub(crate) status: NrStatus,
    /// The value itself.
    pub(crate) raw: u32,
}

impl Refusal {
    /// Whether the ABI does not name the value.
    #[inline]
    pub(crate) fn is_unknown(self) -> bool {
        self.status.as_raw() != self.raw
    }
}

impl From<Refusal> for NylonRingHostError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { status: refusal.status }
    }
}

/// A loaded plugin.
pub(crate) struct Plugin {
    fns: PluginFns,
    /// Belongs to the plugin; invariant 3.
    plugin_ctx: *mut c_void,
    /// Set by whoever calls `shutdown`, before the call.
    shut_down: OnceLock<()>,
}

// SAFETY: the ABI has a plugin's functions callable from any thread with its context, which is only handed through
// (invariant 3).
unsafe impl Send for Plugin {}
// SAFETY: as for `Send`; and the ABI has `handle` callable from several threads at once, while `shut_down` lets one
// call through.
unsafe impl Sync for Plugin {}

impl Plugin {
    /// A plugin with these functions and this context.
    ///
    /// # Safety
    ///
    /// * The functions and the context come from one and the same plugin, with the types that the ABI gives them.
    /// * The plugin's library stays mapped as long as the process runs.
    pub(crate) unsafe fn new(fns: PluginFns, plugin_ctx: *mut c_void) -> Self {
        Self { fns, plugin_ctx, shut_down: OnceLock::new() }
    }

    /// Hands the host's extensions to the plugin. Does nothing for a plugin that does not ask for them.
    ///
    /// # Safety
    ///
    /// `api`, and all that can be reached through it, stays valid as long as a thread of the plugin can run.
    pub(crate) unsafe fn attach(&self, api: NonNull<NrHostApi>) {
        if let Some(attach_host) = self.fns.attach_host {
            // SAFETY: invariant 1; the caller vouches for `api`.
            unsafe { attach_host(self.plugin_ctx, api.as_ptr()) }
        }
    }

    /// Starts the plugin. A plugin without `init` is started as it is.
    ///
    /// # Errors
    ///
    /// What `init` returned, if it was not `Ok`; the plugin is not to be called again.
    ///
    /// # Safety
    ///
    /// * `host_ctx` and `vtable` stay valid as long as a thread of the plugin can run.
    /// * `vtable` holds functions that can be called with `host_ctx` from any thread.
    pub(crate) unsafe fn init(&self, host_ctx: *mut c_void, vtable: NonNull<NrHostVTable>) -> Result<(), Refusal> {
        let Some(init) = self.fns.init else {
            return Ok(());
        };
        // SAFETY: invariant 1; the caller vouches for `host_ctx` and `vtable`.
        let raw = unsafe { init(self.plugin_ctx, host_ctx, vtable.as_ptr()) };
        accepted(raw)
    }

    /// Hands one request to the plugin. The result, if the plugin accepts, comes through the host's vtable, perhaps
    /// before this returns.
    ///
    /// # Errors
    ///
    /// What `handle` returned, if it was not `Ok`; no result follows.
    #[inline]
    pub(crate) fn handle(&self, sid: u64, request: AbiRequest<'_>) -> Result<(), Refusal> {
        // SAFETY: invariant 1; an `AbiRequest` points to memory that is live until this returns, and the plugin keeps
        // none of it.
        let raw = unsafe { (self.fns.handle)(self.plugin_ctx, sid, request.request(), request.body()) };
        accepted(raw)
    }

    /// Asks the plugin for one of its own extensions.
    pub(crate) fn extension(&self, id: &CStr) -> Option<NonNull<c_void>> {
        let get_extension = self.fns.get_extension?;
        // SAFETY: invariant 1; `id` is NUL-terminated and live until this returns.
        let table = unsafe { get_extension(self.plugin_ctx, id.as_ptr()) };
        NonNull::new(table.cast_mut())
    }

    /// Stops the plugin: the first call does, any further one does nothing.
    ///
    /// It may block for as long as the plugin likes. No [`handle`](Self::handle) may follow or be under way.
    pub(crate) fn shutdown(&self) {
        if self.shut_down.set(()).is_err() {
            return;
        }
        if let Some(shutdown) = self.fns.shutdown {
            // SAFETY: invariant 1; `shut_down` lets one call through.
            unsafe { shutdown(self.plugin_ctx) }
        }
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("plugin_ctx", &self.plugin_ctx)
            .field("shut_down", &self.shut_down.get().is_some())
            .finish_non_exhaustive()
    }
}

/// Invariant 2.
#[inline]
fn accepted(raw: u32) -> Result<(), Refusal> {
    if raw == NrStatus::Ok.as_raw() {
        Ok(())
    } else {
        Err(Refusal { status: NrStatus::from_raw(raw).unwrap_or(NrStatus::Err), raw })
    }
}
