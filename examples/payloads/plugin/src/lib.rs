//! A plugin that speaks six payload formats, one route each. The formats are in `nylon-ring-payloads`, one file each.
//!
//! The work is short, so the handler does it itself and answers before it returns. Longer work would go to a thread of the
//! plugin, together with the [`Call`] and a copy of the body.

#![forbid(unsafe_code)]

use nylon_ring_payloads::FORMATS;
use nylon_ring_sdk::{Call, Error, Failure, Host, Plugin, Request, plugin};

struct Payloads;

impl Plugin for Payloads {
    type Config = ();

    fn new(_config: (), _host: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    fn call(&self, req: Request<'_>, call: Call) {
        let Some(format) = FORMATS.iter().find(|format| format.path == req.path()) else {
            return call.fail(Failure::Unsupported, format!("no such format: {}", req.path()));
        };
        match (format.answer)(req.body()) {
            Ok(answer) => call.reply(answer),
            Err(error) => call.fail(Failure::Invalid, error.to_string()),
        }
    }
}

plugin! { Payloads, name: "nylon_ring_payloads_plugin", version: "0.1.0" }
