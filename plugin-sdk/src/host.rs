//! What the host offers.

use std::ffi::CStr;

use crate::{
    Level,
    ffi::{Lease, Link},
};

/// The host, as a plugin sees it from its start on. A plugin may keep a clone, in its value and on its threads.
///
/// Until all clones are dropped, the library stays loaded. The plugin's value, with what it keeps, is dropped after
/// [`shutdown`](crate::Plugin::shutdown); threads that keep one should end there.
#[derive(Debug, Clone)]
pub struct Host {
    lease: Lease,
}

impl Host {
    pub(crate) fn new(link: &'static Link) -> Self {
        Self { lease: Lease::new(link) }
    }

    /// For as long as `self` lives.
    pub(crate) const fn link(&self) -> &'static Link {
        self.lease.link()
    }

    /// Whether calls have a [`state`](crate::Call::state): the extension `nylon.state/1`.
    #[must_use]
    pub fn has_state(&self) -> bool {
        self.link().has_state()
    }

    /// Whether the host offers the extension of this id, such as `c"nylon.state/1"`.
    #[must_use]
    pub fn offers(&self, extension: &CStr) -> bool {
        self.link().offers(extension)
    }

    /// Logs a message through the host. `target` says which part of the plugin speaks, such as `auth::token`.
    ///
    /// Returns whether the host has a log (the extension `nylon.log/1`). Where it has none, the message goes nowhere, so
    /// that a plugin never writes where it was not asked to; one that wants to says so:
    ///
    /// ```
    /// # use nylon_ring_sdk::{Host, Level};
    /// fn say(host: &Host, message: &str) {
    ///     if !host.log(Level::Info, "greeter", message) {
    ///         eprintln!("greeter: {message}");
    ///     }
    /// }
    /// ```
    pub fn log(&self, level: Level, target: &str, message: impl AsRef<str>) -> bool {
        self.link().log(0, level, target, message.as_ref())
    }

    /// Whether the host would keep a message of this level, so that one that it would not keep need not be made.
    #[must_use]
    pub fn logs(&self, level: Level) -> bool {
        self.link().log_enabled(level).unwrap_or(false)
    }
}
