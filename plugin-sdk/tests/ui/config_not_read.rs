//! A configuration that nothing can read.
use nylon_ring_sdk::{Call, Error, Host, Plugin, Request, plugin};

struct Settings;

struct Greeter;

impl Plugin for Greeter {
    type Config = Settings;

    fn new(_config: Settings, _host: &Host) -> Result<Self, Error> {
        Ok(Self)
    }

    fn call(&self, _req: Request<'_>, call: Call) {
        call.reply("hello");
    }
}

plugin! { Greeter }

fn main() {}
