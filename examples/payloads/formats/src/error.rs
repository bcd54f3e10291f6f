//! What can go wrong between bytes and values.

use std::num::TryFromIntError;

/// A payload that cannot be read or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// Not JSON, or not this message.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Cannot be encoded as MessagePack.
    #[error("MessagePack: {0}")]
    MessagePackEncode(#[from] rmp_serde::encode::Error),
    /// Not MessagePack, or not this message.
    #[error("MessagePack: {0}")]
    MessagePackDecode(#[from] rmp_serde::decode::Error),
    /// Not Protobuf, or not this message.
    #[error("Protobuf: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// Not a FlatBuffer, or not this message.
    #[error("FlatBuffers: {0}")]
    FlatBuffers(#[from] flatbuffers::InvalidFlatbuffer),
    /// Not Cap'n Proto, or not this message.
    #[error("Cap'n Proto: {0}")]
    CapnProto(#[from] capnp::Error),
    /// Text that is not UTF-8.
    #[error("text: {0}")]
    Text(#[from] std::str::Utf8Error),
    /// Not an archive of rkyv, or not this message.
    #[error("rkyv: {0}")]
    Rkyv(#[from] rkyv::rancor::Error),
    /// A count that does not fit its type.
    #[error("a count does not fit: {0}")]
    Count(#[from] TryFromIntError),
    /// The numbers add up to more than 64 bits hold.
    #[error("the sum does not fit 64 bits; send fewer or smaller numbers")]
    Sum,
}
