//! What a round trip costs, host to plugin and back: the ring, the mutex baseline, the host from crates.io.
//!
//! One call at a time on a current-thread runtime. The plugin answers inside `handle`, so what is measured is the
//! host; calls that a thread answers are the business of `compare`.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run has nothing better to do than to stop")]

use std::hint::black_box;

use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime};
use nylon_ring_benches::{
    Contender, Mutex, MutexView, Public, Ring, RingCall, drive,
    work::{Flavour, Shape, Work},
};
use nylon_ring_host::HighLevelRequest;

fn contender<C: Contender>(group: &mut BenchmarkGroup<'_, WallTime>) {
    let shape = Shape::of(Work::SYNC_EMPTY).on(Flavour::CurrentThread, 1);
    let runtime = shape.build_runtime().unwrap();
    let host = runtime.block_on(drive::set_up::<C>(&C::plugin().unwrap(), &shape)).unwrap();
    let (empty_body, body): (&[u8], &[u8]) = (&[], &[7; 1024]);
    // Many calls inside one `block_on`, which is not a part of a call.
    macro_rules! bench {
        ($name:literal, $call:expr) => {
            group.bench_function(format!("{}/{}", $name, C::NAME), |b| {
                b.iter_custom(|times| {
                    runtime.block_on(async {
                        let start = std::time::Instant::now();
                        for _ in 0..times {
                            black_box($call.await.unwrap());
                        }
                        start.elapsed()
                    })
                });
            });
        };
    }
    let [empty, echo, frames] = ["/e", "/c", "/f/5"].map(|path| host.route(path).unwrap());
    bench!("unary", host.call(black_box(&empty), black_box(&empty_body)));
    bench!("unary, 1 KiB body", host.call(black_box(&empty), black_box(&body)));
    bench!("unary, 1 KiB body and answer", host.call(black_box(&echo), black_box(&body)));
    bench!("stream of 5, all frames", host.stream(black_box(&frames)));
    runtime.block_on(host.shutdown()).unwrap();
}

fn host(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("host");
    group.bench_function("build HighLevelRequest", |b| {
        b.iter(|| HighLevelRequest {
            method: black_box("GET").to_owned(),
            path: black_box("/api/data").to_owned(),
            query: black_box("a=1").to_owned(),
            headers: vec![(black_box("User-Agent").to_owned(), black_box("bench/1.0").to_owned())],
            body: black_box(b"").to_vec(),
        });
    });
    contender::<Mutex>(&mut group);
    contender::<MutexView>(&mut group);
    contender::<Public>(&mut group);
    contender::<RingCall>(&mut group);
    contender::<Ring>(&mut group);
    group.finish();
}

criterion_group!(benches, host);
criterion_main!(benches);
