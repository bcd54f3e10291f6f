//! `window.rs`: frames against credit, and senders that wait for one.

use std::sync::{Arc, Mutex};

use loom::thread;
use nylon_ring_loom_tests::{Bound, build, model, outcomes, settings, step};
use nylon_ring_runtime::{Event, NrStatus, Runtime, TrySendError, Turn, Watching};

fn window_of_one() -> Arc<Runtime> {
    Arc::new(build(settings(2, 1).window(1)))
}

fn drain(runtime: &Runtime) {
    while runtime.reactor(0).unwrap().turn(64) == Turn::More {}
}

/// A sender finds the window full and waits, while the receiver takes the frame. Legal: it is told, or finds that there is room.
#[test]
fn waiting_against_taking() {
    outcomes(
        "window::waiting_against_taking",
        Bound::Three,
        [Watching::Registered, Watching::Already].map(code),
        || {
            let runtime = window_of_one();
            let mut stream = runtime.open_stream(0).unwrap();
            let (sid, shared) = (stream.sid(), runtime.clone());
            runtime.try_send(sid, &[1]).unwrap();
            let told = Arc::new(Mutex::new(None));
            let noting = told.clone();
            let sender = thread::spawn(move || {
                let outcome = shared.on_writable(sid, move |event| *noting.lock().unwrap() = Some(event));
                (outcome, shared.credits(sid))
            });
            step();
            assert!(stream.try_next().unwrap().is_ok());
            let (outcome, credits) = sender.join().unwrap();
            let told = *told.lock().unwrap();
            match outcome {
                Watching::Already => assert_eq!((told, credits), (None, 1)),
                _ => assert_eq!(told, Some(Event::Writable), "{outcome:?}"),
            }
            assert_eq!(runtime.try_send(sid, &[]), Ok(()), "the credit is lost");
            code(outcome)
        },
    );
}

fn code(outcome: Watching) -> u8 {
    outcome as u8
}

/// The same, while the receiver gives up. Legal: the sender is told of that, or finds the stream closed; or it does not see that yet, nor
/// any window, and learns of it when it sends.
#[test]
fn waiting_against_giving_up() {
    let legal = [Watching::Registered, Watching::Closed, Watching::Already].map(code);
    outcomes("window::waiting_against_giving_up", Bound::Three, legal, || {
        let runtime = window_of_one();
        let stream = runtime.open_stream(0).unwrap();
        let (sid, shared) = (stream.sid(), runtime.clone());
        runtime.try_send(sid, &[1]).unwrap();
        let told = Arc::new(Mutex::new(None));
        let noting = told.clone();
        let sender = thread::spawn(move || shared.on_writable(sid, move |event| *noting.lock().unwrap() = Some(event)));
        step();
        drop(stream);
        let outcome = sender.join().unwrap();
        let expected = (outcome == Watching::Registered).then_some(Event::GivenUp);
        assert_eq!(*told.lock().unwrap(), expected);
        runtime.send(sid, NrStatus::StreamEnd, &[]);
        drain(&runtime);
        drop(runtime.open(0).unwrap());
        drain(&runtime);
        assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
        code(outcome)
    });
}

/// Two threads send the first frames of a stream, whose window takes one. Legal: one is sent, the other finds the window full.
#[test]
fn two_first_senders() {
    model("window::two_first_senders", Bound::Three, || {
        let runtime = window_of_one();
        let mut stream = runtime.open_stream(0).unwrap();
        let (sid, shared) = (stream.sid(), runtime.clone());
        let other = thread::spawn(move || shared.try_send(sid, &[1]));
        let mut outcomes = [runtime.try_send(sid, &[2]), other.join().unwrap()];
        outcomes.sort_by_key(Result::is_err);
        assert_eq!(outcomes, [Ok(()), Err(TrySendError::Full)]);
        assert!(stream.try_next().unwrap().is_ok() && stream.try_next().is_none());
        runtime.send(sid, NrStatus::StreamEnd, &[]);
        assert!(stream.try_next().unwrap().is_ok());
        drain(&runtime);
        assert_eq!(runtime.metrics().buffered, 0);
    });
}

/// A sender takes a credit while the receiver, who gives one back, tells another that there is room. Legal: in the end all credits are back.
#[test]
fn taking_against_telling() {
    model("window::taking_against_telling", Bound::Three, || {
        let runtime = Arc::new(build(settings(4, 1).window(2)));
        let mut stream = runtime.open_stream(0).unwrap();
        let (sid, shared) = (stream.sid(), runtime.clone());
        for _ in 0..2 {
            runtime.try_send(sid, &[]).unwrap();
        }
        assert_eq!(runtime.on_writable(sid, |_| ()), Watching::Registered);
        let sender = thread::spawn(move || shared.try_send(sid, &[]));
        step();
        assert!(stream.try_next().unwrap().is_ok());
        let frames = 1 + usize::from(sender.join().unwrap().is_ok());
        for _ in 0..frames {
            assert!(stream.try_next().unwrap().is_ok());
        }
        assert_eq!(runtime.credits(sid), 2);
    });
}

/// A plugin reads the deadline of a call that is given up meanwhile, and whose slot has another. Legal: its own, or none.
#[test]
fn a_deadline_against_the_next_one() {
    let nanos = |n| std::num::NonZeroU64::new(n).unwrap();
    outcomes("window::a_deadline_against_the_next_one", Bound::Three, [0, 1], move || {
        let runtime = Arc::new(build(settings(1, 1)));
        let call = runtime.open(0).unwrap();
        let (sid, shared) = (call.sid(), runtime.clone());
        runtime.set_deadline(sid, nanos(1));
        let plugin = thread::spawn(move || shared.deadline(sid).map_or(0, std::num::NonZeroU64::get));
        step();
        drop(call);
        let next = runtime.open(0).unwrap();
        runtime.set_deadline(next.sid(), nanos(2));
        assert_eq!(runtime.deadline(next.sid()), Some(nanos(2)));
        plugin.join().unwrap()
    });
}
