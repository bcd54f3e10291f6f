//! Cap'n Proto, by capnp. The code in `generated/sums_capnp.rs` was made by capnpc-rust from `schema/sums.capnp`.
//!
//! `read_message` copies the body into words of its own: the ABI promises bytes, not their alignment. (The `unaligned`
//! feature of capnp, and `read_message_from_flat_slice`, would spare the copy.) Pointers are checked as they are followed.

use capnp::{
    message::{Builder, ReaderOptions},
    serialize,
};

use crate::{
    PayloadError, Summary,
    generated::sums_capnp::{answer, request},
};

/// The host makes a request.
///
/// # Errors
///
/// More numbers than the format can count.
pub fn request(name: &str, numbers: &[i64]) -> Result<Vec<u8>, PayloadError> {
    let mut message = Builder::new_default();
    let mut request = message.init_root::<request::Builder<'_>>();
    request.set_name(name);
    let mut list = request.init_numbers(u32::try_from(numbers.len())?);
    for (i, number) in (0..).zip(numbers) {
        list.set(i, *number);
    }
    Ok(serialize::write_message_to_words(&message))
}

/// The plugin reads it, works, and encodes the answer.
///
/// # Errors
///
/// A request that cannot be read, or a sum that is too large.
pub fn answer(body: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let message = serialize::read_message(body, ReaderOptions::new())?;
    let request = message.get_root::<request::Reader<'_>>()?;
    let Summary { name, count, sum } = Summary::of(request.get_name()?.to_str()?, request.get_numbers()?)?;
    let mut message = Builder::new_default();
    let mut answer = message.init_root::<answer::Builder<'_>>();
    answer.set_name(&name);
    answer.set_count(count as u64);
    answer.set_sum(sum);
    Ok(serialize::write_message_to_words(&message))
}

/// The host reads the answer.
///
/// # Errors
///
/// An answer that cannot be read.
pub fn read(payload: &[u8]) -> Result<Summary, PayloadError> {
    let message = serialize::read_message(payload, ReaderOptions::new())?;
    let answer = message.get_root::<answer::Reader<'_>>()?;
    let name = answer.get_name()?.to_str()?.into();
    Ok(Summary { name, count: usize::try_from(answer.get_count())?, sum: answer.get_sum() })
}
