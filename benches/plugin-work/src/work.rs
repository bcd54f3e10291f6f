//! One plugin: its threads, its settings, and what it does for each path.

use std::{
    sync::{Arc, OnceLock, atomic::Ordering},
    thread,
};

use crate::{
    number,
    pattern::{KIB, pattern},
    pool::{Job, Kind, Pool},
    settings::Settings,
};

/// How a call went, or what a result says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// Success, or one more frame.
    Ok = 0,
    /// The plugin failed.
    Err = 1,
    /// The request cannot be read.
    Invalid = 2,
    /// There is no such path.
    Unsupported = 3,
    /// The last frame of a stream.
    StreamEnd = 4,
}

/// Whether the host took a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a result that was not taken must be sent again"]
pub enum Sent {
    /// It is the host's now, whether it is any use or not.
    Taken,
    /// It has no room for another frame of this stream; the caller must read first.
    NoRoom,
}

/// The way back to the host.
pub trait Host: Clone + Send + Sync + 'static {
    /// Sends a frame, or a result from a thread of the plugin, of bytes that live for ever.
    fn send(&self, sid: u64, status: Status, payload: &'static [u8]) -> Sent;

    /// Sends a result inside the call, of bytes that live until this returns.
    fn send_copied(&self, sid: u64, status: Status, payload: &[u8]) -> Sent;
}

/// One plugin.
pub struct Work<H> {
    host: H,
    /// Set by `/threads/<n>`.
    pool: OnceLock<Pool>,
    settings: Arc<Settings>,
}

impl<H: Host> Work<H> {
    /// A plugin without threads, for this host.
    pub fn new(host: H) -> Self {
        Self { host, pool: OnceLock::new(), settings: Arc::default() }
    }

    /// Does what the table of the crate says; looks at the body only if it has to.
    #[inline]
    pub fn call<'a>(&self, sid: u64, path: &[u8], body: impl FnOnce() -> Option<&'a [u8]>) -> Status {
        match path {
            [b'/', b'b', rest @ ..] => match rest {
                [b'e'] => self.later(sid, Kind::Empty),
                [b'k'] => self.later(sid, Kind::Kib),
                [b'f', b'/', n @ ..] => self.frames_later(sid, n),
                [b'p', b'/', len @ ..] => self.payload_later(sid, len),
                _ => Status::Unsupported,
            },
            [b'/', b'e'] => self.empty(sid),
            [b'/', b'k'] => self.kib(sid),
            [b'/', b'c'] => body().map_or(Status::Invalid, |body| self.echo(sid, body)),
            [b'/', b'f', b'/', n @ ..] => self.frames(sid, n),
            [b'/', b'p', b'/', len @ ..] => self.payload(sid, len),
            _ => self.control(sid, path),
        }
    }

    /// `/e`.
    #[inline]
    pub fn empty(&self, sid: u64) -> Status {
        taken(self.host.send(sid, Status::Ok, &[]))
    }

    /// `/k`.
    #[inline]
    pub fn kib(&self, sid: u64) -> Status {
        taken(self.host.send_copied(sid, Status::Ok, KIB))
    }

    /// `/c`.
    #[inline]
    pub fn echo(&self, sid: u64, body: &[u8]) -> Status {
        taken(self.host.send_copied(sid, Status::Ok, body))
    }

    /// `/p/<len>`.
    #[inline]
    pub fn payload(&self, sid: u64, len: &[u8]) -> Status {
        match number(len).and_then(|len| pattern(len as usize)) {
            Some(payload) => taken(self.host.send_copied(sid, Status::Ok, payload)),
            None => Status::Unsupported,
        }
    }

    /// `/f/<n>`.
    #[inline]
    pub fn frames(&self, sid: u64, n: &[u8]) -> Status {
        let Some(frames) = number(n) else { return Status::Unsupported };
        for _ in 0..frames {
            // Nobody reads before this returns: there is nothing to wait for.
            if self.host.send(sid, Status::Ok, &[]) == Sent::NoRoom {
                return Status::Err;
            }
        }
        taken(self.host.send(sid, Status::StreamEnd, &[]))
    }

    /// `/be`, `/bk`: gives the work to a thread.
    #[inline]
    pub fn later(&self, sid: u64, kind: Kind) -> Status {
        match self.pool.get() {
            Some(pool) if pool.submit(Job { sid, kind }) => Status::Ok,
            _ => Status::Err,
        }
    }

    /// `/bf/<n>`.
    #[inline]
    pub fn frames_later(&self, sid: u64, n: &[u8]) -> Status {
        match number(n) {
            Some(frames) => self.later(sid, Kind::Frames(frames)),
            None => Status::Unsupported,
        }
    }

    /// `/bp/<len>`.
    #[inline]
    pub fn payload_later(&self, sid: u64, len: &[u8]) -> Status {
        match number(len) {
            Some(len) if pattern(len as usize).is_some() => self.later(sid, Kind::Payload(len)),
            _ => Status::Unsupported,
        }
    }

    /// The paths that set something up or read something out.
    #[cold]
    pub fn control(&self, sid: u64, path: &[u8]) -> Status {
        let Ok(path) = str::from_utf8(path) else {
            return Status::Invalid;
        };
        let settings = &self.settings;
        let mut parts = path.split('/').skip(1);
        let name = parts.next();
        let mut next = || parts.next().and_then(|part| number(part.as_bytes()));
        match (name, next(), next()) {
            (Some("queue"), Some(jobs), None) => {
                settings.queue.store(jobs, Ordering::Relaxed);
                self.empty(sid)
            }
            (Some("threads"), Some(threads), None) => {
                let Ok(pool) = Pool::start(threads, &self.host, settings) else {
                    return Status::Err;
                };
                if let Err(pool) = self.pool.set(pool) {
                    pool.stop();
                    return Status::Err;
                }
                self.empty(sid)
            }
            (Some("idle"), Some(spins), Some(yields)) => {
                settings.spins.store(spins, Ordering::Relaxed);
                settings.yields.store(yields, Ordering::Relaxed);
                self.empty(sid)
            }
            (Some("measure"), Some(on), None) => {
                settings.measure.store(on != 0, Ordering::Relaxed);
                self.empty(sid)
            }
            (Some("reset"), None, None) => match self.pool.get() {
                Some(pool) if pool.reset() => self.empty(sid),
                _ => taken(self.host.send(sid, Status::Err, &[])),
            },
            (Some("stats"), None, None) => match self.pool.get().and_then(Pool::stats) {
                Some(text) => taken(self.host.send_copied(sid, Status::Ok, text.as_bytes())),
                None => taken(self.host.send(sid, Status::Err, &[])),
            },
            _ => Status::Unsupported,
        }
    }

    /// Ends all threads, once they have answered what they have.
    pub fn stop(&self) {
        if let Some(pool) = self.pool.get() {
            pool.stop();
        }
    }
}

/// What a call returns that has sent its answer, or could not.
#[inline]
fn taken(sent: Sent) -> Status {
    match sent {
        Sent::Taken => Status::Ok,
        Sent::NoRoom => Status::Err,
    }
}

/// Sends from a thread, which has time to wait for the caller to read.
#[inline]
pub(crate) fn send_at_last<H: Host>(host: &H, sid: u64, status: Status, payload: &'static [u8]) {
    while host.send(sid, status, payload) == Sent::NoRoom {
        thread::yield_now();
    }
}
