//! What answers are made of: `0, 1, 2, … 255, 0, …`.

/// The longest payload.
pub const MAX_PAYLOAD: usize = BLOCK.len() * BLOCKS;

const BLOCKS: usize = 4096;

const BLOCK: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut i = 0;
    while i < bytes.len() {
        bytes[i] = i as u8;
        i += 1;
    }
    bytes
};

static PATTERN: [[u8; 256]; BLOCKS] = [BLOCK; BLOCKS];

/// The first `len` bytes; none if there are not so many.
#[inline]
pub(crate) fn pattern(len: usize) -> Option<&'static [u8]> {
    PATTERN.as_flattened().get(..len)
}

/// 1 KiB of it.
pub(crate) static KIB: &[u8] = PATTERN.as_flattened().split_at(1024).0;

/// A frame of `/bf`.
pub(crate) static FRAME: &[u8] = PATTERN.as_flattened().split_at(64).0;
