//! Writing the page about a host, once a period, from a thread of its own.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write as _},
    path::PathBuf,
    process,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    context::Context,
    error::NylonRingHostError,
    metrics,
    page::{Page, PageShard},
    watchdog::{self, Watchdog},
};

/// Where and how often a page is written.
#[derive(Debug, Clone)]
pub(crate) struct Publishing {
    pub(crate) path: PathBuf,
    pub(crate) period: Duration,
}

/// The page is written until this is dropped.
#[derive(Debug)]
pub(crate) struct Publisher {
    _alive: mpsc::Sender<()>,
}

struct Writer {
    context: &'static Context,
    watchdog: Option<Arc<Watchdog>>,
    file: File,
    page: Page,
    start: Instant,
}

impl Publisher {
    /// Writes the first page, and starts the thread.
    ///
    /// The file is a new one that takes the place of whatever is there: another host that wrote there goes on with a file that has no
    /// name any more.
    ///
    /// # Errors
    ///
    /// [`NylonRingHostError::Publish`] and [`NylonRingHostError::ReactorThread`].
    pub(crate) fn start(
        context: &'static Context,
        version: &str,
        watchdog: Option<Arc<Watchdog>>,
        publishing: Publishing,
    ) -> Result<Self, NylonRingHostError> {
        let Publishing { path, period } = publishing;
        let failed = |source| NylonRingHostError::Publish { path: path.clone(), source };
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let file = tempfile::Builder::new()
            .prefix(".nylon-ring-")
            .tempfile_in(directory.unwrap_or(".".as_ref()))
            .map_err(failed)?;
        let page = Page {
            pid: process::id(),
            sequence: 0,
            ended: false,
            written: SystemTime::now(),
            period,
            uptime: Duration::ZERO,
            slots: context.runtime.slots().into(),
            oldest: None,
            in_handle: 0,
            plugin: context.name.to_string(),
            version: version.to_owned(),
            metrics: metrics::snapshot(context),
            shards: Vec::new(),
        };
        let (_alive, ended) = mpsc::channel();
        let mut writer =
            Writer { context, watchdog, file: file.reopen().map_err(failed)?, page, start: Instant::now() };
        writer.write(false).map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        let work = move || {
            let mut last = false;
            while !last {
                last = ended.recv_timeout(period) == Err(RecvTimeoutError::Disconnected);
                // A disk may be full: the next page may fit.
                let _ = writer.write(last);
            }
        };
        let spawned = thread::Builder::new().name("nylon-ring-publish".into()).spawn(work);
        spawned.map_err(NylonRingHostError::ReactorThread)?;
        Ok(Self { _alive })
    }
}

impl Writer {
    fn write(&mut self, ended: bool) -> io::Result<()> {
        let (context, page) = (self.context, &mut self.page);
        let calls = watchdog::in_flight(context, self.watchdog.as_deref());
        page.sequence += 1;
        page.ended = ended;
        page.written = SystemTime::now();
        page.uptime = self.start.elapsed();
        page.oldest = calls.iter().filter_map(|call| call.age).max();
        page.in_handle = calls.iter().filter(|call| call.in_handle).count() as u64;
        page.metrics = metrics::snapshot(context);
        let row = |(index, ring): (usize, nylon_ring_runtime::Metrics)| PageShard {
            index: index as u64,
            opened: ring.opened,
            in_flight: ring.in_flight,
            drained: ring.drained,
            delivered: ring.delivered,
            turns: ring.turns,
            batches: ring.batches,
        };
        page.shards = context.runtime.shard_metrics().map(row).collect();
        // Shards are never given up: a page is at least as long as the one before it.
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&page.to_bytes())
    }
}
