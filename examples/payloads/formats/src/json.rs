//! JSON, by serde_json: text that anybody can read and write.

use serde::{Deserialize, Serialize};

use crate::{PayloadError, Summary};

/// What the host asks. It borrows: texts without escapes are not copied.
#[derive(Serialize, Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    name: std::borrow::Cow<'a, str>,
    numbers: Vec<i64>,
}

/// What the plugin answers.
#[derive(Serialize, Deserialize)]
struct Answer {
    name: String,
    count: usize,
    sum: i64,
}

/// The host makes a request.
///
/// # Errors
///
/// What the format cannot say.
pub fn request(name: &str, numbers: &[i64]) -> Result<Vec<u8>, PayloadError> {
    Ok(serde_json::to_vec(&Request { name: name.into(), numbers: numbers.to_vec() })?)
}

/// The plugin decodes it, works, and encodes the answer.
///
/// # Errors
///
/// A request that cannot be read, or a sum that is too large.
pub fn answer(body: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let Request { name, numbers } = serde_json::from_slice(body)?;
    let Summary { name, count, sum } = Summary::of(&name, numbers)?;
    Ok(serde_json::to_vec(&Answer { name, count, sum })?)
}

/// The host reads the answer.
///
/// # Errors
///
/// An answer that cannot be read.
pub fn read(payload: &[u8]) -> Result<Summary, PayloadError> {
    let Answer { name, count, sum } = serde_json::from_slice(payload)?;
    Ok(Summary { name, count, sum })
}
