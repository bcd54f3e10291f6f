//! A request that is used after the handler has returned.
use nylon_ring_sdk::{Call, Error, Host, Plugin, Request, plugin};
use std::thread;

struct Greeter;

impl Plugin for Greeter {
    type Config = ();

    fn new(_config: (), _host: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    fn call(&self, req: Request<'_>, call: Call) {
        thread::spawn(move || call.reply(req.path()));
    }
}

plugin! { Greeter }

fn main() {}
