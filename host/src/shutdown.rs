//! Shutting a host down: drain, fail what is left, then stop the plugin.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{error::NylonRingHostError, host::Inner, spare};

/// How often calls in flight are counted.
const LOOK: Duration = Duration::from_millis(1);

/// How long callers that have been failed get to notice, before the plugin is stopped under them.
const NOTICE: Duration = Duration::from_millis(100);

/// As [`NylonRingHost::shutdown`](crate::NylonRingHost::shutdown).
pub(crate) async fn shut_down(host: Arc<Inner>, grace: Duration) -> Result<(), NylonRingHostError> {
    let (done, wait) = oneshot::channel();
    // New calls end here, whether or not this future is polled again.
    host.context.runtime.stop_opening();
    let spare = spare::handle().map_err(NylonRingHostError::ReactorThread)?;
    spare.spawn(async move {
        let in_flight = drain(&host, grace).await;
        if in_flight > 0 {
            host.context.runtime.close();
            drain(&host, NOTICE).await;
        }
        // A plugin may take its time, so it gets a thread where that is allowed.
        let stopped = tokio::task::spawn_blocking(move || host.plugin.shutdown());
        let _ = stopped.await;
        let _ = done.send(in_flight);
    });
    match wait.await {
        Ok(0) => Ok(()),
        Ok(in_flight) => Err(NylonRingHostError::ShutdownTimedOut { in_flight }),
        Err(_) => Err(NylonRingHostError::Closed),
    }
}

/// Waits until no call is in flight, or `time` is over; returns how many are left.
async fn drain(host: &Inner, time: Duration) -> u64 {
    let start = Instant::now();
    loop {
        let in_flight = host.context.runtime.stop_opening();
        if in_flight == 0 || start.elapsed() >= time {
            return in_flight;
        }
        tokio::time::sleep(LOOK).await;
    }
}
