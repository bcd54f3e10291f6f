//! The C functions of a [`MockHost`](super::MockHost), and its calls of a plugin's: all `unsafe` blocks of the mock.
//!
//! * **M1** (the host): `host_ctx` is a reference to a `Book` that is counted until the plugin has said that it is quiescent.
//! * **M2** (borrowed arguments): as F2 of the SDK's own `ffi`, with the sides exchanged.
//! * **M3** (the plugin): its functions are those of this crate, and get an instance that `create` made.

use std::{
    ffi::{CStr, c_char, c_void},
    mem, ptr,
    sync::Arc,
};

use nylon_ring::{
    EXT_BUFFER, EXT_CANCEL, EXT_CONFIG, EXT_DEADLINE, EXT_HEALTH, EXT_INSTANCE, EXT_LOG, EXT_QUIESCE, EXT_STATE,
    EXT_STREAM, NR_NO_DEADLINE, NR_SEND_INVALID, NR_WATCH_REFUSED, NrBuffer, NrBufferExt, NrBytes, NrCallback,
    NrCancelExt, NrConfigExt, NrDeadlineExt, NrHeaderRef, NrHealthExt, NrHostApi, NrHostExt, NrHostVTable,
    NrInstanceExt, NrLogExt, NrPluginVTable, NrQuiesceExt, NrRequest, NrStatus, NrStr, NrStreamExt,
};

use super::{
    LogLine,
    book::{Book, Waits},
};
use crate::{
    Level, OwnedRequest, Plugin,
    ffi::{attach, contain, extension, vtable},
};

/// A callback that the plugin has registered.
#[derive(Debug)]
pub(super) struct Callback {
    function: NrCallback,
    user: *mut c_void,
}

// SAFETY: the contract: it may be called on any thread.
unsafe impl Send for Callback {}

impl Callback {
    pub(super) fn call(self, sid: u64, event: u32) {
        // SAFETY: it was registered, and `self` is gone after this: it is called once.
        unsafe { (self.function)(self.user, sid, event) }
    }
}

/// One table of the host.
macro_rules! table {
    ($type:ident { $($field:ident),+ }) => {
        &$type { struct_size: size_of::<$type>() as u32, _reserved0: 0, $($field: Some($field)),+ }
    };
}

static VTABLE: NrHostVTable = NrHostVTable::from_raw(send_result);
static STATE: NrHostExt = NrHostExt { set_state, get_state };
static LOG: &NrLogExt = table!(NrLogExt { enabled, log });
static STREAM: &NrStreamExt = table!(NrStreamExt { try_send, on_writable, credits });
static CANCEL: &NrCancelExt = table!(NrCancelExt { is_cancelled, on_cancel });
static DEADLINE: &NrDeadlineExt = table!(NrDeadlineExt { remaining });
static CONFIG: &NrConfigExt = table!(NrConfigExt { get });
static BUFFER: &NrBufferExt = table!(NrBufferExt { reserve, commit, release });

/// What `f` makes of the host; `fallback` if it panics.
fn host<T>(host_ctx: *mut c_void, fallback: T, f: impl FnOnce(&Book) -> Option<T>) -> T {
    // SAFETY: M1.
    let Some(book) = (unsafe { host_ctx.cast::<Book>().as_ref() }) else { return fallback };
    contain(None, || f(book)).unwrap_or(fallback)
}

fn bytes(view: NrBytes) -> Option<Vec<u8>> {
    // SAFETY: M2.
    unsafe { view.as_slice() }.ok().map(<[u8]>::to_vec)
}

fn text(view: NrStr) -> Option<String> {
    // SAFETY: M2.
    unsafe { view.as_str() }.ok().map(str::to_owned)
}

unsafe extern "C" fn get_extension(host_ctx: *mut c_void, id: *const c_char) -> *const c_void {
    host(host_ctx, ptr::null(), |book| {
        // SAFETY: M2; NUL-terminated, by the contract.
        let id = unsafe { CStr::from_ptr(id) };
        if book.settings.bare || book.settings.without.contains(&id) {
            return None;
        }
        let tables: [(&CStr, *const c_void); 8] = [
            (EXT_STATE, (&raw const STATE).cast()),
            (EXT_LOG, ptr::from_ref(LOG).cast()),
            (EXT_STREAM, ptr::from_ref(STREAM).cast()),
            (EXT_CANCEL, ptr::from_ref(CANCEL).cast()),
            (EXT_DEADLINE, ptr::from_ref(DEADLINE).cast()),
            (EXT_CONFIG, ptr::from_ref(CONFIG).cast()),
            (EXT_BUFFER, ptr::from_ref(BUFFER).cast()),
            (c"", ptr::null()),
        ];
        tables.into_iter().find(|(offered, _)| *offered == id).map(|(_, table)| table)
    })
}

unsafe extern "C" fn send_result(host_ctx: *mut c_void, sid: u64, status: u32, payload: NrBytes) {
    host(host_ctx, (), |book| {
        let status = NrStatus::from_raw(status).unwrap_or(NrStatus::Err);
        let (status, payload) = bytes(payload).map_or((NrStatus::Invalid, Vec::new()), |payload| (status, payload));
        book.send(sid, status, payload);
        Some(())
    });
}

unsafe extern "C" fn set_state(host_ctx: *mut c_void, sid: u64, key: NrStr, value: NrBytes) -> NrBytes {
    let refusal = NrBytes::from_slice(b"no such call, or not readable");
    host(host_ctx, refusal, |book| book.set_state(sid, text(key)?, bytes(value)?).then_some(NrBytes::EMPTY))
}

unsafe extern "C" fn get_state(host_ctx: *mut c_void, sid: u64, key: NrStr) -> NrBytes {
    host(host_ctx, NrBytes::EMPTY, |book| book.state(sid, &text(key)?, NrBytes::from_slice))
}

unsafe extern "C" fn enabled(host_ctx: *mut c_void, level: u32) -> u32 {
    host(host_ctx, 0, |book| Some(u32::from(level <= book.settings.level as u32)))
}

unsafe extern "C" fn log(host_ctx: *mut c_void, sid: u64, level: u32, target: NrStr, message: NrStr) {
    host(host_ctx, (), |book| {
        let levels = [Level::Error, Level::Warn, Level::Info, Level::Debug];
        let level = levels.into_iter().find(|known| *known as u32 == level).unwrap_or(Level::Trace);
        let sid = (sid != 0).then_some(sid);
        book.log(LogLine { sid, level, target: text(target)?, message: text(message)? });
        Some(())
    });
}

unsafe extern "C" fn try_send(host_ctx: *mut c_void, sid: u64, payload: NrBytes) -> u32 {
    host(host_ctx, NR_SEND_INVALID, |book| Some(book.try_send(sid, bytes(payload)?)))
}

unsafe extern "C" fn credits(host_ctx: *mut c_void, sid: u64) -> u64 {
    host(host_ctx, 0, |book| Some(book.credits(sid)))
}

unsafe extern "C" fn on_writable(host_ctx: *mut c_void, sid: u64, f: Option<NrCallback>, user: *mut c_void) -> u32 {
    host(host_ctx, NR_WATCH_REFUSED, |book| Some(book.watch(sid, Waits::ForRoom, Callback { function: f?, user })))
}

unsafe extern "C" fn is_cancelled(host_ctx: *mut c_void, sid: u64) -> u32 {
    host(host_ctx, 1, |book| Some(u32::from(!book.wanted(sid))))
}

unsafe extern "C" fn on_cancel(host_ctx: *mut c_void, sid: u64, f: Option<NrCallback>, user: *mut c_void) -> u32 {
    host(host_ctx, NR_WATCH_REFUSED, |book| Some(book.watch(sid, Waits::ForCancel, Callback { function: f?, user })))
}

unsafe extern "C" fn remaining(host_ctx: *mut c_void, sid: u64) -> u64 {
    let nanoseconds = |book: &Book| u64::try_from(book.remaining(sid)?.as_nanos()).ok();
    host(host_ctx, NR_NO_DEADLINE, nanoseconds)
}

unsafe extern "C" fn get(host_ctx: *mut c_void) -> NrBytes {
    host(host_ctx, NrBytes::EMPTY, |book| Some(NrBytes::from_slice(&book.settings.config)))
}

unsafe extern "C" fn reserve(host_ctx: *mut c_void, sid: u64, len: u64) -> NrBuffer {
    let none = NrBuffer { ptr: ptr::null_mut(), capacity: 0, _lease: 0 };
    host(host_ctx, none, |book| {
        let (ptr, lease) = book.reserve(sid, usize::try_from(len).ok()?)?;
        Some(NrBuffer { ptr, capacity: len, _lease: lease })
    })
}

unsafe extern "C" fn commit(host_ctx: *mut c_void, sid: u64, status: u32, buffer: NrBuffer, len: u64) {
    host(host_ctx, (), |book| {
        let mut payload = book.give_back(buffer._lease)?;
        payload.truncate(usize::try_from(len).ok()?);
        book.send(sid, NrStatus::from_raw(status).unwrap_or(NrStatus::Err), payload);
        Some(())
    });
}

unsafe extern "C" fn release(host_ctx: *mut c_void, buffer: NrBuffer) {
    host(host_ctx, (), |book| book.give_back(buffer._lease).map(drop));
}

/// One instance of a plugin, and the host that it has.
#[derive(Debug)]
pub(super) struct Plug {
    ctx: *mut c_void,
    book: *const Book,
    stopped: bool,
    vtable: &'static NrPluginVTable,
    instances: &'static NrInstanceExt,
    quiesce: &'static NrQuiesceExt,
    health: &'static NrHealthExt,
}

// SAFETY: M1, M3: a plugin's functions take any thread, and a `Book` is `Sync`.
unsafe impl Send for Plug {}
// SAFETY: as above; what must not run beside itself takes `&mut self`.
unsafe impl Sync for Plug {}

/// A table of the plugin.
fn plugins<P: Plugin, T>(id: &CStr) -> Option<&'static T> {
    // SAFETY: NUL-terminated.
    let table = unsafe { extension::<P>(ptr::null_mut(), id.as_ptr()) };
    // SAFETY: M3: this crate's own table of this id, which is static.
    unsafe { table.cast::<T>().as_ref() }
}

impl Plug {
    /// An instance that has not started.
    pub(super) fn create<P: Plugin>(book: Arc<Book>) -> Option<Self> {
        let instances = plugins::<P, NrInstanceExt>(EXT_INSTANCE)?;
        let (quiesce, health) = (plugins::<P, _>(EXT_QUIESCE)?, plugins::<P, _>(EXT_HEALTH)?);
        let mut ctx = ptr::null_mut();
        // SAFETY: M3; there is room for a pointer.
        let status = unsafe { instances.create?(ptr::null_mut(), &raw mut ctx) };
        if status != NrStatus::Ok.as_raw() {
            return None;
        }
        let book = Arc::into_raw(book);
        Some(Self { ctx, book, stopped: false, vtable: vtable::<P>(), instances, quiesce, health })
    }

    /// Shows it the host's extensions, and starts it. What `init` returns.
    pub(super) fn start<P: Plugin>(&mut self) -> u32 {
        let host_ctx = self.book.cast_mut().cast();
        let api = NrHostApi {
            struct_size: size_of::<NrHostApi>() as u32,
            flags: 0,
            host_ctx,
            get_extension: Some(get_extension),
        };
        // SAFETY: M3; this crate reads the struct within the call, and keeps nothing but what the struct holds.
        unsafe { attach::<P>(self.ctx, &raw const api) };
        let Some(init) = self.vtable.raw_init() else { return NrStatus::Invalid.as_raw() };
        // SAFETY: M1, M3.
        let status = unsafe { init(self.ctx, host_ctx, &raw const VTABLE) };
        self.stopped = status != NrStatus::Ok.as_raw(); // `shutdown` is not called then
        status
    }

    /// What `handle` returns.
    pub(super) fn handle(&self, sid: u64, request: &OwnedRequest) -> u32 {
        let invalid = NrStatus::Invalid.as_raw();
        let headers = request.headers.iter().map(|(key, value)| NrHeaderRef::new(key, value));
        let Ok(headers) = headers.collect::<Result<Vec<_>, _>>() else { return invalid };
        let headers = NrHeaderRef::as_nr(&headers);
        let built = NrRequest::build(&request.method, &request.path, &request.query, headers);
        let (Ok(built), Some(handle)) = (built, self.vtable.raw_handle()) else { return invalid };
        // SAFETY: M3; the request and the body outlive the call.
        unsafe { handle(self.ctx, sid, &raw const built, NrBytes::from_slice(&request.body)) }
    }

    pub(super) fn check(&self) -> (u32, String) {
        let mut detail = NrStr::EMPTY;
        let Some(check) = self.health.check else { return (NrStatus::Unsupported.as_raw(), String::new()) };
        // SAFETY: M3; there is room for a text.
        let status = unsafe { check(self.ctx, &raw mut detail) };
        (status, text(detail).unwrap_or_default())
    }

    pub(super) fn shutdown(&mut self) {
        if !mem::replace(&mut self.stopped, true)
            && let Some(shutdown) = self.vtable.shutdown
        {
            // SAFETY: M3; `&mut self`: nothing else runs.
            unsafe { shutdown(self.ctx) }
        }
    }

    pub(super) fn is_quiescent(&mut self) -> bool {
        let asked = self.quiesce.is_quiescent.filter(|_| self.stopped);
        asked.is_some_and(|is_quiescent| {
            // SAFETY: M3; `&mut self`, and after `shutdown`: nothing else runs.
            let quiescent = unsafe { is_quiescent(self.ctx) };
            quiescent != 0
        })
    }

    /// Frees instance and host, after the plugin has said that it is quiescent.
    pub(super) fn destroy(self) {
        if let Some(destroy) = self.instances.destroy {
            // SAFETY: M3; quiescent.
            unsafe { destroy(ptr::null_mut(), self.ctx) }
        }
        // SAFETY: M1: it comes from `into_raw`, and the plugin does not use it any more.
        drop(unsafe { Arc::from_raw(self.book) });
    }
}
