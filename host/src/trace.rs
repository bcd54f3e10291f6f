//! The span of a call (feature `tracing`): named `call`, target `nylon_ring::call`, with the fields `plugin`, `sid` and `path`.
//!
//! It is opened when the call is, entered while `handle` runs (what the plugin logs there by `nylon.log/1` lies in it) and while the
//! caller looks for its result or frames, and closed with the call. Without the feature it is nothing, and costs nothing.

#[cfg(feature = "tracing")]
pub(crate) use on::CallSpan;

#[cfg(not(feature = "tracing"))]
pub(crate) use off::CallSpan;

#[cfg(feature = "tracing")]
mod on {
    use tracing::Span;

    use crate::{context::Context, request::Request};

    /// The span of one call.
    #[derive(Debug)]
    pub(crate) struct CallSpan(Span);

    impl CallSpan {
        pub(crate) fn open(context: &Context, sid: u64, request: &impl Request) -> Self {
            let (plugin, path) = (&*context.name, request.path());
            Self(tracing::info_span!(target: "nylon_ring::call", "call", plugin, sid, path))
        }

        /// Enters the span, until what is returned is dropped.
        pub(crate) fn enter(&self) -> impl Sized + '_ {
            self.0.enter()
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use crate::{context::Context, request::Request};

    /// Nothing.
    #[derive(Debug)]
    pub(crate) struct CallSpan;

    impl CallSpan {
        #[inline(always)]
        pub(crate) fn open(_context: &Context, _sid: u64, _request: &impl Request) -> Self {
            Self
        }

        #[inline(always)]
        pub(crate) fn enter(&self) -> Self {
            Self
        }
    }
}
