//! Results that are written in place.

use std::ops::{Deref, DerefMut};

use nylon_ring::NrStatus;

use crate::{Call, StreamSender, ffi::Memory};

/// The memory of a result, from [`Call::buffer`]. It derefs to a slice of zero bytes.
///
/// The memory is the host's if the host lends some (`nylon.buffer/1`), and becomes the caller's without a copy; otherwise
/// it is the plugin's own, and is copied as by [`Call::reply`]. Dropped, it answers as a [`Call`] that is dropped.
#[derive(Debug)]
#[must_use = "a buffer that is dropped answers with an error"]
pub struct ReplyBuffer {
    // In this order: the memory is given back before the call is over.
    memory: Memory,
    call: Call,
}

impl ReplyBuffer {
    pub(crate) fn new(call: Call, len: usize) -> Self {
        Self { memory: Memory::reserve(&call.open, len), call }
    }

    /// Answers with the first `len` bytes; with all of them if there are no more.
    pub fn commit(self, len: usize) {
        self.call.open.finish_in_place(NrStatus::Ok, self.memory, len);
    }

    /// Gives the memory back, and the call.
    pub fn into_call(self) -> Call {
        self.call
    }
}

impl Deref for ReplyBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory
    }
}

impl DerefMut for ReplyBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}

/// The memory of a frame, from [`StreamSender::buffer`]. It derefs to a slice of zero bytes.
///
/// As [`ReplyBuffer`], but for one frame. Dropped, it sends nothing.
#[derive(Debug)]
#[must_use = "a buffer that is dropped sends nothing"]
pub struct FrameBuffer<'s> {
    memory: Memory,
    stream: &'s mut StreamSender,
}

impl<'s> FrameBuffer<'s> {
    pub(crate) fn new(stream: &'s mut StreamSender, len: usize) -> Self {
        Self { memory: Memory::reserve(&stream.open, len), stream }
    }

    /// Sends the first `len` bytes as a frame; all of them if there are no more.
    pub fn commit(self, len: usize) {
        self.stream.open.send_in_place(self.memory, len);
    }
}

impl Deref for FrameBuffer<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory
    }
}

impl DerefMut for FrameBuffer<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory
    }
}
