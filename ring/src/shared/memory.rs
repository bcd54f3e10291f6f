//! The memory of a shared ring: a sealed memfd, mapped. Under loom and Miri it lies on the heap, because neither can look into
//! a mapping.

#[cfg(all(target_os = "linux", not(any(nylon_loom, miri))))]
pub(crate) use mapped::{MAX_CELLS, Memory};

#[cfg(any(nylon_loom, miri))]
pub use heap::Memory;

#[cfg(all(target_os = "linux", not(any(nylon_loom, miri))))]
mod mapped {
    use std::{
        io,
        os::fd::{AsFd, AsRawFd, OwnedFd},
        slice,
    };

    use memmap2::{MmapOptions, MmapRaw};
    use rustix::fs::{MemfdFlags, SealFlags};

    use crate::{
        error::RuntimeError,
        shared::layout::{Header, MAGIC, SharedCell},
        sync::Ordering,
    };

    /// A mapping with a header and cells, all of them atomic words, which are valid whatever they hold.
    ///
    /// Invariant: the mapping has room for the header and `cells` cells, and stays that long: its file is sealed against
    /// shrinking.
    #[derive(Debug)]
    pub(crate) struct Memory {
        map: MmapRaw,
        cells: usize,
    }

    /// The most cells of a ring: a length in bytes fits into 32 bits.
    pub(crate) const MAX_CELLS: u64 = 1 << 24;

    /// Nobody may change its length, or these seals.
    const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

    fn bytes(cells: u64) -> u64 {
        size_of::<Header>() as u64 + cells * size_of::<SharedCell>() as u64
    }

    impl Memory {
        /// Makes the memory of a ring of so many cells, a power of two of at most [`MAX_CELLS`], and the descriptor under which
        /// other processes find it.
        pub(crate) fn create(cells: u32) -> Result<(Self, OwnedFd), RuntimeError> {
            let bytes = bytes(cells.into());
            let failed = |source: io::Error| RuntimeError::Region { bytes, source };
            let fd = rustix::fs::memfd_create("nylon-ring", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING);
            let fd = fd.map_err(|errno| failed(errno.into()))?;
            rustix::fs::ftruncate(&fd, bytes).map_err(|errno| failed(errno.into()))?;
            rustix::fs::fcntl_add_seals(&fd, SEALS).map_err(|errno| failed(errno.into()))?;
            let memory = Self::map(&fd, cells.into()).map_err(failed)?;
            let geometry = &memory.header().geometry.0;
            // Ordering: Relaxed, both; whoever gets the descriptor comes after this.
            geometry.cells.store(cells.into(), Ordering::Relaxed);
            geometry.magic.store(MAGIC, Ordering::Relaxed);
            Ok((memory, fd))
        }

        /// Maps the memory behind a descriptor, once it is clear that it is that of a ring.
        pub(crate) fn attach(fd: impl AsFd) -> Result<Self, RuntimeError> {
            let not_a_ring = |what: &'static str| RuntimeError::NotARing { what };
            let seals = rustix::fs::fcntl_get_seals(&fd).map_err(|_| not_a_ring("is not a memfd"))?;
            if !seals.contains(SEALS) {
                return Err(not_a_ring("is not sealed against a change of its length"));
            }
            let stat = rustix::fs::fstat(&fd).map_err(|_| not_a_ring("cannot be looked at"))?;
            let size = u64::try_from(stat.st_size).unwrap_or(0);
            let room = size.checked_sub(bytes(0)).ok_or_else(|| not_a_ring("is too short"))?;
            let cells = room / size_of::<SharedCell>() as u64;
            if !cells.is_power_of_two() || cells > MAX_CELLS || bytes(cells) != size {
                return Err(not_a_ring("has a length that no ring has"));
            }
            let memory = Self::map(&fd, cells).map_err(|source| RuntimeError::Region { bytes: size, source })?;
            let geometry = &memory.header().geometry.0;
            // Ordering: Relaxed, both; the descriptor came from the creator, after it had written them.
            if geometry.magic.load(Ordering::Relaxed) != MAGIC || geometry.cells.load(Ordering::Relaxed) != cells {
                return Err(not_a_ring("does not start as a ring of this version"));
            }
            Ok(memory)
        }

        fn map(fd: &impl AsFd, cells: u64) -> io::Result<Self> {
            let len = usize::try_from(bytes(cells)).map_err(|_| io::ErrorKind::FileTooLarge)?;
            let map = MmapOptions::new().len(len).map_raw(fd.as_fd().as_raw_fd())?;
            Ok(Self { map, cells: cells as usize })
        }

        #[inline]
        pub(crate) fn header(&self) -> &Header {
            // SAFETY: by the invariant the header lies in the mapping, at its start, which is aligned to a page; its words are
            // atomics, so that others may change them at any time.
            unsafe { &*self.map.as_mut_ptr().cast::<Header>() }
        }

        #[inline]
        pub(crate) fn cells(&self) -> &[SharedCell] {
            // SAFETY: by the invariant the mapping is longer than the header.
            let first = unsafe { self.map.as_mut_ptr().add(size_of::<Header>()) };
            // SAFETY: by the invariant `cells` cells lie there, aligned as the header's size is; their words are atomics.
            unsafe { slice::from_raw_parts(first.cast(), self.cells) }
        }
    }
}

#[cfg(any(nylon_loom, miri))]
mod heap {
    use std::sync::Arc;

    use crate::shared::layout::{Header, SharedCell};

    /// A header and cells on the heap; clones share them.
    #[derive(Debug, Clone)]
    pub struct Memory(Arc<(Header, Box<[SharedCell]>)>);

    impl Memory {
        /// An empty ring of so many cells, a power of two.
        pub fn new(cells: usize) -> Self {
            Self(Arc::new((Header::new(cells), (0..cells).map(|_| SharedCell::new()).collect())))
        }

        pub(crate) fn header(&self) -> &Header {
            &self.0.0
        }

        pub(crate) fn cells(&self) -> &[SharedCell] {
            &self.0.1
        }
    }
}
