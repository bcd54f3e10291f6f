//! `slab.rs`, `slot.rs`, `pending.rs`: the life of a unary call.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use loom::{
    cell::UnsafeCell,
    future::block_on,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};
use nylon_ring_loom_tests::{Bound, MARKED, build, marked, model, react_until, settings, small};
use nylon_ring_runtime::{NrStatus, Reactor, Runtime, Turn};

/// Sends one result of [`MARKED`] bytes, all `byte`, from a thread of its own.
fn answer(runtime: &Arc<Runtime>, sid: u64, byte: u8) -> thread::JoinHandle<()> {
    let runtime = runtime.clone();
    thread::spawn(move || runtime.send(sid, NrStatus::Ok, &[byte; MARKED]))
}

/// One turn, on a thread of its own.
fn turn(runtime: &Arc<Runtime>) -> thread::JoinHandle<()> {
    let runtime = runtime.clone();
    thread::spawn(move || drain(runtime.reactor(0).unwrap()))
}

fn drain(reactor: Reactor<'_>) {
    while reactor.turn(64) == Turn::More {}
}

/// A call is given up and its only slot used again while the first result is on its way. Legal: the second call gets its
/// own result, and the first result was dropped as unknown or abandoned.
#[test]
fn reuse_against_late_result() {
    model("slab::reuse_against_late_result", Bound::Two, || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let first = runtime.open(0).unwrap();
        let old = first.sid();
        let late = answer(&runtime, old, 1);
        let reacting = turn(&runtime);
        drop(first);
        let mut second = runtime.open(0).unwrap();
        assert_ne!(second.sid(), old);
        runtime.send(second.sid(), NrStatus::Ok, &[2; MARKED]);
        late.join().unwrap();
        reacting.join().unwrap();
        drain(runtime.reactor(0).unwrap());
        assert_eq!(second.try_take().unwrap().unwrap()[0], 2);
        let metrics = runtime.metrics();
        assert_eq!((metrics.opened, metrics.in_flight), (2, 0));
        assert_eq!(metrics.delivered + metrics.unknown_sid, 2);
        assert_eq!(metrics.cancelled + metrics.abandoned, 1);
        drop(second);
        drop(runtime);
        assert_eq!(marked(), before, "payloads leaked or were freed twice");
    });
}

/// The same from the last generation to the first. Legal: the same.
#[test]
fn generations_wrap() {
    // Slot 0 starts in the last generation; whoever changes how generations are mixed finds another seed.
    const SEED: u64 = 0xcf9a_04af_fa6b_adc0;
    model("slab::generations_wrap", Bound::Two, || {
        let runtime = Arc::new(build(settings(2, 1).seed(SEED)));
        let last = runtime.open(0).unwrap();
        assert!(last.sid() > u64::MAX - 64, "not the last generation");
        let late = answer(&runtime, last.sid(), 1);
        let reacting = turn(&runtime);
        drop(last);
        let mut first = runtime.open(0).unwrap();
        assert_eq!(first.sid(), 0, "not the first generation");
        runtime.send(first.sid(), NrStatus::Ok, &[2; MARKED]);
        late.join().unwrap();
        reacting.join().unwrap();
        drain(runtime.reactor(0).unwrap());
        assert_eq!(first.try_take().unwrap().unwrap()[0], 2);
        let metrics = runtime.metrics();
        assert_eq!((metrics.opened, metrics.in_flight, metrics.delivered + metrics.unknown_sid), (2, 0, 2));
    });
}

/// A caller parks while its result is delivered. Legal: it finds the result, or is woken; nothing else reads it.
#[test]
fn complete_against_park() {
    model("slab::complete_against_park", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(1, 1));
        let call = runtime.open(0).unwrap();
        let (shared, sid) = (runtime.clone(), call.sid());
        let reacting = thread::spawn(move || {
            shared.send(sid, NrStatus::Ok, &[1; MARKED]);
            react_until(shared.reactor(0).unwrap(), || shared.metrics().delivered == 1);
        });
        let reply = block_on(call).unwrap();
        assert_eq!(&reply[..], [1; MARKED]);
        drop(reply);
        reacting.join().unwrap();
        assert_eq!(runtime.metrics().in_flight, 0);
        drop(runtime);
        assert_eq!(marked(), before);
    });
}

/// A caller gives up while its result is delivered. Legal: the result is unknown, or delivered and abandoned; the slot is
/// freed exactly once, and the next call gets its own result only.
#[test]
fn cancel_against_complete() {
    model("slab::cancel_against_complete", Bound::Three, || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let first = runtime.open(0).unwrap();
        runtime.send(first.sid(), NrStatus::Ok, &[1; MARKED]);
        let reacting = turn(&runtime);
        drop(first);
        let mut second = runtime.open(0).unwrap();
        assert!(runtime.open(0).is_err(), "the one slot was freed twice");
        reacting.join().unwrap();
        drain(runtime.reactor(0).unwrap());
        assert!(second.try_take().is_none());
        runtime.send(second.sid(), NrStatus::Ok, &[2; MARKED]);
        assert_eq!(second.try_take().unwrap().unwrap()[0], 2);
        let metrics = runtime.metrics();
        assert_eq!(metrics.delivered + metrics.unknown_sid, 2);
        assert_eq!(metrics.cancelled + metrics.abandoned, 1);
        drop(second);
        drop(runtime);
        assert_eq!(marked(), before);
    });
}

/// Two threads answer one call. Legal: the caller gets either result, whole, and the other is a duplicate or unknown.
#[test]
fn first_result_wins() {
    model("slab::first_result_wins", Bound::Two, || {
        let before = marked();
        let runtime = Arc::new(small(2, 1));
        let call = runtime.open(0).unwrap();
        let answers = [answer(&runtime, call.sid(), 1), answer(&runtime, call.sid(), 2)];
        let mut call = Some(call);
        let mut winner = 0;
        react_until(runtime.reactor(0).unwrap(), || {
            if let Some(Some(reply)) = call.as_mut().map(|call| call.try_take()) {
                winner = reply.unwrap()[0];
                call = None;
            }
            let metrics = runtime.metrics();
            metrics.delivered + metrics.duplicate + metrics.unknown_sid == 2
        });
        if let Some(call) = call.as_mut() {
            winner = call.try_take().unwrap().unwrap()[0];
        }
        drop(call);
        assert!(winner == 1 || winner == 2);
        answers.into_iter().for_each(|answer| answer.join().unwrap());
        assert_eq!((runtime.metrics().delivered, runtime.metrics().in_flight), (1, 0));
        drop(runtime);
        assert_eq!(marked(), before);
    });
}

/// Two callers and this thread take and give back the two slots of a shard. Legal: no slot is given to two callers at once,
/// one that is not in use is found, and at the end both are there.
#[test]
fn two_callers_share_the_free_list() {
    model("slab::two_callers_share_the_free_list", Bound::Two, || {
        let runtime = Arc::new(small(1, 2));
        let (used, both) = (Arc::new([AtomicBool::new(false), AtomicBool::new(false)]), 31);
        let callers = [(); 2].map(|()| {
            let (runtime, used) = (runtime.clone(), used.clone());
            thread::spawn(move || {
                for _ in 0..2 {
                    let call = runtime.open(0).unwrap();
                    let mine = &used[(call.sid() & both) as usize];
                    assert!(!mine.swap(true, Ordering::AcqRel), "a slot with two callers");
                    mine.store(false, Ordering::Release);
                }
            })
        });
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        let (one, two) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
        assert_ne!(one.sid() & both, two.sid() & both);
        assert!(runtime.open(0).is_err());
    });
}

/// A caller is stopped in the middle of taking a slot while another takes both and gives the first back: the list looks as it
/// did, and is not the same. Legal: whatever each finds, no slot has two callers.
#[test]
fn the_free_list_is_not_fooled_by_reuse() {
    model("slab::the_free_list_is_not_fooled_by_reuse", Bound::Three, || {
        let runtime = Arc::new(small(1, 2));
        let shared = runtime.clone();
        let other = thread::spawn(move || {
            let (first, second) = (shared.open(0), shared.open(0));
            drop(first);
            second.is_ok_and(|second| {
                // Kept for good.
                std::mem::forget(second);
                true
            })
        });
        let mine = [runtime.open(0), runtime.open(0)];
        let mine = mine.into_iter().flatten().inspect(|call| assert!(call.sid() & 31 < 2)).collect::<Vec<_>>();
        let kept = other.join().unwrap();
        let free = [runtime.open(0), runtime.open(0)].into_iter().flatten().count();
        assert_eq!(mine.len() + usize::from(kept) + free, 2, "a slot was given out twice, or lost");
    });
}

/// What a plugin is, as far as its shutdown is concerned: `handle` may be called until it is stopped.
struct Plugin(UnsafeCell<bool>);

// SAFETY: that calls and the stop exclude each other is what the model below checks; loom watches the cell.
unsafe impl Sync for Plugin {}
// SAFETY: a flag.
unsafe impl Send for Plugin {}

impl Plugin {
    fn handle(&self) {
        // SAFETY: loom panics if the cell is written meanwhile.
        self.0.with(|stopped| assert!(!unsafe { *stopped }, "handed over to a plugin that was stopped"));
    }

    fn stop(&self) {
        // SAFETY: loom panics if anybody else has the cell.
        self.0.with_mut(|stopped| unsafe { *stopped = true });
    }
}

/// A runtime stops opening calls while a caller opens one after the other, on a slot that it frees itself, and hands each over by
/// `hand_over`, which returns false when none can be opened.
fn stop_against(hand_over: fn(&Runtime, &Plugin) -> bool) {
    let runtime = Arc::new(small(2, 1));
    let plugin = Arc::new(Plugin(UnsafeCell::new(false)));
    let (shared, called) = (runtime.clone(), plugin.clone());
    let caller = thread::spawn(move || (0..2).all(|_| hand_over(&shared, &called)));
    for _ in 0..2 {
        let in_flight = runtime.stop_opening();
        if runtime.handing_over() == 0 {
            plugin.stop();
            break;
        }
        assert_ne!(in_flight, 0);
    }
    caller.join().unwrap();
    assert_eq!(runtime.stop_opening(), 0, "a slot was lost");
    assert!(runtime.open(0).is_err());
}

/// A runtime stops while calls are opened. Legal: once no call is being handed over, none ever will be, and what was handed over
/// comes before.
#[test]
fn stop_against_open() {
    model("slab::stop_against_open", Bound::Three, || {
        stop_against(|runtime, plugin| runtime.open(0).map(|mut call| call.inline(|| plugin.handle())).is_ok());
    });
}

/// The same for streams. Legal: the same.
#[test]
fn stop_against_open_stream() {
    model("slab::stop_against_open_stream", Bound::Three, || {
        stop_against(|runtime, plugin| {
            runtime.open_stream(0).map(|mut stream| stream.inline(|| plugin.handle())).is_ok()
        });
    });
}

struct Quiet;

impl Wake for Quiet {
    fn wake(self: Arc<Self>) {}
}

/// A slot that is free again keeps no waker: a waker holds its task. Legal: after the call is over, by result or by giving
/// up, the caller's is the only handle to its waker.
#[test]
fn no_waker_stays_behind() {
    model("slab::no_waker_stays_behind", Bound::Three, || {
        let runtime = Arc::new(small(1, 1));
        let quiet = Arc::new(Quiet);
        {
            let call = runtime.open(0).unwrap();
            let (shared, sid) = (runtime.clone(), call.sid());
            let reacting = thread::spawn(move || {
                shared.send(sid, NrStatus::Ok, &[1]);
                drain(shared.reactor(0).unwrap());
            });
            let waker = Waker::from(quiet.clone());
            let mut call = pin!(call);
            let polled = call.as_mut().poll(&mut Context::from_waker(&waker));
            reacting.join().unwrap();
            if polled.is_pending() {
                assert!(matches!(call.poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(_))));
            }
        }
        assert_eq!(Arc::strong_count(&quiet), 1);
    });
}
