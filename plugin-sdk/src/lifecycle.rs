//! One instance of a plugin, and what it may do when.
//!
//! | phase | `started` | `running` | `stopped` | `init` | `handle` | `shutdown` |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | loaded | | | | starts | `Invalid` | stops |
//! | starting | set | | | `Invalid` | `Invalid` | stops |
//! | failed (`new` failed or panicked) | set | | | `Invalid` | `Invalid` | stops |
//! | running | set | set | | `Invalid` | calls the plugin | stops, calls `P::shutdown` |
//! | stopped | any | any | set | `Invalid` | `Invalid` | nothing |
//!
//! No phase is ever left backwards: every mark is set once and read without waiting. An instance that two hosts share
//! therefore serves the first and refuses the second, instead of mixing up their answers.
//!
//! The plugin's value outlives `shutdown`: a `handle` that a broken host runs beside it may go on using it. It is dropped
//! when a host that wants to unload the library, or to free the instance, asks whether the instance is quiescent
//! ([`Instance::retire`]); a host that never asks leaves it where it is.

use std::{
    any::type_name,
    io::{self, Write},
    sync::{Mutex, OnceLock, PoisonError},
};

use nylon_ring::{NrStatus, NrStr};

use crate::{
    Config, Error, Host, Level, Plugin,
    ffi::{self, Api, Link, Slot},
};

/// A plugin and its host.
#[derive(Debug)]
pub struct Instance<P> {
    /// Written by `attach`, before `init`; read by `init`.
    api: OnceLock<Api>,
    /// The mark of the first `init`.
    started: OnceLock<()>,
    /// Written by the first `init`; read by everybody.
    link: Slot<Link>,
    /// Written by the first `init`, if the plugin could start; read by every `handle`.
    running: Slot<P>,
    /// The mark of the first `shutdown`; read by every `handle`.
    stopped: OnceLock<()>,
    /// What the plugin last said of its health.
    health: Mutex<String>,
    /// Whether it was made by `create`, and lies in a `Box`.
    another: bool,
}

impl<P> Instance<P> {
    /// The first instance of a library, not started.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is only ever the value of a static")]
    pub const fn new() -> Self {
        Self {
            api: OnceLock::new(),
            started: OnceLock::new(),
            link: Slot::new(),
            running: Slot::new(),
            stopped: OnceLock::new(),
            health: Mutex::new(String::new()),
            another: false,
        }
    }
}

impl<P: Plugin> Instance<P> {
    /// One more instance, not started.
    pub(crate) fn another() -> Self {
        let mut instance = Self::new();
        instance.another = true;
        instance
    }

    pub(crate) const fn is_another(&self) -> bool {
        self.another
    }

    /// Keeps the host's door to extensions; the first one counts.
    pub(crate) fn attach(&self, api: Api) {
        let _first_counts = self.api.set(api);
    }

    /// Makes the plugin, once.
    pub(crate) fn start(&'static self, link: impl FnOnce(Option<&Api>) -> Link) -> NrStatus {
        if self.stopped.get().is_some() || self.started.set(()).is_err() {
            return NrStatus::Invalid;
        }
        self.link.put(link(self.api.get()));
        let Some(link) = self.link.get() else { return NrStatus::Err };
        let host = Host::new(link);
        match link.config().and_then(P::Config::from_bytes).and_then(|config| P::new(config, &host)) {
            Ok(plugin) => match self.running.put(plugin) {
                true => NrStatus::Ok,
                false => NrStatus::Invalid, // `started` rules it out
            },
            Err(error) => {
                report::<P>(link, &error);
                NrStatus::Err
            }
        }
    }

    /// The plugin and its host, between a successful `init` and `shutdown`.
    pub(crate) fn running(&self) -> Option<(&P, &Link)> {
        if self.stopped.get().is_some() {
            return None;
        }
        Some((self.running.get()?, self.link.get()?))
    }

    /// Refuses every later `init` and `handle`, and tells the plugin, once.
    pub(crate) fn stop(&self) {
        if self.stopped.set(()).is_ok()
            && let Some(plugin) = self.running.get()
        {
            ffi::contain((), || plugin.shutdown());
        }
    }

    /// How the plugin is, and a text that lives until the next call of this.
    pub(crate) fn health(&self) -> (NrStatus, NrStr) {
        let Some((plugin, _link)) = self.running() else {
            return (NrStatus::Err, NrStr::from_str("the plugin does not run"));
        };
        let text = match ffi::contain(Err("the plugin panicked".to_owned()), || plugin.health()) {
            Ok(()) => return (NrStatus::Ok, NrStr::EMPTY),
            Err(text) => text,
        };
        let mut last = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        *last = text;
        (NrStatus::Err, NrStr::from_str(&last))
    }

    /// Drops the plugin if it was stopped, or could not start, and says that its threads have stopped. Whether nobody uses
    /// this instance any more: no call is open, and no clone of its [`Host`] left.
    ///
    /// # Safety
    ///
    /// Invariant F6 of [`ffi`].
    pub(crate) unsafe fn retire(&self) -> bool {
        let stopped = match self.running.get() {
            Some(plugin) => self.stopped.get().is_some() && plugin.is_quiescent(),
            None => true,
        };
        if stopped {
            // SAFETY: F6: whatever used the value has returned.
            ffi::contain((), || unsafe { self.running.clear() });
        }
        stopped && self.link.get().is_none_or(Link::is_unused)
    }
}

/// `init` can only return a status, so the reason goes to the host's log, or else to standard error: nobody would learn
/// of it otherwise.
fn report<P>(link: &Link, error: &Error) {
    let target = type_name::<P>();
    if !link.log(0, Level::Error, target, &error.to_string()) {
        let _nobody_listens = writeln!(io::stderr(), "{target}: {error}");
    }
}
