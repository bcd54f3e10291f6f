//! The plugin that every contender with this project's ABI calls: [`Work`] behind plain ABI, without an SDK.
//!
//! `nylon-ring-bench-work` has the table of paths. What is refused, is refused by the status that `handle` returns.
//!
//! Each call of `nylon_ring_get_plugin_v1` makes a plugin of its own, so hosts that share one image of the library share
//! nothing else. Nothing of it is ever freed.

mod host;

use std::{
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    slice,
    sync::OnceLock,
};

use nylon_ring::{NR_ABI_VERSION, NrBytes, NrHostVTable, NrPluginInfo, NrPluginVTable, NrRequest, NrStatus, NrStr};
use nylon_ring_bench_work::Work;

use crate::host::{Host, status};

static VTABLE: NrPluginVTable = NrPluginVTable { init: Some(init), handle: Some(handle), shutdown: Some(shutdown) };

/// One plugin: what `plugin_ctx` points to; set by `init`.
type Plugin = OnceLock<Work<Host>>;

/// Makes a plugin of its own for each caller.
#[unsafe(no_mangle)]
pub extern "C" fn nylon_ring_get_plugin_v1() -> *const NrPluginInfo {
    catch_unwind(|| {
        let plugin: &'static Plugin = Box::leak(Box::default());
        let info: &'static NrPluginInfo = Box::leak(Box::new(NrPluginInfo {
            abi_version: NR_ABI_VERSION,
            struct_size: size_of::<NrPluginInfo>() as u32,
            name: NrStr::from_str("nylon_ring_bench_plugin"),
            version: NrStr::from_str(env!("CARGO_PKG_VERSION")),
            plugin_ctx: std::ptr::from_ref(plugin).cast_mut().cast(),
            vtable: &raw const VTABLE,
        }));
        std::ptr::from_ref(info)
    })
    .unwrap_or(std::ptr::null())
}

/// The plugin that a `plugin_ctx` stands for.
fn plugin<'a>(plugin_ctx: *mut c_void) -> Option<&'a Plugin> {
    // SAFETY: null, or what `nylon_ring_get_plugin_v1` leaked: never freed, and only ever shared.
    unsafe { plugin_ctx.cast::<Plugin>().as_ref() }
}

unsafe extern "C" fn init(
    plugin_ctx: *mut c_void,
    host_ctx: *mut c_void,
    host_vtable: *const NrHostVTable,
) -> NrStatus {
    // SAFETY: null, or the host's table, which lives while this plugin can run.
    let vtable = unsafe { host_vtable.as_ref() };
    match (plugin(plugin_ctx), vtable) {
        (Some(plugin), Some(vtable)) => match plugin.set(Work::new(Host::new(host_ctx, vtable.send_result))) {
            Ok(()) => NrStatus::Ok,
            Err(_) => NrStatus::Err,
        },
        _ => NrStatus::Invalid,
    }
}

unsafe extern "C" fn handle(plugin_ctx: *mut c_void, sid: u64, req: *const NrRequest, payload: NrBytes) -> NrStatus {
    // SAFETY: null, or a request that is valid until this function returns.
    let req = unsafe { req.as_ref() };
    let (Some(plugin), Some(req)) = (plugin(plugin_ctx), req) else {
        return NrStatus::Invalid;
    };
    let Some(work) = plugin.get() else {
        return NrStatus::Err;
    };
    if req.path.ptr.is_null() {
        return NrStatus::Invalid;
    }
    // SAFETY: not null, and the host promises that many readable bytes until this function returns.
    let path = unsafe { slice::from_raw_parts(req.path.ptr, req.path.len as usize) };
    // SAFETY: the host's bytes are valid until this function returns.
    let body = || unsafe { payload.as_slice() }.ok();
    catch_unwind(AssertUnwindSafe(|| status(work.call(sid, path, body)))).unwrap_or(NrStatus::Err)
}

unsafe extern "C" fn shutdown(plugin_ctx: *mut c_void) {
    if let Some(work) = plugin(plugin_ctx).and_then(OnceLock::get) {
        // A panic has nobody to be told to.
        let _ = catch_unwind(AssertUnwindSafe(|| work.stop()));
    }
}
