//! What a plugin's `host_ctx` points to.
//!
//! A context lives for ever. A plugin may call back at any time, from threads that nobody can stop, so nothing that such a
//! thread can reach is ever freed: the context is leaked when the plugin is loaded and outlives its host. What a dropped
//! host leaves behind is one context, and the rings and slabs of the shards that were used.
//!
//! | field | written | read |
//! | --- | --- | --- |
//! | `runtime` | callers, plugin threads, reactors | the same; it synchronises itself |
//! | `threads`, `idle` | once, when the context is made | callers, when they first park; reactors |
//! | `seats` | callers, when they first park; reactors | the same |
//! | `name`, `config`, `clock` | once, when the context is made | extensions |
//! | `buffers` | extensions | the same |
//! | counters | whoever sees something go wrong | `metrics` |
//! | `vtable`, `api` | once, when the context is made | the plugin |

use std::{ffi::c_void, time::Instant};

use nylon_ring::{NrHostApi, NrHostVTable, NrStatus};
use nylon_ring_runtime::{Counter, Runtime, RuntimeError};

use crate::{
    callbacks, clock::Clock, deadline::is_past, error::NylonRingHostError, extensions::buffer::Buffers, idle::Idle,
    seats::Seats, threads::Threads,
};

/// Results that came with a null `host_ctx`, in this process: there is no host to count them for.
pub(crate) static NULL_CONTEXT: Counter = Counter::new();

/// The host as its plugin sees it.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) runtime: Runtime,
    pub(crate) seats: Seats,
    /// The threads of reactors that do not run as tasks.
    pub(crate) threads: Option<Threads>,
    /// What a reactor does when nothing is left.
    pub(crate) idle: Idle,
    /// The plugin's name for itself.
    pub(crate) name: Box<str>,
    /// What the plugin is configured with.
    pub(crate) config: Box<[u8]>,
    pub(crate) clock: Clock,
    /// Memory that the plugin writes results into.
    pub(crate) buffers: Buffers,
    /// Results whose status the ABI does not name.
    pub(crate) unknown_status: Counter,
    /// Results whose payload could not be read.
    pub(crate) invalid_payload: Counter,
    /// Calls that `handle` refused.
    pub(crate) refused: Counter,
    /// Calls whose deadline has passed.
    pub(crate) timed_out: Counter,
    /// Results that were taken, and too late.
    pub(crate) late: Counter,
    /// Calls of the state extension that were turned down.
    pub(crate) state_errors: Counter,
    /// Calls of the other extensions that made no sense, or found no room.
    pub(crate) extension_errors: Counter,
    /// Calls whose `handle` took longer than its budget.
    pub(crate) slow_handles: Counter,
    vtable: NrHostVTable,
    api: Api,
}

#[derive(Debug)]
struct Api(NrHostApi);

// SAFETY: the pointer in it leads to the context itself, which is `Sync`; the struct is never written again.
unsafe impl Sync for Api {}
// SAFETY: as above.
unsafe impl Send for Api {}

impl Context {
    /// Makes a context that lives for ever.
    pub(crate) fn leak(
        runtime: Runtime,
        threads: Option<Threads>,
        idle: Idle,
        name: Box<str>,
        config: Box<[u8]>,
    ) -> &'static Self {
        let seats = Seats::new(runtime.shards());
        let context = Box::leak(Box::new(Self {
            runtime,
            seats,
            threads,
            idle,
            name,
            config,
            clock: Clock::start(),
            buffers: Buffers::default(),
            unknown_status: Counter::new(),
            invalid_payload: Counter::new(),
            refused: Counter::new(),
            timed_out: Counter::new(),
            late: Counter::new(),
            state_errors: Counter::new(),
            extension_errors: Counter::new(),
            slow_handles: Counter::new(),
            vtable: callbacks::vtable(),
            api: Api(callbacks::api(std::ptr::null_mut())),
        }));
        context.api.0 = callbacks::api(std::ptr::from_ref(context).cast_mut().cast());
        context
    }

    /// The context that a plugin handed back, or `None` for a null one.
    ///
    /// # Safety
    ///
    /// `host_ctx` is null or was made by [`host_ctx`](Self::host_ctx).
    pub(crate) unsafe fn from_host_ctx(host_ctx: *mut c_void) -> Option<&'static Self> {
        // SAFETY: by the contract it is null, or points to a context, and contexts live for ever.
        unsafe { host_ctx.cast::<Self>().cast_const().as_ref() }
    }

    /// The status of a result, as the plugin gave it; one that the ABI does not name is an error, and counted.
    #[inline]
    pub(crate) fn status(&self, raw: u32) -> NrStatus {
        NrStatus::from_raw(raw).unwrap_or_else(|| {
            self.unknown_status.count();
            NrStatus::Err
        })
    }

    /// Notes the deadline of an open call, before it is handed over.
    pub(crate) fn set_deadline(&self, sid: u64, deadline: Instant) {
        self.runtime.set_deadline(sid, self.clock.at(deadline));
    }

    /// The outcome of a call that took its answer now; an error, and counted, if its deadline has passed.
    #[inline]
    pub(crate) fn in_time(
        &self,
        deadline: Option<Instant>,
        outcome: Result<(), Box<RuntimeError>>,
    ) -> Result<(), Box<NylonRingHostError>> {
        if is_past(deadline) {
            if !outcome.is_err_and(|error| matches!(*error, RuntimeError::Closed)) {
                self.late.count();
            }
            return Err(self.timed_out().into());
        }
        outcome.map_err(|error| NylonRingHostError::waiting(*error))
    }

    /// A call whose deadline has passed, counted.
    #[cold]
    pub(crate) fn timed_out(&self) -> NylonRingHostError {
        self.timed_out.count();
        NylonRingHostError::Timeout
    }

    /// What the plugin gets as its `host_ctx`.
    pub(crate) fn host_ctx(&'static self) -> *mut c_void {
        self.api.0.host_ctx
    }

    /// The table for `init`.
    pub(crate) fn vtable(&'static self) -> &'static NrHostVTable {
        &self.vtable
    }

    /// The table for `nylon_ring_attach_host_v1`.
    pub(crate) fn api(&'static self) -> &'static NrHostApi {
        &self.api.0
    }
}
