//! What happens to a plugin when the last of its host is gone: its instance is freed and its library unmapped, or both stay for ever.
//!
//! By default both stay, for nothing here can know whether threads of the plugin run its code. A plugin that offers
//! `nylon.quiesce/1` says so itself. Then, and if the host was told to, they go when all of these hold:
//!
//! 1. Nobody has a handle of the host or one of its streams, and no call is in flight: the [`Inner`](crate::host::Inner) was
//!    dropped. So no `handle` is under way, and no pointer into the library is left with a caller that may use it (a table of
//!    [`plugin_extension`](crate::NylonRingHost::plugin_extension) is good as long as the host is). Payloads, names and texts
//!    are copies.
//! 2. The plugin's `shutdown` has returned.
//! 3. No reactor of the host is left ([`Seats::is_empty`](crate::seats::Seats::is_empty)): one of them might be in the middle of a
//!    callback that the plugin has registered. A callback that is still in the books of a call is called by nobody any more.
//! 4. After that the plugin has said that it is quiescent: no thread of its own runs its code or calls the host, and none ever
//!    will. Code that it has left with a thread of others (a destructor of a thread-local) is its own to account for; that of
//!    Rust and C++ keeps the library mapped by the loader's own means.
//!
//! The library is shared by its instances, and goes with the last share that is given back. One that is not given back, because its
//! host was not told to unload, or its plugin did not become quiescent in time, keeps it mapped.
//!
//! The [context](crate::context) stays in any case. The plugin does not need it any more, but threads that have called on it remember
//! their seats by its address, and give their slots back to it when they end.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{context::Context, dispatch::Remains, spare};

/// How often a plugin is asked at first, and in the long run.
const FIRST: Duration = Duration::from_millis(1);
const LAST: Duration = Duration::from_millis(100);

/// For how long an instance is waited for whose host was not told to unload.
const PATIENCE: Duration = Duration::from_secs(60);

/// Frees what is left of a plugin, on another thread, if all comes to rest within the time; without a thread it stays.
pub(crate) fn when_quiescent(context: &'static Context, remains: Remains, unload: Option<Duration>) {
    if unload.is_none() && !remains.is_instance() {
        return;
    }
    if let Ok(spare) = spare::handle() {
        // Each step may run foreign code that takes its time.
        spare.spawn_blocking(move || {
            if comes_to_rest(context, &remains, unload.unwrap_or(PATIENCE)) {
                // SAFETY: the host is gone, with it every handle, stream and call (1, 2); no reactor is left (3); and the plugin says
                // that it is quiescent (4).
                unsafe { remains.free(unload.is_some()) };
            }
        });
    }
}

/// Waits for 3 and 4, in this order.
fn comes_to_rest(context: &'static Context, remains: &Remains, within: Duration) -> bool {
    let start = Instant::now();
    let mut pause = FIRST;
    while !(context.seats.is_empty() && remains.is_quiescent()) {
        if start.elapsed() >= within {
            return false;
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LAST);
    }
    true
}
