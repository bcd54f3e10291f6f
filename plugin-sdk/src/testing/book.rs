//! What a [`MockHost`](super::MockHost) knows of its calls.
//!
//! One mutex guards it all, and is never held while a callback of the plugin runs.

use std::{
    collections::{HashMap, VecDeque},
    ffi::CStr,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nylon_ring::{
    NR_EVENT_CANCELLED, NR_EVENT_OVER, NR_EVENT_WRITABLE, NR_SEND_CLOSED, NR_SEND_FULL, NR_SEND_SENT, NR_WATCH_ALREADY,
    NR_WATCH_CLOSED, NR_WATCH_REGISTERED, NrStatus,
};

use super::{LogLine, Reply, ffi::Callback};
use crate::{Error, Level};

/// How the host is set up.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) config: Vec<u8>,
    pub(super) window: u64,
    pub(super) level: Level,
    pub(super) patience: Duration,
    pub(super) without: Vec<&'static CStr>,
    pub(super) bare: bool,
}

/// What a callback waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    ForRoom,
    ForCancel,
}

/// One call.
#[derive(Debug, Default)]
struct Record {
    stream: bool,
    deadline: Option<Instant>,
    /// What the test has not taken yet.
    results: VecDeque<Reply>,
    /// The terminal result was sent.
    over: bool,
    given_up: bool,
    /// What was sent after the end.
    late: usize,
    /// Values stay where they are until the host is dropped: the plugin has pointers to them.
    state: Vec<(String, Vec<u8>)>,
    watches: Vec<(Waits, Callback)>,
}

impl Record {
    /// Whether somebody waits for results.
    fn wanted(&self) -> bool {
        !self.over && !self.given_up && self.deadline.is_none_or(|deadline| Instant::now() < deadline)
    }

    fn credits(&self, window: u64) -> u64 {
        if self.wanted() { window.saturating_sub(self.results.len() as u64) } else { 0 }
    }

    fn take_watches(&mut self, which: impl Fn(Waits) -> bool) -> Vec<Callback> {
        let watches = std::mem::take(&mut self.watches);
        let (taken, kept) = watches.into_iter().partition(|(waits, _)| which(*waits));
        self.watches = kept;
        taken.into_iter().map(|(_, callback)| callback).collect()
    }
}

#[derive(Debug, Default)]
struct Pages {
    calls: HashMap<u64, Record>,
    logs: Vec<LogLine>,
    buffers: HashMap<u64, Vec<u8>>,
    last_sid: u64,
    last_lease: u64,
}

#[derive(Debug)]
pub(super) struct Book {
    pub(super) settings: Settings,
    pages: Mutex<Pages>,
    changed: Condvar,
}

impl Book {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, pages: Mutex::default(), changed: Condvar::new() }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, sid: u64, f: impl FnOnce(&mut Record) -> T) -> Option<T> {
        self.pages().calls.get_mut(&sid).map(f)
    }

    // --- the test's side ---

    pub(super) fn open(&self, stream: bool, deadline: Option<Duration>) -> u64 {
        let mut pages = self.pages();
        pages.last_sid += 1;
        let sid = pages.last_sid;
        let deadline = deadline.and_then(|wait| Instant::now().checked_add(wait));
        pages.calls.insert(sid, Record { stream, deadline, ..Record::default() });
        sid
    }

    /// Waits for the next result, and takes it; `None` past the last one.
    pub(super) fn take(&self, sid: u64) -> Result<Option<Reply>, Error> {
        let nothing_new = |pages: &mut Pages| {
            pages.calls.get(&sid).is_some_and(|record| record.results.is_empty() && !record.over && !record.given_up)
        };
        let waited = self.changed.wait_timeout_while(self.pages(), self.settings.patience, nothing_new);
        let (pages, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(pages);
        if timeout.timed_out() { Err(Error::NoAnswer) } else { Ok(self.take_now(sid)) }
    }

    /// Takes the next result, if there is one.
    pub(super) fn take_now(&self, sid: u64) -> Option<Reply> {
        let window = self.settings.window;
        let taken = self.with(sid, |record| {
            let reply = record.results.pop_front()?;
            let room = record.credits(window).saturating_mul(2) >= window;
            Some((reply, record.take_watches(|waits| room && waits == Waits::ForRoom)))
        });
        let (reply, watches) = taken.flatten()?;
        watches.into_iter().for_each(|callback| callback.call(sid, NR_EVENT_WRITABLE));
        Some(reply)
    }

    pub(super) fn give_up(&self, sid: u64) {
        let watches = self.with(sid, |record| {
            record.given_up = true;
            record.results.clear();
            if record.over { Vec::new() } else { record.take_watches(|_| true) }
        });
        self.changed.notify_all();
        watches.into_iter().flatten().for_each(|callback| callback.call(sid, NR_EVENT_CANCELLED));
    }

    pub(super) fn late(&self, sid: u64) -> usize {
        self.with(sid, |record| record.late).unwrap_or_default()
    }

    pub(super) fn callbacks(&self, sid: u64) -> usize {
        self.with(sid, |record| record.watches.len()).unwrap_or_default()
    }

    pub(super) fn logs(&self) -> Vec<LogLine> {
        self.pages().logs.clone()
    }

    // --- the plugin's side ---

    pub(super) fn send(&self, sid: u64, status: NrStatus, payload: Vec<u8>) {
        let watches = self.with(sid, |record| {
            if record.over {
                record.late += 1;
                return Vec::new();
            }
            record.over = !record.stream || status.is_terminal();
            if !record.given_up {
                record.results.push_back(Reply { status, payload });
            }
            if record.over { record.take_watches(|_| true) } else { Vec::new() }
        });
        self.changed.notify_all();
        watches.into_iter().flatten().for_each(|callback| callback.call(sid, NR_EVENT_OVER));
    }

    pub(super) fn try_send(&self, sid: u64, payload: Vec<u8>) -> u32 {
        let window = self.settings.window;
        match self.with(sid, |record| (record.wanted(), record.stream, record.credits(window))) {
            Some((true, true, 0)) => NR_SEND_FULL,
            Some((true, ..)) => {
                self.send(sid, NrStatus::Ok, payload);
                NR_SEND_SENT
            }
            _ => NR_SEND_CLOSED,
        }
    }

    pub(super) fn credits(&self, sid: u64) -> u64 {
        self.with(sid, |record| record.credits(self.settings.window)).unwrap_or_default()
    }

    pub(super) fn watch(&self, sid: u64, waits: Waits, callback: Callback) -> u32 {
        let window = self.settings.window;
        let watched = self.with(sid, |record| {
            if !record.wanted() {
                return NR_WATCH_CLOSED;
            }
            if waits == Waits::ForRoom && record.credits(window).saturating_mul(2) >= window {
                return NR_WATCH_ALREADY;
            }
            record.watches.push((waits, callback));
            NR_WATCH_REGISTERED
        });
        watched.unwrap_or(NR_WATCH_CLOSED)
    }

    pub(super) fn wanted(&self, sid: u64) -> bool {
        self.with(sid, |record| record.wanted()).unwrap_or(false)
    }

    /// `None` for a call without a deadline.
    pub(super) fn remaining(&self, sid: u64) -> Option<Duration> {
        let deadline = self.with(sid, |record| (!record.over).then_some(record.deadline)).flatten();
        deadline.unwrap_or(Some(Instant::now())).map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Whether the call is there.
    pub(super) fn set_state(&self, sid: u64, key: String, value: Vec<u8>) -> bool {
        self.with(sid, |record| record.state.push((key, value))).is_some()
    }

    /// Where the value lies; there it stays.
    pub(super) fn state<T>(&self, sid: u64, key: &str, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let find = |record: &mut Record| {
            let newest = record.state.iter().rev().find(|(stored, _)| stored == key);
            newest.map(|(_, value)| read(value))
        };
        self.with(sid, find).flatten()
    }

    pub(super) fn log(&self, line: LogLine) {
        if line.level <= self.settings.level {
            self.pages().logs.push(line);
        }
    }

    /// Where a new buffer lies, and its lease.
    pub(super) fn reserve(&self, sid: u64, len: usize) -> Option<(*mut u8, u64)> {
        if len == 0 || !self.wanted(sid) {
            return None;
        }
        let mut pages = self.pages();
        pages.last_lease += 1;
        let lease = pages.last_lease;
        let buffer = pages.buffers.entry(lease).or_insert_with(|| vec![0; len]);
        Some((buffer.as_mut_ptr(), lease))
    }

    pub(super) fn give_back(&self, lease: u64) -> Option<Vec<u8>> {
        self.pages().buffers.remove(&lease)
    }

    /// Buffers that the plugin has not given back.
    pub(super) fn buffers(&self) -> usize {
        self.pages().buffers.len()
    }
}
