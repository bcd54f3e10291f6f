//! What a plugin says through `tracing` goes to the host's log.

use std::{
    fmt::{self, Write},
    sync::{Arc, PoisonError, RwLock},
};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt},
    registry,
};

use crate::{Host, Level, ffi::Link, scope};

/// The way to the log of one host, for subscribers that outlive the plugin's instance: nothing ever removes a global one.
///
/// The link is there until the instance is quiescent.
#[derive(Debug)]
pub(crate) struct Door {
    link: RwLock<Option<&'static Link>>,
}

impl Door {
    pub(crate) fn new(link: &'static Link) -> Arc<Self> {
        Arc::new(Self { link: RwLock::new(Some(link)) })
    }

    /// Waits for messages on their way; later ones go nowhere.
    pub(crate) fn close(&self) {
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn with(&self, f: impl FnOnce(&Link)) {
        if let Some(link) = *self.link.read().unwrap_or_else(PoisonError::into_inner) {
            f(link);
        }
    }
}

/// A layer for `tracing-subscriber` that sends events to the log of the host, from [`Host::tracing_layer`].
///
/// An event within a call goes to the host of that call, with its sid: in the handler itself, in whatever polls an
/// asynchronous handler, and in [`Call::within`](crate::Call::within). All others go to the host that the layer is from.
/// An event is the message, and the fields as `name=value` behind it; its target is the target.
#[derive(Debug, Clone)]
pub struct HostLayer {
    door: Arc<Door>,
}

impl Host {
    /// A layer that sends events to this host's log, for a subscriber of the plugin's own making.
    ///
    /// ```
    /// use nylon_ring_sdk::Host;
    /// use tracing_subscriber::layer::SubscriberExt;
    ///
    /// fn set_up(host: &Host) -> Result<(), tracing::subscriber::SetGlobalDefaultError> {
    ///     let subscriber = tracing_subscriber::registry().with(host.tracing_layer()); // and other layers
    ///     tracing::subscriber::set_global_default(subscriber)
    /// }
    /// ```
    #[must_use]
    pub fn tracing_layer(&self) -> HostLayer {
        HostLayer { door: self.link().door() }
    }

    /// Sends all events of the library to the host's log, from all threads: what a plugin calls first in
    /// [`new`](crate::Plugin::new). Returns whether it is so now; not if the library has a subscriber already, such as that
    /// of its first instance, which serves the calls of all.
    ///
    /// ```
    /// # use nylon_ring_sdk::{Call, Error, Host, Plugin, Request};
    /// # struct Greeter;
    /// impl Plugin for Greeter {
    ///     type Config = ();
    ///
    ///     fn new(_config: (), host: &Host) -> Result<Self, Error> {
    ///         host.forward_tracing();
    ///         tracing::info!("started");
    ///         Ok(Self)
    ///     }
    ///
    ///     fn call(&self, req: Request<'_>, call: Call) {
    ///         tracing::debug!(path = req.path(), "called"); // logged with the sid of the call
    ///         call.reply("hello");
    ///     }
    /// }
    /// ```
    pub fn forward_tracing(&self) -> bool {
        tracing::subscriber::set_global_default(registry().with(self.tracing_layer())).is_ok()
    }
}

impl<S: Subscriber> Layer<S> for HostLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        match scope::current() {
            Some((link, sid)) => forward(link, sid, event),
            None => self.door.with(|link| forward(link, 0, event)),
        }
    }
}

/// Logs the event if the host would keep it.
fn forward(link: &Link, sid: u64, event: &Event<'_>) {
    let level = match *event.metadata().level() {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    };
    if link.log_enabled(level) == Some(true) {
        let mut text = Text::default();
        event.record(&mut text);
        link.log(sid, level, event.metadata().target(), &(text.message + &text.fields));
    }
}

/// An event in words.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _cannot_fail = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
