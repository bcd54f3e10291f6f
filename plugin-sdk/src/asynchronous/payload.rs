//! What a handler returns.

use nylon_ring::NrStatus;

use crate::Failure;

/// What a handler answers: bytes, made from whatever becomes a `Vec<u8>`, or from nothing.
///
/// ```
/// use nylon_ring_sdk::Payload;
///
/// let all: [Payload; 4] = ["text".into(), String::from("text").into(), b"text".to_vec().into(), ().into()];
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Payload(pub(crate) Vec<u8>);

impl From<()> for Payload {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// How a handler fails. `?` makes one of any error: [`Failure::Err`] with the error's text.
///
/// ```
/// use nylon_ring_sdk::{Failed, Payload};
///
/// fn double(text: &str) -> Result<Payload, Failed> {
///     if text.is_empty() {
///         return Err(Failed::invalid("a number is missing"));
///     }
///     let number: u32 = text.parse()?; // any error
///     Ok((2 * number).to_string().into())
/// }
///
/// assert_eq!(double("4").ok(), Some("8".into()));
/// assert_eq!(double("x").err(), Some(Failed::err("invalid digit found in string")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub(crate) status: NrStatus,
    pub(crate) payload: Payload,
}

impl Failed {
    /// Fails, with a payload that explains it.
    pub fn new(failure: Failure, payload: impl Into<Payload>) -> Self {
        Self { status: failure.into(), payload: payload.into() }
    }

    /// [`Failure::Err`]: the plugin failed at run time.
    pub fn err(payload: impl Into<Payload>) -> Self {
        Self::new(Failure::Err, payload)
    }

    /// [`Failure::Invalid`]: the request makes no sense to the plugin.
    pub fn invalid(payload: impl Into<Payload>) -> Self {
        Self::new(Failure::Invalid, payload)
    }

    /// [`Failure::Unsupported`]: the plugin does not do what was asked.
    pub fn unsupported(payload: impl Into<Payload>) -> Self {
        Self::new(Failure::Unsupported, payload)
    }
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::err(error.to_string())
    }
}
