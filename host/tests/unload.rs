//! Unmapping a plugin's library: only where that was asked for, and only when nobody runs its code or has a pointer into it. The
//! plugin (`c/unload.c`) tells a [`Witness`](witness::Witness) what it saw; under a sanitizer nothing may dangle either.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;
#[path = "common/witness.rs"]
mod witness;

use std::{sync::atomic::Ordering::SeqCst, thread, time::Duration};

use common::{LIMIT, Watchdog};
use futures::{executor::block_on, future::FutureExt};
use nylon_ring_host::{NylonRingHostError as Error, ReloadableHost, RequestView};
use witness::{ask, going, load, plugin, stream, until};

const PATIENT: Duration = LIMIT;
const BRIEF: Duration = Duration::from_millis(50);

async fn pause(time: Duration) {
    smol::Timer::after(time).await;
}

on_both_runtimes!(
    never_by_default,
    never_without_the_extension,
    when_the_last_handle_goes,
    not_before_the_threads_have_stopped,
    never_when_the_plugin_never_says_so,
    not_under_a_thread_whose_call_timed_out,
    not_under_a_stream,
    not_under_a_handle_that_is_left,
    not_under_a_handle_function_that_blocks,
    old_versions_go,
);

async fn never_by_default() {
    let (host, seen) = load(witness::staying()).await;
    host.shutdown(PATIENT).await.unwrap();
    drop(host);
    // A host that is told to has gone meanwhile.
    let (other, other_seen) = load(going()).await;
    drop(other);
    other_seen.sees_the_library_go().await;
    assert!(seen.sees_the_library());
    assert_eq!(seen.asked.load(SeqCst), 0);
}

async fn never_without_the_extension() {
    let host = going().load(plugin(&[("MINIMAL", None)])).unwrap();
    let seen = witness::witness(&host).await;
    assert_eq!(ask(&host, "/later").await.unwrap(), "1");
    drop(host);
    let (other, other_seen) = load(going()).await;
    drop(other);
    other_seen.sees_the_library_go().await;
    assert!(seen.sees_the_library());
}

async fn when_the_last_handle_goes() {
    let (host, seen) = load(going()).await;
    assert_eq!(ask(&host, "/later").await.unwrap(), "1");
    let (status, payload) = host.call_view(RequestView { path: "/later", ..RequestView::default() }).await.unwrap();
    let name = host.name().to_owned();
    drop(host);
    seen.sees_the_library_go().await;
    // What the plugin gave is ours.
    assert_eq!((status.as_raw(), &*payload, &*name), (0, &b"2"[..], "unload"));
}

async fn not_before_the_threads_have_stopped() {
    let (host, seen) = load(going()).await;
    seen.linger.store(1, SeqCst);
    let held = host.call_view(RequestView { path: "/hold", ..RequestView::default() });
    assert!(held.now_or_never().is_none(), "given up; the plugin answers it in the end");
    host.shutdown(PATIENT).await.unwrap();
    drop(host);
    seen.is_asked(5).await;
    let before = seen.sent_late.load(SeqCst);
    until("late results", || seen.sent_late.load(SeqCst) > before + 5).await;
    assert!(seen.sees_the_library());
    seen.linger.store(0, SeqCst);
    seen.sees_the_library_go().await;
}

async fn never_when_the_plugin_never_says_so() {
    let (host, seen) = load(witness::staying().unload_when_quiescent(BRIEF)).await;
    seen.never.store(1, SeqCst);
    drop(host);
    seen.is_asked(1).await;
    // Longer than the host asks; it may itself be kept from asking for a while.
    let mut asked = 0;
    while asked != seen.asked.load(SeqCst) {
        asked = seen.asked.load(SeqCst);
        pause(10 * BRIEF).await;
    }
    assert!(seen.sees_the_library());
    // The plugin's word comes too late.
    seen.never.store(0, SeqCst);
    pause(5 * BRIEF).await;
    assert!(seen.sees_the_library());
    assert_eq!(seen.asked.load(SeqCst), asked);
}

async fn not_under_a_thread_whose_call_timed_out() {
    let (host, seen) = load(going()).await;
    seen.linger.store(1, SeqCst);
    let (answer, outcome) = futures::join!(ask(&host, "/hold"), host.shutdown(BRIEF));
    // A thread of the plugin that is quicker than the caller has answered it.
    assert!(matches!(answer, Err(Error::Closed)) || answer.is_ok(), "{answer:?}");
    assert!(matches!(outcome, Err(Error::ShutdownTimedOut { in_flight: 1 })), "{outcome:?}");
    drop(host);
    seen.is_asked(5).await;
    until("late results", || seen.sent_late.load(SeqCst) > 0).await;
    assert!(seen.sees_the_library());
    seen.linger.store(0, SeqCst);
    seen.sees_the_library_go().await;
}

async fn not_under_a_stream() {
    let (host, seen) = load(going()).await;
    let mut held = stream(&host).await;
    host.clone().shutdown(Duration::ZERO).await.unwrap_err();
    let table = host.plugin_extension(nylon_ring::EXT_HEALTH).unwrap().as_ptr().expose_provenance();
    drop(host);
    pause(BRIEF).await;
    assert!(seen.sees_the_library());
    assert_eq!(seen.asked.load(SeqCst), 0);
    // SAFETY: the stream keeps the library mapped, and the table is one of the ABI's.
    let table = unsafe { std::ptr::with_exposed_provenance::<nylon_ring::NrHealthExt>(table).read() };
    assert!(table.check.is_some());
    assert_eq!(held.recv().await.unwrap().status, nylon_ring_host::NrStatus::Err);
    assert!(held.recv().await.is_none());
    drop(held);
    seen.sees_the_library_go().await;
}

async fn not_under_a_handle_that_is_left() {
    let (host, seen) = load(going()).await;
    let clone = host.clone();
    host.shutdown(PATIENT).await.unwrap();
    drop(host);
    pause(BRIEF).await;
    assert!(seen.sees_the_library());
    assert!(clone.health().is_none(), "nothing of a plugin that was shut down is called");
    drop(clone);
    seen.sees_the_library_go().await;
}

async fn not_under_a_handle_function_that_blocks() {
    let (host, seen) = load(going()).await;
    let caller = thread::spawn({
        let host = host.clone();
        move || block_on(ask(&host, "/block"))
    });
    until("the call to begin", || seen.blocked.load(SeqCst) == 1).await;
    host.shutdown(Duration::ZERO).await.unwrap_err();
    drop(host);
    assert!(seen.sees_the_library());
    assert_eq!(seen.asked.load(SeqCst), 0);
    seen.release.store(1, SeqCst);
    let answer = caller.join().unwrap();
    assert!(matches!(answer, Err(Error::Closed)) || answer.is_ok(), "{answer:?}");
    seen.sees_the_library_go().await;
}

async fn old_versions_go() {
    let host = ReloadableHost::load(going(), plugin(&[])).unwrap();
    let mut witnesses = Vec::new();
    for _ in 0..10 {
        witnesses.push(witness::witness(&host.current()).await);
        host.call_view(RequestView { path: "/later", ..RequestView::default() }).await.unwrap();
        host.reload(PATIENT).await.unwrap();
    }
    let last = witness::witness(&host.current()).await;
    for seen in witnesses {
        seen.sees_the_library_go().await;
    }
    assert!(last.sees_the_library());
    drop(host);
    last.sees_the_library_go().await;
}

/// A reactor that nobody drives may be in the middle of anything.
#[test]
fn not_while_a_reactor_is_left() {
    let _watchdog = Watchdog::new("not_while_a_reactor_is_left");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (host, seen) = runtime.block_on(load(going()));
    assert_eq!(
        runtime
            .block_on(async move { tokio::spawn(async move { ask(&host, "/later").await }).await })
            .unwrap()
            .unwrap(),
        "1"
    );
    thread::sleep(BRIEF);
    assert!(seen.sees_the_library());
    assert_eq!(seen.asked.load(SeqCst), 0);
    drop(runtime);
    block_on(seen.sees_the_library_go());
}
