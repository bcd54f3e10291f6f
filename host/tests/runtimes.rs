//! The host under every executor: the futures are plain, and whoever drives them gets the answers of background threads.
//!
//! Each test calls `examples/c/misbehaving.c`, whose pool of threads answers after `handle` has returned. What could go
//! wrong is always the same: the reactor that drains the ring is left on an executor that nobody drives, and the caller
//! waits for ever. A watchdog ends such a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[expect(dead_code, reason = "shared with other tests")]
mod common;

#[path = "misbehaving/accounts.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod accounts;
#[path = "misbehaving/rig.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod rig;

use std::{
    future::Future,
    pin::pin,
    sync::mpsc,
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use common::{LIMIT, Watchdog};
use futures::{executor, future::join_all, task::LocalSpawnExt};
use nylon_ring_host::{NrStatus, NylonRingHost};
use rig::{Rig, assert_in_order, lossy, read_to_end, unique};
use tokio::{
    runtime::{Builder, Runtime},
    task::LocalSet,
};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
}

/// Every way that an answer comes, several calls at once. Needs no timer, and so no runtime.
async fn exercise(rig: &Rig) {
    rig.right("/echo", "").await;
    rig.right("/echo", "bg=1").await;
    rig.right("/echo", "delay=2000").await;
    join_all((0..16).map(|i| async move {
        match i % 4 {
            0 => rig.right("/echo", "bg=1").await,
            1 => rig.right("/scribble", "delay=500").await,
            2 => rig.right("/tiny-stack", "").await,
            _ => stream(rig, "/frames", "n=40&bg=1", 40).await,
        }
    }))
    .await;
    stream(rig, "/endless", "batch=3&pace=300&max=9", 9).await;
}

async fn stream(rig: &Rig, path: &str, query: &str, frames: usize) {
    let (mut stream, body) = rig.stream(path, query).await;
    let (all, last) = read_to_end(&mut stream).await;
    assert_eq!((all.len(), last.status), (frames, NrStatus::StreamEnd));
    assert_in_order(&all, 0, &body);
    assert_eq!(lossy(&last.data), lossy(&body));
}

/// Runs `f` on `n` threads at once; each gets its number.
fn on_threads(n: usize, f: impl Fn(usize) + Send + Sync) {
    thread::scope(|scope| {
        for i in 0..n {
            let f = &f;
            scope.spawn(move || f(i));
        }
    });
}

/// Polls a future once, under whatever executor is current.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

#[test]
fn tokio_multi_thread() {
    let _watchdog = Watchdog::new("tokio_multi_thread");
    let rig = Rig::new();
    let runtime = multi_thread(2);
    runtime.block_on(exercise(&rig));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let rig = rig.clone();
            runtime.spawn(async move { exercise(&rig).await })
        })
        .collect();
    runtime.block_on(async { join_all(tasks).await.into_iter().for_each(Result::unwrap) });
}

#[test]
fn tokio_current_thread() {
    let _watchdog = Watchdog::new("tokio_current_thread");
    let rig = Rig::new();
    let runtime = current_thread();
    runtime.block_on(exercise(&rig));
    let task = runtime.spawn({
        let rig = rig.clone();
        async move { exercise(&rig).await }
    });
    runtime.block_on(task).unwrap();
}

#[test]
fn a_runtime_for_each_thread() {
    let _watchdog = Watchdog::new("a_runtime_for_each_thread");
    // More shards than threads, as many, and fewer: then threads share them, and each other's reactors.
    for shards in [8, 4, 2, 1] {
        let rig = Rig::with(NylonRingHost::builder().shards(shards));
        on_threads(4, |_| {
            let runtime = current_thread();
            for _ in 0..3 {
                runtime.block_on(exercise(&rig));
            }
        });
    }
}

#[test]
fn threads_that_share_a_shard_outlive_the_one_that_came_first() {
    let _watchdog = Watchdog::new("threads_that_share_a_shard_outlive_the_one_that_came_first");
    let rig = Rig::with(NylonRingHost::builder().shards(1));
    on_threads(6, |i| {
        // They end one after the other, and each takes its runtime along while the others wait for answers.
        let runtime = current_thread();
        for _ in 0..=i * 2 {
            runtime.block_on(rig.right("/echo", "delay=3000"));
        }
    });
}

#[test]
fn a_local_set() {
    let _watchdog = Watchdog::new("a_local_set");
    let rig = Rig::new();
    let runtime = current_thread();
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        exercise(&rig).await;
        let tasks = (0..4).map(|_| {
            let rig = rig.clone();
            tokio::task::spawn_local(async move { exercise(&rig).await })
        });
        join_all(tasks).await.into_iter().for_each(Result::unwrap);
    });
}

#[test]
fn a_runtime_replaced_while_the_host_lives() {
    let _watchdog = Watchdog::new("a_runtime_replaced_while_the_host_lives");
    let rig = Rig::with(NylonRingHost::builder().shards(2));
    for round in 0..40 {
        let runtime = if round % 3 == 2 { multi_thread(1) } else { current_thread() };
        runtime.block_on(rig.right("/echo", "bg=1"));
        runtime.block_on(stream(&rig, "/frames", "n=10&bg=1", 10));
        // Some go down with calls in flight, whose results come when there is no runtime.
        for _ in 0..round % 4 {
            let rig = rig.clone();
            runtime.spawn(async move { rig.right("/echo", "delay=1500").await });
        }
        runtime.block_on(tokio::task::yield_now());
        if round % 2 == 0 {
            runtime.shutdown_background();
        }
    }
    current_thread().block_on(exercise(&rig));
}

#[test]
fn two_runtimes_driven_in_turn_by_one_thread() {
    let _watchdog = Watchdog::new("two_runtimes_driven_in_turn_by_one_thread");
    let rig = Rig::new();
    let runtimes = [current_thread(), current_thread()];
    for round in 0..30 {
        runtimes[round % 2].block_on(rig.right("/echo", "bg=1"));
        runtimes[(round / 2) % 2].block_on(rig.right("/echo", "delay=300"));
    }
    runtimes.iter().for_each(|runtime| runtime.block_on(exercise(&rig)));
}

#[test]
fn a_future_polled_in_one_runtime_and_finished_in_another() {
    let _watchdog = Watchdog::new("a_future_polled_in_one_runtime_and_finished_in_another");
    let rig = Rig::new();
    let first = current_thread();
    for _ in 0..10 {
        let mut call = Box::pin(rig.right("/echo", "delay=3000"));
        let mut is_pending = || first.block_on(poll_once(&mut call)).is_pending();
        if is_pending() && is_pending() {
            // `first` still lives, and nobody drives it.
            current_thread().block_on(&mut call);
        }
    }
    for _ in 0..10 {
        // From a runtime that is gone, to another thread with one of another kind.
        let mut call = Box::pin(rig.right("/echo", "delay=3000"));
        if current_thread().block_on(poll_once(&mut call)).is_pending() {
            thread::scope(|scope| {
                scope.spawn(|| multi_thread(1).block_on(&mut call));
            });
        }
    }
}

#[test]
fn a_stream_begun_in_one_runtime_and_read_in_others() {
    let _watchdog = Watchdog::new("a_stream_begun_in_one_runtime_and_read_in_others");
    let rig = Rig::new();
    let runtimes = [current_thread(), multi_thread(1), current_thread()];
    let (mut stream, body) = runtimes[0].block_on(rig.stream("/endless", "batch=1&pace=500&max=60"));
    let mut frames = Vec::new();
    for i in 0..60 {
        frames.push(match i % 4 {
            3 => executor::block_on(stream.recv()).unwrap(),
            n => runtimes[n].block_on(stream.recv()).unwrap(),
        });
    }
    assert_in_order(&frames, 0, &body);
    assert_eq!(executor::block_on(stream.recv()).unwrap().status, NrStatus::StreamEnd);
}

#[test]
fn a_runtime_without_io() {
    let _watchdog = Watchdog::new("a_runtime_without_io");
    let rig = Rig::new();
    let bare = Builder::new_current_thread().build().unwrap();
    bare.block_on(exercise(&rig));
    let timers = Builder::new_current_thread().enable_time().build().unwrap();
    timers.block_on(exercise(&rig));
    let workers = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    workers.block_on(exercise(&rig));
    let host = Rig::new();
    workers.block_on(async move { tokio::spawn(async move { exercise(&host).await }).await.unwrap() });
}

/// A reactor polls while results come one after the other, and sleeps when none comes: then it takes no turns at all.
#[test]
fn an_idle_host_is_asleep() {
    let _watchdog = Watchdog::new("an_idle_host_is_asleep");
    for runtime in [current_thread(), multi_thread(2)] {
        runtime.block_on(async {
            let rig = Rig::new();
            for _ in 0..1000 {
                rig.right("/echo", "bg=1").await;
            }
            // Its last turn may have to wait for a core.
            let (start, mut before) = (Instant::now(), 0);
            while before != rig.host.metrics().batches {
                assert!(start.elapsed() < LIMIT, "it takes turns all the time");
                before = rig.host.metrics().batches;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
    }
}

#[test]
fn smol_and_its_threads() {
    let _watchdog = Watchdog::new("smol_and_its_threads");
    let rig = Rig::new();
    smol::block_on(exercise(&rig));
    let executor = smol::Executor::new();
    let (stop, stopped) = smol::channel::unbounded::<()>();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| smol::block_on(executor.run(stopped.recv())));
        }
        let tasks: Vec<_> = (0..8).map(|_| executor.spawn(exercise(&rig))).collect();
        smol::block_on(join_all(tasks));
        drop(stop);
    });
}

#[test]
fn a_local_pool() {
    let _watchdog = Watchdog::new("a_local_pool");
    let rig = Rig::new();
    let mut pool = executor::LocalPool::new();
    pool.run_until(exercise(&rig));
    for _ in 0..4 {
        let rig = rig.clone();
        pool.spawner().spawn_local(async move { exercise(&rig).await }).unwrap();
    }
    pool.run();
}

#[test]
fn plain_threads() {
    let _watchdog = Watchdog::new("plain_threads");
    for shards in [16, 3] {
        let rig = Rig::with(NylonRingHost::builder().shards(shards));
        on_threads(8, |_| executor::block_on(exercise(&rig)));
    }
}

#[test]
fn plain_threads_and_runtimes_on_the_same_shards() {
    let _watchdog = Watchdog::new("plain_threads_and_runtimes_on_the_same_shards");
    let rig = Rig::with(NylonRingHost::builder().shards(2));
    let shared = multi_thread(2);
    on_threads(8, |i| {
        for _ in 0..5 {
            match i % 4 {
                0 => executor::block_on(exercise(&rig)),
                1 => current_thread().block_on(exercise(&rig)),
                2 => shared.block_on(exercise(&rig)),
                _ => smol::block_on(exercise(&rig)),
            }
        }
    });
}

#[test]
fn one_thread_goes_through_every_executor() {
    let _watchdog = Watchdog::new("one_thread_goes_through_every_executor");
    let rig = Rig::with(NylonRingHost::builder().shards(1));
    let (kept, workers) = (current_thread(), multi_thread(1));
    for _ in 0..5 {
        kept.block_on(exercise(&rig));
        executor::block_on(exercise(&rig));
        workers.block_on(exercise(&rig));
        current_thread().block_on(exercise(&rig));
        smol::block_on(exercise(&rig));
        multi_thread(1).block_on(exercise(&rig));
    }
}

#[test]
fn blocking_threads_of_a_runtime() {
    let _watchdog = Watchdog::new("blocking_threads_of_a_runtime");
    for runtime in [multi_thread(1), current_thread()] {
        let rig = Rig::new();
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let rig = rig.clone();
                runtime.spawn_blocking(move || executor::block_on(exercise(&rig)))
            })
            .collect();
        runtime.block_on(async { join_all(tasks).await.into_iter().for_each(Result::unwrap) });
    }
}

/// The runtime is the current one of its blocking threads, and yet nobody drives it.
#[test]
fn blocking_threads_of_a_runtime_that_nobody_drives() {
    let _watchdog = Watchdog::new("blocking_threads_of_a_runtime_that_nobody_drives");
    let (rig, runtime) = (Rig::new(), current_thread());
    let (done, wait) = mpsc::channel();
    for _ in 0..3 {
        let (rig, done) = (rig.clone(), done.clone());
        runtime.spawn_blocking(move || {
            executor::block_on(exercise(&rig));
            done.send(()).unwrap();
        });
    }
    (0..3).for_each(|_| wait.recv().unwrap());
}

/// As above, for a thread that has entered a runtime.
#[test]
fn a_runtime_that_is_entered_and_not_driven() {
    let _watchdog = Watchdog::new("a_runtime_that_is_entered_and_not_driven");
    let (rig, runtime) = (Rig::new(), current_thread());
    let _entered = runtime.enter();
    executor::block_on(exercise(&rig));
}

#[test]
fn a_task_that_moves_between_threads_and_shards() {
    let _watchdog = Watchdog::new("a_task_that_moves_between_threads_and_shards");
    let rig = Rig::with(NylonRingHost::builder().shards(2));
    let (give, take) = mpsc::channel();
    thread::scope(|scope| {
        let rig = &rig;
        scope.spawn(move || {
            for _ in 0..200 {
                let body = unique();
                let mut call = Box::pin(async move { rig.call_with("/echo", "delay=200", &body).await.map(|_| ()) });
                if executor::block_on(poll_once(&mut call)).is_pending() {
                    give.send(call).unwrap();
                }
            }
        });
        scope.spawn(move || {
            let runtime = current_thread();
            for (i, call) in take.into_iter().enumerate() {
                if i % 2 == 0 { runtime.block_on(call).unwrap() } else { executor::block_on(call).unwrap() }
            }
        });
    });
}
