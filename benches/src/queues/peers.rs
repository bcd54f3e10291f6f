//! Queues of other crates and of the standard library, each by its own way to try without waiting.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use super::{CAPACITY, Consumer, Producer, Queue, Record};
use crate::BenchError;

/// A queue whose ends are `$producer` and `$consumer`: how to open it, to push, to pop.
macro_rules! queue {
    (
        $(#[$doc:meta])* $queue:ident $name:literal $(at most $most:literal)?:
        $producer:ty, $consumer:ty,
        open |$producers:ident| $open:expr,
        push |$sender:ident, $record:ident| $push:expr,
        pop |$receiver:ident| $pop:expr $(,)?
    ) => {
        $(#[$doc])*
        pub(super) struct $queue;

        const _: () = {
            pub struct Sender($producer);
            pub struct Receiver($consumer);

            impl Producer for Sender {
                #[inline]
                fn push(&mut self, $record: Record) -> bool {
                    let $sender = &mut self.0;
                    $push
                }
            }

            impl Consumer for Receiver {
                #[inline]
                fn pop(&mut self) -> Option<Record> {
                    let $receiver = &mut self.0;
                    $pop
                }
            }

            impl Queue for $queue {
                const NAME: &'static str = $name;
                $(const PRODUCERS: usize = $most;)?
                type Producer = Sender;
                type Consumer = Receiver;

                fn open($producers: usize) -> Result<(Vec<Sender>, Receiver), BenchError> {
                    let (senders, receiver) = $open;
                    Ok((senders.into_iter().map(Sender).collect(), Receiver(receiver)))
                }
            }
        };
    };
}

/// So many handles to something that all ends share, and one more.
fn shared<T: Clone>(queue: T, producers: usize) -> (Vec<T>, T) {
    (vec![queue.clone(); producers], queue)
}

/// So many senders, and the receiver.
fn channel<S: Clone, R>((sender, receiver): (S, R), producers: usize) -> (Vec<S>, R) {
    (vec![sender; producers], receiver)
}

queue! {
    /// An array of cells with stamps, for many consumers too.
    ArrayQueue "crossbeam ArrayQueue":
    Arc<crossbeam::queue::ArrayQueue<Record>>, Arc<crossbeam::queue::ArrayQueue<Record>>,
    open |producers| shared(Arc::new(crossbeam::queue::ArrayQueue::new(CAPACITY)), producers),
    push |queue, record| queue.push(record).is_ok(),
    pop |queue| queue.pop(),
}

queue! {
    /// A list of blocks without a bound: it is never full.
    SegQueue "crossbeam SegQueue":
    Arc<crossbeam::queue::SegQueue<Record>>, Arc<crossbeam::queue::SegQueue<Record>>,
    open |producers| shared(Arc::new(crossbeam::queue::SegQueue::new()), producers),
    push |queue, record| {
        queue.push(record);
        true
    },
    pop |queue| queue.pop(),
}

queue! {
    /// `ArrayQueue`'s algorithm, and a list of who waits.
    CrossbeamChannel "crossbeam channel":
    crossbeam::channel::Sender<Record>, crossbeam::channel::Receiver<Record>,
    open |producers| channel(crossbeam::channel::bounded(CAPACITY), producers),
    push |sender, record| sender.try_send(record).is_ok(),
    pop |receiver| receiver.try_recv().ok(),
}

queue! {
    /// The queue under its channels; records are copied out, not replaced by empty ones.
    ThingBuf "thingbuf":
    Arc<thingbuf::ThingBuf<Record>>, Arc<thingbuf::ThingBuf<Record>>,
    open |producers| shared(Arc::new(thingbuf::ThingBuf::new(CAPACITY)), producers),
    push |queue, record| queue.push(record).is_ok(),
    pop |queue| queue.pop_with(|record| *record),
}

queue! {
    /// Its channel for many producers and one consumer, blocking on both sides.
    Crossfire "crossfire":
    crossfire::MTx<crossfire::mpsc::Array<Record>>, crossfire::Rx<crossfire::mpsc::Array<Record>>,
    open |producers| channel(crossfire::mpsc::bounded_blocking(CAPACITY), producers),
    push |sender, record| sender.try_send(record).is_ok(),
    pop |receiver| receiver.try_recv().ok(),
}

queue! {
    /// A deque under a lock of its own.
    Kanal "kanal":
    kanal::Sender<Record>, kanal::Receiver<Record>,
    open |producers| channel(kanal::bounded(CAPACITY), producers),
    push |sender, record| matches!(sender.try_send(record), Ok(true)),
    pop |receiver| receiver.try_recv().ok().flatten(),
}

queue! {
    /// A deque under a lock.
    Flume "flume":
    flume::Sender<Record>, flume::Receiver<Record>,
    open |producers| channel(flume::bounded(CAPACITY), producers),
    push |sender, record| sender.try_send(record).is_ok(),
    pop |receiver| receiver.try_recv().ok(),
}

queue! {
    /// A list of blocks, and a semaphore for the bound.
    TokioMpsc "tokio mpsc":
    tokio::sync::mpsc::Sender<Record>, tokio::sync::mpsc::Receiver<Record>,
    open |producers| channel(tokio::sync::mpsc::channel(CAPACITY), producers),
    push |sender, record| sender.try_send(record).is_ok(),
    pop |receiver| receiver.try_recv().ok(),
}

queue! {
    /// A ring for one producer, as a mark of what is possible.
    Rtrb "rtrb" at most 1:
    rtrb::Producer<Record>, rtrb::Consumer<Record>,
    open |_producers| {
        let (sender, receiver) = rtrb::RingBuffer::new(CAPACITY);
        ([sender], receiver)
    },
    push |sender, record| sender.push(record).is_ok(),
    pop |receiver| receiver.pop().ok(),
}

queue! {
    /// What everybody writes first.
    MutexVecDeque "Mutex<VecDeque>":
    Arc<Mutex<VecDeque<Record>>>, Arc<Mutex<VecDeque<Record>>>,
    open |producers| shared(Arc::new(Mutex::new(VecDeque::with_capacity(CAPACITY))), producers),
    push |queue, record| {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        let room = queue.len() < CAPACITY;
        if room {
            queue.push_back(record);
        }
        room
    },
    pop |queue| queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front(),
}
