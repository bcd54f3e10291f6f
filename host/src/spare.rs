//! The spare runtime: one thread of ours, for reactors that no runtime of the callers' drives, and for shutting down.
//!
//! It is started when it is first needed and stays for the life of the process, asleep while there is nothing to do.
//!
//! Also here, because it takes a runtime of ours to find out: what the waker of a tokio task looks like.

use std::{
    future::{pending, poll_fn},
    io, ptr,
    sync::{Mutex, OnceLock, PoisonError},
    task::{Poll, RawWakerVTable, Waker},
    thread,
};

use tokio::runtime::{Builder, Handle};

static SPARE: OnceLock<Handle> = OnceLock::new();
/// Held while it is started.
static STARTING: Mutex<()> = Mutex::new(());

/// A handle to the spare runtime.
///
/// # Errors
///
/// What the system says when the thread, or its epoll, cannot be had.
pub(crate) fn handle() -> io::Result<Handle> {
    if let Some(handle) = SPARE.get() {
        return Ok(handle.clone());
    }
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = SPARE.get() {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().thread_name("nylon-ring-blocking").build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name("nylon-ring-spare".into()).spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(SPARE.get_or_init(|| handle).clone())
}

/// Whether a waker is that of a tokio task; false where that cannot be found out.
pub(crate) fn is_of_a_task(waker: &Waker) -> bool {
    static TASK: OnceLock<Option<&'static RawWakerVTable>> = OnceLock::new();
    // A runtime cannot be driven on a thread that drives another, so the look takes a thread of its own.
    let task = TASK.get_or_init(|| thread::Builder::new().spawn(look_at_a_task).ok()?.join().ok()?);
    task.is_some_and(|task| ptr::eq(task, waker.vtable()))
}

fn look_at_a_task() -> Option<&'static RawWakerVTable> {
    let runtime = Builder::new_current_thread().build().ok()?;
    let look = poll_fn(|cx| Poll::Ready(cx.waker().vtable()));
    runtime.block_on(async { tokio::spawn(look).await }).ok()
}
