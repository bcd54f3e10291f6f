//! The one error type of the crate.

use std::io;

/// What can go wrong when a runtime is built or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// A setting is out of range.
    #[error("the setting `{name}` is {value}, but must lie in {low}..={high}: choose a value in that range")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value that was given.
        value: u64,
        /// The smallest value allowed.
        low: u64,
        /// The largest value allowed.
        high: u64,
    },
    /// Memory for rings or slots could not be mapped.
    #[error("could not map {bytes} bytes for a shard's ring and slots: {source}; use fewer shards, slots or cells")]
    Region {
        /// How many bytes were asked for.
        bytes: u64,
        /// The system's error.
        source: io::Error,
    },
    /// The doorbell could not be created.
    #[error("could not create a shard's doorbell: {0}; is the limit of open files reached?")]
    Doorbell(io::Error),
    /// There is no such shard.
    #[error("there is no shard {index}: the runtime has {shards}, numbered from 0")]
    NoSuchShard {
        /// The index that was given.
        index: usize,
        /// How many shards there are.
        shards: usize,
    },
    /// Another thread sits at the shard.
    #[error("another thread has the seat at shard {shard}: take the seat of another shard, or call without one")]
    SeatTaken {
        /// The shard.
        shard: usize,
    },
    /// Every slot of the shard is in use.
    #[error("all {limit} slots of the shard are in flight: wait for some to finish, or configure more slots")]
    Full {
        /// How many slots the shard has.
        limit: u64,
    },
    /// The runtime was closed.
    #[error("the runtime is closed: no call can be opened or answered any more")]
    Closed,
    /// The result was not kept because results already occupy as many bytes as the runtime may buffer.
    #[error("the result did not fit the buffer limit of {limit} bytes: raise the limit, or take results sooner")]
    Overflow {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The sid names no open call.
    #[error("the sid names no open call")]
    UnknownSid,
    /// A descriptor is not that of a ring in shared memory.
    #[error(
        "the descriptor is not that of a shared ring: what it names {what}; pass the one that the consumer's `memory` returned"
    )]
    NotARing {
        /// What is wrong with it.
        what: &'static str,
    },
    /// A ring in shared memory has no room for the record now.
    #[error("the shared ring is full: try again when its consumer has taken some records, or make it larger")]
    RingFull,
    /// A record is longer than the shared ring it is meant for.
    #[error(
        "a record of {len} bytes cannot go through this shared ring, which takes up to {limit}: make it larger, or split the record"
    )]
    TooLong {
        /// The length of the payload, in bytes.
        len: usize,
        /// The longest payload that fits, in bytes.
        limit: usize,
    },
    /// Somebody wrote into a shared ring what no producer writes.
    #[error(
        "the shared ring is dead: {what} is {found:#x} where the consumer is at position {position}; a process that shares the \
         memory wrote over it: stop that process, and give the next one a new ring"
    )]
    Corrupt {
        /// Which word it is.
        what: &'static str,
        /// What it holds.
        found: u64,
        /// The position that the consumer had reached.
        position: u64,
    },
}
