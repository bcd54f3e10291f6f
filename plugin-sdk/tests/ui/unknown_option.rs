//! An option that there is not.
use nylon_ring_sdk::{Call, Error, Host, Plugin, Request, plugin};

struct Greeter;

impl Plugin for Greeter {
    type Config = ();

    fn new(_config: (), _host: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    fn call(&self, _req: Request<'_>, call: Call) {
        call.reply("hello");
    }
}

plugin! { Greeter, title: "greeter" }

fn main() {}
