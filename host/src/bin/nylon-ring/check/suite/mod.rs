//! What is checked. Each function is one check, and runs in a process of its own.

pub(crate) mod calls;
pub(crate) mod extensions;
pub(crate) mod life;
pub(crate) mod load;
pub(crate) mod memory;
pub(crate) mod requests;
pub(crate) mod threads;
