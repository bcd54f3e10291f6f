//! Settings of a host, and how it comes to life.

use std::{path::Path, ptr::NonNull, thread};

use nylon_ring_runtime::{Runtime, RuntimeBuilder};

use crate::{
    context::Context,
    error::NylonRingHostError,
    host::NylonRingHost,
    idle::Idle,
    loader,
    threads::{Reactors, Threads},
};

/// Settings of a [`NylonRingHost`].
#[derive(Debug, Clone)]
#[must_use = "settings do nothing until `load`"]
pub struct HostBuilder {
    runtime: RuntimeBuilder,
    in_place: bool,
    reactors: Reactors,
    idle: Idle,
}

impl Default for HostBuilder {
    fn default() -> Self {
        // A thread that finds no shard of its own shares one. Shards that nobody uses cost nothing, so there are plenty.
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            runtime: Runtime::builder().shards((4 * cores).min(1024)),
            in_place: false,
            reactors: Reactors::default(),
            idle: Idle::default(),
        }
    }
}

impl HostBuilder {
    /// How many rings and slabs there are, 1 to 1,024; the default is four a core. Each thread that calls takes one for
    /// itself as long as there are any, and one that nobody takes costs nothing.
    pub fn shards(mut self, shards: usize) -> Self {
        self.runtime = self.runtime.shards(shards);
        self
    }

    /// How many calls each shard may have in flight, 1 to 4,194,304; the default is 16,384.
    pub fn slots_per_shard(mut self, slots: usize) -> Self {
        self.runtime = self.runtime.slots(u32::try_from(slots).unwrap_or(u32::MAX));
        self
    }

    /// How many results each ring holds before the slower overflow queue takes over, 1 to 16,777,216, rounded up to a power
    /// of two; the default is 4,096.
    pub fn cells_per_shard(mut self, cells: usize) -> Self {
        self.runtime = self.runtime.cells(cells);
        self
    }

    /// How many bytes of results may wait for their callers; the default is 256 MiB. A unary result that does not fit ends
    /// its call with [`Overflow`](NylonRingHostError::Overflow), a frame that does not fit ends its stream with a frame of
    /// status `Err`.
    ///
    /// Results of up to 4,096 bytes on their way are bounded by the numbers of cells and calls instead, and each shard is sure of
    /// an equal share whatever the others have.
    pub fn buffer_limit(mut self, bytes: u64) -> Self {
        self.runtime = self.runtime.buffer_limit(bytes);
        self
    }

    /// What a reactor does when nothing is left; the default is to look for more for up to 50 µs before it sleeps.
    ///
    /// While results come faster than that, one at a time or in floods, callers and plugin threads are spared tens of
    /// microseconds and a system call each, and the core is busy.
    pub fn idle(mut self, idle: Idle) -> Self {
        self.idle = idle;
        self
    }

    /// Where reactors run; the default is as tasks of the runtimes that call.
    pub fn reactors(mut self, reactors: Reactors) -> Self {
        self.reactors = reactors;
        self
    }

    /// Loads the file itself instead of a private copy: for libraries that find others through `$ORIGIN`. Two hosts that
    /// load one file in place share its statics.
    pub fn load_in_place(mut self, yes: bool) -> Self {
        self.in_place = yes;
        self
    }

    /// Loads and starts the plugin at `path`.
    ///
    /// # Errors
    ///
    /// One variant for each check of the library and its info, [`InitRefused`](NylonRingHostError::InitRefused),
    /// [`Runtime`](NylonRingHostError::Runtime) for a setting that is out of range, and
    /// [`NoSuchCore`](NylonRingHostError::NoSuchCore).
    pub fn load(self, path: impl AsRef<Path>) -> Result<NylonRingHost, NylonRingHostError> {
        let path = path.as_ref();
        let runtime = self.runtime.build().map_err(NylonRingHostError::Runtime)?;
        let threads = Threads::new(&self.reactors)?;
        let loaded = loader::load(path, self.in_place)?;
        let context = Context::leak(runtime, threads, self.idle);
        // SAFETY: a context, and what it points to, lives for ever.
        unsafe { loaded.plugin.attach(NonNull::from(context.api())) };
        // SAFETY: as above; the functions of the table take any context that `host_ctx` gives out, from any thread.
        let started = unsafe { loaded.plugin.init(context.host_ctx(), NonNull::from(context.vtable())) };
        started.map_err(|refusal| NylonRingHostError::InitRefused {
            path: path.into(),
            status: refusal.status,
            raw: refusal.raw,
        })?;
        Ok(NylonRingHost::new(context, loaded))
    }
}
