//! FlatBuffers: read in place, in the host's own memory, without decoding. The code in `generated/sums_flatbuffers.rs` was
//! made by flatc from `schema/sums.fbs`.
//!
//! `flatbuffers::root` verifies the whole buffer before anything is read. Never skip that for bytes of somebody else.

use flatbuffers::FlatBufferBuilder;

use crate::{
    PayloadError, Summary,
    generated::sums_flatbuffers::sums::{Answer, AnswerArgs, Request, RequestArgs},
};

/// The host makes a request.
///
/// # Errors
///
/// None in this format.
pub fn request(name: &str, numbers: &[i64]) -> Result<Vec<u8>, PayloadError> {
    let mut builder = FlatBufferBuilder::new();
    let args = RequestArgs { name: Some(builder.create_string(name)), numbers: Some(builder.create_vector(numbers)) };
    let root = Request::create(&mut builder, &args);
    builder.finish(root, None);
    Ok(builder.finished_data().to_vec())
}

/// The plugin reads it in place, works, and encodes the answer.
///
/// # Errors
///
/// A request that cannot be read, or a sum that is too large.
pub fn answer(body: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let request = flatbuffers::root::<Request<'_>>(body)?;
    let Summary { name, count, sum } = Summary::of(request.name(), request.numbers())?;
    let mut builder = FlatBufferBuilder::new();
    let args = AnswerArgs { name: Some(builder.create_string(&name)), count: count as u64, sum };
    let root = Answer::create(&mut builder, &args);
    builder.finish(root, None);
    Ok(builder.finished_data().to_vec())
}

/// The host reads the answer.
///
/// # Errors
///
/// An answer that cannot be read.
pub fn read(payload: &[u8]) -> Result<Summary, PayloadError> {
    let answer = flatbuffers::root::<Answer<'_>>(payload)?;
    Ok(Summary { name: answer.name().into(), count: usize::try_from(answer.count())?, sum: answer.sum() })
}
