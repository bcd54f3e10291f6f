//! The right to answer one call.

use std::{ffi::c_void, mem::ManuallyDrop, thread};

use nylon_ring::{NR_SEND_CLOSED, NR_SEND_FULL, NR_SEND_SENT, NrBytes, NrStatus, NrStr};

use super::{Callback, Event, Link, Memory, Watch, tables, watch};
use crate::{Error, scope};

/// The right, and the duty, to end one call (F4).
#[derive(Debug)]
pub(crate) struct Open {
    link: &'static Link,
    sid: u64,
}

impl Open {
    /// For `handle` alone, inside of the scope that counts it.
    pub(super) const fn new(link: &'static Link, sid: u64) -> Self {
        Self { link, sid }
    }

    pub(crate) const fn sid(&self) -> u64 {
        self.sid
    }

    /// To be used no longer than `self` lives (F7).
    pub(crate) const fn link(&self) -> &'static Link {
        self.link
    }

    /// One frame of a stream.
    pub(crate) fn send(&mut self, payload: &[u8]) {
        self.link.send(self.sid, NrStatus::Ok, payload);
    }

    /// One frame of a stream if its window has room; without the extension, as `send`.
    pub(crate) fn try_send(&mut self, payload: &[u8]) -> Result<(), Error> {
        let Some((stream, host_ctx)) = self.stream() else {
            self.send(payload);
            return Ok(());
        };
        // SAFETY: F3; the payload outlives the call, and the host copies it.
        match unsafe { (stream.try_send)(host_ctx, self.sid, NrBytes::from_slice(payload)) } {
            NR_SEND_SENT => Ok(()),
            NR_SEND_FULL => Err(Error::WindowFull),
            NR_SEND_CLOSED => Err(Error::Closed),
            _ => Err(Error::FrameRefused),
        }
    }

    pub(crate) fn credits(&self) -> u64 {
        self.stream().map_or(u64::MAX, |(stream, host_ctx)| {
            // SAFETY: F3.
            unsafe { (stream.credits)(host_ctx, self.sid) }
        })
    }

    pub(crate) fn on_writable(&self, callback: Callback) -> Result<(), (Watch, Callback)> {
        let Some((stream, host_ctx)) = self.stream() else { return Err((Watch::Unsupported, callback)) };
        watch::register(self.link, stream.on_writable, host_ctx, self.sid, callback)
    }

    /// Gives this to the callback itself.
    pub(crate) fn when_writable(self, resume: impl FnOnce(Self) + Send + 'static) {
        let (stream, link, sid) = (self.stream(), self.link, self.sid);
        let Some((stream, host_ctx)) = stream else { return resume(self) };
        let callback = Box::new(move |_: Event| resume(self));
        match watch::register(link, stream.on_writable, host_ctx, sid, callback) {
            Err((Watch::Already, resume)) => resume(Event::Writable),
            Err((Watch::Closed, resume)) => resume(Event::Cancelled),
            Ok(()) | Err(_) => {} // in the latter case the callback was dropped, and with it the call
        }
    }

    pub(crate) fn on_cancel(&self, callback: Callback) -> Result<(), (Watch, Callback)> {
        let Some((cancel, tables)) = self.link.tables.as_ref().and_then(|tables| Some((tables.cancel?, tables))) else {
            return Err((Watch::Unsupported, callback));
        };
        watch::register(self.link, cancel.on_cancel, tables.host_ctx, self.sid, callback)
    }

    fn stream(&self) -> Option<(tables::Stream, *mut c_void)> {
        let tables = self.link.tables.as_ref()?;
        Some((tables.stream?, tables.host_ctx))
    }

    /// The result of a unary call, or the terminal frame of a stream.
    pub(crate) fn finish(self, status: NrStatus, payload: &[u8]) {
        let this = ManuallyDrop::new(self); // its `Drop` would send another
        this.link.send(this.sid, status, payload);
        this.ended();
    }

    /// The same, with the first `len` bytes of `memory`.
    pub(crate) fn finish_in_place(self, status: NrStatus, memory: Memory, len: usize) {
        let this = ManuallyDrop::new(self);
        memory.commit(this.link, this.sid, status, len);
        this.ended();
    }

    /// One frame of a stream, in place.
    pub(crate) fn send_in_place(&mut self, memory: Memory, len: usize) {
        memory.commit(self.link, self.sid, NrStatus::Ok, len);
    }

    /// The terminal result has been sent, and the link is not used any more.
    fn ended(&self) {
        if !scope::answered_within(self.link, self.sid) {
            self.link.discount_call();
        }
    }

    pub(crate) fn set_state(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        let (table, host_ctx, key) = self.state(key)?;
        let value = NrBytes::from_slice(value);
        // SAFETY: F3; key and value outlive the call, and the host copies both.
        let refusal = unsafe { (table.set)(host_ctx, self.sid, key, value) };
        if refusal.is_empty() {
            return Ok(());
        }
        // SAFETY: not empty, so it is an error text, which is static.
        let reason = unsafe { refusal.as_slice() }.unwrap_or_default();
        let reason = String::from_utf8_lossy(reason).into_owned();
        Err(Error::StateRefused { reason })
    }

    pub(crate) fn get_state(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let (table, host_ctx, key) = self.state(key)?;
        // SAFETY: F3; the key outlives the call.
        let value = unsafe { (table.get)(host_ctx, self.sid, key) };
        if value.is_empty() && value.ptr.is_null() {
            return Ok(None);
        }
        // SAFETY: it is valid until the terminal result of the sid, which F4 keeps away for as long as `self` is
        // borrowed.
        match unsafe { value.as_slice() } {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(source) => Err(Error::StateUnreadable { source }),
        }
    }

    fn state(&self, key: &str) -> Result<(tables::State, *mut c_void, NrStr), Error> {
        let tables = self.link.tables.as_ref().ok_or(Error::StateUnsupported)?;
        let table = tables.state.ok_or(Error::StateUnsupported)?;
        let key = NrStr::try_from_str(key).map_err(|source| Error::StateKey { source })?;
        Ok((table, tables.host_ctx, key))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let text: &[u8] =
            if thread::panicking() { b"the plugin panicked" } else { b"the plugin dropped the call without ending it" };
        self.link.send(self.sid, NrStatus::Err, text);
        self.ended();
    }
}
