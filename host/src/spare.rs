//! The spare runtime: one thread of ours, for reactors that no runtime of the callers' drives, and for shutting down.
//!
//! It is started when it is first needed and stays for the life of the process, asleep while there is nothing to do.

use std::{
    future::pending,
    io,
    sync::{Mutex, PoisonError},
    thread,
};

use tokio::runtime::{Builder, Handle};

static SPARE: Mutex<Option<Handle>> = Mutex::new(None);

/// A handle to the spare runtime.
///
/// # Errors
///
/// What the system says when the thread, or its epoll, cannot be had.
pub(crate) fn handle() -> io::Result<Handle> {
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*spare {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().thread_name("nylon-ring-blocking").build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name("nylon-ring-spare".into()).spawn(move || runtime.block_on(pending::<()>()))?;
    *spare = Some(handle.clone());
    Ok(handle)
}
