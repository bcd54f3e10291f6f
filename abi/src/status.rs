//! Conversions of [`NrStatus`].

use core::fmt;

use crate::NrStatus;

impl NrStatus {
    /// The status that a raw value stands for; `None` for a value the ABI does not know.
    ///
    /// A host treats an unknown value as [`NrStatus::Err`], and counts it.
    ///
    /// ```
    /// use nylon_ring::NrStatus;
    ///
    /// assert_eq!(NrStatus::from_raw(4), Some(NrStatus::StreamEnd));
    /// assert_eq!(NrStatus::from_raw(5), None);
    /// ```
    #[must_use]
    pub const fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            0 => Some(Self::Ok),
            1 => Some(Self::Err),
            2 => Some(Self::Invalid),
            3 => Some(Self::Unsupported),
            4 => Some(Self::StreamEnd),
            _ => None,
        }
    }

    /// The value that stands for this status at the ABI.
    ///
    /// ```
    /// use nylon_ring::NrStatus;
    ///
    /// assert_eq!(NrStatus::Invalid.as_raw(), 2);
    /// ```
    #[must_use]
    pub const fn as_raw(self) -> u32 {
        self as u32
    }

    /// Whether a frame of this status ends its stream: all but [`NrStatus::Ok`] do.
    ///
    /// (The one result of a unary call ends it, whatever its status.)
    ///
    /// ```
    /// use nylon_ring::NrStatus;
    ///
    /// assert!(!NrStatus::Ok.is_terminal());
    /// assert!(NrStatus::StreamEnd.is_terminal());
    /// assert!(NrStatus::Err.is_terminal());
    /// ```
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Ok)
    }
}

/// In plain words: `ok`, `error`, `invalid`, `unsupported`, `end of stream`.
///
/// ```
/// assert_eq!(nylon_ring::NrStatus::StreamEnd.to_string(), "end of stream");
/// ```
impl fmt::Display for NrStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Err => "error",
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::StreamEnd => "end of stream",
        })
    }
}
