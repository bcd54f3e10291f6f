//! How long callers wait, and how many of them there may be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::{
    path::Path,
    pin::pin,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use nylon_ring_host::{
    CallOptions, Excess, HostBuilder, NrStatus, NylonRingHost, NylonRingHostError as Error, RequestView,
};

const BRIEF: Duration = Duration::from_millis(20);

/// A host of `c/extensions.c`, which answers at once, never (`/hold`) or slowly (`/slow`).
fn load(builder: HostBuilder) -> NylonRingHost {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/extensions.c");
    builder.load(nylon_ring_artifacts::c_plugin(&source, &[]).unwrap()).unwrap()
}

fn view(path: &str) -> RequestView<'_> {
    RequestView { method: "GET", path, query: "", headers: &[], body: b"4" }
}

fn brief() -> CallOptions {
    CallOptions::new().timeout(BRIEF)
}

/// Waits until no call is in flight: the reactor frees the slot of one that was given up while its plugin wants to be told things.
async fn settled(host: &NylonRingHost) {
    while host.metrics().in_flight > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

on_both_runtimes! {
    a_call_that_is_not_answered_times_out,
    a_deadline_that_has_passed_is_not_worth_a_call,
    a_result_that_comes_too_late_is_not_delivered,
    a_stream_that_does_not_end_times_out,
    one_call_too_many_is_refused,
    one_call_too_many_waits_for_its_turn,
    who_waits_for_a_place_waits_no_longer_than_its_deadline,
    a_stream_keeps_its_place_to_the_end,
    a_refused_call_gives_its_place_back,
    who_waits_is_sent_away_by_a_shutdown,
    who_is_sent_away_was_not_answered_late,
}

async fn a_call_that_is_not_answered_times_out() {
    let host = load(NylonRingHost::builder().timeout(BRIEF));
    let start = Instant::now();
    let outcome = host.call_view(view("/hold")).await;
    assert!(matches!(outcome, Err(Error::Timeout)) && start.elapsed() >= BRIEF, "{outcome:?}");
    // Its own options come before those of the host.
    let outcome = host.call_view_with(view("/slow"), CallOptions::new().no_timeout()).await;
    assert_eq!(outcome.unwrap().0, NrStatus::Ok);
    settled(&host).await;
    let m = host.metrics();
    assert_eq!((m.timed_out, m.late, m.cancelled), (1, 0, 1));
}

async fn a_deadline_that_has_passed_is_not_worth_a_call() {
    let host = load(NylonRingHost::builder());
    let options = CallOptions::new().deadline(Instant::now());
    assert!(matches!(host.call_view_with(view("/wanted"), options).await, Err(Error::Timeout)));
    assert!(matches!(host.call_stream_view_with(view("/wanted"), options).await, Err(Error::Timeout)));
    assert_eq!((host.metrics().opened, host.metrics().timed_out), (0, 2));
}

async fn a_result_that_comes_too_late_is_not_delivered() {
    let host = load(NylonRingHost::builder());
    let outcome = host.call_view_with(view("/slow"), brief()).await;
    assert!(matches!(outcome, Err(Error::Timeout)), "{outcome:?}");
    let m = host.metrics();
    assert_eq!((m.timed_out, m.late, m.in_flight), (1, 1, 0));
}

async fn a_stream_that_does_not_end_times_out() {
    let host = load(NylonRingHost::builder());
    let mut stream = host.call_stream_view_with(view("/hold"), brief()).await.unwrap();
    let last = stream.recv().await.unwrap();
    assert_eq!(last.status, NrStatus::Err);
    assert!(matches!(stream.error(), Some(Error::Timeout)), "{:?}", stream.error());
    assert!(stream.recv().await.is_none());
    settled(&host).await;
    assert_eq!(host.metrics().timed_out, 1);
}

async fn one_call_too_many_is_refused() {
    let host = load(NylonRingHost::builder().max_in_flight(2, Excess::Refuse));
    let mut held = [(); 2].map(|()| Box::pin(host.call_view(view("/hold"))));
    for call in &mut held {
        assert!(call.as_mut().now_or_never().is_none());
    }
    let outcome = host.call_view(view("/wanted")).await;
    assert!(matches!(outcome, Err(Error::TooManyInFlight { limit: 2 })), "{outcome:?}");
    assert!(matches!(host.call_stream_view(view("/flow")).await, Err(Error::TooManyInFlight { limit: 2 })));
    let [one, _two] = held;
    drop(one);
    host.call_view(view("/wanted")).await.unwrap();
}

async fn one_call_too_many_waits_for_its_turn() {
    let host = load(NylonRingHost::builder().max_in_flight(1, Excess::Wait));
    let mut held = Box::pin(host.call_view(view("/hold")));
    assert!(held.as_mut().now_or_never().is_none());
    let mut waiting: Vec<_> = (0..3).map(|_| host.call_view(view("/hold")).map(drop).boxed()).collect();
    let mut look = |call: &mut BoxFuture<'_, ()>| {
        assert!(call.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
        host.metrics().opened
    };
    assert_eq!(waiting.iter_mut().map(&mut look).max(), Some(1));
    drop(held);
    // First come, first served: the last one may ask as often as it likes.
    assert_eq!((look(&mut waiting[2]), look(&mut waiting[1]), look(&mut waiting[0])), (1, 1, 2));
    drop(waiting.remove(0));
    assert_eq!((look(&mut waiting[1]), look(&mut waiting[0])), (2, 3));
    drop(waiting);
    settled(&host).await;
    assert_eq!(host.metrics().opened, 3);
    let echoes = join_all((0..100).map(|_| host.call_view(view("/wanted")))).await;
    assert!(echoes.iter().all(Result::is_ok));
}

async fn who_waits_for_a_place_waits_no_longer_than_its_deadline() {
    let host = load(NylonRingHost::builder().max_in_flight(1, Excess::Wait));
    let mut held = Box::pin(host.call_view(view("/hold")));
    assert!(held.as_mut().now_or_never().is_none());
    assert!(matches!(host.call_view_with(view("/wanted"), brief()).await, Err(Error::Timeout)));
    assert!(matches!(host.call_stream_view_with(view("/flow"), brief()).await, Err(Error::Timeout)));
    assert_eq!((host.metrics().timed_out, host.metrics().opened), (2, 1));
    drop(held);
    host.call_view(view("/wanted")).await.unwrap();
}

async fn a_stream_keeps_its_place_to_the_end() {
    let host = load(NylonRingHost::builder().max_in_flight(1, Excess::Refuse));
    let mut stream = host.call_stream_view(view("/flow")).await.unwrap();
    for _ in 0..4 {
        assert_eq!(stream.recv().await.unwrap().status, NrStatus::Ok);
        assert!(host.call_view(view("/wanted")).await.is_err());
    }
    assert_eq!(stream.recv().await.unwrap().status, NrStatus::StreamEnd);
    host.call_view(view("/wanted")).await.unwrap();
    let dropped = host.call_stream_view(view("/hold")).await.unwrap();
    drop(dropped);
    host.call_view(view("/wanted")).await.unwrap();
}

async fn a_refused_call_gives_its_place_back() {
    let host = load(NylonRingHost::builder().max_in_flight(1, Excess::Refuse));
    for _ in 0..3 {
        assert!(matches!(host.call_view(view("/nowhere")).await, Err(Error::Refused { .. })));
        assert!(matches!(host.call_stream_view(view("/nowhere")).await, Err(Error::Refused { .. })));
    }
}

async fn who_waits_is_sent_away_by_a_shutdown() {
    let host = load(NylonRingHost::builder().max_in_flight(1, Excess::Wait));
    let mut held = Box::pin(host.call_view(view("/hold")));
    assert!(held.as_mut().now_or_never().is_none());
    let mut waiting = Box::pin(host.call_view(view("/wanted")));
    assert!(waiting.as_mut().now_or_never().is_none());
    assert!(matches!(host.shutdown(BRIEF).await, Err(Error::ShutdownTimedOut { in_flight: 1 })));
    assert!(matches!(waiting.await, Err(Error::ShuttingDown)));
    assert!(matches!(held.await, Err(Error::Closed)));
}

/// The deadline passes, the host is shut down, and only then the caller looks: no result came, in time or late.
async fn who_is_sent_away_was_not_answered_late() {
    let host = load(NylonRingHost::builder());
    // Long enough to be handed over within it, however slow the machine.
    let timeout = Duration::from_secs(1);
    let mut held = Box::pin(host.call_view_with(view("/hold"), CallOptions::new().timeout(timeout)));
    assert!(held.as_mut().now_or_never().is_none());
    tokio::time::sleep(timeout).await;
    assert!(matches!(host.shutdown(BRIEF).await, Err(Error::ShutdownTimedOut { in_flight: 1 })));
    assert!(matches!(held.await, Err(Error::Timeout)));
    let m = host.metrics();
    assert_eq!((m.timed_out, m.late), (1, 0));
}

/// Timers are the host's own: they need neither tokio nor a runtime that keeps time.
#[test]
fn timers_go_off_on_any_executor() {
    let _watchdog = common::Watchdog::new("timers_go_off_on_any_executor");
    let host = load(NylonRingHost::builder());
    let timed_out = |outcome: Result<_, Error>| assert!(matches!(outcome, Err(Error::Timeout)));
    timed_out(futures::executor::block_on(host.call_view_with(view("/hold"), brief())).map(drop));
    timed_out(smol::block_on(host.call_view_with(view("/hold"), brief())).map(drop));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    timed_out(runtime.block_on(async { pin!(host.call_view_with(view("/hold"), brief())).await }).map(drop));
}
