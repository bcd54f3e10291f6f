//! Unary calls and streams: sids, duplicates, giving up, and the books.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::{
    collections::HashSet,
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    task::{Context, Poll, Waker},
    thread,
};

use nylon_ring_runtime::{INLINE, NrStatus, Runtime, RuntimeError};
use support::{KINDS, assert_books, drain, many, poll_once, small, within};

#[test]
fn many_producers_answer_many_calls() {
    let (rounds, each) = if cfg!(miri) { (4, 10) } else { (100, 100) };
    for (cells, &kind) in [1, 2, 256].into_iter().zip(KINDS.iter().cycle()) {
        within(20, move || {
            let runtime = small(cells, each + 28).doorbell(kind).build().unwrap();
            thread::scope(|scope| {
                let (runtime, mut workers) = (&runtime, Vec::new());
                for _ in 0..4 {
                    let (work, inbox) = mpsc::channel::<(u64, u32)>();
                    workers.push(work);
                    scope.spawn(move || {
                        for (sid, number) in inbox {
                            runtime.send(sid, NrStatus::Ok, &number.to_le_bytes());
                        }
                    });
                }
                let reactor = runtime.reactor(0).unwrap();
                for round in 0..rounds {
                    let calls: Vec<_> = (0..each).map(|_| runtime.open(0).unwrap()).collect();
                    for (number, call) in calls.iter().enumerate() {
                        workers[number % 4].send((call.sid(), round * each + number as u32)).unwrap();
                    }
                    for (number, call) in calls.into_iter().enumerate() {
                        let reply = reactor.block_on(call).unwrap();
                        assert_eq!(&reply[..], (round * each + number as u32).to_le_bytes());
                    }
                }
            });
            let metrics = runtime.metrics();
            let count = u64::from(rounds * each);
            assert_eq!((metrics.opened, metrics.delivered, metrics.in_flight), (count, count, 0));
            assert_books(&metrics, count);
        });
    }
}

#[test]
fn the_first_result_wins_and_the_rest_is_counted() {
    let runtime = small(8, 2).build().unwrap();
    let mut call = runtime.open(0).unwrap();
    for byte in 1..=3 {
        runtime.send(call.sid(), NrStatus::Invalid, &[byte]);
    }
    let reply = call.try_take().unwrap().unwrap();
    assert_eq!((reply.status(), &reply[..]), (NrStatus::Invalid, &[1][..]));
    assert!(matches!(call.try_take(), Some(Err(RuntimeError::Closed))));
    runtime.send(call.sid(), NrStatus::Ok, &[4]);
    drain(&runtime, 0);
    let metrics = runtime.metrics();
    assert_eq!((metrics.delivered, metrics.duplicate, metrics.unknown_sid), (1, 2, 1));
    assert_books(&metrics, 4);
}

#[test]
fn frames_after_the_end_are_dropped() {
    let runtime = small(8, 2).build().unwrap();
    let mut frames = runtime.open_stream(0).unwrap();
    runtime.send(frames.sid(), NrStatus::Ok, b"1");
    runtime.send(frames.sid(), NrStatus::StreamEnd, b"end");
    runtime.send(frames.sid(), NrStatus::Ok, b"2");
    runtime.send(frames.sid(), NrStatus::StreamEnd, b"again");
    assert_eq!(&frames.try_next().unwrap().unwrap()[..], b"1");
    assert_eq!(&frames.try_next().unwrap().unwrap()[..], b"end");
    assert!(matches!(frames.try_next(), Some(Err(RuntimeError::Closed))));
    drain(&runtime, 0);
    let metrics = runtime.metrics();
    assert_eq!((metrics.delivered, metrics.after_end, metrics.in_flight), (2, 2, 0));
    assert_books(&metrics, 4);
}

#[test]
fn no_forged_sid_reaches_a_call() {
    let runtime = Runtime::builder().shards(3).slots(5).cells(2).build().unwrap();
    let mut calls: Vec<_> =
        (0..3).flat_map(|shard| [runtime.open(shard).unwrap(), runtime.open(shard).unwrap()]).collect();
    let open: HashSet<u64> = calls.iter().map(|call| call.sid()).collect();
    let mut sent = 0;
    let mut forge = |sid: u64| {
        if !open.contains(&sid) {
            runtime.send(sid, NrStatus::Ok, b"forged");
            sent += 1;
        }
    };
    [0, 1, u64::MAX, u64::MAX - 1, 1 << 63].into_iter().for_each(&mut forge);
    for &sid in &open {
        (0..64).for_each(|bit| forge(sid ^ (1 << bit)));
        (0..64).for_each(|bit| forge(sid.wrapping_add(1 << bit)));
        forge(sid.rotate_left(32));
    }
    let mut random = 0x2545_f491_4f6c_dd1du64;
    for _ in 0..many(20_000) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        forge(random);
    }
    (0..3).for_each(|shard| drain(&runtime, shard));
    assert!(calls.iter_mut().all(|call| call.try_take().is_none()));
    assert_eq!((runtime.metrics().unknown_sid, runtime.metrics().delivered), (sent, 0));
}

#[test]
fn a_stale_sid_never_reaches_a_later_call() {
    let runtime = small(4, 1).build().unwrap();
    let mut seen = HashSet::new();
    for round in 0..many(2_000) {
        let mut call = runtime.open(0).unwrap();
        assert!(seen.iter().all(|&old: &u64| old != call.sid()));
        for &stale in seen.iter().take(3) {
            runtime.send(stale, NrStatus::Ok, b"stale");
        }
        assert!(call.try_take().is_none());
        if round % 2 == 0 {
            runtime.send(call.sid(), NrStatus::Ok, b"fresh");
            assert_eq!(&call.try_take().unwrap().unwrap()[..], b"fresh");
        }
        seen.insert(call.sid());
    }
    drain(&runtime, 0);
    assert_eq!((runtime.metrics().opened, runtime.metrics().in_flight), (many(2_000) as u64, 0));
}

#[test]
fn a_call_whose_answer_goes_where_its_caller_wants_it() {
    let runtime = small(4, 2).buffer_limit(1 << 20).build().unwrap();
    let mut place = None;
    let mut call = runtime.at(0).unwrap().open_call().unwrap();
    let sid = call.sid();
    assert!(call.is_open() && call.shard() == 0);
    call.inline(&mut place, || runtime.send(sid, NrStatus::Ok, b"at once"));
    assert!(matches!(call.take_delivered(&mut place), Some(Ok(()))));
    assert_eq!(place.take().as_deref(), Some(&b"at once"[..]));
    assert!(matches!(*call.take_delivered(&mut place).unwrap().unwrap_err(), RuntimeError::Closed));
    assert!(!call.is_open());

    let mut call = runtime.at(0).unwrap().open_call().unwrap();
    let sid = call.sid();
    call.inline(&mut place, || ());
    assert!(call.take_delivered(&mut place).is_none() && place.is_none());
    assert_eq!(runtime.metrics().in_flight, 1);
    let mut poll = |place: &mut _| call.poll_into(&mut Context::from_waker(Waker::noop()), place);
    assert!(poll(&mut place).is_pending());
    runtime.send(sid, NrStatus::Ok, b"later");
    drain(&runtime, 0);
    assert!(matches!(poll(&mut place), Poll::Ready(Ok(()))));
    assert_eq!(place.take().as_deref(), Some(&b"later"[..]));

    // Too much, at once and later: nothing is left in the place.
    for at_once in [true, false] {
        let mut call = runtime.at(0).unwrap().open_call().unwrap();
        let sid = call.sid();
        let large = vec![0; 2 << 20];
        let send = || runtime.send(sid, NrStatus::Ok, &large);
        if at_once {
            call.inline(&mut place, send);
        } else {
            send();
            drain(&runtime, 0);
        }
        let error = call.take_delivered(&mut place).unwrap().unwrap_err();
        assert!(matches!(*error, RuntimeError::Overflow { .. }));
        assert!(place.is_none());
    }

    // Refused all the same.
    let mut call = runtime.at(0).unwrap().open_call().unwrap();
    let sid = call.sid();
    call.inline(&mut place, || runtime.send(sid, NrStatus::Ok, &[1; 5000]));
    assert_eq!(runtime.metrics().buffered, 0, "it is the caller's");
    call.refuse(&mut place);
    assert!(place.is_none());
    let m = runtime.metrics();
    assert_eq!((m.in_flight, m.unknown_sid, m.cancelled, m.buffered), (0, 1, 1, 0));

    drop(runtime.at(0).unwrap().open_call().unwrap());
    let m = runtime.metrics();
    assert_eq!((m.in_flight, m.cancelled, m.buffered), (0, 2, 0));
}

/// The seed from which slot 0 of shard 0 starts in generation `wanted`: the inverse of the mixing function.
fn seed_for(wanted: u64) -> u64 {
    let mut z = wanted ^ (wanted >> 31) ^ (wanted >> 62);
    z = z.wrapping_mul(0x3196_42b2_d24d_8ec3);
    z = (z ^ (z >> 27) ^ (z >> 54)).wrapping_mul(0x96de_1b17_3f11_9089);
    z ^ (z >> 30) ^ (z >> 60)
}

#[test]
fn generations_wrap() {
    let runtime = small(4, 1).seed(seed_for(u64::MAX)).build().unwrap();
    let mut last = runtime.open(0).unwrap();
    assert_eq!(last.sid(), !31, "the last generation");
    runtime.send(last.sid(), NrStatus::Ok, b"last");
    assert_eq!(&last.try_take().unwrap().unwrap()[..], b"last");
    let mut first = runtime.open(0).unwrap();
    assert_eq!(first.sid(), 0, "the first generation");
    runtime.send(last.sid(), NrStatus::Ok, b"stale");
    assert!(first.try_take().is_none());
    drop(first);
    assert_eq!(runtime.open(0).unwrap().sid(), 32);
    assert_eq!((runtime.metrics().opened, runtime.metrics().cancelled), (3, 2));
}

#[test]
fn a_storm_of_cancelling_leaves_nothing_behind() {
    for cells in [1, 64] {
        within(20, move || {
            let runtime = small(cells, 32).build().unwrap();
            let sent = AtomicU64::new(0);
            thread::scope(|scope| {
                let (work, inbox) = mpsc::sync_channel::<u64>(64);
                let (runtime, sent) = (&runtime, &sent);
                let inbox = std::sync::Arc::new(std::sync::Mutex::new(inbox));
                for _ in 0..2 {
                    let inbox = inbox.clone();
                    scope.spawn(move || {
                        loop {
                            let next = inbox.lock().unwrap().recv();
                            let Ok(sid) = next else { return };
                            for status in [NrStatus::Ok, NrStatus::Ok, NrStatus::StreamEnd] {
                                runtime.send(sid, status, &[7; 300]);
                                sent.fetch_add(1, Relaxed);
                            }
                        }
                    });
                }
                let callers: Vec<_> = (0..2)
                    .map(|caller| {
                        let work = work.clone();
                        scope.spawn(move || {
                            for round in 0..many(4_000) {
                                if (round + caller) % 2 == 0 {
                                    let mut call = runtime.open(0).unwrap();
                                    work.send(call.sid()).unwrap();
                                    let _ = poll_once(&mut call);
                                } else {
                                    let mut frames = runtime.open_stream(0).unwrap();
                                    work.send(frames.sid()).unwrap();
                                    let _ = frames.try_next();
                                }
                            }
                        })
                    })
                    .collect();
                drop(work);
                callers.into_iter().for_each(|caller| caller.join().unwrap());
            });
            drain(&runtime, 0);
            let metrics = runtime.metrics();
            let count = 2 * many(4_000) as u64;
            assert_eq!((metrics.opened, metrics.in_flight, metrics.buffered), (count, 0, 0), "{metrics:?}");
            assert_books(&metrics, sent.load(Relaxed));
        });
    }
}

#[test]
fn slots_run_out_and_come_back() {
    let runtime = small(4, 3).build().unwrap();
    let calls: Vec<_> = (0..3).map(|_| runtime.open(0).unwrap()).collect();
    assert!(matches!(runtime.open(0), Err(RuntimeError::Full { limit: 3 })));
    assert!(matches!(runtime.open_stream(0), Err(RuntimeError::Full { limit: 3 })));
    assert!(matches!(runtime.open(1), Err(RuntimeError::NoSuchShard { index: 1, shards: 1 })));
    drop(calls);
    assert_eq!((0..3).map(|_| runtime.open(0).unwrap()).collect::<Vec<_>>().len(), 3);
}

#[test]
fn payloads_of_every_size_arrive_whole() {
    let runtime = small(4, 2).build().unwrap();
    let large = if cfg!(miri) { [5_000, 10_000] } else { [1 << 20, 64 << 20] };
    for len in [0, 1, INLINE - 1, INLINE, INLINE + 1, 4096, 4097].into_iter().chain(large) {
        let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        let mut call = runtime.open(0).unwrap();
        runtime.send(call.sid(), NrStatus::Ok, &bytes);
        let reply = call.try_take().unwrap().unwrap();
        assert!(reply.into_vec() == bytes, "{len} bytes");
        let mut frames = runtime.open_stream(0).unwrap();
        runtime.send(frames.sid(), NrStatus::StreamEnd, &bytes);
        assert!(frames.try_next().unwrap().unwrap()[..] == bytes, "{len} bytes in a stream");
    }
    assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
}

#[test]
fn refusing_frees_the_slot_and_its_state_at_once() {
    let runtime = small(4, 1).build().unwrap();
    let call = runtime.open(0).unwrap();
    let sid = call.sid();
    runtime.set_state(sid, "k", b"v").unwrap();
    assert!(runtime.get_state(sid, "k").is_some());
    call.refuse();
    assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
    let frames = runtime.open_stream(0).unwrap();
    runtime.send(frames.sid(), NrStatus::Ok, b"1");
    frames.refuse();
    drain(&runtime, 0);
    assert_eq!((runtime.metrics().unknown_sid, runtime.metrics().in_flight), (1, 0));
}

#[test]
fn settings_out_of_range_are_refused() {
    for builder in [
        Runtime::builder().shards(0),
        Runtime::builder().shards(1025),
        Runtime::builder().slots(0),
        Runtime::builder().cells(0),
        Runtime::builder().cells((1 << 24) + 1),
    ] {
        assert!(matches!(builder.build(), Err(RuntimeError::Setting { .. })));
    }
}

#[test]
fn what_is_in_flight() {
    let runtime = Runtime::builder().shards(2).slots(4).cells(2).build().unwrap();
    let seen = |runtime: &Runtime| {
        let mut seen: Vec<_> = runtime.in_flight().map(|call| (call.sid, call.handing_over)).collect();
        seen.sort_unstable();
        seen
    };
    assert_eq!(seen(&runtime), []);
    let (mut call, mut frames) = (runtime.open(0).unwrap(), runtime.open_stream(1).unwrap());
    let (unary, stream) = (call.sid(), frames.sid());
    assert_eq!(seen(&runtime).iter().filter(|(_, handing_over)| *handing_over).count(), 2);
    call.inline(|| assert!(seen(&runtime).contains(&(unary, true))));
    frames.inline(|| assert!(seen(&runtime).contains(&(unary, false)) && seen(&runtime).contains(&(stream, true))));
    assert!(seen(&runtime).contains(&(stream, false)));
    runtime.send(unary, NrStatus::Ok, b"answered, and not taken");
    drain(&runtime, 0);
    assert_eq!(seen(&runtime).len(), 2);
    assert!(call.try_take().is_some());
    drop(frames);
    assert_eq!(seen(&runtime), []);
    let again = runtime.open(0).unwrap();
    assert_eq!(seen(&runtime), [(again.sid(), true)]);
    assert_ne!(again.sid(), unary);
}
