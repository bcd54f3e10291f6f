//! The waker of a caller that sleeps, as two words that may be read before it is known whose they are.
//!
//! A cell with a word of its own, which says who may touch it, costs two exchanges to register a waker and two to take it. Here the slot's
//! state word says it (`slot.rs`, 4): one exchange parks, and the one that delivers a result takes the waker along.
//!
//! Reading first, and then finding out by an exchange whether it counts, is what a sequence lock does; no fence is needed, for an exchange
//! succeeds only on the word that was there all the time.

use std::{
    mem::ManuallyDrop,
    ptr,
    task::{RawWakerVTable, Waker},
};

use crate::sync::{AtomicPtr, Ordering};

/// A waker, or what is left of one.
#[derive(Debug)]
pub(crate) struct WakerCell {
    data: AtomicPtr<()>,
    vtable: AtomicPtr<RawWakerVTable>,
}

/// What lay in a cell: a waker, if nobody changed it meanwhile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    data: *const (),
    vtable: *const RawWakerVTable,
}

impl WakerCell {
    pub(crate) fn new() -> Self {
        Self { data: AtomicPtr::new(ptr::null_mut()), vtable: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Leaves a waker here. What lay here is forgotten.
    #[inline]
    pub(crate) fn put(&self, waker: Waker) {
        let waker = ManuallyDrop::new(waker);
        // Ordering: Relaxed, both; whoever parks passes them on with the state word, or with the consumer token.
        self.data.store(waker.data().cast_mut(), Ordering::Relaxed);
        self.vtable.store(ptr::from_ref(waker.vtable()).cast_mut(), Ordering::Relaxed);
    }

    /// What lies here.
    #[inline]
    pub(crate) fn read(&self) -> Words {
        // Ordering: Relaxed, both; the exchange that makes the reader their owner fails if they are not of one waker.
        Words { data: self.data.load(Ordering::Relaxed), vtable: self.vtable.load(Ordering::Relaxed) }
    }

    /// Whether the waker that was left here wakes the same task. Only for who put it here.
    #[inline]
    pub(crate) fn will_wake(&self, waker: &Waker) -> bool {
        let Words { data, vtable } = self.read();
        ptr::eq(data, waker.data()) && ptr::eq(vtable, waker.vtable())
    }
}

impl Words {
    /// The waker that the words are.
    ///
    /// # Safety
    ///
    /// They are what one `put` left, and the caller owns it: nobody else makes a waker of it.
    #[inline]
    pub(crate) unsafe fn into_waker(self) -> Waker {
        // SAFETY: the words are those of a waker, whose table lives for ever.
        let vtable = unsafe { &*self.vtable };
        // SAFETY: the parts of a waker that was left without being dropped, and is made again once.
        unsafe { Waker::new(self.data, vtable) }
    }
}
