//! Settings of a host, and how it comes to life.

use std::{
    path::{Path, PathBuf},
    ptr::NonNull,
    thread,
    time::{Duration, Instant},
};

use nylon_ring_runtime::{Runtime, RuntimeBuilder};

use crate::{
    admission::{Admission, Excess},
    context::Context,
    deadline::{CallOptions, Due},
    dispatch::Refusal,
    error::NylonRingHostError,
    host::NylonRingHost,
    idle::Idle,
    loader::{self, LoadedPlugin},
    publish::Publishing,
    threads::{Reactors, Threads},
    watchdog::{Watchdog, Watching},
};

/// Settings of a [`NylonRingHost`].
#[derive(Debug, Clone)]
#[must_use = "settings do nothing until `load`"]
pub struct HostBuilder {
    runtime: RuntimeBuilder,
    in_place: bool,
    reactors: Reactors,
    idle: Idle,
    config: Vec<u8>,
    due: Option<Due>,
    in_flight: Option<(usize, Excess)>,
    unload: Option<Duration>,
    watching: Option<Watching>,
    publishing: Option<Publishing>,
    time_handles: Option<u32>,
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
            config: Vec::new(),
            due: None,
            in_flight: None,
            unload: None,
            watching: None,
            publishing: None,
            time_handles: None,
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

    /// How long a call or stream may take that says nothing else, with the time that it queues and that `handle` takes; the default
    /// is for ever.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.due = Some(Due::In(timeout));
        self
    }

    /// How many calls and streams may be in flight, and what becomes of one more; the default is as many as there are slots, and
    /// that it is refused.
    pub fn max_in_flight(mut self, calls: usize, excess: Excess) -> Self {
        self.in_flight = Some((calls, excess));
        self
    }

    /// What a reactor does when nothing is left; the default is to look for more for up to 100 µs before it sleeps.
    ///
    /// While results come faster than that, one at a time or in floods, callers and plugin threads are spared tens of
    /// microseconds and a system call each, and the core is busy.
    pub fn idle(mut self, idle: Idle) -> Self {
        self.idle = idle;
        self
    }

    /// Has somebody look at all calls in flight once a period, off their path: [`NylonRingHost::in_flight`] knows their ages then, and
    /// a `handle` that takes longer than `budget` is reported to `tracing` (a warning of target `nylon_ring::watchdog`, with plugin, sid,
    /// path and how long it has blocked) and counted ([`slow_handles`](crate::Metrics::slow_handles)). The default is that nobody looks.
    ///
    /// A look costs some microseconds a thousand slots; each call pays for leaving its path where a report finds it.
    pub fn watch_calls(mut self, period: Duration, budget: Duration) -> Self {
        self.watching = Some(Watching { period, budget });
        self
    }

    /// Measures how long `handle` takes, of one call in so many of each thread, for [`NylonRingHost::handle_times`]; the default is not
    /// to. Such a host's calls take a few nanoseconds more, and the timed ones two looks at the clock.
    pub fn time_handles(mut self, one_in: u32) -> Self {
        self.time_handles = Some(one_in);
        self
    }

    /// Writes a [page](crate::Page) about the host to a file once a period, for other processes (`nylon-ring top`), from a thread of its
    /// own; the default is not to. The file should be in memory (`/dev/shm`, `/run`), in a directory that others may not write to.
    /// What is there is replaced: with a reload the new version's host takes the place over.
    ///
    /// A page costs a look at every slot, and is written no more than a thousand times a second; calls pay nothing.
    pub fn publish(mut self, path: impl Into<PathBuf>, period: Duration) -> Self {
        self.publishing = Some(Publishing { path: path.into(), period: period.max(Duration::from_millis(1)) });
        self
    }

    /// Where reactors run; the default is as tasks of the runtimes that call.
    pub fn reactors(mut self, reactors: Reactors) -> Self {
        self.reactors = reactors;
        self
    }

    /// How many frames that the plugin sent by `try_send` of `nylon.stream/1` a stream may have on their way to its receiver, 1 to
    /// 1,048,576; the default is 64. A receiver that stops reading stops the plugin.
    pub fn stream_window(mut self, frames: u32) -> Self {
        self.runtime = self.runtime.window(frames);
        self
    }

    /// What the plugin gets from `nylon.config/1`: bytes of a format that it understands (JSON, by the SDKs' convention). The
    /// default is none.
    pub fn config(mut self, config: impl Into<Vec<u8>>) -> Self {
        self.config = config.into();
        self
    }

    /// Loads the file itself instead of a private copy: for libraries that find others through `$ORIGIN`. Two hosts that
    /// load one file in place share its statics.
    pub fn load_in_place(mut self, yes: bool) -> Self {
        self.in_place = yes;
        self
    }

    /// The options of a call that begins now, wherever it is made in the end: a timeout becomes a deadline.
    #[inline]
    pub(crate) fn begin(&self, options: CallOptions) -> CallOptions {
        match options.due.or(self.due) {
            Some(Due::In(timeout)) => {
                CallOptions { due: Some(Instant::now().checked_add(timeout).map_or(Due::Never, Due::At)) }
            }
            _ => options,
        }
    }

    /// Unmaps the library after the host's end, if the plugin says by `nylon.quiesce/1` within this time that none of its threads
    /// runs its code any more. The default is to keep it mapped for ever, as is done with any plugin that does not say so.
    ///
    /// The host's end is when its last clone and its last stream have been dropped, whether or not it was shut down before. Hosts
    /// that share a library (see [`instance_of`](Self::instance_of)) must all have been told to unload it.
    ///
    /// Only for plugins that keep their word: if code of one runs all the same, the process crashes.
    pub fn unload_when_quiescent(mut self, within: Duration) -> Self {
        self.unload = Some(within);
        self
    }

    pub(crate) fn loads_in_place(&self) -> bool {
        self.in_place
    }

    /// Loads and starts the plugin at `path`.
    ///
    /// # Errors
    ///
    /// One variant for each check of the library and its info, [`InitRefused`](NylonRingHostError::InitRefused),
    /// [`Runtime`](NylonRingHostError::Runtime) for a setting that is out of range, and
    /// [`NoSuchCore`](NylonRingHostError::NoSuchCore).
    pub fn load(self, path: impl AsRef<Path>) -> Result<NylonRingHost, NylonRingHostError> {
        let (runtime, threads) = self.prepare()?;
        let loaded = loader::load(path.as_ref(), self.in_place)?;
        self.start(runtime, threads, loaded)
    }

    /// Starts another instance of the plugin of `host`, from the same library, if the plugin offers `nylon.instance/1`. It has rings
    /// and settings of its own, and lives as long as it likes: neither needs the other.
    ///
    /// After its end the plugin frees it, if it also offers `nylon.quiesce/1` and says within
    /// [the time](Self::unload_when_quiescent) that was set, or a minute, that its threads have stopped.
    ///
    /// # Errors
    ///
    /// [`InstancesUnsupported`](NylonRingHostError::InstancesUnsupported), [`InstanceRefused`](NylonRingHostError::InstanceRefused),
    /// and as [`load`](Self::load), without those that come with a file.
    pub fn instance_of(self, host: &NylonRingHost) -> Result<NylonRingHost, NylonRingHostError> {
        let (runtime, threads) = self.prepare()?;
        let instance = host.create_instance()?;
        self.start(runtime, threads, instance)
    }

    /// What can fail without the plugin.
    fn prepare(&self) -> Result<(Runtime, Option<Threads>), NylonRingHostError> {
        let runtime = self.runtime.clone().build().map_err(NylonRingHostError::Runtime)?;
        Ok((runtime, Threads::new(&self.reactors)?))
    }

    fn start(
        self,
        runtime: Runtime,
        threads: Option<Threads>,
        loaded: LoadedPlugin,
    ) -> Result<NylonRingHost, NylonRingHostError> {
        let name = loaded.name.clone().into_boxed_str();
        let context = Context::leak(runtime, threads, self.idle, name, self.config.into_boxed_slice());
        let watchdog = self.watching.map(|watching| Watchdog::start(context, watching)).transpose()?;
        // SAFETY: a context, and what it points to, lives for ever.
        unsafe { loaded.plugin.attach(NonNull::from(context.api())) };
        // SAFETY: as above; the functions of the table take any context that `host_ctx` gives out, from any thread.
        let started = unsafe { loaded.plugin.init(context.host_ctx(), NonNull::from(context.vtable())) };
        if let Err(Refusal { status, raw }) = started {
            return Err(NylonRingHostError::InitRefused { path: loaded.path, status, raw });
        }
        let admission = self.in_flight.map(|(calls, excess)| Admission::new(calls, excess));
        let host = NylonRingHost::new(context, loaded, self.due, admission, self.unload, watchdog, self.time_handles);
        // If that fails, the plugin is stopped as any other.
        self.publishing.map_or(Ok(()), |publishing| host.publish(publishing))?;
        Ok(host)
    }
}
