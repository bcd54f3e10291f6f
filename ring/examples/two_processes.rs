//! Results from another process, through shared memory: the child pushes from two threads and dies in the middle of its work; the
//! parent delivers whatever it had published, and goes on.
//!
//! ```text
//! cargo run --release -p nylon-ring-runtime --example two_processes
//! ```

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("rings in shared memory need memfd and eventfd, which only Linux has");
    std::process::exit(1);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        env,
        error::Error,
        os::fd::{AsRawFd, FromRawFd, OwnedFd},
        process::{self, Command},
        thread,
        time::Duration,
    };

    use nylon_ring_runtime::{NrStatus, Runtime, RuntimeError, SharedConsumer, SharedProducer, Turn};

    const CALLS: usize = 1000;

    pub fn main() -> Result<(), Box<dyn Error>> {
        let args: Vec<String> = env::args().collect();
        match &args[1..] {
            [] => parent(),
            [memory, doorbell, first_sids @ ..] => child(memory.parse()?, doorbell.parse()?, first_sids),
            _ => Err("usage: two_processes".into()),
        }
    }

    fn parent() -> Result<(), Box<dyn Error>> {
        let runtime = Runtime::builder().shards(1).build()?;
        let mut calls: Vec<_> = (0..CALLS).map(|_| runtime.open(0)).collect::<Result<_, _>>()?;

        let mut consumer = SharedConsumer::create(256)?;
        // Duplicates without CLOEXEC: the child inherits them. The originals stay here.
        let (memory, doorbell) = (rustix::io::dup(consumer.memory())?, rustix::io::dup(consumer.doorbell())?);
        let mut child = Command::new(env::current_exe()?)
            .args([&memory, &doorbell].map(|fd| fd.as_raw_fd().to_string()))
            .args(calls.iter().map(|call| call.sid().to_string()))
            .spawn()?;
        drop((memory, doorbell));

        let deliver = |sid, status, bytes: &[u8]| runtime.send(sid, status, bytes);
        // A reactor would wait for the doorbell and for the child's pidfd at once.
        while child.try_wait()?.is_none() {
            if consumer.turn(64, deliver)? == Turn::Sleep {
                consumer.wait(Some(Duration::from_millis(10)));
            }
        }
        let (taken, left) = (consumer.taken(), consumer.salvage(deliver)?);

        let answered = calls.iter_mut().filter_map(|call| call.try_take()).collect::<Result<Vec<_>, _>>()?.len();
        println!("the child ended with {}", child.wait()?);
        println!(
            "{taken} results came while it lived, {} were salvaged: {answered} of {CALLS} calls have their answer",
            left.records
        );
        println!("the others ({}) are given up", CALLS - answered);
        Ok(())
    }

    fn child(memory: i32, doorbell: i32, sids: &[String]) -> Result<(), Box<dyn Error>> {
        // SAFETY: the parent left both to this process, and nothing else here knows their numbers.
        let [memory, doorbell] = [memory, doorbell].map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        let producer = &SharedProducer::attach(memory, doorbell)?;
        thread::scope(|scope| {
            for half in sids.chunks(sids.len().div_ceil(2)) {
                scope.spawn(move || {
                    for (n, sid) in half.iter().enumerate() {
                        let sid = sid.parse().unwrap_or(0);
                        while let Err(RuntimeError::RingFull) =
                            producer.push(sid, NrStatus::Ok, b"from another process")
                        {
                            thread::yield_now();
                        }
                        if n == half.len() * 3 / 4 {
                            process::abort();
                        }
                    }
                });
            }
        });
        Ok(())
    }
}
