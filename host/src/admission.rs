//! How many calls of a plugin may be in flight, and what becomes of one more.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use crate::{deadline::Timer, error::NylonRingHostError};

/// What becomes of a call while as many as are allowed are in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Excess {
    /// It fails at once, with [`NylonRingHostError::TooManyInFlight`].
    Refuse,
    /// It waits for its turn, first come, first served, as long as its deadline allows.
    Wait,
}

/// The places for calls in flight.
#[derive(Debug)]
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    limit: usize,
    excess: Excess,
}

/// A place, given back when it is dropped; `None` where there is no limit.
pub(crate) type Place = Option<OwnedSemaphorePermit>;

impl Admission {
    pub(crate) fn new(limit: usize, excess: Excess) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(limit)), limit, excess }
    }

    /// A place, if there is one; `None` for a call that is to wait for one.
    ///
    /// # Errors
    ///
    /// [`NylonRingHostError::TooManyInFlight`], and [`NylonRingHostError::ShuttingDown`] after [`close`](Self::close).
    pub(crate) fn try_enter(&self) -> Result<Place, NylonRingHostError> {
        match self.places.clone().try_acquire_owned() {
            Ok(place) => Ok(Some(place)),
            Err(TryAcquireError::NoPermits) if self.excess == Excess::Wait => Ok(None),
            Err(TryAcquireError::NoPermits) => Err(NylonRingHostError::TooManyInFlight { limit: self.limit as u64 }),
            Err(TryAcquireError::Closed) => Err(NylonRingHostError::ShuttingDown),
        }
    }

    /// Waits for a place.
    ///
    /// # Errors
    ///
    /// [`NylonRingHostError::Timeout`] when the deadline comes first, and as [`try_enter`](Self::try_enter).
    pub(crate) async fn enter(&self, deadline: Option<Instant>) -> Result<Place, NylonRingHostError> {
        let mut acquire = pin!(self.places.clone().acquire_owned());
        let mut timer = Timer::default();
        poll_fn(|cx| {
            if let Poll::Ready(place) = acquire.as_mut().poll(cx) {
                return Poll::Ready(place.map(Some).map_err(|_| NylonRingHostError::ShuttingDown));
            }
            timer.poll(deadline, cx).map(|due| due.and(Err(NylonRingHostError::Timeout)))
        })
        .await
    }

    /// Sends away all that wait, and all that come.
    pub(crate) fn close(&self) {
        self.places.close();
    }
}
