//! The plugin every contender of the benchmarks calls.
//!
//! Plain ABI without an SDK, and as little work as possible, so that what is measured is the host. The path's first
//! letter says what to do:
//!
//! | path | answer |
//! | --- | --- |
//! | `/e` | inside `handle`: `Ok`, empty |
//! | `/k` | inside `handle`: `Ok`, 1 KiB |
//! | `/c` | inside `handle`: `Ok`, the request's body |
//! | `/f/<n>` | inside `handle`: `n` empty frames, then `StreamEnd` |
//! | `/be` | from a thread of the plugin: `Ok`, empty |
//! | `/bk` | from a thread of the plugin: `Ok`, 1 KiB |
//! | `/bf/<n>` | from a thread of the plugin: `n` frames of 64 B, then `StreamEnd` |
//! | `/threads/<n>` | starts `n` threads; once, before the first `/b…` |
//! | `/idle/<spins>/<yields>` | what a thread without work does before it parks |
//! | `/measure/<0 or 1>` | whether the threads time each of their calls of `send_result` |
//! | `/reset` | forgets the times; `Err` while a thread has work: ask again |
//! | `/stats` | the times, as text: see `stats.rs`; `Err` as above |
//!
//! Everything else is refused with `Unsupported`. The bytes of a 1 KiB answer and of a frame are `0, 1, 2, …`.
//!
//! Each call of `nylon_ring_get_plugin_v1` makes a plugin of its own, so hosts that share one image of the library share
//! nothing else. Nothing of it is ever freed.

mod clock;
mod host;
mod pool;
mod stats;

use std::{
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    slice,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use nylon_ring::{NR_ABI_VERSION, NrBytes, NrHostVTable, NrPluginInfo, NrPluginVTable, NrRequest, NrStatus, NrStr};

use crate::{
    host::Host,
    pool::{Job, Kind, Pool},
};

/// What answers are made of: `0, 1, 2, … 255, 0, …`.
static PATTERN: [u8; 1024] = {
    let mut bytes = [0; 1024];
    let mut i = 0;
    while i < bytes.len() {
        bytes[i] = i as u8;
        i += 1;
    }
    bytes
};

/// How much of [`PATTERN`] a frame of `/bf` is.
const FRAME: usize = 64;

static VTABLE: NrPluginVTable = NrPluginVTable { init: Some(init), handle: Some(handle), shutdown: Some(shutdown) };

/// What can be set from outside, at any time; all of it Relaxed: nothing else depends on it.
#[derive(Default)]
struct Settings {
    /// How often an idle thread looks for work with a pause instruction in between.
    spins: AtomicU32,
    /// How often it then looks with a yield to the scheduler in between, before it parks.
    yields: AtomicU32,
    /// Whether the threads time `send_result`.
    measure: AtomicBool,
}

/// One plugin: what `plugin_ctx` points to.
struct Plugin {
    /// Set by `init`.
    host: OnceLock<Host>,
    /// Set by `/threads/<n>`.
    pool: OnceLock<Pool>,
    settings: Arc<Settings>,
}

/// Makes a plugin of its own for each caller.
#[unsafe(no_mangle)]
pub extern "C" fn nylon_ring_get_plugin_v1() -> *const NrPluginInfo {
    catch_unwind(|| {
        let plugin: &'static Plugin =
            Box::leak(Box::new(Plugin { host: OnceLock::new(), pool: OnceLock::new(), settings: Arc::default() }));
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
        (Some(plugin), Some(vtable)) => match plugin.host.set(Host::new(host_ctx, vtable.send_result)) {
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
    let Some(host) = plugin.host.get() else {
        return NrStatus::Err;
    };
    if req.path.ptr.is_null() {
        return NrStatus::Invalid;
    }
    // SAFETY: not null, and the host promises that many readable bytes until this function returns.
    let path = unsafe { slice::from_raw_parts(req.path.ptr, req.path.len as usize) };
    catch_unwind(AssertUnwindSafe(|| dispatch(plugin, host, sid, path, payload))).unwrap_or(NrStatus::Err)
}

/// Does what the module's table says.
#[inline]
fn dispatch(plugin: &Plugin, host: &Host, sid: u64, path: &[u8], payload: NrBytes) -> NrStatus {
    match path {
        [b'/', b'b', rest @ ..] => background(plugin, sid, rest),
        [b'/', b'e'] => host.send(sid, NrStatus::Ok, &[]),
        [b'/', b'k'] => host.send(sid, NrStatus::Ok, &PATTERN),
        [b'/', b'c'] => host.send_borrowed(sid, NrStatus::Ok, payload),
        [b'/', b'f', b'/', n @ ..] => match number(n) {
            Some(frames) => {
                for _ in 0..frames {
                    host.send(sid, NrStatus::Ok, &[]);
                }
                host.send(sid, NrStatus::StreamEnd, &[])
            }
            None => NrStatus::Unsupported,
        },
        _ => control(plugin, host, sid, path),
    }
}

/// `/b…`: gives the work to a thread.
#[inline]
fn background(plugin: &Plugin, sid: u64, what: &[u8]) -> NrStatus {
    let kind = match what {
        [b'e'] => Kind::Empty,
        [b'k'] => Kind::Kib,
        [b'f', b'/', n @ ..] => match number(n) {
            Some(frames) => Kind::Frames(frames),
            None => return NrStatus::Unsupported,
        },
        _ => return NrStatus::Unsupported,
    };
    match plugin.pool.get() {
        Some(pool) if pool.submit(Job { sid, kind }) => NrStatus::Ok,
        _ => NrStatus::Err,
    }
}

/// The paths that set something up or read something out.
#[cold]
fn control(plugin: &Plugin, host: &Host, sid: u64, path: &[u8]) -> NrStatus {
    let Ok(path) = str::from_utf8(path) else {
        return NrStatus::Invalid;
    };
    let settings = &plugin.settings;
    let mut parts = path.split('/').skip(1);
    let name = parts.next();
    let mut next = || parts.next().and_then(|part| number(part.as_bytes()));
    match (name, next(), next()) {
        (Some("threads"), Some(threads), None) => {
            let Ok(pool) = Pool::start(threads, host.clone(), Arc::clone(settings)) else {
                return NrStatus::Err;
            };
            if let Err(pool) = plugin.pool.set(pool) {
                pool.stop();
                return NrStatus::Err;
            }
            host.send(sid, NrStatus::Ok, &[])
        }
        (Some("idle"), Some(spins), Some(yields)) => {
            settings.spins.store(spins, Ordering::Relaxed);
            settings.yields.store(yields, Ordering::Relaxed);
            host.send(sid, NrStatus::Ok, &[])
        }
        (Some("measure"), Some(on), None) => {
            settings.measure.store(on != 0, Ordering::Relaxed);
            host.send(sid, NrStatus::Ok, &[])
        }
        (Some("reset"), None, None) => match plugin.pool.get() {
            Some(pool) if pool.reset() => host.send(sid, NrStatus::Ok, &[]),
            _ => host.send(sid, NrStatus::Err, &[]),
        },
        (Some("stats"), None, None) => match plugin.pool.get().and_then(Pool::stats) {
            Some(text) => host.send(sid, NrStatus::Ok, text.as_bytes()),
            None => host.send(sid, NrStatus::Err, &[]),
        },
        _ => NrStatus::Unsupported,
    }
}

/// The decimal number that `digits` are.
#[inline]
fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |n, digit| {
        let digit = u32::from(digit.checked_sub(b'0')?);
        if digit > 9 {
            return None;
        }
        n.checked_mul(10)?.checked_add(digit)
    })
}

unsafe extern "C" fn shutdown(plugin_ctx: *mut c_void) {
    if let Some(pool) = plugin(plugin_ctx).and_then(|plugin| plugin.pool.get()) {
        // A panic has nobody to be told to.
        let _ = catch_unwind(AssertUnwindSafe(|| pool.stop()));
    }
}
