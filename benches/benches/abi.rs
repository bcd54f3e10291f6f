//! What the ABI's views cost: making and reading them.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use nylon_ring::{NrBytes, NrHeader, NrRequest, NrStr};

fn abi(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("abi");
    let text = "a path of the usual length";
    let view = NrStr::from_str(text);
    let bytes = [7_u8; 1024];
    let bytes_view = NrBytes::from_slice(&bytes);
    let headers = [NrHeader::new("accept", "text/plain"), NrHeader::new("host", "localhost")];

    group.bench_function("NrStr::from_str", |b| {
        b.iter(|| NrStr::from_str(black_box(text)));
    });
    group.bench_function("NrStr::as_str", |b| {
        b.iter(|| {
            // SAFETY: `text` is a literal.
            let read = unsafe { black_box(&view).as_str() };
            read.map(str::len)
        });
    });
    group.bench_function("NrBytes::from_slice", |b| {
        b.iter(|| NrBytes::from_slice(black_box(&bytes)));
    });
    group.bench_function("NrBytes::as_slice", |b| {
        b.iter(|| {
            // SAFETY: `bytes` outlives the benchmark, and is not written to.
            let read = unsafe { black_box(&bytes_view).as_slice() };
            read.map(<[u8]>::len)
        });
    });
    group.bench_function("NrHeader::new", |b| {
        b.iter(|| NrHeader::new(black_box("accept"), black_box("text/plain")));
    });
    group.bench_function("NrRequest::build", |b| {
        b.iter(|| NrRequest::build(black_box("GET"), black_box(text), black_box("a=1"), black_box(&headers)));
    });
    group.finish();
}

criterion_group!(benches, abi);
criterion_main!(benches);
