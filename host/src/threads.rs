//! Where reactors run, and the threads of those that have their own.

use std::{future::Future, io, thread};

use core_affinity::CoreId;
use tokio::runtime::Builder;

use crate::error::NylonRingHostError;

/// Where a host's reactors run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Reactors {
    /// As tasks of the tokio runtimes that call: waking a caller stays on its thread, or among its workers. Callers on other
    /// executors are served by a thread that all hosts share.
    #[default]
    Tasks,
    /// Each on a thread of its own, started when its shard is first waited on.
    Threads,
    /// The same, and each thread keeps to one of these cores: the first shard's to the first core, and so on, in turn.
    PinnedThreads(Vec<usize>),
}

/// What is known of the threads of reactors.
#[derive(Debug)]
pub(crate) struct Threads {
    /// The cores that they keep to, in turn; none if they may run anywhere.
    cores: Vec<CoreId>,
}

impl Threads {
    /// `None` if reactors run as tasks.
    ///
    /// # Errors
    ///
    /// [`NylonRingHostError::NoSuchCore`].
    pub(crate) fn new(reactors: &Reactors) -> Result<Option<Self>, NylonRingHostError> {
        let wanted = match reactors {
            Reactors::Tasks => return Ok(None),
            Reactors::Threads => &[][..],
            Reactors::PinnedThreads(cores) => cores,
        };
        let usable: Vec<usize> = core_affinity::get_core_ids().unwrap_or_default().iter().map(|core| core.id).collect();
        if let Some(core) = wanted.iter().find(|core| !usable.contains(core)) {
            return Err(NylonRingHostError::NoSuchCore { core: *core, usable });
        }
        Ok(Some(Self { cores: wanted.iter().map(|core| CoreId { id: *core }).collect() }))
    }

    /// Drives `reactor` on a thread of its own, until it is done.
    ///
    /// # Errors
    ///
    /// What the system says when the thread, or its epoll, cannot be had; `reactor` is dropped.
    pub(crate) fn start(&self, shard: usize, reactor: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let core = if self.cores.is_empty() { None } else { self.cores.get(shard % self.cores.len()).copied() };
        thread::Builder::new().name(format!("nylon-ring-{shard}")).spawn(move || {
            if let Some(core) = core {
                // The core was there when the host was loaded. If it has gone since, any other will do.
                core_affinity::set_for_current(core);
            }
            runtime.block_on(reactor);
        })?;
        Ok(())
    }
}
