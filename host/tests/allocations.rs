//! What a call allocates, counted: nothing, or the one vector that the caller gets.
//!
//! One test alone: the counter is the whole process's. It counts what Rust code allocates, which here is the host, the
//! runtime and the test; the plugin is written in C and has its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[expect(dead_code, reason = "shared with other tests")]
mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, Ordering},
};

use common::current_thread;
use nylon_ring_artifacts::{c_plugin, c_source};
use nylon_ring_host::{NrStatus, NylonRingHost, RequestView};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Ordering: Relaxed, here and below; a sum, and whatever is counted happens before its call is answered.
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps to the contract of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, size) }
    }
}

const CALLS: u64 = 2_000;
const ROUNDS: usize = 6;

/// How many allocations `CALLS` calls make: the least of several rounds, the first of which warms up. A round may have others
/// in it, by a thread of the test harness that starts late or by its clock; what calls do is in each.
async fn allocations(host: &NylonRingHost, query: &str, body: &[u8]) -> u64 {
    let headers = [("name", "value"), ("other", "value")];
    let request = RequestView { method: "GET", path: "/echo", query, headers: &headers, body };
    let mut least = u64::MAX;
    for _ in 0..ROUNDS {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        for _ in 0..CALLS {
            let (status, payload) = host.call_view(request).await.unwrap();
            assert_eq!(status, NrStatus::Ok);
            let bytes: Vec<u8> = payload.into_vec();
            assert_eq!(bytes, body);
        }
        least = least.min(ALLOCATIONS.load(Ordering::Relaxed) - before);
    }
    least
}

#[test]
fn a_call_allocates_what_its_caller_gets_and_nothing_else() {
    // As a task: for a caller that tokio may not drive, a reactor is started now and then, which is an allocation.
    let test = async || {
        let host = NylonRingHost::load(c_plugin(&c_source("misbehaving"), &[]).unwrap()).unwrap();
        let hundred = [7; 100];
        let mut counted = Vec::new();
        for query in ["", "bg=1"] {
            for body in [&[][..], &hundred] {
                counted.push((query, body.len(), allocations(&host, query, body).await));
            }
        }
        assert_eq!(counted, [("", 0, 0), ("", 100, CALLS), ("bg=1", 0, 0), ("bg=1", 100, CALLS)]);
        // The counter counts: a payload that fits a cell lies inside it, until it is to be a vector.
        assert_eq!(allocations(&host, "", &hundred[..40]).await, CALLS);
    };
    current_thread("a_call_allocates_what_its_caller_gets_and_nothing_else", async || {
        tokio::spawn(test()).await.unwrap();
    });
}
