//! `seat.rs`: what a thread keeps, against whoever stops the runtime, and against the next thread that sits down.

use std::sync::Arc;

use loom::{cell::UnsafeCell, thread};
use nylon_ring_loom_tests::{Bound, drain, hold_state, marked, model, small};
use nylon_ring_runtime::{NrStatus, Runtime};

/// So few slots that one of them is kept, and none of the others is ever used.
const SLOTS: u32 = 8;

/// A plugin that must not be called once it was stopped.
struct Plugin(UnsafeCell<bool>);

// SAFETY: loom watches the cell.
unsafe impl Sync for Plugin {}

/// Opens a call, hands it over and gives it up; false when none can be opened.
fn call(runtime: &Runtime, plugin: &Plugin) -> bool {
    let Ok(mut call) = runtime.open(0) else { return false };
    // SAFETY: loom panics if the cell is written meanwhile.
    call.inline(|| plugin.0.with(|stopped| assert!(!unsafe { *stopped }, "handed over to a plugin that was stopped")));
    true
}

/// A runtime stops while a thread with a seat opens calls on the slot that is kept for it. Legal: once no call is in flight or
/// being handed over, none ever will be, and what was handed over comes before.
#[test]
fn stop_against_open() {
    model("seat::stop_against_open", Bound::Two, || {
        let runtime = Arc::new(small(2, SLOTS));
        let plugin = Arc::new(Plugin(UnsafeCell::new(false)));
        let (shared, called) = (runtime.clone(), plugin.clone());
        let caller = thread::spawn(move || {
            let _seat = shared.take_seat(0).unwrap();
            let _ = call(&shared, &called) && call(&shared, &called);
        });
        if runtime.stop_opening() == 0 && runtime.handing_over() == 0 {
            // SAFETY: loom panics if anybody else has the cell.
            plugin.0.with_mut(|stopped| unsafe { *stopped = true });
        }
        caller.join().unwrap();
        assert_eq!(runtime.stop_opening(), 0, "a slot was lost");
        assert_eq!(runtime.handing_over(), 0);
        assert!(runtime.open(0).is_err());
    });
}

/// A thread leaves its seat, and another takes it as soon as it can. Legal: the second has the seat or not; it opens a call either
/// way, and no slot is lost.
#[test]
fn one_after_the_other() {
    model("seat::one_after_the_other", Bound::Two, || {
        let runtime = Arc::new(small(2, SLOTS));
        let shared = runtime.clone();
        let first = thread::spawn(move || {
            let seat = shared.take_seat(0);
            drop(shared.open(0).unwrap());
            drop(seat);
        });
        let seat = runtime.take_seat(0);
        drop(runtime.open(0).unwrap());
        drop(seat);
        first.join().unwrap();
        assert_eq!(runtime.stop_opening(), 0, "a slot was lost");
    });
}

/// A slot is kept while its old result is on its way to it. Legal: the next call gets its own result, never the old one.
#[test]
fn a_kept_slot_against_a_late_result() {
    model("seat::a_kept_slot_against_a_late_result", Bound::Two, || {
        let runtime = Arc::new(small(2, SLOTS));
        let _seat = runtime.take_seat(0).unwrap();
        let first = runtime.open(0).unwrap();
        let old = first.sid();
        let shared = runtime.clone();
        let late = thread::spawn(move || {
            shared.send(old, NrStatus::Ok, &[1]);
            let _ = shared.reactor(0).unwrap().drain(64);
        });
        drop(first);
        let mut second = runtime.open(0).unwrap();
        assert_ne!(second.sid(), old);
        runtime.send(second.sid(), NrStatus::Ok, &[2]);
        late.join().unwrap();
        let _ = runtime.reactor(0).unwrap().drain(64);
        assert_eq!(second.try_take().unwrap().unwrap()[0], 2);
        let metrics = runtime.metrics();
        assert_eq!((metrics.opened, metrics.delivered + metrics.unknown_sid), (2, 2));
    });
}

/// A thread without a seat opens a call at the shard of one that has it. Legal: both open their calls, no sid is given out twice,
/// and none is in flight in the end, although a slot is still kept.
#[test]
fn beside_one_who_does_not_sit() {
    model("seat::beside_one_who_does_not_sit", Bound::Two, || {
        let runtime = Arc::new(small(2, SLOTS));
        let _seat = runtime.take_seat(0).unwrap();
        let shared = runtime.clone();
        let other = thread::spawn(move || shared.open(0).unwrap().sid());
        let first = runtime.open(0).unwrap().sid();
        let second = runtime.open(0).unwrap().sid();
        let third = other.join().unwrap();
        assert!(first != second && second != third && third != first, "a sid was given out twice");
        assert_eq!(runtime.metrics().opened, 3);
        assert_eq!(runtime.stop_opening(), 0, "a kept slot counts as in flight");
    });
}

/// A call of a thread with a seat is given up while its plugin holds a pointer: whoever consumes then frees its slot. Legal: it is
/// kept if that is the thread with the seat, and for everybody otherwise; no slot is lost, and what the plugin holds is freed once.
#[test]
fn an_orphan_of_one_who_sits() {
    model("seat::an_orphan_of_one_who_sits", Bound::Two, || {
        let before = marked();
        let runtime = Arc::new(small(2, SLOTS));
        let seat = runtime.take_seat(0).unwrap();
        let call = runtime.open(0).unwrap();
        let sid = call.sid();
        hold_state(&runtime, sid);
        let shared = runtime.clone();
        let consumer = thread::spawn(move || {
            shared.send(sid, NrStatus::Ok, &[1]);
            let _ = shared.reactor(0).unwrap().drain(64);
        });
        drop(call);
        let _ = runtime.reactor(0).unwrap().drain(64);
        let second = runtime.open(0).unwrap().sid();
        assert_ne!(second, sid, "a sid was given out twice");
        consumer.join().unwrap();
        drain(runtime.reactor(0).unwrap());
        assert_eq!(marked(), before, "what a plugin held was not freed");
        assert_eq!(runtime.stop_opening(), 0, "a slot was lost");
        drop(seat);
    });
}
