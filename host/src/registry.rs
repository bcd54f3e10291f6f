//! Plugins by name.
//!
//! The names are an immutable map behind an [`ArcSwap`]: a call looks its plugin up without a lock, and whoever changes the map
//! replaces it by a changed copy.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use nylon_ring::NrStatus;

use crate::{
    builder::HostBuilder,
    error::NylonRingHostError,
    offers::Health,
    payload::Payload,
    reload::{ReloadableHost, Reloaded},
    request::{HighLevelRequest, RequestView},
    stream::StreamReceiver,
};

type Plugins = BTreeMap<Arc<str>, ReloadableHost>;

/// Plugins by name: each can be called, reloaded and removed without the others noticing.
///
/// The name is the registry's, not the plugin's own: one library may be registered under several names, with other settings for
/// each. Clones share the plugins.
///
/// ```no_run
/// # async fn run() -> Result<(), nylon_ring_host::NylonRingHostError> {
/// use std::time::Duration;
/// use nylon_ring_host::{NylonRingHost, Registry, RequestView};
///
/// let registry = Registry::new();
/// registry.register("auth", NylonRingHost::builder(), "plugins/auth.so")?;
/// registry.register("cache", NylonRingHost::builder(), "plugins/cache.so")?;
/// let (status, _) = registry.call_view("auth", RequestView { path: "/check", ..Default::default() }).await?;
/// registry.reload("auth", Duration::from_secs(30)).await?;
/// registry.remove("cache", Duration::from_secs(30)).await?;
/// # let _ = status;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Registry {
    plugins: Arc<ArcSwap<Plugins>>,
}

/// What a registry says of one plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginEntry {
    /// The name that it is registered under.
    pub name: String,
    /// Its own name for itself.
    pub plugin: String,
    /// Its version of itself.
    pub version: String,
    /// How often it was loaded.
    pub generation: u64,
    /// How it says that it is, if it does.
    pub health: Option<Health>,
}

impl Registry {
    /// A registry without plugins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Loads and starts the plugin at `path`, and registers it.
    ///
    /// # Errors
    ///
    /// As [`ReloadableHost::load`], and [`PluginExists`](NylonRingHostError::PluginExists).
    pub fn register(
        &self,
        name: &str,
        settings: HostBuilder,
        path: impl AsRef<Path>,
    ) -> Result<ReloadableHost, NylonRingHostError> {
        if self.plugins.load().contains_key(name) {
            return Err(exists(name));
        }
        let host = ReloadableHost::load(settings, path)?;
        let before = self.plugins.rcu(|plugins| {
            let mut plugins = Plugins::clone(plugins);
            plugins.entry(name.into()).or_insert_with(|| host.clone());
            plugins
        });
        // Somebody else may have been quicker: then this one was never seen, and goes as it came.
        if before.contains_key(name) { Err(exists(name)) } else { Ok(host) }
    }

    /// The plugin of that name.
    ///
    /// # Errors
    ///
    /// [`UnknownPlugin`](NylonRingHostError::UnknownPlugin), with the names that there are.
    pub fn get(&self, name: &str) -> Result<ReloadableHost, NylonRingHostError> {
        find(&self.plugins.load(), name).cloned()
    }

    /// As [`ReloadableHost::call`], on the plugin of that name.
    ///
    /// # Errors
    ///
    /// As there, and [`UnknownPlugin`](NylonRingHostError::UnknownPlugin).
    pub async fn call(&self, name: &str, request: HighLevelRequest) -> Result<(NrStatus, Vec<u8>), NylonRingHostError> {
        find(&self.plugins.load(), name)?.call(request).await
    }

    /// As [`ReloadableHost::call_view`], on the plugin of that name.
    ///
    /// # Errors
    ///
    /// As there, and [`UnknownPlugin`](NylonRingHostError::UnknownPlugin).
    pub async fn call_view(
        &self,
        name: &str,
        request: RequestView<'_>,
    ) -> Result<(NrStatus, Payload), NylonRingHostError> {
        find(&self.plugins.load(), name)?.call_view(request).await
    }

    /// As [`ReloadableHost::call_stream`], on the plugin of that name.
    ///
    /// # Errors
    ///
    /// As there, and [`UnknownPlugin`](NylonRingHostError::UnknownPlugin).
    pub async fn call_stream(
        &self,
        name: &str,
        request: HighLevelRequest,
    ) -> Result<StreamReceiver, NylonRingHostError> {
        find(&self.plugins.load(), name)?.call_stream(request).await
    }

    /// As [`ReloadableHost::call_stream_view`], on the plugin of that name.
    ///
    /// # Errors
    ///
    /// As there, and [`UnknownPlugin`](NylonRingHostError::UnknownPlugin).
    pub async fn call_stream_view(
        &self,
        name: &str,
        request: RequestView<'_>,
    ) -> Result<StreamReceiver, NylonRingHostError> {
        find(&self.plugins.load(), name)?.call_stream_view(request).await
    }

    /// As [`ReloadableHost::reload`], on the plugin of that name.
    ///
    /// # Errors
    ///
    /// As there, and [`UnknownPlugin`](NylonRingHostError::UnknownPlugin).
    pub async fn reload(&self, name: &str, grace: Duration) -> Result<Reloaded, NylonRingHostError> {
        self.get(name)?.reload(grace).await
    }

    /// Takes the plugin of that name off the registry and shuts it down, as [`ReloadableHost::shutdown`] does. The name is free
    /// as soon as this is first polled.
    ///
    /// # Errors
    ///
    /// As there, and [`UnknownPlugin`](NylonRingHostError::UnknownPlugin).
    pub async fn remove(&self, name: &str, grace: Duration) -> Result<(), NylonRingHostError> {
        let before = self.plugins.rcu(|plugins| {
            let mut plugins = Plugins::clone(plugins);
            plugins.remove(name);
            plugins
        });
        let host = find(&before, name)?.clone();
        drop(before);
        host.shutdown(grace).await
    }

    /// All plugins, in the order of their names; those that offer `nylon.health/1` are asked how they are.
    pub fn list(&self) -> Vec<PluginEntry> {
        let entry = |(name, host): (&Arc<str>, &ReloadableHost)| {
            let (generation, host) = host.snapshot();
            PluginEntry {
                name: name.as_ref().to_owned(),
                plugin: host.name().to_owned(),
                version: host.version().to_owned(),
                generation,
                health: host.health(),
            }
        };
        self.plugins.load().iter().map(entry).collect()
    }
}

fn find<'a>(plugins: &'a Plugins, name: &str) -> Result<&'a ReloadableHost, NylonRingHostError> {
    plugins.get(name).ok_or_else(|| unknown(plugins, name))
}

#[cold]
fn unknown(plugins: &Plugins, name: &str) -> NylonRingHostError {
    let known = plugins.keys().map(|name| name.as_ref().to_owned()).collect();
    NylonRingHostError::UnknownPlugin { name: name.to_owned(), known }
}

fn exists(name: &str) -> NylonRingHostError {
    NylonRingHostError::PluginExists { name: name.to_owned() }
}
