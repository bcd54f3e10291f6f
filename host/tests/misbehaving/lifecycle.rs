//! Attaching, shutting down, dropping the host and the runtime, while the plugin's threads call back.

use std::time::Duration;

use futures::future::join_all;

use crate::{
    common, on_both_runtimes,
    rig::{Rig, lossy, unique},
};

on_both_runtimes! {
    the_order_of_attach_init_and_handle,
    extensions_that_no_host_offers,
    shutdown_waits_for_calls,
    shutdown_fails_what_is_never_answered,
    shutdown_with_streams_open,
    shutdown_while_threads_call_back,
    a_host_dropped_while_threads_call_back,
}

const PROMPT: Duration = Duration::from_secs(10);

async fn the_order_of_attach_init_and_handle() {
    let rig = Rig::new();
    rig.right("/echo", "").await;
    assert_eq!(
        rig.text("/lifecycle").await,
        "attached=1 attached_before_init=1 initialised=1 handled_before_init=0 same_context=1 api=1 state=1"
    );
}

async fn extensions_that_no_host_offers() {
    let rig = Rig::new();
    rig.right("/extensions", "").await;
    rig.right("/extensions", "bg=1").await;
}

async fn shutdown_waits_for_calls() {
    let rig = Rig::new();
    let calls = join_all((0..50).map(|_| rig.right("/echo", "delay=50000")));
    let shutdown = async {
        // The calls are polled first, and so under way.
        rig.host.shutdown(PROMPT).await.unwrap();
    };
    futures::join!(calls, shutdown);
    assert!(rig.answer("/echo", "").await.is_err(), "no new calls");
    assert!(rig.host.shutdown(PROMPT).await.is_ok(), "once is enough");
    assert_eq!(rig.host.metrics().in_flight, 0);
}

async fn shutdown_fails_what_is_never_answered() {
    let rig = Rig::new();
    let calls = join_all((0..50).map(|_| rig.answer("/never", "")));
    let shutdown = rig.host.shutdown(Duration::from_millis(100));
    let (answers, outcome) = futures::join!(calls, shutdown);
    assert!(answers.iter().all(Result::is_err));
    assert!(outcome.unwrap_err().to_string().contains("50"));
    assert_eq!(rig.host.metrics().in_flight, 0);
}

async fn shutdown_with_streams_open() {
    let rig = Rig::new();
    let (mut endless, _) = rig.stream("/endless", "pace=1000&batch=4").await;
    let (mut held, body) = rig.stream("/hold", "tell=1").await;
    let (mut ended, ended_body) = rig.stream("/frames", "n=3").await;
    let _ = rig.host.shutdown(Duration::from_millis(100)).await;
    // What had come before is still there; then the streams end.
    let mut last = Vec::new();
    while let Some(frame) = ended.recv().await {
        last = frame.data.to_vec();
    }
    assert_eq!(lossy(&last), lossy(&ended_body));
    while held.recv().await.is_some_and(|f| f.data[..] != body[..]) {}
    while endless.recv().await.is_some() {}
    drop((endless, held, ended));
    assert_eq!(rig.host.metrics().in_flight, 0);
}

async fn shutdown_while_threads_call_back() {
    let rig = Rig::new();
    for _ in 0..200 {
        rig.right("/echo", "").await;
    }
    for _ in 0..20 {
        rig.poke("/state-hold", "");
        rig.poke("/endless", "");
    }
    rig.right("/linger", "ms=400").await;
    let _ = rig.host.shutdown(Duration::from_millis(100)).await;
    // For 400 ms the plugin's threads send results for every sid that they know.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let host = rig.host.clone();
    drop(rig);
    assert_eq!(host.metrics().in_flight, 0);
    drop(host);
    Rig::new().right("/echo", "bg=1").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    Rig::new().right("/echo", "bg=1").await;
}

async fn a_host_dropped_while_threads_call_back() {
    for _ in 0..5 {
        let rig = Rig::new();
        rig.right("/linger", "ms=100").await;
        for _ in 0..20 {
            rig.poke("/echo", "delay=20000");
            rig.poke("/endless", "pace=50&max=5000");
            rig.poke("/state-hold", "");
        }
        let (mut stream, _) = rig.stream("/endless", "pace=50&max=5000").await;
        stream.recv().await.unwrap();
        drop(rig);
        // The stream keeps what it needs, or ends.
        let patience = Duration::from_millis(50);
        let _ = tokio::time::timeout(patience, async { while stream.recv().await.is_some() {} }).await;
    }
    Rig::new().right("/echo", "bg=1").await;
}

/// A runtime that is dropped takes its reactors with it; the host goes on with the next one.
#[test]
fn a_runtime_dropped_with_calls_in_flight() {
    let _watchdog = common::Watchdog::new("a_runtime_dropped_with_calls_in_flight");
    let rig = Rig::new();
    for round in 0..5_u32 {
        let runtime = if round % 2 == 0 {
            tokio::runtime::Builder::new_current_thread()
        } else {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            builder.worker_threads(2);
            builder
        }
        .enable_all()
        .build()
        .unwrap();
        for _ in 0..20 {
            let rig = rig.clone();
            runtime.spawn(async move {
                let _ = rig.call_with("/echo", "delay=30000", &unique()).await;
            });
        }
        runtime.block_on(rig.right("/echo", "delay=5000"));
        drop(runtime);
    }
    common::current_thread("after five runtimes", || async {
        rig.right("/echo", "bg=1").await;
        let m = rig.settle().await;
        assert_eq!(m.in_flight, 0);
    });
    common::two_workers("after six runtimes", || async move {
        rig.right("/echo", "bg=1").await;
        rig.settle().await;
    });
}
