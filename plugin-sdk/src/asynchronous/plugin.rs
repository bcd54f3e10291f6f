//! The trait of plugins with `async` handlers, and how they are plugins.

use std::{
    future::{Future, poll_fn},
    mem,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use super::{Context, Failed, Payload, context::Cell, runtime::Runtime};
use crate::{
    Call, Config, Error, Host, OwnedRequest, Plugin, Request,
    ffi::{self, Link},
    scope,
};

/// How long [`AsyncPlugin::shutdown`] and the end of the runtime may take, together.
const PATIENCE: Duration = Duration::from_secs(5);

/// A plugin whose handler is an `async fn`. Export it by `plugin! { async MyPlugin }` (feature `tokio`).
///
/// ```standalone_crate
/// use nylon_ring_sdk::{AsyncPlugin, Context, Error, Failed, Host, OwnedRequest, Payload, plugin};
/// use std::time::Duration;
///
/// struct Greeter;
///
/// impl AsyncPlugin for Greeter {
///     type Config = ();
///
///     async fn new(_config: (), _host: Host) -> Result<Self, Error> {
///         Ok(Self)
///     }
///
///     async fn call(&self, req: OwnedRequest, _cx: Context) -> Result<Payload, Failed> {
///         match req.path.as_str() {
///             "/hello" => {
///                 tokio::time::sleep(Duration::from_secs(2)).await; // a database, a network, …
///                 Ok(format!("OK: {} {}", req.method, req.path).into())
///             }
///             path => Err(Failed::unsupported(format!("no such path: {path}"))),
///         }
///     }
/// }
///
/// plugin! { async Greeter, name: "greeter" }
/// # fn main() {}
/// ```
///
/// All of it runs on a multi-threaded tokio runtime that belongs to this plugin alone: `tokio::spawn`, timers and, with
/// the features of your own `tokio` dependency, sockets work from [`new`](AsyncPlugin::new) on. Nothing of it runs on a
/// thread of the host. A handler that panics answers [`Failure::Err`](crate::Failure::Err), and harms no other.
///
/// Each call copies its request and allocates a task, which takes some microseconds where a [`Plugin`] that answers at
/// once takes nanoseconds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an asynchronous plugin",
    label = "does not implement `AsyncPlugin`",
    note = "implement `nylon_ring_sdk::AsyncPlugin` for it; one that implements `Plugin` is exported by `plugin! {{ {Self} }}`"
)]
pub trait AsyncPlugin: Sized + Send + Sync + 'static {
    /// What the plugin is configured by, as in [`Plugin::Config`].
    type Config: Config + Send + 'static;

    /// Starts the plugin: called once, before any [`call`](AsyncPlugin::call). The host waits for it.
    ///
    /// # Errors
    ///
    /// Any reason not to start, most often by [`Error::start`].
    fn new(config: Self::Config, host: Host) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Answers one request: by what it returns, or as a stream by [`Context::stream`].
    fn call(&self, req: OwnedRequest, cx: Context) -> impl Future<Output = Result<Payload, Failed>> + Send;

    /// Whether the plugin can serve, as in [`Plugin::health`]. Runs on a thread of the host.
    ///
    /// # Errors
    ///
    /// A text for the operator that says what is wrong.
    fn health(&self) -> Result<(), String> {
        Ok(())
    }

    /// Stops the plugin: called at most once. Five seconds later, or when this and all tasks have ended, the runtime
    /// stops; handlers that still wait for something are dropped then, and their calls answer
    /// [`Failure::Err`](crate::Failure::Err). A thread that blocks for longer keeps the library loaded.
    fn shutdown(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// How many threads poll the tasks; default: as many as the machine has cores, but at most four.
    fn threads(_config: &Self::Config) -> usize {
        std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4))
    }
}

/// An [`AsyncPlugin`] as a [`Plugin`]. `plugin! { async MyPlugin }` is `plugin! { Async<MyPlugin> }`; a test names it:
/// `MockHost::<Async<MyPlugin>>`.
#[derive(Debug)]
pub struct Async<P> {
    plugin: Arc<P>,
    runtime: Runtime,
}

impl<P: AsyncPlugin> Plugin for Async<P> {
    type Config = P::Config;

    fn new(config: Self::Config, host: &Host) -> Result<Self, Error> {
        let runtime = Runtime::start(P::threads(&config)).map_err(Error::start)?;
        let own = host.clone();
        let made = runtime.wait(async move { P::new(config, own).await }, None);
        match made.unwrap_or_else(|| Err(Error::start("it panicked"))) {
            Ok(plugin) => Ok(Self { plugin: Arc::new(plugin), runtime }),
            Err(error) => {
                runtime.stop(Duration::from_secs(1));
                if !runtime.has_stopped() {
                    mem::forget(host.clone()); // so that the library is never unloaded under the threads that are left
                }
                Err(error)
            }
        }
    }

    fn call(&self, req: Request<'_>, call: Call) {
        let plugin = Arc::clone(&self.plugin);
        let link = call.open.link();
        self.runtime.spawn(drive(plugin, req.to_owned(), Cell::new(call.open), link));
    }

    fn health(&self) -> Result<(), String> {
        self.plugin.health()
    }

    fn shutdown(&self) {
        let end = Instant::now() + PATIENCE;
        let plugin = Arc::clone(&self.plugin);
        let _ended = self.runtime.wait(async move { plugin.shutdown().await }, Some(PATIENCE));
        let left = end.saturating_duration_since(Instant::now());
        self.runtime.stop(left.max(Duration::from_secs(1)));
    }

    fn is_quiescent(&self) -> bool {
        self.runtime.has_stopped()
    }
}

/// Ends the call when its task is dropped.
struct Abandoned(Arc<Cell>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// The task of one call. The link outlives the threads of the runtime, and so this task.
async fn drive<P: AsyncPlugin>(plugin: Arc<P>, req: OwnedRequest, cell: Arc<Cell>, link: &'static Link) {
    let cell = Abandoned(cell);
    let cx = Context::new(Arc::clone(&cell.0));
    let mut handler = pin!(async move { plugin.call(req, cx).await });
    let outcome =
        poll_fn(|task| match scope::enter(link, cell.0.sid(), || ffi::caught(|| handler.as_mut().poll(task))) {
            Some(Poll::Pending) => Poll::Pending,
            Some(Poll::Ready(outcome)) => Poll::Ready(outcome),
            None => Poll::Ready(Err(Failed::err("the plugin panicked"))),
        });
    let outcome = outcome.await;
    cell.0.finish(outcome);
}
