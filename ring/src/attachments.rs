//! What plugins leave with open calls, by sid: values, closures to be called, frames sent against credit.
//!
//! Every function here may be called from any thread with any sid. The list that it all lies in is `state.rs`.

use std::ptr::NonNull;

use nylon_ring::NrStatus;

use crate::{
    error::RuntimeError,
    reply::Record,
    shard::Shard,
    slot::{Kind, Slot},
    state::{self, Content, ENTRY, Reading},
    watch::{Event, Tell, Ticket, Watch, Watching},
    window::Window,
};

/// Why a frame was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TrySendError {
    /// The stream's window is full.
    #[error("the stream's window is full: wait until the receiver has taken frames")]
    Full,
    /// The call is over, given up or unknown.
    #[error("the sid names no open call: it is over, given up or unknown")]
    Closed,
}

impl Shard {
    /// The slot of an open call.
    fn open_slot(&self, sid: u64) -> Option<(&Slot, Kind)> {
        let slot = self.slab.slots().get(self.layout.slot(sid))?;
        Some((slot, slot.kind(sid, self.mask())?))
    }

    /// Stores a copy of `value` for an open call.
    pub(crate) fn set_state(&self, sid: u64, key: &str, value: &[u8]) -> Result<(), RuntimeError> {
        let (slot, _) = self.open_slot(sid).ok_or(RuntimeError::UnknownSid)?;
        let cost = state::cost(key, value);
        let overflow = RuntimeError::Overflow { limit: self.ledger.limit() };
        if !self.ledger.try_charge(self.index, cost) {
            return Err(overflow);
        }
        if !slot.entries.reading(self).set(sid, key, value) {
            self.ledger.release(self.index, cost);
            return Err(overflow);
        }
        Ok(())
    }

    /// Finds what was stored for an open call. The bytes stay valid until the call's terminal result has been sent.
    pub(crate) fn get_state(&self, sid: u64, key: &str) -> Option<NonNull<[u8]>> {
        let slot = self.slab.slots().get(self.layout.slot(sid))?;
        let value = slot.entries.reading(self).get(sid, key)?;
        // Nobody frees the state of a call that is leased while it is open; the pointer of one that is not is never handed out.
        slot.lease(sid, self.mask()).then_some(value)
    }

    /// Whether the sid is open: somebody waits for what is sent for it.
    pub(crate) fn is_wanted(&self, sid: u64) -> bool {
        self.open_slot(sid).is_some()
    }

    /// Has `closure` called when the caller gives the call up, or else when it is over.
    pub(crate) fn on_give_up(&self, sid: u64, closure: Tell) -> Watching {
        let Some((slot, _)) = self.open_slot(sid) else { return Watching::Closed };
        // Nothing that is found or added is freed until this is dropped.
        let reading = slot.entries.reading(self);
        let Some((watch, ticket)) = self.add_watch(&reading, sid, false, closure) else { return Watching::Refused };
        if slot.announce(sid, self.mask()) || !watch.take_back(ticket) {
            return Watching::Registered;
        }
        Watching::Closed
    }

    /// Has `closure` called when half of the stream's window is free, or else as by [`on_give_up`](Self::on_give_up).
    pub(crate) fn on_writable(&self, sid: u64, closure: Tell) -> Watching {
        let Some((slot, kind)) = self.open_slot(sid) else { return Watching::Closed };
        let reading = slot.entries.reading(self);
        let window = reading.contents(sid).find_map(as_window);
        // Nothing was sent against credit; or the call has ended since, and its list is gone: who sends finds out.
        let (Kind::Stream, Some(window)) = (kind, window) else { return Watching::Already };
        let mut closure = Some(closure);
        let used_again = reading.contents(sid).filter_map(as_watch).find_map(|watch| {
            let ticket = watch.use_again(closure.take()?).map_err(|unused| closure = Some(unused)).ok()?;
            Some((watch, ticket))
        });
        let added = used_again.or_else(|| self.add_watch(&reading, sid, true, closure.take()?));
        let Some((watch, ticket)) = added else { return Watching::Refused };
        let outcome = if !slot.announce(sid, self.mask()) {
            Watching::Closed
        } else if window.wait(self.window) {
            Watching::Already
        } else {
            return Watching::Registered;
        };
        if watch.take_back(ticket) { outcome } else { Watching::Registered }
    }

    /// Adds a closure to a call; `None` when the buffer limit is reached.
    fn add_watch<'a>(
        &self,
        reading: &'a Reading<'_>,
        sid: u64,
        for_room: bool,
        closure: Tell,
    ) -> Option<(&'a Watch, Ticket)> {
        if !self.ledger.try_charge(self.index, ENTRY) {
            return None;
        }
        let (watch, ticket) = Watch::new(for_room, closure);
        as_watch(reading.prepend(sid, Content::Watch(watch))).map(|watch| (watch, ticket))
    }

    /// Sends a frame of status `Ok` if the stream's window has room; to a unary call, its result.
    pub(crate) fn try_send(&self, sid: u64, bytes: &[u8]) -> Result<(), TrySendError> {
        let (slot, kind) = self.open_slot(sid).ok_or(TrySendError::Closed)?;
        if kind == Kind::Unary {
            self.send_outlined(Record { sid, reply: self.copy(sid, NrStatus::Ok, bytes) });
            return Ok(());
        }
        let took_credit = {
            let reading = slot.entries.reading(self);
            let window = reading.contents(sid).find_map(as_window).or_else(|| {
                let content = Content::Window(Window::new());
                let (there, added) = reading.prepend_unless(sid, content, |content| as_window(content).is_some());
                if added {
                    // Whatever the limit: there is one a stream.
                    self.ledger.charge(self.index, ENTRY);
                }
                as_window(there)
            });
            window.is_some_and(|window| window.take(self.window))
        };
        if !took_credit {
            return Err(if self.is_wanted(sid) { TrySendError::Full } else { TrySendError::Closed });
        }
        self.send_outlined(Record { sid, reply: self.copy(sid, NrStatus::Ok, bytes).credited() });
        Ok(())
    }

    /// As `send_record`, which is meant to be part of its caller, on a way that is not the shortest anyway.
    #[inline(never)]
    pub(crate) fn send_outlined(&self, record: Record) {
        self.send_record(record);
    }

    /// How many frames the stream's window has room for.
    pub(crate) fn credits(&self, sid: u64) -> u64 {
        let Some((slot, _)) = self.open_slot(sid) else { return 0 };
        let reading = slot.entries.reading(self);
        reading.contents(sid).find_map(as_window).map_or(self.window, |window| window.credits(self.window))
    }

    /// Gives back the credit of a frame that its receiver has taken. Only for the receiver.
    pub(crate) fn give_credit_back(&self, slot: &Slot, sid: u64) {
        let mut windows = slot.entries.owned(sid).filter_map(as_window);
        if windows.next().is_some_and(|window| window.give_back(self.window)) {
            slot.entries.tell(sid, Event::Writable);
        }
    }
}

fn as_watch(content: &Content) -> Option<&Watch> {
    match content {
        Content::Watch(watch) => Some(watch),
        _ => None,
    }
}

fn as_window(content: &Content) -> Option<&Window> {
    match content {
        Content::Window(window) => Some(window),
        _ => None,
    }
}
