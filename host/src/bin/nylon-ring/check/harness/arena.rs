//! Memory that notices who touches it when: what the harness lends to a plugin lies here.
//!
//! One reservation of address space, handed out from the bottom and never twice. Each loan has whole pages, is followed by a page
//! that nobody may touch, and lies at the end of its own, so that a read of one byte too many meets that page. A loan is
//! writable for the harness first, then read-only, then gone; what a plugin does at the wrong time is a fault, and the kind of
//! the page says which rule was broken.
//!
//! | kind | access | who touches it |
//! | --- | --- | --- |
//! | `Guard` | none | reads past the end of a text |
//! | `Request` | read | writes to its request |
//! | `RequestGone` | none | reads its request after `handle` has returned |
//! | `State` | read | writes to state |
//! | `StateGone` | none | reads state after the terminal result |
//! | `HostCtx` | none | looks into `host_ctx` |

use std::{
    ffi::c_void,
    io, ptr,
    sync::{
        OnceLock,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

use crate::check::code::Code;

/// How much address space there is. No memory is behind it until it is used.
const SPACE: usize = 4 << 30;

/// What a page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Guard = 0,
    Request = 1,
    RequestGone = 2,
    State = 3,
    StateGone = 4,
    HostCtx = 5,
}

/// The reservation.
pub(crate) struct Arena {
    base: *mut c_void,
    page: usize,
    /// The first page that was not handed out.
    next: AtomicUsize,
    kinds: Vec<AtomicU8>,
}

// SAFETY: `base` never changes, what it points to is reached through loans alone, and the rest is atomic.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

static ARENA: OnceLock<Arena> = OnceLock::new();

/// Reserves the space. Once, before the signal handler is installed.
pub(crate) fn set_up() -> io::Result<()> {
    // SAFETY: a new mapping, at a place that the system chooses.
    let base = unsafe {
        rustix::mm::mmap_anonymous(ptr::null_mut(), SPACE, ProtFlags::empty(), MapFlags::PRIVATE | MapFlags::NORESERVE)
    }?;
    let page = rustix::param::page_size();
    let kinds = std::iter::repeat_with(|| AtomicU8::new(Kind::Guard as u8)).take(SPACE / page).collect();
    let _first = ARENA.set(Arena { base, page, next: AtomicUsize::new(1), kinds });
    Ok(())
}

/// Which rule is broken by touching this address; nothing if it is not of the arena. Async-signal-safe.
pub(crate) fn rule_at(address: usize) -> Option<Code> {
    let arena = ARENA.get()?;
    let offset = address.checked_sub(arena.base.addr())?;
    // Ordering: Relaxed; each page changes its kind before its access.
    let kind = arena.kinds.get(offset / arena.page)?.load(Ordering::Relaxed);
    Some(match kind {
        kind if kind == Kind::Request as u8 => Code::WritesRequest,
        kind if kind == Kind::RequestGone as u8 => Code::LateRead,
        kind if kind == Kind::State as u8 => Code::WritesState,
        kind if kind == Kind::StateGone as u8 => Code::StateAfterEnd,
        kind if kind == Kind::HostCtx as u8 => Code::TouchesHostCtx,
        _ => Code::ReadsPastEnd,
    })
}

/// A loan: some pages, and the bytes at their end.
#[derive(Debug)]
pub(crate) struct Loan {
    first: usize,
    pages: usize,
    start: usize,
}

impl Loan {
    /// Pages for `len` bytes, writable. The bytes begin at a multiple of `align` and end with the last page, or up to `align - 1`
    /// before.
    pub(crate) fn new(len: usize, align: usize, kind: Kind) -> io::Result<Self> {
        let arena = ARENA.get().ok_or_else(|| io::Error::other("the arena is not set up"))?;
        let pages = len.div_ceil(arena.page).max(1);
        // Ordering: Relaxed; a number that nobody else gets.
        let first = arena.next.fetch_add(pages + 1, Ordering::Relaxed);
        if first + pages >= arena.kinds.len() {
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, "the arena is used up"));
        }
        let start = ((first + pages) * arena.page - len) / align * align;
        let loan = Self { first, pages, start };
        loan.mark(kind);
        loan.protect(MprotectFlags::READ | MprotectFlags::WRITE)?;
        Ok(loan)
    }

    /// Pages that nobody may touch.
    pub(crate) fn forbidden(kind: Kind) -> io::Result<Self> {
        let loan = Self::new(1, 64, kind)?;
        loan.protect(MprotectFlags::empty())?;
        Ok(loan)
    }

    /// Where the bytes begin.
    pub(crate) fn ptr(&self) -> *mut u8 {
        ARENA.get().map_or(ptr::null_mut(), |arena| arena.base.cast::<u8>().wrapping_add(self.start))
    }

    /// Copies bytes in, at `offset`, before [`freeze`](Self::freeze); returns where they lie.
    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) -> *const u8 {
        let to = self.ptr().wrapping_add(offset);
        if !self.ptr().is_null() && self.holds(offset, bytes.len()) {
            // SAFETY: the range lies in this loan, which is writable and which nobody else has.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        }
        to
    }

    /// As [`write`](Self::write), for one value of a type without padding that matters.
    pub(crate) fn put<T: Copy>(&self, offset: usize, value: T) -> *const T {
        let to = self.ptr().wrapping_add(offset).cast::<T>();
        if !self.ptr().is_null() && self.holds(offset, size_of::<T>()) {
            // SAFETY: the range lies in this loan, which is writable and which nobody else has.
            unsafe { to.write_unaligned(value) };
        }
        to
    }

    fn holds(&self, offset: usize, len: usize) -> bool {
        ARENA.get().is_some_and(|arena| self.start + offset + len <= (self.first + self.pages) * arena.page)
    }

    /// From now on nobody writes.
    pub(crate) fn freeze(&self) -> io::Result<()> {
        self.protect(MprotectFlags::READ)
    }

    /// From now on nobody reads either, and the memory is given back.
    pub(crate) fn end(&self, kind: Kind) {
        self.mark(kind);
        // Neither can fail for a range of our own; if it does, a fault is missed and nothing is wrong otherwise.
        let _missed = self.protect(MprotectFlags::empty());
        #[cfg(target_os = "linux")]
        if let Some((at, len)) = self.range() {
            // SAFETY: the range is ours, and nobody may read it any more.
            let _kept = unsafe { rustix::mm::madvise(at, len, rustix::mm::Advice::LinuxDontNeed) };
        }
    }

    fn mark(&self, kind: Kind) {
        let kinds = ARENA.get().and_then(|arena| arena.kinds.get(self.first..self.first + self.pages));
        for page in kinds.unwrap_or_default() {
            // Ordering: Relaxed; see `rule_at`.
            page.store(kind as u8, Ordering::Relaxed);
        }
    }

    fn range(&self) -> Option<(*mut c_void, usize)> {
        let arena = ARENA.get()?;
        Some((arena.base.wrapping_byte_add(self.first * arena.page), self.pages * arena.page))
    }

    fn protect(&self, access: MprotectFlags) -> io::Result<()> {
        let (at, len) = self.range().ok_or_else(|| io::Error::other("the arena is not set up"))?;
        // SAFETY: the range was handed out to this loan alone.
        Ok(unsafe { rustix::mm::mprotect(at, len, access) }?)
    }
}
