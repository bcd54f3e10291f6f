//! The harness's extensions: all that a host may offer, each with its own bookkeeping.

use std::{
    collections::HashMap,
    ffi::{CStr, c_char, c_void},
    mem, ptr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nylon_ring::{
    EXT_BUFFER, EXT_CANCEL, EXT_CONFIG, EXT_DEADLINE, EXT_LOG, EXT_STATE, EXT_STREAM, NR_EVENT_CANCELLED,
    NR_EVENT_WRITABLE, NR_SEND_CLOSED, NR_SEND_FULL, NR_SEND_INVALID, NR_SEND_SENT, NR_WATCH_ALREADY, NR_WATCH_CLOSED,
    NR_WATCH_REFUSED, NR_WATCH_REGISTERED, NrBuffer, NrBufferExt, NrBytes, NrCallback, NrCancelExt, NrConfigExt,
    NrDeadlineExt, NrHostApi, NrHostExt, NrLogExt, NrStatus, NrStr, NrStreamExt,
};

use super::{
    arena::{Kind, Loan},
    book::{Call, Watch},
    host::{book, enter, read},
};
use crate::check::code::Code;

/// Frames that `try_send` takes before it says that the window is full.
pub(crate) const WINDOW: u64 = 4;
const DEADLINE: Duration = Duration::from_secs(3600);

static CONFIG: OnceLock<Vec<u8>> = OnceLock::new();
/// Whether nothing is offered.
static BARE: AtomicBool = AtomicBool::new(false);

/// Sets what `nylon.config/1` gives out.
pub(crate) fn configure(bytes: Vec<u8>) {
    let _first = CONFIG.set(bytes);
}

/// Offers nothing from now on.
pub(crate) fn offer_nothing() {
    // Ordering: Relaxed; set before a plugin is loaded.
    BARE.store(true, Ordering::Relaxed);
}

/// The door to the extensions, for a host with this context. It lives for ever.
pub(crate) fn api(host_ctx: usize) -> &'static NrHostApi {
    Box::leak(Box::new(NrHostApi {
        struct_size: size(mem::size_of::<NrHostApi>()),
        flags: 0,
        host_ctx: ptr::without_provenance_mut(host_ctx),
        get_extension: Some(get_extension),
    }))
}

const fn size(bytes: usize) -> u32 {
    bytes as u32
}

static STATE: NrHostExt = NrHostExt { set_state, get_state };
static LOG: NrLogExt =
    NrLogExt { struct_size: size(mem::size_of::<NrLogExt>()), _reserved0: 0, enabled: Some(enabled), log: Some(log) };
static STREAM: NrStreamExt = NrStreamExt {
    struct_size: size(mem::size_of::<NrStreamExt>()),
    _reserved0: 0,
    try_send: Some(try_send),
    on_writable: Some(on_writable),
    credits: Some(credits),
};
static CANCEL: NrCancelExt = NrCancelExt {
    struct_size: size(mem::size_of::<NrCancelExt>()),
    _reserved0: 0,
    is_cancelled: Some(is_cancelled),
    on_cancel: Some(on_cancel),
};
static DEADLINE_TABLE: NrDeadlineExt =
    NrDeadlineExt { struct_size: size(mem::size_of::<NrDeadlineExt>()), _reserved0: 0, remaining: Some(remaining) };
static CONFIG_TABLE: NrConfigExt =
    NrConfigExt { struct_size: size(mem::size_of::<NrConfigExt>()), _reserved0: 0, get: Some(config) };
static BUFFER: NrBufferExt = NrBufferExt {
    struct_size: size(mem::size_of::<NrBufferExt>()),
    _reserved0: 0,
    reserve: Some(reserve),
    commit: Some(commit),
    release: Some(release),
};

unsafe extern "C" fn get_extension(_: *mut c_void, id: *const c_char) -> *const c_void {
    // Ordering: Relaxed; as in `offer_nothing`.
    if id.is_null() || BARE.load(Ordering::Relaxed) {
        return ptr::null();
    }
    // SAFETY: the ABI has the id end with a NUL.
    let id = unsafe { CStr::from_ptr(id) };
    let tables: [(&CStr, *const c_void); 7] = [
        (EXT_STATE, (&raw const STATE).cast()),
        (EXT_LOG, (&raw const LOG).cast()),
        (EXT_STREAM, (&raw const STREAM).cast()),
        (EXT_CANCEL, (&raw const CANCEL).cast()),
        (EXT_DEADLINE, (&raw const DEADLINE_TABLE).cast()),
        (EXT_CONFIG, (&raw const CONFIG_TABLE).cast()),
        (EXT_BUFFER, (&raw const BUFFER).cast()),
    ];
    tables.iter().find(|(known, _)| *known == id).map_or(ptr::null(), |(_, table)| *table)
}

/// Notes it if an extension was called with another host's context.
fn check_ctx(host_ctx: *mut c_void, function: &str, call: Option<&Call>) -> Option<String> {
    let call = call?;
    (call.host_ctx != host_ctx.addr()).then(|| format!("{function} was called for {} with another host_ctx", call.name))
}

/// Does something with an open call, or returns `otherwise`.
fn with_open<T>(host_ctx: *mut c_void, sid: u64, function: &str, otherwise: T, act: impl FnOnce(&mut Call) -> T) -> T {
    let mut pages = book().open();
    let wrong = check_ctx(host_ctx, function, pages.calls.get(&sid));
    if let Some(text) = wrong {
        pages.breach(Code::WrongHostCtx, || text);
    }
    match pages.calls.get_mut(&sid) {
        Some(call) if !call.over && !call.ended() => act(call),
        _ => otherwise,
    }
}

/// Bytes that a plugin passed, or a note of what is wrong with them.
fn borrowed(function: &str, view: NrBytes) -> Option<Vec<u8>> {
    read(view).map_err(|what| book().open().breach(Code::WrongPayload, || format!("{function} was given {what}"))).ok()
}

fn borrowed_text(function: &str, text: NrStr) -> Option<Vec<u8>> {
    borrowed(function, NrBytes { ptr: text.ptr, len: u64::from(text.len) })
}

const NOTHING: NrBytes = NrBytes { ptr: ptr::null(), len: 0 };

fn refusal(text: &'static str) -> NrBytes {
    NrBytes::from_slice(text.as_bytes())
}

unsafe extern "C" fn set_state(host_ctx: *mut c_void, sid: u64, key: NrStr, value: NrBytes) -> NrBytes {
    let (Some(key), Some(value)) = (borrowed_text("set_state", key), borrowed("set_state", value)) else {
        return refusal("the key or the value cannot be read");
    };
    let Ok(key) = String::from_utf8(key) else { return refusal("the key is not UTF-8") };
    let Ok(loan) = Loan::new(value.len(), 1, Kind::State) else { return refusal("there is no memory") };
    loan.write(0, &value);
    if loan.freeze().is_err() {
        return refusal("there is no memory");
    }
    with_open(host_ctx, sid, "set_state", refusal("there is no such call"), |call| {
        if let Some((old, _)) = call.state.insert(key, (loan, value.len())) {
            call.stale_state.push(old);
        }
        NOTHING
    })
}

unsafe extern "C" fn get_state(host_ctx: *mut c_void, sid: u64, key: NrStr) -> NrBytes {
    let Some(key) = borrowed_text("get_state", key) else { return NOTHING };
    let key = String::from_utf8_lossy(&key).into_owned();
    with_open(host_ctx, sid, "get_state", NOTHING, |call| {
        call.state.get(&key).map_or(NOTHING, |(loan, len)| NrBytes { ptr: loan.ptr(), len: *len as u64 })
    })
}

unsafe extern "C" fn enabled(_: *mut c_void, _level: u32) -> u32 {
    1
}

unsafe extern "C" fn log(_: *mut c_void, _sid: u64, _level: u32, target: NrStr, message: NrStr) {
    borrowed_text("log", target);
    borrowed_text("log", message);
}

unsafe extern "C" fn try_send(host_ctx: *mut c_void, sid: u64, payload: NrBytes) -> u32 {
    let Some(bytes) = borrowed("try_send", payload) else { return NR_SEND_INVALID };
    let verdict = with_open(host_ctx, sid, "try_send", NR_SEND_CLOSED, |call| {
        if call.cancelled {
            NR_SEND_CLOSED
        } else if call.window == 0 {
            NR_SEND_FULL
        } else {
            call.window -= 1;
            NR_SEND_SENT
        }
    });
    if verdict == NR_SEND_SENT {
        enter(host_ctx.addr(), sid, NrStatus::Ok.as_raw(), Ok(bytes));
    }
    verdict
}

unsafe extern "C" fn on_writable(
    host_ctx: *mut c_void,
    sid: u64,
    callback: Option<NrCallback>,
    user: *mut c_void,
) -> u32 {
    let Some(callback) = callback else { return NR_WATCH_REFUSED };
    with_open(host_ctx, sid, "on_writable", NR_WATCH_CLOSED, |call| {
        if call.cancelled {
            return NR_WATCH_CLOSED;
        }
        if call.window >= WINDOW / 2 {
            return NR_WATCH_ALREADY;
        }
        call.watches.push(Watch { callback, user: user.expose_provenance(), writable: true });
        NR_WATCH_REGISTERED
    })
}

unsafe extern "C" fn credits(host_ctx: *mut c_void, sid: u64) -> u64 {
    with_open(host_ctx, sid, "credits", 0, |call| call.window)
}

unsafe extern "C" fn is_cancelled(host_ctx: *mut c_void, sid: u64) -> u32 {
    with_open(host_ctx, sid, "is_cancelled", 1, |call| u32::from(call.cancelled))
}

unsafe extern "C" fn on_cancel(
    host_ctx: *mut c_void,
    sid: u64,
    callback: Option<NrCallback>,
    user: *mut c_void,
) -> u32 {
    let Some(callback) = callback else { return NR_WATCH_REFUSED };
    with_open(host_ctx, sid, "on_cancel", NR_WATCH_CLOSED, |call| {
        if call.cancelled {
            return NR_WATCH_CLOSED;
        }
        call.watches.push(Watch { callback, user: user.expose_provenance(), writable: false });
        NR_WATCH_REGISTERED
    })
}

unsafe extern "C" fn remaining(host_ctx: *mut c_void, sid: u64) -> u64 {
    with_open(host_ctx, sid, "remaining", 0, |call| if call.cancelled { 0 } else { DEADLINE.as_nanos() as u64 })
}

unsafe extern "C" fn config(_: *mut c_void) -> NrBytes {
    CONFIG.get().map_or(NOTHING, |bytes| NrBytes::from_slice(bytes))
}

unsafe extern "C" fn reserve(host_ctx: *mut c_void, sid: u64, len: u64) -> NrBuffer {
    let none = NrBuffer { ptr: ptr::null_mut(), capacity: 0, _lease: 0 };
    let open = with_open(host_ctx, sid, "reserve", false, |call| !call.cancelled);
    if !open || len == 0 || len > 256 << 20 {
        return none;
    }
    let mut bytes = vec![0_u8; len as usize];
    let ptr = bytes.as_mut_ptr();
    let mut pages = book().open();
    pages.next_lease += 1;
    let lease = pages.next_lease;
    pages.leases.insert(lease, (sid, bytes));
    NrBuffer { ptr, capacity: len, _lease: lease }
}

unsafe extern "C" fn commit(host_ctx: *mut c_void, sid: u64, status: u32, buffer: NrBuffer, len: u64) {
    let Some((owner, mut bytes)) = take("commit", buffer) else { return };
    if owner != sid {
        let text = format!("commit for sid {sid:#x} of a buffer that was reserved for {owner:#x}");
        book().open().breach(Code::BufferMisused, || text);
    }
    if len as usize > bytes.len() {
        let text = format!("commit of {len} bytes of a buffer of {}", bytes.len());
        book().open().breach(Code::BufferMisused, || text);
    }
    bytes.truncate(len as usize);
    enter(host_ctx.addr(), sid, status, Ok(bytes));
}

unsafe extern "C" fn release(_: *mut c_void, buffer: NrBuffer) {
    take("release", buffer);
}

fn take(function: &str, buffer: NrBuffer) -> Option<(u64, Vec<u8>)> {
    let mut pages = book().open();
    let lease = pages.leases.remove(&buffer._lease);
    if lease.is_none() {
        pages.breach(Code::BufferMisused, || {
            format!("{function} of a buffer that was given back before, or never reserved")
        });
    }
    lease
}

/// Calls back what waits for an event.
pub(crate) fn call_back(watches: Vec<Watch>, sid: u64, event: u32) {
    for watch in watches {
        // SAFETY: the plugin registered it, and it is called once: it was taken out of the book.
        unsafe { (watch.callback)(ptr::with_exposed_provenance_mut(watch.user), sid, event) };
    }
}

/// Gives a call up, as a caller does that drops its future.
pub(crate) fn cancel(sid: u64) {
    let watches = {
        let mut pages = book().open();
        let Some(call) = pages.calls.get_mut(&sid) else { return };
        call.cancelled = true;
        mem::take(&mut call.watches)
    };
    call_back(watches, sid, NR_EVENT_CANCELLED);
}

/// Opens the windows of streams that have used theirs up, and says so.
pub(crate) fn open_windows() {
    let mut writable: HashMap<u64, Vec<Watch>> = HashMap::new();
    {
        let mut pages = book().open();
        for (sid, call) in &mut pages.calls {
            if !call.over && !call.ended() && call.window < WINDOW / 2 {
                call.window = WINDOW;
                let (ready, rest) = call.watches.drain(..).partition(|watch| watch.writable);
                call.watches = rest;
                writable.insert(*sid, ready);
            }
        }
    }
    for (sid, watches) in writable {
        call_back(watches, sid, NR_EVENT_WRITABLE);
    }
}
