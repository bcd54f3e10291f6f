//! Protocol Buffers, by prost. The messages of `schema/sums.proto` are written out with prost's derive, so no protoc is
//! needed; `prost-build` would make the same of the schema.

use prost::Message;

use crate::{PayloadError, Summary};

/// What the host asks.
#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(sint64, repeated, tag = "2")]
    numbers: Vec<i64>,
}

/// What the plugin answers.
#[derive(Clone, PartialEq, Message)]
struct Answer {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint64, tag = "2")]
    count: u64,
    #[prost(sint64, tag = "3")]
    sum: i64,
}

/// The host makes a request.
///
/// # Errors
///
/// None in this format.
pub fn request(name: &str, numbers: &[i64]) -> Result<Vec<u8>, PayloadError> {
    Ok(Request { name: name.into(), numbers: numbers.to_vec() }.encode_to_vec())
}

/// The plugin decodes it, works, and encodes the answer.
///
/// # Errors
///
/// A request that cannot be read, or a sum that is too large.
pub fn answer(body: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let Request { name, numbers } = Request::decode(body)?;
    let Summary { name, count, sum } = Summary::of(&name, numbers)?;
    Ok(Answer { name, count: count as u64, sum }.encode_to_vec())
}

/// The host reads the answer.
///
/// # Errors
///
/// An answer that cannot be read.
pub fn read(payload: &[u8]) -> Result<Summary, PayloadError> {
    let Answer { name, count, sum } = Answer::decode(payload)?;
    Ok(Summary { name, count: usize::try_from(count)?, sum })
}
