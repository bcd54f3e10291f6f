//! Calls in flight, seen from outside: which there are, how old they are, and which `handle` does not return.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;
#[path = "common/witness.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod witness;

use std::{
    sync::{Mutex, Once, atomic::Ordering::SeqCst},
    thread,
    time::Duration,
};

use common::LIMIT;
use futures::executor::block_on;
use nylon_ring_host::{InFlight, NylonRingHost};
use tracing_subscriber::fmt::MakeWriter;
use witness::{ask, load, staying, stream, until};

const PERIOD: Duration = Duration::from_millis(5);

on_both_runtimes!(nobody_looks, ages, a_handle_that_blocks, quick_handles_are_not_reported);

/// Hosts that whoever subscribes to the reports asks for their calls in flight, at each of them.
static ASKED: Mutex<Vec<NylonRingHost>> = Mutex::new(Vec::new());

/// The reports of a call's `handle`, of all that is logged by any thread of this process.
fn reports(sid: u64) -> Vec<String> {
    static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    static SUBSCRIBE: Once = Once::new();

    let writer = || {
        ASKED.lock().unwrap().iter().for_each(|host| drop(host.in_flight()));
        LOG.make_writer()
    };
    SUBSCRIBE.call_once(|| tracing_subscriber::fmt().with_ansi(false).with_writer(writer).init());
    let text = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    let of_call = |line: &&str| line.contains("nylon_ring::watchdog") && line.contains(&format!("sid={sid} "));
    text.lines().filter(of_call).map(str::to_owned).collect()
}

/// What is in flight is known all the same, but not for how long.
async fn nobody_looks() {
    let (host, seen) = load(staying()).await;
    assert_eq!(host.in_flight(), []);
    let (held, _stream) = (ask(&host, "/hold"), stream(&host).await);
    let look = async {
        let calls = host.in_flight();
        assert!(calls.iter().all(|call| call.age.is_none() && !call.in_handle), "{calls:?}");
        assert_eq!(calls.len(), 2);
        assert_ne!(calls[0].sid, calls[1].sid);
        seen.release.store(1, SeqCst);
    };
    assert_eq!(futures::join!(held, look).0.unwrap(), "2");
}

async fn ages() {
    let (host, seen) = load(staying().watch_calls(PERIOD, LIMIT)).await;
    let first = stream(&host).await;
    let old = host.in_flight()[0].sid;
    until("an age", || host.in_flight()[0].age.is_some_and(|age| age >= 4 * PERIOD)).await;
    let second = stream(&host).await;
    until("another age", || host.in_flight().iter().all(|call| call.age.is_some())).await;
    let calls = host.in_flight();
    let [InFlight { sid, age: older, .. }, InFlight { age: younger, .. }] = calls[..] else { panic!("{calls:?}") };
    assert!(sid == old && older > younger, "{calls:?}");
    drop(first);
    // What a slot is used for next does not inherit an age.
    seen.release.store(1, SeqCst);
    until("the end", || host.in_flight().iter().all(|call| call.sid != old)).await;
    drop(second);
    assert_eq!(host.metrics().slow_handles, 0);
}

async fn a_handle_that_blocks() {
    reports(0);
    let (host, seen) = load(staying().watch_calls(PERIOD, 4 * PERIOD)).await;
    ASKED.lock().unwrap().push(host.clone());
    // The call that told the plugin where to look may have had to wait for a core.
    let before = host.metrics().slow_handles;
    let caller = thread::spawn({
        let host = host.clone();
        move || block_on(ask(&host, "/block"))
    });
    until("the report", || host.metrics().slow_handles == before + 1).await;
    let calls = host.in_flight();
    let [InFlight { sid, age: Some(age), in_handle: true, .. }] = calls[..] else { panic!("{calls:?}") };
    assert!(age >= 4 * PERIOD);
    until("its text", || !reports(sid).is_empty()).await;
    smol::Timer::after(10 * PERIOD).await;
    assert_eq!(host.metrics().slow_handles, before + 1, "it is reported once");
    let reports = reports(sid);
    let [report] = &reports[..] else { panic!("{reports:?}") };
    assert!(
        ["WARN", "plugin=\"unload\"", "path=\"/block\"", "blocked_ms="].iter().all(|part| report.contains(part)),
        "{report}"
    );
    seen.release.store(1, SeqCst);
    assert_eq!(caller.join().unwrap().unwrap(), "late");
    assert_eq!(host.in_flight(), []);
}

/// A call that is in flight for long is not one whose `handle` blocks.
async fn quick_handles_are_not_reported() {
    const BUDGET: Duration = Duration::from_secs(1);

    let (host, seen) = load(staying().watch_calls(PERIOD, BUDGET)).await;
    let held = stream(&host).await;
    until("an age", || host.in_flight()[0].age.is_some_and(|age| age >= BUDGET + 10 * PERIOD)).await;
    assert_eq!(host.metrics().slow_handles, 0);
    assert!(!host.in_flight()[0].in_handle);
    seen.release.store(1, SeqCst);
    drop(held);
}

#[test]
fn times_of_one_call_in_four() {
    let _watchdog = common::Watchdog::new("times_of_one_call_in_four");
    let (host, _) = block_on(load(staying()));
    assert!(host.handle_times().is_none());
    let host = staying().time_handles(4).load(witness::plugin(&[])).unwrap();
    let seen = block_on(witness::witness(&host));
    for _ in 0..6 {
        block_on(ask(&host, "/later")).unwrap();
    }
    assert_eq!(host.handle_times().unwrap().samples(), 1, "7 calls on this thread");
    let caller = thread::spawn({
        let host = host.clone();
        move || {
            let _streams: Vec<_> = (0..3).map(|_| block_on(stream(&host))).collect();
            block_on(ask(&host, "/block")).unwrap()
        }
    });
    block_on(until("the call", || seen.blocked.load(SeqCst) == 1));
    thread::sleep(10 * PERIOD);
    seen.release.store(1, SeqCst);
    assert_eq!(caller.join().unwrap(), "late");
    let times = host.handle_times().unwrap();
    assert_eq!(times.samples(), 2, "streams count, and each thread counts for itself: {times:?}");
    assert!(times.quantile(1.0) >= 10 * PERIOD && times.quantile(0.5) <= times.quantile(1.0), "{times:?}");
}
