//! Finds payloads that leak or are freed twice: loom does not watch plain memory.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use loom::thread::{self, ThreadId};

/// Chunks of `ring/src/bump.rs` are aligned to this many bytes; nothing else is.
const CHUNK: usize = 256;

/// A payload of this many bytes is counted; nothing else allocates so odd a size.
pub const MARKED: usize = 1237;

thread_local! {
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static CHUNKS: Cell<i64> = const { Cell::new(0) };
    static WATCHED: Cell<Option<ThreadId>> = const { Cell::new(None) };
    static FREED: Cell<bool> = const { Cell::new(false) };
}

/// How many blocks of [`MARKED`] bytes are allocated on this OS thread, on which loom runs all threads of a model.
pub fn marked() -> i64 {
    LIVE.with(Cell::get)
}

/// How many chunks of `ring/src/bump.rs` are allocated, as [`marked`].
pub fn chunks() -> i64 {
    CHUNKS.with(Cell::get)
}

/// Whether this thread of a model frees a block of [`MARKED`] bytes while it runs `f`, whatever others free meanwhile. One thread at a
/// time may ask.
pub fn frees(f: impl FnOnce()) -> bool {
    WATCHED.set(Some(thread::current().id()));
    FREED.set(false);
    f();
    WATCHED.set(None);
    FREED.get()
}

/// The system's allocator, counting blocks of [`MARKED`] bytes, and chunks.
#[derive(Debug)]
pub struct CountBlocks;

impl CountBlocks {
    fn count(layout: Layout, by: i64) {
        if layout.size() == MARKED {
            LIVE.with(|live| live.set(live.get() + by));
        }
        if layout.align() == CHUNK {
            CHUNKS.with(|chunks| chunks.set(chunks.get() + by));
        }
    }
}

// SAFETY: every request goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for CountBlocks {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout, 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        Self::count(layout, -1);
        if layout.size() == MARKED
            && WATCHED.with(|watched| watched.get().is_some_and(|watched| watched == thread::current().id()))
        {
            FREED.set(true);
        }
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(block, layout) }
    }
}
