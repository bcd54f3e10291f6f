//! The ABI types, exactly as every plugin and host must lay them out.
//!
//! Nothing here may change: not a name, not the order of fields, not a type, not a signature. `layout.rs` asserts it
//! at compile time, the C header asserts the same, and a test compares the two.
//!
//! Life of a plugin, which the docs below refer to:
//!
//! | phase | the host calls | on which thread |
//! | --- | --- | --- |
//! | load | `nylon_ring_get_plugin_v1`, then `nylon_ring_attach_host_v1` if exported | the loading thread |
//! | start | [`NrPluginVTable::init`], once | the loading thread |
//! | run | [`NrPluginVTable::handle`], any number of times | any threads, at the same time |
//! | stop | [`NrPluginVTable::shutdown`], at most once, after every `handle` has returned | any thread |
//!
//! One process may load a library several times. Each load goes through these phases with a `host_ctx` of its own, and
//! all share the library's statics. "Once" means once for each load.

use core::ffi::{c_char, c_void};

/// The version of the ABI that this crate describes, as [`NrPluginInfo::abi_version`] states it.
pub const NR_ABI_VERSION: u32 = 1;

/// How a call, or one frame of a stream, ended.
///
/// On the wire it is a `u32`. A value that another language wrote may be any `u32`, and forming this enum from an
/// unknown one is undefined behaviour: read a raw `u32` and convert it by [`NrStatus::from_raw`].
#[repr(u32)]
#[derive(Debug, Copy, Clone, PartialEq, Eq, Hash)]
pub enum NrStatus {
    /// Success. Of a unary call: its result. Of a stream: one more frame, and others follow.
    Ok = 0,
    /// The plugin failed at run time. Terminal.
    Err = 1,
    /// The request or the result broke the contract. Terminal.
    Invalid = 2,
    /// The plugin does not do what was asked. Terminal.
    Unsupported = 3,
    /// The last frame of a stream. Terminal.
    StreamEnd = 4,
}

/// Borrowed UTF-8 text, without a terminating NUL.
///
/// Ownership stays with whoever passed it; it is valid for the duration of the call that passed it, and who keeps the
/// text copies it. Read it by [`NrStr::as_str`]. Neither `Send` nor `Sync`.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrStr {
    /// First byte; may be null (or anything) when `len` is 0, and is then never read.
    pub ptr: *const u8,
    /// Length in bytes.
    pub len: u32,
}

/// Borrowed bytes of no particular format.
///
/// Ownership stays with whoever passed them; they are valid for the duration of the call that passed them, and who
/// keeps them copies them. Read them by [`NrBytes::as_slice`]. Neither `Send` nor `Sync`. What
/// [`NrHostExt`] returns lives longer, as said there.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrBytes {
    /// First byte; may be null (or anything) when `len` is 0, and is then never read.
    pub ptr: *const u8,
    /// Length in bytes, at most `isize::MAX`.
    pub len: u64,
}

/// A header: a name and a value. Borrowed, as [`NrStr`] is.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrHeader {
    /// The name. Its case is left as the host's caller wrote it.
    pub key: NrStr,
    /// The value.
    pub value: NrStr,
}

/// A request's metadata; the body travels beside it, as the `payload` of [`NrPluginVTable::handle`].
///
/// The struct and all that it points to are valid until that call of `handle` returns. Build it by
/// [`NrRequest::build`].
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrRequest {
    /// The path.
    pub path: NrStr,
    /// The method.
    pub method: NrStr,
    /// The query, without the question mark; empty when there is none.
    pub query: NrStr,
    /// First of `headers_len` headers; may be null when there are none. Read them by [`NrRequest::headers`].
    pub headers: *const NrHeader,
    /// How many headers there are (not bytes).
    pub headers_len: u32,
    #[doc(hidden)]
    pub _reserved0: u32,
    #[doc(hidden)]
    pub _reserved1: u64,
}

/// What the host offers to a plugin: the way back.
///
/// Owned by the host, which passes a pointer to it to [`NrPluginVTable::init`] and never frees it while a thread of
/// the plugin can run. It never changes, so any thread may read it.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrHostVTable {
    /// Delivers the result of a call, or one frame of a stream.
    ///
    /// * `host_ctx`: what `init` was given, unchanged.
    /// * `sid`: what `handle` was given. One that is unknown, stale or finished is dropped and counted.
    /// * `status`: for a unary call, anything; the first result counts. For a stream, any number of `Ok`, then one
    ///   terminal status.
    /// * `payload`: copied before this returns; the plugin keeps its memory.
    ///
    /// From any thread, before or after `handle` returns; it never blocks. Frames that one thread sends for one sid
    /// arrive in the order sent. It returns nothing: what goes wrong is counted by the host.
    ///
    /// A host, which may be passed any `u32` as `status`, makes this field by [`NrHostVTable::from_raw`].
    pub send_result: unsafe extern "C" fn(host_ctx: *mut c_void, sid: u64, status: NrStatus, payload: NrBytes),
}

/// What a plugin offers to the host.
///
/// Owned by the plugin; valid and unchanged for as long as its library is loaded, so any thread may read it. No
/// function here may let a panic or an exception out. A host calls `init` and `handle` through
/// [`NrPluginVTable::raw_init`] and [`NrPluginVTable::raw_handle`], for what they return may be any `u32`.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrPluginVTable {
    /// Starts the plugin: called once, before any `handle`. May be absent.
    ///
    /// `host_ctx` and `host_vtable` stay valid while any thread of the plugin can run; the plugin keeps both and frees
    /// neither. Any status but `Ok` refuses to start: the plugin is not used, and `shutdown` is not called.
    pub init: Option<
        unsafe extern "C" fn(
            plugin_ctx: *mut c_void,
            host_ctx: *mut c_void,
            host_vtable: *const NrHostVTable,
        ) -> NrStatus,
    >,
    /// Takes one request. Must be present.
    ///
    /// Called from any thread, several at the same time. It copies what it needs of `req` and `payload` (both end with
    /// the call), and returns at once: it never blocks, sleeps or waits. `Ok` promises that a result for `sid` will be
    /// sent, or has been; any other status is a synchronous refusal, after which no result may follow. Failures at run
    /// time are sent as results, not returned.
    pub handle: Option<
        unsafe extern "C" fn(plugin_ctx: *mut c_void, sid: u64, req: *const NrRequest, payload: NrBytes) -> NrStatus,
    >,
    /// Stops the plugin: called at most once, after every `handle` has returned. May be absent.
    ///
    /// Results sent later than this are dropped and counted.
    pub shutdown: Option<unsafe extern "C" fn(plugin_ctx: *mut c_void)>,
}

/// What a plugin says of itself; `nylon_ring_get_plugin_v1` returns a pointer to it.
///
/// Owned by the plugin; valid and unchanged for as long as its library is loaded, which is why it is `Sync` and fits
/// into a `static`.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrPluginInfo {
    /// The ABI the plugin was built for: [`NR_ABI_VERSION`].
    pub abi_version: u32,
    /// The size of this struct as the plugin knows it, in bytes.
    pub struct_size: u32,
    /// The plugin's name; lives as long as this struct.
    pub name: NrStr,
    /// The plugin's version, such as `0.1.0`; lives as long as this struct.
    pub version: NrStr,
    /// The plugin's own, opaque to the host: the first argument of every plugin function. May be null.
    pub plugin_ctx: *mut c_void,
    /// The plugin's functions; never null in a valid plugin, and lives as long as this struct.
    pub vtable: *const NrPluginVTable,
}

/// The state extension, [`EXT_STATE`](crate::EXT_STATE): a small map of bytes for each sid, kept by the host.
///
/// The first `set_state` of a sid creates it; it lives until the call completes or the stream ends. Both functions may
/// be called from any thread, with the `host_ctx` of [`NrHostApi`] (or of `init`: they are the same). Owned by the
/// host, as [`NrHostVTable`] is.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrHostExt {
    /// Stores a copy of `value` under a copy of `key`, in place of what was there.
    ///
    /// Returns an empty `NrBytes` on success; otherwise an error text in UTF-8, which is static.
    pub set_state: unsafe extern "C" fn(host_ctx: *mut c_void, sid: u64, key: NrStr, value: NrBytes) -> NrBytes,
    /// Reads what `set_state` stored; null and 0 when there is none, or the sid is unknown.
    ///
    /// The bytes stay valid, even if the key is set again, until the plugin has sent the terminal result of the sid.
    /// The plugin only reads them.
    pub get_state: unsafe extern "C" fn(host_ctx: *mut c_void, sid: u64, key: NrStr) -> NrBytes,
}

/// The host's door to extensions, passed to `nylon_ring_attach_host_v1` before `init`.
///
/// Owned by the host; never freed while a thread of the plugin can run, and never changed, so any thread may read it.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrHostApi {
    /// The size of this struct as the host knows it, in bytes. It only grows.
    pub struct_size: u32,
    /// Reserved: the host writes zero, the plugin ignores it.
    pub flags: u32,
    /// The host's own, opaque to the plugin: the first argument of every host function.
    pub host_ctx: *mut c_void,
    /// Finds an extension's table by its id; null when it is not offered.
    ///
    /// `id` is NUL-terminated and read only during the call. The table lives as long as this struct. From any thread.
    /// A host without extensions may leave this function out.
    pub get_extension: Option<unsafe extern "C" fn(host_ctx: *mut c_void, id: *const c_char) -> *const c_void>,
}
