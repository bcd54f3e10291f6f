//! Records that can be told: what a thread sends as its record number so-and-so, and the books of what came.

use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::atomic::{AtomicU64, Ordering},
};

use memmap2::{MmapOptions, MmapRaw};
use nylon_ring_runtime::NrStatus;

/// The sid of a thread's record number `n`.
pub fn sid(thread: u64, n: u64) -> u64 {
    thread << 48 | n
}

/// The status and payload that belong to a sid; `bytes` is emptied first.
pub fn record(sid: u64, longest: u64, bytes: &mut Vec<u8>) -> NrStatus {
    let mix = (sid ^ sid >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let len = (mix >> 32) % (longest + 1);
    bytes.clear();
    bytes.extend(mix.to_le_bytes().iter().cycle().take(len as usize));
    NrStatus::from_raw((mix % 5) as u32).unwrap()
}

/// What came, by thread.
#[derive(Debug)]
pub struct Books {
    counts: Vec<u64>,
    longest: u64,
    expected: Vec<u8>,
}

impl Books {
    pub fn new(threads: u64, longest: u64) -> Self {
        Self { counts: vec![0; threads as usize], longest, expected: Vec::new() }
    }

    /// Enters a record, which must be the next one of its thread, and whole.
    pub fn enter(&mut self, of: u64, status: NrStatus, bytes: &[u8]) {
        let thread = of >> 48;
        let next = self.counts.get_mut(thread as usize).unwrap_or_else(|| panic!("an invented record: sid {of:#x}"));
        assert_eq!(of, sid(thread, *next), "thread {thread}: a record is missing, twice there, or out of order");
        let wanted = record(of, self.longest, &mut self.expected);
        assert!(status == wanted && bytes == self.expected, "the record {of:#x} is torn");
        *next += 1;
    }

    pub fn entered(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub fn counts(&self) -> Vec<u64> {
        self.counts.clone()
    }
}

/// How many records each thread of a process has published for certain, where its parent sees it after its death.
pub struct Progress {
    fd: OwnedFd,
    map: MmapRaw,
}

impl Progress {
    const THREADS: usize = 4;

    pub fn create() -> Self {
        let fd = rustix::fs::memfd_create("progress", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        rustix::fs::ftruncate(&fd, 4096).unwrap();
        Self::map(fd)
    }

    pub fn map(fd: OwnedFd) -> Self {
        let map = MmapOptions::new().len(4096).map_raw(fd.as_fd().as_raw_fd()).unwrap();
        Self { fd, map }
    }

    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is a page, and its words are atomics.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), Self::THREADS) }
    }

    pub fn note(&self, thread: u64, published: u64) {
        self.words()[thread as usize].store(published, Ordering::Release);
    }

    pub fn published(&self) -> Vec<u64> {
        self.words().iter().map(|word| word.load(Ordering::Acquire)).collect()
    }
}
