//! MessagePack, by rmp-serde: JSON's data in fewer bytes, with the same derives of serde.

use serde::{Deserialize, Serialize};

use crate::{PayloadError, Summary};

/// What the host asks. It borrows: the text is not copied.
#[derive(Serialize, Deserialize)]
struct Request<'a> {
    name: &'a str,
    numbers: Vec<i64>,
}

/// What the plugin answers.
#[derive(Serialize, Deserialize)]
struct Answer {
    name: String,
    count: usize,
    sum: i64,
}

/// The host makes a request. Maps with names, not bare arrays: other languages expect them, and fields can be added.
///
/// # Errors
///
/// What the format cannot say.
pub fn request(name: &str, numbers: &[i64]) -> Result<Vec<u8>, PayloadError> {
    Ok(rmp_serde::to_vec_named(&Request { name, numbers: numbers.to_vec() })?)
}

/// The plugin decodes it, works, and encodes the answer.
///
/// # Errors
///
/// A request that cannot be read, or a sum that is too large.
pub fn answer(body: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let Request { name, numbers } = rmp_serde::from_slice(body)?;
    let Summary { name, count, sum } = Summary::of(name, numbers)?;
    Ok(rmp_serde::to_vec_named(&Answer { name, count, sum })?)
}

/// The host reads the answer.
///
/// # Errors
///
/// An answer that cannot be read.
pub fn read(payload: &[u8]) -> Result<Summary, PayloadError> {
    let Answer { name, count, sum } = rmp_serde::from_slice(payload)?;
    Ok(Summary { name, count, sum })
}
