//! The one error of this crate.

use core::{error, fmt, str::Utf8Error};

/// Why a view could not be made, or could not be read.
///
/// Whoever finds one in what the other side passed answers [`NrStatus::Invalid`](crate::NrStatus::Invalid); nothing
/// was read through the pointer in question, except for [`NotUtf8`](NrViewError::NotUtf8).
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NrViewError {
    /// The pointer is null although the length is not 0.
    NullPointer {
        /// The length that was claimed, in elements: bytes of a text, or headers of a list.
        len: u64,
    },
    /// The pointer to the headers is not aligned as a header must be.
    Misaligned {
        /// The alignment that is needed, in bytes.
        align: usize,
    },
    /// There is more than the ABI, or the address space, can hold.
    TooLong {
        /// The length in question, in elements: bytes of a text, or headers of a list.
        len: u64,
        /// The greatest length possible there.
        max: u64,
    },
    /// The text is not UTF-8.
    NotUtf8(Utf8Error),
}

impl fmt::Display for NrViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NullPointer { len } => write!(f, "null pointer with a length of {len}"),
            Self::Misaligned { align } => {
                write!(f, "pointer to headers is not aligned to {align} bytes")
            }
            Self::TooLong { len, max } => {
                write!(f, "length of {len} is past the greatest possible, {max}")
            }
            Self::NotUtf8(error) => write!(f, "text is not UTF-8: {error}"),
        }
    }
}

impl error::Error for NrViewError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::NotUtf8(error) => Some(error),
            Self::NullPointer { .. } | Self::Misaligned { .. } | Self::TooLong { .. } => None,
        }
    }
}
