//! `slot.rs`, `state.rs`: threads that nobody gave a sid, and that guess it. Nothing orders them after the call they meet but the
//! slot's own word.

use loom::{sync::Arc, thread};
use nylon_ring_loom_tests::{Bound, MARKED, NOBODY, hold_state, marked, model, small};
use nylon_ring_runtime::{NrStatus, Runtime, Turn};

/// The difference between the sids of a slot's next call and this one, in a runtime of one shard with few slots.
const NEXT: u64 = 1 << 5;

fn drain(runtime: &Runtime) {
    while runtime.reactor(0).unwrap().turn(64) == Turn::More {}
}

/// A thread sends for a slot's next call, and drains, while that call is opened. Legal: the call gets the forged result, or its
/// own; the result of the call before was taken, and the cell it lay in is never used by two.
#[test]
fn result_against_open() {
    model("forged::result_against_open", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(4, 1));
        let mut first = runtime.open(0).unwrap();
        let next = first.sid() + NEXT;
        runtime.send(first.sid(), NrStatus::Ok, &[1; MARKED]);
        drain(&runtime);
        let shared = runtime.clone();
        let forger = thread::spawn(move || {
            shared.send(next, NrStatus::Ok, &[3; MARKED]);
            drain(&shared);
        });
        assert_eq!(first.try_take().unwrap().unwrap()[0], 1);
        let mut second = runtime.open(0).unwrap();
        assert_eq!(second.sid(), next);
        runtime.send(next, NrStatus::Ok, &[2; MARKED]);
        forger.join().unwrap();
        drain(&runtime);
        let reply = second.try_take().unwrap().unwrap();
        assert!(reply[..] == [2; MARKED] || reply[..] == [3; MARKED]);
        drop((reply, first, second));
        let m = runtime.metrics();
        assert_eq!((m.delivered, m.duplicate + m.unknown_sid, m.in_flight, m.buffered), (2, 1, 0, 0));
        drop(runtime);
        assert_eq!(marked(), before);
    });
}

/// A thread looks for the state of a slot's next call while that call is opened. Legal: it finds none; never that of the call before,
/// which is freed.
#[test]
fn state_against_open() {
    model("forged::state_against_open", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(4, 1));
        let mut first = runtime.open(0).unwrap();
        let next = first.sid() + NEXT;
        runtime.set_state(first.sid(), "k", &[1; MARKED]).unwrap();
        let shared = runtime.clone();
        let forger = thread::spawn(move || assert!(shared.get_state(next, "k").is_none()));
        runtime.send(first.sid(), NrStatus::Ok, &[]);
        assert!(first.try_take().unwrap().is_ok());
        let second = runtime.open(0).unwrap();
        forger.join().unwrap();
        drop(second);
        drain(&runtime);
        assert_eq!((marked(), runtime.metrics().buffered), (before, 0));
    });
}

/// A call whose plugin holds a pointer is given up, and its terminal result meets a full ring: by then the slot may be one of a later
/// call. Legal: the result passes as a mark, and the state goes with it.
#[test]
fn orphan_behind_a_full_ring() {
    model("forged::orphan_behind_a_full_ring", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(1, 2));
        let call = runtime.open(0).unwrap();
        let filler = runtime.open(0).unwrap();
        let (sid, other) = (call.sid(), filler.sid());
        hold_state(&runtime, sid);
        let shared = runtime.clone();
        let plugin = thread::spawn(move || {
            shared.send(other, NrStatus::Ok, &[]);
            shared.send(sid, NrStatus::Ok, &[]);
        });
        drop(call);
        drain(&runtime);
        plugin.join().unwrap();
        drain(&runtime);
        assert_eq!((marked(), runtime.metrics().buffered), (before, 0), "the state outlives the terminal result");
        drop(filler);
        assert_eq!(runtime.metrics().in_flight, 0);
    });
}

/// Behind a ring that is full, a result comes for a call that is given up meanwhile, and one for a call that is long over. Legal: the
/// first is queued, or dropped at the door; the second is dropped at the door, although another call is open there.
#[test]
fn late_results_behind_a_full_ring() {
    model("forged::late_results_behind_a_full_ring", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(1, 1));
        let first = runtime.open(0).unwrap();
        let sid = first.sid();
        runtime.send(NOBODY, NrStatus::Ok, &[]);
        let shared = runtime.clone();
        let late = thread::spawn(move || shared.send(sid, NrStatus::Ok, &[1; MARKED]));
        drop(first);
        let second = runtime.open(0).unwrap();
        late.join().unwrap();
        let queued = marked();
        runtime.send(sid, NrStatus::Ok, &[1; MARKED]);
        assert_eq!(marked(), queued, "a result that nobody waits for was queued");
        drop(second);
        drain(&runtime);
        assert_eq!((marked(), runtime.metrics().buffered, runtime.metrics().unknown_sid), (before, 0, 3));
    });
}

/// Two threads send the terminal results of two orphans at once, behind a ring that is full. Legal: both pass as marks, both states
/// go with them, and nothing stays counted.
#[test]
fn two_orphans_behind_a_full_ring() {
    model("forged::two_orphans_behind_a_full_ring", Bound::Two, || {
        let before = marked();
        let runtime = Arc::new(small(1, 2));
        let sids = [(); 2].map(|()| {
            let call = runtime.open(0).unwrap();
            hold_state(&runtime, call.sid());
            call.sid()
        });
        drain(&runtime);
        runtime.send(NOBODY, NrStatus::Ok, &[]);
        let plugins = sids.map(|sid| {
            let runtime = runtime.clone();
            thread::spawn(move || runtime.send(sid, NrStatus::Ok, &[]))
        });
        plugins.into_iter().for_each(|plugin| plugin.join().unwrap());
        drain(&runtime);
        assert_eq!((marked(), runtime.metrics().buffered), (before, 0), "a state outlives the terminal result");
        assert_eq!((runtime.metrics().in_flight, runtime.metrics().unknown_sid), (0, 3));
        // A record that stayed counted would send this one to the queue.
        runtime.send(NOBODY, NrStatus::Ok, &[]);
        drain(&runtime);
        assert_eq!(runtime.metrics().drained, 4);
    });
}
