//! `nylon.deadline/1`: how long the caller still waits.

use std::ffi::c_void;

use nylon_ring::{NR_NO_DEADLINE, NrDeadlineExt};

use super::on_context;
use crate::context::Context;

/// The table behind the id.
pub(super) static TABLE: NrDeadlineExt =
    NrDeadlineExt { struct_size: size_of::<NrDeadlineExt>() as u32, _reserved0: 0, remaining: Some(remaining) };

/// `NrDeadlineExt::remaining`.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given.
unsafe extern "C" fn remaining(host_ctx: *mut c_void, sid: u64) -> u64 {
    let look = |context: &'static Context| match context.runtime.deadline(sid) {
        Some(deadline) => context.clock.until(deadline),
        None if context.runtime.is_wanted(sid) => NR_NO_DEADLINE,
        None => 0,
    };
    // SAFETY: as the caller promises.
    unsafe { on_context(host_ctx, 0, look) }
}
