//! The threads: start, stop, wait for the end.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::Arc,
    thread::{self, JoinHandle},
};

use nylon_ring_artifacts::example_plugin;
use nylon_ring_host::NylonRingHost;
use tokio::{runtime, sync::watch};

use crate::{
    config::Config, error::GatewayError, listener::listen, metrics, metrics::Counters, service::Service, worker,
};

/// A gateway that runs. Dropped without [`stop`](Self::stop), it stops as well, but nobody waits for its end.
#[derive(Debug)]
pub struct Gateway {
    host: NylonRingHost,
    address: SocketAddr,
    metrics_address: SocketAddr,
    grace: std::time::Duration,
    stop: watch::Sender<bool>,
    stop_metrics: watch::Sender<bool>,
    workers: Vec<JoinHandle<Result<(), GatewayError>>>,
    metrics: JoinHandle<Result<(), GatewayError>>,
}

impl Gateway {
    /// Loads the plugin, binds the ports and starts the threads.
    ///
    /// # Errors
    ///
    /// The plugin is not there or does not load, a port is taken, or a thread cannot be had.
    pub fn start(config: Config) -> Result<Self, GatewayError> {
        let plugin = match config.plugin {
            Some(plugin) => plugin,
            None => example_plugin()?,
        };
        let host = NylonRingHost::builder().timeout(config.timeout).load(plugin)?;
        let service = Arc::new(Service {
            host: host.clone(),
            streams: config.streams,
            body_limit: config.body_limit,
            timeout: config.timeout,
            counters: Counters::default(),
        });
        let bind = |address, count| {
            listen(address, count, config.one_listener).map_err(|source| GatewayError::Listen { address, source })
        };
        let listeners = bind(config.listen, config.workers.max(1))?;
        let mut metrics_listeners = bind(config.metrics, 1)?;
        let local = |listeners: &[std::net::TcpListener], or| listeners.first().map_or(Ok(or), |l| l.local_addr());
        let address = local(&listeners, config.listen)?;
        let metrics_address = local(&metrics_listeners, config.metrics)?;

        let (stop, stopped) = watch::channel(false);
        let (stop_metrics, metrics_stopped) = watch::channel(false);
        let mut workers = Vec::new();
        for listener in listeners {
            let (service, stopped) = (service.clone(), stopped.clone());
            workers.push(spawn("gateway", move || worker::serve(listener, service, stopped, config.grace))?);
        }
        let metrics = metrics_listeners.pop().ok_or_else(|| io::Error::other("no listener"))?;
        let metrics = spawn("gateway-metrics", move || metrics::serve(metrics, service, metrics_stopped))?;
        Ok(Self { host, address, metrics_address, grace: config.grace, stop, stop_metrics, workers, metrics })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where `/metrics` is.
    pub fn metrics_address(&self) -> SocketAddr {
        self.metrics_address
    }

    /// The host, whose plugin answers.
    pub fn host(&self) -> &NylonRingHost {
        &self.host
    }

    /// Takes no more connections. Requests under way are answered; connections that are kept alive are closed after that.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// [Stops](Self::stop), waits until all requests are answered, and shuts the plugin down.
    ///
    /// # Errors
    ///
    /// [`Grace`](GatewayError::Grace) when requests had to be cut off, and what the plugin's shutdown meets.
    pub fn join(self) -> Result<(), GatewayError> {
        self.stop();
        let mut outcome = Ok(());
        for worker in self.workers {
            outcome = outcome.and(worker.join().unwrap_or(Err(GatewayError::Panic)));
        }
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let shut_down = runtime.block_on(self.host.shutdown(self.grace));
        self.stop_metrics.send_replace(true);
        let metrics = self.metrics.join().unwrap_or(Err(GatewayError::Panic));
        outcome.and(shut_down.map_err(GatewayError::Host)).and(metrics)
    }
}

/// A thread with a runtime of its own, which runs what `make` makes.
fn spawn<F: Future<Output = Result<(), GatewayError>>>(
    name: &str,
    make: impl FnOnce() -> F + Send + 'static,
) -> io::Result<JoinHandle<Result<(), GatewayError>>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(name.into()).spawn(move || runtime.block_on(make()))
}
