//! A thread-per-core host: each core has a shard, its reactor, and calls of its own; worker threads answer from anywhere.
//!
//! Run it with `cargo run --release -p nylon-ring-runtime --example thread_per_core`.

use std::{sync::mpsc, thread};

use nylon_ring_runtime::{NrStatus, Runtime, RuntimeError};

const CALLS: u32 = 128_000;
const IN_FLIGHT: u32 = 64;

/// What a plugin would do: take requests from a queue, and answer each under its sid.
fn work(runtime: &Runtime, requests: mpsc::Receiver<(u64, u32)>) {
    for (sid, number) in requests {
        runtime.send(sid, NrStatus::Ok, &(number * 2).to_le_bytes());
    }
}

/// One core: opens calls on its own shard, hands them out, and awaits them. While it waits, it is the shard's reactor.
fn core(runtime: &Runtime, shard: usize, worker: &mpsc::Sender<(u64, u32)>) -> Result<u32, RuntimeError> {
    let reactor = runtime.reactor(shard)?;
    reactor.block_on(async {
        let mut done = 0;
        while done < CALLS {
            let mut calls = Vec::new();
            for number in done..done + IN_FLIGHT {
                let call = runtime.open(shard)?;
                // A worker that is gone drops the request, and nobody would answer: give the call up.
                if worker.send((call.sid(), number)).is_ok() {
                    calls.push((number, call));
                }
            }
            for (number, call) in calls {
                let reply = call.await?;
                assert_eq!(&reply[..], (number * 2).to_le_bytes());
                done += 1;
            }
        }
        Ok(done)
    })
}

fn main() -> Result<(), RuntimeError> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let runtime = Runtime::builder().shards(cores).build()?;
    thread::scope(|scope| {
        let cores = (0..cores).map(|shard| {
            let (runtime, (requests, inbox)) = (&runtime, mpsc::channel());
            scope.spawn(move || work(runtime, inbox));
            scope.spawn(move || core(runtime, shard, &requests))
        });
        let cores: Vec<_> = cores.collect();
        for (number, core) in cores.into_iter().enumerate() {
            let Ok(done) = core.join() else { continue };
            println!("core {number}: {} calls done", done?);
        }
        Ok(())
    })
}
