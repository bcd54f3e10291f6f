//! State per call: set, get, and how long what was got stays valid.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::ptr::NonNull;

use nylon_ring_runtime::{NrStatus, Runtime, RuntimeError};
use support::{drain, many, poll_once, small};

fn text(value: NonNull<[u8]>) -> Vec<u8> {
    // SAFETY: the callers have not sent the terminal result of the sid.
    unsafe { value.as_ref() }.to_vec()
}

#[test]
fn the_latest_value_wins_and_earlier_pointers_stay_valid() {
    let runtime = small(4, 2).build().unwrap();
    let call = runtime.open(0).unwrap();
    assert!(runtime.get_state(call.sid(), "user").is_none());
    runtime.set_state(call.sid(), "user", b"ann").unwrap();
    let first = runtime.get_state(call.sid(), "user").unwrap();
    runtime.set_state(call.sid(), "user", b"bob").unwrap();
    runtime.set_state(call.sid(), "empty", b"").unwrap();
    assert_eq!(text(first), b"ann");
    assert_eq!(text(runtime.get_state(call.sid(), "user").unwrap()), b"bob");
    assert_eq!(text(runtime.get_state(call.sid(), "empty").unwrap()), b"");
    assert!(runtime.get_state(call.sid(), "users").is_none());
    assert!(runtime.metrics().buffered > 0);
}

#[test]
fn state_belongs_to_one_open_call() {
    let runtime = small(4, 2).build().unwrap();
    let (call, other) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
    runtime.set_state(call.sid(), "k", b"v").unwrap();
    assert!(runtime.get_state(other.sid(), "k").is_none());
    for bit in 0..64 {
        let forged = call.sid() ^ (1 << bit);
        if forged != other.sid() {
            assert!(matches!(runtime.set_state(forged, "k", b"x"), Err(RuntimeError::UnknownSid)), "bit {bit}");
            assert!(runtime.get_state(forged, "k").is_none(), "bit {bit}");
        }
    }
    let sid = call.sid();
    drop(call);
    assert!(runtime.get_state(sid, "k").is_none());
    assert!(matches!(runtime.set_state(sid, "k", b"x"), Err(RuntimeError::UnknownSid)));
    assert_eq!(runtime.metrics().buffered, 0);
}

/// A plugin that has answered is done with the state, whether its answer was taken or not.
#[test]
fn state_goes_with_an_answer_that_was_given_at_once() {
    let runtime = small(4, 1).build().unwrap();
    for refused in [false, true] {
        let mut call = runtime.open(0).unwrap();
        let sid = call.sid();
        call.inline(|| {
            runtime.set_state(sid, "k", &[7; 100]).unwrap();
            assert!(runtime.get_state(sid, "k").is_some());
            runtime.send(sid, NrStatus::Ok, b"done");
        });
        if refused {
            call.refuse()
        } else {
            drop(call)
        }
        assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
    }
}

#[test]
fn state_goes_with_the_result_that_is_taken() {
    let runtime = small(4, 1).build().unwrap();
    let mut call = runtime.open(0).unwrap();
    runtime.set_state(call.sid(), "k", &[7; 100]).unwrap();
    assert!(runtime.get_state(call.sid(), "k").is_some());
    runtime.send(call.sid(), NrStatus::Ok, b"done");
    assert_eq!(&call.try_take().unwrap().unwrap()[..], b"done");
    assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
    let next = runtime.open(0).unwrap();
    assert!(runtime.get_state(next.sid(), "k").is_none());
}

#[test]
fn state_is_bounded_by_the_buffer_limit() {
    let runtime = small(4, 1).buffer_limit(1000).build().unwrap();
    let call = runtime.open(0).unwrap();
    runtime.set_state(call.sid(), "k", &[7; 900]).unwrap();
    assert!(matches!(runtime.set_state(call.sid(), "l", b""), Err(RuntimeError::Overflow { limit: 1000 })));
    drop(call);
    assert_eq!(runtime.metrics().buffered, 0);
}

/// Gives a call up while its plugin holds a pointer; returns the sid and the pointer.
fn orphan(runtime: &Runtime) -> (u64, NonNull<[u8]>) {
    let call = runtime.open(0).unwrap();
    let sid = call.sid();
    runtime.set_state(sid, "k", &[7; 100]).unwrap();
    let value = runtime.get_state(sid, "k").unwrap();
    drop(call);
    (sid, value)
}

#[test]
fn what_the_plugin_holds_outlives_the_caller_until_the_terminal_result() {
    let runtime = small(4, 1).build().unwrap();
    let (sid, value) = orphan(&runtime);
    assert_eq!(text(value), [7; 100]);
    assert!(runtime.get_state(sid, "k").is_none(), "a call that was given up is not open");
    drain(&runtime, 0);
    // The slot is free again, the state is not.
    let mut next = runtime.open(0).unwrap();
    runtime.set_state(next.sid(), "k", &[8; 100]).unwrap();
    assert_eq!(text(value), [7; 100]);
    assert!(poll_once(&mut next).is_pending());
    drop(next);
    assert!(runtime.metrics().buffered > 0);
    runtime.send(sid, NrStatus::Err, b"");
    drain(&runtime, 0);
    assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
}

#[test]
fn the_terminal_result_may_come_before_the_state_was_put_aside() {
    let runtime = small(4, 1).build().unwrap();
    let (sid, _) = orphan(&runtime);
    runtime.send(sid, NrStatus::Ok, b"");
    runtime.send(sid, NrStatus::Ok, b"");
    drain(&runtime, 0);
    assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
    assert_eq!(runtime.metrics().unknown_sid, 2);
}

/// The terminal result finds the ring full: it must free the state all the same, before and after the consumer has put it
/// aside.
#[test]
fn the_terminal_result_frees_the_state_through_a_full_ring() {
    for put_aside in [false, true] {
        let runtime = small(1, 2).build().unwrap();
        let (sid, _) = orphan(&runtime);
        if put_aside {
            drain(&runtime, 0);
        }
        let other = runtime.open(0).unwrap();
        runtime.send(other.sid(), NrStatus::Ok, b"fills the one cell");
        runtime.send(sid, NrStatus::Ok, b"");
        drain(&runtime, 0);
        drop(other);
        assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0), "put aside: {put_aside}");
        support::assert_books(&runtime.metrics(), 2);
    }
}

/// An overflow ends the stream for its receiver, but the plugin does not know: what it holds must stay valid.
#[test]
fn what_the_plugin_holds_outlives_an_overflow() {
    for cells in [1, 8] {
        let runtime = small(cells, 2).buffer_limit(10_000).build().unwrap();
        let filler = runtime.open(0).unwrap();
        let mut frames = runtime.open_stream(0).unwrap();
        let sid = frames.sid();
        runtime.set_state(sid, "k", &[7; 1000]).unwrap();
        let value = runtime.get_state(sid, "k").unwrap();
        runtime.send(filler.sid(), NrStatus::Ok, b"");
        runtime.send(sid, NrStatus::Ok, &[0; 20_000]);
        let frame = frames.try_next().unwrap().unwrap();
        assert!(frame.is_overflow() && frame.status() == NrStatus::Err);
        drop(frames);
        drain(&runtime, 0);
        assert!(runtime.metrics().buffered >= 1000, "the state was freed while the plugin may read it");
        assert_eq!(text(value), [7; 1000]);
        runtime.send(sid, NrStatus::Ok, b"still at it");
        drain(&runtime, 0);
        assert!(runtime.metrics().buffered >= 1000);
        runtime.send(sid, NrStatus::StreamEnd, b"");
        drain(&runtime, 0);
        drop(filler);
        assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
    }
}

/// The same, and the frame is sent by the receiver's own thread.
#[test]
fn what_the_plugin_holds_outlives_an_overflow_inside_a_scope() {
    let runtime = small(8, 1).buffer_limit(10_000).build().unwrap();
    let mut frames = runtime.open_stream(0).unwrap();
    let sid = frames.sid();
    let value = frames.inline(|| {
        runtime.set_state(sid, "k", &[7; 1000]).unwrap();
        let value = runtime.get_state(sid, "k").unwrap();
        runtime.send(sid, NrStatus::Ok, &[0; 20_000]);
        value
    });
    assert!(frames.try_next().unwrap().unwrap().is_overflow());
    drop(frames);
    drain(&runtime, 0);
    assert!(runtime.metrics().buffered >= 1000, "the state was freed while the plugin may read it");
    assert_eq!(text(value), [7; 1000]);
    runtime.send(sid, NrStatus::StreamEnd, b"");
    drain(&runtime, 0);
    assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
}

/// The same, and the terminal frame comes before the receiver has looked.
#[test]
fn the_end_after_an_overflow_frees_the_state() {
    let runtime = small(8, 1).buffer_limit(10_000).build().unwrap();
    let mut frames = runtime.open_stream(0).unwrap();
    let sid = frames.sid();
    runtime.set_state(sid, "k", &[7; 1000]).unwrap();
    assert!(runtime.get_state(sid, "k").is_some());
    runtime.send(sid, NrStatus::Ok, &[0; 20_000]);
    runtime.send(sid, NrStatus::StreamEnd, b"");
    drain(&runtime, 0);
    assert!(frames.try_next().unwrap().unwrap().is_overflow());
    drop(frames);
    drain(&runtime, 0);
    assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
}

/// A frame that the plugin could not even hand over ends the stream for its receiver, and nothing for the plugin.
#[test]
fn what_the_plugin_holds_outlives_a_frame_it_could_not_hand_over() {
    let runtime = small(8, 1).build().unwrap();
    let mut frames = runtime.open_stream(0).unwrap();
    let sid = frames.sid();
    runtime.set_state(sid, "k", &[7; 100]).unwrap();
    let value = runtime.get_state(sid, "k").unwrap();
    runtime.send_overflow(sid, NrStatus::Ok);
    drain(&runtime, 0);
    assert!(frames.try_next().unwrap().unwrap().is_overflow());
    drop(frames);
    drain(&runtime, 0);
    assert_eq!(text(value), [7; 100]);
    assert!(runtime.metrics().buffered > 0, "the state was freed while the plugin may read it");
    runtime.send_overflow(sid, NrStatus::StreamEnd);
    drain(&runtime, 0);
    assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
}

/// State that the plugin holds fills more than the half of the limit that is left to overflowing records, and the ring is full:
/// what ends the call must get through all the same, or the state would never be freed.
#[test]
fn the_terminal_result_frees_the_state_past_the_limit() {
    for (put_aside, len) in [(false, 0), (true, 0), (true, 30), (true, 200)] {
        let runtime = small(1, 2).buffer_limit(1024).build().unwrap();
        let call = runtime.open(0).unwrap();
        let sid = call.sid();
        runtime.set_state(sid, "k", &[7; 800]).unwrap();
        assert!(runtime.get_state(sid, "k").is_some());
        drop(call);
        if put_aside {
            drain(&runtime, 0);
        }
        let other = runtime.open(0).unwrap();
        runtime.send(other.sid(), NrStatus::Ok, b"fills the one cell");
        runtime.send(sid, NrStatus::Ok, &vec![1; len]);
        drain(&runtime, 0);
        drop(other);
        assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0), "put aside: {put_aside}");
        support::assert_books(&runtime.metrics(), 2);
    }
}

/// The same with a stream, one of whose frames has been turned into an overflow on the way.
#[test]
fn the_end_of_a_stream_frees_the_state_past_the_limit() {
    for (receiver_stays, put_aside) in [(true, false), (false, false), (false, true)] {
        let runtime = small(1, 2).buffer_limit(1024).build().unwrap();
        let filler = runtime.open(0).unwrap();
        let frames = runtime.open_stream(0).unwrap();
        let sid = frames.sid();
        runtime.set_state(sid, "k", &[7; 800]).unwrap();
        assert!(runtime.get_state(sid, "k").is_some());
        let mut frames = Some(frames).filter(|_| receiver_stays);
        if put_aside {
            drain(&runtime, 0);
        }
        runtime.send(filler.sid(), NrStatus::Ok, b"fills the one cell");
        (0..20).for_each(|_| runtime.send(sid, NrStatus::Ok, &[1; 100]));
        runtime.send(sid, NrStatus::StreamEnd, b"");
        drain(&runtime, 0);
        if let Some(frames) = &mut frames {
            assert!(frames.try_next().unwrap().unwrap().is_overflow());
        }
        drop((filler, frames));
        drain(&runtime, 0);
        assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0), "{receiver_stays} {put_aside}");
        support::assert_books(&runtime.metrics(), 22);
    }
}

/// The same with more orphans than there are slots, and with shards that have used up what they share.
#[test]
fn every_orphan_past_the_limit_is_freed() {
    let runtime = small(1, 2).shards(2).buffer_limit(1024).build().unwrap();
    let orphans: Vec<u64> = [(0, 200), (0, 200), (0, 200), (1, 300)]
        .into_iter()
        .map(|(shard, len)| {
            let call = runtime.open(shard).unwrap();
            runtime.set_state(call.sid(), "k", &vec![7; len]).unwrap();
            assert!(runtime.get_state(call.sid(), "k").is_some());
            let sid = call.sid();
            drop(call);
            drain(&runtime, shard);
            sid
        })
        .collect();
    let fillers = [0, 1].map(|shard| runtime.open(shard).unwrap());
    fillers.iter().for_each(|filler| runtime.send(filler.sid(), NrStatus::Ok, b"fills the one cell"));
    orphans.iter().for_each(|&sid| runtime.send(sid, NrStatus::Err, b"failed"));
    drop(fillers);
    [0, 1].into_iter().for_each(|shard| drain(&runtime, shard));
    assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
    support::assert_books(&runtime.metrics(), 6);
}

/// Marks for sids that nobody knows are let past the limit while state waits for one of them, and not without end.
#[test]
fn a_flood_of_stale_results_past_the_limit_is_bounded() {
    let runtime = small(1, 2).buffer_limit(1024).build().unwrap();
    let (sid, _) = {
        let call = runtime.open(0).unwrap();
        runtime.set_state(call.sid(), "k", &[7; 800]).unwrap();
        (call.sid(), runtime.get_state(call.sid(), "k").unwrap())
    };
    drain(&runtime, 0);
    let other = runtime.open(0).unwrap();
    runtime.send(other.sid(), NrStatus::Ok, b"fills the one cell");
    let stale = sid ^ (1 << 40);
    let count = many(100_000) as u64;
    (0..count).for_each(|_| runtime.send(stale, NrStatus::Ok, &[1; 100]));
    // Four for each slot, sixteen for each cell, one for each orphan.
    assert!(runtime.metrics().unknown_sid >= count - 25, "{:?}", runtime.metrics());
    // They take nothing away from others.
    assert!(runtime.metrics().buffered < 1024);
    drain(&runtime, 0);
    drop(other);
    runtime.send(sid, NrStatus::Ok, b"");
    drain(&runtime, 0);
    assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
    support::assert_books(&runtime.metrics(), count + 2);
}

/// Other results for calls that are over wait in front of the one that frees the state: no flood, but more than there are calls.
#[test]
fn the_end_of_an_orphan_finds_room_behind_stale_results() {
    let runtime = small(8, 2).build().unwrap();
    let (sid, _) = orphan(&runtime);
    drain(&runtime, 0);
    let stale = sid ^ (1 << 40);
    (0..8 + 100).for_each(|_| runtime.send(stale, NrStatus::Ok, b""));
    runtime.send(sid, NrStatus::Ok, b"");
    drain(&runtime, 0);
    assert_eq!(runtime.metrics().buffered, 0, "the terminal result was dropped at the door");
}

/// Slots that wait for the consumer to put their state aside are found by who needs one.
#[test]
fn the_slot_of_an_orphan_is_free_without_a_reactor() {
    let runtime = small(4, 1).build().unwrap();
    let (first, _) = orphan(&runtime);
    let (second, _) = orphan(&runtime);
    assert_ne!(first, second);
}
