//! Memory that a result is written into before it is sent: it becomes the caller's without a copy.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use nylon_ring::NrStatus;

use crate::{
    ledger::Ledger,
    reply::{Record, Reply},
    shard::Shard,
};

/// Bytes for one result, zero to begin with; counted against the buffer limit until they are sent or dropped.
#[derive(Debug)]
#[must_use = "dropping it gives the memory back"]
pub struct Buffer {
    bytes: Vec<u8>,
    ledger: Arc<Ledger>,
    shard: usize,
    charged: u64,
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.ledger.release(self.shard, self.charged);
    }
}

impl Shard {
    /// Reserves `len` bytes for a result of an open call. `None` when it is not open, or there is no room.
    pub(crate) fn reserve(&self, sid: u64, len: usize) -> Option<Buffer> {
        if !self.is_wanted(sid) || !self.ledger.try_charge(self.index, len as u64) {
            return None;
        }
        // From here on its drop gives back what was charged.
        let (ledger, shard) = (self.ledger.clone(), self.index);
        let mut buffer = Buffer { bytes: Vec::new(), ledger, shard, charged: len as u64 };
        buffer.bytes.try_reserve_exact(len).ok()?;
        buffer.bytes.resize(len, 0);
        Some(buffer)
    }

    /// Sends the first `len` bytes of a buffer.
    pub(crate) fn send_buffer(&self, sid: u64, status: NrStatus, mut buffer: Buffer, len: usize) {
        let mut bytes = std::mem::take(&mut buffer.bytes);
        bytes.truncate(len);
        if bytes.len() < bytes.capacity() / 2 {
            // What is not used is not counted any more.
            bytes.shrink_to_fit();
        }
        let reply = Reply::own(status, bytes).unwrap_or_else(|| Reply::overflow(status));
        let record = Record { sid, reply };
        self.ledger.charge(self.index, record.ring_cost());
        drop(buffer);
        self.send_outlined(record);
    }
}
