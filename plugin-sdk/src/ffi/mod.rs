//! The boundary to the host: every `extern "C"` function, every `unsafe` block and every `catch_unwind` of this crate, but
//! for the host that [`testing`](crate::testing) plays.
//!
//! ```text
//!  host ── get_plugin_v1 ──► INFO ──► vtable: init, handle, shutdown   (plugin_ctx = the first Instance<P>)     entry
//!       ── get_extension ──► instance, quiesce, health                                                         entry
//!       ── attach_host_v1 ─► Api      the door to extensions                                                   api
//!       ── init ───────────► Link     send_result and the extensions' tables: the way back                     link
//!       ── handle ─────────► Request, Open ──► P::call ──► Open::send*, Open::finish, or Open's Drop           open
//!       ── a callback ─────► what a plugin waits for                                                           watch
//! ```
//!
//! Invariants that the `unsafe` blocks cite:
//!
//! * **F1** (instance): a `plugin_ctx` that is not null is that of this library's [`NrPluginInfo`](nylon_ring::NrPluginInfo),
//!   or one that `create` made, because a host passes back what it found there. It points to an `Instance<P>` of the
//!   same `P` that the function was made for, because [`exports`] and `create` put instance and functions together.
//! * **F2** (borrowed arguments): what an argument of an `extern "C"` function points to can be read, and does not
//!   change, until that function returns. Null and misaligned pointers are refused before they are read.
//! * **F3** (the host lives): the host's context, vtable, `NrHostApi` and extension tables are never freed or changed
//!   while a thread of the plugin can run, and their functions take any thread.
//! * **F4** (one terminal result): there is one [`Open`] for each accepted `handle`. It is not `Clone`; whatever ends
//!   the call takes it by value, and `Drop` ends it otherwise. So while an `&Open` exists, no terminal result of its
//!   sid has been sent, and none is being sent. (What sends a frame takes `&mut`, for on a unary call the first frame is
//!   the result.)
//! * **F5** (status): an `NrStatus` is passed and returned as the `u32` that it is on the wire. The functions here, as
//!   those of the host, are written with a `u32`, and have the type with the enum only while they lie in a table: one
//!   type for caller and callee is what the language promises to work.
//! * **F6** (order): `is_quiescent` and `destroy` come after `shutdown` has returned or `init` has failed, hence after
//!   the last `handle` and the last `check`, and not beside each other: no reference to the plugin's value, which only
//!   these functions hold, is alive.
//! * **F7** (an instance outlives its users): a `&'static Link` is held by an `Open`, a `Lease` or a `Watch`, each of
//!   which is counted in the link, by a function that the host has called, or by a task of a runtime whose threads stop
//!   before the plugin says that they have. (The `Door` of a subscriber is closed first.) What `create` made is freed when nothing
//!   is counted any more (and leaked if a host asks too early), the first instance never.
//! * **F8** (lent memory): the plugin alone uses a buffer from `reserve` until it commits or releases it, once: both take
//!   the [`Memory`] by value. Its bytes are initialised.
//! * **F9** (callbacks): one that was registered is called exactly once; one that was not is never called.
//!
//! No panic leaves an `extern "C"` function: each is a call of [`contain`].

mod api;
mod entry;
mod link;
mod memory;
mod open;
mod slot;
mod tables;
mod watch;

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

pub(crate) use api::Api;
pub use entry::{Exports, exports};
#[cfg(feature = "testing")]
pub(crate) use entry::{attach, extension, vtable};
pub(crate) use link::{Lease, Link};
pub(crate) use memory::Memory;
pub(crate) use open::Open;
pub(crate) use slot::Slot;
pub(crate) use watch::Callback;
pub use watch::{Event, Watch};

/// Runs `f`; `None` if it panics.
///
/// The panic hook has told of the panic by then, so what the panic carries is only dropped. That may panic in turn, in
/// which case it is leaked.
pub(crate) fn caught<T>(f: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => Some(value),
        Err(panic) => {
            if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
                mem::forget(another);
            }
            None
        }
    }
}

/// Runs `f`; if it panics, the answer is `fallback`.
pub(crate) fn contain<T>(fallback: T, f: impl FnOnce() -> T) -> T {
    caught(f).unwrap_or(fallback)
}
