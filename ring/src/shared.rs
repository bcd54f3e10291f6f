//! A ring in shared memory: one process pushes results, another one takes them and trusts nothing of what it finds.
//!
//! The in-process ring moves values whose payloads lie on the heap; here a record is bytes alone, and no pointer is ever shared.
//! They are two types, so that one cannot stand for the other. The consumer creates the memory, a sealed memfd; processes that
//! were handed its descriptor, and that of the doorbell, push from any number of threads.
//!
//! # What lies in the memory
//!
//! ```text
//!   magic, cells | tail | head | cell 0 | cell 1 | ...              a line of 128 bytes each, then cells of 64
//!
//!   first cell of a record    stamp | sid | length, status | 40 bytes
//!   every further one         stamp | 56 bytes
//! ```
//!
//! A record of `k` cells lies at positions `p .. p + k`, counters that never wrap; position `p` is cell `p % N`. Its stamp counts
//! the laps that the cell has been filled in, so memory that is all zero is an empty ring:
//!
//! | stamp, with `lap = p / N` | the cell at position `p` |
//! | --- | --- |
//! | `lap << 2`, or with `FURTHER` | what the lap before left: not published |
//! | the same `\| AWAITED` | and the consumer sleeps until it is |
//! | `(lap + 1) << 2` | the first cell of a record, which is published with all of its cells |
//! | `(lap + 1) << 2 \| FURTHER` | a further cell of a record; published only if its first one is |
//!
//! # Protocol
//!
//! *claim*, *publish*, *consume*, *release* and *arm* are those of `ring.rs`, for `k` cells at once: a producer fills and stamps the
//! further cells first, and the swap of the first cell's stamp publishes them all.
//!
//! 1. A record is taken whole or not at all, even if its producer is killed at any instruction: one swap publishes it.
//! 2. What was published stays there: when all producers are dead, [`SharedConsumer::salvage`] takes every record that was, and
//!    passes over the positions that were claimed and never published.
//! 3. A producer that dies between publishing and ringing leaves the consumer asleep: who sleeps watches the process as well.
//!
//! # What the consumer believes
//!
//! Nothing. Its position, the number of cells and the contents of a record that it looks at are its own copies: each word is
//! loaded once, by an atomic load, never through a `&[u8]`. A stamp that no producer could have left there, a length that does not
//! fit, a `head` that somebody else has written or a `tail` that lies nowhere near it mean that the memory is not to be trusted: the
//! ring is *dead* from then on, with [`RuntimeError::Corrupt`](crate::RuntimeError::Corrupt). Sids and bytes may still be lies: a sid is
//! checked by the runtime that it is sent to, and bytes are the reader's matter. The seals keep the memory from being cut short.
//!
//! | label | what is passed on | model in `loom-tests` |
//! | --- | --- | --- |
//! | shared publish | a record, from its producer to the consumer | `shared::records_of_two_producers` |
//! | shared release | emptied cells, from the consumer to the next producer | `shared::cells_are_reused` |

pub(crate) mod consumer;
pub(crate) mod layout;
pub(crate) mod memory;
#[cfg(all(target_os = "linux", not(any(nylon_loom, miri))))]
mod process;
pub(crate) mod producer;

#[cfg(all(target_os = "linux", not(any(nylon_loom, miri))))]
pub use process::{Salvaged, SharedConsumer, SharedProducer};
