//! A pair of fences of which one costs nothing.
//!
//! Two threads each write one thing and then look at the other's; at least one must see what the other wrote. Usually each puts
//! a SeqCst fence in between. Here one side does it millions of times a second, and the other while a runtime stops: so the
//! *light* fence is one for the compiler alone, and the *heavy* one has the kernel put a fence into every running thread of the
//! process (Linux' `membarrier`). Elsewhere than on Linux, and in models, both are SeqCst fences. Where the kernel does not do it, the pair
//! is not available.
//!
//! After `asymmetric_thread_fence` (D. Goldblatt, P1202), as in liburcu and folly.

#[cfg(all(target_os = "linux", not(any(nylon_loom, miri))))]
mod imp {
    use std::sync::OnceLock;

    use rustix::thread::{MembarrierCommand, membarrier};

    use crate::sync::{Ordering, compiler_fence};

    /// Whether the kernel does the heavy side. Ask before the first of either fence.
    pub(crate) fn available() -> bool {
        static AVAILABLE: OnceLock<bool> = OnceLock::new();
        *AVAILABLE.get_or_init(|| membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok())
    }

    /// The side that runs often. Only where the pair is available.
    #[inline(always)]
    pub(crate) fn light() {
        compiler_fence(Ordering::SeqCst);
    }

    /// The side that runs rarely, in this thread and all others. False if the kernel does not do it: it has not agreed, is short of memory,
    /// or has been forbidden to since.
    #[must_use = "without the fence nothing is known of the other side"]
    pub(crate) fn heavy() -> bool {
        membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    }
}

#[cfg(not(all(target_os = "linux", not(any(nylon_loom, miri)))))]
mod imp {
    use crate::sync::{Ordering, fence};

    /// Always.
    pub(crate) fn available() -> bool {
        true
    }

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

pub(crate) use imp::{available, heavy, light};
