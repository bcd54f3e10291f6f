//! A plugin as the baselines and the floor call it: straight through its table, trusted, and never unmapped.

use std::{
    ffi::c_void,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use libloading::Library;
use nylon_ring::{NR_ABI_VERSION, NrBytes, NrHostVTable, NrPluginInfo, NrPluginVTable, NrRequest, NrStatus};

/// What these hosts can fail with.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The library could not be opened, or has no entry point.
    #[error("cannot load the plugin: {0}")]
    Load(#[from] libloading::Error),
    /// The plugin is not one for this ABI.
    #[error("the plugin is not usable: {0}")]
    Unusable(&'static str),
    /// The request is too large for the ABI.
    #[error("the request does not fit the ABI: {0}")]
    Request(#[from] nylon_ring::NrViewError),
    /// `handle` refused the request.
    #[error("the plugin refused the request: {0}")]
    Refused(NrStatus),
    /// The sender went away without an answer.
    #[error("no answer came")]
    Lost,
}

type Handle = unsafe extern "C" fn(*mut c_void, u64, *const NrRequest, NrBytes) -> NrStatus;

/// What was found in the library; it is never unmapped, so all of it stays valid.
#[derive(Debug)]
pub(crate) struct PlainPlugin {
    ctx: *mut c_void,
    handle: Handle,
    shutdown: Option<unsafe extern "C" fn(*mut c_void)>,
    stopped: AtomicBool,
}

// SAFETY: the functions of a plugin may be called with its context from any thread.
unsafe impl Send for PlainPlugin {}
// SAFETY: as above; no other field but the flag is ever written.
unsafe impl Sync for PlainPlugin {}

impl PlainPlugin {
    /// Loads a plugin and starts it.
    ///
    /// # Errors
    /// It cannot be opened, is not a plugin of this ABI, or does not start.
    ///
    /// # Safety
    /// `host_ctx` and `vtable` stay valid for ever, and the functions of the one may be called with the other from any thread.
    pub(crate) unsafe fn start(
        path: &Path,
        host_ctx: *mut c_void,
        vtable: &'static NrHostVTable,
    ) -> Result<Self, BaselineError> {
        // SAFETY: loading runs the library's initialisers; it is the benchmarks' own plugin.
        let library = unsafe { Library::new(path) }?;
        // SAFETY: the symbol has this type in every plugin.
        let entry =
            unsafe { library.get::<unsafe extern "C" fn() -> *const NrPluginInfo>("nylon_ring_get_plugin_v1") }?;
        // SAFETY: it takes nothing and may be called from any thread.
        let info = unsafe { entry() };
        // SAFETY: null, or an info that lives as long as the library, which is forgotten below.
        let info: &NrPluginInfo = unsafe { info.as_ref() }.ok_or(BaselineError::Unusable("no info"))?;
        if !info.compatible(NR_ABI_VERSION) {
            return Err(BaselineError::Unusable("another ABI"));
        }
        // SAFETY: null, or a table that lives as long as the library.
        let table: &NrPluginVTable = unsafe { info.vtable.as_ref() }.ok_or(BaselineError::Unusable("no vtable"))?;
        let handle = table.handle.ok_or(BaselineError::Unusable("no handle function"))?;
        std::mem::forget(library);
        if let Some(init) = table.init {
            // SAFETY: called once, before any `handle`; the caller vouches for context and table.
            let status = unsafe { init(info.plugin_ctx, host_ctx, vtable) };
            if status != NrStatus::Ok {
                return Err(BaselineError::Refused(status));
            }
        }
        Ok(Self { ctx: info.plugin_ctx, handle, shutdown: table.shutdown, stopped: AtomicBool::new(false) })
    }

    /// Hands a request to the plugin.
    ///
    /// # Errors
    /// It is refused.
    #[inline]
    pub(crate) fn handle(&self, sid: u64, request: &NrRequest, body: &[u8]) -> Result<(), BaselineError> {
        // SAFETY: the plugin is started, and all that the request borrows outlives this call.
        let status = unsafe { (self.handle)(self.ctx, sid, &raw const *request, NrBytes::from_slice(body)) };
        match status {
            NrStatus::Ok => Ok(()),
            refused => Err(BaselineError::Refused(refused)),
        }
    }

    /// Stops the plugin, once; there must be nothing in flight.
    pub(crate) fn shutdown(&self) {
        if !self.stopped.swap(true, Ordering::AcqRel)
            && let Some(shutdown) = self.shutdown
        {
            // SAFETY: called once, with the plugin's own context.
            unsafe { shutdown(self.ctx) };
        }
    }
}
