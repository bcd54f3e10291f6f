//! `bump.rs`: a chunk's pieces are dropped while it is to be used again, or its bump goes.
//!
//! In a model there is one bump, it keeps two chunks, and each has room for one piece of [`LONG`] bytes or several of [`SHORT`].

use std::sync::Arc;

use loom::thread;
use nylon_ring_loom_tests::{Bound, chunks, model, outcomes};
use nylon_ring_runtime::{NrStatus, Reply, internals::Bumps};

const LONG: usize = 128;
const SHORT: usize = 41;

/// A result of bytes that are all `fill`.
fn cut<const LEN: usize>(bumps: &Bumps, fill: u8) -> Reply {
    Reply::cut(bumps, NrStatus::Ok, &[fill; LEN]).unwrap()
}

fn take(reply: Reply, fill: u8) {
    assert!(reply.iter().all(|byte| *byte == fill), "another result was written over this one");
}

/// A receiver drops a result while the sender's third one wants its place. Legal: the sender gets it when it has been dropped, another
/// one otherwise. The result keeps its bytes, and no chunk stays behind.
#[test]
fn a_chunk_is_used_again() {
    outcomes("bump::a_chunk_is_used_again", Bound::Any, [true, false], || {
        assert_eq!(chunks(), 0, "a chunk was left over");
        let bumps = Bumps::new();
        let first = cut::<LONG>(&bumps, 1);
        let place = first.as_ptr().addr();
        let receiver = thread::spawn(move || take(first, 1));
        let second = cut::<LONG>(&bumps, 2);
        let third = cut::<LONG>(&bumps, 3);
        let again = third.as_ptr().addr() == place;
        take(second, 2);
        take(third, 3);
        receiver.join().unwrap();
        again
    });
    assert_eq!(chunks(), 0, "a chunk was left over");
}

/// Two receivers drop results from one chunk while its place is wanted. Legal: as above, and the place is free when both are dropped.
#[test]
fn a_chunk_of_two_is_used_again() {
    outcomes("bump::a_chunk_of_two_is_used_again", Bound::Any, [true, false], || {
        assert_eq!(chunks(), 0, "a chunk was left over");
        let bumps = Bumps::new();
        let (first, second) = (cut::<SHORT>(&bumps, 1), cut::<SHORT>(&bumps, 2));
        let place = first.as_ptr().addr();
        let receivers = [thread::spawn(move || take(first, 1)), thread::spawn(move || take(second, 2))];
        take(cut::<LONG>(&bumps, 3), 3);
        let fourth = cut::<LONG>(&bumps, 4);
        let fifth = cut::<LONG>(&bumps, 5);
        let again = fifth.as_ptr().addr() == place;
        take(fourth, 4);
        take(fifth, 5);
        receivers.into_iter().for_each(|receiver| receiver.join().unwrap());
        again
    });
    assert_eq!(chunks(), 0, "a chunk was left over");
}

/// Two receivers drop results from one chunk while its bump goes. Legal: the chunk is freed once, when nobody has a share in it.
#[test]
fn the_last_one_frees_a_chunk() {
    model("bump::the_last_one_frees_a_chunk", Bound::Any, || {
        assert_eq!(chunks(), 0, "a chunk was left over");
        let bumps = Bumps::new();
        let (first, second) = (cut::<SHORT>(&bumps, 1), cut::<SHORT>(&bumps, 2));
        let receivers = [thread::spawn(move || take(first, 1)), thread::spawn(move || take(second, 2))];
        drop(bumps);
        receivers.into_iter().for_each(|receiver| receiver.join().unwrap());
    });
    assert_eq!(chunks(), 0, "a chunk was left over");
}

/// A bump has as many chunks as it may have, and its oldest is in use. Legal: it passes that one by, and comes back to it.
#[test]
fn a_bump_passes_a_chunk_that_is_in_use() {
    model("bump::a_bump_passes_a_chunk_that_is_in_use", Bound::Any, || {
        assert_eq!(chunks(), 0, "a chunk was left over");
        let bumps = Bumps::new();
        let (first, second) = (cut::<SHORT>(&bumps, 1), cut::<SHORT>(&bumps, 2));
        let receiver = thread::spawn(move || take(first, 1));
        (3..6).for_each(|fill| take(cut::<LONG>(&bumps, fill), fill));
        take(second, 2);
        receiver.join().unwrap();
    });
    assert_eq!(chunks(), 0, "a chunk was left over");
}

/// Two threads want the one bump. Legal: who does not get it allocates; nothing is written over.
#[test]
fn two_threads_cut() {
    outcomes("bump::two_threads_cut", Bound::Any, [1, 2], || {
        assert_eq!(chunks(), 0, "a chunk was left over");
        let bumps = Arc::new(Bumps::new());
        let shared = bumps.clone();
        let other = thread::spawn(move || is_own(cut::<SHORT>(&shared, 1), 1));
        let own = usize::from(is_own(cut::<SHORT>(&bumps, 2), 2)) + usize::from(other.join().unwrap());
        assert!(own < 2, "nobody got the bump");
        2 - own
    });
    assert_eq!(chunks(), 0, "a chunk was left over");
}

/// As `take`; whether the bytes were an allocation of their own.
fn is_own(reply: Reply, fill: u8) -> bool {
    assert!(reply.iter().all(|byte| *byte == fill), "another result was written over this one");
    let bytes = reply.as_ptr();
    let vec = reply.into_vec();
    vec.as_ptr() == bytes
}
