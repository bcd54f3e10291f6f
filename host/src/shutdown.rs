//! Shutting a host down: drain, fail what is left, then stop the plugin.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{error::NylonRingHostError, host::Inner, spare};

/// How often calls in flight are counted.
const LOOK: Duration = Duration::from_millis(1);

/// How long a `handle` that is under way after that gets to return. If it does not, the plugin must not be stopped under it:
/// that is left to the drop of the host.
const NOTICE: Duration = Duration::from_secs(1);

/// As [`NylonRingHost::shutdown`](crate::NylonRingHost::shutdown).
pub(crate) async fn shut_down(host: Arc<Inner>, grace: Duration) -> Result<(), NylonRingHostError> {
    if host.shut_down.get().is_some() {
        return Ok(());
    }
    let (done, wait) = oneshot::channel();
    // New calls end here, whether or not this future is polled again.
    host.context.runtime.stop_opening();
    if let Some(admission) = &host.admission {
        admission.close();
    }
    let spare = spare::handle().map_err(NylonRingHostError::ReactorThread)?;
    spare.spawn(async move {
        let in_flight = drain(&host, grace).await;
        if in_flight > 0 {
            host.context.runtime.close();
        }
        let stopping = host.clone();
        let stop = async {
            if handed_over(&host).await {
                // A plugin may take its time, so it gets a thread where that is allowed.
                let _ = tokio::task::spawn_blocking(move || stopping.plugin.shutdown()).await;
            }
        };
        host.shut_down.get_or_init(|| stop).await;
        drop(host);
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

/// Waits until no `handle` is under way, which is so at once unless one blocks; false if that takes too long.
async fn handed_over(host: &Inner) -> bool {
    let start = Instant::now();
    // Slots that became free meanwhile count until they are collected. None is opened any more: 0 is final.
    while host.context.runtime.stop_opening() > 0 && host.context.runtime.handing_over() > 0 {
        if start.elapsed() >= NOTICE {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}
