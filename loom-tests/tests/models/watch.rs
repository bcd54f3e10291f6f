//! `watch.rs`: closures that are told once, against whoever ends the call.

use std::sync::{Arc, Mutex};

use loom::thread;
use nylon_ring_loom_tests::{Bound, build, model, outcomes, settings, small, step};
use nylon_ring_runtime::{Event, NrStatus, Runtime, Turn, Watching};

/// What a closure was told. It waits for nobody, and is no business of loom's.
type Told = Arc<Mutex<Vec<Event>>>;

fn note(told: &Told) -> impl FnOnce(Event) + Send + 'static + use<> {
    let told = told.clone();
    move |event| told.lock().unwrap().push(event)
}

fn all(told: &Told) -> Vec<Event> {
    told.lock().unwrap().clone()
}

fn drain(runtime: &Runtime) {
    while runtime.reactor(0).unwrap().turn(64) == Turn::More {}
}

/// A closure is registered while the caller gives up. Legal: it is registered, and told of that once; or it came too late, and is told
/// nothing.
#[test]
fn registering_against_giving_up() {
    outcomes("watch::registering_against_giving_up", Bound::Three, [true, false], || {
        let (runtime, told) = (Arc::new(small(1, 1)), Told::default());
        let call = runtime.open(0).unwrap();
        let (sid, shared, closure) = (call.sid(), runtime.clone(), note(&told));
        let plugin = thread::spawn(move || {
            let outcome = shared.on_give_up(sid, closure);
            shared.send(sid, NrStatus::Ok, &[]);
            outcome
        });
        step();
        drop(call);
        let outcome = plugin.join().unwrap();
        drain(&runtime);
        match outcome {
            // Given up before the result, or answered.
            Watching::Registered => assert!(matches!(all(&told)[..], [Event::GivenUp | Event::Over]), "{told:?}"),
            other => assert_eq!((other, all(&told)), (Watching::Closed, vec![])),
        }
        // What came too late goes with the next call.
        drop(runtime.open(0).unwrap());
        assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
        outcome == Watching::Registered
    });
}

/// Two closures are registered, by two threads, while the caller gives up: the second finds the slot marked by the first. Legal: as above,
/// for each.
#[test]
fn a_second_registering_against_giving_up() {
    model("watch::a_second_registering_against_giving_up", Bound::Three, || {
        let (runtime, told) = (Arc::new(small(1, 1)), Told::default());
        let call = runtime.open(0).unwrap();
        let sid = call.sid();
        assert_eq!(runtime.on_give_up(sid, note(&Told::default())), Watching::Registered);
        let (shared, closure) = (runtime.clone(), note(&told));
        let plugin = thread::spawn(move || shared.on_give_up(sid, closure));
        step();
        drop(call);
        let expected = match plugin.join().unwrap() {
            Watching::Registered => vec![Event::GivenUp],
            other => {
                assert_eq!(other, Watching::Closed);
                vec![]
            }
        };
        assert_eq!(all(&told), expected);
    });
}

/// A closure is registered while the caller gives up, and calls again in the same slot. Legal: it is registered, and was told; or it came
/// too late.
#[test]
fn registering_against_the_next_call() {
    model("watch::registering_against_the_next_call", Bound::Three, || {
        let (runtime, told) = (Arc::new(small(1, 1)), Told::default());
        let call = runtime.open(0).unwrap();
        let (sid, shared, closure) = (call.sid(), runtime.clone(), note(&told));
        let plugin = thread::spawn(move || shared.on_give_up(sid, closure));
        step();
        drop(call);
        // Not there if the plugin was in time: then the consumer has yet to free the slot.
        let _next = runtime.open(0);
        let expected = match plugin.join().unwrap() {
            Watching::Registered => vec![Event::GivenUp],
            other => {
                assert_eq!(other, Watching::Closed);
                vec![]
            }
        };
        assert_eq!(all(&told), expected);
    });
}

/// A closure is registered while the caller takes its result. Legal: it is registered, and told that the call is over; or it came too late.
#[test]
fn registering_against_the_result() {
    model("watch::registering_against_the_result", Bound::Three, || {
        let (runtime, told) = (Arc::new(small(1, 1)), Told::default());
        let mut call = runtime.open(0).unwrap();
        let (sid, shared, closure) = (call.sid(), runtime.clone(), note(&told));
        runtime.send(sid, NrStatus::Ok, &[]);
        let plugin = thread::spawn(move || shared.on_give_up(sid, closure));
        step();
        assert!(call.try_take().unwrap().is_ok());
        let expected = match plugin.join().unwrap() {
            Watching::Registered => vec![Event::Over],
            other => {
                assert_eq!(other, Watching::Closed);
                vec![]
            }
        };
        // What came too late goes with the next call; one that is registered may wait for the consumer.
        drain(&runtime);
        let next = runtime.open(0).unwrap();
        drop(next);
        drain(&runtime);
        assert_eq!((all(&told), runtime.metrics().buffered), (expected, 0));
    });
}

/// A call ends while a plugin thread looks at what was left with it, so that the consumer frees that, and tells. Legal: the closure, which
/// uses the shard, finds the token free.
#[test]
fn told_without_the_token() {
    model("watch::told_without_the_token", Bound::Three, || {
        let (runtime, told) = (Arc::new(small(2, 2)), Told::default());
        let mut call = runtime.open(0).unwrap();
        let (sid, shared, closure) = (call.sid(), runtime.clone(), note(&told));
        let within = Arc::downgrade(&runtime);
        let uses = move |event| {
            let runtime = within.upgrade().unwrap();
            let mut other = runtime.open(0).unwrap();
            runtime.send(other.sid(), NrStatus::Ok, &[]);
            assert!(other.try_take().is_some(), "told under the token");
            closure(event);
        };
        assert_eq!(runtime.on_give_up(sid, uses), Watching::Registered);
        runtime.send(sid, NrStatus::Ok, &[]);
        let plugin = thread::spawn(move || assert!(shared.get_state(sid, "k").is_none()));
        step();
        assert!(call.try_take().unwrap().is_ok());
        plugin.join().unwrap();
        drain(&runtime);
        assert_eq!(all(&told), [Event::Over]);
    });
}

/// A place that was used waits for room again, while the receiver takes frames and so tells, and a second thread looks for a place too.
/// Legal: each closure is told once, or taken back because there is room.
#[test]
fn a_place_is_used_again() {
    model("watch::a_place_is_used_again", Bound::Two, || {
        let runtime = Arc::new(build(settings(4, 1).window(1)));
        let mut stream = runtime.open_stream(0).unwrap();
        let sid = stream.sid();
        let first = Told::default();
        runtime.try_send(sid, &[]).unwrap();
        assert_eq!(runtime.on_writable(sid, note(&first)), Watching::Registered);
        assert!(stream.try_next().unwrap().is_ok());
        assert_eq!(all(&first), [Event::Writable]);
        runtime.try_send(sid, &[]).unwrap();

        let waiting = [(); 2].map(|()| {
            let told = Told::default();
            let (shared, closure) = (runtime.clone(), note(&told));
            (told, thread::spawn(move || shared.on_writable(sid, closure)))
        });
        assert!(stream.try_next().unwrap().is_ok());
        for (told, thread) in waiting {
            match thread.join().unwrap() {
                Watching::Registered => assert_eq!(all(&told), [Event::Writable]),
                other => assert_eq!((other, all(&told)), (Watching::Already, vec![])),
            }
        }
    });
}

/// The same two threads, while the receiver gives up. Legal: each closure is told of that; or it came too late, and is told nothing.
#[test]
fn a_place_is_used_again_against_giving_up() {
    model("watch::a_place_is_used_again_against_giving_up", Bound::Three, || {
        let runtime = Arc::new(build(settings(4, 1).window(1)));
        let mut stream = runtime.open_stream(0).unwrap();
        let sid = stream.sid();
        runtime.try_send(sid, &[]).unwrap();
        assert_eq!(runtime.on_writable(sid, |_| ()), Watching::Registered);
        assert!(stream.try_next().unwrap().is_ok());
        runtime.try_send(sid, &[]).unwrap();

        let waiting = [(); 2].map(|()| {
            let told = Told::default();
            let (shared, closure) = (runtime.clone(), note(&told));
            (told, thread::spawn(move || shared.on_writable(sid, closure)))
        });
        step();
        drop(stream);
        for (told, thread) in waiting {
            match thread.join().unwrap() {
                Watching::Registered => assert_eq!(all(&told), [Event::GivenUp]),
                _ => assert_eq!(all(&told), []),
            }
        }
    });
}
