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
    /// The plugin cannot use its configuration. Made by [`Error::config`].
    #[error("the plugin's configuration cannot be used: {reason}")]
    Config {
        /// What is wrong with it.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A frame was not sent, because the stream's window is full: its receiver is slower than the plugin.
    #[error("the stream's window is full")]
    WindowFull,
    /// Nothing was sent, because the call is over, or nobody waits for it any more.
    #[error("the call is over, or was given up")]
    Closed,
    /// A frame was not sent, because it is longer than the host's buffer limit.
    #[error("the host refused the frame")]
    FrameRefused,
    /// The plugin did not start in a [`MockHost`](crate::testing::MockHost).
    #[cfg(feature = "testing")]
    #[error("the plugin did not start (`init` returned {status}): {log}")]
    NotStarted {
        /// What `init` returned.
        status: u32,
        /// What the plugin logged meanwhile.
        log: String,
    },
    /// The plugin refused a request of a [`MockHost`](crate::testing::MockHost): it does not run.
    #[cfg(feature = "testing")]
    #[error("the plugin refused the request (`handle` returned {status})")]
    Refused {
        /// What `handle` returned.
        status: u32,
    },
    /// The plugin did not answer a [`MockHost`](crate::testing::MockHost) in time.
    #[cfg(feature = "testing")]
    #[error("the plugin has not answered in time")]
    NoAnswer,
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

    /// The configuration cannot be used, because of `reason`: an error of any kind, or a text. For plugins that check
    /// more than the type says.
    ///
    /// ```
    /// use nylon_ring_sdk::Error;
    ///
    /// let error = Error::config("`retries` must not be above 9");
    /// assert_eq!(error.to_string(), "the plugin's configuration cannot be used: `retries` must not be above 9");
    /// ```
    pub fn config(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Config { reason: reason.into() }
    }
}
