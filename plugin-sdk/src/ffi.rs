//! The boundary to the host: every `extern "C"` function, every `unsafe` block and every `catch_unwind` of this crate.
//!
//! ```text
//!  host ── get_plugin_v1 ──► INFO ──► vtable: init, handle, shutdown    (plugin_ctx = the library's one Instance<P>)
//!       ── attach_host_v1 ─► Api      the extensions, looked up once
//!       ── init ───────────► Link     send_result and state: the way back
//!       ── handle ─────────► Request, Open ──► P::call ──► Open::send*, Open::finish, or Open's Drop
//! ```
//!
//! Invariants that the `unsafe` blocks cite:
//!
//! * **F1** (instance): a `plugin_ctx` that is not null is the one of this library's [`NrPluginInfo`], because a host
//!   passes back what it found there. It points to a static `Instance<P>` of the same `P` that the function was made
//!   for, because [`info`] puts instance and vtable in together.
//! * **F2** (borrowed arguments): what an argument of an `extern "C"` function points to can be read, and does not
//!   change, until that function returns. Null and misaligned pointers are refused before they are read.
//! * **F3** (the host lives): the host's context, vtable, `NrHostApi` and extension tables are never freed or changed
//!   while a thread of the plugin can run, and their functions take any thread.
//! * **F4** (one terminal result): there is one [`Open`] for each accepted `handle`. It is not `Clone`; whatever ends
//!   the call takes it by value, and `Drop` ends it otherwise. So while an `&Open` exists, no terminal result of its
//!   sid has been sent, and none is being sent. (`send` takes `&mut`, for on a unary call the first frame is the
//!   result.)
//! * **F5** (status): an `NrStatus` is passed and returned as the `u32` that it is on the wire. The functions here, as
//!   those of the host, are written with a `u32`, and have the type with the enum only while they lie in a table: one
//!   type for caller and callee is what the language promises to work.
//!
//! No panic leaves an `extern "C"` function: each is a call of [`contain`].

use std::{
    ffi::{CStr, c_char, c_void},
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use nylon_ring::{
    EXT_STATE, NR_ABI_VERSION, NrBytes, NrHostApi, NrHostExt, NrHostVTable, NrPluginInfo, NrPluginVTable,
    NrRawHandleFn, NrRawInitFn, NrRawSendResultFn, NrRequest, NrStatus, NrStr,
};

use crate::{Error, Plugin, Request, lifecycle::Instance};

type Init = unsafe extern "C" fn(*mut c_void, *mut c_void, *const NrHostVTable) -> NrStatus;
type Handle = unsafe extern "C" fn(*mut c_void, u64, *const NrRequest, NrBytes) -> NrStatus;
type SetState = unsafe extern "C" fn(*mut c_void, u64, NrStr, NrBytes) -> NrBytes;
type GetState = unsafe extern "C" fn(*mut c_void, u64, NrStr) -> NrBytes;
type GetExtension = unsafe extern "C" fn(*mut c_void, *const c_char) -> *const c_void;

/// Runs `f`; if it panics, the answer is `fallback`.
///
/// The panic hook has told of the panic by then, so what the panic carries is only dropped. That may panic in turn, in
/// which case it is leaked.
pub(crate) fn contain<T>(fallback: T, f: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => value,
        Err(panic) => {
            if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
                mem::forget(another);
            }
            fallback
        }
    }
}

/// What `f` returns, as the host reads it; [`NrStatus::Err`] if it panics.
fn answer(f: impl FnOnce() -> NrStatus) -> u32 {
    contain(NrStatus::Err, f).as_raw()
}

/// What the library says of itself: `instance`, and the functions that know it.
#[must_use]
pub const fn info<P: Plugin>(
    instance: &'static Instance<P>,
    name: &'static str,
    version: &'static str,
) -> NrPluginInfo {
    NrPluginInfo {
        abi_version: NR_ABI_VERSION,
        struct_size: size_of::<NrPluginInfo>() as u32,
        name: NrStr::from_str(name),
        version: NrStr::from_str(version),
        plugin_ctx: (&raw const *instance).cast_mut().cast(),
        vtable: const {
            &NrPluginVTable {
                // SAFETY: F5.
                init: Some(unsafe { mem::transmute::<NrRawInitFn, Init>(init::<P>) }),
                // SAFETY: F5.
                handle: Some(unsafe { mem::transmute::<NrRawHandleFn, Handle>(handle::<P>) }),
                shutdown: Some(shutdown::<P>),
            }
        },
    }
}

/// `nylon_ring_attach_host_v1`: notes what the host offers beside the core ABI.
///
/// # Safety
///
/// As the ABI has it: `plugin_ctx` is null or that of this library's info (F1), and `api` is null or points to an
/// `NrHostApi` that is never freed while a thread of the plugin can run (F3).
pub unsafe fn attach<P: Plugin>(plugin_ctx: *mut c_void, api: *const NrHostApi) {
    contain((), || {
        // SAFETY: F1.
        let instance = unsafe { plugin_ctx.cast::<Instance<P>>().as_ref() };
        // SAFETY: F3.
        let api = unsafe { Api::read(api) };
        if let (Some(instance), Some(api)) = (instance, api) {
            instance.attach(api);
        }
    });
}

unsafe extern "C" fn init<P: Plugin>(
    plugin_ctx: *mut c_void,
    host_ctx: *mut c_void,
    host_vtable: *const NrHostVTable,
) -> u32 {
    answer(|| {
        // SAFETY: F1.
        let instance = unsafe { plugin_ctx.cast::<Instance<P>>().as_ref() };
        if host_ctx.is_null() || !host_vtable.is_aligned() {
            return NrStatus::Invalid;
        }
        // `send_result` is the whole of the vtable. Read as an `Option`, a null function is `None`; its status by F5.
        let send_result = host_vtable.cast::<Option<NrRawSendResultFn>>();
        // SAFETY: F2, and it is aligned.
        let send_result = unsafe { send_result.as_ref() }.copied().flatten();
        match (instance, send_result) {
            (Some(instance), Some(send_result)) => instance.start(host_ctx, send_result),
            _ => NrStatus::Invalid,
        }
    })
}

unsafe extern "C" fn handle<P: Plugin>(
    plugin_ctx: *mut c_void,
    sid: u64,
    req: *const NrRequest,
    payload: NrBytes,
) -> u32 {
    answer(|| {
        // SAFETY: F1.
        let instance = unsafe { plugin_ctx.cast::<Instance<P>>().as_ref() };
        let Some(running) = instance.and_then(Instance::running) else {
            return NrStatus::Invalid;
        };
        // SAFETY: F2; the request that comes out is not used past this call, for `P::call` takes it with any lifetime.
        let Some(request) = (unsafe { read_request(req, payload) }) else {
            return NrStatus::Invalid;
        };
        let link = &running.link;
        let open = Open { link, sid };
        // From here on the result comes from `open`: a panic drops it, unless the handler has passed it on before.
        contain((), || running.plugin.call(request, open.into()));
        NrStatus::Ok
    })
}

unsafe extern "C" fn shutdown<P: Plugin>(plugin_ctx: *mut c_void) {
    contain((), || {
        // SAFETY: F1.
        if let Some(instance) = unsafe { plugin_ctx.cast::<Instance<P>>().as_ref() } {
            instance.stop();
        }
    });
}

/// The request with all its texts checked; `None` if any part of it breaks the contract.
///
/// # Safety
///
/// What `req` and `body` point to satisfies F2 for `'a`.
unsafe fn read_request<'a>(req: *const NrRequest, body: NrBytes) -> Option<Request<'a>> {
    if !req.is_aligned() {
        return None;
    }
    // SAFETY: F2, and it is aligned.
    let req = unsafe { req.as_ref() }?;
    // SAFETY: F2.
    let method = unsafe { req.method.as_str() }.ok()?;
    // SAFETY: F2.
    let path = unsafe { req.path.as_str() }.ok()?;
    // SAFETY: F2.
    let query = unsafe { req.query.as_str() }.ok()?;
    // SAFETY: F2.
    let headers = unsafe { req.header_refs() }.ok()?;
    // SAFETY: F2.
    let body = unsafe { body.as_slice() }.ok()?;
    Some(Request { method, path, query, headers, body })
}

/// The host's door to extensions, read once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api {
    host_ctx: *mut c_void,
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
    unsafe fn read(api: *const NrHostApi) -> Option<Self> {
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

/// The host's per-call state.
#[derive(Debug, Clone, Copy)]
struct StateTable {
    host_ctx: *mut c_void,
    set: SetState,
    get: GetState,
}

impl StateTable {
    fn find(api: &Api) -> Option<Self> {
        /// [`NrHostExt`], in which a broken host could have left a function null.
        #[repr(C)]
        struct Nullable {
            set: Option<SetState>,
            get: Option<GetState>,
        }
        let table = api.extension(EXT_STATE).cast::<NrHostExt>();
        if !table.is_aligned() {
            return None;
        }
        // SAFETY: F3, and it is aligned; the layout is that of `NrHostExt`, but for functions that may be null.
        let table = unsafe { table.cast::<Nullable>().as_ref() }?;
        Some(Self { host_ctx: api.host_ctx, set: table.set?, get: table.get? })
    }
}

/// The way back to the host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    host_ctx: *mut c_void,
    send_result: NrRawSendResultFn,
    state: Option<StateTable>,
}

// SAFETY: F3: all it holds may be used from any thread.
unsafe impl Send for Link {}
// SAFETY: F3.
unsafe impl Sync for Link {}

impl Link {
    pub(crate) fn new(host_ctx: *mut c_void, send_result: NrRawSendResultFn, api: Option<&Api>) -> Self {
        Self { host_ctx, send_result, state: api.and_then(StateTable::find) }
    }

    pub(crate) const fn has_state(&self) -> bool {
        self.state.is_some()
    }

    fn send(&self, sid: u64, status: NrStatus, payload: &[u8]) {
        let payload = NrBytes::from_slice(payload);
        // SAFETY: F3; the payload outlives the call, and the host copies it before it returns.
        unsafe { (self.send_result)(self.host_ctx, sid, status.as_raw(), payload) }
    }
}

/// The right, and the duty, to end one call (F4).
#[derive(Debug)]
pub(crate) struct Open {
    link: &'static Link,
    sid: u64,
}

impl Open {
    pub(crate) const fn sid(&self) -> u64 {
        self.sid
    }

    /// One frame of a stream.
    pub(crate) fn send(&mut self, payload: &[u8]) {
        self.link.send(self.sid, NrStatus::Ok, payload);
    }

    /// The result of a unary call, or the terminal frame of a stream.
    pub(crate) fn finish(self, status: NrStatus, payload: &[u8]) {
        let Self { link, sid } = self;
        mem::forget(self); // its `Drop` would send another
        link.send(sid, status, payload);
    }

    pub(crate) fn set_state(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        let (table, key) = self.state(key)?;
        let value = NrBytes::from_slice(value);
        // SAFETY: F3; key and value outlive the call, and the host copies both.
        let refusal = unsafe { (table.set)(table.host_ctx, self.sid, key, value) };
        if refusal.is_empty() {
            return Ok(());
        }
        // SAFETY: not empty, so it is an error text, which is static.
        let reason = unsafe { refusal.as_slice() }.unwrap_or_default();
        let reason = String::from_utf8_lossy(reason).into_owned();
        Err(Error::StateRefused { reason })
    }

    pub(crate) fn get_state(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let (table, key) = self.state(key)?;
        // SAFETY: F3; the key outlives the call.
        let value = unsafe { (table.get)(table.host_ctx, self.sid, key) };
        if value.is_empty() && value.ptr.is_null() {
            return Ok(None);
        }
        // SAFETY: it is valid until the terminal result of the sid, which F4 keeps away for as long as `self` is
        // borrowed.
        match unsafe { value.as_slice() } {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(source) => Err(Error::StateUnreadable { source }),
        }
    }

    fn state(&self, key: &str) -> Result<(&'static StateTable, NrStr), Error> {
        let table = self.link.state.as_ref().ok_or(Error::StateUnsupported)?;
        let key = NrStr::try_from_str(key).map_err(|source| Error::StateKey { source })?;
        Ok((table, key))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let text: &[u8] =
            if thread::panicking() { b"the plugin panicked" } else { b"the plugin dropped the call without ending it" };
        self.link.send(self.sid, NrStatus::Err, text);
    }
}

/// Exports a [`Plugin`] from this library: `plugin! { Hello }`, or `plugin! { Hello, name: "hello", version: "1.2.3" }`.
///
/// To be written once. Name and version are constants of the type `&'static str`; each may be left out, and is then that
/// of the package. It defines `nylon_ring_get_plugin_v1` and `nylon_ring_attach_host_v1`, each one call of this crate.
#[macro_export]
macro_rules! plugin {
    ($plugin:ty $(,)?) => {
        $crate::plugin! { $plugin, name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") }
    };
    ($plugin:ty, name: $name:expr $(,)?) => {
        $crate::plugin! { $plugin, name: $name, version: env!("CARGO_PKG_VERSION") }
    };
    ($plugin:ty, version: $version:expr $(,)?) => {
        $crate::plugin! { $plugin, name: env!("CARGO_PKG_NAME"), version: $version }
    };
    ($plugin:ty, name: $name:expr, version: $version:expr $(,)?) => {
        /// The library's entry point.
        #[unsafe(no_mangle)]
        pub extern "C" fn nylon_ring_get_plugin_v1() -> *const $crate::__private::NrPluginInfo {
            static INSTANCE: $crate::__private::Instance<$plugin> = $crate::__private::Instance::new();
            static INFO: $crate::__private::NrPluginInfo = $crate::__private::info(&INSTANCE, $name, $version);
            &INFO
        }

        /// Learns what the host offers beside the core ABI.
        ///
        /// # Safety
        ///
        /// As the ABI has it; only a host calls this.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn nylon_ring_attach_host_v1(
            plugin_ctx: *mut ::core::ffi::c_void,
            api: *const $crate::__private::NrHostApi,
        ) {
            // SAFETY: the caller promises the same.
            unsafe { $crate::__private::attach::<$plugin>(plugin_ctx, api) }
        }
    };
}
