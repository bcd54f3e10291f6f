//! Hosts as services of tower.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use nylon_ring::NrStatus;
use tower_service::Service;

use crate::{error::NylonRingHostError, host::NylonRingHost, request::HighLevelRequest};

/// A call under way, as tower wants it: it keeps its host alive. Dropping it gives the call up.
pub type PluginFuture<T> = Pin<Box<dyn Future<Output = Result<T, NylonRingHostError>> + Send>>;

/// A host as a `tower::Service`, for tower's layers: timeouts, retries, load-shedding, limits. Clones share the host.
///
/// It is always ready. A call past [`slots_per_shard`](crate::HostBuilder::slots_per_shard) fails with
/// [`TooManyInFlight`](NylonRingHostError::TooManyInFlight); to wait instead, put a concurrency limit in front. A layer that drops the
/// future, as a timeout does, gives the call up.
///
/// ```no_run
/// # async fn run(host: nylon_ring_host::NylonRingHost) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// use std::time::Duration;
///
/// use nylon_ring_host::{HighLevelRequest, PluginService};
/// use tower::{Service, ServiceBuilder, ServiceExt};
///
/// let mut service = ServiceBuilder::new()
///     .timeout(Duration::from_secs(1))
///     .concurrency_limit(1000)
///     .service(PluginService::new(host));
/// let request = HighLevelRequest { method: "GET".into(), path: "/hello".into(), ..Default::default() };
/// let (status, payload) = service.ready().await?.call(request).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PluginService {
    host: NylonRingHost,
}

impl PluginService {
    /// A service that calls `host`'s plugin.
    pub fn new(host: NylonRingHost) -> Self {
        Self { host }
    }

    /// The host.
    pub fn host(&self) -> &NylonRingHost {
        &self.host
    }
}

impl Service<HighLevelRequest> for PluginService {
    type Response = (NrStatus, Vec<u8>);
    type Error = NylonRingHostError;
    type Future = PluginFuture<Self::Response>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HighLevelRequest) -> Self::Future {
        let host = self.host.clone();
        Box::pin(async move { host.call(request).await })
    }
}

/// As [`PluginService`], of `http::Request`s whose body is bytes in memory. They are answered as the
/// [table of statuses](crate::http_status) says; what the host meets stays an error, for layers to see, and has an
/// [`http_status`](NylonRingHostError::http_status) of its own.
///
/// (Another type, not another `impl`: with two of them callers would have to say which one they mean.)
#[cfg(feature = "http")]
#[derive(Debug, Clone)]
pub struct HttpService {
    host: NylonRingHost,
}

#[cfg(feature = "http")]
impl HttpService {
    /// A service that calls `host`'s plugin.
    pub fn new(host: NylonRingHost) -> Self {
        Self { host }
    }

    /// The host.
    pub fn host(&self) -> &NylonRingHost {
        &self.host
    }
}

#[cfg(feature = "http")]
impl<B: AsRef<[u8]> + Send + Sync + 'static> Service<http::Request<B>> for HttpService {
    type Response = http::Response<crate::Payload>;
    type Error = NylonRingHostError;
    type Future = PluginFuture<Self::Response>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let host = self.host.clone();
        Box::pin(async move {
            let view = crate::HttpView::new(&request)?;
            let (status, payload) = host.call_view(view.view()).await?;
            Ok(crate::http_response(status, payload))
        })
    }
}
