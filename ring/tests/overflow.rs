//! Rings that are full, and the limit on what is buffered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::thread;

use nylon_ring_runtime::{NrStatus, RuntimeError};
use support::{assert_books, drain, many, small};

#[test]
fn frames_keep_their_order_through_ring_and_overflow() {
    let count = many(5_000) as u32;
    for cells in [1, 2, 16] {
        let runtime = small(cells, 8).build().unwrap();
        let mut streams: Vec<_> = (0..4).map(|_| runtime.open_stream(0).unwrap()).collect();
        let sids: Vec<u64> = streams.iter().map(|stream| stream.sid()).collect();
        thread::scope(|scope| {
            for sid in sids {
                let runtime = &runtime;
                scope.spawn(move || {
                    for number in 0..count {
                        runtime.send(sid, NrStatus::Ok, &number.to_le_bytes());
                    }
                    runtime.send(sid, NrStatus::StreamEnd, &count.to_le_bytes());
                });
            }
            let reactor = runtime.reactor(0).unwrap();
            for stream in &mut streams {
                let mut expected = 0;
                while let Some(frame) = reactor.block_on(stream.next()) {
                    let frame = frame.unwrap();
                    assert_eq!(&frame[..], u32::to_le_bytes(expected), "{cells} cells");
                    expected += 1;
                }
                assert_eq!(expected, count + 1);
            }
        });
        drain(&runtime, 0);
        let metrics = runtime.metrics();
        assert_eq!((metrics.in_flight, metrics.buffered, metrics.cancelled), (0, 0, 0));
        assert_eq!(metrics.delivered, 4 * (u64::from(count) + 1));
        assert_books(&metrics, 4 * (u64::from(count) + 1));
    }
}

#[test]
fn a_unary_result_past_the_limit_is_an_overflow_error() {
    let runtime = small(4, 2).buffer_limit(10_000).build().unwrap();
    let mut call = runtime.open(0).unwrap();
    runtime.send(call.sid(), NrStatus::Ok, &[1; 20_000]);
    runtime.send(call.sid(), NrStatus::Ok, &[1; 5_000]);
    assert!(matches!(call.try_take(), Some(Err(RuntimeError::Overflow { limit: 10_000 }))));
    let metrics = runtime.metrics();
    assert_eq!((metrics.overflowed, metrics.duplicate, metrics.buffered), (1, 1, 0));
    assert_books(&metrics, 2);
}

#[test]
fn a_stream_past_the_limit_ends_with_an_overflow_frame() {
    for cells in [1, 64] {
        let runtime = small(cells, 2).buffer_limit(4_000).build().unwrap();
        let mut frames = runtime.open_stream(0).unwrap();
        for _ in 0..100 {
            runtime.send(frames.sid(), NrStatus::Ok, &[1; 100]);
        }
        runtime.send(frames.sid(), NrStatus::StreamEnd, b"");
        drain(&runtime, 0);
        assert!(runtime.metrics().buffered <= 4_000 + 64);
        let mut whole = 0;
        let last = loop {
            let frame = frames.try_next().unwrap().unwrap();
            if frame.status().is_terminal() {
                break frame;
            }
            assert_eq!(&frame[..], [1; 100]);
            whole += 1;
        };
        assert!(last.is_overflow() && last.is_empty());
        assert!(whole >= 10, "{whole} frames of 164 bytes fit 4,000, with {cells} cells");
        assert!(frames.try_next().unwrap().is_err());
        drain(&runtime, 0);
        let metrics = runtime.metrics();
        assert_eq!((metrics.overflowed, metrics.buffered, metrics.in_flight), (1, 0, 0));
        assert_books(&metrics, 101);
    }
}

/// A stream of which everything was kept ends as its plugin ended it, even past the limit.
#[test]
fn a_small_end_passes_the_limit_whole() {
    let runtime = small(1, 2).buffer_limit(100).build().unwrap();
    let filler = runtime.open(0).unwrap();
    let mut frames = runtime.open_stream(0).unwrap();
    runtime.send(filler.sid(), NrStatus::Ok, b"fills the one cell");
    runtime.send(frames.sid(), NrStatus::StreamEnd, b"bye");
    runtime.send(frames.sid(), NrStatus::StreamEnd, b"again");
    let last = frames.try_next().unwrap().unwrap();
    assert_eq!((last.status(), &last[..]), (NrStatus::StreamEnd, &b"bye"[..]));
    drop((filler, frames));
    drain(&runtime, 0);
    assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
    assert_books(&runtime.metrics(), 3);
}

/// A result counts as buffered until its caller has it, not only until it is delivered.
#[test]
fn a_result_counts_until_its_caller_takes_it() {
    for (cells, taken) in [(8, true), (8, false), (1, true), (1, false)] {
        let runtime = small(cells, 4).buffer_limit(10_000).build().unwrap();
        let mut filler = runtime.open(0).unwrap();
        let (mut first, mut second) = (runtime.open(0).unwrap(), runtime.open(0).unwrap());
        runtime.send(filler.sid(), NrStatus::Ok, b"");
        runtime.send(first.sid(), NrStatus::Ok, &[1; 6_000]);
        drain(&runtime, 0);
        assert!(filler.try_take().is_some());
        assert_eq!(runtime.metrics().buffered, 6_000);
        runtime.send(second.sid(), NrStatus::Ok, &[1; 6_000]);
        assert!(matches!(second.try_take(), Some(Err(RuntimeError::Overflow { limit: 10_000 }))));
        if taken {
            assert_eq!(first.try_take().unwrap().unwrap().len(), 6_000);
        } else {
            drop(first);
        }
        assert_eq!(runtime.metrics().buffered, 0);
    }
}

/// What is on its way from the ring to a stream's queue is not charged twice.
#[test]
fn a_frame_of_nearly_the_limit_fits() {
    for (cells, filler) in [(8, false), (1, true)] {
        let runtime = small(cells, 2).buffer_limit(100_000).build().unwrap();
        let mut frames = runtime.open_stream(0).unwrap();
        let other = runtime.open(0).unwrap();
        if filler {
            runtime.send(other.sid(), NrStatus::Ok, b"fills the one cell");
        }
        runtime.send(frames.sid(), NrStatus::StreamEnd, &[1; 90_000]);
        runtime.send(other.sid(), NrStatus::Ok, b"");
        let frame = frames.try_next().unwrap().unwrap();
        assert_eq!((frame.len(), frame.is_overflow()), (90_000, false));
        drop((frames, other));
        drain(&runtime, 0);
        assert_eq!(runtime.metrics().buffered, 0);

        let mut frames = runtime.open_stream(0).unwrap();
        runtime.send(frames.sid(), NrStatus::Ok, &[1; 90_000]);
        let frame = frames.try_next().unwrap().unwrap();
        assert_eq!((frame.len(), frame.is_overflow()), (90_000, false));
        drop(frames);
        assert_eq!(runtime.metrics().buffered, 0);
    }
}

/// Producers that outrun the limit: nobody waits, nothing is lost silently, and everything is given back.
#[test]
fn a_flood_is_booked_and_given_back() {
    let runtime = small(2, 64).buffer_limit(20_000).build().unwrap();
    let calls: Vec<_> = (0..32).map(|_| runtime.open(0).unwrap()).collect();
    let streams: Vec<_> = (0..32).map(|_| runtime.open_stream(0).unwrap()).collect();
    let sids: Vec<u64> = calls.iter().map(|c| c.sid()).chain(streams.iter().map(|s| s.sid())).collect();
    thread::scope(|scope| {
        for thread in 0..4usize {
            let (runtime, sids) = (&runtime, &sids);
            scope.spawn(move || {
                for round in 0..many(50) {
                    for &sid in sids {
                        runtime.send(sid, NrStatus::Ok, &vec![7; (thread * 50 + round) * 30]);
                    }
                }
            });
        }
    });
    drain(&runtime, 0);
    assert_books(&runtime.metrics(), 4 * many(50) as u64 * 64);
    let mut overflowed = 0;
    for mut call in calls {
        match call.try_take().unwrap() {
            Ok(reply) => assert!(reply.iter().all(|&byte| byte == 7)),
            Err(error) => {
                assert!(matches!(error, RuntimeError::Overflow { .. }));
                overflowed += 1;
            }
        }
    }
    for mut stream in streams {
        while let Some(Ok(frame)) = stream.try_next() {
            overflowed += u64::from(frame.is_overflow());
        }
    }
    assert!(overflowed > 0, "nothing passed the limit: the test shows nothing");
    assert_eq!(runtime.metrics().overflowed, overflowed);
    drain(&runtime, 0);
    assert_eq!((runtime.metrics().in_flight, runtime.metrics().buffered), (0, 0));
}
