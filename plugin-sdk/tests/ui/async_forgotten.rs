//! An asynchronous plugin, exported as if it were not.
use nylon_ring_sdk::{AsyncPlugin, Context, Error, Failed, Host, OwnedRequest, Payload, plugin};

struct Greeter;

impl AsyncPlugin for Greeter {
    type Config = ();

    async fn new(_config: (), _host: Host) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn call(&self, _req: OwnedRequest, _cx: Context) -> Result<Payload, Failed> {
        Ok("hello".into())
    }
}

plugin! { Greeter }

fn main() {}
