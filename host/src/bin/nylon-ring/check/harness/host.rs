//! The harness's host: its own `send_result`, which believes nothing and writes everything down.

use std::{
    collections::BTreeMap,
    ffi::c_void,
    io::{self, PipeReader, PipeWriter, Read as _},
    os::fd::AsRawFd as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, OnceLock, PoisonError},
};

use nylon_ring::{NrBytes, NrHostVTable, NrStatus};

use super::{
    arena::{Kind, Loan},
    book::{Book, Got, Pages, end_state},
};
use crate::check::code::Code;

/// The table that plugins get.
pub(crate) static VTABLE: NrHostVTable = NrHostVTable::from_raw(send_result);

static BOOK: OnceLock<Book> = OnceLock::new();

/// The book of this process.
pub(crate) fn book() -> &'static Book {
    BOOK.get_or_init(Book::default)
}

/// A `host_ctx` that no other host has, and that nobody may look into.
pub(crate) fn new_host_ctx() -> io::Result<usize> {
    Ok(Loan::forbidden(Kind::HostCtx)?.ptr().addr())
}

/// [`nylon_ring::NrRawSendResultFn`]
unsafe extern "C" fn send_result(host_ctx: *mut c_void, sid: u64, status: u32, payload: NrBytes) {
    // A panic here is a bug of the harness; it must not cross the plugin.
    let _caught = catch_unwind(AssertUnwindSafe(|| enter(host_ctx.addr(), sid, status, read(payload))));
}

/// Enters a result, by whatever way it came.
pub(crate) fn enter(host_ctx: usize, sid: u64, status: u32, payload: Result<Vec<u8>, String>) {
    let mut pages = book().open();
    pages.received += 1;
    if pages.quiescent {
        pages.breach(Code::NotQuiescent, || format!("a result was sent (sid {sid:#x}) after is_quiescent had said 1"));
    }
    let bytes = match payload {
        Ok(bytes) => bytes,
        Err(what) => {
            pages.breach(Code::WrongPayload, || format!("send_result was given {what}"));
            Vec::new()
        }
    };
    if NrStatus::from_raw(status).is_none() {
        pages.breach(Code::UnknownStatusSent, || {
            format!("a result has the status {status}, which the ABI does not name")
        });
    }
    let mut broken = BTreeMap::new();
    deliver(&mut pages, &mut broken, host_ctx, sid, Got { status, bytes });
    for (code, what) in broken {
        pages.breach(code, || what);
    }
    drop(pages);
    book().ring();
}

fn deliver(pages: &mut Pages, broken: &mut BTreeMap<Code, String>, host_ctx: usize, sid: u64, got: Got) {
    let Some(call) = pages.calls.get_mut(&sid) else {
        broken.insert(Code::UnknownSid, format!("a result was sent for the sid {sid:#x}, which no call has"));
        return;
    };
    if call.host_ctx != host_ctx {
        let text =
            format!("the result of {} came with the host_ctx {host_ctx:#x}, not {:#x}", call.name, call.host_ctx);
        broken.insert(Code::WrongHostCtx, text);
    }
    if call.returned.is_some() && !call.taken() {
        broken.insert(
            Code::ResultAfterRefusal,
            format!("{} was refused by handle, and a result was sent for it", call.name),
        );
        return;
    }
    if call.ended() {
        let (code, text) = match call.shape {
            super::book::Shape::Unary => (Code::SecondResult, "has its result, and another one was sent"),
            super::book::Shape::Stream | super::book::Shape::Either => {
                (Code::FrameAfterEnd, "has ended, and another frame was sent")
            }
        };
        broken.insert(code, format!("{} {text} (status {})", call.name, got.status));
        return;
    }
    call.results.push(got);
    if call.ended() {
        end_state(call);
    }
}

/// The bytes of a view, or what is wrong with it.
pub(crate) fn read(view: NrBytes) -> Result<Vec<u8>, String> {
    if view.len == 0 {
        return Ok(Vec::new());
    }
    if view.ptr.is_null() {
        return Err(format!("a null pointer with the length {}", view.len));
    }
    if i64::try_from(view.len).is_err() {
        return Err(format!("the length {}, which is past INT64_MAX", view.len));
    }
    if !readable(view.ptr, view.len as usize) {
        return Err(format!("the pointer {:p} with the length {}, where nothing can be read", view.ptr, view.len));
    }
    // SAFETY: not null, of a valid length, and readable as of just now; the plugin keeps it so until this returns.
    unsafe { view.as_slice() }.map(<[u8]>::to_vec).map_err(|error| error.to_string())
}

/// Whether memory can be read: the system says so, where reading would be fatal.
fn readable(ptr: *const u8, len: usize) -> bool {
    static PIPE: OnceLock<Option<Mutex<(PipeReader, PipeWriter)>>> = OnceLock::new();
    let Some(pipe) = PIPE.get_or_init(|| io::pipe().ok().map(Mutex::new)) else { return true };
    let mut pipe = pipe.lock().unwrap_or_else(PoisonError::into_inner);
    let (reader, writer) = &mut *pipe;
    let last = len - 1;
    for offset in (0..len).step_by(4096).chain([last]) {
        // SAFETY: `write` looks at the address on the kernel's side, and fails where it cannot be read.
        let written = unsafe { libc::write(writer.as_raw_fd(), ptr.wrapping_add(offset).cast(), 1) };
        if written != 1 || reader.read_exact(&mut [0]).is_err() {
            return false;
        }
    }
    true
}
