//! Status values, compatibility, raw functions, and what may cross threads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use nylon_ring::{
    NR_ABI_VERSION, NrBytes, NrHeaderList, NrHeaderRef, NrHeaders, NrHostApi, NrHostExt, NrHostVTable, NrPluginInfo,
    NrPluginVTable, NrRawInitFn, NrRawSendResultFn, NrRequest, NrStatus, NrStr,
};
use std::{
    ffi::c_void,
    mem, ptr,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
};

const ALL: [NrStatus; 5] = [NrStatus::Ok, NrStatus::Err, NrStatus::Invalid, NrStatus::Unsupported, NrStatus::StreamEnd];

#[test]
fn every_status_goes_round_and_nothing_else_does() {
    for status in ALL {
        assert_eq!(NrStatus::from_raw(status.as_raw()), Some(status));
    }
    for raw in (5..1000).chain([1 << 8, 1 << 16, 1 << 31, u32::MAX]) {
        assert_eq!(NrStatus::from_raw(raw), None);
    }
}

#[test]
fn all_but_ok_end_a_stream() {
    assert_eq!(ALL.map(NrStatus::is_terminal), [false, true, true, true, true]);
}

#[test]
fn a_status_reads_well() {
    let texts = ALL.map(|status| status.to_string());
    assert_eq!(texts, ["ok", "error", "invalid", "unsupported", "end of stream"]);
    assert_eq!(format!("{:>4}", NrStatus::Ok), "  ok");
}

static VTABLE: NrPluginVTable = NrPluginVTable { init: None, handle: None, shutdown: None };

static INFO: NrPluginInfo = NrPluginInfo {
    abi_version: NR_ABI_VERSION,
    struct_size: size_of::<NrPluginInfo>() as u32,
    name: NrStr::from_str("contract"),
    version: NrStr::from_str("0.1.0"),
    plugin_ctx: ptr::null_mut(),
    vtable: &VTABLE,
};

#[test]
fn compatible_is_same_version_and_large_enough() {
    assert!(INFO.compatible(NR_ABI_VERSION));
    assert!(!INFO.compatible(0));
    assert!(!INFO.compatible(2));
    let size = INFO.struct_size;
    for (struct_size, good) in [(0, false), (size - 1, false), (size + 8, true), (u32::MAX, true)] {
        let info = NrPluginInfo { struct_size, ..INFO };
        assert_eq!(info.compatible(NR_ABI_VERSION), good, "{struct_size}");
    }
}

static SEEN: AtomicU32 = AtomicU32::new(u32::MAX);

unsafe extern "C" fn send_result(_: *mut c_void, _: u64, status: u32, _: NrBytes) {
    SEEN.store(status, SeqCst);
}

#[test]
#[cfg_attr(miri, ignore = "Miri does not take a repr(u32) enum and a u32 for the same argument")]
fn a_host_receives_any_status() {
    let table = NrHostVTable::from_raw(send_result);
    for status in ALL {
        // SAFETY: `send_result` above takes anything.
        unsafe { (table.send_result)(ptr::null_mut(), 1, status, NrBytes::EMPTY) };
        assert_eq!(SEEN.load(SeqCst), status.as_raw());
    }
    // What a C plugin does: the same pointer, and a value that no `NrStatus` has.
    let foreign: NrRawSendResultFn = {
        // SAFETY: both are pointers to functions, and the target is in truth of the new type.
        unsafe { mem::transmute(table.send_result) }
    };
    // SAFETY: `send_result` above takes anything.
    unsafe { foreign(ptr::null_mut(), 1, 4711, NrBytes::EMPTY) };
    assert_eq!(SEEN.load(SeqCst), 4711);
}

type InitFn = unsafe extern "C" fn(*mut c_void, *mut c_void, *const NrHostVTable) -> NrStatus;

unsafe extern "C" fn foreign_init(_: *mut c_void, _: *mut c_void, _: *const NrHostVTable) -> u32 {
    99
}

unsafe extern "C" fn handle(_: *mut c_void, _: u64, _: *const NrRequest, _: NrBytes) -> NrStatus {
    NrStatus::Unsupported
}

#[test]
#[cfg_attr(miri, ignore = "Miri does not take a repr(u32) enum and a u32 for the same result")]
fn a_host_is_returned_any_status() {
    let init: NrRawInitFn = foreign_init;
    let vtable = NrPluginVTable {
        // SAFETY: both are pointers to functions; what a foreign plugin puts there is of the raw type.
        init: Some(unsafe { mem::transmute::<NrRawInitFn, InitFn>(init) }),
        handle: Some(handle),
        shutdown: None,
    };
    let init = vtable.raw_init().unwrap();
    // SAFETY: `foreign_init` above takes anything.
    let raw = unsafe { init(ptr::null_mut(), ptr::null_mut(), ptr::null()) };
    assert_eq!((raw, NrStatus::from_raw(raw)), (99, None));
    let handle = vtable.raw_handle().unwrap();
    // SAFETY: `handle` above takes anything.
    let raw = unsafe { handle(ptr::null_mut(), 1, ptr::null(), NrBytes::EMPTY) };
    assert_eq!(NrStatus::from_raw(raw), Some(NrStatus::Unsupported));
    assert!(VTABLE.raw_init().is_none());
    assert!(VTABLE.raw_handle().is_none());
}

#[test]
fn what_is_shared_may_be_shared() {
    fn shareable<T: Send + Sync>() {}
    shareable::<NrPluginInfo>();
    shareable::<NrPluginVTable>();
    shareable::<NrHostVTable>();
    shareable::<NrHostApi>();
    shareable::<NrHostExt>();
    shareable::<NrHeaders>();
    shareable::<NrHeaderList<'_>>();
    shareable::<NrHeaderRef<'_>>();
}
