//! The runtime of one plugin.

use std::{
    future::Future,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, Handle};

/// A multi-threaded tokio runtime that can say whether its threads have stopped.
#[derive(Debug)]
pub(super) struct Runtime {
    handle: Handle,
    /// Taken by the first `stop`.
    runtime: Mutex<Option<tokio::runtime::Runtime>>,
    /// Threads that run. Written by themselves.
    threads: Arc<AtomicUsize>,
    /// Written by `stop`: the threads have been joined.
    stopped: AtomicBool,
}

impl Runtime {
    pub(super) fn start(threads: usize) -> io::Result<Self> {
        let running = Arc::new(AtomicUsize::new(0));
        let (started, ended) = (Arc::clone(&running), Arc::clone(&running));
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("nylon-ring-plugin")
            // Ordering: Relaxed; `stop` reads the count after it has joined the threads.
            .on_thread_start(move || {
                started.fetch_add(1, Ordering::Relaxed);
            })
            .on_thread_stop(move || {
                ended.fetch_sub(1, Ordering::Relaxed);
            })
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let runtime = Mutex::new(Some(runtime));
        Ok(Self { handle, runtime, threads: running, stopped: AtomicBool::new(false) })
    }

    /// Runs it on a thread of the runtime; after `stop` it is dropped.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(task));
    }

    /// Runs it on a thread of the runtime, and waits for it here. `None` if it panicked or took longer than `limit`.
    ///
    /// Not by `block_on`, which this thread may not do if it is one of a runtime itself.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
        limit: Option<Duration>,
    ) -> Option<T> {
        let (sender, result) = mpsc::sync_channel(1);
        self.spawn(async move { drop(sender.send(task.await)) });
        match limit {
            Some(limit) => result.recv_timeout(limit).ok(),
            None => result.recv().ok(),
        }
    }

    /// Drops all tasks, and waits for the threads until `limit`.
    pub(super) fn stop(&self, limit: Duration) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(runtime) = runtime else { return };
        let threads = Arc::clone(&self.threads);
        // On a thread of its own, because a runtime may not be stopped on a thread of another one. tokio joins its
        // threads if they end within the limit; where they do not, they have not stopped, whatever they do later.
        let stopper = thread::Builder::new().name("nylon-ring-plugin-stop".to_owned()).spawn(move || {
            let begun = Instant::now();
            runtime.shutdown_timeout(limit);
            begun.elapsed() < limit && threads.load(Ordering::Relaxed) == 0
        });
        let joined = stopper.ok().and_then(|stopper| stopper.join().ok()).unwrap_or(false);
        // Ordering: Release; pairs with `has_stopped`.
        self.stopped.store(joined, Ordering::Release);
    }

    pub(super) fn has_stopped(&self) -> bool {
        // Ordering: Acquire; pairs with `stop`.
        self.stopped.load(Ordering::Acquire)
    }
}
