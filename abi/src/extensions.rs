//! The tables of the extensions beside [`NrHostExt`](crate::NrHostExt), their ids, and the values they use.
//!
//! | id | offered by | table | for |
//! | --- | --- | --- | --- |
//! | [`EXT_LOG`] | host | [`NrLogExt`] | logging through the host |
//! | [`EXT_STREAM`] | host | [`NrStreamExt`] | frames with backpressure |
//! | [`EXT_CANCEL`] | host | [`NrCancelExt`] | learning that a caller has given up |
//! | [`EXT_DEADLINE`] | host | [`NrDeadlineExt`] | how long the caller still waits |
//! | [`EXT_CONFIG`] | host | [`NrConfigExt`] | what the host was configured with for the plugin |
//! | [`EXT_BUFFER`] | host | [`NrBufferExt`] | results written in place |
//! | [`EXT_INSTANCE`] | plugin | [`NrInstanceExt`] | several instances from one library |
//! | [`EXT_QUIESCE`] | plugin | [`NrQuiesceExt`] | stating that all threads have stopped |
//! | [`EXT_HEALTH`] | plugin | [`NrHealthExt`] | how the plugin is |
//!
//! Each table begins with its own size. One that is smaller than the type here, or that lacks a function, is that of a
//! broken peer and is not used; hence every function is an `Option`. A table never changes: a new revision gets a new
//! id. Who owns what, for how long, and on which thread, says the C header, function by function.
//!
//! A status that such a function takes or returns is a `u32`: it comes from the other side, and may be any.

use core::ffi::{CStr, c_void};

use crate::{NrBytes, NrStr};

/// The id of [`NrLogExt`].
pub const EXT_LOG: &CStr = c"nylon.log/1";
/// The id of [`NrStreamExt`].
pub const EXT_STREAM: &CStr = c"nylon.stream/1";
/// The id of [`NrCancelExt`].
pub const EXT_CANCEL: &CStr = c"nylon.cancel/1";
/// The id of [`NrDeadlineExt`].
pub const EXT_DEADLINE: &CStr = c"nylon.deadline/1";
/// The id of [`NrConfigExt`].
pub const EXT_CONFIG: &CStr = c"nylon.config/1";
/// The id of [`NrBufferExt`].
pub const EXT_BUFFER: &CStr = c"nylon.buffer/1";
/// The id of [`NrInstanceExt`].
pub const EXT_INSTANCE: &CStr = c"nylon.instance/1";
/// The id of [`NrQuiesceExt`].
pub const EXT_QUIESCE: &CStr = c"nylon.quiesce/1";
/// The id of [`NrHealthExt`].
pub const EXT_HEALTH: &CStr = c"nylon.health/1";

/// Something that a plugin wants to be told of; called exactly once if it was registered.
///
/// On any thread, never under a lock, perhaps before the function that registers it has returned. It must not block, and
/// nothing may unwind out of it.
pub type NrCallback = unsafe extern "C" fn(user: *mut c_void, sid: u64, event: u32);

/// The call is over, and what the callback waits for has not happened.
pub const NR_EVENT_OVER: u32 = 0;
/// The caller has given the call up; the plugin still owes a terminal result.
pub const NR_EVENT_CANCELLED: u32 = 1;
/// The stream takes frames again.
pub const NR_EVENT_WRITABLE: u32 = 2;

/// The callback is, or was, called exactly once.
pub const NR_WATCH_REGISTERED: u32 = 0;
/// What the callback waits for is so now; it is not called.
pub const NR_WATCH_ALREADY: u32 = 1;
/// The call is over, given up or unknown; the callback is not called.
pub const NR_WATCH_CLOSED: u32 = 2;
/// There is no callback, or no room for it; it is not called.
pub const NR_WATCH_REFUSED: u32 = 3;

/// The level of an error.
pub const NR_LOG_ERROR: u32 = 1;
/// The level of a warning.
pub const NR_LOG_WARN: u32 = 2;
/// The level of what an operator may want to know.
pub const NR_LOG_INFO: u32 = 3;
/// The level of what a developer may want to know.
pub const NR_LOG_DEBUG: u32 = 4;
/// The level of everything else.
pub const NR_LOG_TRACE: u32 = 5;

/// The frame was sent.
pub const NR_SEND_SENT: u32 = 0;
/// The frame was not sent: the window is full.
pub const NR_SEND_FULL: u32 = 1;
/// The frame was not sent: the call is over, given up or unknown.
pub const NR_SEND_CLOSED: u32 = 2;
/// The frame was not sent: it cannot be read, or is longer than the host's buffer limit.
pub const NR_SEND_INVALID: u32 = 3;

/// What [`NrDeadlineExt::remaining`] returns for a call without a deadline.
pub const NR_NO_DEADLINE: u64 = u64::MAX;

/// Logging through the host: [`EXT_LOG`].
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrLogExt {
    /// The size of this table, in bytes.
    pub struct_size: u32,
    /// Reserved: zero.
    pub _reserved0: u32,
    /// Whether a message of this level would be kept: 1 or 0.
    pub enabled: Option<unsafe extern "C" fn(host_ctx: *mut c_void, level: u32) -> u32>,
    /// Logs one message about a call, or about none (`sid` 0). Both texts are borrowed for the call.
    pub log: Option<unsafe extern "C" fn(host_ctx: *mut c_void, sid: u64, level: u32, target: NrStr, message: NrStr)>,
}

/// Frames with backpressure: [`EXT_STREAM`].
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrStreamExt {
    /// The size of this table, in bytes.
    pub struct_size: u32,
    /// Reserved: zero.
    pub _reserved0: u32,
    /// Sends one frame of status `Ok` if the stream's window has room, and copies it: `NR_SEND_…`.
    pub try_send: Option<unsafe extern "C" fn(host_ctx: *mut c_void, sid: u64, payload: NrBytes) -> u32>,
    /// Has the callback called once half of the window is free: `NR_WATCH_…`.
    pub on_writable: Option<
        unsafe extern "C" fn(host_ctx: *mut c_void, sid: u64, callback: Option<NrCallback>, user: *mut c_void) -> u32,
    >,
    /// How many frames the window has room for now; 0 for a sid that is not open.
    pub credits: Option<unsafe extern "C" fn(host_ctx: *mut c_void, sid: u64) -> u64>,
}

/// Learning that a caller has given up: [`EXT_CANCEL`].
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrCancelExt {
    /// The size of this table, in bytes.
    pub struct_size: u32,
    /// Reserved: zero.
    pub _reserved0: u32,
    /// Whether nobody waits for results of this sid any more: 1 or 0.
    pub is_cancelled: Option<unsafe extern "C" fn(host_ctx: *mut c_void, sid: u64) -> u32>,
    /// Has the callback called once the caller gives the call up: `NR_WATCH_…`.
    pub on_cancel: Option<
        unsafe extern "C" fn(host_ctx: *mut c_void, sid: u64, callback: Option<NrCallback>, user: *mut c_void) -> u32,
    >,
}

/// How long the caller still waits: [`EXT_DEADLINE`].
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrDeadlineExt {
    /// The size of this table, in bytes.
    pub struct_size: u32,
    /// Reserved: zero.
    pub _reserved0: u32,
    /// Nanoseconds until the deadline; 0 when it has passed or the sid is not open; [`NR_NO_DEADLINE`] when there is none.
    pub remaining: Option<unsafe extern "C" fn(host_ctx: *mut c_void, sid: u64) -> u64>,
}

/// What the host was configured with for this plugin: [`EXT_CONFIG`].
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrConfigExt {
    /// The size of this table, in bytes.
    pub struct_size: u32,
    /// Reserved: zero.
    pub _reserved0: u32,
    /// The bytes, which the host owns and which live as long as [`NrHostApi`](crate::NrHostApi).
    pub get: Option<unsafe extern "C" fn(host_ctx: *mut c_void) -> NrBytes>,
}

/// Memory of the host that a plugin writes a result into.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrBuffer {
    /// The first byte; null if there is none to be had.
    pub ptr: *mut u8,
    /// How many bytes may be written.
    pub capacity: u64,
    /// The host's own.
    pub _lease: u64,
}

/// Results written in place: [`EXT_BUFFER`].
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrBufferExt {
    /// The size of this table, in bytes.
    pub struct_size: u32,
    /// Reserved: zero.
    pub _reserved0: u32,
    /// Reserves at least `len` bytes for a result of `sid`, all of them zero. The plugin commits or releases them, once.
    pub reserve: Option<unsafe extern "C" fn(host_ctx: *mut c_void, sid: u64, len: u64) -> NrBuffer>,
    /// Sends the first `len` bytes as a result, without a copy. The buffer is the host's again, whatever comes of it.
    pub commit: Option<unsafe extern "C" fn(host_ctx: *mut c_void, sid: u64, status: u32, buffer: NrBuffer, len: u64)>,
    /// Gives a buffer back without sending anything.
    pub release: Option<unsafe extern "C" fn(host_ctx: *mut c_void, buffer: NrBuffer)>,
}

/// Several instances from one library: [`EXT_INSTANCE`], offered by the plugin.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrInstanceExt {
    /// The size of this table, in bytes.
    pub struct_size: u32,
    /// Reserved: zero.
    pub _reserved0: u32,
    /// Makes another instance, and writes the context that stands in the place of `plugin_ctx` for it.
    pub create: Option<unsafe extern "C" fn(plugin_ctx: *mut c_void, instance_ctx: *mut *mut c_void) -> u32>,
    /// Frees an instance that was shut down or failed to start, and whose threads have stopped.
    pub destroy: Option<unsafe extern "C" fn(plugin_ctx: *mut c_void, instance_ctx: *mut c_void)>,
}

/// A statement that all threads have stopped: [`EXT_QUIESCE`], offered by the plugin.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrQuiesceExt {
    /// The size of this table, in bytes.
    pub struct_size: u32,
    /// Reserved: zero.
    pub _reserved0: u32,
    /// After `shutdown`: 1 once no thread runs code of this instance or calls its host, and none ever will; otherwise 0.
    pub is_quiescent: Option<unsafe extern "C" fn(plugin_ctx: *mut c_void) -> u32>,
}

/// How the plugin is: [`EXT_HEALTH`], offered by the plugin.
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct NrHealthExt {
    /// The size of this table, in bytes.
    pub struct_size: u32,
    /// Reserved: zero.
    pub _reserved0: u32,
    /// `Ok` (0) if the plugin can serve; may write a text that lives until the next call of this.
    pub check: Option<unsafe extern "C" fn(plugin_ctx: *mut c_void, detail: *mut NrStr) -> u32>,
}
