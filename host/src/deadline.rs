//! How long callers wait: deadlines, and the timer that ends a call.
//!
//! A call that is answered inside `handle` never has a timer: it looks at the clock. One that parks gets an entry in the timer wheel of
//! the spare runtime (tokio's), so that any executor will do, with or without a timer of its own.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as TaskContext, Poll},
    time::{Duration, Instant},
};

use tokio::time::Sleep;

use crate::{admission::Place, error::NylonRingHostError, spare};

/// What one call may differ in from the settings of its host.
#[derive(Debug, Clone, Copy, Default)]
#[must_use = "options do nothing until a call is made with them"]
pub struct CallOptions {
    pub(crate) due: Option<Due>,
}

/// Until when a caller waits.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Due {
    In(Duration),
    At(Instant),
    Never,
}

impl CallOptions {
    /// The settings of the host.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits so long at most, from the first poll of the call on: queueing and `handle` count.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.due = Some(Due::In(timeout));
        self
    }

    /// Waits until then at most.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.due = Some(Due::At(deadline));
        self
    }

    /// Waits for ever, whatever the host's timeout.
    pub fn no_timeout(mut self) -> Self {
        self.due = Some(Due::Never);
        self
    }
}

impl Due {
    /// The deadline of a call that begins now; `None` when there is none, or none that could ever come.
    pub(crate) fn deadline(self) -> Option<Instant> {
        match self {
            Self::In(timeout) => Instant::now().checked_add(timeout),
            Self::At(deadline) => Some(deadline),
            Self::Never => None,
        }
    }
}

/// Whether a deadline has passed.
pub(crate) fn is_past(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

/// The timer of a call that waits; set when it is first polled.
#[derive(Debug, Default)]
pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready when `deadline` has passed; with none, never.
    ///
    /// # Errors
    ///
    /// [`NylonRingHostError::ReactorThread`] when there is no thread for timers.
    pub(crate) fn poll(
        &mut self,
        deadline: Option<Instant>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<(), NylonRingHostError>> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let sleep = match &mut self.0 {
            Some(sleep) => sleep,
            none => {
                let spare = spare::handle().map_err(NylonRingHostError::ReactorThread)?;
                let _entered = spare.enter();
                none.insert(Box::pin(tokio::time::sleep_until(deadline.into())))
            }
        };
        // A task's budget is no matter of the timer's: it would go off late.
        let mut sleep = std::pin::pin!(tokio::task::coop::unconstrained(sleep.as_mut()));
        sleep.as_mut().poll(cx).map(Ok)
    }
}

/// What bounds a call in flight.
#[derive(Debug)]
pub(crate) struct Bounds {
    pub(crate) deadline: Option<Instant>,
    timer: Timer,
    _place: Place,
}

impl Bounds {
    /// `None` for a call that neither has a deadline nor holds a place.
    pub(crate) fn new(deadline: Option<Instant>, place: Place) -> Option<Box<Self>> {
        let bounded = deadline.is_some() || place.is_some();
        bounded.then(|| Box::new(Self { deadline, timer: Timer::default(), _place: place }))
    }

    /// Ready when the deadline has passed; with none, never.
    ///
    /// # Errors
    ///
    /// As [`Timer::poll`].
    pub(crate) fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), NylonRingHostError>> {
        self.timer.poll(self.deadline, cx)
    }
}
