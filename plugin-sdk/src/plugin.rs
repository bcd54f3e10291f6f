//! The trait of all plugins.

use crate::{Call, Error, Host, Request};

/// A plugin. Export it by [`plugin!`](crate::plugin!).
///
/// One value serves the whole library, from all threads of the host at the same time, hence `&self`, [`Send`] and
/// [`Sync`].
pub trait Plugin: Sized + Send + Sync + 'static {
    /// Starts the plugin: called once, before any [`call`](Plugin::call). May block.
    ///
    /// # Errors
    ///
    /// Any reason not to start, most often by [`Error::start`]. The host then refuses the plugin. A panic
    /// counts as an error. The reason is written to standard error.
    fn new(host: &Host) -> Result<Self, Error>;

    /// Takes one request and returns at once. It runs on a thread of the host, so it must never block, sleep or wait:
    /// longer work goes to a thread of the plugin's own, with the [`Call`] and with
    /// [`req.to_owned()`](Request::to_owned) or the parts of the request that it needs.
    ///
    /// The answer is given through `call`, here or later, from any thread. A `call` that is dropped, or that a panic
    /// takes along, answers by itself with [`Err`](crate::Failure::Err). If it has been handed to another thread before
    /// the panic, that thread answers.
    fn call(&self, req: Request<'_>, call: Call);

    /// Stops the plugin: called at most once, after the last [`call`](Plugin::call) has returned. May block for a short
    /// time.
    ///
    /// The value itself is never dropped, so stop threads and give back resources here. A thread that still holds a
    /// [`Call`] may use it afterwards: the host drops what it sends.
    fn shutdown(&self) {}
}
