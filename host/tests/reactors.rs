//! Where reactors run, and what they do when nothing is left: every setting gives every answer, on every executor.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[expect(dead_code, reason = "shared with other tests")]
mod common;

#[path = "misbehaving/accounts.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod accounts;
#[path = "misbehaving/rig.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod rig;

use std::time::{Duration, Instant};

use common::Watchdog;
use futures::{executor, future::join_all};
use nylon_ring_host::{Idle, NylonRingHost, NylonRingHostError, Reactors};
use rig::{Rig, plugin};
use tokio::runtime::Builder;

const IDLE: [Idle; 3] = [Idle::Park, Idle::Yield(Duration::from_micros(20)), Idle::Spin(Duration::from_micros(20))];

/// Calls one after the other, and several at once, answered inside `handle` and by threads of the plugin.
async fn exercise(rig: &Rig) {
    for _ in 0..20 {
        rig.right("/echo", "bg=1").await;
        rig.right("/echo", "").await;
    }
    join_all((0..16).map(|i| rig.right("/echo", if i % 2 == 0 { "bg=1" } else { "delay=500" }))).await;
}

fn exercise_everywhere(rig: &Rig) {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(exercise(rig));
    let workers = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let task = rig.clone();
    workers.block_on(async move { tokio::spawn(async move { exercise(&task).await }).await.unwrap() });
    executor::block_on(exercise(rig));
}

/// The threads of reactors, by name. A name is cut off after 15 bytes.
#[cfg(target_os = "linux")]
fn reactor_threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let mut names: Vec<String> = names.map(|name| name.trim().to_owned()).collect();
    names.retain(|name| name.strip_prefix("nylon-ring-").is_some_and(|shard| shard.parse::<usize>().is_ok()));
    names.sort();
    names
}

/// The cores that threads of such a name may run on.
#[cfg(target_os = "linux")]
fn cores_of(name: &str) -> impl Iterator<Item = String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.filter_map(move |task| {
        let status = std::fs::read_to_string(task.ok()?.path().join("status")).ok()?;
        let field = |name: &str| Some(status.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned());
        let own = field("Name:")?.strip_prefix(name)?.parse::<usize>().is_ok();
        if own { field("Cpus_allowed_list:") } else { None }
    })
}

/// One test, because it counts the threads of the process.
#[test]
fn on_every_executor() {
    let _watchdog = Watchdog::new("on_every_executor");
    let core = core_affinity::get_core_ids().unwrap_or_default().first().map(|core| core.id);
    let pinned = core.map(|core| Reactors::PinnedThreads(vec![core]));
    assert!(pinned.is_some() || !cfg!(target_os = "linux"), "no cores to pin threads to");
    for reactors in [Reactors::Tasks, Reactors::Threads].into_iter().chain(pinned) {
        for idle in IDLE {
            let rig = Rig::with(NylonRingHost::builder().shards(2).reactors(reactors.clone()).idle(idle));
            exercise_everywhere(&rig);
            #[cfg(target_os = "linux")]
            {
                let expected = if reactors == Reactors::Tasks { &[][..] } else { &["nylon-ring-0", "nylon-ring-1"] };
                let running = reactor_threads();
                assert!(running.iter().all(|name| expected.contains(&name.as_str())), "{reactors:?}: {running:?}");
                assert_eq!(running.is_empty(), expected.is_empty(), "{reactors:?}");
                if let Reactors::PinnedThreads(cores) = &reactors {
                    assert!(cores_of("nylon-ring-").all(|list| list == cores[0].to_string()), "on other cores");
                }
                drop(rig);
                let patience = Instant::now() + Duration::from_secs(10);
                while !reactor_threads().is_empty() {
                    assert!(Instant::now() < patience, "the host is gone, and its reactors' threads are not");
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }
}

#[test]
fn a_core_that_is_not_there() {
    let reactors = Reactors::PinnedThreads(vec![1_000_000]);
    let error = NylonRingHost::builder().reactors(reactors).load(plugin()).unwrap_err();
    assert!(matches!(error, NylonRingHostError::NoSuchCore { core: 1_000_000, .. }), "{error}");
    assert!(error.to_string().contains("1000000"), "{error}");
}
