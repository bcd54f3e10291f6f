//! A host as small as can be: it keeps what a plugin sends, and checks nothing.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    collections::{HashMap, HashSet},
    ffi::{CStr, c_char, c_void},
    path::{Path, PathBuf},
    ptr, slice,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use libloading::Library;
use nylon_ring::{NR_ABI_VERSION, NrBytes, NrHostApi, NrPluginInfo, NrRequest, NrStr};

/// Most bytes that the fake host reads from one result.
const READABLE: u64 = 1 << 28;

/// One `send_result`.
#[derive(Debug, Clone)]
pub struct Sent {
    pub sid: u64,
    pub status: u32,
    pub address: usize,
    pub len: u64,
    /// Empty when the address or the length cannot be real.
    pub bytes: Vec<u8>,
}

/// A sid, and a key of its state.
pub type Key = (u64, Vec<u8>);

/// What `host_ctx` points to.
#[derive(Default)]
pub struct Context {
    pub sent: Mutex<Vec<Sent>>,
    pub live: Mutex<HashSet<u64>>,
    pub state: Mutex<HashMap<Key, &'static [u8]>>,
    /// Whether `set_state` takes anything, as a bad host would.
    pub gullible: bool,
}

static WITHOUT_CONTEXT: AtomicU64 = AtomicU64::new(0);

#[repr(C)]
struct VTable {
    send_result: unsafe extern "C" fn(*const Context, u64, u32, NrBytes),
}

/// `NrPluginVTable` with raw statuses.
#[repr(C)]
struct PluginVTable {
    init: Option<unsafe extern "C" fn(*mut c_void, *const Context, *const VTable) -> u32>,
    handle: Option<unsafe extern "C" fn(*mut c_void, u64, *const NrRequest, NrBytes) -> u32>,
    shutdown: Option<unsafe extern "C" fn(*mut c_void)>,
}

#[repr(C)]
struct StateTable {
    set_state: unsafe extern "C" fn(*const Context, u64, NrStr, NrBytes) -> NrBytes,
    get_state: unsafe extern "C" fn(*const Context, u64, NrStr) -> NrBytes,
}

static VTABLE: VTable = VTable { send_result };
static STATE: StateTable = StateTable { set_state, get_state };

unsafe extern "C" fn send_result(ctx: *const Context, sid: u64, status: u32, payload: NrBytes) {
    // SAFETY: null, or what `Host::load` passed to `init`, which is never freed.
    let Some(ctx) = (unsafe { ctx.as_ref() }) else {
        WITHOUT_CONTEXT.fetch_add(1, Ordering::Relaxed);
        return;
    };
    let sent =
        Sent { sid, status, address: payload.ptr.addr(), len: payload.len, bytes: bytes(payload).unwrap_or_default() };
    ctx.sent.lock().unwrap().push(sent);
}

fn bytes(view: NrBytes) -> Option<Vec<u8>> {
    if view.len == 0 || view.len > READABLE || view.ptr.addr() < 4096 {
        return (view.len == 0).then(Vec::new);
    }
    // SAFETY: neither address nor length is one of those that the plugin makes up, so the bytes are there.
    Some(unsafe { slice::from_raw_parts(view.ptr, view.len as usize) }.to_vec())
}

fn text(view: NrStr) -> Option<Vec<u8>> {
    let text = bytes(NrBytes { ptr: view.ptr, len: view.len.into() })?;
    str::from_utf8(&text).is_ok().then_some(text)
}

const NOTHING: NrBytes = NrBytes { ptr: ptr::null(), len: 0 };

fn view(bytes: &'static [u8]) -> NrBytes {
    NrBytes { ptr: bytes.as_ptr(), len: bytes.len() as u64 }
}

unsafe extern "C" fn set_state(ctx: *const Context, sid: u64, key: NrStr, value: NrBytes) -> NrBytes {
    // SAFETY: as in `send_result`.
    let Some(ctx) = (unsafe { ctx.as_ref() }) else {
        return view(b"no context");
    };
    if ctx.gullible {
        return NOTHING;
    }
    if !ctx.live.lock().unwrap().contains(&sid) {
        return view(b"no such call");
    }
    let (Some(key), Some(value)) = (text(key), bytes(value)) else {
        return view(b"not valid");
    };
    let value: &'static [u8] = value.leak();
    ctx.state.lock().unwrap().insert((sid, key), value);
    NOTHING
}

unsafe extern "C" fn get_state(ctx: *const Context, sid: u64, key: NrStr) -> NrBytes {
    // SAFETY: as in `send_result`.
    let Some(ctx) = (unsafe { ctx.as_ref() }) else {
        return NOTHING;
    };
    let Some(key) = text(key) else {
        return NOTHING;
    };
    let state = ctx.state.lock().unwrap();
    state.get(&(sid, key)).map_or(NOTHING, |value| view(value))
}

unsafe extern "C" fn get_extension(_: *mut c_void, id: *const c_char) -> *const c_void {
    if id.is_null() {
        return ptr::null();
    }
    // SAFETY: not null, so NUL-terminated, as the ABI says.
    let id = unsafe { CStr::from_ptr(id) };
    if id == c"nylon.state/1" { (&raw const STATE).cast() } else { ptr::null() }
}

/// A plugin, loaded from a copy of its own, so that its static data is its own. It is never unmapped.
pub struct Host {
    pub ctx: &'static Context,
    library: &'static Library,
    vtable: &'static PluginVTable,
    next: AtomicU64,
}

impl Host {
    pub fn load(plugin: &Path) -> Self {
        Self::load_with(plugin, Context::default())
    }

    pub fn load_with(plugin: &Path, ctx: Context) -> Self {
        let copy = private_copy(plugin);
        // SAFETY: a plugin of this repository, without constructors.
        let library = unsafe { Library::new(&copy) }.unwrap();
        let library: &'static Library = Box::leak(Box::new(library));
        std::fs::remove_file(copy).unwrap();
        let ctx: &'static Context = Box::leak(Box::new(ctx));
        // SAFETY: the ABI gives this name this type.
        let entry =
            unsafe { library.get::<unsafe extern "C" fn() -> *const NrPluginInfo>(c"nylon_ring_get_plugin_v1") }
                .unwrap();
        // SAFETY: it takes nothing and may be called at any time.
        let info = unsafe { entry() };
        // SAFETY: not null, and static.
        let info = unsafe { info.as_ref() }.unwrap();
        assert_eq!(info.abi_version, NR_ABI_VERSION);
        assert_eq!(info.struct_size as usize, size_of::<NrPluginInfo>());
        // SAFETY: static, and of the same layout but for the type of the statuses.
        let vtable = unsafe { info.vtable.cast::<PluginVTable>().as_ref() }.unwrap();
        let api: &'static NrHostApi = Box::leak(Box::new(NrHostApi {
            struct_size: size_of::<NrHostApi>() as u32,
            flags: 0,
            host_ctx: ptr::from_ref(ctx).cast_mut().cast(),
            get_extension: Some(get_extension),
        }));
        // SAFETY: the ABI gives this name this type.
        let attach =
            unsafe { library.get::<unsafe extern "C" fn(*mut c_void, *const NrHostApi)>(c"nylon_ring_attach_host_v1") };
        if let Ok(attach) = attach {
            // SAFETY: before `init`, with an `api` that is never freed.
            unsafe { attach(info.plugin_ctx, api) };
        }
        if let Some(init) = vtable.init {
            // SAFETY: once, with a context and a table that are never freed.
            assert_eq!(unsafe { init(info.plugin_ctx, ctx, &raw const VTABLE) }, 0);
        }
        Self { ctx, library, vtable, next: AtomicU64::new(1) }
    }

    /// Calls `handle`: the sid, and what it returned.
    pub fn handle(&self, path: &str, query: &str, body: &[u8]) -> (u64, u32) {
        // Sids with high and low bits, and some in between.
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let sid = (n << 40) | (5 << 20) | (n % 7);
        self.ctx.live.lock().unwrap().insert(sid);
        let str = |text: &str| NrStr { ptr: text.as_ptr(), len: text.len() as u32 };
        let request = NrRequest {
            path: str(path),
            method: str("GET"),
            query: str(query),
            headers: ptr::null(),
            headers_len: 0,
            _reserved0: 0,
            _reserved1: 0,
        };
        let body = NrBytes { ptr: body.as_ptr(), len: body.len() as u64 };
        let handle = self.vtable.handle.unwrap();
        // SAFETY: after `init`; all that the request points to is live until this returns.
        let verdict = unsafe { handle(ptr::null_mut(), sid, &raw const request, body) };
        (sid, verdict)
    }

    /// Calls `handle`, which must accept, and waits for `n` results: all for that sid until then.
    pub fn results(&self, path: &str, query: &str, body: &[u8], n: usize) -> Vec<Sent> {
        let (sid, verdict) = self.handle(path, query, body);
        assert_eq!(verdict, 0, "{path}?{query}");
        self.wait(&format!("{n} results of {path}?{query}"), || self.of(sid).len() >= n);
        self.of(sid)
    }

    /// The one result of a call, as text.
    pub fn ask(&self, path: &str, query: &str, body: &[u8]) -> String {
        let results = self.results(path, query, body, 1);
        String::from_utf8(results[0].bytes.clone()).unwrap()
    }

    /// What was sent for a sid.
    pub fn of(&self, sid: u64) -> Vec<Sent> {
        let sent = self.ctx.sent.lock().unwrap();
        sent.iter().filter(|s| s.sid == sid).cloned().collect()
    }

    /// How many results were sent with a context.
    pub fn count(&self) -> usize {
        self.ctx.sent.lock().unwrap().len()
    }

    pub fn forget(&self) {
        self.ctx.sent.lock().unwrap().clear();
    }

    /// Ends a call: its sid is no longer live, its state is gone.
    pub fn end(&self, sid: u64) {
        self.ctx.live.lock().unwrap().remove(&sid);
        self.ctx.state.lock().unwrap().retain(|(s, _), _| *s != sid);
    }

    pub fn shutdown(&self) {
        if let Some(shutdown) = self.vtable.shutdown {
            // SAFETY: after the last `handle`.
            unsafe { shutdown(ptr::null_mut()) };
        }
    }

    /// How many threads of the plugin run.
    pub fn threads(&self) -> u32 {
        // SAFETY: the plugin gives this name this type.
        let threads = unsafe { self.library.get::<unsafe extern "C" fn() -> u32>(c"misbehaving_threads") }.unwrap();
        // SAFETY: it reads an atomic.
        unsafe { threads() }
    }

    pub fn wait(&self, what: &str, until: impl Fn() -> bool) {
        let start = Instant::now();
        while !until() {
            assert!(start.elapsed() < Duration::from_secs(20), "waited for {what}");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// How many results were sent without a context, by every plugin of this process.
pub fn without_context() -> u64 {
    WITHOUT_CONTEXT.load(Ordering::Relaxed)
}

fn private_copy(plugin: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "plugin-{}-{}{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed),
        std::env::consts::DLL_SUFFIX
    ));
    std::fs::copy(plugin, &copy).unwrap();
    copy
}
