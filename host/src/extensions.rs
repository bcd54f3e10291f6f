//! What the host offers beside the core ABI: one file an extension, each with its table.
//!
//! Every function of a table may be called from any thread, at any time, with any values: it checks them, contains panics, and
//! never blocks. What makes no sense is counted (`Metrics::extension_errors`) and answered as the C header says.

use std::{
    ffi::{CStr, c_void},
    ptr,
};

use nylon_ring::{
    EXT_BUFFER, EXT_CANCEL, EXT_CONFIG, EXT_DEADLINE, EXT_LOG, EXT_STATE, EXT_STREAM, NR_EVENT_CANCELLED,
    NR_EVENT_OVER, NR_EVENT_WRITABLE, NR_WATCH_ALREADY, NR_WATCH_CLOSED, NR_WATCH_REFUSED, NR_WATCH_REGISTERED,
    NrCallback,
};
use nylon_ring_runtime::{Event, Watching};

use crate::{callbacks::contain, context::Context};

pub(crate) mod buffer;
mod cancel;
mod config;
mod deadline;
mod log;
mod state;
mod stream;

/// The table of an extension; null if there is none of this id.
pub(crate) fn table(id: &CStr) -> *const c_void {
    let tables: [(&CStr, *const c_void); 7] = [
        (EXT_STATE, ptr::from_ref(&state::TABLE).cast()),
        (EXT_LOG, ptr::from_ref(&log::TABLE).cast()),
        (EXT_STREAM, ptr::from_ref(&stream::TABLE).cast()),
        (EXT_CANCEL, ptr::from_ref(&cancel::TABLE).cast()),
        (EXT_DEADLINE, ptr::from_ref(&deadline::TABLE).cast()),
        (EXT_CONFIG, ptr::from_ref(&config::TABLE).cast()),
        (EXT_BUFFER, ptr::from_ref(&buffer::TABLE).cast()),
    ];
    tables.iter().find(|(known, _)| *known == id).map_or(ptr::null(), |(_, table)| *table)
}

/// Runs `f` on the context that a plugin handed back; `otherwise` if there is none, or if `f` panics.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given.
unsafe fn on_context<R: Copy>(host_ctx: *mut c_void, otherwise: R, f: impl FnOnce(&'static Context) -> R) -> R {
    contain(otherwise, || {
        // SAFETY: the caller passes null or what it was given.
        unsafe { Context::from_host_ctx(host_ctx) }.map_or(otherwise, f)
    })
}

/// A callback of a plugin, and what it wants back.
struct Callback {
    function: NrCallback,
    user: *mut c_void,
    sid: u64,
}

// SAFETY: the ABI has a callback called on any thread; `user` is only handed back.
unsafe impl Send for Callback {}

impl Callback {
    fn call(self, event: Event) {
        let event = match event {
            Event::Over => NR_EVENT_OVER,
            Event::GivenUp => NR_EVENT_CANCELLED,
            Event::Writable => NR_EVENT_WRITABLE,
        };
        // SAFETY: the plugin registered it with this `user`; its library is mapped as long as the host or a reactor may come here
        // (`unload.rs`, 1 and 3); and it is called once.
        unsafe { (self.function)(self.user, self.sid, event) }
    }
}

/// Registers a callback by `watch`; returns what the ABI has for the outcome.
fn register(
    context: &'static Context,
    sid: u64,
    function: Option<NrCallback>,
    user: *mut c_void,
    watch: impl FnOnce(Callback) -> Watching,
) -> u32 {
    let Some(function) = function else {
        context.extension_errors.count();
        return NR_WATCH_REFUSED;
    };
    match watch(Callback { function, user, sid }) {
        Watching::Registered => NR_WATCH_REGISTERED,
        Watching::Already => NR_WATCH_ALREADY,
        Watching::Closed => NR_WATCH_CLOSED,
        Watching::Refused => {
            context.extension_errors.count();
            NR_WATCH_REFUSED
        }
    }
}
