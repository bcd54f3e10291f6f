//! The functions of the ABI: what `plugin!` exports, and what the tables of a plugin hold.

use std::{
    ffi::{CStr, c_char, c_void},
    mem, ptr,
};

use nylon_ring::{
    EXT_HEALTH, EXT_INSTANCE, EXT_QUIESCE, NR_ABI_VERSION, NrBytes, NrHealthExt, NrHostApi, NrHostVTable,
    NrInstanceExt, NrPluginInfo, NrPluginVTable, NrQuiesceExt, NrRawHandleFn, NrRawInitFn, NrRawSendResultFn,
    NrRequest, NrStatus, NrStr,
};

use super::{Api, Link, Open, contain};
use crate::{Plugin, Request, lifecycle::Instance, scope};

type Init = unsafe extern "C" fn(*mut c_void, *mut c_void, *const NrHostVTable) -> NrStatus;
type Handle = unsafe extern "C" fn(*mut c_void, u64, *const NrRequest, NrBytes) -> NrStatus;

/// What `f` returns, as the host reads it; [`NrStatus::Err`] if it panics.
fn answer(f: impl FnOnce() -> NrStatus) -> u32 {
    contain(NrStatus::Err, f).as_raw()
}

/// The instance that a `plugin_ctx` stands for.
///
/// # Safety
///
/// F1; it is not used past F7.
unsafe fn instance<P: Plugin>(plugin_ctx: *mut c_void) -> Option<&'static Instance<P>> {
    // SAFETY: null, or by F1 an instance, which lives long enough by F7.
    unsafe { plugin_ctx.cast::<Instance<P>>().as_ref() }
}

/// What a library exports.
#[derive(Debug)]
pub struct Exports {
    /// What `nylon_ring_get_plugin_v1` returns.
    pub info: NrPluginInfo,
    /// `nylon_ring_attach_host_v1`
    pub attach: unsafe extern "C" fn(*mut c_void, *const NrHostApi),
    /// `nylon_ring_get_extension_v1`
    pub extension: unsafe extern "C" fn(*mut c_void, *const c_char) -> *const c_void,
}

/// What the library exports: its first instance, and the functions that know it.
#[must_use]
pub const fn exports<P: Plugin>(instance: &'static Instance<P>, name: &'static str, version: &'static str) -> Exports {
    let info = NrPluginInfo {
        abi_version: NR_ABI_VERSION,
        struct_size: size_of::<NrPluginInfo>() as u32,
        name: NrStr::from_str(name),
        version: NrStr::from_str(version),
        plugin_ctx: (&raw const *instance).cast_mut().cast(),
        vtable: vtable::<P>(),
    };
    Exports { info, attach: attach::<P>, extension: extension::<P> }
}

/// The functions of every instance of `P`.
pub(crate) const fn vtable<P: Plugin>() -> &'static NrPluginVTable {
    const {
        &NrPluginVTable {
            // SAFETY: F5.
            init: Some(unsafe { mem::transmute::<NrRawInitFn, Init>(init::<P>) }),
            // SAFETY: F5.
            handle: Some(unsafe { mem::transmute::<NrRawHandleFn, Handle>(handle::<P>) }),
            shutdown: Some(shutdown::<P>),
        }
    }
}

/// `nylon_ring_attach_host_v1`: notes what the host offers beside the core ABI.
///
/// # Safety
///
/// As the ABI has it: `plugin_ctx` is null or an instance of `P` (F1), and `api` is null or points to an `NrHostApi` that
/// is never freed while a thread of the plugin can run (F3).
pub(crate) unsafe extern "C" fn attach<P: Plugin>(plugin_ctx: *mut c_void, api: *const NrHostApi) {
    contain((), || {
        // SAFETY: F1.
        let instance = unsafe { instance::<P>(plugin_ctx) };
        // SAFETY: F3.
        let api = unsafe { Api::read(api) };
        if let (Some(instance), Some(api)) = (instance, api) {
            instance.attach(api);
        }
    });
}

/// `nylon_ring_get_extension_v1`: the extensions of every plugin of this crate.
///
/// # Safety
///
/// As the ABI has it: `id` is null or NUL-terminated.
#[must_use]
pub(crate) unsafe extern "C" fn extension<P: Plugin>(_plugin_ctx: *mut c_void, id: *const c_char) -> *const c_void {
    let instances: &'static NrInstanceExt = const {
        &NrInstanceExt {
            struct_size: size_of::<NrInstanceExt>() as u32,
            _reserved0: 0,
            create: Some(create::<P>),
            destroy: Some(destroy::<P>),
        }
    };
    let quiesce: &'static NrQuiesceExt = const {
        let is_quiescent = Some(is_quiescent::<P> as unsafe extern "C" fn(*mut c_void) -> u32);
        &NrQuiesceExt { struct_size: size_of::<NrQuiesceExt>() as u32, _reserved0: 0, is_quiescent }
    };
    let health: &'static NrHealthExt = const {
        let check = Some(check::<P> as unsafe extern "C" fn(*mut c_void, *mut NrStr) -> u32);
        &NrHealthExt { struct_size: size_of::<NrHealthExt>() as u32, _reserved0: 0, check }
    };
    contain(ptr::null(), || {
        if id.is_null() {
            return ptr::null();
        }
        // SAFETY: F2; NUL-terminated, by the contract.
        match unsafe { CStr::from_ptr(id) } {
            id if id == EXT_INSTANCE => ptr::from_ref(instances).cast(),
            id if id == EXT_QUIESCE => ptr::from_ref(quiesce).cast(),
            id if id == EXT_HEALTH => ptr::from_ref(health).cast(),
            _ => ptr::null(),
        }
    })
}

unsafe extern "C" fn init<P: Plugin>(
    plugin_ctx: *mut c_void,
    host_ctx: *mut c_void,
    host_vtable: *const NrHostVTable,
) -> u32 {
    answer(|| {
        // SAFETY: F1.
        let instance = unsafe { instance::<P>(plugin_ctx) };
        if host_ctx.is_null() || !host_vtable.is_aligned() {
            return NrStatus::Invalid;
        }
        // `send_result` is the whole of the vtable. Read as an `Option`, a null function is `None`; its status by F5.
        let send_result = host_vtable.cast::<Option<NrRawSendResultFn>>();
        // SAFETY: F2, and it is aligned.
        let send_result = unsafe { send_result.as_ref() }.copied().flatten();
        match (instance, send_result) {
            (Some(instance), Some(send_result)) => instance.start(|api| Link::new(host_ctx, send_result, api.copied())),
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
        let instance = unsafe { instance::<P>(plugin_ctx) };
        let Some((plugin, link)) = instance.and_then(Instance::running) else {
            return NrStatus::Invalid;
        };
        // SAFETY: F2; the request that comes out is not used past this call, for `P::call` takes it with any lifetime.
        let Some(request) = (unsafe { read_request(req, payload) }) else {
            return NrStatus::Invalid;
        };
        scope::handle(link, sid, || {
            let open = Open::new(link, sid);
            // From here on the result comes from `open`: a panic drops it, unless the handler has passed it on before.
            contain((), || plugin.call(request, open.into()));
        });
        NrStatus::Ok
    })
}

unsafe extern "C" fn shutdown<P: Plugin>(plugin_ctx: *mut c_void) {
    contain((), || {
        // SAFETY: F1.
        if let Some(instance) = unsafe { instance::<P>(plugin_ctx) } {
            instance.stop();
        }
    });
}

unsafe extern "C" fn create<P: Plugin>(_plugin_ctx: *mut c_void, instance_ctx: *mut *mut c_void) -> u32 {
    answer(|| {
        if instance_ctx.is_null() || !instance_ctx.is_aligned() {
            return NrStatus::Invalid;
        }
        let instance = Box::into_raw(Box::new(Instance::<P>::another()));
        // SAFETY: F2, and it is aligned: the host has room for a pointer there.
        unsafe { instance_ctx.write(instance.cast()) };
        NrStatus::Ok
    })
}

unsafe extern "C" fn destroy<P: Plugin>(_plugin_ctx: *mut c_void, instance_ctx: *mut c_void) {
    contain((), || {
        // SAFETY: F1.
        let Some(instance) = (unsafe { instance::<P>(instance_ctx) }) else { return };
        // SAFETY: F6.
        let unused = unsafe { instance.retire() };
        if !unused || !instance.is_another() {
            return; // a host that asks too early: leaked (F7)
        }
        // SAFETY: it comes from `into_raw` in `create`, for it is not the first one; by F6 and F7 nobody uses it.
        drop(unsafe { Box::from_raw(instance_ctx.cast::<Instance<P>>()) });
    });
}

unsafe extern "C" fn is_quiescent<P: Plugin>(plugin_ctx: *mut c_void) -> u32 {
    contain(0, || {
        // SAFETY: F1.
        let Some(instance) = (unsafe { instance::<P>(plugin_ctx) }) else { return 0 };
        // SAFETY: F6.
        u32::from(unsafe { instance.retire() })
    })
}

unsafe extern "C" fn check<P: Plugin>(plugin_ctx: *mut c_void, detail: *mut NrStr) -> u32 {
    answer(|| {
        // SAFETY: F1.
        let Some(instance) = (unsafe { instance::<P>(plugin_ctx) }) else { return NrStatus::Invalid };
        let (status, text) = instance.health();
        if !detail.is_null() && detail.is_aligned() {
            // SAFETY: F2, and it is aligned: the host has room for a text there.
            unsafe { detail.write(text) };
        }
        status
    })
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
