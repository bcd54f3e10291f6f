//! Answers from threads of its own. What the paths mean stands in `examples/README.md`.
//!
//! [`Plugin::call`] only decides, and hands the [`Call`] over to the `Pool`.

#![forbid(unsafe_code)]

mod pool;

use std::time::{Duration, Instant};

use nylon_ring_sdk::{Call, Error, Failure, Host, Plugin, Request, plugin};

use crate::pool::Pool;

/// One may as well wait for ever.
const A_YEAR: Duration = Duration::from_secs(31_536_000);

struct Background {
    pool: Pool,
}

impl Plugin for Background {
    type Config = ();

    fn new((): (), _host: &Host) -> Result<Self, Error> {
        Ok(Self { pool: Pool::start(2).map_err(Error::start)? })
    }

    fn call(&self, req: Request<'_>, call: Call) {
        match req.path() {
            "/work" => match number(req.query(), "ms") {
                Some(ms) => self.pool.add(call, Some(Instant::now() + Duration::from_millis(ms).min(A_YEAR))),
                None => call.fail(Failure::Invalid, "ms is not a number of milliseconds"),
            },
            "/wait-cancel" => self.pool.add(call, None),
            "/cancelled" => call.reply(self.pool.cancelled().to_string()),
            "/deadline" => {
                let left = call.remaining().map(|left| left.as_millis().to_string());
                call.reply(left.unwrap_or_else(|| "none".into()));
            }
            path => call.fail(Failure::Unsupported, format!("no such path: {path}")),
        }
    }

    fn shutdown(&self) {
        self.pool.stop();
    }
}

/// The number `key=<number>` in a query.
fn number(query: &str, key: &str) -> Option<u64> {
    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))?.parse().ok()
}

plugin! { Background, name: "background", version: "0.1.0" }
