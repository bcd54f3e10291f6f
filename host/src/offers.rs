//! What a plugin offers beside the core ABI: the tables of `nylon.quiesce/1`, `nylon.instance/1` and `nylon.health/1`.
//!
//! They are asked for once, when the plugin has started, and copied out. A table that is smaller than its type, or lacks a function,
//! is that of a broken plugin, and is as good as none. Who may call its functions when, says [`dispatch`](crate::dispatch).

use std::{
    ffi::{CStr, c_void},
    ptr::NonNull,
};

use nylon_ring::{EXT_HEALTH, EXT_INSTANCE, EXT_QUIESCE, NrHealthExt, NrInstanceExt, NrQuiesceExt, NrStatus, NrStr};

/// `NrQuiesceExt::is_quiescent`.
pub(crate) type IsQuiescent = unsafe extern "C" fn(*mut c_void) -> u32;
/// `NrHealthExt::check`.
pub(crate) type Check = unsafe extern "C" fn(*mut c_void, *mut NrStr) -> u32;
/// `NrInstanceExt::destroy`.
pub(crate) type Destroy = unsafe extern "C" fn(*mut c_void, *mut c_void);

/// Both functions of `nylon.instance/1`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Instances {
    pub(crate) create: unsafe extern "C" fn(*mut c_void, *mut *mut c_void) -> u32,
    pub(crate) destroy: Destroy,
}

/// The functions that a plugin offers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offers {
    pub(crate) is_quiescent: Option<IsQuiescent>,
    pub(crate) check: Option<Check>,
    pub(crate) instances: Option<Instances>,
}

impl Offers {
    /// Asks for each table by its id.
    pub(crate) fn look_up(extension: impl Fn(&CStr) -> Option<NonNull<c_void>>) -> Self {
        // SAFETY: this is what the ABI has behind the id.
        let quiesce = extension(EXT_QUIESCE).and_then(|table| unsafe { read::<NrQuiesceExt>(table) });
        // SAFETY: as above.
        let health = extension(EXT_HEALTH).and_then(|table| unsafe { read::<NrHealthExt>(table) });
        // SAFETY: as above.
        let instance = extension(EXT_INSTANCE).and_then(|table| unsafe { read::<NrInstanceExt>(table) });
        Self {
            is_quiescent: quiesce.and_then(|table| table.is_quiescent),
            check: health.and_then(|table| table.check),
            instances: instance.and_then(|table| Some(Instances { create: table.create?, destroy: table.destroy? })),
        }
    }
}

/// Copies a table out, if it is as large as it should be.
///
/// # Safety
///
/// The pointer leads to a table of type `T`, which begins with its size in bytes as a `u32`, or of that size. Any bits are a valid
/// `T`: it has integers and functions in an `Option`.
unsafe fn read<T>(table: NonNull<c_void>) -> Option<T> {
    // SAFETY: each table begins with its size; the read needs no alignment.
    let size = unsafe { table.cast::<u32>().read_unaligned() };
    if (size as usize) < size_of::<T>() {
        return None;
    }
    // SAFETY: by the contract, and the table states that it is large enough.
    Some(unsafe { table.cast::<T>().read_unaligned() })
}

/// How a plugin says that it is, by `nylon.health/1`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// `Ok` if it can serve.
    pub status: NrStatus,
    /// What it says of that to an operator; may be empty.
    pub detail: String,
}

impl Health {
    /// Whether the plugin can serve.
    pub fn is_well(&self) -> bool {
        self.status == NrStatus::Ok
    }
}
