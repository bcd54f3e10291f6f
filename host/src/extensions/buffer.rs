//! `nylon.buffer/1`: results that a plugin writes in place.
//!
//! A buffer that is out is kept under a key that has a generation (`sharded-slab`), so that one that is given back twice, or was never
//! reserved, is found out. The key is what counts: pointer and capacity that come back are not looked at.

use std::{ffi::c_void, ptr};

use nylon_ring::{NrBuffer, NrBufferExt, NrStatus};
use nylon_ring_runtime::Buffer;
use sharded_slab::Slab;

use super::on_context;
use crate::context::Context;

/// The table behind the id.
pub(super) static TABLE: NrBufferExt = NrBufferExt {
    struct_size: size_of::<NrBufferExt>() as u32,
    _reserved0: 0,
    reserve: Some(reserve),
    commit: Some(commit),
    release: Some(release),
};

/// The buffers that a plugin has.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Slab<Out>);

/// A buffer that the plugin writes into: nobody here looks at its bytes meanwhile.
#[derive(Debug)]
struct Out(Buffer);

// SAFETY: shared, it gives nothing away; it is taken out by one thread.
unsafe impl Sync for Out {}

impl Buffers {
    fn lend(&self, mut buffer: Buffer) -> Option<NrBuffer> {
        let (ptr, capacity) = (buffer.as_mut_ptr(), buffer.len() as u64);
        let key = self.0.insert(Out(buffer))?;
        Some(NrBuffer { ptr, capacity, _lease: key as u64 })
    }

    fn take_back(&self, buffer: NrBuffer) -> Option<Buffer> {
        let out = self.0.take(usize::try_from(buffer._lease).ok()?)?;
        Some(out.0)
    }
}

/// `NrBufferExt::reserve`.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given.
unsafe extern "C" fn reserve(host_ctx: *mut c_void, sid: u64, len: u64) -> NrBuffer {
    let none = NrBuffer { ptr: ptr::null_mut(), capacity: 0, _lease: u64::MAX };
    let lend = |context: &'static Context| {
        let len = if len == 0 { None } else { usize::try_from(len).ok() };
        let buffer = len.and_then(|len| context.runtime.reserve(sid, len));
        buffer.and_then(|buffer| context.buffers.lend(buffer)).unwrap_or(none)
    };
    // SAFETY: as the caller promises.
    unsafe { on_context(host_ctx, none, lend) }
}

/// `NrBufferExt::commit`.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given, which does not touch the buffer any more.
unsafe extern "C" fn commit(host_ctx: *mut c_void, sid: u64, status: u32, buffer: NrBuffer, len: u64) {
    let send = |context: &'static Context| {
        let Some(buffer) = context.buffers.take_back(buffer) else { return context.extension_errors.count() };
        let status = context.status(status);
        match usize::try_from(len) {
            Ok(len) if len <= buffer.len() => context.runtime.send_buffer(sid, status, buffer, len),
            _ => {
                context.invalid_payload.count();
                context.runtime.send(sid, NrStatus::Invalid, &[]);
            }
        }
    };
    // SAFETY: as the caller promises.
    unsafe { on_context(host_ctx, (), send) }
}

/// `NrBufferExt::release`.
///
/// # Safety
///
/// `host_ctx` is null or the one the plugin was given, which does not touch the buffer any more.
unsafe extern "C" fn release(host_ctx: *mut c_void, buffer: NrBuffer) {
    let take_back = |context: &'static Context| {
        if context.buffers.take_back(buffer).is_none() {
            context.extension_errors.count();
        }
    };
    // SAFETY: as the caller promises.
    unsafe { on_context(host_ctx, (), take_back) }
}
