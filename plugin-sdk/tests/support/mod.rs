//! A host in the test's own process: it drives a plugin through its C functions, and keeps what comes back.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests; no test file uses all of it"
)]

use std::{
    collections::HashMap,
    ffi::{CStr, c_char, c_void},
    ptr,
    sync::{
        Condvar, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use nylon_ring::{
    EXT_STATE, NrBytes, NrHeader, NrHostApi, NrHostExt, NrHostVTable, NrPluginInfo, NrRequest, NrStatus, NrStr,
};

pub const OK: u32 = NrStatus::Ok as u32;
pub const ERR: u32 = NrStatus::Err as u32;
pub const INVALID: u32 = NrStatus::Invalid as u32;
pub const UNSUPPORTED: u32 = NrStatus::Unsupported as u32;
pub const STREAM_END: u32 = NrStatus::StreamEnd as u32;

/// One result or frame: the raw status, and the payload as text.
pub type Sent = (u32, String);

pub fn sent(status: u32, text: &str) -> Sent {
    (status, text.to_owned())
}

#[derive(Default)]
pub struct FakeHost {
    sent: Mutex<HashMap<u64, Vec<Sent>>>,
    arrived: Condvar,
    state: Mutex<HashMap<(u64, String), &'static [u8]>>,
    next_sid: AtomicU64,
}

static VTABLE: NrHostVTable = NrHostVTable::from_raw(send_result);
static STATE: NrHostExt = NrHostExt { set_state, get_state };

fn host(ctx: *mut c_void) -> &'static FakeHost {
    // SAFETY: only ever called with a leaked `FakeHost`.
    unsafe { ctx.cast::<FakeHost>().as_ref() }.expect("the host's context")
}

fn text(text: NrStr) -> String {
    // SAFETY: an argument of the function that is running.
    unsafe { text.as_str() }.unwrap().to_owned()
}

unsafe extern "C" fn send_result(ctx: *mut c_void, sid: u64, status: u32, payload: NrBytes) {
    // SAFETY: an argument of the function that is running.
    let payload = unsafe { payload.as_slice() }.unwrap();
    let payload = String::from_utf8(payload.to_vec()).unwrap();
    let mut all = host(ctx).sent.lock().unwrap();
    all.entry(sid).or_default().push((status, payload));
    host(ctx).arrived.notify_all();
}

unsafe extern "C" fn set_state(ctx: *mut c_void, sid: u64, key: NrStr, value: NrBytes) -> NrBytes {
    let key = text(key);
    if key == "forbidden" {
        return NrBytes::from_slice(b"no such luck");
    }
    // SAFETY: an argument of the function that is running.
    let value = unsafe { value.as_slice() }.unwrap().to_vec();
    let mut state = host(ctx).state.lock().unwrap();
    state.insert((sid, key), Vec::leak(value));
    NrBytes::EMPTY
}

unsafe extern "C" fn get_state(ctx: *mut c_void, sid: u64, key: NrStr) -> NrBytes {
    let key = text(key);
    if key == "broken" {
        return NrBytes { ptr: ptr::null(), len: 3 };
    }
    let state = host(ctx).state.lock().unwrap();
    state.get(&(sid, key)).map_or(NrBytes::EMPTY, |value| NrBytes::from_slice(value))
}

unsafe extern "C" fn get_extension(ctx: *mut c_void, id: *const c_char) -> *const c_void {
    assert!(!ctx.is_null());
    // SAFETY: the contract: NUL-terminated.
    let id = unsafe { CStr::from_ptr(id) };
    if id == EXT_STATE { (&raw const STATE).cast() } else { ptr::null() }
}

/// A plugin and its host.
#[derive(Clone, Copy)]
pub struct Driver {
    pub info: &'static NrPluginInfo,
    pub host: &'static FakeHost,
}

impl Driver {
    pub fn new(info: *const NrPluginInfo) -> Self {
        // SAFETY: the contract: it is a static of the plugin.
        let info = unsafe { info.as_ref() }.expect("the info");
        let host = Box::leak(Box::default());
        Self { info, host }
    }

    pub fn host_ctx(self) -> *mut c_void {
        ptr::from_ref(self.host).cast_mut().cast()
    }

    /// What a host passes to `nylon_ring_attach_host_v1`.
    pub fn api(self) -> &'static NrHostApi {
        Box::leak(Box::new(NrHostApi {
            struct_size: u32::try_from(size_of::<NrHostApi>()).unwrap(),
            flags: 0,
            host_ctx: self.host_ctx(),
            get_extension: Some(get_extension),
        }))
    }

    pub fn init(self) -> u32 {
        self.init_with(self.info.plugin_ctx, self.host_ctx(), &VTABLE)
    }

    pub fn init_with(self, plugin_ctx: *mut c_void, host_ctx: *mut c_void, vtable: *const NrHostVTable) -> u32 {
        // SAFETY: a static of the plugin.
        let functions = unsafe { self.info.vtable.as_ref() }.unwrap();
        let init = functions.raw_init().unwrap();
        // SAFETY: each argument is null, or as the contract has it.
        unsafe { init(plugin_ctx, host_ctx, vtable) }
    }

    pub fn shutdown(self) {
        // SAFETY: a static of the plugin.
        let functions = unsafe { self.info.vtable.as_ref() }.unwrap();
        let shutdown = functions.shutdown.unwrap();
        // SAFETY: as the contract has it.
        unsafe { shutdown(self.info.plugin_ctx) }
    }

    /// `handle` with anything.
    pub fn handle(self, plugin_ctx: *mut c_void, sid: u64, req: *const NrRequest, payload: NrBytes) -> u32 {
        // SAFETY: a static of the plugin.
        let functions = unsafe { self.info.vtable.as_ref() }.unwrap();
        let handle = functions.raw_handle().unwrap();
        // SAFETY: each argument is as the contract has it, or wrong in a way that can be seen.
        unsafe { handle(plugin_ctx, sid, req, payload) }
    }

    /// A sound request.
    pub fn request(self, path: &str, headers: &[NrHeader], body: &[u8]) -> (u64, u32) {
        let sid = self.host.next_sid.fetch_add(1, Relaxed);
        let request = NrRequest::build("GET", path, "a=1", headers).unwrap();
        let payload = NrBytes::from_slice(body);
        (sid, self.handle(self.info.plugin_ctx, sid, &request, payload))
    }

    /// Calls the plugin, waits for `count` results or frames, and returns all there are.
    pub fn call(self, path: &str, count: usize) -> Vec<Sent> {
        let (sid, status) = self.request(path, &[], b"");
        assert_eq!(status, OK);
        self.wait(sid, count)
    }

    pub fn wait(self, sid: u64, count: usize) -> Vec<Sent> {
        let all = self.host.sent.lock().unwrap();
        let missing = |all: &mut HashMap<u64, Vec<Sent>>| all.entry(sid).or_default().len() < count;
        let (all, result) = self.host.arrived.wait_timeout_while(all, Duration::from_secs(20), missing).unwrap();
        assert!(!result.timed_out(), "the plugin did not answer sid {sid}");
        all[&sid].clone()
    }

    /// All results and frames so far, of all sids.
    pub fn total(self) -> usize {
        self.host.sent.lock().unwrap().values().map(Vec::len).sum()
    }
}
