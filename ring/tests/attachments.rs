//! What is left with calls: closures that are told once, windows of streams, buffers, deadlines.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::{
    num::NonZeroU64,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use nylon_ring_runtime::{Event, NrStatus, Runtime, TrySendError, Watching};
use support::{assert_books, drain, many, small};

/// A large buffer; to Miri, which writes it byte by byte, 5 KiB are large.
const LARGE: usize = if cfg!(miri) { 5 << 10 } else { 1 << 20 };

/// What closures were told, in order.
type Told = Arc<Mutex<Vec<Event>>>;

fn note(told: &Told) -> impl FnOnce(Event) + Send + 'static {
    let told = told.clone();
    move |event| told.lock().unwrap().push(event)
}

fn take(told: &Told) -> Vec<Event> {
    std::mem::take(&mut told.lock().unwrap())
}

fn runtime() -> Runtime {
    small(8, 4).window(4).build().unwrap()
}

#[test]
fn a_call_that_is_given_up_tells_once() {
    let (runtime, told) = (runtime(), Told::default());
    let call = runtime.open(0).unwrap();
    let sid = call.sid();
    assert!(runtime.is_wanted(sid));
    for _ in 0..2 {
        assert_eq!(runtime.on_give_up(sid, note(&told)), Watching::Registered);
    }
    drop(call);
    assert_eq!(take(&told), [Event::GivenUp; 2]);
    assert!(!runtime.is_wanted(sid));
    runtime.send(sid, NrStatus::Ok, b"late");
    drain(&runtime, 0);
    assert_eq!((take(&told), runtime.metrics().buffered, runtime.metrics().in_flight), (vec![], 0, 0));
}

#[test]
fn a_call_that_is_answered_or_refused_says_that_it_is_over() {
    let (runtime, told) = (runtime(), Told::default());
    let mut call = runtime.open(0).unwrap();
    assert_eq!(runtime.on_give_up(call.sid(), note(&told)), Watching::Registered);
    runtime.send(call.sid(), NrStatus::Ok, &[]);
    assert!(call.try_take().unwrap().is_ok());
    assert_eq!(take(&told), [Event::Over]);

    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| {
        assert_eq!(runtime.on_give_up(sid, note(&told)), Watching::Registered);
        runtime.send(sid, NrStatus::Ok, &[]);
    });
    assert!(call.try_take().unwrap().is_ok());
    assert_eq!(take(&told), [Event::Over]);

    let call = runtime.open(0).unwrap();
    assert_eq!(runtime.on_give_up(call.sid(), note(&told)), Watching::Registered);
    call.refuse();
    assert_eq!(take(&told), [Event::Over]);

    let mut stream = runtime.open_stream(0).unwrap();
    assert_eq!(runtime.on_give_up(stream.sid(), note(&told)), Watching::Registered);
    runtime.send(stream.sid(), NrStatus::StreamEnd, &[]);
    assert!(stream.try_next().unwrap().is_ok());
    assert_eq!((take(&told), runtime.metrics().buffered), (vec![Event::Over], 0));
}

#[test]
fn a_call_that_was_answered_before_it_was_dropped_is_over_and_not_given_up() {
    let (runtime, told) = (runtime(), Told::default());
    let call = runtime.open(0).unwrap();
    assert_eq!(runtime.on_give_up(call.sid(), note(&told)), Watching::Registered);
    runtime.send(call.sid(), NrStatus::Ok, &[]);
    drain(&runtime, 0);
    drop(call);
    assert_eq!(take(&told), [Event::Over]);
}

#[test]
fn nobody_is_told_of_a_sid_that_is_not_open() {
    let (runtime, told) = (runtime(), Told::default());
    let call = runtime.open(0).unwrap();
    let sid = call.sid();
    drop(call);
    let other = runtime.open(0).unwrap();
    for forged in [sid, sid ^ 1, 0, u64::MAX] {
        if forged != other.sid() {
            assert_eq!(runtime.on_give_up(forged, note(&told)), Watching::Closed);
            assert_eq!(runtime.on_writable(forged, note(&told)), Watching::Closed);
            assert_eq!(runtime.try_send(forged, b""), Err(TrySendError::Closed));
            assert_eq!((runtime.credits(forged), runtime.is_wanted(forged)), (0, false));
            assert!(runtime.reserve(forged, 1).is_none());
        }
    }
    drop(other);
    assert_eq!((take(&told), runtime.metrics().buffered), (vec![], 0));
}

#[test]
fn closures_are_bounded_by_the_buffer_limit() {
    let (runtime, told) = (small(8, 1).buffer_limit(1000).build().unwrap(), Told::default());
    let call = runtime.open(0).unwrap();
    let outcomes: Vec<_> = (0..100).map(|_| runtime.on_give_up(call.sid(), note(&told))).collect();
    let registered = outcomes.iter().filter(|outcome| **outcome == Watching::Registered).count();
    assert!((1..20).contains(&registered), "{registered}");
    assert_eq!(outcomes[99], Watching::Refused);
    drop(call);
    assert_eq!(take(&told).len(), registered);
}

/// A closure uses the shard whose call it is left with: it is not told under the consumer's token.
#[test]
fn a_closure_may_use_the_shard_that_frees_it() {
    let runtime = Arc::new(runtime());
    let (answered, answers) = mpsc::channel();
    let within = Arc::downgrade(&runtime);
    let mut call = runtime.open(0).unwrap();
    let outcome = runtime.on_give_up(call.sid(), move |event| {
        let runtime = within.upgrade().unwrap();
        let mut another = runtime.open(0).unwrap();
        runtime.send(another.sid(), NrStatus::Ok, &[]);
        answered.send((event, another.try_take().is_some())).unwrap();
    });
    assert_eq!(outcome, Watching::Registered);
    runtime.send(call.sid(), NrStatus::Ok, &[]);
    assert!(call.try_take().unwrap().is_ok());
    assert_eq!(answers.try_recv().unwrap(), (Event::Over, true));

    let (answered, answers) = mpsc::channel();
    let within = Arc::downgrade(&runtime);
    let call = runtime.open(0).unwrap();
    let sid = call.sid();
    let outcome = runtime.on_give_up(sid, move |event| {
        // Ends the call that is being given up.
        within.upgrade().unwrap().send(sid, NrStatus::Ok, &[]);
        answered.send(event).unwrap();
    });
    assert_eq!(outcome, Watching::Registered);
    drop(call);
    assert_eq!(answers.try_recv().unwrap(), Event::GivenUp);
    drain(&runtime, 0);
    assert_eq!((runtime.metrics().in_flight, runtime.metrics().buffered), (0, 0));
}

#[test]
#[cfg_attr(miri, ignore = "what a panic carries is forgotten on purpose, which Miri calls a leak")]
fn a_closure_that_panics_keeps_nobody_from_being_told() {
    let (runtime, told) = (runtime(), Told::default());
    let call = runtime.open(0).unwrap();
    assert_eq!(runtime.on_give_up(call.sid(), note(&told)), Watching::Registered);
    assert_eq!(runtime.on_give_up(call.sid(), |_| panic!("on purpose")), Watching::Registered);
    drop(call);
    assert_eq!(take(&told), [Event::GivenUp]);
}

#[test]
fn a_window_takes_so_many_frames_and_no_more() {
    let (runtime, told) = (runtime(), Told::default());
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    assert_eq!((runtime.credits(sid), runtime.on_writable(sid, note(&told))), (4, Watching::Already));
    for n in 0..4_u8 {
        runtime.try_send(sid, &[n]).unwrap();
    }
    assert_eq!((runtime.try_send(sid, &[9]), runtime.credits(sid)), (Err(TrySendError::Full), 0));
    // A frame without credit passes, and gives none back.
    runtime.send(sid, NrStatus::Ok, &[4]);
    assert_eq!(runtime.on_writable(sid, note(&told)), Watching::Registered);
    for n in 0..5_u8 {
        assert_eq!(&stream.try_next().unwrap().unwrap()[..], [n]);
        // Half of the window is free after two.
        assert_eq!(take(&told), if n == 1 { vec![Event::Writable] } else { vec![] }, "frame {n}");
    }
    assert_eq!((runtime.credits(sid), runtime.on_writable(sid, note(&told))), (4, Watching::Already));
    runtime.send(sid, NrStatus::StreamEnd, &[]);
    assert!(stream.try_next().unwrap().is_ok());
    assert_eq!((take(&told), runtime.metrics().buffered), (vec![], 0));
    assert_books(&runtime.metrics(), 6);
}

#[test]
fn room_is_no_matter_of_those_who_wait_for_the_caller() {
    let (runtime, told) = (small(8, 1).window(1).build().unwrap(), Told::default());
    let mut stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    assert_eq!(runtime.on_give_up(sid, note(&told)), Watching::Registered);
    runtime.try_send(sid, &[]).unwrap();
    assert_eq!(runtime.on_writable(sid, |_| ()), Watching::Registered);
    assert!(stream.try_next().unwrap().is_ok());
    assert_eq!(take(&told), []);
    drop(stream);
    assert_eq!(take(&told), [Event::GivenUp]);
}

#[test]
fn a_sender_that_waits_hears_that_the_receiver_has_gone() {
    let (runtime, told) = (runtime(), Told::default());
    let stream = runtime.open_stream(0).unwrap();
    let sid = stream.sid();
    while runtime.try_send(sid, b"frame").is_ok() {}
    assert_eq!(runtime.on_writable(sid, note(&told)), Watching::Registered);
    drop(stream);
    assert_eq!(take(&told), [Event::GivenUp]);
    assert_eq!(runtime.try_send(sid, b"frame"), Err(TrySendError::Closed));
    assert_eq!(runtime.on_writable(sid, note(&told)), Watching::Closed);
    runtime.send(sid, NrStatus::StreamEnd, &[]);
    drain(&runtime, 0);
    assert_eq!((take(&told), runtime.metrics().buffered, runtime.metrics().in_flight), (vec![], 0, 0));
}

#[test]
fn what_is_tried_for_a_unary_call_is_its_result() {
    let runtime = runtime();
    let mut call = runtime.open(0).unwrap();
    runtime.try_send(call.sid(), b"result").unwrap();
    runtime.try_send(call.sid(), b"another").unwrap();
    let reply = call.try_take().unwrap().unwrap();
    assert_eq!((reply.status(), &reply[..]), (NrStatus::Ok, &b"result"[..]));
    drain(&runtime, 0);
    assert_eq!(runtime.metrics().duplicate, 1);
}

/// A sender on a thread of its own that waits whenever the window is full, and a receiver that takes its time.
#[test]
fn frames_flow_as_the_receiver_takes_them() {
    const WINDOW: u64 = 4;
    let frames = many(10_000);
    let runtime = Arc::new(small(8, 1).window(WINDOW as u32).build().unwrap());
    let mut stream = runtime.open_stream(0).unwrap();
    let (sid, shared) = (stream.sid(), runtime.clone());
    let sender = thread::spawn(move || {
        let mut waited = 0;
        for n in 0..frames as u32 {
            while shared.try_send(sid, &n.to_le_bytes()).is_err() {
                let (told, tells) = mpsc::channel();
                let outcome = shared.on_writable(sid, move |event| told.send(event).unwrap());
                if outcome == Watching::Registered {
                    assert_eq!(tells.recv().unwrap(), Event::Writable);
                    waited += 1;
                }
            }
        }
        shared.send(sid, NrStatus::StreamEnd, &[]);
        waited
    });
    for n in 0..frames as u32 {
        let frame = runtime.reactor(0).unwrap().block_on(stream.next()).unwrap().unwrap();
        assert_eq!(&frame[..], n.to_le_bytes());
        // The window's frames, those that were taken from a run that is not empty yet, the window itself and one place to wait in: it does
        // not grow.
        assert!(runtime.metrics().buffered <= 64 * (2 * WINDOW + 3), "{:?}", runtime.metrics());
    }
    let end = runtime.reactor(0).unwrap().block_on(stream.next()).unwrap().unwrap();
    assert_eq!(end.status(), NrStatus::StreamEnd);
    assert!(sender.join().unwrap() > 0, "the sender never waited");
    assert_eq!(runtime.metrics().buffered, 0);
}

#[test]
fn a_buffer_becomes_the_result() {
    let runtime = runtime();
    for (len, used) in [(1, 1), (40, 40), (41, 41), (5000, 5000), (5000, 3), (5000, 0), (LARGE, LARGE), (8, 80)] {
        let mut call = runtime.open(0).unwrap();
        let mut buffer = runtime.reserve(call.sid(), len).unwrap();
        assert!(buffer.iter().all(|byte| *byte == 0) && buffer.len() == len);
        assert!(runtime.metrics().buffered >= len as u64);
        buffer.fill(7);
        runtime.send_buffer(call.sid(), NrStatus::Ok, buffer, used);
        let reply = call.try_take().unwrap().unwrap();
        assert_eq!(reply.into_vec(), vec![7; used.min(len)]);
        assert_eq!(runtime.metrics().buffered, 0, "{len} {used}");
    }
}

#[test]
fn buffers_are_bounded_and_given_back() {
    let runtime = small(8, 2).buffer_limit(LARGE as u64).build().unwrap();
    let call = runtime.open(0).unwrap();
    let sid = call.sid();
    assert!(runtime.reserve(sid, usize::MAX).is_none() && runtime.reserve(sid, 2 * LARGE).is_none());
    let buffer = runtime.reserve(sid, LARGE).unwrap();
    assert!(runtime.reserve(sid, LARGE).is_none());
    drop(buffer);
    let buffer = runtime.reserve(sid, LARGE).unwrap();
    drop(call);
    // For a call that is over by now.
    runtime.send_buffer(sid, NrStatus::Ok, buffer, LARGE);
    drain(&runtime, 0);
    assert_eq!((runtime.metrics().buffered, runtime.metrics().unknown_sid), (0, 1));
}

#[test]
fn a_deadline_belongs_to_one_open_call() {
    let runtime = small(8, 1).build().unwrap();
    let call = runtime.open(0).unwrap();
    let sid = call.sid();
    assert_eq!(runtime.deadline(sid), None);
    runtime.set_deadline(sid, NonZeroU64::new(77).unwrap());
    assert_eq!(runtime.deadline(sid), NonZeroU64::new(77));
    drop(call);
    assert_eq!(runtime.deadline(sid), None);
    // The next call of the slot has none.
    let next = runtime.open(0).unwrap();
    assert_eq!((runtime.deadline(next.sid()), runtime.deadline(sid)), (None, None));
}
