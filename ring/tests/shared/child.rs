//! The process at the other end of a shared ring.

use std::{
    env,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use memmap2::MmapOptions;
use nylon_ring_runtime::{NrStatus, RuntimeError, SharedConsumer, SharedProducer};

use crate::records::{Progress, record, sid};

/// Where a process finds its orders: job, numbers, descriptors.
pub const ORDERS: &str = "NYLON_RING_TEST_CHILD";

#[derive(Debug, Clone, Copy)]
pub enum Job {
    /// Push `each` records of up to `longest` bytes from each of `threads` threads.
    Push { threads: u64, each: u64, longest: u64 },
    /// Push honest records from one thread, and write over every word of the memory from another.
    Scribble { seed: u64 },
}

/// A process that was started; killed when dropped.
pub struct Child(process::Child);

impl Child {
    pub fn start(consumer: &SharedConsumer, progress: Option<&Progress>, job: Job) -> Self {
        // Duplicates are inherited; other children of this process may inherit them too, which does no harm.
        let inherited = |fd: &dyn AsFd| rustix::io::dup(fd.as_fd()).unwrap();
        let memory = inherited(&consumer.memory());
        let doorbell = inherited(&consumer.doorbell());
        let progress = progress.map(|progress| inherited(progress.fd()));
        let (name, numbers) = match job {
            Job::Push { threads, each, longest } => ("push", [threads, each, longest]),
            Job::Scribble { seed } => ("scribble", [seed, 0, 0]),
        };
        let fds = [Some(&memory), Some(&doorbell), progress.as_ref()];
        let fds = fds.map(|fd| fd.map_or(-1, |fd| fd.as_raw_fd()));
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "a_process_of_its_own", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ORDERS, format!("{name} {numbers:?} {fds:?}").replace(['[', ']', ','], ""))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    /// SIGKILL; returns when the process is gone.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    pub fn succeeds(&mut self) {
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the process does.
pub fn main() {
    let orders = env::var(ORDERS).expect("this test is for the process that the others start");
    let mut words = orders.split(' ');
    let job = words.next().unwrap().to_owned();
    let mut number = || words.next().unwrap().parse::<i128>().unwrap();
    let [a, b, c] = [(); 3].map(|()| number() as u64);
    let [memory, doorbell, progress] = [(); 3].map(|()| {
        let fd = number() as i32;
        // SAFETY: the parent left these descriptors to this process, and nobody else here knows their numbers.
        (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
    });
    let (memory, progress) = (memory.unwrap(), progress.map(Progress::map));
    let producer = SharedProducer::attach(&memory, doorbell.unwrap()).unwrap();
    match &*job {
        "push" => thread::scope(|scope| {
            for thread in 0..a {
                let (producer, progress) = (&producer, progress.as_ref());
                scope.spawn(move || push(producer, progress, thread, b, c));
            }
        }),
        "scribble" => scribble(&producer, &memory, a),
        _ => panic!("unknown orders: {orders}"),
    }
}

fn push(producer: &SharedProducer, progress: Option<&Progress>, thread: u64, count: u64, longest: u64) {
    let mut bytes = Vec::new();
    for n in 0..count {
        let status = record(sid(thread, n), longest, &mut bytes);
        while let Err(error) = producer.push(sid(thread, n), status, &bytes) {
            assert!(matches!(error, RuntimeError::RingFull), "{error}");
            thread::yield_now();
        }
        if let Some(progress) = progress {
            progress.note(thread, n + 1);
        }
    }
}

/// For ever: any value, and values that could nearly stand there, over any word.
fn scribble(producer: &SharedProducer, memory: &OwnedFd, seed: u64) {
    let len = rustix::fs::fstat(memory).unwrap().st_size as usize;
    let map = MmapOptions::new().len(len).map_raw(memory.as_fd().as_raw_fd()).unwrap();
    // SAFETY: the mapping is that long and aligned to a page; its words are atomics.
    let words: &[AtomicU64] = unsafe { std::slice::from_raw_parts(map.as_ptr().cast(), len / 8) };
    let mut random = fastrand::Rng::with_seed(seed);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                let _ = producer.push(n, NrStatus::Ok, &[n as u8; 300][..n as usize % 300]);
                thread::yield_now();
            }
        });
        loop {
            let word = &words[random.usize(..words.len())];
            let value = match random.u8(..4) {
                0 => random.u64(..),
                1 => word.load(Ordering::Relaxed).wrapping_add(random.u64(..16)).wrapping_sub(8),
                2 => word.load(Ordering::Relaxed) ^ 1 << random.u32(..64),
                _ => [0, 1, 2, u64::MAX, u64::MAX >> 1, 1 << 32, u64::from(u32::MAX)][random.usize(..7)],
            };
            word.store(value, Ordering::Relaxed);
            if random.u8(..) == 0 {
                thread::yield_now();
            }
        }
    });
}
