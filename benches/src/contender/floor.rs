//! Not a host: what is left of one when everything is taken away that any other might do without.
//!
//! A call has a place of its own, whose address is the sid. `send_result` copies the payload there and sets a flag. Nobody is woken:
//! the task looks again each time that it gets its turn. There is no table of calls, nothing is checked (a sid that nobody gave out
//! is undefined behaviour), a call cannot be given up, and the frames of a stream are all taken at its end. What remains is the
//! plugin, its threads, the crossing into C, and the tasks of the runtime, which all contenders share: so its figure is what none
//! of them can be below on this machine, where a task that looks in vain takes no core from anyone.

use std::{
    cell::{RefCell, UnsafeCell},
    ffi::c_void,
    future::poll_fn,
    path::Path,
    ptr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use nylon_ring::{NrBytes, NrHostVTable, NrRequest, NrStatus};

use super::Contender;
use crate::{BenchError, plain_plugin::PlainPlugin};

/// What answers would cost if a host were free.
#[derive(Debug, Clone)]
pub struct Floor(Arc<PlainPlugin>);

/// Where one call waits.
#[derive(Debug)]
#[repr(align(128))]
struct Place {
    done: AtomicBool,
    answer: UnsafeCell<Answer>,
}

#[derive(Debug)]
struct Answer {
    /// Whether any number of results comes, until one is not `Ok`.
    stream: bool,
    status: NrStatus,
    results: u64,
    bytes: Vec<u8>,
}

// SAFETY: the sender has the answer until it sets `done`, and the caller from then on.
unsafe impl Sync for Place {}

thread_local! {
    /// Places that are not in use.
    static FREE: RefCell<Vec<&'static Place>> = const { RefCell::new(Vec::new()) };
}

static HOST_VTABLE: NrHostVTable = NrHostVTable { send_result };

unsafe extern "C" fn send_result(_host_ctx: *mut c_void, sid: u64, status: NrStatus, payload: NrBytes) {
    // SAFETY: the benchmarks' plugin answers each call as often as it should; its place lives for ever.
    let place = unsafe { &*ptr::with_exposed_provenance::<Place>(sid as usize) };
    // SAFETY: the flag is not set yet, so this thread has it.
    let answer = unsafe { &mut *place.answer.get() };
    // SAFETY: the plugin's bytes are valid until this function returns.
    if let Ok(payload) = unsafe { payload.as_slice() } {
        answer.bytes.extend_from_slice(payload);
    }
    answer.status = status;
    answer.results += 1;
    if !answer.stream || status != NrStatus::Ok {
        // Ordering: Release; the answer.
        place.done.store(true, Ordering::Release);
    }
}

impl Floor {
    /// One call; `f` gets the answer.
    async fn run<R>(
        &self,
        path: &str,
        body: &[u8],
        stream: bool,
        f: impl FnOnce(&mut Answer) -> R,
    ) -> Result<R, Box<BenchError>> {
        let place = FREE.with_borrow_mut(Vec::pop).unwrap_or_else(|| {
            let answer = Answer { stream, status: NrStatus::Ok, results: 0, bytes: Vec::new() };
            Box::leak(Box::new(Place { done: AtomicBool::new(false), answer: UnsafeCell::new(answer) }))
        });
        // SAFETY: nobody else knows the place.
        let answer = unsafe { &mut *place.answer.get() };
        (answer.stream, answer.results) = (stream, 0);
        // Ordering: Relaxed; as above.
        place.done.store(false, Ordering::Relaxed);
        {
            let request = NrRequest::build("GET", path, "", &[]).map_err(Self::failed)?;
            self.0.handle(ptr::from_ref(place).expose_provenance() as u64, &request, body).map_err(Self::failed)?;
        }
        poll_fn(|cx| {
            // Ordering: Acquire; the answer.
            if place.done.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        // SAFETY: the flag is set.
        let answer = unsafe { &mut *place.answer.get() };
        let result = f(answer);
        // The next answer here needs no memory of its own.
        answer.bytes.clear();
        FREE.with_borrow_mut(|free| free.push(place));
        Ok(result)
    }
}

impl Contender for Floor {
    const NAME: &'static str = "floor";

    type Route = &'static str;

    fn load(plugin: &Path) -> Result<Self, BenchError> {
        // SAFETY: the table is static, and its function needs no context.
        let plugin = unsafe { PlainPlugin::start(plugin, ptr::null_mut(), &HOST_VTABLE) };
        plugin.map(Arc::new).map(Self).map_err(Self::failed)
    }

    fn route(&self, path: &'static str) -> Result<&'static str, BenchError> {
        Ok(path)
    }

    async fn call(&self, path: &&'static str, body: &&[u8]) -> Result<(NrStatus, usize), Box<BenchError>> {
        self.run(path, body, false, |answer| (answer.status, answer.bytes.len())).await
    }

    async fn fetch(&self, path: &str, body: &[u8]) -> Result<(NrStatus, Vec<u8>), BenchError> {
        Ok(self.run(path, body, false, |answer| (answer.status, std::mem::take(&mut answer.bytes))).await?)
    }

    async fn stream(&self, path: &&'static str) -> Result<(u64, usize), Box<BenchError>> {
        self.run(path, b"", true, |answer| (answer.results, answer.bytes.len())).await
    }

    async fn frames(&self, _path: &str) -> Result<Vec<(NrStatus, Vec<u8>)>, BenchError> {
        Err(Self::failed("keeps the bytes of all frames in one"))
    }

    async fn shutdown(&self) -> Result<(), BenchError> {
        self.0.shutdown();
        Ok(())
    }
}
