//! What integration tests share: runtimes with a time limit, and a watchdog for tests that block their runtime.

use std::{
    future::Future,
    process,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

/// How long a test may take: under a sanitizer, on a machine that has more to do, everything takes twenty times as long.
pub const LIMIT: Duration = Duration::from_secs(180);

/// Runs a test on a runtime of one thread, its own.
pub fn current_thread<F: Future<Output = ()>>(name: &'static str, test: impl FnOnce() -> F) {
    let _watchdog = Watchdog::new(name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime
        .block_on(async { tokio::time::timeout(LIMIT, test()).await })
        .unwrap_or_else(|_| panic!("{name} took longer than {LIMIT:?}"));
}

/// Runs a test on one of the two workers of a runtime.
pub fn two_workers<F>(name: &'static str, test: impl FnOnce() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let _watchdog = Watchdog::new(name);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let test = test();
    let outcome = runtime.block_on(async {
        let task = tokio::spawn(test);
        tokio::time::timeout(LIMIT, task).await
    });
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("{name}: {error}"),
        },
        Err(_) => panic!("{name} took longer than {LIMIT:?}"),
    }
}

/// Makes a `#[test]` of each `async fn` named, once on either kind of runtime.
#[macro_export]
macro_rules! on_both_runtimes {
    ($($name:ident),* $(,)?) => {
        mod current_thread {
            $(#[test]
            fn $name() {
                $crate::common::current_thread(stringify!($name), super::$name);
            })*
        }
        mod two_workers {
            $(#[test]
            fn $name() {
                $crate::common::two_workers(stringify!($name), super::$name);
            })*
        }
    };
}

/// Ends the process when a test has not ended in time: a future that blocks cannot be timed out.
pub struct Watchdog {
    _alive: mpsc::Sender<()>,
}

impl Watchdog {
    pub fn new(name: &'static str) -> Self {
        let (alive, dead) = mpsc::channel();
        thread::spawn(move || {
            if dead.recv_timeout(LIMIT + LIMIT / 2) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{name} blocks its thread; giving up");
                process::abort();
            }
        });
        Self { _alive: alive }
    }
}
