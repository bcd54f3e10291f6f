//! A value that is put in once, read by many, and dropped once nobody reads it.

use std::{
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};

/// Empty, then full, then perhaps empty again.
///
/// The pointer is null or comes from a `Box` that nothing else owns; `put` writes it once, with `Release`, for the `Acquire`
/// of `get`.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    value: AtomicPtr<T>,
}

impl<T> Slot<T> {
    pub(crate) const fn new() -> Self {
        Self { value: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Puts the value in; `false`, and the value is dropped, if there is one.
    pub(crate) fn put(&self, value: T) -> bool {
        let value = Box::into_raw(Box::new(value));
        let put = self.value.compare_exchange(ptr::null_mut(), value, Ordering::Release, Ordering::Relaxed).is_ok();
        if !put {
            // SAFETY: it comes from `into_raw` above, and was not handed on.
            drop(unsafe { Box::from_raw(value) });
        }
        put
    }

    pub(crate) fn get(&self) -> Option<&T> {
        // SAFETY: null, or a value that lives until `clear`, whose caller promises that this reference is gone.
        unsafe { self.value.load(Ordering::Acquire).as_ref() }
    }

    /// Drops the value, if there is one.
    ///
    /// # Safety
    ///
    /// No reference that `get` returned is alive, or will be used again.
    pub(crate) unsafe fn clear(&self) {
        let value = self.value.swap(ptr::null_mut(), Ordering::AcqRel);
        if !value.is_null() {
            // SAFETY: it comes from `into_raw` in `put`; nobody else has it, by the swap and the caller's promise.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        // SAFETY: what `get` returned has borrowed `self`. (Where that was for `'static`, invariant F7 of this module's
        // parent says that it is not used any more.)
        unsafe { self.clear() };
    }
}
