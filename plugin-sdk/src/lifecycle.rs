//! The one instance of a plugin in its library, and what it may do when.
//!
//! | phase | `started` | `running` | `stopped` | `init` | `handle` | `shutdown` |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | loaded | | | | starts | `Invalid` | stops |
//! | starting | set | | | `Invalid` | `Invalid` | stops |
//! | failed (`new` failed or panicked) | set | | | `Invalid` | `Invalid` | stops |
//! | running | set | set | | `Invalid` | calls the plugin | stops, calls `P::shutdown` |
//! | stopped | any | any | set | `Invalid` | `Invalid` | nothing |
//!
//! No phase is ever left backwards: every mark is a `OnceLock`, which is set once and read without waiting. A library
//! that two hosts share therefore serves the first and refuses the second, instead of mixing up their answers.
//!
//! The plugin's value is never dropped. A `handle` that a broken host runs beside `shutdown`, and a thread that still
//! holds a call, may go on using it; what it holds (threads, connections) it gives back in [`Plugin::shutdown`].

use std::{
    any::type_name,
    ffi::c_void,
    io::{self, Write},
    sync::OnceLock,
};

use nylon_ring::{NrRawSendResultFn, NrStatus};

use crate::{
    Error, Host, Plugin,
    ffi::{self, Api, Link},
};

/// The plugin of this library and its way back to the host.
#[derive(Debug)]
pub(crate) struct Running<P> {
    pub(crate) plugin: P,
    pub(crate) link: Link,
}

/// Where `plugin!` keeps the plugin.
#[derive(Debug)]
pub struct Instance<P> {
    /// Written by `attach`, before `init`; read by `init`.
    api: OnceLock<Api>,
    /// The mark of the first `init`.
    started: OnceLock<()>,
    /// Written by the first `init`, if the plugin could start; read by every `handle`.
    running: OnceLock<Running<P>>,
    /// The mark of the first `shutdown`; read by every `handle`.
    stopped: OnceLock<()>,
}

impl<P: Plugin> Instance<P> {
    /// A plugin that has not started.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is only ever the value of a static")]
    pub const fn new() -> Self {
        Self { api: OnceLock::new(), started: OnceLock::new(), running: OnceLock::new(), stopped: OnceLock::new() }
    }

    /// Keeps the host's door to extensions; the first one counts.
    pub(crate) fn attach(&self, api: Api) {
        let _first_counts = self.api.set(api);
    }

    /// Makes the plugin, once.
    pub(crate) fn start(&self, host_ctx: *mut c_void, send_result: NrRawSendResultFn) -> NrStatus {
        if self.stopped.get().is_some() || self.started.set(()).is_err() {
            return NrStatus::Invalid;
        }
        let api = self.api.get().copied();
        let link = Link::new(host_ctx, send_result, api.as_ref());
        match P::new(&Host { link, api }) {
            Ok(plugin) => match self.running.set(Running { plugin, link }) {
                Ok(()) => NrStatus::Ok,
                Err(_) => NrStatus::Invalid, // `started` rules it out
            },
            Err(error) => {
                report::<P>(&error);
                NrStatus::Err
            }
        }
    }

    /// The plugin, between a successful `init` and `shutdown`.
    pub(crate) fn running(&self) -> Option<&Running<P>> {
        if self.stopped.get().is_some() {
            return None;
        }
        self.running.get()
    }

    /// Refuses every later `init` and `handle`, and tells the plugin, once.
    pub(crate) fn stop(&self) {
        if self.stopped.set(()).is_ok()
            && let Some(running) = self.running.get()
        {
            ffi::contain((), || running.plugin.shutdown());
        }
    }
}

/// `init` can only return a status, so the reason goes to standard error: nobody would learn of it otherwise.
fn report<P>(error: &Error) {
    let _nobody_listens = writeln!(io::stderr(), "{}: {error}", type_name::<P>());
}
