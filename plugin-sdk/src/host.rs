//! What the host offers.

use std::ffi::CStr;

use crate::ffi::{Api, Link};

/// The host, as a plugin sees it when it starts. A plugin may keep a clone.
#[derive(Debug, Clone)]
pub struct Host {
    pub(crate) link: Link,
    pub(crate) api: Option<Api>,
}

impl Host {
    /// Whether calls have a [`state`](crate::Call::state): the extension `nylon.state/1`.
    #[must_use]
    pub const fn has_state(&self) -> bool {
        self.link.has_state()
    }

    /// Whether the host offers the extension of this id, such as `c"nylon.state/1"`.
    #[must_use]
    pub fn offers(&self, extension: &CStr) -> bool {
        self.api.as_ref().is_some_and(|api| !api.extension(extension).is_null())
    }
}
