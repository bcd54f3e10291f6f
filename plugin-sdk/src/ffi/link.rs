//! The way back to the host, and the count of those who may use it.

use std::{
    ffi::{CStr, c_void},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use nylon_ring::{NR_NO_DEADLINE, NrBytes, NrRawSendResultFn, NrStatus, NrStr};

use super::{Api, tables::Tables};
use crate::{Error, Level};

/// The way back to the host, for one instance of the plugin.
///
/// Both counts wrap, and mean something only once the last `handle` has returned; from then on they only fall. The
/// orderings: whoever reads 0 with `Acquire` sees all that was done before each decrement, a `Release`. An increment
/// comes before the end of the `handle`, or of the count above 0, that allows it.
#[derive(Debug)]
pub(crate) struct Link {
    host_ctx: *mut c_void,
    send_result: NrRawSendResultFn,
    api: Option<Api>,
    pub(super) tables: Option<Tables>,
    /// Calls that are open, less those whose `handle` has not returned yet (see `scope`), and callbacks to come.
    calls: AtomicUsize,
    /// Clones of [`Host`](crate::Host).
    leases: AtomicUsize,
    /// Made for the first layer.
    #[cfg(feature = "tracing")]
    door: std::sync::OnceLock<std::sync::Arc<crate::events::Door>>,
}

// SAFETY: F3: all it holds may be used from any thread.
unsafe impl Send for Link {}
// SAFETY: F3.
unsafe impl Sync for Link {}

impl Link {
    pub(super) fn new(host_ctx: *mut c_void, send_result: NrRawSendResultFn, api: Option<Api>) -> Self {
        let tables = api.as_ref().map(Tables::find);
        Self {
            host_ctx,
            send_result,
            api,
            tables,
            calls: AtomicUsize::new(0),
            leases: AtomicUsize::new(0),
            #[cfg(feature = "tracing")]
            door: std::sync::OnceLock::new(),
        }
    }

    /// The way to the log for subscribers, which outlive the link.
    #[cfg(feature = "tracing")]
    pub(crate) fn door(&'static self) -> std::sync::Arc<crate::events::Door> {
        std::sync::Arc::clone(self.door.get_or_init(|| crate::events::Door::new(self)))
    }

    /// Whether nobody uses the link any more, or can come by it: no call is open, no callback to come, and no clone of the
    /// host left. Not before the last `handle` has returned.
    pub(crate) fn is_unused(&self) -> bool {
        let unused = self.calls.load(Ordering::Acquire) == 0 && self.leases.load(Ordering::Acquire) == 0;
        #[cfg(feature = "tracing")]
        if unused && let Some(door) = self.door.get() {
            door.close();
        }
        unused
    }

    /// One call more, or one callback to come.
    pub(crate) fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// One call less, or one callback that has come.
    pub(super) fn discount_call(&self) {
        self.calls.fetch_sub(1, Ordering::Release);
    }

    pub(crate) fn offers(&self, id: &CStr) -> bool {
        self.api.as_ref().is_some_and(|api| !api.extension(id).is_null())
    }

    pub(crate) fn has_state(&self) -> bool {
        self.tables.is_some_and(|tables| tables.state.is_some())
    }

    pub(super) fn send(&self, sid: u64, status: NrStatus, payload: &[u8]) {
        let payload = NrBytes::from_slice(payload);
        // SAFETY: F3; the payload outlives the call, and the host copies it before it returns.
        unsafe { (self.send_result)(self.host_ctx, sid, status.as_raw(), payload) }
    }

    /// `false` if the host has no log.
    pub(crate) fn log(&self, sid: u64, level: Level, target: &str, message: &str) -> bool {
        let Some((log, tables)) = self.tables.as_ref().and_then(|tables| Some((tables.log?, tables))) else {
            return false;
        };
        let (target, message) = (NrStr::from_str(target), NrStr::from_str(message));
        // SAFETY: F3; both texts outlive the call.
        unsafe { (log.log)(tables.host_ctx, sid, level as u32, target, message) };
        true
    }

    /// `None` if the host has no log.
    pub(crate) fn log_enabled(&self, level: Level) -> Option<bool> {
        let tables = self.tables.as_ref()?;
        let log = tables.log?;
        // SAFETY: F3.
        let enabled = unsafe { (log.enabled)(tables.host_ctx, level as u32) };
        Some(enabled != 0)
    }

    pub(crate) fn is_cancelled(&self, sid: u64) -> bool {
        self.tables.as_ref().and_then(|tables| Some((tables.cancel?, tables))).is_some_and(|(cancel, tables)| {
            // SAFETY: F3.
            let cancelled = unsafe { (cancel.is_cancelled)(tables.host_ctx, sid) };
            cancelled != 0
        })
    }

    pub(crate) fn remaining(&self, sid: u64) -> Option<Duration> {
        let tables = self.tables.as_ref()?;
        let remaining = tables.remaining?;
        // SAFETY: F3.
        let nanoseconds = unsafe { remaining(tables.host_ctx, sid) };
        (nanoseconds != NR_NO_DEADLINE).then(|| Duration::from_nanos(nanoseconds))
    }

    /// What the host was configured with for this plugin; empty if there is nothing.
    pub(crate) fn config(&self) -> Result<&[u8], Error> {
        let Some((get, tables)) = self.tables.as_ref().and_then(|tables| Some((tables.config?, tables))) else {
            return Ok(&[]);
        };
        // SAFETY: F3.
        let bytes = unsafe { get(tables.host_ctx) };
        // SAFETY: the bytes live as long as the `NrHostApi`, which by F3 is longer than this link.
        unsafe { bytes.as_slice() }.map_err(Error::config)
    }
}

/// A counted reference to a link (F7).
#[derive(Debug)]
pub(crate) struct Lease(&'static Link);

impl Lease {
    pub(crate) fn new(link: &'static Link) -> Self {
        link.leases.fetch_add(1, Ordering::Relaxed);
        Self(link)
    }

    pub(crate) const fn link(&self) -> &'static Link {
        self.0
    }
}

impl Clone for Lease {
    fn clone(&self) -> Self {
        Self::new(self.0)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.leases.fetch_sub(1, Ordering::Release);
    }
}
