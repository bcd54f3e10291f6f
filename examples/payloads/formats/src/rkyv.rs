//! rkyv: Rust's own structs, read in place, without decoding. For hosts and plugins that are both in Rust.
//!
//! `rkyv::access` verifies the whole buffer before anything is read. The crate's feature `unaligned` is on: the ABI promises
//! bytes, not their alignment.

use rkyv::{Archive, Deserialize, Serialize, access, deserialize, rancor::Error, to_bytes};

use crate::{PayloadError, Summary};

/// What the host asks.
#[derive(Archive, Serialize)]
struct Request {
    name: String,
    numbers: Vec<i64>,
}

/// What the plugin answers.
#[derive(Archive, Serialize, Deserialize)]
struct Answer {
    name: String,
    count: u64,
    sum: i64,
}

/// The host makes a request.
///
/// # Errors
///
/// What the format cannot say.
pub fn request(name: &str, numbers: &[i64]) -> Result<Vec<u8>, PayloadError> {
    let request = Request { name: name.into(), numbers: numbers.to_vec() };
    Ok(to_bytes::<Error>(&request)?.into_vec())
}

/// The plugin reads it in place, works, and encodes the answer.
///
/// # Errors
///
/// A request that cannot be read, or a sum that is too large.
pub fn answer(body: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let request = access::<ArchivedRequest, Error>(body)?;
    let numbers = request.numbers.iter().map(|number| number.to_native());
    let Summary { name, count, sum } = Summary::of(&request.name, numbers)?;
    Ok(to_bytes::<Error>(&Answer { name, count: count as u64, sum })?.into_vec())
}

/// The host reads the answer.
///
/// # Errors
///
/// An answer that cannot be read.
pub fn read(payload: &[u8]) -> Result<Summary, PayloadError> {
    let Answer { name, count, sum } = deserialize::<_, Error>(access::<ArchivedAnswer, Error>(payload)?)?;
    Ok(Summary { name, count: usize::try_from(count)?, sum })
}
