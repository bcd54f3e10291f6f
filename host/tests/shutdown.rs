//! Shutting a host down, seen from its callers, from other hosts, and from the plugin (`c/shutdown.c`), which tells a
//! [`Witness`] what it saw of its own end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[expect(dead_code, reason = "shared with other tests")]
mod common;

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use common::{LIMIT, Watchdog};
use futures::{
    executor::block_on,
    future::{FutureExt, join_all},
};
use nylon_ring_host::{NrStatus, NylonRingHost, NylonRingHostError as Error, RequestView, StreamReceiver};

/// Longer than any of these tests takes, unless something waits that should not.
const PATIENT: Duration = LIMIT;
const BRIEF: Duration = Duration::from_millis(50);

/// What a plugin and its test tell each other; as in `c/shutdown.c`. Lives for ever, like the plugin's threads.
#[repr(C)]
#[derive(Debug, Default)]
struct Witness {
    shutdowns: AtomicU32,
    early: AtomicU32,
    late_handles: AtomicU32,
    in_shutdown: AtomicU32,
    gave_up: AtomicU32,
    handles: AtomicU32,
    sent_late: AtomicU32,
    block: AtomicU32,
    release: AtomicU32,
    haunt: AtomicU32,
}

impl Witness {
    /// The plugin's `shutdown` has run once, and when nothing else did.
    fn saw_one_end(&self) {
        let seen = [&self.shutdowns, &self.early, &self.late_handles, &self.gave_up].map(|n| n.load(SeqCst));
        assert_eq!(seen, [1, 0, 0, 0], "{self:?}");
    }

    fn saw_no_end(&self) {
        assert_eq!((self.shutdowns.load(SeqCst), self.in_shutdown.load(SeqCst)), (0, 0), "{self:?}");
    }
}

fn plugin() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/shutdown.c");
    nylon_ring_artifacts::c_plugin(&source, &[]).unwrap_or_else(|error| panic!("{error}"))
}

async fn load() -> (NylonRingHost, &'static Witness) {
    let witness: &'static Witness = Box::leak(Box::default());
    let host = NylonRingHost::load(plugin()).unwrap();
    let address = std::ptr::from_ref(witness).expose_provenance().to_ne_bytes();
    call(&host, "/witness", &address).await.unwrap();
    (host, witness)
}

async fn call(host: &NylonRingHost, path: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
    let (status, payload) = host.call_view(RequestView { path, body, ..RequestView::default() }).await?;
    assert_eq!(status, NrStatus::Ok);
    Ok(payload.into_vec())
}

async fn stream(host: &NylonRingHost) -> Result<StreamReceiver, Error> {
    let mut stream = host.call_stream_view(RequestView { path: "/hold-stream", ..RequestView::default() }).await?;
    assert_eq!(stream.recv().await.unwrap().data, b"first");
    Ok(stream)
}

/// Waits by asking, whatever the executor.
async fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < LIMIT, "waited for {what}");
        smol::Timer::after(Duration::from_millis(1)).await;
    }
}

/// Runs a test on each kind of executor.
fn everywhere<F: Future<Output = ()>>(name: &'static str, test: impl Fn() -> F) {
    common::current_thread(name, &test);
    let _watchdog = Watchdog::new(name);
    let workers = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    workers.block_on(test());
    smol::block_on(test());
    block_on(test());
}

#[test]
fn with_nothing_in_flight() {
    everywhere("with_nothing_in_flight", async || {
        let (host, witness) = load().await;
        assert_eq!(call(&host, "/echo", b"before").await.unwrap(), b"before");
        host.shutdown(PATIENT).await.unwrap();
        witness.saw_one_end();
        assert!(matches!(call(&host, "/echo", b"").await, Err(Error::ShuttingDown)));
        assert!(matches!(stream(&host).await, Err(Error::ShuttingDown)));
        host.shutdown(PATIENT).await.unwrap();
        host.clone().shutdown(Duration::ZERO).await.unwrap();
        drop(host);
        witness.saw_one_end();
    });
}

#[test]
fn a_host_that_was_never_called() {
    everywhere("a_host_that_was_never_called", async || {
        let host = NylonRingHost::load(plugin()).unwrap();
        host.shutdown(Duration::ZERO).await.unwrap();
        assert!(matches!(call(&host, "/echo", b"").await, Err(Error::ShuttingDown)));
    });
}

#[test]
fn calls_that_finish_in_time() {
    everywhere("calls_that_finish_in_time", async || {
        let (host, witness) = load().await;
        let calls = join_all((0..20).map(|_| call(&host, "/hold", b"")));
        let shutdown = host.shutdown(PATIENT);
        let release = async {
            // The calls are under way, and the shutdown waits for them.
            for _ in 0..20 {
                assert!(matches!(call(&host, "/echo", b"").await, Err(Error::ShuttingDown)));
                smol::Timer::after(Duration::from_millis(1)).await;
            }
            witness.saw_no_end();
            witness.release.store(1, SeqCst);
        };
        let (answers, outcome, ()) = futures::join!(calls, shutdown, release);
        outcome.unwrap();
        assert!(answers.into_iter().all(|answer| answer.unwrap() == b"late"));
        witness.saw_one_end();
    });
}

#[test]
fn streams_that_finish_in_time() {
    everywhere("streams_that_finish_in_time", async || {
        let (host, witness) = load().await;
        let (mut held, shutdown) = (stream(&host).await.unwrap(), host.shutdown(PATIENT));
        let release = async {
            smol::Timer::after(Duration::from_millis(5)).await;
            witness.saw_no_end();
            witness.release.store(1, SeqCst);
            let last = held.recv().await.unwrap();
            assert_eq!((last.status, &*last.data), (NrStatus::StreamEnd, &b"late"[..]));
            assert!(held.recv().await.is_none() && held.error().is_none());
        };
        let (outcome, ()) = futures::join!(shutdown, release);
        outcome.unwrap();
        witness.saw_one_end();
    });
}

#[test]
fn calls_that_never_finish() {
    everywhere("calls_that_never_finish", async || {
        let (host, witness) = load().await;
        let mut held = [stream(&host).await.unwrap(), stream(&host).await.unwrap()];
        let calls = join_all((0..20).map(|_| call(&host, "/hold", b"")));
        let [first, second] = &mut held;
        let (answers, outcome, frames) =
            futures::join!(calls, host.shutdown(BRIEF), join_all([first.recv(), second.recv()]));
        assert!(answers.iter().all(|answer| matches!(answer, Err(Error::Closed))), "{answers:?}");
        assert!(matches!(outcome, Err(Error::ShutdownTimedOut { in_flight: 22 })), "{outcome:?}");
        for (frame, stream) in frames.into_iter().zip(&mut held) {
            assert_eq!(frame.unwrap().status, NrStatus::Err);
            assert!(stream.recv().await.is_none());
            assert!(matches!(stream.error(), Some(Error::Closed)), "{stream:?}");
        }
        witness.saw_one_end();
        host.shutdown(PATIENT).await.unwrap();
        assert!(matches!(call(&host, "/echo", b"").await, Err(Error::ShuttingDown)));
    });
}

/// A caller that does not look learns of it when it does; nobody waits for it meanwhile.
#[test]
fn callers_that_do_not_look() {
    everywhere("callers_that_do_not_look", async || {
        let (host, witness) = load().await;
        let mut unread = stream(&host).await.unwrap();
        let mut unpolled = Box::pin(call(&host, "/hold", b""));
        assert!(unpolled.as_mut().now_or_never().is_none());
        let outcome = host.shutdown(BRIEF).await;
        assert!(matches!(outcome, Err(Error::ShutdownTimedOut { in_flight: 2 })), "{outcome:?}");
        witness.saw_one_end();
        host.shutdown(PATIENT).await.expect("a second time waits for nothing");
        assert!(matches!(unpolled.await, Err(Error::Closed)));
        assert_eq!(unread.recv().await.unwrap().status, NrStatus::Err);
        assert!(unread.recv().await.is_none());
    });
}

#[test]
fn a_shutdown_that_is_not_awaited_to_its_end() {
    everywhere("a_shutdown_that_is_not_awaited_to_its_end", async || {
        let (host, witness) = load().await;
        drop(host.shutdown(PATIENT));
        assert_eq!(call(&host, "/echo", b"a future does nothing by itself").await.unwrap().len(), 31);
        witness.block.store(1, SeqCst);
        assert!(host.shutdown(PATIENT).now_or_never().is_none());
        assert!(matches!(call(&host, "/echo", b"").await, Err(Error::ShuttingDown)));
        witness.block.store(0, SeqCst);
        until("the plugin's end", || witness.shutdowns.load(SeqCst) > 0).await;
        drop(host);
        witness.saw_one_end();
    });
}

#[test]
fn several_at_once() {
    everywhere("several_at_once", async || {
        let (host, witness) = load().await;
        let held = call(&host, "/hold", b"");
        let all = join_all((0..5).map(|_| host.shutdown(PATIENT)));
        let release = async { witness.release.store(1, SeqCst) };
        let (answer, outcomes, ()) = futures::join!(held, all, release);
        assert_eq!(answer.unwrap(), b"late");
        outcomes.into_iter().for_each(Result::unwrap);
        witness.saw_one_end();
    });
}

/// Whoever shuts a host down returns when it is down, whether or not somebody else had begun.
#[test]
fn nobody_returns_before_the_end() {
    everywhere("nobody_returns_before_the_end", async || {
        let (host, witness) = load().await;
        witness.block.store(1, SeqCst);
        let returned = AtomicU32::new(0);
        let all = join_all((0..3).map(async |_| {
            host.shutdown(PATIENT).await.unwrap();
            returned.fetch_add(1, SeqCst);
        }));
        let look = async {
            until("the plugin's end to begin", || witness.in_shutdown.load(SeqCst) == 1).await;
            smol::Timer::after(BRIEF).await;
            let early = returned.load(SeqCst);
            witness.block.store(0, SeqCst);
            assert_eq!(early, 0);
        };
        futures::join!(all, look);
        witness.saw_one_end();
    });
}

#[test]
fn while_many_threads_call() {
    let _watchdog = Watchdog::new("while_many_threads_call");
    for _ in 0..10 {
        let (host, witness) = block_on(load());
        thread::scope(|scope| {
            for i in 0..4 {
                let host = &host;
                scope.spawn(move || {
                    loop {
                        match block_on(call(host, "/echo", b"echo")) {
                            Ok(answer) => assert_eq!(answer, b"echo"),
                            Err(Error::ShuttingDown) => return,
                            Err(error) => panic!("{i}: {error}"),
                        }
                    }
                });
            }
            thread::sleep(Duration::from_millis(5));
            block_on(host.shutdown(PATIENT)).unwrap();
            assert_eq!(host.metrics().in_flight, 0);
        });
        witness.saw_one_end();
    }
}

/// `shutdown` never runs beside a `handle`: a plugin frees there what its handlers use. Nobody waits for such a one either.
#[test]
fn a_handle_that_does_not_return() {
    everywhere("a_handle_that_does_not_return", async || {
        let (host, witness) = load().await;
        let caller = thread::spawn({
            let host = host.clone();
            move || block_on(call(&host, "/block", b""))
        });
        until("the handle to begin", || witness.handles.load(SeqCst) == 1).await;
        let outcome = host.shutdown(BRIEF).await;
        assert!(matches!(outcome, Err(Error::ShutdownTimedOut { in_flight: 1 })), "{outcome:?}");
        witness.release.store(1, SeqCst);
        let answer = caller.join().unwrap();
        assert!(matches!(&answer, Err(Error::Closed)) || answer.as_ref().is_ok_and(|a| a == b"late"), "{answer:?}");
        drop(host);
        until("the plugin's end", || witness.shutdowns.load(SeqCst) > 0).await;
        witness.saw_one_end();
    });
}

#[test]
fn a_dropped_host_stops_its_plugin() {
    everywhere("a_dropped_host_stops_its_plugin", async || {
        let (host, witness) = load().await;
        let clone = host.clone();
        drop(host);
        assert_eq!(call(&clone, "/echo", b"still").await.unwrap(), b"still");
        let held = stream(&clone).await.unwrap();
        drop(clone);
        witness.saw_no_end();
        drop(held);
        witness.saw_one_end();
    });
}

#[test]
fn results_that_come_after_the_end() {
    everywhere("results_that_come_after_the_end", async || {
        let (host, witness) = load().await;
        witness.haunt.store(1, SeqCst);
        let (calls, held) = (join_all((0..3).map(|_| call(&host, "/hold", b""))), stream(&host).await.unwrap());
        let before = host.metrics();
        let (answers, outcome) = futures::join!(calls, host.shutdown(BRIEF));
        // A thread of the plugin that is quicker than the caller has answered it.
        let ended = |a: &Result<_, _>| matches!(a, Err(Error::Closed)) || a.as_ref().is_ok_and(|text| text == b"late");
        assert!(answers.iter().all(ended) && outcome.is_err(), "{answers:?} {outcome:?}");
        drop(held);
        until("late results", || witness.sent_late.load(SeqCst) >= 40).await;
        until("their count", || host.metrics().unknown_sid >= before.unknown_sid + 20).await;
        assert_eq!((host.metrics().in_flight, host.metrics().buffered), (0, 0));
        // The host goes while they still come; and another one does not mind.
        drop(host);
        let seen = witness.sent_late.load(SeqCst);
        until("later results", || witness.sent_late.load(SeqCst) > seen + 40).await;
        let (other, _) = load().await;
        assert_eq!(call(&other, "/echo", b"alive").await.unwrap(), b"alive");
        other.shutdown(PATIENT).await.unwrap();
        witness.saw_one_end();
        witness.haunt.store(0, SeqCst);
    });
}

#[test]
fn a_plugin_that_takes_its_time_blocks_nobody() {
    everywhere("a_plugin_that_takes_its_time_blocks_nobody", async || {
        let (slow, witness) = load().await;
        let (other, other_witness) = load().await;
        witness.block.store(1, SeqCst);
        let meanwhile = async {
            // This runs on the thread that shuts the host down, and nothing else lets the plugin go.
            until("the plugin's end to begin", || witness.in_shutdown.load(SeqCst) == 1).await;
            other_witness.release.store(1, SeqCst);
            assert_eq!(call(&other, "/hold", b"").await.unwrap(), b"late");
            other.shutdown(PATIENT).await.unwrap();
            other_witness.saw_one_end();
            let (third, _) = load().await;
            assert_eq!(call(&third, "/echo", b"new").await.unwrap(), b"new");
            assert_eq!(witness.shutdowns.load(SeqCst), 0);
            witness.block.store(0, SeqCst);
        };
        let (outcome, ()) = futures::join!(slow.shutdown(PATIENT), meanwhile);
        outcome.unwrap();
        witness.saw_one_end();
    });
}
