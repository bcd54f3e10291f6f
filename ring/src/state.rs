//! What plugins leave with a call: values, things to be told of (`watch.rs`), the window of a stream (`window.rs`). A prepend-only list
//! of entries, read without a lock, freed when the call is done.
//!
//! A pointer that [`Entries::get`] returned stays valid until the plugin has sent the terminal result of its sid, so entries
//! never move and values are never changed; a key that is set again gets a new entry in front of the old one.
//!
//! # Who frees
//!
//! The owner of a slot that is not open any more takes the whole list and may free it once no plugin thread reads it.
//! A plugin thread that looks at the list, or adds to it, counts itself into `readers` *before*, and out when it is done. What it has
//! found or added stays until then. The owner itself may look without: nobody else frees.
//!
//! 1. The owner takes the list before it looks at `readers`: it sees the reader, or the reader sees the list gone. (Both sides change
//!    `readers` by a read-modify-write.)
//! 2. If the owner sees a reader, the list is handed to the consumer, which frees it when it sees none.
//! 3. An entry that is prepended while its call is being closed may end up in the list of the next call of that slot. It
//!    carries its sid, so it is never found there, and goes when that call is done.
//! 4. Freeing a list tells whoever still waits for something that the call is over. That is foreign code, so a list is never
//!    freed under the consumer's token.
//! 5. A list that is still read when the consumer comes to it is left for later: the consumer marks that, and looks once more. So either it
//!    sees the last reader gone, or that reader, whose read-modify-write comes after the consumer's, sees the mark, and rings.
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | prepend | an entry, from who adds it to who looks | `state::set_against_get` |
//! | readers | that nobody reads any more; that a list is left for later | `state::close_against_get`, `state::the_last_reader_rings` |

use std::ptr;

use crate::{
    shard::Shard,
    sync::{AtomicPtr, AtomicU32, Ordering, UnsafeCell},
    watch::{Event, Watch},
    window::Window,
};

/// What an entry costs beside its key and value, in bytes.
pub(crate) const ENTRY: u64 = 64;

/// What a plugin left with a call.
#[derive(Debug)]
pub(crate) enum Content {
    Value { key: Box<str>, value: Box<[u8]> },
    Watch(Watch),
    Window(Window),
}

#[derive(Debug)]
struct Entry {
    sid: u64,
    content: Content,
    next: *mut Entry,
    /// Shows loom, which cannot see plain memory, when the entry is made, read and freed. Of no size.
    trace: UnsafeCell<()>,
}

/// The entries of one slot.
#[derive(Debug)]
pub(crate) struct Entries {
    first: AtomicPtr<Entry>,
    readers: AtomicU32,
}

/// A list taken out of its slot, freed when dropped (4).
#[derive(Debug)]
#[must_use = "dropping the list frees it"]
pub(crate) struct Taken {
    first: *mut Entry,
}

// SAFETY: a `Taken` owns its entries, which are plain memory.
unsafe impl Send for Taken {}

/// Counts a plugin thread as a reader for as long as it lives.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    entries: &'a Entries,
    shard: &'a Shard,
}

/// The bytes that storing `value` under `key` occupies.
pub(crate) fn cost(key: &str, value: &[u8]) -> u64 {
    ENTRY + key.len() as u64 + value.len() as u64
}

impl Content {
    /// The bytes that the entry occupies.
    fn cost(&self) -> u64 {
        match self {
            Self::Value { key, value } => cost(key, value),
            Self::Watch(_) | Self::Window(_) => ENTRY,
        }
    }
}

impl Entry {
    fn new(sid: u64, content: Content) -> Box<Self> {
        let entry = Box::new(Self { sid, content, next: ptr::null_mut(), trace: UnsafeCell::new(()) });
        entry.trace.with_mut(|_| ());
        entry
    }
}

impl Entries {
    pub(crate) fn new() -> Self {
        Self { first: AtomicPtr::new(ptr::null_mut()), readers: AtomicU32::new(0) }
    }

    /// Counts the calling thread in. Look at the list only after this.
    pub(crate) fn reading<'a>(&'a self, shard: &'a Shard) -> Reading<'a> {
        // Ordering: Acquire; [readers], pairs with the read-modify-write in `is_unread`: who comes after it sees the list gone.
        self.readers.fetch_add(1, Ordering::Acquire);
        Reading { entries: self, shard }
    }

    /// Tells those who wait for it, of call `sid`. Only for the owner of the slot, who frees the list no earlier than this returns.
    pub(crate) fn tell(&self, sid: u64, event: Event) {
        for content in self.owned(sid) {
            if let Content::Watch(watch) = content {
                watch.tell(event);
            }
        }
    }

    /// What was left with call `sid`, latest first. Only for the owner of the slot, who frees none of it meanwhile.
    pub(crate) fn owned(&self, sid: u64) -> impl Iterator<Item = &Content> {
        // Ordering: Acquire; pairs with [prepend]. The entries behind the first were linked before it.
        self.contents_from(self.first.load(Ordering::Acquire), sid)
    }

    /// What lies in the list for `sid`, from the entry that `at` points to. For the owner, or who is counted in.
    fn contents_from(&self, mut at: *mut Entry, sid: u64) -> impl Iterator<Item = &Content> {
        std::iter::from_fn(move || {
            // SAFETY: the caller is the owner, or counted in, so a list that it has found is not freed (1).
            while let Some(entry) = unsafe { at.as_ref() } {
                entry.trace.with(|_| ());
                at = entry.next;
                if entry.sid == sid {
                    return Some(&entry.content);
                }
            }
            None
        })
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

impl Reading<'_> {
    /// Stores a value; false when there is no memory for it. The sid must have been seen open.
    pub(crate) fn set(&self, sid: u64, key: &str, value: &[u8]) -> bool {
        let mut bytes = Vec::new();
        if bytes.try_reserve_exact(value.len()).is_err() {
            return false;
        }
        bytes.extend_from_slice(value);
        self.prepend(sid, Content::Value { key: key.into(), value: bytes.into_boxed_slice() });
        true
    }

    /// Finds the latest value. The pointer is valid while the list is not freed: for certain if the call is still open after this.
    pub(crate) fn get(&self, sid: u64, key: &str) -> Option<ptr::NonNull<[u8]>> {
        self.contents(sid).find_map(|content| match content {
            Content::Value { key: found, value } if **found == *key => Some(ptr::NonNull::from(&**value)),
            _ => None,
        })
    }

    /// What was left with call `sid`, latest first. It stays as long as `self`.
    pub(crate) fn contents(&self, sid: u64) -> impl Iterator<Item = &Content> {
        self.entries.owned(sid)
    }

    /// Adds an entry, which stays as long as `self`.
    pub(crate) fn prepend(&self, sid: u64, content: Content) -> &Content {
        let entry = Box::into_raw(Entry::new(sid, content));
        // Ordering: Relaxed; the value is only linked and compared.
        let mut first = self.entries.first.load(Ordering::Relaxed);
        loop {
            // SAFETY: made above, and ours until it is linked.
            match unsafe { self.link(entry, first) } {
                Ok(content) => return content,
                Err(now) => first = now,
            }
        }
    }

    /// Adds an entry, unless `found` says that one that is there already will do: returns that one then, and drops `content`. Of
    /// several threads that do the same at once, one adds: `true` says that it was this one.
    pub(crate) fn prepend_unless(
        &self,
        sid: u64,
        content: Content,
        found: impl Fn(&Content) -> bool,
    ) -> (&Content, bool) {
        let entry = Box::into_raw(Entry::new(sid, content));
        // Ordering: Acquire; as in `owned`.
        let mut first = self.entries.first.load(Ordering::Acquire);
        loop {
            if let Some(there) = self.entries.contents_from(first, sid).find(|content| found(content)) {
                // SAFETY: made above, and never linked.
                drop(unsafe { Box::from_raw(entry) });
                return (there, false);
            }
            // SAFETY: made above, and ours until it is linked.
            match unsafe { self.link(entry, first) } {
                Ok(content) => return (content, true),
                Err(now) => first = now,
            }
        }
    }

    /// Links an entry in front of `first`, if that is the first one still; returns what is, otherwise.
    ///
    /// # Safety
    ///
    /// The entry was made by `Box::into_raw`, and is the caller's.
    unsafe fn link(&self, entry: *mut Entry, first: *mut Entry) -> Result<&Content, *mut Entry> {
        // SAFETY: the entry is the caller's.
        unsafe { (*entry).next = first };
        // Ordering: Release; [prepend]. What is linked below is not freed meanwhile: we are counted in, so it cannot be another entry
        // at the same address. Acquire on failure: as in `owned`.
        self.entries.first.compare_exchange_weak(first, entry, Ordering::Release, Ordering::Acquire)?;
        // SAFETY: we are counted in, so it is not freed (1); from now on it is only read.
        Ok(unsafe { &(*entry).content })
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        // Ordering: Release; [readers]: all reads of the list came before. Acquire; who comes after the consumer's last look sees the
        // mark that it set before (5).
        if self.entries.readers.fetch_sub(1, Ordering::AcqRel) == 1 && self.shard.has_chores() {
            self.shard.doorbell.ring();
        }
    }
}

impl Taken {
    /// The bytes that the list occupies, as [`cost`] counts them.
    pub(crate) fn cost(&self) -> u64 {
        let (mut at, mut sum) = (self.first, 0);
        // SAFETY: the list is ours.
        while let Some(entry) = unsafe { at.as_ref() } {
            sum += entry.content.cost();
            at = entry.next;
        }
        sum
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut at = self.first;
        while !at.is_null() {
            // SAFETY: made by `Box::into_raw` in `Reading`, linked once, and the list is ours.
            let entry = unsafe { Box::from_raw(at) };
            entry.trace.with_mut(|_| ());
            at = entry.next;
            if let Content::Watch(watch) = &entry.content {
                watch.tell(Event::Over);
            }
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        drop(self.take());
    }
}
