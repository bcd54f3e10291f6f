//! `runtime.rs`: the end of a runtime, while plugins still answer.

use std::sync::Arc;

use loom::{future::block_on, thread};
use nylon_ring_loom_tests::{Bound, MARKED, drain, marked, model, outcomes, react_until, send, small, step, stop};
use nylon_ring_runtime::{NrStatus, Runtime, RuntimeError};

/// Sends these records from a thread of its own, as a plugin does that nobody has told of the end, and delivers each of
/// them.
fn play(
    runtime: &Arc<Runtime>,
    sid: u64,
    statuses: impl IntoIterator<Item = NrStatus> + 'static,
) -> thread::JoinHandle<()> {
    let runtime = runtime.clone();
    thread::spawn(move || {
        for status in statuses {
            step();
            runtime.send(sid, status, &[1; MARKED]);
            drain(runtime.reactor(0).unwrap());
        }
    })
}

fn close(runtime: &Arc<Runtime>) -> thread::JoinHandle<()> {
    let runtime = runtime.clone();
    thread::spawn(move || {
        step();
        runtime.close();
    })
}

/// A result is delivered while the runtime closes and its caller waits. Legal: the caller gets it, or is sent away, and it is
/// dropped and counted; the memory that the plugin calls into is there until the plugin has let go of it.
#[test]
fn close_against_a_result() {
    outcomes("closing::close_against_a_result", Bound::Two, [true, false], || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let call = runtime.open(0).unwrap();
        let others = [play(&runtime, call.sid(), [NrStatus::Ok]), close(&runtime)];
        let answered = match block_on(call) {
            Ok(reply) => reply[..] == [1; MARKED],
            Err(error) => {
                assert!(matches!(error, RuntimeError::Closed));
                false
            }
        };
        others.into_iter().for_each(|other| other.join().unwrap());
        // Whoever closes takes the token, and rings for a reactor that came by.
        drain(runtime.reactor(0).unwrap());
        let metrics = runtime.metrics();
        assert_eq!((metrics.opened, metrics.in_flight, metrics.buffered), (1, 0, 0));
        assert_eq!(metrics.delivered + metrics.unknown_sid, 1);
        assert_eq!(metrics.delivered, u64::from(answered) + metrics.abandoned);
        drop(runtime);
        assert_eq!(marked(), before, "payloads leaked or were freed twice");
        answered
    });
}

/// The same for a stream of two frames. Legal: the caller gets none of them, one, or both, in order, and is then sent away or at
/// the end.
#[test]
fn close_against_frames() {
    outcomes("closing::close_against_frames", Bound::Two, [0, 1, 2], || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let mut frames = runtime.open_stream(0).unwrap();
        let others = [play(&runtime, frames.sid(), [NrStatus::Ok, NrStatus::StreamEnd]), close(&runtime)];
        let mut taken = 0;
        while let Some(frame) = block_on(frames.next()) {
            match frame {
                Ok(frame) => {
                    assert_eq!(frame.status(), [NrStatus::Ok, NrStatus::StreamEnd][taken]);
                    taken += 1;
                }
                Err(error) => {
                    assert!(matches!(error, RuntimeError::Closed));
                    break;
                }
            }
        }
        drop(frames);
        others.into_iter().for_each(|other| other.join().unwrap());
        let metrics = runtime.metrics();
        assert_eq!((metrics.opened, metrics.in_flight, metrics.buffered), (1, 0, 0));
        drop(runtime);
        assert_eq!(marked(), before, "payloads leaked or were freed twice");
        taken
    });
}

/// A runtime stops opening calls, lets those finish that are in flight, and closes, while a call is opened. Legal: the call is
/// refused, or it is answered; it is never let in and then sent away.
#[test]
fn who_was_let_in_is_answered() {
    outcomes("closing::who_was_let_in_is_answered", Bound::Two, [true, false], || {
        let runtime = Arc::new(small(2, 1));
        let shared = runtime.clone();
        let caller = thread::spawn(move || {
            let mut plugin = None;
            let admitted = match shared.open(0) {
                Ok(mut call) => {
                    let sid = call.sid();
                    plugin = Some(call.inline(|| send(&shared, [(sid, 1)])));
                    assert_eq!(block_on(call).unwrap()[..], [1]);
                    true
                }
                Err(_) => false,
            };
            stop(shared.reactor(0).unwrap());
            if let Some(plugin) = plugin {
                plugin.join().unwrap();
            }
            admitted
        });
        step();
        react_until(runtime.reactor(0).unwrap(), || runtime.stop_opening() == 0);
        runtime.close();
        let admitted = caller.join().unwrap();
        let metrics = runtime.metrics();
        assert_eq!((metrics.opened, metrics.delivered), (u64::from(admitted), u64::from(admitted)));
        assert_eq!((metrics.in_flight, metrics.cancelled, metrics.abandoned), (0, 0, 0));
        admitted
    });
}

/// A plugin that is the last to let go of a closed runtime has a result under way. Legal: the record is freed with the ring.
#[test]
fn the_last_record_goes_with_the_ring() {
    model("closing::the_last_record_goes_with_the_ring", Bound::Three, || {
        let before = marked();
        // Loom's own, which tells whoever drops the last handle what the others did.
        let runtime = loom::sync::Arc::new(small(1, 1));
        let call = runtime.open(0).unwrap();
        let sid = call.sid();
        let plugins = [1, 2].map(|byte| {
            let runtime = runtime.clone();
            thread::spawn(move || runtime.send(sid, NrStatus::Ok, &[byte; MARKED]))
        });
        runtime.close();
        drop(call);
        drop(runtime);
        plugins.into_iter().for_each(|plugin| plugin.join().unwrap());
        assert_eq!(marked(), before, "a record leaked or was freed twice");
    });
}
