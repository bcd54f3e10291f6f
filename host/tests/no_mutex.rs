//! The path of `send_result` takes no mutex, and its one system call is the doorbell's write.
//!
//! `c/no_mutex.c` has threads that do nothing but send results, and a seccomp filter on each that shows every system call it
//! makes. A mutex that is contended is a futex call; a thread that makes none, while two of them and the host's own threads
//! work on the same rings for millions of results, meets none. (An uncontended one could hide: that it cannot, is what
//! two senders on one shard and the last test are for.)
//!
//! What allocates is the allocator's: here one without locks or system calls of its own, so that the overflow queue and
//! payloads that do not fit a cell can be held to the same.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[expect(dead_code, reason = "shared with other tests")]
mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::UnsafeCell,
    fs,
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{LIMIT, Watchdog};
use futures::future::join_all;
use nylon_ring_host::{HostBuilder, Metrics, NrStatus, NylonRingHost, RequestView};
use tokio::runtime::{Builder, Runtime};

/// An allocator that takes no lock and asks the system for nothing: it counts up, and never frees. What is large, and what
/// comes when it is used up, the system's allocator gets.
struct CountsUp {
    room: UnsafeCell<[u8; ROOM]>,
    used: AtomicUsize,
}

const ROOM: usize = 1 << 30;
const LARGE: usize = 64 << 10;

#[global_allocator]
static ALLOCATOR: CountsUp = CountsUp { room: UnsafeCell::new([0; ROOM]), used: AtomicUsize::new(0) };

// SAFETY: every byte of the room is given out once.
unsafe impl Sync for CountsUp {}

// SAFETY: what is given out is as large and as aligned as was asked for, and given out once.
unsafe impl GlobalAlloc for CountsUp {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() <= LARGE {
            // Ordering: Relaxed; only that no two get the same number.
            let at = self.used.fetch_add(layout.size() + layout.align(), Ordering::Relaxed);
            if at < ROOM - 2 * LARGE {
                let place = self.room.get().cast::<u8>().wrapping_add(at);
                return place.wrapping_add(place.align_offset(layout.align()));
            }
        }
        // SAFETY: the caller keeps to the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if ptr.addr().wrapping_sub(self.room.get().addr()) >= ROOM {
            // SAFETY: not ours, hence from the system's allocator.
            unsafe { System.dealloc(ptr, layout) }
        }
    }
}

/// One test at a time: the senders never sleep, and a signal has one handler in a process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the plugin's senders have done so far.
#[derive(Debug)]
struct Report {
    sent: u64,
    writes: u64,
    /// Writes of another length than a doorbell's, or to more descriptors than there are doorbells.
    bad_writes: u64,
    futex: u64,
    yields: u64,
    others: u64,
    /// The number of the first of the `others`.
    first_other: i64,
    written_to: Vec<i32>,
}

struct Senders {
    host: NylonRingHost,
}

impl Senders {
    fn new(builder: HostBuilder) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/no_mutex.c");
        let plugin = nylon_ring_artifacts::c_plugin(&source, &[]).unwrap_or_else(|error| panic!("{error}"));
        Self { host: builder.load(plugin).unwrap() }
    }

    async fn report(&self) -> Report {
        let request = RequestView { method: "GET", path: "/report", ..RequestView::default() };
        let (_, text) = self.host.call_view(request).await.unwrap();
        let text = String::from_utf8(text.into_vec()).unwrap();
        let numbers: Vec<i64> = text.split(' ').map(|number| number.parse().unwrap()).collect();
        let error = i32::try_from(numbers[0]).unwrap();
        assert!(
            error == 0,
            "cannot put a seccomp filter on a thread: {}; this test needs a kernel and a container that allow \
             PR_SET_NO_NEW_PRIVS and seccomp(SECCOMP_SET_MODE_FILTER)",
            std::io::Error::from_raw_os_error(error)
        );
        let count = |i: usize| u64::try_from(numbers[i]).unwrap();
        Report {
            sent: count(1),
            writes: count(2),
            bad_writes: count(3),
            futex: count(4),
            yields: count(5),
            others: count(6),
            first_other: numbers[7],
            written_to: numbers[8..].iter().map(|fd| i32::try_from(*fd).unwrap()).collect(),
        }
    }

    /// A call after `junk` results for sids that have ended.
    async fn call(&self, path: &str, junk: u32, len: u32) {
        let body = work(junk, len);
        let request = RequestView { method: "GET", path, body: &body, ..RequestView::default() };
        let (status, answer) = self.host.call_view(request).await.unwrap();
        assert_eq!((status, answer.len()), (NrStatus::Ok, len as usize));
        assert!(len < 6 || answer.starts_with(b"answer"));
    }

    async fn stream(&self, frames: u32, len: u32) {
        let body = work(frames, len);
        let request = RequestView { method: "GET", path: "/stream", body: &body, ..RequestView::default() };
        let mut stream = self.host.call_stream_view(request).await.unwrap();
        for _ in 0..frames {
            let frame = stream.recv().await.unwrap();
            assert_eq!((frame.status, frame.data.len()), (NrStatus::Ok, len as usize));
        }
        assert_eq!(stream.recv().await.unwrap().status, NrStatus::StreamEnd);
        assert!(stream.recv().await.is_none());
    }

    /// Calls and streams until so many results have been sent; returns what that took.
    async fn work(&self, results: u64, junk: u32, lens: [u32; 2]) -> (Report, Metrics) {
        loop {
            let calls = join_all((0..48).map(|i| self.call("/call", junk, lens[i % 2])));
            let streams = join_all((0..8).map(|i| self.stream(junk, lens[i % 2])));
            futures::join!(calls, streams);
            let report = self.report().await;
            if report.sent >= results {
                return (report, self.host.metrics());
            }
        }
    }

    async fn end(self) {
        self.host.shutdown(Duration::from_secs(30)).await.unwrap();
    }
}

/// No sender asked the kernel for anything, but to write to a doorbell or to let others run.
fn no_futex(report: &Report) {
    assert_eq!(report.futex, 0, "{report:?}");
    assert_eq!(report.others, 0, "system call {}: {report:?}", report.first_other);
    assert_eq!(report.bad_writes, 0, "{report:?}");
}

fn work(junk: u32, len: u32) -> [u8; 8] {
    let mut body = [0; 8];
    body[..4].copy_from_slice(&junk.to_le_bytes());
    body[4..].copy_from_slice(&len.to_le_bytes());
    body
}

/// The one kind of system call that a sender may make: a write to an eventfd, which wakes a reactor that sleeps.
fn only_doorbells(report: &Report, metrics: &Metrics, shards: u64) {
    no_futex(report);
    assert_eq!(report.yields, 0, "{report:?}");
    for fd in &report.written_to {
        let target = fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
        assert_eq!(target.to_string_lossy(), "anon_inode:[eventfd]");
    }
    // Nobody rings twice before the reactor has answered, which is what a turn begins with.
    assert!(report.writes <= metrics.reactor_turns + shards, "{report:?}, {metrics:?}");
    assert!(report.writes * 8 < report.sent, "the reactor slept too often for this test to say much: {report:?}");
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

const SHARDS: usize = 4;

/// A host whose rings take all that is under way: 56 calls and streams, each after at most 64 other results.
fn roomy() -> HostBuilder {
    NylonRingHost::builder().shards(SHARDS).cells_per_shard(1 << 14)
}

#[test]
fn millions_of_results_without_a_futex() {
    let _alone = alone();
    let _watchdog = Watchdog::new("millions_of_results_without_a_futex");
    current_thread().block_on(async {
        let senders = Senders::new(roomy());
        let (report, metrics) = tokio::time::timeout(LIMIT, senders.work(2_000_000, 64, [40, 0])).await.unwrap();
        only_doorbells(&report, &metrics, SHARDS as u64);
        // Both kinds of results were among them: of calls that wait, and of those that have ended.
        assert!(metrics.delivered > 100_000 && metrics.unknown_sid > 100_000, "{metrics:?}");
        senders.end().await;
    });
}

#[test]
fn callers_on_several_threads() {
    let _alone = alone();
    let _watchdog = Watchdog::new("callers_on_several_threads");
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let senders = std::sync::Arc::new(Senders::new(roomy()));
        let tasks = (0..2).map(|_| {
            let senders = senders.clone();
            tokio::spawn(async move { drop(senders.work(500_000, 64, [40, 0]).await) })
        });
        tokio::time::timeout(LIMIT, join_all(tasks)).await.unwrap().into_iter().for_each(Result::unwrap);
        let (report, metrics) = (senders.report().await, senders.host.metrics());
        only_doorbells(&report, &metrics, SHARDS as u64);
        senders.host.shutdown(Duration::from_secs(30)).await.unwrap();
    });
}

/// A full ring spills into a queue, and long payloads are copied to the heap: no mutex there either. The queue's own
/// waiting for another producer that is about to link a block (`crossbeam`'s `Backoff`) may end in a `sched_yield`.
#[test]
fn a_ring_that_is_too_small_and_payloads_that_are_too_long() {
    let _alone = alone();
    let _watchdog = Watchdog::new("a_ring_that_is_too_small_and_payloads_that_are_too_long");
    current_thread().block_on(async {
        let senders = Senders::new(NylonRingHost::builder().shards(1).cells_per_shard(4));
        let (report, metrics) = tokio::time::timeout(LIMIT, senders.work(400_000, 64, [100, 40])).await.unwrap();
        assert!(ALLOCATOR.used.load(Ordering::Relaxed) < ROOM - 2 * LARGE, "the allocator without locks is used up");
        no_futex(&report);
        assert!(report.yields * 100 < report.sent, "{report:?}");
        assert_eq!(metrics.overflowed, 0, "{metrics:?}");
        senders.end().await;
    });
}

/// The test would see a mutex: here is one.
#[test]
fn a_mutex_between_two_senders_is_seen() {
    let _alone = alone();
    let _watchdog = Watchdog::new("a_mutex_between_two_senders_is_seen");
    current_thread().block_on(async {
        let senders = Senders::new(roomy());
        let before = senders.report().await;
        no_futex(&before);
        let both = futures::future::join(senders.call("/contend", 0, 0), senders.call("/contend", 0, 0));
        tokio::time::timeout(LIMIT, both).await.unwrap();
        let after = senders.report().await;
        // One waits, the other wakes it up.
        assert!(after.futex >= 2, "{after:?}");
        assert_eq!(after.others, 0, "{after:?}");
        senders.end().await;
    });
}
