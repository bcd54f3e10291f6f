//! What no loom model can see: plain counters, descriptors, memory that is left over, and steps that one thread takes alone.
//!
//! Each test notices a change to the source that `loom-tests/mutants.toml` names it for.

#![cfg(all(target_os = "linux", not(any(nylon_loom, miri))))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use nylon_ring_runtime::{Counter, Doorbell, DoorbellKind, NrStatus, Reply, Runtime, RuntimeError, Turn};
use support::{drain, small, within};

/// Bytes of payloads that are counted; nothing else is so long.
const LEFT: usize = 4321;
const SECOND: usize = 4323;

/// What chunks of `ring/src/bump.rs` are aligned to; nothing else is.
const CHUNK: usize = 16384;

static LIVE: [AtomicI64; 3] = [AtomicI64::new(0), AtomicI64::new(0), AtomicI64::new(0)];

/// The system's allocator, counting blocks of these lengths, and chunks.
struct Counting;

impl Counting {
    fn count(layout: Layout, by: i64) {
        match (layout.size(), layout.align()) {
            (LEFT, _) => LIVE[0].fetch_add(by, Relaxed),
            (SECOND, _) => LIVE[1].fetch_add(by, Relaxed),
            (_, CHUNK) => LIVE[2].fetch_add(by, Relaxed),
            _ => 0,
        };
    }
}

// SAFETY: every request goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout, 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        Self::count(layout, -1);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A runtime whose reactor has armed its ring and sleeps.
fn asleep() -> Runtime {
    let runtime = small(64, 8).doorbell(DoorbellKind::Waker).build().unwrap();
    assert_eq!(runtime.reactor(0).unwrap().turn(64), Turn::Sleep);
    runtime
}

fn rung(runtime: &Runtime) -> bool {
    runtime.reactor(0).unwrap().doorbell().poll_rung(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn buffered(runtime: &Runtime) -> u64 {
    runtime.metrics().buffered
}

/// Fills a ring of one cell, with a result for a call that is given up.
fn fill(runtime: &Runtime) {
    let filler = runtime.open(0).unwrap();
    runtime.send(filler.sid(), NrStatus::Ok, b"fills the one cell");
}

/// Gives a call up while its plugin holds a pointer, and puts its state aside.
fn orphan(runtime: &Runtime) -> u64 {
    let call = runtime.open(0).unwrap();
    let sid = call.sid();
    runtime.set_state(sid, "k", &[7; 100]).unwrap();
    assert!(runtime.get_state(sid, "k").is_some());
    drop(call);
    drain(runtime, 0);
    sid
}

// --- memory that is left over ---

/// A task that does nothing.
struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

/// A result, frames, state and a waker in slots whose callers are gone without a word; records in the ring and behind it.
#[test]
fn a_runtime_frees_what_is_left_in_it() {
    let runtime = small(4, 8).build().unwrap();
    let (answered, stream, stored) =
        (runtime.open(0).unwrap(), runtime.open_stream(0).unwrap(), runtime.open(0).unwrap());
    runtime.send(answered.sid(), NrStatus::Ok, &[1; LEFT]);
    runtime.send(stream.sid(), NrStatus::Ok, &[1; LEFT]);
    drain(&runtime, 0);
    runtime.send(stream.sid(), NrStatus::Ok, &[1; LEFT]);
    drain(&runtime, 0);
    runtime.set_state(stored.sid(), "k", &[1; LEFT]).unwrap();
    runtime.set_state(stored.sid(), "l", &[1; LEFT]).unwrap();
    (0..6).for_each(|_| runtime.send(stream.sid(), NrStatus::Ok, &[1; LEFT]));
    let mut asleep = runtime.open(0).unwrap();
    let task = Arc::new(Nobody);
    assert!(Pin::new(&mut asleep).poll(&mut Context::from_waker(&task.clone().into())).is_pending());
    mem::forget((answered, stream, stored, asleep));
    assert_eq!((LIVE[0].load(Relaxed), Arc::strong_count(&task)), (11, 2));
    drop(runtime);
    assert_eq!((LIVE[0].load(Relaxed), Arc::strong_count(&task)), (0, 1));
}

/// The second answer lies in the slot when the first one is taken out of the scope.
#[test]
fn an_answer_that_comes_second_is_freed() {
    let runtime = small(4, 1).build().unwrap();
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| runtime.send(sid, NrStatus::Ok, b"first"));
    runtime.send(sid, NrStatus::Ok, &[2; SECOND]);
    drain(&runtime, 0);
    assert_eq!(&call.try_take().unwrap().unwrap()[..], b"first");
    assert_eq!((LIVE[1].load(Relaxed), buffered(&runtime)), (0, 0));
}

#[test]
fn frames_that_were_not_yielded_are_given_back() {
    let runtime = small(8, 1).build().unwrap();
    let mut stream = runtime.open_stream(0).unwrap();
    (0..3).for_each(|_| runtime.send(stream.sid(), NrStatus::Ok, b"x"));
    drain(&runtime, 0);
    assert!(stream.try_next().is_some());
    drop(stream);
    assert_eq!(buffered(&runtime), 0);
}

#[test]
fn a_large_result_for_nobody_is_given_back() {
    let runtime = small(1, 1).build().unwrap();
    let stale = runtime.open(0).unwrap().sid();
    fill(&runtime);
    runtime.send(stale, NrStatus::Ok, &[1; 10_000]);
    assert_eq!((buffered(&runtime), runtime.metrics().unknown_sid), (0, 1));
}

/// Two shards, and a result that one of them keeps.
#[test]
fn a_shard_has_its_share_and_what_others_leave() {
    let runtime = small(4, 4).shards(2).buffer_limit(20_000).build().unwrap();
    let send = |shard: usize, len: usize| {
        let call = runtime.open(shard).unwrap();
        runtime.send(call.sid(), NrStatus::Ok, &vec![1; len]);
        drain(&runtime, shard);
        call
    };
    // More than half, because the other shard has nothing; then the half that is the other one's own, and no more.
    let [mut first, mut second, mut third] = [(0, 18_000), (1, 9_000), (1, 5_000)].map(|(shard, len)| send(shard, len));
    assert_eq!(first.try_take().unwrap().unwrap().len(), 18_000);
    assert_eq!(second.try_take().unwrap().unwrap().len(), 9_000);
    assert!(matches!(third.try_take(), Some(Err(RuntimeError::Overflow { limit: 20_000 }))));
}

// --- counts ---

#[test]
fn counts_from_many_threads_add_up() {
    let counter = Counter::new();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500_000).for_each(|_| counter.count()));
        }
    });
    assert_eq!(counter.get(), 2_000_000);
}

/// Producers flood a full ring with what nobody awaits, while it is drained. The shard itself looks, when it is dropped, whether
/// records and marks in its overflow queue were counted right.
#[test]
fn counts_of_a_flood_agree() {
    let runtime = small(1, 64).build().unwrap();
    let stale = orphan(&runtime) ^ (1 << 40);
    let before = buffered(&runtime);
    thread::scope(|scope| {
        let flood = || (0..100_000).for_each(|n| runtime.send(stale, NrStatus::Ok, &[0; 5000][..5000 * (n & 1)]));
        let producers = [scope.spawn(flood), scope.spawn(flood), scope.spawn(flood)];
        while !producers.iter().all(|producer| producer.is_finished()) {
            drain(&runtime, 0);
        }
    });
    drain(&runtime, 0);
    assert_eq!(buffered(&runtime), before);
}

/// Marks that were delivered make room for others, or the last one would never free the state.
#[test]
fn room_for_marks_comes_back() {
    let runtime = small(1, 2).build().unwrap();
    let sid = orphan(&runtime);
    fill(&runtime);
    (0..100).for_each(|_| runtime.send(sid ^ (1 << 40), NrStatus::Ok, b""));
    drain(&runtime, 0);
    fill(&runtime);
    runtime.send(sid, NrStatus::Ok, b"");
    drain(&runtime, 0);
    assert_eq!(buffered(&runtime), 0, "the terminal result was dropped at the door");
}

#[test]
fn no_marks_pass_once_the_orphans_are_gone() {
    let runtime = small(1, 2).build().unwrap();
    let sid = orphan(&runtime);
    runtime.send(sid, NrStatus::Ok, b"");
    drain(&runtime, 0);
    fill(&runtime);
    let before = runtime.metrics().unknown_sid;
    runtime.send(sid, NrStatus::Ok, b"");
    assert_eq!(runtime.metrics().unknown_sid, before + 1, "it was not dropped at the door");
}

// --- what a plugin holds ---

/// Opens a stream whose plugin holds a pointer, and ends it by an overflow.
fn overflowed(runtime: &Runtime) -> nylon_ring_runtime::Receiver<'_> {
    let stream = runtime.open_stream(0).unwrap();
    runtime.set_state(stream.sid(), "k", &[7; 100]).unwrap();
    assert!(runtime.get_state(stream.sid(), "k").is_some());
    runtime.send_overflow(stream.sid(), NrStatus::Ok);
    drain(runtime, 0);
    stream
}

#[test]
fn a_frame_after_an_overflow_keeps_the_state() {
    let runtime = small(4, 1).build().unwrap();
    let stream = overflowed(&runtime);
    let sid = stream.sid();
    runtime.send(sid, NrStatus::Ok, b"still at it");
    drain(&runtime, 0);
    drop(stream);
    drain(&runtime, 0);
    assert!(buffered(&runtime) > 0, "the state was freed while the plugin may read it");
    runtime.send(sid, NrStatus::StreamEnd, b"");
    drain(&runtime, 0);
    assert_eq!(buffered(&runtime), 0);
}

#[test]
fn the_end_after_an_overflow_frees_the_state_through_a_full_ring() {
    let runtime = small(1, 2).build().unwrap();
    let stream = overflowed(&runtime);
    fill(&runtime);
    runtime.send(stream.sid(), NrStatus::StreamEnd, b"");
    drain(&runtime, 0);
    drop(stream);
    drain(&runtime, 0);
    assert_eq!(buffered(&runtime), 0, "the end was dropped at the door");
}

#[test]
fn more_frames_than_a_run_arrive() {
    let runtime = small(64, 1).build().unwrap();
    let mut stream = runtime.open_stream(0).unwrap();
    (0..60).for_each(|number| runtime.send(stream.sid(), NrStatus::Ok, &[number]));
    drain(&runtime, 0);
    (0..60).for_each(|number| assert_eq!(&stream.try_next().unwrap().unwrap()[..], [number]));
}

#[test]
fn a_budget_is_more_than_a_batch() {
    let runtime = small(256, 1).build().unwrap();
    let reactor = runtime.reactor(0).unwrap();
    (0..200).for_each(|stale| runtime.send(stale << 40, NrStatus::Ok, b""));
    assert_eq!(reactor.drain(1000), 200);
}

// --- doorbells ---

#[cfg(target_os = "linux")]
#[test]
fn rings_collapse_into_one_strike() {
    use std::io::Read;

    let runtime = small(1, 1).build().unwrap();
    let stream = runtime.open_stream(0).unwrap();
    (0..5).for_each(|_| runtime.send(stream.sid(), NrStatus::Ok, b"the first fills the ring, the others ring"));
    let fd = runtime.reactor(0).unwrap().doorbell().eventfd().expect("the native doorbell is an eventfd");
    let mut strikes = [0; 8];
    std::fs::File::from(fd.try_clone_to_owned().unwrap()).read_exact(&mut strikes).unwrap();
    assert_eq!(u64::from_ne_bytes(strikes), 1);
}

#[test]
fn a_native_doorbell_is_always_ready_to_be_polled() {
    let runtime = small(4, 1).build().unwrap();
    assert_eq!(rung(&runtime), cfg!(target_os = "linux"));
}

#[test]
fn a_wait_takes_its_ring_back() {
    let runtime = small(4, 1).build().unwrap();
    let reactor = runtime.reactor(0).unwrap();
    Waker::from(reactor.doorbell().clone()).wake();
    reactor.park(Some(Duration::from_secs(5)));
    let start = Instant::now();
    reactor.park(Some(Duration::from_millis(30)));
    assert!(start.elapsed() >= Duration::from_millis(25));
}

/// A waker that rings while its reactor takes the turn that comes before it sleeps.
struct Rings(Arc<Doorbell>);

impl Wake for Rings {
    fn wake(self: Arc<Self>) {
        Waker::from(self.0.clone()).wake();
    }
}

#[test]
fn a_wait_ends_when_somebody_has_rung_before() {
    within(10, || {
        let runtime = small(4, 1).doorbell(DoorbellKind::Waker).build().unwrap();
        let reactor = runtime.reactor(0).unwrap();
        let mut call = runtime.open(0).unwrap();
        let waker = Waker::from(Arc::new(Rings(reactor.doorbell().clone())));
        assert!(Pin::new(&mut call).poll(&mut Context::from_waker(&waker)).is_pending());
        runtime.send(call.sid(), NrStatus::Ok, b"");
        reactor.park(None);
        assert!(matches!(Pin::new(&mut call).poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(_))));
    });
}

/// A waker that sends more than a batch while its reactor takes the turn that comes before it sleeps.
struct Floods(&'static Runtime, u64);

impl Wake for Floods {
    fn wake(self: Arc<Self>) {
        (0..100).for_each(|_| self.0.send(self.1, NrStatus::Ok, b""));
    }
}

#[test]
fn a_reactor_that_leaves_rings_if_there_is_more() {
    within(10, || {
        let runtime: &'static Runtime =
            Box::leak(Box::new(small(256, 2).doorbell(DoorbellKind::Waker).build().unwrap()));
        let mut call = runtime.open(0).unwrap();
        let waker = Waker::from(Arc::new(Floods(runtime, call.sid())));
        assert!(Pin::new(&mut call).poll(&mut Context::from_waker(&waker)).is_pending());
        runtime.send(call.sid(), NrStatus::Ok, b"");
        runtime.reactor(0).unwrap().park(None);
        assert!(runtime.metrics().drained < 101);
        assert!(rung(runtime));
    });
}

#[test]
fn block_on_rings_if_it_leaves_more() {
    let runtime = small(256, 128).doorbell(DoorbellKind::Waker).build().unwrap();
    let calls: Vec<_> = (0..128).map(|_| runtime.open(0).unwrap()).collect();
    calls.iter().for_each(|call| runtime.send(call.sid(), NrStatus::Ok, b""));
    runtime.reactor(0).unwrap().block_on(std::future::ready(()));
    assert!(runtime.metrics().drained < 128);
    assert!(rung(&runtime));
}

#[test]
fn after_a_nested_scope_the_outer_one_goes_on() {
    let runtime = asleep();
    let (mut outer, mut inner) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
    let sid = outer.sid();
    outer.inline(|| {
        inner.inline(|| ());
        runtime.send(sid, NrStatus::Ok, b"x");
    });
    assert!(!rung(&runtime));
    assert!(outer.try_take().is_some());
}

// --- memory for results ---

/// Held by who counts chunks, or has many.
static CHUNKS: Mutex<()> = Mutex::new(());

/// Whether the bytes become a vector without a copy.
fn is_own(reply: Reply) -> bool {
    let bytes = reply.as_ptr();
    let vec = reply.into_vec();
    vec.as_ptr() == bytes
}

#[test]
fn an_answer_given_inside_becomes_its_vector() {
    let runtime = small(4, 2).build().unwrap();
    let mut call = runtime.open(0).unwrap();
    let sid = call.sid();
    call.inline(|| runtime.send(sid, NrStatus::Ok, &[7; 100]));
    assert!(is_own(call.try_take().unwrap().unwrap()));
}

#[test]
fn results_hold_few_chunks() {
    let _alone = CHUNKS.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = small(1024, 512).build().unwrap();
    let calls: Vec<_> = (0..400).map(|_| runtime.open(0).unwrap()).collect();
    let before = LIVE[2].load(Relaxed);
    // Four of these fill a chunk. Other tests may have one or two meanwhile.
    calls.iter().for_each(|call| runtime.send(call.sid(), NrStatus::Ok, &[7; 4000]));
    let chunks = LIVE[2].load(Relaxed) - before;
    assert!((60..70).contains(&chunks), "{chunks} chunks");
    drain(&runtime, 0);
    let own = calls.into_iter().map(|mut call| is_own(call.try_take().unwrap().unwrap())).filter(|own| *own).count();
    assert_eq!(own, 400 - 4 * 64);
    let mut call = runtime.open(0).unwrap();
    runtime.send(call.sid(), NrStatus::Ok, &[7; 4000]);
    assert!(!is_own(call.try_take().unwrap().unwrap()), "chunks are not used again");
    drop(call);
    drop(runtime);
    let left = LIVE[2].load(Relaxed) - before;
    assert!(left < 5, "{left} chunks");
}

#[test]
fn a_result_that_is_kept_holds_one_chunk() {
    let _alone = CHUNKS.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = small(1024, 512).build().unwrap();
    let send = |_| {
        let call = runtime.open(0).unwrap();
        runtime.send(call.sid(), NrStatus::Ok, &[7; 4000]);
        call
    };
    let mut calls: Vec<_> = (0..4 * 64).map(send).collect();
    let kept = calls[0].try_take();
    drop(calls);
    drain(&runtime, 0);
    // The first of these finds its chunk in use, and the next one the second chunk.
    let more: Vec<bool> = (0..3).map(send).map(|mut call| is_own(call.try_take().unwrap().unwrap())).collect();
    assert_eq!(more, [true, false, false]);
    drop(kept);
}

// --- the end ---

#[test]
fn no_call_is_opened_after_the_close() {
    let runtime = small(4, 2).build().unwrap();
    drop(runtime.open(0).unwrap());
    runtime.close();
    assert!(matches!(runtime.open(0), Err(RuntimeError::Closed)));
}

#[test]
fn reactors_are_rung_for_when_the_runtime_closes() {
    let runtime = asleep();
    runtime.close();
    assert!(rung(&runtime));
}

#[test]
fn no_shard_is_set_up_after_the_stop() {
    let runtime = Runtime::builder().shards(2).slots(1).cells(1).build().unwrap();
    drop(runtime.open(0).unwrap());
    assert_eq!(runtime.stop_opening(), 0);
    assert!(matches!(runtime.open(1), Err(RuntimeError::Closed)));
}

#[test]
fn a_call_that_was_handed_over_counts_no_more() {
    let runtime = small(4, 2).build().unwrap();
    let (mut call, mut stream) = (runtime.open(0).unwrap(), runtime.open_stream(0).unwrap());
    assert_eq!((runtime.stop_opening(), runtime.handing_over()), (2, 2));
    call.inline(|| ());
    assert_eq!(runtime.handing_over(), 1);
    stream.inline(|| ());
    assert_eq!(runtime.handing_over(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_turn_that_used_its_budget_up_makes_room() {
    let mut consumer = nylon_ring_runtime::SharedConsumer::create(2).unwrap();
    let doorbell = consumer.doorbell().try_clone_to_owned().unwrap();
    let producer = nylon_ring_runtime::SharedProducer::attach(consumer.memory(), doorbell).unwrap();
    (0..2).for_each(|_| producer.push(1, NrStatus::Ok, b"x").unwrap());
    assert_eq!(consumer.turn(2, |_, _, _| ()).unwrap(), Turn::More);
    producer.push(1, NrStatus::Ok, b"x").unwrap();
}
