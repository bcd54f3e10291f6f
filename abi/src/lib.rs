//! The nylon-ring plugin ABI, version 1: the C-compatible types that a host and its plugins share.
//!
//! A host loads a plugin, hands it a request through [`NrPluginVTable::handle`] and goes on; the plugin answers later,
//! from any thread, through [`NrHostVTable::send_result`]. This crate says how the data of that exchange lie in
//! memory, and offers checked ways to make and to read them. The same contract for C and every other language is the
//! header `include/nylon_ring.h`; a test compares the two field by field.
//!
//! | where | what |
//! | --- | --- |
//! | [`NrStr`], [`NrBytes`], [`NrHeader`], [`NrRequest`] | borrowed views: valid only during the call that passed them |
//! | [`NrHeaderRef`], [`NrHeaderList`], [`NrHeaders`] | headers whose borrow the compiler enforces |
//! | [`NrStatus`] | how a call or a frame ended; foreign values go through [`NrStatus::from_raw`] |
//! | [`NrPluginInfo`], [`NrPluginVTable`] | what a plugin exports |
//! | [`NrHostVTable`], [`NrHostApi`], [`NrHostExt`] | what a host offers |
//! | [`NrLogExt`], [`NrStreamExt`], [`NrCancelExt`], [`NrDeadlineExt`], [`NrConfigExt`], [`NrBufferExt`] | its extensions |
//! | [`NrInstanceExt`], [`NrQuiesceExt`], [`NrHealthExt`] | extensions of a plugin |
//! | [`NrViewError`] | why a view could not be made or read |
//!
//! # Reading what the other side wrote
//!
//! The views are raw pointers with a length. The readers ([`NrStr::as_str`], [`NrBytes::as_slice`],
//! [`NrRequest::headers`]) first check what can be checked, and read nothing if that fails; they are `unsafe` because
//! no check can tell whether a non-null pointer is still alive.
//!
//! An [`NrStatus`] that comes from the other side may be any `u32`, and no Rust enum may be formed from it. Whoever
//! calls into a plugin therefore uses [`NrPluginVTable::raw_init`] and [`NrPluginVTable::raw_handle`], and whoever
//! receives results writes an [`NrRawSendResultFn`] and wraps it by [`NrHostVTable::from_raw`].
//!
//! # Threads
//!
//! The views are neither `Send` nor `Sync`, because a view that leaves the thread also tends to outlive the call:
//!
//! ```compile_fail,E0277
//! let path = nylon_ring::NrStr::from_str("/hello");
//! std::thread::spawn(move || drop(path)); // error: copy the text instead
//! ```
//!
//! # Platforms
//!
//! 64-bit little endian; anything else is refused at compile time. `no_std`, with `alloc`, and no dependencies.
//!
//! # Example: the smallest plugin
//!
//! ```
//! use core::ffi::c_void;
//! use nylon_ring::{NR_ABI_VERSION, NrBytes, NrPluginInfo, NrPluginVTable, NrRequest, NrStatus, NrStr};
//!
//! unsafe extern "C" fn handle(_ctx: *mut c_void, _sid: u64, _req: *const NrRequest, _body: NrBytes) -> NrStatus {
//!     NrStatus::Unsupported // a synchronous refusal: no result follows
//! }
//!
//! static VTABLE: NrPluginVTable = NrPluginVTable { init: None, handle: Some(handle), shutdown: None };
//!
//! static INFO: NrPluginInfo = NrPluginInfo {
//!     abi_version: NR_ABI_VERSION,
//!     struct_size: size_of::<NrPluginInfo>() as u32,
//!     name: NrStr::from_str("smallest"),
//!     version: NrStr::from_str("0.1.0"),
//!     plugin_ctx: core::ptr::null_mut(),
//!     vtable: &VTABLE,
//! };
//!
//! // A real plugin adds `#[unsafe(no_mangle)]`.
//! pub extern "C" fn nylon_ring_get_plugin_v1() -> *const NrPluginInfo {
//!     &INFO
//! }
//! # // SAFETY: INFO is a static.
//! # assert!(unsafe { &*nylon_ring_get_plugin_v1() }.compatible(NR_ABI_VERSION));
//! ```
#![no_std]

extern crate alloc;

mod error;
mod extensions;
mod headers;
mod info;
mod layout;
mod raw;
mod request;
mod status;
mod symbols;
mod types;
mod view;

pub use error::NrViewError;
pub use extensions::{
    EXT_BUFFER, EXT_CANCEL, EXT_CONFIG, EXT_DEADLINE, EXT_HEALTH, EXT_INSTANCE, EXT_LOG, EXT_QUIESCE, EXT_STREAM,
    NR_EVENT_CANCELLED, NR_EVENT_OVER, NR_EVENT_WRITABLE, NR_LOG_DEBUG, NR_LOG_ERROR, NR_LOG_INFO, NR_LOG_TRACE,
    NR_LOG_WARN, NR_NO_DEADLINE, NR_SEND_CLOSED, NR_SEND_FULL, NR_SEND_INVALID, NR_SEND_SENT, NR_WATCH_ALREADY,
    NR_WATCH_CLOSED, NR_WATCH_REFUSED, NR_WATCH_REGISTERED, NrBuffer, NrBufferExt, NrCallback, NrCancelExt,
    NrConfigExt, NrDeadlineExt, NrHealthExt, NrInstanceExt, NrLogExt, NrQuiesceExt, NrStreamExt,
};
pub use headers::{NrHeaderList, NrHeaderRef, NrHeaders};
pub use raw::{NrRawHandleFn, NrRawInitFn, NrRawSendResultFn};
pub use symbols::{
    ATTACH_HOST_SYMBOL, ENTRY_SYMBOL, EXT_STATE, GET_EXTENSION_SYMBOL, NrAttachHostFn, NrGetExtensionFn, NrGetPluginFn,
};
pub use types::{
    NR_ABI_VERSION, NrBytes, NrHeader, NrHostApi, NrHostExt, NrHostVTable, NrPluginInfo, NrPluginVTable, NrRequest,
    NrStatus, NrStr,
};
