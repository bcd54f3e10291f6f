//! Bugs on purpose, around the ring's public interface. `make miri`, `make tsan` and `make asan` run them first: a tool that
//! does not find them would find nothing else either.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::{cell::UnsafeCell, hint::black_box, thread};

use nylon_ring_runtime::NrStatus;
use support::small;

struct Shared(UnsafeCell<u64>);

// SAFETY: none, as soon as a write has nothing that orders it; that is the bug.
unsafe impl Sync for Shared {}

impl Shared {
    fn write(&self, value: u64) {
        // SAFETY: as above.
        unsafe { self.0.get().write(value) };
    }

    fn read(&self) -> u64 {
        // SAFETY: as above.
        unsafe { self.0.get().read() }
    }
}

/// A producer writes beside the ring, before or after it sends; whoever takes the result reads.
fn write_and_send(before: bool) {
    let runtime = small(8, 2).build().unwrap();
    let (shared, mut call) = (Shared(UnsafeCell::new(0)), runtime.open(0).unwrap());
    let sid = call.sid();
    thread::scope(|scope| {
        // Joined at the end: of threads that are gone ThreadSanitizer may have forgotten what they did.
        let producer = scope.spawn(|| {
            if before {
                shared.write(1);
            }
            runtime.send(sid, NrStatus::Ok, b"x");
            if !before {
                shared.write(1);
            }
        });
        while call.try_take().is_none() {
            thread::yield_now();
        }
        black_box(shared.read());
        producer.join().unwrap();
    });
}

/// What `send` passes on: the same without the bug.
#[test]
fn a_write_before_a_send_is_seen() {
    write_and_send(true);
}

#[test]
#[ignore = "a bug on purpose, for Miri and ThreadSanitizer"]
fn data_race() {
    write_and_send(false);
}

/// What `get_state` returned is valid until the terminal result has been sent, and not longer.
#[test]
#[ignore = "a bug on purpose, for Miri and AddressSanitizer"]
fn use_after_free() {
    let runtime = small(8, 2).build().unwrap();
    let mut call = runtime.open(0).unwrap();
    runtime.set_state(call.sid(), "key", b"value").unwrap();
    let kept = runtime.get_state(call.sid(), "key").unwrap().cast::<u8>();
    // SAFETY: no terminal result has been sent.
    assert_eq!(unsafe { kept.read() }, b'v');
    runtime.send(call.sid(), NrStatus::Ok, b"terminal");
    assert!(call.try_take().is_some());
    // SAFETY: none; that is the bug.
    black_box(unsafe { kept.read() });
}

#[test]
#[ignore = "a bug on purpose, for Miri"]
fn uninitialised() {
    let place = Box::<u64>::new_uninit();
    // SAFETY: none; that is the bug.
    let value = unsafe { place.assume_init() };
    black_box(*value + 1);
}
