//! A pair of fences of which one costs nothing.
//!
//! Two threads each write one thing and then look at the other's; at least one must see what the other wrote. Usually each puts
//! a SeqCst fence in between. Here one side does it millions of times a second, and the other while a runtime stops: so the
//! *light* fence is one for the compiler alone, and the *heavy* one has the kernel put a fence into every running thread of the
//! process (Linux' `membarrier`). Where that cannot be had, and in models, both are SeqCst fences.
//!
//! After `asymmetric_thread_fence` (D. Goldblatt, P1202), as in liburcu and folly.

#[cfg(all(target_os = "linux", not(any(nylon_loom, miri))))]
mod imp {
    use std::sync::Once;

    use rustix::thread::{MembarrierCommand, membarrier};

    use crate::sync::{AtomicBool, Ordering, compiler_fence, fence};

    /// Whether the kernel does the heavy side. Written once, before the first fence.
    static ASYMMETRIC: AtomicBool = AtomicBool::new(false);

    /// Asks the kernel; call it before the first of either fence.
    pub(crate) fn set_up() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // Ordering: Relaxed; whoever uses a fence has been given what was set up after this.
            ASYMMETRIC.store(membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok(), Ordering::Relaxed);
        });
    }

    /// The side that runs often.
    #[inline(always)]
    pub(crate) fn light() {
        // Ordering: Relaxed; as in `set_up`.
        if ASYMMETRIC.load(Ordering::Relaxed) {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    /// The side that runs rarely. False if the kernel, which has agreed to it, does not do it this time: it is short of memory, or
    /// has been forbidden to since.
    #[must_use = "without the fence nothing is known of the other side"]
    pub(crate) fn heavy() -> bool {
        fence(Ordering::SeqCst);
        // Ordering: Relaxed; as in `set_up`.
        !ASYMMETRIC.load(Ordering::Relaxed) || membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    }
}

#[cfg(not(all(target_os = "linux", not(any(nylon_loom, miri)))))]
mod imp {
    use crate::sync::{Ordering, fence};

    /// Nothing to set up.
    pub(crate) fn set_up() {}

    /// The side that runs often.
    pub(crate) fn light() {
        fence(Ordering::SeqCst);
    }

    /// The side that runs rarely. Always done here.
    #[must_use = "without the fence nothing is known of the other side"]
    pub(crate) fn heavy() -> bool {
        fence(Ordering::SeqCst);
        true
    }
}

pub(crate) use imp::{heavy, light, set_up};
