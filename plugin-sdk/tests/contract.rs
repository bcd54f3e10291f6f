//! Hosts that break the contract, and plugins that do not start: answered by a status, and by nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::{
    ffi::{CStr, c_char, c_void},
    ptr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use nylon_ring::{
    EXT_HEALTH, EXT_INSTANCE, EXT_QUIESCE, EXT_STATE, NrBytes, NrHeader, NrHealthExt, NrHostApi, NrHostVTable,
    NrInstanceExt, NrQuiesceExt, NrRequest, NrStr,
};
use nylon_ring_sdk::{
    __private::{Exports, Instance, exports},
    Call, Error, Host, Level, Plugin, Request, Watch,
};
use support::{Driver, ERR, INVALID, OK, STREAM_END, sent};

/// Keeps the calls of `/keep`, answers all others, and counts its shutdowns.
struct Keeper {
    kept: &'static Mutex<Vec<Call>>,
    shutdowns: &'static AtomicUsize,
    state: bool,
}

static KEPT: Mutex<Vec<Call>> = Mutex::new(Vec::new());
static SHUTDOWNS: AtomicUsize = AtomicUsize::new(0);

impl Plugin for Keeper {
    type Config = ();

    fn new(_config: (), host: &Host) -> Result<Self, Error> {
        Ok(Self { kept: &KEPT, shutdowns: &SHUTDOWNS, state: host.has_state() })
    }

    fn call(&self, req: Request<'_>, call: Call) {
        if req.path() == "/keep" {
            self.kept.lock().unwrap().push(call);
            return;
        }
        assert_eq!(call.state().get("key").is_ok(), self.state);
        match call.state().set("key", "value") {
            Ok(()) => call.reply("stored"),
            Err(error) => call.err(error.to_string()),
        }
    }

    fn shutdown(&self) {
        self.shutdowns.fetch_add(1, Relaxed);
        panic!("a test of panics");
    }
}

/// A plugin of its own for one test, as `plugin!` would make it.
macro_rules! driver {
    ($plugin:ty) => {{
        static INSTANCE: Instance<$plugin> = Instance::new();
        static EXPORTS: Exports = exports(&INSTANCE, "test", "0");
        Driver::new(&EXPORTS.info)
    }};
}

#[test]
fn every_phase_takes_what_it_can_and_refuses_the_rest() {
    let driver = driver!(Keeper);
    let before = SHUTDOWNS.load(Relaxed);
    assert_eq!(driver.request("/", &[], b"").1, INVALID, "before init");
    assert_eq!(driver.init(), OK);
    assert_eq!(driver.init(), INVALID, "a second init");

    let (kept, status) = driver.request("/keep", &[], b"");
    assert_eq!(status, OK);
    driver.shutdown();
    driver.shutdown();
    assert_eq!(SHUTDOWNS.load(Relaxed), before + 1);
    assert_eq!(driver.request("/", &[], b"").1, INVALID, "after shutdown");
    assert_eq!(driver.init(), INVALID, "after shutdown");
    assert_eq!(driver.total(), 0, "a refusal sends nothing");

    let call = KEPT.lock().unwrap().pop().unwrap();
    call.reply("late");
    assert_eq!(driver.wait(kept, 1), [sent(OK, "late")]);
}

#[test]
fn a_plugin_shut_down_before_init_never_starts() {
    let driver = driver!(Keeper);
    driver.shutdown();
    assert_eq!(driver.init(), INVALID);
}

#[test]
fn init_with_parts_missing_is_invalid_and_may_be_repeated() {
    let driver = driver!(Keeper);
    let (plugin, host) = (driver.info.plugin_ctx, driver.host_ctx());
    let no_function: *const NrHostVTable = (&raw const NO_FUNCTION).cast();
    static NO_FUNCTION: usize = 0;
    let vtable = NrHostVTable::from_raw(never_called);
    for (plugin, host, vtable) in [
        (ptr::null_mut(), host, &raw const vtable),
        (plugin, ptr::null_mut(), &raw const vtable),
        (plugin, host, ptr::null()),
        (plugin, host, ptr::without_provenance(4)),
        (plugin, host, no_function),
    ] {
        assert_eq!(driver.init_with(plugin, host, vtable), INVALID);
    }
    assert_eq!(driver.init(), OK);
}

unsafe extern "C" fn never_called(_: *mut c_void, _: u64, _: u32, _: NrBytes) {
    panic!("called");
}

#[test]
fn handle_refuses_what_it_must_not_read() {
    let driver = driver!(Keeper);
    assert_eq!(driver.init(), OK);
    let plugin = driver.info.plugin_ctx;
    let good = NrRequest::build("GET", "/", "", &[]).unwrap();
    let null_text = NrStr { ptr: ptr::null(), len: 1 };
    let not_utf8 = NrStr { ptr: [0xff_u8].as_ptr(), len: 1 };
    let header = |key, value| NrHeader { key, value };
    let key = NrStr::from_str("key");
    let headers =
        [[header(null_text, key)], [header(key, null_text)], [header(not_utf8, key)], [header(key, not_utf8)]];
    let mut bad = vec![
        NrRequest { headers_len: 1, ..good },
        NrRequest { headers: ptr::without_provenance(4), headers_len: 1, ..good },
    ];
    for text in [null_text, not_utf8] {
        bad.push(NrRequest { path: text, ..good });
        bad.push(NrRequest { method: text, ..good });
        bad.push(NrRequest { query: text, ..good });
    }
    for headers in &headers {
        bad.push(NrRequest { headers: headers.as_ptr(), headers_len: 1, ..good });
    }
    for req in &bad {
        assert_eq!(driver.handle(plugin, 1, req, NrBytes::EMPTY), INVALID);
    }

    for body in [NrBytes { ptr: ptr::null(), len: 1 }, NrBytes { ptr: [0_u8].as_ptr(), len: u64::MAX }] {
        assert_eq!(driver.handle(plugin, 1, &good, body), INVALID);
    }
    for req in [ptr::null(), ptr::without_provenance(4)] {
        assert_eq!(driver.handle(plugin, 1, req, NrBytes::EMPTY), INVALID);
    }
    let no_plugin = driver.handle(ptr::null_mut(), 1, &good, NrBytes::EMPTY);
    assert_eq!(no_plugin, INVALID);
    assert_eq!(driver.total(), 0, "a refusal sends nothing");
}

#[test]
fn an_empty_request_is_a_request() {
    let driver = driver!(Keeper);
    assert_eq!(driver.init(), OK);
    let empty = NrRequest {
        path: NrStr::EMPTY,
        method: NrStr::EMPTY,
        query: NrStr::EMPTY,
        headers: ptr::null(),
        headers_len: 0,
        _reserved0: 7, // for a later revision; ignored
        _reserved1: 7,
    };
    let status = driver.handle(driver.info.plugin_ctx, 9, &empty, NrBytes::EMPTY);
    assert_eq!(status, OK);
    assert_eq!(driver.wait(9, 1).len(), 1);
}

#[test]
fn a_host_without_extensions_has_no_state() {
    let driver = driver!(Keeper);
    assert_eq!(driver.init(), OK);
    let text = Error::StateUnsupported.to_string();
    assert_eq!(driver.call("/", 1), [sent(ERR, &text)]);
}

#[test]
fn attach_takes_only_what_can_be_read() {
    static INSTANCE: Instance<Keeper> = Instance::new();
    static EXPORTS: Exports = exports(&INSTANCE, "test", "0");
    let (driver, attach) = (Driver::new(&EXPORTS.info), EXPORTS.attach);
    let plugin = driver.info.plugin_ctx;
    let too_small = NrHostApi { struct_size: 8, ..*driver.api() };
    let no_function = NrHostApi { get_extension: None, ..*driver.api() };
    for api in [ptr::null(), ptr::without_provenance(4), &raw const too_small, &raw const no_function] {
        // SAFETY: the plugin's own context; what is not null and aligned can be read.
        unsafe { attach(plugin, api) };
    }
    // SAFETY: a null context is refused.
    unsafe { attach(ptr::null_mut(), driver.api()) };
    // SAFETY: the plugin's own context, and an `NrHostApi` that is never freed.
    unsafe { attach(plugin, driver.api()) };
    assert_eq!(driver.init(), OK);
    assert_eq!(driver.call("/", 1), [sent(OK, "stored")]);
}

#[test]
fn tables_that_are_broken_are_not_used() {
    struct Logs;
    impl Plugin for Logs {
        type Config = ();
        fn new(_config: (), host: &Host) -> Result<Self, Error> {
            assert!(!host.log(Level::Error, "", "") && !host.logs(Level::Error) && !host.has_state());
            Ok(Self)
        }
        fn call(&self, _req: Request<'_>, call: Call) {
            assert!(!call.is_cancelled() && call.deadline().is_none());
            assert_eq!(call.on_cancel(|_| panic!("called")), Watch::Unsupported);
            let mut stream = call.stream();
            assert_eq!(stream.credits(), u64::MAX);
            assert_eq!(stream.on_writable(|_| panic!("called")), Watch::Unsupported);
            stream.buffer(1).commit(1);
            stream.end();
        }
    }

    /// Whatever table is asked for: too small, or without functions, or not aligned.
    unsafe extern "C" fn broken(host_ctx: *mut c_void, _id: *const c_char) -> *const c_void {
        static SMALL: [u64; 8] = [8; 8];
        static EMPTY: [u64; 8] = [64, 0, 0, 0, 0, 0, 0, 0];
        match host_ctx.addr() {
            1 => SMALL[1..].as_ptr().cast(),
            2 => EMPTY[..].as_ptr().cast(),
            _ => ptr::without_provenance(4),
        }
    }
    unsafe extern "C" fn no_state(host_ctx: *mut c_void, id: *const c_char) -> *const c_void {
        // SAFETY: the contract: NUL-terminated.
        if unsafe { CStr::from_ptr(id) } == EXT_STATE {
            return ptr::null();
        }
        // SAFETY: takes anything.
        unsafe { broken(host_ctx, id) }
    }

    static INSTANCES: [Instance<Logs>; 3] = [const { Instance::new() }; 3];
    for (i, get_extension) in [no_state, no_state, broken].into_iter().enumerate() {
        let exports: &'static Exports = Box::leak(Box::new(exports(&INSTANCES[i], "test", "0")));
        let driver = Driver::new(&exports.info);
        let host_ctx = ptr::without_provenance_mut(i + 1);
        let api = NrHostApi { host_ctx, get_extension: Some(get_extension), ..*driver.api() };
        // SAFETY: the plugin's own context, and an `NrHostApi` that is read before this returns.
        unsafe { (exports.attach)(driver.info.plugin_ctx, &raw const api) };
        assert_eq!(driver.init(), OK);
        assert_eq!(driver.call("/", 2), [sent(OK, "\0"), sent(STREAM_END, "")]);
    }
}

#[test]
fn the_plugins_tables_take_what_they_can() {
    static INSTANCE: Instance<Keeper> = Instance::new();
    static EXPORTS: Exports = exports(&INSTANCE, "test", "0");
    let plugin = EXPORTS.info.plugin_ctx;
    let find = |id: *const c_char| {
        // SAFETY: null, or NUL-terminated.
        unsafe { (EXPORTS.extension)(plugin, id) }
    };
    assert!(find(ptr::null()).is_null());
    assert!(find(c"nylon.instance/2".as_ptr()).is_null());

    // SAFETY: a static table of this type.
    let instances = unsafe { find(EXT_INSTANCE.as_ptr()).cast::<NrInstanceExt>().as_ref() }.unwrap();
    // SAFETY: a static table of this type.
    let quiesce = unsafe { find(EXT_QUIESCE.as_ptr()).cast::<NrQuiesceExt>().as_ref() }.unwrap();
    // SAFETY: a static table of this type.
    let health = unsafe { find(EXT_HEALTH.as_ptr()).cast::<NrHealthExt>().as_ref() }.unwrap();
    assert_eq!(instances.struct_size as usize, size_of::<NrInstanceExt>());
    assert_eq!(quiesce.struct_size as usize, size_of::<NrQuiesceExt>());
    assert_eq!(health.struct_size as usize, size_of::<NrHealthExt>());
    let (create, destroy) = (instances.create.unwrap(), instances.destroy.unwrap());
    let (is_quiescent, check) = (quiesce.is_quiescent.unwrap(), health.check.unwrap());

    // SAFETY: null is refused.
    assert_eq!(unsafe { create(plugin, ptr::null_mut()) }, INVALID);
    // SAFETY: null is ignored.
    unsafe { destroy(plugin, ptr::null_mut()) };
    // SAFETY: null is refused.
    assert_eq!(unsafe { is_quiescent(ptr::null_mut()) }, 0);
    // SAFETY: null is refused.
    assert_eq!(unsafe { check(ptr::null_mut(), ptr::null_mut()) }, INVALID);
    // SAFETY: no detail is asked for.
    assert_eq!(unsafe { check(plugin, ptr::null_mut()) }, ERR);

    let mut another = ptr::null_mut();
    // SAFETY: there is room for a pointer.
    assert_eq!(unsafe { create(plugin, &raw mut another) }, OK);
    assert!(!another.is_null() && another != plugin);
    // SAFETY: it was never started.
    unsafe { destroy(plugin, another) };
    // SAFETY: the first instance, never started: it is not freed.
    unsafe { destroy(plugin, plugin) };
    let driver = Driver::new(&EXPORTS.info);
    assert_eq!(driver.init(), OK);
    // SAFETY: too early, which the plugin notices.
    assert_eq!(unsafe { is_quiescent(plugin) }, 0);
    assert_eq!(driver.call("/", 1).len(), 1);
}

struct Fails;

impl Plugin for Fails {
    type Config = ();

    fn new(_config: (), _host: &Host) -> Result<Self, Error> {
        Err(Error::start("a test of failures"))
    }

    fn call(&self, _req: Request<'_>, _call: Call) {
        panic!("called");
    }
}

struct Panics;

impl Plugin for Panics {
    type Config = ();

    fn new(_config: (), _host: &Host) -> Result<Self, Error> {
        panic!("a test of panics");
    }

    fn call(&self, _req: Request<'_>, _call: Call) {
        panic!("called");
    }
}

#[test]
fn a_plugin_that_cannot_start_takes_no_calls() {
    for driver in [driver!(Fails), driver!(Panics)] {
        assert_eq!(driver.init(), ERR);
        assert_eq!(driver.request("/", &[], b"").1, INVALID);
        assert_eq!(driver.init(), INVALID);
        driver.shutdown();
        assert_eq!(driver.total(), 0);
    }
}
