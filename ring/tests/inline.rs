//! Inline scopes: answers that come on the caller's own thread wake nobody, and keep nobody from waking.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Wake, Waker},
    thread,
};

use nylon_ring_runtime::{DoorbellKind, NrStatus, Receiver, Runtime, RuntimeError, TrySendError, Turn};
use support::{many, small};

fn rung(runtime: &Runtime, shard: usize) -> bool {
    let reactor = runtime.reactor(shard).unwrap();
    reactor.doorbell().poll_rung(&mut Context::from_waker(Waker::noop())).is_ready()
}

/// Two shards, whose reactors have armed their rings and sleep.
fn asleep() -> Runtime {
    let runtime = Runtime::builder()
        .shards(2)
        .slots(if cfg!(miri) { 8 } else { 256 })
        .cells(64)
        .doorbell(DoorbellKind::Waker)
        .build()
        .unwrap();
    for shard in 0..2 {
        assert_eq!(runtime.reactor(shard).unwrap().turn(64), Turn::Sleep);
    }
    runtime
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn sent(runtime: &Runtime) -> u64 {
    let m = runtime.metrics();
    m.delivered + m.unknown_sid + m.duplicate + m.after_end + m.overflow_dropped
}

#[test]
fn an_inline_answer_does_not_ring() {
    let runtime = asleep();
    for _ in 0..many(200) {
        let mut call = runtime.open(0).unwrap();
        let sid = call.sid();
        call.inline(|| runtime.send(sid, NrStatus::Ok, b"x"));
        assert_eq!(&call.try_take().unwrap().unwrap()[..], b"x");
    }
    assert!(!rung(&runtime, 0));
    assert_eq!((sent(&runtime), runtime.metrics().in_flight), (many(200) as u64, 0));
    // The reactor is armed still: the next answer from anywhere rings.
    let call = runtime.open(0).unwrap();
    runtime.send(call.sid(), NrStatus::Ok, b"x");
    assert!(rung(&runtime, 0));
}

/// A record that goes through the ring inside the scope takes the mark, and the scope puts it back.
#[test]
fn a_record_for_another_call_of_the_shard_does_not_ring() {
    let runtime = asleep();
    let (mut here, mut other) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
    let sid = other.sid();
    here.inline(|| {
        runtime.send(sid, NrStatus::Ok, b"other");
        runtime.send(sid, NrStatus::Ok, b"and again");
    });
    assert!(!rung(&runtime, 0));
    assert_eq!(&other.try_take().unwrap().unwrap()[..], b"other");
    assert!(here.try_take().is_none());
    runtime.send(here.sid(), NrStatus::Ok, b"here");
    assert!(rung(&runtime, 0));
}

#[test]
fn what_is_sent_for_another_stream_goes_there() {
    let runtime = asleep();
    let (mut here, mut other) = (runtime.open_stream(0).unwrap(), runtime.open_stream(0).unwrap());
    let sids = [here.sid(), other.sid()];
    here.inline(|| {
        for (i, frame) in [b"0", b"1", b"2", b"3"].into_iter().enumerate() {
            runtime.send(sids[i % 2], NrStatus::Ok, frame);
        }
    });
    for (stream, frames) in [(&mut here, [b"0", b"2"]), (&mut other, [b"1", b"3"])] {
        for frame in frames {
            assert_eq!(&stream.try_next().unwrap().unwrap()[..], frame);
        }
        assert!(stream.try_next().is_none());
    }
}

#[test]
fn an_answer_for_another_shard_rings() {
    let runtime = asleep();
    let (mut here, there) = (runtime.open(0).unwrap(), runtime.open(1).unwrap());
    here.inline(|| runtime.send(there.sid(), NrStatus::Ok, b"x"));
    assert!(rung(&runtime, 1));
    assert!(!rung(&runtime, 0));
}

#[test]
fn the_first_answer_counts_whichever_way_it_came() {
    let runtime = asleep();
    // Two on this thread.
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| {
        runtime.send(sid, NrStatus::Ok, b"first");
        runtime.send(sid, NrStatus::Err, b"second");
    });
    assert_eq!(&call.try_take().unwrap().unwrap()[..], b"first");
    assert_eq!(runtime.metrics().duplicate, 1);
    // One that another thread sent before, through the ring.
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| {
        thread::scope(|scope| scope.spawn(|| runtime.send(sid, NrStatus::Ok, b"ring")).join().unwrap());
        runtime.send(sid, NrStatus::Ok, b"inline");
    });
    assert_eq!(&call.try_take().unwrap().unwrap()[..], b"ring");
    // The same, drained before the inline answer.
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| {
        thread::scope(|scope| scope.spawn(|| runtime.send(sid, NrStatus::Ok, b"ring")).join().unwrap());
        let _ = runtime.reactor(0).unwrap().drain(64);
        runtime.send(sid, NrStatus::Ok, b"inline");
    });
    assert_eq!(&call.try_take().unwrap().unwrap()[..], b"ring");
    // One that comes through the ring, and is delivered, after the inline answer.
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| {
        runtime.send(sid, NrStatus::Ok, b"inline");
        thread::scope(|scope| scope.spawn(|| runtime.send(sid, NrStatus::Ok, b"ring")).join().unwrap());
        let _ = runtime.reactor(0).unwrap().drain(64);
    });
    assert_eq!(&call.try_take().unwrap().unwrap()[..], b"inline");
    let _ = runtime.reactor(0).unwrap().turn(64);
    assert_eq!((sent(&runtime), runtime.metrics().delivered, runtime.metrics().in_flight), (8, 4, 0));
}

#[test]
fn an_answer_of_the_caller_itself_takes_its_waker_along() {
    let runtime = asleep();
    let (woken, mut call) = (Arc::new(Woken::default()), runtime.open(0).unwrap());
    let waker = Waker::from(woken.clone());
    assert!(Pin::new(&mut call).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    let sid = call.sid();
    call.inline(|| runtime.send(sid, NrStatus::Ok, b"inside"));
    assert_eq!(&call.try_take().unwrap().unwrap()[..], b"inside");
    assert_eq!((Arc::strong_count(&woken), woken.0.load(SeqCst)), (1, 0));
}

#[test]
fn a_sid_ends_with_the_answer_of_its_own_thread() {
    let runtime = small(4, 1).build().unwrap();
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| runtime.send(sid, NrStatus::Ok, b"first"));
    assert!(call.try_take().is_some());
    let mut next = runtime.open(0).unwrap();
    assert_ne!(next.sid(), sid);
    runtime.send(sid, NrStatus::Ok, b"late");
    assert!(next.try_take().is_none());
    assert_eq!(runtime.metrics().unknown_sid, 1);
}

#[test]
fn a_scope_keeps_nothing_of_another_runtime() {
    let [one, other] = [(), ()].map(|()| small(4, 4).seed(7).build().unwrap());
    let (mut call, mut namesake) = (one.open(0).unwrap(), other.open(0).unwrap());
    let sid = call.sid();
    assert_eq!(sid, namesake.sid());
    call.inline(|| other.send(sid, NrStatus::Ok, b"other"));
    assert!(call.try_take().is_none());
    assert_eq!(&namesake.try_take().unwrap().unwrap()[..], b"other");
}

#[test]
fn the_first_of_two_scopes_counts() {
    let runtime = asleep();
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| runtime.send(sid, NrStatus::Ok, &[1; 5000]));
    call.inline(|| runtime.send(sid, NrStatus::Ok, b"2"));
    assert_eq!(call.try_take().unwrap().unwrap()[..], [1; 5000]);
    let m = runtime.metrics();
    assert_eq!((m.duplicate, m.buffered, sent(&runtime)), (1, 0, 2));
}

/// However scopes are nested: a record is either served, or its reactor is rung for.
#[test]
fn nested_scopes_pay_their_debts() {
    for shards in [[0, 1], [1, 0], [0, 0]] {
        let runtime = asleep();
        let [mut outer, mut inner] = shards.map(|shard| runtime.open(shard).unwrap());
        let sids = [outer.sid(), inner.sid()];
        let send = |text: &[u8]| sids.iter().for_each(|sid| runtime.send(*sid, NrStatus::Ok, text));
        outer.inline(|| {
            inner.inline(|| send(b"inner"));
            send(b"outer");
        });
        for (call, first) in [(&mut inner, "inner"), (&mut outer, "inner")] {
            assert_eq!(&call.try_take().unwrap().unwrap()[..], first.as_bytes(), "shards {shards:?}");
        }
        for shard in 0..2 {
            while runtime.reactor(shard).unwrap().turn(64) == Turn::More {}
            let later = runtime.open(shard).unwrap();
            runtime.send(later.sid(), NrStatus::Ok, b"x");
            assert!(rung(&runtime, shard), "a scope was left behind: shards {shards:?}");
        }
        assert_eq!(sent(&runtime), 4 + 2 - 2, "what was sent later is not drained yet");
    }
}

#[test]
fn a_scope_that_unwinds_pays_too() {
    let runtime = asleep();
    let (mut call, mut other) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
    let sid = other.sid();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        call.inline(|| {
            runtime.send(sid, NrStatus::Ok, b"x");
            panic!("in the scope");
        })
    }));
    assert!(unwound.is_err());
    assert!(other.try_take().is_some());
    runtime.send(call.sid(), NrStatus::Ok, b"x");
    assert!(rung(&runtime, 0));
}

#[test]
fn a_scope_serves_more_than_a_batch() {
    let (room, count) = if cfg!(miri) { (128, 100) } else { (1024, 1000) };
    let runtime = small(room, room as u32).build().unwrap();
    let mut calls: Vec<_> = (0..count).map(|_| runtime.open(0).unwrap()).collect();
    let sids: Vec<_> = calls.iter().map(|call| call.sid()).collect();
    calls[0].inline(|| sids.iter().for_each(|sid| runtime.send(*sid, NrStatus::Ok, b"x")));
    assert!(calls.iter_mut().all(|call| call.try_take().is_some()));
}

#[test]
fn large_and_refused_answers_are_accounted_for() {
    let runtime = Runtime::builder().shards(1).slots(16).cells(16).buffer_limit(1 << 20).build().unwrap();
    let large = vec![7; 1 << 19];
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| runtime.send(sid, NrStatus::Ok, &large));
    assert_eq!(call.try_take().unwrap().unwrap().len(), large.len());
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| runtime.send(sid, NrStatus::Ok, &vec![7; 2 << 20]));
    assert!(matches!(call.try_take(), Some(Err(RuntimeError::Overflow { .. }))));
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| runtime.send(sid, NrStatus::Ok, &large));
    call.refuse();
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| runtime.send(sid, NrStatus::Ok, &large));
    drop(call);
    let m = runtime.metrics();
    assert_eq!((m.buffered, m.in_flight, sent(&runtime)), (0, 0, 4));
}

/// All frames of a stream that are there.
fn taken(stream: &mut Receiver<'_>) -> Vec<u8> {
    std::iter::from_fn(|| stream.try_next()?.ok()).map(|frame| frame.first().copied().unwrap_or(0)).collect()
}

#[test]
fn frames_that_the_receivers_thread_sends_are_kept() {
    let runtime = asleep();
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    // More than two runs of them.
    let frames: Vec<u8> = (1..=40).collect();
    stream.inline(|| {
        frames.iter().for_each(|byte| runtime.send(sid, NrStatus::Ok, &[*byte; 50]));
        runtime.send(sid, NrStatus::StreamEnd, &[41]);
    });
    let m = runtime.metrics();
    assert_eq!((m.drained, m.delivered, m.in_flight), (0, 41, 1));
    assert!(m.buffered >= 40 * 50);
    assert_eq!(taken(&mut stream), (1..=41).collect::<Vec<u8>>());
    let m = runtime.metrics();
    assert_eq!((m.buffered, m.in_flight, m.cancelled, m.abandoned, sent(&runtime)), (0, 0, 0, 0, 41));
    assert!(!rung(&runtime, 0));
}

#[test]
fn what_comes_after_the_end_of_a_kept_stream_is_dropped() {
    let runtime = asleep();
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    stream.inline(|| {
        runtime.send(sid, NrStatus::StreamEnd, &[1]);
        runtime.send(sid, NrStatus::Ok, &[2]);
        thread::scope(|scope| scope.spawn(|| runtime.send(sid, NrStatus::Ok, &[3])).join().unwrap());
    });
    let _ = runtime.reactor(0).unwrap().turn(64);
    assert_eq!(taken(&mut stream), [1]);
    let m = runtime.metrics();
    assert_eq!((m.after_end, m.delivered, m.abandoned, m.buffered, m.in_flight), (2, 1, 0, 0, 0));
}

/// Whatever another thread sends in between, by the ring, comes in between.
#[test]
fn kept_frames_and_those_of_another_thread_stay_in_order() {
    for drain in [false, true] {
        let runtime = asleep();
        let mut stream = runtime.open_stream(0).unwrap();
        let sid = stream.sid();
        let elsewhere = |byte: u8| {
            thread::scope(|scope| scope.spawn(|| runtime.send(sid, NrStatus::Ok, &[byte])).join().unwrap());
            if drain {
                let _ = runtime.reactor(0).unwrap().drain(64);
            }
        };
        stream.inline(|| {
            runtime.send(sid, NrStatus::Ok, &[1]);
            elsewhere(2);
            runtime.send(sid, NrStatus::Ok, &[3]);
            elsewhere(4);
        });
        stream.inline(|| runtime.send(sid, NrStatus::Ok, &[5]));
        elsewhere(6);
        let _ = runtime.reactor(0).unwrap().drain(64);
        assert_eq!(taken(&mut stream), [1, 2, 3, 4, 5, 6], "drained in between: {drain}");
        drop(stream);
        assert_eq!((sent(&runtime), runtime.metrics().buffered), (6, 0));
    }
}

#[test]
fn a_second_scope_keeps_nothing_while_frames_of_the_first_wait() {
    let runtime = asleep();
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    (1..=3).for_each(|byte| stream.inline(|| runtime.send(sid, NrStatus::Ok, &[byte])));
    assert_eq!(taken(&mut stream), [1, 2, 3]);
    // When all are taken, a scope keeps again.
    let drained = runtime.metrics().drained;
    stream.inline(|| runtime.send(sid, NrStatus::StreamEnd, &[4]));
    assert_eq!(taken(&mut stream), [4]);
    assert_eq!((drained, runtime.metrics().drained), (2, 2));
}

#[test]
fn a_scope_keeps_nothing_behind_frames_that_wait() {
    let runtime = asleep();
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    (1..=3).for_each(|byte| runtime.send(sid, NrStatus::Ok, &[byte]));
    assert_eq!(stream.try_next().unwrap().unwrap()[..], [1]);
    stream.inline(|| runtime.send(sid, NrStatus::StreamEnd, &[4]));
    assert_eq!(taken(&mut stream), [2, 3, 4]);
    drop(stream);
    assert_eq!((sent(&runtime), runtime.metrics().buffered), (4, 0));
}

#[test]
fn kept_frames_are_accounted_for_when_nobody_takes_them() {
    let runtime = asleep();
    let send = |sid| (0..20).for_each(|_| runtime.send(sid, NrStatus::Ok, &[7; 5000]));
    // Dropped, refused, and left by a panic.
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    stream.inline(|| send(sid));
    drop(stream);
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    stream.inline(|| send(sid));
    stream.refuse();
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        stream.inline(|| {
            send(sid);
            panic!("in the scope");
        })
    }));
    assert!(unwound.is_err());
    drop(stream);
    let m = runtime.metrics();
    assert_eq!((m.buffered, m.in_flight, m.cancelled, m.delivered, m.abandoned), (0, 0, 3, 60, 60));
}

#[test]
fn kept_frames_count_against_the_buffer_limit() {
    let runtime = Runtime::builder().shards(1).slots(16).cells(16).buffer_limit(1 << 16).build().unwrap();
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    stream.inline(|| (0..100).for_each(|_| runtime.send(sid, NrStatus::Ok, &[7; 2000])));
    assert!(runtime.metrics().buffered <= 1 << 16);
    let frames: Vec<_> = std::iter::from_fn(|| stream.try_next()?.ok()).collect();
    assert!(frames.len() > 20 && frames.last().unwrap().is_overflow());
    drop(frames);
    assert_eq!((runtime.metrics().buffered, runtime.metrics().overflowed), (0, 1));
    drop(stream);
    // Short ones count by the run.
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    stream.inline(|| (0..2000).for_each(|_| runtime.send(sid, NrStatus::Ok, &[7])));
    assert!(runtime.metrics().buffered <= (1 << 16) + 64, "the limit, and the frame that says so");
    let frames: Vec<_> = std::iter::from_fn(|| stream.try_next()?.ok()).collect();
    assert!(frames.len() > 900 && frames.last().unwrap().is_overflow());
    assert_eq!((runtime.metrics().buffered, runtime.metrics().overflowed), (0, 2));
}

#[test]
fn kept_frames_give_their_credit_back() {
    let runtime = Runtime::builder().shards(1).slots(16).cells(16).window(4).build().unwrap();
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    stream.inline(|| {
        (0..4).for_each(|byte| runtime.try_send(sid, &[byte]).unwrap());
        assert_eq!(runtime.try_send(sid, &[4]), Err(TrySendError::Full));
    });
    assert_eq!(runtime.credits(sid), 0);
    assert_eq!(taken(&mut stream), [0, 1, 2, 3]);
    assert_eq!(runtime.credits(sid), 4);
}

/// At hand is what takes nothing but the frame: no credit, no release, no end.
#[test]
fn frames_at_hand_are_plain_and_not_the_last() {
    let runtime = Runtime::builder().shards(1).slots(16).cells(16).window(4).build().unwrap();
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    assert!(stream.next_at_hand().is_none());
    stream.inline(|| {
        runtime.send(sid, NrStatus::Ok, &[1]);
        runtime.send(sid, NrStatus::Ok, &[]);
        runtime.send(sid, NrStatus::Ok, &[3; 50]);
        runtime.try_send(sid, &[4]).unwrap();
        runtime.send(sid, NrStatus::Ok, &[5]);
        runtime.send(sid, NrStatus::StreamEnd, &[6]);
    });
    // Six frames, the window, and the bytes of one that is not short.
    assert_eq!(runtime.metrics().buffered, 7 * 64 + 50);
    let mut at_hand = 0;
    let mut frames = Vec::new();
    loop {
        let next = stream.next_at_hand().inspect(|_| at_hand += 1).or_else(|| stream.try_next()?.ok());
        let Some(frame) = next else { break };
        frames.push((frame.status(), frame.to_vec()));
    }
    assert_eq!(at_hand, 4);
    let ok = [vec![1], vec![], vec![3; 50], vec![4], vec![5]].map(|bytes| (NrStatus::Ok, bytes));
    assert_eq!((&frames[..5], &frames[5..]), (&ok[..], &[(NrStatus::StreamEnd, vec![6])][..]));
    assert_eq!(runtime.metrics().buffered, 0);
    drop(stream);
    // The last of those that came together takes its run along.
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    stream.inline(|| (1..=2).for_each(|byte| runtime.send(sid, NrStatus::Ok, &[byte])));
    assert_eq!(&stream.next_at_hand().unwrap()[..], [1]);
    assert!(stream.next_at_hand().is_none());
    assert_eq!(&stream.try_next().unwrap().unwrap()[..], [2]);
    assert_eq!(runtime.metrics().buffered, 0);
}

/// Polling leaves the ring to the reactor.
#[test]
fn a_poll_does_not_drain() {
    let runtime = asleep();
    let mut cx = Context::from_waker(Waker::noop());
    let (mut call, mut stream) = (runtime.open(0).unwrap(), runtime.open_stream(0).unwrap());
    runtime.send(call.sid(), NrStatus::Ok, b"x");
    runtime.send(stream.sid(), NrStatus::Ok, b"x");
    assert!(Pin::new(&mut call).poll(&mut cx).is_pending());
    assert!(stream.poll_next(&mut cx).is_pending());
    assert!(call.take_delivered().is_none());
    assert_eq!(runtime.metrics().drained, 0);
    let _ = runtime.reactor(0).unwrap().turn(64);
    assert!(call.take_delivered().is_some());
    assert!(stream.poll_next(&mut cx).is_ready());
}

/// What could not be kept is there when the scope ends.
#[test]
fn what_is_passed_on_is_looked_for() {
    let runtime = small(16, 8).build().unwrap();
    let other = runtime.open(0).unwrap();
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| {
        // From now on the ring is not empty.
        runtime.send(other.sid(), NrStatus::Ok, b"other");
        runtime.send(sid, NrStatus::Ok, b"x");
    });
    assert_eq!(&call.take_delivered().unwrap().unwrap()[..], b"x");
}

#[test]
fn a_stream_that_another_thread_has_ended_keeps_nothing() {
    let runtime = asleep();
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    stream.inline(|| {
        runtime.send(sid, NrStatus::Ok, &[1]);
        thread::scope(|scope| scope.spawn(|| runtime.send(sid, NrStatus::StreamEnd, &[2])).join().unwrap());
        let _ = runtime.reactor(0).unwrap().drain(64);
        runtime.send(sid, NrStatus::Ok, &[3]);
    });
    assert_eq!(taken(&mut stream), [1, 2]);
    assert_eq!((runtime.metrics().after_end, runtime.metrics().buffered), (1, 0));
}

#[test]
fn a_stream_that_is_over_keeps_nothing() {
    let runtime = asleep();
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    runtime.send(sid, NrStatus::StreamEnd, &[1]);
    assert_eq!(taken(&mut stream), [1]);
    stream.inline(|| runtime.send(sid, NrStatus::Ok, &[2]));
    assert!(taken(&mut stream).is_empty());
    drop(stream);
    assert_eq!((runtime.metrics().unknown_sid, runtime.metrics().buffered), (1, 0));
}

#[test]
fn a_receiver_that_sleeps_is_woken_for_what_its_thread_sends() {
    let runtime = asleep();
    let woken = Arc::new(Woken::default());
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    assert!(stream.poll_next(&mut Context::from_waker(&woken.clone().into())).is_pending());
    stream.inline(|| runtime.send(sid, NrStatus::Ok, &[1]));
    assert_eq!(woken.0.load(SeqCst), 1);
    assert_eq!(taken(&mut stream), [1]);
}

#[test]
fn what_was_kept_before_a_panic_is_received() {
    let runtime = asleep();
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        stream.inline(|| {
            runtime.send(sid, NrStatus::Ok, &[1]);
            panic!("in the scope");
        })
    }));
    assert!(unwound.is_err());
    runtime.send(sid, NrStatus::StreamEnd, &[2]);
    assert_eq!(taken(&mut stream), [1, 2]);
    drop(stream);
    assert_eq!((sent(&runtime), runtime.metrics().buffered, runtime.metrics().abandoned), (2, 0, 0));
}

/// While the scope lasts, others see what large frames take.
#[test]
fn large_kept_frames_are_charged_at_once() {
    let runtime = asleep();
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    stream.inline(|| {
        (0..3).for_each(|_| runtime.send(sid, NrStatus::Ok, &[7; 5000]));
        assert!(runtime.metrics().buffered >= 15_000);
    });
    drop(stream);
    assert_eq!(runtime.metrics().buffered, 0);
}
