//! What the plugins of the benchmarks do, whatever the ABI: as little as possible, so that what is measured is the host.
//!
//! A plugin is [`Work`] over a [`Host`], the way back. Both are generic to the end: nobody pays for the other's ABI.
//!
//! | path | answer |
//! | --- | --- |
//! | `/e` | inside the call: `Ok`, empty |
//! | `/k` | inside the call: `Ok`, 1 KiB |
//! | `/p/<len>` | inside the call: `Ok`, so many bytes, up to [`MAX_PAYLOAD`] |
//! | `/c` | inside the call: `Ok`, the request's body |
//! | `/f/<n>` | inside the call: `n` empty frames, then `StreamEnd` |
//! | `/be` | from a thread of the plugin: `Ok`, empty |
//! | `/bk` | from a thread of the plugin: `Ok`, 1 KiB |
//! | `/bp/<len>` | from a thread of the plugin: `Ok`, so many bytes, up to [`MAX_PAYLOAD`] |
//! | `/bf/<n>` | from a thread of the plugin: `n` frames of 64 B, then `StreamEnd` |
//! | `/queue/<n>` | jobs that may wait for one thread, 2048 if not set; before `/threads/<n>` |
//! | `/threads/<n>` | starts `n` threads; once, before the first `/b…` |
//! | `/idle/<spins>/<yields>` | what a thread without work does before it parks |
//! | `/measure/<0 or 1>` | whether the threads time each result that they send |
//! | `/reset` | forgets the times; `Err` while a thread has work: ask again |
//! | `/stats` | the times, as text: see `stats.rs`; `Err` as above |
//!
//! Everything else is `Unsupported`. The bytes of an answer and of a frame are `0, 1, 2, … 255, 0, …`, and lie in the
//! plugin's memory: no answer allocates.

mod clock;
mod jobs;
mod number;
mod pattern;
mod pool;
mod settings;
mod stats;
mod work;

pub use number::number;
pub use pattern::MAX_PAYLOAD;
pub use pool::Kind;
pub use work::{Host, Sent, Status, Work};
