//! What plugins store per call: a prepend-only list of entries, read without a lock, freed when the call is done.
//!
//! A pointer that [`Entries::get`] returned stays valid until the plugin has sent the terminal result of its sid, so entries
//! never move and are never changed; a key that is set again gets a new entry in front of the old one.
//!
//! # Who frees
//!
//! The owner of a slot that is not open any more takes the whole list and may free it once no plugin thread reads it.
//! A plugin thread that looks for a value, or stores one, counts itself into `readers` *before* it looks at the list, and out when it
//! is done.
//!
//! 1. The owner takes the list before it looks at `readers`: it sees the reader, or the reader sees the list gone. (Both sides change
//!    `readers` by a read-modify-write.)
//! 2. If the owner sees a reader, the list is handed to the consumer, which frees it when it sees none.
//! 3. An entry that is prepended while its call is being closed may end up in the list of the next call of that slot. It
//!    carries its sid, so it is never found there, and goes when that call is done.
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | prepend | an entry, from `set` to `get` | `state::set_against_get` |
//! | readers | that nobody reads any more | `state::close_against_get` |

use std::ptr;

use crate::sync::{AtomicPtr, AtomicU32, Ordering, UnsafeCell};

/// What an entry costs beside its key and value, in bytes.
const ENTRY: u64 = 64;

/// One stored value.
#[derive(Debug)]
struct Entry {
    sid: u64,
    key: Box<str>,
    value: Box<[u8]>,
    next: *mut Entry,
    /// Shows loom, which cannot see plain memory, when the entry is made, read and freed. Of no size.
    watch: UnsafeCell<()>,
}

/// The entries of one slot.
#[derive(Debug)]
pub(crate) struct Entries {
    first: AtomicPtr<Entry>,
    readers: AtomicU32,
}

/// A list taken out of its slot, freed when dropped.
#[derive(Debug)]
#[must_use = "dropping the list frees it"]
pub(crate) struct Taken {
    first: *mut Entry,
}

// SAFETY: a `Taken` owns its entries, which are plain memory.
unsafe impl Send for Taken {}

/// Counts a plugin thread as a reader for as long as it lives.
#[derive(Debug)]
pub(crate) struct Reading<'a>(&'a Entries);

/// The bytes that storing `value` under `key` occupies.
pub(crate) fn cost(key: &str, value: &[u8]) -> u64 {
    ENTRY + key.len() as u64 + value.len() as u64
}

impl Entries {
    pub(crate) fn new() -> Self {
        Self { first: AtomicPtr::new(ptr::null_mut()), readers: AtomicU32::new(0) }
    }

    /// Counts the calling thread in. Look at the list only after this.
    fn reading(&self) -> Reading<'_> {
        // Ordering: Acquire; [readers], pairs with the read-modify-write in `is_unread`: who comes after it sees the list gone.
        self.readers.fetch_add(1, Ordering::Acquire);
        Reading(self)
    }

    /// Stores a value; false when there is no memory for it. The sid must have been seen open.
    pub(crate) fn set(&self, sid: u64, key: &str, value: &[u8]) -> bool {
        let mut bytes = Vec::new();
        if bytes.try_reserve_exact(value.len()).is_err() {
            return false;
        }
        bytes.extend_from_slice(value);
        let entry = Box::new(Entry {
            sid,
            key: key.into(),
            value: bytes.into_boxed_slice(),
            next: ptr::null_mut(),
            watch: UnsafeCell::new(()),
        });
        entry.watch.with_mut(|_| ());
        let entry = Box::into_raw(entry);
        // What is linked below is not freed meanwhile: else it might be another entry at the same address, and the pointer of the old one.
        let _linking = self.reading();
        // Ordering: Relaxed; the value is only linked and compared.
        let mut first = self.first.load(Ordering::Relaxed);
        loop {
            // SAFETY: the entry is ours until it is linked.
            unsafe { (*entry).next = first };
            // Ordering: Release; [prepend]. Relaxed on failure: as above.
            match self.first.compare_exchange_weak(first, entry, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => first = now,
            }
        }
    }

    /// Finds the latest value. The pointer is valid while the list is not freed: for certain if the call is still open after this.
    pub(crate) fn get(&self, sid: u64, key: &str) -> Option<ptr::NonNull<[u8]>> {
        let _reading = self.reading();
        // Ordering: Acquire; pairs with [prepend]. The entries behind the first were linked before it.
        let mut at = self.first.load(Ordering::Acquire);
        // SAFETY: we are counted in, so a list that we have found is not freed (1).
        while let Some(entry) = unsafe { at.as_ref() } {
            entry.watch.with(|_| ());
            if entry.sid == sid && *entry.key == *key {
                return Some(ptr::NonNull::from(&*entry.value));
            }
            at = entry.next;
        }
        None
    }

    /// Whether there is anything to free. Only for the owner of a slot that is not open.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // Ordering: Relaxed; only compared with null. An entry that arrives later is the next owner's (3).
        self.first.load(Ordering::Relaxed).is_null()
    }

    /// Takes the whole list.
    pub(crate) fn take(&self) -> Taken {
        // Ordering: Relaxed; `is_unread` comes before anything is done with the list, and acquires what was done to it.
        Taken { first: self.first.swap(ptr::null_mut(), Ordering::Relaxed) }
    }

    /// Whether a list taken before this call is read by nobody.
    pub(crate) fn is_unread(&self) -> bool {
        // Ordering: AcqRel; pairs with [readers] in both directions: a reader that came first is seen, one that comes
        // later sees the list gone; and all reads of one that left came before.
        self.readers.fetch_add(0, Ordering::AcqRel) == 0
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        // Ordering: Release; [readers]: all reads of the list came before.
        self.0.readers.fetch_sub(1, Ordering::Release);
    }
}

impl Taken {
    /// The bytes that the list occupies, as [`cost`] counts them.
    pub(crate) fn cost(&self) -> u64 {
        let (mut at, mut sum) = (self.first, 0);
        // SAFETY: the list is ours.
        while let Some(entry) = unsafe { at.as_ref() } {
            sum += cost(&entry.key, &entry.value);
            at = entry.next;
        }
        sum
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut at = self.first;
        while !at.is_null() {
            // SAFETY: made by `Box::into_raw` in `set`, linked once, and the list is ours.
            let entry = unsafe { Box::from_raw(at) };
            entry.watch.with_mut(|_| ());
            at = entry.next;
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        drop(self.take());
    }
}
