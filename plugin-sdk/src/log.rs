//! Levels of messages.

use std::fmt;

use nylon_ring::{NR_LOG_DEBUG, NR_LOG_ERROR, NR_LOG_INFO, NR_LOG_TRACE, NR_LOG_WARN};

/// How much a message matters; the first matters most.
///
/// ```
/// use nylon_ring_sdk::Level;
///
/// assert!(Level::Error < Level::Trace);
/// assert_eq!(Level::Warn.to_string(), "WARN");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Level {
    /// Something went wrong.
    Error = NR_LOG_ERROR,
    /// Something may go wrong.
    Warn = NR_LOG_WARN,
    /// What an operator may want to know.
    Info = NR_LOG_INFO,
    /// What a developer may want to know.
    Debug = NR_LOG_DEBUG,
    /// Everything else.
    Trace = NR_LOG_TRACE,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "ERROR",
            Self::Warn => "WARN",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        })
    }
}
