//! `bump.rs`: a chunk's pieces are dropped while its thread wants to use it again, or ends.
//!
//! A thread keeps two chunks in a model, and each has room for one piece of [`LONG`] bytes or several of [`SHORT`].

use loom::thread;
use nylon_ring_loom_tests::{Bound, chunks, model, outcomes};
use nylon_ring_runtime::{NrStatus, Reply};

const LONG: usize = 128;
const SHORT: usize = 41;

/// A result that is cut from a chunk, of bytes that are all `fill`.
fn cut<const LEN: usize>(fill: u8) -> Reply {
    Reply::cut(NrStatus::Ok, &[fill; LEN]).unwrap()
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
        let first = cut::<LONG>(1);
        let place = first.as_ptr().addr();
        let receiver = thread::spawn(move || take(first, 1));
        let second = cut::<LONG>(2);
        let third = cut::<LONG>(3);
        let again = third.as_ptr().addr() == place;
        take(second, 2);
        take(third, 3);
        receiver.join().unwrap();
        again
    });
    assert_eq!(chunks(), 0, "a chunk was left over");
}

/// Two receivers drop results from one chunk while its thread ends. Legal: the chunk is freed once, when nobody has a share in it.
#[test]
fn the_last_one_frees_a_chunk() {
    model("bump::the_last_one_frees_a_chunk", Bound::Any, || {
        assert_eq!(chunks(), 0, "a chunk was left over");
        let sender = thread::spawn(|| {
            let (first, second) = (cut::<SHORT>(1), cut::<SHORT>(2));
            (thread::spawn(move || take(first, 1)), second)
        });
        let (receiver, second) = sender.join().unwrap();
        take(second, 2);
        receiver.join().unwrap();
    });
    assert_eq!(chunks(), 0, "a chunk was left over");
}

/// A thread has as many chunks as it may keep, and its oldest is in use. Legal: it leaves that one, which is freed once.
#[test]
fn a_thread_leaves_a_chunk_that_is_in_use() {
    model("bump::a_thread_leaves_a_chunk_that_is_in_use", Bound::Any, || {
        assert_eq!(chunks(), 0, "a chunk was left over");
        let (first, second) = (cut::<SHORT>(1), cut::<SHORT>(2));
        let receiver = thread::spawn(move || take(first, 1));
        take(cut::<LONG>(3), 3);
        take(cut::<LONG>(4), 4);
        take(cut::<LONG>(5), 5);
        take(second, 2);
        receiver.join().unwrap();
    });
    assert_eq!(chunks(), 0, "a chunk was left over");
}
