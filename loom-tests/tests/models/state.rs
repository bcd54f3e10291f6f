//! `state.rs`: what plugins store per call, and when it is freed.
//!
//! Values are of [`MARKED`] bytes, so that one that is freed too late, twice, or never is seen.

use std::{
    sync::Arc,
    task::{Context, Waker},
};

use loom::{cell::UnsafeCell, thread};
use nylon_ring_loom_tests::{Bound, MARKED, frees, hold_state, marked, model, outcomes, react_until, small, step};
use nylon_ring_runtime::{NrStatus, Runtime, Turn};

fn drain(runtime: &Runtime) {
    while runtime.reactor(0).unwrap().turn(64) == Turn::More {}
}

/// A plugin thread stores a value twice while another looks for it. Legal: nothing, or either value, whole; afterwards the second.
#[test]
fn set_against_get() {
    outcomes("state::set_against_get", Bound::Three, [0, 1, 2], || {
        let before = marked();
        let runtime = Arc::new(small(1, 1));
        let call = runtime.open(0).unwrap();
        let (shared, sid) = (runtime.clone(), call.sid());
        let setter = thread::spawn(move || {
            for byte in [1, 2] {
                step();
                shared.set_state(sid, "k", &[byte; MARKED]).unwrap();
            }
        });
        step();
        let found = runtime.get_state(sid, "k").map_or(0, |value| {
            // SAFETY: no terminal result has been sent for the sid.
            let value = unsafe { value.as_ref() };
            assert_eq!(value, [value[0]; MARKED]);
            value[0]
        });
        setter.join().unwrap();
        // SAFETY: as above.
        assert_eq!(unsafe { runtime.get_state(sid, "k").unwrap().as_ref() }, [2; MARKED]);
        drop(call);
        drain(&runtime);
        runtime.send(sid, NrStatus::Ok, &[]);
        drain(&runtime);
        assert_eq!((marked(), runtime.metrics().buffered), (before, 0));
        found
    });
}

/// Two plugin threads store at once, under different keys. Legal: both are found.
#[test]
fn set_against_set() {
    model("state::set_against_set", Bound::Any, || {
        let runtime = Arc::new(small(1, 1));
        let call = runtime.open(0).unwrap();
        let (shared, sid) = (runtime.clone(), call.sid());
        let other = thread::spawn(move || {
            step();
            shared.set_state(sid, "a", &[1]).unwrap();
        });
        step();
        runtime.set_state(sid, "b", &[2]).unwrap();
        other.join().unwrap();
        for (key, value) in [("a", 1), ("b", 2)] {
            // SAFETY: no terminal result has been sent for the sid.
            assert_eq!(unsafe { runtime.get_state(sid, key).expect(key).as_ref() }, [value]);
        }
    });
}

/// A call is given up while plugin threads store and look. Legal: who found the value may read it until the terminal result
/// is sent; after that nothing is left but what a late `set` put into the slot, which the next call takes along.
#[test]
fn close_against_get() {
    model("state::close_against_get", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(1, 1));
        let call = runtime.open(0).unwrap();
        let sid = call.sid();
        runtime.set_state(sid, "k", &[1; MARKED]).unwrap();
        let shared = runtime.clone();
        let getter = thread::spawn(move || {
            if let Some(value) = shared.get_state(sid, "k") {
                thread::yield_now();
                assert!(marked() > before, "the value was freed under its reader");
                // SAFETY: the terminal result is sent below.
                assert_eq!(unsafe { value.as_ref() }, [1; MARKED]);
                shared.send(sid, NrStatus::Ok, &[]);
            }
        });
        drop(call);
        drain(&runtime);
        getter.join().unwrap();
        drain(&runtime);
        assert_eq!((marked(), runtime.metrics().buffered), (before, 0));
        assert_eq!(runtime.metrics().in_flight, 0);
    });
}

/// A call is given up while a plugin thread looks, and the reactor goes to sleep. Legal: the state is gone, or the reactor is woken for it.
#[test]
fn the_last_reader_rings() {
    model("state::the_last_reader_rings", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(1, 1));
        let call = runtime.open(0).unwrap();
        let (shared, sid) = (runtime.clone(), call.sid());
        runtime.set_state(sid, "k", &[1; MARKED]).unwrap();
        // Of another key: it reads the list, and holds nothing of it.
        let getter = thread::spawn(move || assert!(shared.get_state(sid, "j").is_none()));
        drop(call);
        drain(&runtime);
        getter.join().unwrap();
        if marked() > before {
            let reactor = runtime.reactor(0).unwrap();
            assert!(reactor.doorbell().poll_rung(&mut Context::from_waker(Waker::noop())).is_ready(), "nobody rang");
            drain(&runtime);
        }
        assert_eq!((marked(), runtime.metrics().buffered), (before, 0));
    });
}

/// The same, and the plugin thread stores. Legal: the store is refused, or its value goes with this call or the next.
#[test]
fn close_against_set() {
    model("state::close_against_set", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(1, 1));
        let call = runtime.open(0).unwrap();
        let (shared, sid) = (runtime.clone(), call.sid());
        runtime.set_state(sid, "j", &[0; MARKED]).unwrap();
        let setter = thread::spawn(move || {
            let _ = shared.set_state(sid, "k", &[1; MARKED]);
            assert!(shared.get_state(sid + (1 << 40), "k").is_none());
        });
        drop(call);
        setter.join().unwrap();
        let next = runtime.open(0).unwrap();
        assert!(runtime.get_state(next.sid(), "k").is_none(), "the state of another call");
        assert!(runtime.get_state(sid, "k").is_none(), "the state of a call that is over");
        assert!(runtime.set_state(sid, "k", &[1]).is_err(), "stored for a call that is over, in another one");
        drop(next);
        drain(&runtime);
        assert_eq!((marked(), runtime.metrics().buffered), (before, 0));
    });
}

/// A call whose plugin holds a pointer is given up while its result is delivered. Legal: the state goes with the terminal
/// result, whichever comes first.
#[test]
fn orphan_against_complete() {
    model("state::orphan_against_complete", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let call = runtime.open(0).unwrap();
        let sid = call.sid();
        hold_state(&runtime, sid);
        let shared = runtime.clone();
        let plugin = thread::spawn(move || {
            shared.send(sid, NrStatus::Ok, &[]);
            drain(&shared);
        });
        drop(call);
        plugin.join().unwrap();
        drain(&runtime);
        assert_eq!((marked(), runtime.metrics().buffered), (before, 0), "the state outlives the terminal result");
        assert_eq!(runtime.metrics().in_flight, 0);
    });
}

/// The same for a stream: the receiver takes the end, or gives up, while the end is delivered.
#[test]
fn orphan_against_end() {
    model("state::orphan_against_end", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let mut frames = runtime.open_stream(0).unwrap();
        let sid = frames.sid();
        hold_state(&runtime, sid);
        let shared = runtime.clone();
        let plugin = thread::spawn(move || {
            shared.send(sid, NrStatus::StreamEnd, &[]);
            drain(&shared);
        });
        let _ = frames.try_next();
        drop(frames);
        plugin.join().unwrap();
        drain(&runtime);
        assert_eq!((marked(), runtime.metrics().buffered), (before, 0), "the state outlives the terminal frame");
        assert_eq!(runtime.metrics().in_flight, 0);
    });
}

/// Two calls are given up although their plugin holds pointers, one of them while a consumer frees the state of the other.
/// Legal: both states go with their terminal results.
#[test]
fn two_orphans() {
    model("state::two_orphans", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(2, 2));
        let [one, two] = [(); 2].map(|()| {
            let call = runtime.open(0).unwrap();
            hold_state(&runtime, call.sid());
            call
        });
        let sids = [one.sid(), two.sid()];
        drop(one);
        runtime.send(sids[0], NrStatus::Ok, &[]);
        let shared = runtime.clone();
        let consumer = thread::spawn(move || drain(&shared));
        drop(two);
        consumer.join().unwrap();
        runtime.send(sids[1], NrStatus::Ok, &[]);
        drain(&runtime);
        assert_eq!((marked(), runtime.metrics().buffered), (before, 0), "a state outlives its terminal result");
        assert_eq!(runtime.metrics().in_flight, 0);
    });
}

/// A stream is given up while its end is delivered; the next one in its slot is given up as well, but its plugin holds a pointer.
/// Legal: the state of the second stays until its own end.
#[test]
fn an_end_against_the_next_orphan() {
    model("state::an_end_against_the_next_orphan", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let first = runtime.open_stream(0).unwrap();
        let (shared, sid) = (runtime.clone(), first.sid());
        let plugin = thread::spawn(move || {
            shared.send(sid, NrStatus::StreamEnd, &[]);
            drain(&shared);
        });
        step();
        drop(first);
        let second = runtime.open_stream(0).unwrap();
        let sid = second.sid();
        hold_state(&runtime, sid);
        drop(second);
        plugin.join().unwrap();
        drain(&runtime);
        assert_eq!(marked(), before + 1, "the state was freed before the end");
        runtime.send(sid, NrStatus::StreamEnd, &[]);
        drain(&runtime);
        assert_eq!((marked(), runtime.metrics().buffered, runtime.metrics().in_flight), (before, 0, 0));
    });
}

/// A stream is given up although its plugin holds a pointer, while one of its frames is delivered. Legal: the state stays until the
/// end.
#[test]
fn a_frame_against_an_orphan() {
    model("state::a_frame_against_an_orphan", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let stream = runtime.open_stream(0).unwrap();
        let sid = stream.sid();
        hold_state(&runtime, sid);
        let shared = runtime.clone();
        let plugin = thread::spawn(move || {
            shared.send(sid, NrStatus::Ok, &[]);
            drain(&shared);
        });
        step();
        drop(stream);
        plugin.join().unwrap();
        drain(&runtime);
        assert_eq!(marked(), before + 1, "the state was freed before the end");
        runtime.send(sid, NrStatus::StreamEnd, &[]);
        drain(&runtime);
        assert_eq!((marked(), runtime.metrics().buffered, runtime.metrics().in_flight), (before, 0, 0));
    });
}

/// A call is given up although its plugin holds a pointer, and the plugin never answers. Legal: the reactor, who sleeps, comes to free
/// the slot.
#[test]
fn an_orphan_wakes_the_reactor() {
    model("state::an_orphan_wakes_the_reactor", Bound::Three, || {
        let runtime = Arc::new(small(1, 1));
        let call = runtime.open(0).unwrap();
        hold_state(&runtime, call.sid());
        let shared = runtime.clone();
        let reacting = thread::spawn(move || {
            react_until(shared.reactor(0).unwrap(), || shared.metrics().in_flight == 0);
        });
        drop(call);
        reacting.join().unwrap();
    });
}

/// Stands for a stored value, which loom does not watch.
struct Value(UnsafeCell<()>);

// SAFETY: that it is read before it is freed is what the model below checks; loom watches the cell.
unsafe impl Sync for Value {}
// SAFETY: nothing.
unsafe impl Send for Value {}

/// A stream has ended in an overflow, and its plugin, which holds a pointer, reads a last time and sends the end, while the receiver
/// gives up. Legal: the receiver finds the end there and frees the state, after the plugin has read; or the consumer does.
#[test]
fn the_end_after_an_overflow_against_drop() {
    model("state::the_end_after_an_overflow_against_drop", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let frames = runtime.open_stream(0).unwrap();
        let sid = frames.sid();
        hold_state(&runtime, sid);
        runtime.send_overflow(sid, NrStatus::Ok);
        drain(&runtime);
        let value = Arc::new(Value(UnsafeCell::new(())));
        let plugin = {
            let (runtime, value) = (runtime.clone(), value.clone());
            thread::spawn(move || {
                value.0.with(|_| ());
                runtime.send(sid, NrStatus::StreamEnd, &[]);
                drain(&runtime);
            })
        };
        if frees(|| drop(frames)) {
            value.0.with_mut(|_| ());
        }
        plugin.join().unwrap();
        drain(&runtime);
        assert_eq!((marked(), runtime.metrics().buffered), (before, 0), "the state outlives the terminal frame");
        assert_eq!(runtime.metrics().in_flight, 0);
    });
}
