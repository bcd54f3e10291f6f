//! The memory that rings and slabs live in.
//!
//! A [`Region`] is a fixed number of values in one anonymous mapping of their own, aligned to a page and never moved.
//! Algorithms borrow it; they never create memory themselves. Under loom and Miri the values lie on the heap, because
//! neither can look into a mapping.

use std::ops::Deref;

use crate::error::RuntimeError;

/// A fixed number of values of type `T` in memory of their own.
#[derive(Debug)]
pub struct Region<T> {
    values: imp::Values<T>,
}

impl<T> Region<T> {
    /// Maps room for `len` values and fills it with `make(0)`, `make(1)`, and so on.
    pub fn new(len: usize, make: impl FnMut(usize) -> T) -> Result<Self, RuntimeError> {
        Ok(Self { values: imp::Values::new(len, make)? })
    }
}

impl<T> Deref for Region<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        self.values.as_slice()
    }
}

#[cfg(not(any(nylon_loom, miri)))]
mod imp {
    use std::ptr::{self, NonNull};

    use memmap2::MmapMut;

    use crate::error::RuntimeError;

    /// Values in an anonymous mapping.
    ///
    /// Invariants: (1) `first` points to `len` initialised values inside `_map`; (2) nobody else has the mapping.
    #[derive(Debug)]
    pub(super) struct Values<T> {
        first: NonNull<T>,
        len: usize,
        _map: MmapMut,
    }

    // SAFETY: `Values` owns its values as a `Box<[T]>` would (invariants 1 and 2).
    unsafe impl<T: Send> Send for Values<T> {}
    // SAFETY: as above; `&Values<T>` gives nothing but `&[T]`.
    unsafe impl<T: Sync> Sync for Values<T> {}

    impl<T> Values<T> {
        pub(super) fn new(len: usize, mut make: impl FnMut(usize) -> T) -> Result<Self, RuntimeError> {
            const { assert!(align_of::<T>() <= 4096, "a mapping is aligned to a page, no further") };
            let bytes = len.saturating_mul(size_of::<T>()).max(1);
            let mut map =
                MmapMut::map_anon(bytes).map_err(|source| RuntimeError::Region { bytes: bytes as u64, source })?;
            let first = NonNull::from(&mut map[..]).cast::<T>();
            for index in 0..len {
                // SAFETY: `index < len`, and the mapping has room for `len` values.
                let place = unsafe { first.add(index) };
                // SAFETY: the place is inside the mapping, aligned to a page plus a multiple of T's size, and unused.
                unsafe { place.write(make(index)) };
            }
            Ok(Self { first, len, _map: map })
        }

        #[inline(always)]
        pub(super) fn as_slice(&self) -> &[T] {
            // SAFETY: invariant 1.
            unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.len) }
        }
    }

    impl<T> Drop for Values<T> {
        fn drop(&mut self) {
            let values = ptr::slice_from_raw_parts_mut(self.first.as_ptr(), self.len);
            // SAFETY: invariants 1 and 2; the mapping itself goes afterwards, with the field.
            unsafe { ptr::drop_in_place(values) };
        }
    }
}

#[cfg(any(nylon_loom, miri))]
mod imp {
    use crate::error::RuntimeError;

    /// Values on the heap, where loom and Miri can see them.
    #[derive(Debug)]
    pub(super) struct Values<T>(Box<[T]>);

    impl<T> Values<T> {
        pub(super) fn new(len: usize, make: impl FnMut(usize) -> T) -> Result<Self, RuntimeError> {
            Ok(Self((0..len).map(make).collect()))
        }

        #[inline(always)]
        pub(super) fn as_slice(&self) -> &[T] {
            &self.0
        }
    }
}
