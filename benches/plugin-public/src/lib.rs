//! The plugin of the contender `public-0.2.2`: [`Work`] behind the ABI of the crate `nylon-ring` 0.2.2 from crates.io.
//!
//! Entries are resolved by name once, then called by number, so a path cannot carry an argument: what follows the last
//! `/` of `/p/<len>`, `/bp/<len>`, `/f/<n>` and `/bf/<n>` comes as the payload of the entries `/p`, `/bp`, `/f`, `/bf`.
//! `control` has the whole path as its payload. `stop` ends the threads, for the host never calls `shutdown` of a plugin
//! that is pinned.
//!
//! This ABI tells neither `handle` nor `shutdown` which plugin is meant, so there is one at a time: the one of the host
//! that called `init` last. The ones before must have been stopped. Nothing of them is ever freed.

mod host;

use std::{
    ffi::c_void,
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

use nylon_ring_bench_work::{Kind, Work};
use public::{NrBytes, NrHostVTable, NrStatus};

use crate::host::{Host, status};

/// The plugin of the last host; set by `init`.
static CURRENT: AtomicPtr<Work<Host>> = AtomicPtr::new(ptr::null_mut());

/// What the macro makes.
mod export {
    use super::*;

    public::define_plugin! {
        init: init,
        shutdown: shutdown,
        entries: {
            "/e" => empty,
            "/k" => kib,
            "/p" => payload,
            "/c" => echo,
            "/f" => frames,
            "/be" => empty_later,
            "/bk" => kib_later,
            "/bp" => payload_later,
            "/bf" => frames_later,
            "control" => control,
            "stop" => stop,
        }
    }
}

/// The plugin; none before `init`.
#[inline]
fn work() -> Option<&'static Work<Host>> {
    // Ordering: Acquire; pairs with the store in `init`.
    let work = CURRENT.load(Ordering::Acquire);
    // SAFETY: null, or what `init` leaked: never freed, and only ever shared.
    unsafe { work.as_ref() }
}

/// # Safety
/// As the ABI has it: `host_vtable` is null or the host's table.
unsafe fn init(host_ctx: *mut c_void, host_vtable: *const NrHostVTable) -> NrStatus {
    // SAFETY: null, or the host's table, which is copied.
    let Some(vtable) = (unsafe { host_vtable.as_ref() }) else {
        return NrStatus::Invalid;
    };
    let work = Box::leak(Box::new(Work::new(Host::new(host_ctx, *vtable))));
    // Ordering: Release; pairs with the load in `work`.
    CURRENT.store(work, Ordering::Release);
    NrStatus::Ok
}

fn shutdown() {
    if let Some(work) = work() {
        work.stop();
    }
}

/// An entry: its function, and what it does with the plugin, the sid, and the payload, if it wants one.
macro_rules! entry {
    ($name:ident, |$work:ident, $sid:ident| $does:expr) => {
        /// # Safety
        /// None: it does not look at the payload.
        unsafe fn $name($sid: u64, _payload: NrBytes) -> NrStatus {
            match work() {
                Some($work) => status($does),
                None => NrStatus::Err,
            }
        }
    };
    ($name:ident, |$work:ident, $sid:ident, $payload:ident| $does:expr) => {
        /// # Safety
        /// As the ABI has it: the payload is readable until this returns.
        unsafe fn $name($sid: u64, $payload: NrBytes) -> NrStatus {
            // SAFETY: the host's bytes are valid until this function returns.
            match (work(), unsafe { $payload.as_slice() }) {
                (Some($work), Ok($payload)) => status($does),
                (None, _) => NrStatus::Err,
                (_, Err(_)) => NrStatus::Invalid,
            }
        }
    };
}

entry!(empty, |work, sid| work.empty(sid));
entry!(kib, |work, sid| work.kib(sid));
entry!(payload, |work, sid, len| work.payload(sid, len));
entry!(echo, |work, sid, body| work.echo(sid, body));
entry!(frames, |work, sid, n| work.frames(sid, n));
entry!(empty_later, |work, sid| work.later(sid, Kind::Empty));
entry!(kib_later, |work, sid| work.later(sid, Kind::Kib));
entry!(payload_later, |work, sid, len| work.payload_later(sid, len));
entry!(frames_later, |work, sid, n| work.frames_later(sid, n));
entry!(control, |work, sid, path| work.control(sid, path));
entry!(stop, |work, sid| {
    work.stop();
    work.empty(sid)
});
