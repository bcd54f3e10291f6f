//! The only caller of a plugin's functions.
//!
//! | function | when | how often |
//! | --- | --- | --- |
//! | `attach_host` | before `init` | once, if the plugin exports it |
//! | `init` | before the first `handle` | once, if the plugin has it |
//! | `handle` | between `init` and `shutdown`, from any thread | once a call |
//! | `create` of `nylon.instance/1` | at any time | once an instance |
//! | `check` of `nylon.health/1` | between `init` and `shutdown` | whenever somebody asks; one at a time |
//! | `shutdown` | after the last `handle` and `check` | at most once, if the plugin has it |
//! | `is_quiescent` of `nylon.quiesce/1` | after `shutdown` and the host | until it says yes, or the host has waited enough |
//! | `destroy` of `nylon.instance/1` | after that, for an instance | once |
//!
//! Invariants:
//!
//! 1. The functions come from [`loader`](crate::loader), which checked them, and from a library that this has a share in: it is
//!    mapped as long as that, and they can be called at any time, from any thread.
//! 2. What a function returns as a status is read as a `u32`. An [`NrStatus`] is formed here alone, and only from a
//!    value that the ABI names; any other value becomes [`NrStatus::Err`].
//! 3. `plugin_ctx` is never read, only handed back.
//!
//! That a plugin keeps its own side of the ABI cannot be checked; to load a library is to trust it.

use std::{
    ffi::{CStr, c_void},
    fmt,
    ptr::{self, NonNull},
    sync::{Mutex, OnceLock, PoisonError},
};

use nylon_ring::{
    NrAttachHostFn, NrGetExtensionFn, NrHostApi, NrHostVTable, NrRawHandleFn, NrRawInitFn, NrStatus, NrStr,
};

use crate::{
    error::NylonRingHostError,
    loader::Share,
    offers::{Check, Destroy, Health, Instances, IsQuiescent},
    request::AbiRequest,
};

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

/// What `handle` returned: a word, until somebody looks whether it is a status.
#[derive(Debug, Clone, Copy)]
#[must_use = "no result follows a call that was refused"]
pub(crate) struct Handled(u32);

impl Handled {
    /// Whether the plugin took the call.
    ///
    /// # Errors
    ///
    /// What `handle` returned, if it was not `Ok`; no result follows.
    #[inline]
    pub(crate) fn accepted(self) -> Result<(), Refusal> {
        accepted(self.0)
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
    /// Held while the plugin is asked for its health.
    checks: Mutex<()>,
    /// That of the plugin's info; another one than `plugin_ctx` for an instance. Belongs to the plugin too.
    first_ctx: *mut c_void,
    /// Frees an instance.
    destroy: Option<Destroy>,
    /// There until the plugin is left. Declared last: functions go before it.
    library: Option<Share>,
}

/// What is left of a plugin that was shut down and whose host is gone. Dropped, it stays for ever.
#[derive(Debug)]
pub(crate) struct Remains {
    plugin_ctx: *mut c_void,
    first_ctx: *mut c_void,
    is_quiescent: IsQuiescent,
    destroy: Option<Destroy>,
    library: Share,
}

// SAFETY: the ABI has a plugin's functions callable from any thread with its context.
unsafe impl Send for Remains {}

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
    /// * `library` is the one that they come from.
    pub(crate) unsafe fn new(fns: PluginFns, plugin_ctx: *mut c_void, library: Share) -> Self {
        let (shut_down, checks) = (OnceLock::new(), Mutex::new(()));
        Self { fns, plugin_ctx, shut_down, checks, first_ctx: plugin_ctx, destroy: None, library: Some(library) }
    }

    /// Makes another instance, which has not been started. `None` if the plugin has been left.
    ///
    /// # Errors
    ///
    /// What `create` returned, if it was not `Ok`.
    pub(crate) fn instance(&self, instances: Instances) -> Result<Option<Self>, Refusal> {
        let Some(library) = &self.library else { return Ok(None) };
        let library = library.another();
        let mut plugin_ctx = ptr::null_mut();
        // SAFETY: invariant 1; the plugin writes one pointer.
        accepted(unsafe { (instances.create)(self.first_ctx, &raw mut plugin_ctx) })?;
        // SAFETY: the functions are those of the same plugin, and the context is one that they take.
        let instance = unsafe { Self::new(self.fns, plugin_ctx, library) };
        Ok(Some(Self { first_ctx: self.first_ctx, destroy: Some(instances.destroy), ..instance }))
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
    #[inline]
    pub(crate) fn handle(&self, sid: u64, request: AbiRequest<'_>) -> Handled {
        // SAFETY: invariant 1; an `AbiRequest` points to memory that is live until this returns, and the plugin keeps
        // none of it.
        Handled(unsafe { (self.fns.handle)(self.plugin_ctx, sid, request.request(), request.body()) })
    }

    /// Asks the plugin for one of its own extensions.
    pub(crate) fn extension(&self, id: &CStr) -> Option<NonNull<c_void>> {
        let get_extension = self.fns.get_extension?;
        // SAFETY: invariant 1; `id` is NUL-terminated and live until this returns.
        let table = unsafe { get_extension(self.plugin_ctx, id.as_ptr()) };
        NonNull::new(table.cast_mut())
    }

    /// Asks the plugin how it is; `None` once it is being stopped.
    pub(crate) fn health(&self, check: Check) -> Option<Health> {
        let _one_at_a_time = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shut_down.get().is_some() {
            return None;
        }
        let mut detail = NrStr { ptr: ptr::null(), len: 0 };
        // SAFETY: invariant 1; the plugin writes one view, if any.
        let raw = unsafe { check(self.plugin_ctx, &raw mut detail) };
        // SAFETY: the ABI has the text live until the next check, which waits; bad pointers and bytes are what is checked here.
        let detail = unsafe { detail.as_str() }.map(str::to_owned).unwrap_or_default();
        Some(Health { status: NrStatus::from_raw(raw).unwrap_or(NrStatus::Err), detail })
    }

    /// Stops the plugin: the first call does, any further one does nothing.
    ///
    /// It may block for as long as the plugin likes. No [`handle`](Self::handle) may follow or be under way.
    pub(crate) fn shutdown(&self) {
        if self.shut_down.set(()).is_err() {
            return;
        }
        // A check that has begun ends before.
        drop(self.checks.lock());
        if let Some(shutdown) = self.fns.shutdown {
            // SAFETY: invariant 1; `shut_down` lets one call through.
            unsafe { shutdown(self.plugin_ctx) }
        }
    }
}

impl Plugin {
    /// Leaves a plugin that was shut down: what remains can be freed once it is quiescent. `None` if that cannot be known.
    pub(crate) fn leave(&mut self, is_quiescent: Option<IsQuiescent>) -> Option<Remains> {
        let Self { plugin_ctx, first_ctx, destroy, .. } = *self;
        Some(Remains { plugin_ctx, first_ctx, is_quiescent: is_quiescent?, destroy, library: self.library.take()? })
    }
}

impl Remains {
    /// Whether this is one of several instances.
    pub(crate) fn is_instance(&self) -> bool {
        self.destroy.is_some()
    }

    /// Whether the plugin says that nobody runs its code or calls its host, or ever will. (It need not be asked again then.)
    pub(crate) fn is_quiescent(&self) -> bool {
        // SAFETY: invariant 1; the plugin was shut down, and is asked by the one who has its remains.
        unsafe { (self.is_quiescent)(self.plugin_ctx) == 1 }
    }

    /// Frees the instance, and with `unmap` gives the share in the library back.
    ///
    /// # Safety
    ///
    /// The plugin has said that it is quiescent, and nobody else has a function or a table of it.
    pub(crate) unsafe fn free(self, unmap: bool) {
        if let Some(destroy) = self.destroy {
            // SAFETY: invariant 1; the instance is quiescent, and this is the only call.
            unsafe { destroy(self.first_ctx, self.plugin_ctx) };
        }
        if unmap {
            // SAFETY: as the caller promises.
            unsafe { self.library.release() };
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
    if raw == NrStatus::Ok.as_raw() { Ok(()) } else { Err(refusal(raw)) }
}

#[cold]
fn refusal(raw: u32) -> Refusal {
    Refusal { status: NrStatus::from_raw(raw).unwrap_or(NrStatus::Err), raw }
}
