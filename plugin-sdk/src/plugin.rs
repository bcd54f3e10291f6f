//! The trait of all plugins.

use crate::{Call, Config, Error, Host, Request};

/// A plugin. Export it by [`plugin!`](crate::plugin!).
///
/// One value serves one host, from all its threads at the same time, hence `&self`, [`Send`] and [`Sync`]. A host may make
/// several of one library, each with a configuration of its own.
///
/// ```
/// use nylon_ring_sdk::{Call, Error, Host, Plugin, Request};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Settings {
///     token: String,
/// }
///
/// struct Auth {
///     token: String,
/// }
///
/// impl Plugin for Auth {
///     type Config = Settings; // or `()`, for a plugin without
///
///     fn new(config: Settings, _host: &Host) -> Result<Self, Error> {
///         Ok(Self { token: config.token })
///     }
///
///     fn call(&self, req: Request<'_>, call: Call) {
///         let welcome = req.header("authorization") == Some(&self.token);
///         call.reply(if welcome { "welcome" } else { "go away" });
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a plugin",
    label = "does not implement `Plugin`",
    note = "implement `nylon_ring_sdk::Plugin` for it; one that implements `AsyncPlugin` is exported by `plugin! {{ async {Self} }}`"
)]
pub trait Plugin: Sized + Send + Sync + 'static {
    /// What the plugin is configured by: any type that serde reads (from JSON), `()` for nothing, or
    /// [`RawConfig`](crate::RawConfig) for bytes of another format.
    type Config: Config;

    /// Starts the plugin: called once, before any [`call`](Plugin::call). May block.
    ///
    /// # Errors
    ///
    /// Any reason not to start, most often by [`Error::start`]. The host then refuses the plugin. A panic
    /// counts as an error. The reason goes to the host's log, or to standard error if it has none.
    fn new(config: Self::Config, host: &Host) -> Result<Self, Error>;

    /// Takes one request and returns at once. It runs on a thread of the host, so it must never block, sleep or wait:
    /// longer work goes to a thread of the plugin's own, with the [`Call`] and with
    /// [`req.to_owned()`](Request::to_owned) or the parts of the request that it needs.
    ///
    /// The answer is given through `call`, here or later, from any thread. A `call` that is dropped, or that a panic
    /// takes along, answers by itself with [`Err`](crate::Failure::Err). If it has been handed to another thread before
    /// the panic, that thread answers.
    fn call(&self, req: Request<'_>, call: Call);

    /// Whether the plugin can serve: `nylon.health/1`. Must not block.
    ///
    /// # Errors
    ///
    /// A text for the operator that says what is wrong.
    fn health(&self) -> Result<(), String> {
        Ok(())
    }

    /// Stops the plugin: called at most once, after the last [`call`](Plugin::call) has returned. May block for a short
    /// time.
    ///
    /// Stop the plugin's threads here, and wait for them: a host may unload the library once this has returned and
    /// all calls are answered. A thread that still holds a [`Call`] may use it afterwards: the host drops what it sends.
    fn shutdown(&self) {}

    /// Whether the threads of the plugin's own have stopped, for a plugin that cannot wait for them in
    /// [`shutdown`](Plugin::shutdown): `nylon.quiesce/1`. Asked again for as long as it says no. Must not block.
    ///
    /// The SDK itself sees to the calls, streams, callbacks and clones of [`Host`] that are left, and drops the plugin's
    /// value after this has said yes.
    fn is_quiescent(&self) -> bool {
        true
    }
}
