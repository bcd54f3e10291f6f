//! The configuration of a plugin.

use crate::Error;

/// What a plugin can be configured by: [`Plugin::Config`](crate::Plugin::Config).
///
/// | type | takes |
/// | --- | --- |
/// | `()` | nothing: a configuration is an error |
/// | whatever implements `serde::Deserialize` (feature `json`, on by default) | JSON |
/// | [`RawConfig`] | any bytes |
///
/// Where the host was given no configuration, JSON that is missing counts as `null` or, where that does not fit, as `{}`: a
/// struct whose fields all have defaults takes these, and one that lacks a field says which one.
///
/// ```
/// # #[cfg(feature = "json")] {
/// use nylon_ring_sdk::Config;
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Settings {
///     token: String,
///     #[serde(default)]
///     retries: u32,
/// }
///
/// let settings = Settings::from_bytes(br#"{ "token": "s3cret" }"#)?;
/// assert_eq!((settings.token.as_str(), settings.retries), ("s3cret", 0));
///
/// let error = Settings::from_bytes(b"").err().map(|error| error.to_string());
/// assert!(error.is_some_and(|error| error.contains("missing field `token`")));
/// # }
/// # Ok::<(), nylon_ring_sdk::Error>(())
/// ```
pub trait Config: Sized {
    /// Reads the bytes that the host was given for the plugin; empty if there are none.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] if they are not what the plugin expects. The plugin does not start then, and the host logs the
    /// error.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Error>;
}

#[cfg(feature = "json")]
impl<T: serde::de::DeserializeOwned> Config for T {
    fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.trim_ascii().is_empty() {
            return serde_json::from_str("null").or_else(|_| serde_json::from_str("{}")).map_err(Error::config);
        }
        serde_json::from_slice(bytes).map_err(Error::config)
    }
}

#[cfg(not(feature = "json"))]
impl Config for () {
    fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.trim_ascii().is_empty() { Ok(()) } else { Err(Error::config("this plugin takes none")) }
    }
}

/// A configuration as it came: bytes that the plugin reads itself.
///
/// ```
/// use nylon_ring_sdk::{Config, RawConfig};
///
/// let RawConfig(bytes) = RawConfig::from_bytes(b"port = 80")?;
/// assert_eq!(bytes, b"port = 80");
/// # Ok::<(), nylon_ring_sdk::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct RawConfig(pub Vec<u8>);

impl Config for RawConfig {
    fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self(bytes.to_vec()))
    }
}
