//! The example plugin: a simulated database, a stream and per-call state.
//!
//! | path | answer |
//! | --- | --- |
//! | `/hello` | `OK: GET /hello`, after a "database call" of 2 s |
//! | `/stream` | `Frame 1/5 from /stream` to `Frame 5/5 from /stream`, one per second, then the end of the stream |
//! | `/state-demo` | `OK: GET /state-demo (stored: /state-demo)`: what it has stored in the state and read back |
//! | any other | `Unsupported`, with the text `no such path: …` |
//!
//! In the texts, method and path are those of the request. In *fast* mode there is no waiting: for a whole process with
//! `NYLON_RING_EXAMPLE_FAST=1` in the environment when the plugin is loaded, for one call with `fast=1` in its query.
//! The answers and the threads that they come from are the same.
//!
//! Where to look:
//!
//! * this file: the plugin itself. [`Plugin::call`] decides what to do and returns at once;
//! * `routes`: the three answers. Each takes the [`Call`] along, and uses it when the answer is there;
//! * `timer`: how one thread waits for any number of calls.

#![forbid(unsafe_code)]

mod routes;
mod timer;

use std::{env, time::Duration};

use nylon_ring_sdk::{Call, Error, Failure, Host, Plugin, Request, plugin};

use crate::timer::Timer;

/// How long the simulated database takes.
const DATABASE: Duration = Duration::from_secs(2);
/// How far apart the frames of a stream are.
const FRAME: Duration = Duration::from_secs(1);

/// One value for the whole library: the host calls it from many threads at once.
struct Example {
    timer: Timer,
    always_fast: bool,
}

impl Plugin for Example {
    type Config = ();

    fn new(_config: (), _host: &Host) -> Result<Self, Error> {
        Ok(Self {
            timer: Timer::start().map_err(Error::start)?,
            always_fast: env::var_os("NYLON_RING_EXAMPLE_FAST").is_some_and(|value| value == "1"),
        })
    }

    fn call(&self, req: Request<'_>, call: Call) {
        let fast = self.always_fast || asks_for_fast(req.query());
        let after = |wait| if fast { Duration::ZERO } else { wait };

        match req.path() {
            "/hello" => routes::hello(&self.timer, after(DATABASE), req, call),
            "/stream" => routes::stream(&self.timer, after(FRAME), req, call),
            "/state-demo" => routes::state_demo(req, call),
            path => call.fail(Failure::Unsupported, format!("no such path: {path}")),
        }
    }

    fn shutdown(&self) {
        self.timer.stop();
    }
}

/// Whether the query has the parameter `fast=1`.
fn asks_for_fast(query: &str) -> bool {
    query.split('&').any(|parameter| parameter == "fast=1")
}

plugin! { Example, name: "nylon_ring_plugin_example", version: "0.1.0" }

#[cfg(test)]
mod tests {
    use super::asks_for_fast;

    #[test]
    fn fast_is_a_parameter_of_its_own() {
        for query in ["fast=1", "a=2&fast=1", "fast=1&b"] {
            assert!(asks_for_fast(query), "{query}");
        }
        for query in ["", "fast", "fast=0", "fast=11", "breakfast=1"] {
            assert!(!asks_for_fast(query), "{query}");
        }
    }
}
