//! Every contender gives the right answer to every kind of work: otherwise a comparison would compare nothing.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::{
    path::PathBuf,
    sync::{Mutex as StdMutex, MutexGuard, PoisonError},
    time::Duration,
};

use nylon_ring::NrStatus;
use nylon_ring_benches::{
    BenchError, Contender, DashMap, Floor, Mutex, MutexView, Public, PublicFast, Ring, RingCall,
    compare::CASES,
    drive::{self, Plan},
    work::{Flavour, Idle, Shape, Work},
};

/// What answers of the plugin are made of.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| i as u8).collect()
}

fn path<C: Contender>() -> PathBuf {
    C::plugin().unwrap()
}

/// There may be one host of [`Public`] at a time, so its tests come one after the other.
fn alone<C: Contender>() -> Option<MutexGuard<'static, ()>> {
    static ALONE: StdMutex<()> = StdMutex::new(());
    [Public::NAME, PublicFast::NAME].contains(&C::NAME).then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn call<C: Contender>(host: &C, path: &'static str, body: &[u8]) -> Result<(NrStatus, usize), BenchError> {
    Ok(host.call(&host.route(path)?, &body).await?)
}

/// Runs `check` with a host against two threads of the plugin, on both kinds of runtime.
fn with_host<C: Contender, F: Future<Output = Result<(), BenchError>>>(check: impl Fn(C) -> F) {
    let _alone = alone::<C>();
    for runtime in [Flavour::CurrentThread, Flavour::Workers(2)] {
        let shape = Shape::of(Work::BG_EMPTY).against(2, Idle::BRIEF).on(runtime, 1);
        let run = async {
            let host = drive::set_up::<C>(&path::<C>(), &shape).await?;
            check(host.clone()).await?;
            host.shutdown().await
        };
        let run = async { tokio::time::timeout(Duration::from_secs(60), run).await };
        let result = shape.build_runtime().unwrap().block_on(run);
        result.expect("answers within a minute").unwrap();
    }
}

async fn unary<C: Contender>(host: C) -> Result<(), BenchError> {
    for (path, body, expected) in [
        ("/e", &b""[..], vec![]),
        ("/k", b"", pattern(1024)),
        ("/c", b"as it came", b"as it came".to_vec()),
        ("/c", b"", vec![]),
        ("/be", b"", vec![]),
        ("/bk", b"", pattern(1024)),
        ("/p/0", b"", vec![]),
        ("/p/1", b"", pattern(1)),
        ("/p/4096", b"", pattern(4096)),
        ("/p/1048576", b"", pattern(1 << 20)),
        ("/bp/0", b"", vec![]),
        ("/bp/4096", b"", pattern(4096)),
        ("/bp/1048576", b"", pattern(1 << 20)),
    ] {
        let len = expected.len();
        let fetched = host.fetch(path, body).await?;
        assert_eq!(fetched, (NrStatus::Ok, expected), "{path}");
        assert_eq!(call(&host, path, body).await?, (NrStatus::Ok, len), "{path}");
    }
    Ok(())
}

async fn streams<C: Contender>(host: C) -> Result<(), BenchError> {
    for (path, frames, len) in
        [("/f/0", 0, 0), ("/f/8", 8, 0), ("/bf/0", 0, 0), ("/bf/32", 32, 64), ("/bf/300", 300, 64)]
    {
        let mut expected = vec![(NrStatus::Ok, pattern(len)); frames];
        expected.push((NrStatus::StreamEnd, vec![]));
        assert_eq!(host.frames(path).await?, expected, "{path}");
        let counted = host.stream(&host.route(path)?).await?;
        assert_eq!(counted, (frames as u64 + 1, frames * len), "{path}");
    }
    Ok(())
}

async fn refusals<C: Contender>(host: C) -> Result<(), BenchError> {
    for path in
        ["/", "", "/b", "/bx", "/f/", "/f/x", "/p/", "/p/1048577", "/bp/x", "/bp/1048577", "/threads/2", "/nothing"]
    {
        assert!(call(&host, path, b"").await.is_err(), "{path}");
    }
    // And it goes on.
    assert_eq!(call(&host, "/e", b"").await?, (NrStatus::Ok, 0));
    Ok(())
}

/// Every row of the comparison, for a moment: the driver checks each answer.
fn rows<C: Contender>() {
    let _alone = alone::<C>();
    for case in CASES {
        let mut shape = case.shape;
        shape.count_allocations = false; // this program does not count them
        let plan = Plan { warm_up: Duration::from_millis(1), time: Duration::from_millis(10) };
        let sample =
            drive::measure::<C>(&path::<C>(), &shape, plan).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert!(sample.results >= shape.in_flight as u64, "{}", case.name);
        assert_eq!(sample.times.is_some(), shape.time_send, "{}", case.name);
        if let Some(times) = sample.times {
            assert_eq!(times.count(), sample.results, "{}", case.name);
            assert!(times.quantile(0.5) <= times.quantile(0.9999));
        }
    }
}

/// Two hosts of one library at the same time do not see each other's results.
fn hosts_side_by_side<C: Contender>() {
    with_host::<C, _>(|one| async move {
        let shape = Shape::of(Work::BG_EMPTY);
        let other = drive::set_up::<C>(&path::<C>(), &shape).await?;
        for _ in 0..100 {
            assert_eq!(call(&one, "/bk", b"").await?, (NrStatus::Ok, 1024));
            assert_eq!(call(&other, "/be", b"").await?, (NrStatus::Ok, 0));
        }
        other.shutdown().await?;
        assert_eq!(call(&one, "/bk", b"").await?, (NrStatus::Ok, 1024));
        Ok(())
    });
}

/// Host and plugin take as many calls as there may be in flight, beyond the defaults of both. A power of two, as queues have them.
fn many_in_flight<C: Contender>() {
    let _alone = alone::<C>();
    let shape = Shape::of(Work::BG_EMPTY).on(Flavour::CurrentThread, 1 << 15).against(1, Idle::PARK);
    let plan = Plan { warm_up: Duration::from_millis(1), time: Duration::from_millis(10) };
    let sample = drive::measure::<C>(&path::<C>(), &shape, plan).unwrap();
    assert!(sample.results >= 1 << 15);
}

macro_rules! contender {
    ($($module:ident $contender:ty;)+) => {$(
        mod $module {
            use super::*;

            #[test]
            fn unary() {
                with_host(super::unary::<$contender>);
            }

            #[test]
            fn streams() {
                with_host(super::streams::<$contender>);
            }

            #[test]
            fn refusals() {
                with_host(super::refusals::<$contender>);
            }

            #[test]
            fn rows() {
                super::rows::<$contender>();
            }

            #[test]
            fn many_in_flight() {
                super::many_in_flight::<$contender>();
            }
        }
    )+};
}

contender! {
    mutex Mutex;
    mutex_view MutexView;
    dashmap DashMap;
    public Public;
    public_fast PublicFast;
    ring Ring;
    ring_call RingCall;
}

/// It keeps no frames apart.
mod floor {
    use super::*;

    #[test]
    fn unary() {
        with_host(super::unary::<Floor>);
    }

    #[test]
    fn rows() {
        super::rows::<Floor>();
    }
}

#[test]
fn hosts_of_one_library_are_apart() {
    hosts_side_by_side::<Mutex>();
    hosts_side_by_side::<DashMap>();
    hosts_side_by_side::<Ring>();
}

/// All hosts of the public crate that load one library share its statics, and the results of one would go to the other.
#[test]
fn a_second_public_host_is_refused() {
    with_host::<Public, _>(|_| async {
        assert!(Public::load(&path::<Public>()).is_err());
        Ok(())
    });
}
