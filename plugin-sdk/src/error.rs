//! The one error of this crate.

use nylon_ring::NrViewError;

/// What can go wrong in a plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The plugin cannot start, for a reason of its own. Made by [`Error::start`].
    #[error("the plugin cannot start: {reason}")]
    Start {
        /// The plugin's reason.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The host keeps no state for calls.
    #[error("the host does not offer per-call state (the extension `nylon.state/1`)")]
    StateUnsupported,
    /// The host did not store the value.
    #[error("the host refused to store the state: {reason}")]
    StateRefused {
        /// The host's reason.
        reason: String,
    },
    /// The key is too long for the ABI: `u32::MAX` bytes are the most.
    #[error("the key of the state is too long")]
    StateKey {
        /// The length, and the greatest possible one.
        source: NrViewError,
    },
    /// The host returned what cannot be a value: a bug in the host.
    #[error("the host returned a state that cannot be read")]
    StateUnreadable {
        /// What is wrong with it.
        source: NrViewError,
    },
}

impl Error {
    /// The plugin cannot start, because of `reason`: an error of any kind, or a text.
    ///
    /// ```
    /// use nylon_ring_sdk::Error;
    ///
    /// let error = Error::start("the licence has run out");
    /// assert_eq!(error.to_string(), "the plugin cannot start: the licence has run out");
    /// ```
    pub fn start(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Start { reason: reason.into() }
    }
}
