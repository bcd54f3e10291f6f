//! Callbacks that a plugin registers with its host.

use std::ffi::c_void;

use nylon_ring::{NR_EVENT_CANCELLED, NR_EVENT_WRITABLE, NR_WATCH_ALREADY, NR_WATCH_CLOSED, NR_WATCH_REFUSED};

use super::{Link, contain, tables::Register};

/// Why a callback is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// The caller has given the call up: it does not wait any more, its deadline has passed, or the host is closing. The
    /// plugin may stop working; what it still sends is dropped.
    Cancelled,
    /// The stream takes frames again.
    Writable,
    /// The call is over, and what the callback waits for has not happened.
    Over,
}

/// What became of a callback.
///
/// Where it will not be called, it has been dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "a callback may have been refused"]
#[non_exhaustive]
pub enum Watch {
    /// It will be called exactly once, or was already.
    Registered,
    /// What it waits for is so now; it is not called.
    Already,
    /// The call is over, or was given up; it is not called.
    Closed,
    /// The host has no room for it; it is not called.
    Refused,
    /// The host does not offer the extension; it is not called.
    Unsupported,
}

pub(crate) type Callback = Box<dyn FnOnce(Event) + Send>;

/// A callback to come; counted in its link (F7).
struct Registered {
    link: &'static Link,
    callback: Callback,
}

/// Takes the count back when the callback has returned or panicked.
struct Counted(&'static Link);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.discount_call();
    }
}

/// Has `callback` called by the function `register` of the host; if that was refused, it comes back.
pub(super) fn register(
    link: &'static Link,
    register: Register,
    host_ctx: *mut c_void,
    sid: u64,
    callback: Callback,
) -> Result<(), (Watch, Callback)> {
    link.count_call();
    let user = Box::into_raw(Box::new(Registered { link, callback }));
    // SAFETY: F3; `notify` takes what `user` points to, by F9 at most once.
    let watch = match unsafe { register(host_ctx, sid, Some(notify), user.cast()) } {
        NR_WATCH_ALREADY => Watch::Already,
        NR_WATCH_CLOSED => Watch::Closed,
        NR_WATCH_REFUSED => Watch::Refused,
        _ => return Ok(()), // registered; or a value that a broken host made up, which may have registered it
    };
    // SAFETY: it comes from `into_raw`, and by F9 `notify` is not called.
    let Registered { link, callback } = *unsafe { Box::from_raw(user) };
    link.discount_call();
    Err((watch, callback))
}

/// What the host calls.
unsafe extern "C" fn notify(user: *mut c_void, _sid: u64, event: u32) {
    contain((), || {
        if user.is_null() {
            return;
        }
        // SAFETY: it comes from `into_raw` in `register`; by F9 this is the only call for it.
        let Registered { link, callback } = *unsafe { Box::from_raw(user.cast::<Registered>()) };
        let _counted = Counted(link);
        callback(match event {
            NR_EVENT_CANCELLED => Event::Cancelled,
            NR_EVENT_WRITABLE => Event::Writable,
            _ => Event::Over,
        });
    });
}
