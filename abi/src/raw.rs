//! The functions of the ABI with the status as the raw `u32` that it is on the wire.
//!
//! A foreign plugin can put any `u32` where the ABI says [`NrStatus`](crate::NrStatus). A Rust function that takes or
//! returns the enum would form it from that value, which is undefined behaviour. The host side therefore uses the
//! types below. Invariant that the casts cite:
//!
//! * **R1**: `NrStatus` is `repr(u32)` and has no fields, so it has the size, the alignment and the register class of
//!   a `u32`, and the C calling conventions of 64-bit targets pass and return the two alike. Each type here differs in
//!   this alone from the one it is cast from or to, and every `NrStatus` is a valid `u32`.
//!
//! R1 is a fact of these calling conventions, the same one that lets a C plugin use a `uint32_t` there. The Rust
//! language does not promise it for every target, so Miri refuses a call between two Rust functions that goes through
//! such a cast; tests that make one are left out under Miri.

use core::{ffi::c_void, mem};

use crate::{NrBytes, NrHostVTable, NrPluginVTable, NrRequest, NrStatus};

/// [`NrHostVTable::send_result`], as a host implements it.
pub type NrRawSendResultFn = unsafe extern "C" fn(host_ctx: *mut c_void, sid: u64, status: u32, payload: NrBytes);

/// [`NrPluginVTable::init`], as a host calls it.
pub type NrRawInitFn =
    unsafe extern "C" fn(plugin_ctx: *mut c_void, host_ctx: *mut c_void, host_vtable: *const NrHostVTable) -> u32;

/// [`NrPluginVTable::handle`], as a host calls it.
pub type NrRawHandleFn =
    unsafe extern "C" fn(plugin_ctx: *mut c_void, sid: u64, req: *const NrRequest, payload: NrBytes) -> u32;

type SendResultFn = unsafe extern "C" fn(*mut c_void, u64, NrStatus, NrBytes);
type InitFn = unsafe extern "C" fn(*mut c_void, *mut c_void, *const NrHostVTable) -> NrStatus;
type HandleFn = unsafe extern "C" fn(*mut c_void, u64, *const NrRequest, NrBytes) -> NrStatus;

impl NrHostVTable {
    /// The table of a host whose `send_result` takes the status as any `u32`.
    ///
    /// ```
    /// use core::ffi::c_void;
    /// use nylon_ring::{NrBytes, NrHostVTable, NrStatus};
    ///
    /// unsafe extern "C" fn send_result(_host: *mut c_void, _sid: u64, status: u32, _payload: NrBytes) {
    ///     let _status = NrStatus::from_raw(status).unwrap_or(NrStatus::Err);
    /// }
    ///
    /// static VTABLE: NrHostVTable = NrHostVTable::from_raw(send_result);
    /// ```
    #[must_use]
    pub const fn from_raw(send_result: NrRawSendResultFn) -> Self {
        Self {
            // SAFETY: R1; callers of the field pass an `NrStatus`, which is a valid `u32`.
            send_result: unsafe { mem::transmute::<NrRawSendResultFn, SendResultFn>(send_result) },
        }
    }
}

impl NrPluginVTable {
    /// `init`, with the status it returns as any `u32`.
    ///
    /// ```
    /// use nylon_ring::NrPluginVTable;
    ///
    /// let vtable = NrPluginVTable { init: None, handle: None, shutdown: None };
    /// assert!(vtable.raw_init().is_none());
    /// ```
    #[must_use]
    pub const fn raw_init(&self) -> Option<NrRawInitFn> {
        match self.init {
            // SAFETY: R1; what it returns is read as a `u32`, for which every value is valid.
            Some(init) => Some(unsafe { mem::transmute::<InitFn, NrRawInitFn>(init) }),
            None => None,
        }
    }

    /// `handle`, with the status it returns as any `u32`.
    ///
    /// ```
    /// use nylon_ring::NrPluginVTable;
    ///
    /// let vtable = NrPluginVTable { init: None, handle: None, shutdown: None };
    /// assert!(vtable.raw_handle().is_none()); // a host refuses such a plugin
    /// ```
    #[must_use]
    pub const fn raw_handle(&self) -> Option<NrRawHandleFn> {
        match self.handle {
            // SAFETY: R1; what it returns is read as a `u32`, for which every value is valid.
            Some(handle) => Some(unsafe { mem::transmute::<HandleFn, NrRawHandleFn>(handle) }),
            None => None,
        }
    }
}
