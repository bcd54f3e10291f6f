//! All callers of one round: in tokio runtimes of either kind, in a `LocalSet`, and in an executor that is not tokio's.

use std::{
    io,
    ops::Range,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use futures::future::join_all;
use tokio::{
    runtime::{Builder, Runtime},
    task::LocalSet,
};

use super::{
    SoakError,
    caller::{self, Desk},
    house::{House, Round},
};

/// Callers in a runtime of several threads, and how many threads.
const MANY: Range<usize> = 0..24;
const WORKERS: usize = 2;
/// Callers that are tasks of a runtime of one thread.
const TASKS: Range<usize> = 24..36;
/// Callers that are tasks of a `LocalSet`.
const LOCAL: Range<usize> = 36..48;
/// Callers in one future, under another executor.
const OTHERS: Range<usize> = 48..54;
/// All of them.
pub(super) const CALLERS: usize = OTHERS.end;

/// How many calls before the end of a round runtimes are dropped that end abruptly.
const ABRUPT: i64 = 2000;
/// How long callers are busy before the host is shut down under load.
const BUSY: Duration = Duration::from_millis(100);

/// A round of calls. If `closes`, the host is shut down in the middle of it.
pub(super) fn round(house: &Arc<House>, seed: u64, round: Round, closes: bool) -> Result<(), SoakError> {
    if closes {
        house.set_closing();
    }
    house.set_quota(i64::try_from(round.calls).unwrap_or(i64::MAX));
    let start = Instant::now();
    thread::scope(|scope| {
        let crowds = [many, tasks, local, others].map(|crowd: fn(&Arc<House>, u64) -> io::Result<()>| {
            scope.spawn(move || {
                if let Err(error) = crowd(house, seed) {
                    house.fail(error.to_string());
                }
            })
        });
        while !crowds.iter().all(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(1));
            if round.time.is_some_and(|time| start.elapsed() > time) && house.quota() > ABRUPT {
                house.set_quota(ABRUPT);
            }
            if closes && start.elapsed() > BUSY {
                return house.close();
            }
        }
        Ok(())
    })?;
    house.desks.iter().for_each(Desk::leave);
    house.fault()
}

/// The seed of one caller.
fn seed_of(seed: u64, desk: usize) -> u64 {
    seed ^ (desk as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// One caller, as a future that owns what it needs.
fn caller(house: &Arc<House>, seed: u64, desk: usize, timers: bool) -> impl Future<Output = ()> + Send + 'static {
    let house = house.clone();
    async move { caller::run(&house, &house.desks[desk], seed_of(seed, desk), timers).await }
}

/// Waits for the callers, or for the moment when their runtime is to be dropped under them.
async fn ended(house: &House, callers: impl IntoIterator<Item = tokio::task::JoinHandle<()>>) {
    if house.weather.abrupt && !house.is_closing() {
        while house.quota() > ABRUPT {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        return;
    }
    for ended in join_all(callers).await {
        if let Err(error) = ended {
            house.fail(error.to_string());
        }
    }
}

fn many(house: &Arc<House>, seed: u64) -> io::Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let callers: Vec<_> = MANY.map(|desk| runtime.spawn(caller(house, seed, desk, true))).collect();
    runtime.block_on(ended(house, callers));
    Ok(())
}

fn one_thread() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn tasks(house: &Arc<House>, seed: u64) -> io::Result<()> {
    let runtime = one_thread()?;
    let callers: Vec<_> = TASKS.map(|desk| runtime.spawn(caller(house, seed, desk, true))).collect();
    runtime.block_on(ended(house, callers));
    Ok(())
}

fn local(house: &Arc<House>, seed: u64) -> io::Result<()> {
    let (runtime, set) = (one_thread()?, LocalSet::new());
    let callers: Vec<_> = LOCAL.map(|desk| set.spawn_local(caller(house, seed, desk, true))).collect();
    set.block_on(&runtime, ended(house, callers));
    Ok(())
}

fn others(house: &Arc<House>, seed: u64) -> io::Result<()> {
    futures::executor::block_on(join_all(OTHERS.map(|desk| caller(house, seed, desk, false))));
    Ok(())
}
