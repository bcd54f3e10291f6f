//! Memory for results that are dropped by another thread: cut one after the other from chunks that their sender uses again.
//!
//! What is allocated by one thread and freed by another costs both a visit to the allocator, and there they meet. So a thread cuts the
//! results that it sends from a [`Chunk`] of its own, and keeps the last of its chunks; the receiver only counts what it drops.
//!
//! 1. Only the thread that made a chunk cuts from it. It knows how many pieces it has `given`.
//! 2. Whoever drops a piece touches nothing of the chunk after it has added 1 to `returned`.
//! 3. A chunk is used again when `returned` has come to `given`: then there are no pieces.
//! 4. A thread that has no more use for a chunk adds [`LEFT`] less `given`, and touches it no more. So `returned` comes to `LEFT`
//!    once, with the last of all who had a share in it, and whoever brings it there frees the chunk.
//!
//! A piece holds all of its chunk, so what waits in a queue for long is not left there: `Drain::frame`, in `consumer.rs`.
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | give back | a piece, from whoever drops it to whoever uses the chunk again, or frees it | `bump::a_chunk_is_used_again`, `bump::the_last_one_frees_a_chunk` |

use std::{
    alloc::{self, Layout},
    cell::RefCell,
    collections::VecDeque,
    mem::MaybeUninit,
    ptr::{self, NonNull},
};

use crate::sync::{AtomicU32, Ordering, UnsafeCell, thread_local};

/// The longest piece.
pub(crate) const LONGEST: usize = if cfg!(nylon_loom) { 128 } else { 4096 };

/// Bytes of a chunk, and its alignment.
const SIZE: usize = if cfg!(nylon_loom) { 256 } else { 16384 };

/// The most chunks that a thread keeps.
const MOST: usize = if cfg!(nylon_loom) { 2 } else { 16 };

/// Added to `returned` by a thread that has no more use for a chunk: more than there can be pieces.
const LEFT: u32 = 1 << 31;

#[repr(C)]
#[cfg_attr(nylon_loom, repr(align(256)))]
#[cfg_attr(not(nylon_loom), repr(align(16384)))]
struct Chunk {
    header: Header,
    bytes: [MaybeUninit<u8>; SIZE - size_of::<Header>()],
}

const _: () = assert!(size_of::<Chunk>() == SIZE && align_of::<Chunk>() == SIZE);

struct Header {
    /// How many pieces have been dropped, and whether the thread has [`LEFT`].
    returned: AtomicU32,
    /// Shows loom, which cannot see plain memory, who uses the chunk. Of no size.
    watch: UnsafeCell<()>,
}

/// A chunk of this thread's, and how many pieces of it there have been since it was last empty.
struct Own {
    chunk: NonNull<Chunk>,
    given: u32,
}

impl Own {
    /// An empty chunk. `None` when there is no memory.
    fn new() -> Option<Self> {
        // SAFETY: a chunk is not of size 0.
        let chunk = NonNull::new(unsafe { alloc::alloc(Layout::new::<Chunk>()) }.cast::<Chunk>())?;
        // SAFETY: it begins with its header, and nobody else has it yet.
        unsafe { chunk.cast().write(Header { returned: AtomicU32::new(0), watch: UnsafeCell::new(()) }) };
        Some(Self { chunk, given: 0 })
    }

    /// Empties the chunk, if all its pieces have been dropped (3).
    fn empty(&mut self) -> bool {
        // SAFETY: a chunk is not freed before its `Own` is dropped.
        let header = unsafe { header(self.chunk) };
        // Ordering: Acquire; pairs with [give back].
        if header.returned.load(Ordering::Acquire) != self.given {
            return false;
        }
        header.watch.with_mut(|_| ());
        // Ordering: Relaxed; whoever drops a piece got it from this thread after this.
        header.returned.store(0, Ordering::Relaxed);
        self.given = 0;
        true
    }

    /// A copy of `bytes` at the byte `at` of the chunk, behind the last piece. They fit.
    fn cut(&mut self, at: usize, bytes: &[u8]) -> NonNull<u8> {
        debug_assert!(at >= size_of::<Header>() && at + bytes.len() <= SIZE);
        // SAFETY: within the chunk.
        let place = unsafe { self.chunk.cast::<u8>().add(at) };
        // SAFETY: no piece lies there, so `bytes`, which can be read, do not either.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place.as_ptr(), bytes.len()) };
        self.given += 1;
        place
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // SAFETY: `LEFT` is added once, by its thread, for what it has not given (4).
        unsafe { give_back(self.chunk, LEFT - self.given) };
    }
}

/// The chunks of a thread.
struct Bump {
    /// Oldest first: the last one is cut from.
    chunks: VecDeque<Own>,
    /// Where the next piece begins.
    next: usize,
}

impl Bump {
    const NEW: Self = Self { chunks: VecDeque::new(), next: SIZE };

    fn cut(&mut self, bytes: &[u8]) -> Option<NonNull<u8>> {
        if SIZE - self.next < bytes.len() {
            self.turn()?;
        }
        let piece = self.chunks.back_mut()?.cut(self.next, bytes);
        self.next += bytes.len();
        Some(piece)
    }

    /// Turns to the oldest chunk, if all its pieces have been dropped, or to a new one.
    #[cold]
    fn turn(&mut self) -> Option<()> {
        let is_empty = self.chunks.front_mut().is_some_and(Own::empty);
        let empty = if is_empty { self.chunks.pop_front() } else { Own::new() }?;
        if self.chunks.len() == MOST {
            self.chunks.pop_front();
        }
        self.chunks.push_back(empty);
        self.next = size_of::<Header>();
        Some(())
    }
}

#[cfg(not(nylon_loom))]
thread_local! {
    static BUMP: RefCell<Bump> = const { RefCell::new(Bump::NEW) };
}

#[cfg(nylon_loom)]
thread_local! {
    static BUMP: RefCell<Bump> = RefCell::new(Bump::NEW);
}

/// A copy of `bytes`, at most [`LONGEST`], in a chunk of the calling thread. For [`free`]. `None` when there is no memory, and when the
/// thread is at its end.
pub(crate) fn copy(bytes: &[u8]) -> Option<NonNull<u8>> {
    debug_assert!(bytes.len() <= LONGEST);
    // Borrowed already: an allocator that sends results.
    BUMP.try_with(|bump| bump.try_borrow_mut().ok()?.cut(bytes)).ok().flatten()
}

/// Gives a piece back.
///
/// # Safety
///
/// `piece` is from [`copy`], and this is its last use.
pub(crate) unsafe fn free(piece: NonNull<u8>) {
    let chunk = piece.as_ptr().map_addr(|at| at & !(SIZE - 1)).cast::<Chunk>();
    // SAFETY: a chunk is aligned to its size, so it begins there, and not at 0.
    let chunk = unsafe { NonNull::new_unchecked(chunk) };
    // SAFETY: of a piece that was not given back yet.
    unsafe { give_back(chunk, 1) };
}

/// # Safety
///
/// The chunk has not been freed, and the reference is gone before it is.
unsafe fn header<'a>(chunk: NonNull<Chunk>) -> &'a Header {
    // SAFETY: it begins with its header, to which nobody has a `&mut`.
    unsafe { chunk.cast().as_ref() }
}

/// Gives up a share in a chunk, and frees it if that was the last one.
///
/// # Safety
///
/// The share is the caller's: 1 for a piece, `LEFT` less what was given for the thread.
unsafe fn give_back(chunk: NonNull<Chunk>, share: u32) {
    // SAFETY: the chunk is not freed before this share is given back.
    let header = unsafe { header(chunk) };
    header.watch.with(|_| ());
    // Ordering: AcqRel; [give back]. Whoever frees the chunk comes after all uses of it.
    if header.returned.fetch_add(share, Ordering::AcqRel) + share != LEFT {
        return;
    }
    header.watch.with_mut(|_| ());
    // SAFETY: all shares have been given back, so nobody else touches it.
    unsafe { chunk.drop_in_place() };
    // SAFETY: allocated by `Own::new`, of this layout.
    unsafe { alloc::dealloc(chunk.as_ptr().cast(), Layout::new::<Chunk>()) };
}
