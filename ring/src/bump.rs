//! Memory for results that are dropped by another thread: cut one after the other from chunks that are used again.
//!
//! What is allocated by one thread and freed by another costs both a visit to the allocator, and there they meet. So results are cut from
//! [`Chunk`]s, which a shard keeps in a few [`Bump`]s; the receiver only counts what it drops.
//!
//! 1. A bump is one thread's as long as `taken` is set. It is tried, never waited for; whoever gets none allocates. Threads begin to look
//!    in different places, so that each mostly finds its own.
//! 2. Only who holds its bump cuts from a chunk. The bump knows how many pieces were `given`.
//! 3. Whoever drops a piece touches nothing of the chunk after it has added 1 to `returned`.
//! 4. A chunk is used again when `returned` has come to `given`: then there are no pieces.
//! 5. A bump keeps its chunks until it goes with its runtime. Then it adds [`LEFT`] less `given` to each, and touches it no more. So
//!    `returned` comes to `LEFT` once, with the last of all who had a share in it, and whoever brings it there frees the chunk.
//!
//! There is nothing here that a thread has to clean up when it ends: to register that takes the dynamic loader's lock.
//!
//! A piece holds all of its chunk, however long it waits or is kept. So the number of chunks is limited, and what comes when all of them are
//! held is allocated, as it would be without them.
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | let go | the chunks of a bump, from one thread to the next | `bump::two_threads_cut` |
//! | give back | a piece, from whoever drops it to whoever uses the chunk again, or frees it | `bump::a_chunk_is_used_again`, `bump::the_last_one_frees_a_chunk` |

use std::{
    alloc::{self, Layout},
    mem::MaybeUninit,
    ptr::{self, NonNull},
};

use arrayvec::ArrayVec;
use crossbeam::utils::CachePadded;

use crate::{
    seat,
    sync::{AtomicBool, AtomicU32, Ordering, UnsafeCell},
};

/// The longest piece.
pub(crate) const LONGEST: usize = if cfg!(nylon_loom) { 128 } else { 4096 };

/// Bytes of a chunk, and its alignment.
const SIZE: usize = if cfg!(nylon_loom) { 256 } else { 16384 };

/// The most chunks of a bump.
const MOST: usize = if cfg!(nylon_loom) { 2 } else { 64 };

/// Bumps of a shard: 4 MiB at most.
const BUMPS: usize = if cfg!(nylon_loom) { 1 } else { 4 };

/// Added to `returned` when a chunk's bump goes: more than there can be pieces.
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
    /// How many pieces have been dropped, and whether the bump has [`LEFT`] it.
    returned: AtomicU32,
    /// Shows loom, which cannot see plain memory, who uses the chunk. Of no size.
    watch: UnsafeCell<()>,
}

/// A chunk of a bump's, and how many pieces of it there have been since it was last empty.
#[derive(Debug)]
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

    /// Empties the chunk, if all its pieces have been dropped (4).
    fn empty(&mut self) -> bool {
        // SAFETY: a chunk is not freed before its `Own` is dropped.
        let header = unsafe { header(self.chunk) };
        // Ordering: Acquire; pairs with [give back].
        if header.returned.load(Ordering::Acquire) != self.given {
            return false;
        }
        header.watch.with_mut(|_| ());
        // Ordering: Relaxed; whoever drops a piece got it from who cut it after this.
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
        // SAFETY: `LEFT` is added once, by its bump, for what it has not given (5).
        unsafe { give_back(self.chunk, LEFT - self.given) };
    }
}

/// Chunks that one thread at a time cuts from.
#[derive(Debug)]
struct Bump {
    taken: AtomicBool,
    chunks: UnsafeCell<Chunks>,
}

#[derive(Debug)]
struct Chunks {
    /// In a circle: the one behind `current` is the oldest.
    own: ArrayVec<Own, MOST>,
    /// Which of them is cut from.
    current: usize,
    /// Where the next piece begins.
    next: usize,
}

impl Chunks {
    fn cut(&mut self, bytes: &[u8]) -> Option<NonNull<u8>> {
        if SIZE - self.next < bytes.len() {
            self.turn();
        }
        if SIZE - self.next < bytes.len() {
            return None;
        }
        let piece = self.own.get_mut(self.current)?.cut(self.next, bytes);
        self.next += bytes.len();
        Some(piece)
    }

    /// Turns to the oldest chunk, if all its pieces have been dropped, or to a new one; passes the oldest by if there can be no more.
    #[cold]
    fn turn(&mut self) {
        let after = self.current + 1;
        let oldest = if after < self.own.len() { after } else { 0 };
        self.next = size_of::<Header>();
        if self.own.get_mut(oldest).is_some_and(Own::empty) {
            self.current = oldest;
        } else if !self.own.is_full()
            && let Some(new) = Own::new()
        {
            self.current = after.min(self.own.len());
            // There is room.
            let _ = self.own.try_insert(self.current, new);
        } else {
            self.current = oldest;
            self.next = SIZE;
        }
    }
}

/// The bumps of a shard.
#[derive(Debug)]
pub struct Bumps([CachePadded<Bump>; BUMPS]);

// SAFETY: the chunks of a bump are touched by one thread at a time (1).
unsafe impl Sync for Bumps {}
// SAFETY: no part of a chunk is bound to a thread.
unsafe impl Send for Bumps {}

impl Bumps {
    /// Without chunks.
    #[expect(clippy::new_without_default, reason = "made in one place")]
    pub fn new() -> Self {
        let chunks = || UnsafeCell::new(Chunks { own: ArrayVec::new(), current: 0, next: SIZE });
        let bump = |_| CachePadded::new(Bump { taken: AtomicBool::new(false), chunks: chunks() });
        Self(std::array::from_fn(bump))
    }

    /// A copy of `bytes`, at most [`LONGEST`], for [`free`]. `None` when others are at it, when all chunks are held, or there is no memory.
    pub(crate) fn copy(&self, bytes: &[u8]) -> Option<NonNull<u8>> {
        debug_assert!(bytes.len() <= LONGEST);
        // Loom wants executions that are alike.
        let first = if cfg!(nylon_loom) { 0 } else { seat::hash_of_thread() };
        // Ordering: Acquire; pairs with [let go].
        let is_free = |bump: &&CachePadded<Bump>| !bump.taken.swap(true, Ordering::Acquire);
        let bump = [first, first + 1].into_iter().map(|at| self.0.get(at).unwrap_or(&self.0[0])).find(is_free)?;
        // SAFETY: `taken` was set by this thread (1); the reference ends with the closure. An allocator that sends results finds the
        // bump taken.
        let piece = bump.chunks.with_mut(|chunks| unsafe { &mut *chunks }.cut(bytes));
        // Ordering: Release; [let go].
        bump.taken.store(false, Ordering::Release);
        piece
    }
}

/// Gives a piece back.
///
/// # Safety
///
/// `piece` is from [`Bumps::copy`], and this is its last use.
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
/// The share is the caller's: 1 for a piece, `LEFT` less what was given for the bump.
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
