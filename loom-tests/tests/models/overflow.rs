//! `shard.rs`, `consumer.rs`: a ring that is full, and the queue beside it.
//!
//! The consumer of these models does not sleep: it drains now and then while producers send, and once more when they are done. That
//! what overflows also wakes is shown by `shard::overflow_rings`. A batch ends after 64 records, under loom as elsewhere.

use std::sync::Arc;

use nylon_ring_loom_tests::{Bound, NOBODY, build, model, outcomes, send, settings, small, step};
use nylon_ring_runtime::{NrStatus, Receiver, Runtime};

fn drain(runtime: &Runtime) {
    step();
    let _ = runtime.reactor(0).unwrap().drain(256);
}

/// The first bytes of the frames that are there.
fn bytes(stream: &mut Receiver<'_>) -> Vec<u8> {
    step();
    std::iter::from_fn(|| stream.try_next()).map(|frame| frame.unwrap()[0]).collect()
}

/// Two producers with a stream each, through one cell. Legal: each stream's frames in the order in which they were sent.
#[test]
fn two_streams_keep_their_order() {
    model("overflow::two_streams_keep_their_order", Bound::Two, || {
        let runtime = Arc::new(small(1, 2));
        let mut streams = [runtime.open_stream(0).unwrap(), runtime.open_stream(0).unwrap()];
        let producers = [0, 1].map(|i| send(&runtime, [1, 2].map(|byte| (streams[i].sid(), byte)).to_vec()));
        drain(&runtime);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        for stream in &mut streams {
            assert_eq!(bytes(stream), [1, 2]);
        }
        drop(streams);
        assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
    });
}

/// Two producers on one stream, through one cell. Legal: one of the six merges of 1 2 with 11 12.
#[test]
fn two_producers_of_one_stream_keep_their_order() {
    const MERGES: [[u8; 4]; 6] =
        [[1, 2, 11, 12], [1, 11, 2, 12], [1, 11, 12, 2], [11, 1, 2, 12], [11, 1, 12, 2], [11, 12, 1, 2]];
    outcomes("overflow::two_producers_of_one_stream_keep_their_order", Bound::Two, MERGES, || {
        let runtime = Arc::new(small(1, 1));
        let mut stream = runtime.open_stream(0).unwrap();
        let producers = [1, 11].map(|byte| send(&runtime, [(stream.sid(), byte), (stream.sid(), byte + 1)]));
        drain(&runtime);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        bytes(&mut stream).try_into().unwrap()
    });
}

/// A producer goes into the queue and back to the ring, lap after lap, as the consumer empties both. Legal: the order in which the
/// frames were sent.
#[test]
fn to_the_queue_and_back() {
    model("overflow::to_the_queue_and_back", Bound::Two, || {
        let runtime = Arc::new(small(1, 1));
        let mut stream = runtime.open_stream(0).unwrap();
        let producer = send(&runtime, (1..=4).map(|byte| (stream.sid(), byte)).collect::<Vec<_>>());
        let mut seen = bytes(&mut stream);
        seen.extend(bytes(&mut stream));
        producer.join().unwrap();
        seen.extend(bytes(&mut stream));
        assert_eq!(seen, [1, 2, 3, 4]);
    });
}

/// A batch ends with the last record of the ring, and what follows lies in the queue. Legal: the order in which the frames were
/// sent, and nothing is left behind.
#[test]
fn a_batch_ends_between_ring_and_queue() {
    model("overflow::a_batch_ends_between_ring_and_queue", Bound::Two, || {
        let runtime = Arc::new(small(64, 1));
        let mut stream = runtime.open_stream(0).unwrap();
        (0..63).for_each(|_| runtime.send(NOBODY, NrStatus::Ok, b""));
        let producer = send(&runtime, [1, 2, 3].map(|byte| (stream.sid(), byte)));
        drain(&runtime);
        producer.join().unwrap();
        assert_eq!(bytes(&mut stream), [1, 2, 3]);
        let metrics = runtime.metrics();
        assert_eq!((metrics.unknown_sid, metrics.delivered, metrics.buffered), (63, 3, 0));
    });
}

/// A batch ends in the middle of the queue, while its producer goes on. Legal: as above.
#[test]
fn a_batch_ends_within_the_queue() {
    model("overflow::a_batch_ends_within_the_queue", Bound::One, || {
        let runtime = Arc::new(small(1, 1));
        let mut stream = runtime.open_stream(0).unwrap();
        let sid = stream.sid();
        (1..=65).for_each(|byte| runtime.send(sid, NrStatus::Ok, &[byte]));
        let producer = send(&runtime, [(sid, 66)]);
        step();
        let _ = runtime.reactor(0).unwrap().drain(64);
        producer.join().unwrap();
        drain(&runtime);
        assert_eq!(bytes(&mut stream), (1..=66).collect::<Vec<_>>());
        assert_eq!(runtime.metrics().buffered, 0);
    });
}

/// A call is given up while its result finds the ring full. Legal: the result is dropped at the door, or in the queue as unknown,
/// or it was delivered and is abandoned; it holds no slot and no bytes.
#[test]
fn a_result_that_overflows_is_given_up() {
    let legal = ["unknown", "abandoned"];
    outcomes("overflow::a_result_that_overflows_is_given_up", Bound::Any, legal, || {
        let runtime = Arc::new(small(1, 1));
        runtime.send(NOBODY, NrStatus::Ok, b"");
        let call = runtime.open(0).unwrap();
        let producer = send(&runtime, [(call.sid(), 1)]);
        drain(&runtime);
        step();
        drop(call);
        producer.join().unwrap();
        drain(&runtime);
        let m = runtime.metrics();
        assert_eq!((m.delivered + m.unknown_sid, m.in_flight, m.buffered), (2, 0, 0), "{m:?}");
        assert_eq!(m.cancelled + m.abandoned, 1);
        if m.abandoned == 1 { "abandoned" } else { "unknown" }
    });
}

/// Two producers answer one call, the ring is full and nothing may be buffered: what ends a call passes the limit, once. Legal: the
/// caller gets either result, whole; the other is dropped at the door, or came through the ring as a duplicate.
#[test]
fn one_result_passes_the_limit() {
    let legal = [(1, "at the door"), (2, "at the door"), (1, "duplicate"), (2, "duplicate")];
    outcomes("overflow::one_result_passes_the_limit", Bound::Two, legal, || {
        let runtime = Arc::new(build(settings(1, 1).buffer_limit(1)));
        runtime.send(NOBODY, NrStatus::Ok, b"");
        let mut call = runtime.open(0).unwrap();
        let producers = [1, 2].map(|byte| send(&runtime, [(call.sid(), byte)]));
        drain(&runtime);
        producers.into_iter().for_each(|producer| producer.join().unwrap());
        let winner = call.try_take().unwrap().unwrap()[0];
        drain(&runtime);
        let m = runtime.metrics();
        assert_eq!((m.delivered, m.buffered, m.in_flight), (1, 0, 0), "{m:?}");
        assert_eq!(m.overflow_dropped + m.duplicate + m.unknown_sid, 2, "{m:?}");
        (winner, if m.overflow_dropped == 1 { "at the door" } else { "duplicate" })
    });
}

/// A frame that does not fit the limit becomes the mark that ends its stream, while the consumer makes room. Legal: all three frames,
/// or some of them and then an overflow; nothing after it.
#[test]
fn a_mark_ends_the_stream() {
    model("overflow::a_mark_ends_the_stream", Bound::Two, || {
        let runtime = Arc::new(build(settings(1, 1).buffer_limit(100)));
        runtime.send(NOBODY, NrStatus::Ok, b"");
        let mut stream = runtime.open_stream(0).unwrap();
        let producer = send(&runtime, [1, 2, 3].map(|byte| (stream.sid(), byte)));
        let mut seen = Vec::new();
        let mut look = || {
            step();
            while let Some(Ok(frame)) = stream.try_next() {
                seen.push(if frame.is_overflow() { 0 } else { frame[0] });
            }
        };
        look();
        look();
        producer.join().unwrap();
        look();
        drop(stream);
        drain(&runtime);
        assert_eq!((runtime.metrics().buffered, runtime.metrics().in_flight), (0, 0));
        let legal: [&[u8]; 4] = [&[1, 2, 3], &[1, 2, 0], &[1, 0], &[0]];
        assert!(legal.contains(&&seen[..]), "{seen:?}");
    });
}
