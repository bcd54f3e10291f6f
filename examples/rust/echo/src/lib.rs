//! Answers each request with what it was, inside `handle`. What the paths mean stands in `examples/README.md`.

#![forbid(unsafe_code)]

use std::fmt::Write as _;

use nylon_ring_sdk::{Call, Error, Failure, Host, Plugin, RawConfig, Request, plugin};

struct Echo {
    config: RawConfig,
}

impl Plugin for Echo {
    type Config = RawConfig;

    fn new(config: RawConfig, _host: &Host) -> Result<Self, Error> {
        Ok(Self { config })
    }

    fn call(&self, req: Request<'_>, call: Call) {
        match req.path() {
            "/invalid" => call.fail(Failure::Invalid, "this path is invalid"),
            "/unsupported" => call.fail(Failure::Unsupported, "this path is unsupported"),
            "/err" => call.err("this path fails"),
            "/panic" => panics(),
            "/drop" => drop(call),
            "/state" => state(req, call),
            "/config" => call.reply(&self.config.0),
            _ => call.reply(echo(req)),
        }
    }
}

/// `METHOD PATH?QUERY`, each header on a line of its own, an empty line, and the body.
fn echo(req: Request<'_>) -> Vec<u8> {
    let mut head = format!("{} {}?{}\n", req.method(), req.path(), req.query());
    for (key, value) in req.headers() {
        // Writing to a `String` does not fail.
        let _ = writeln!(head, "{key}: {value}");
    }
    head.push('\n');
    [head.as_bytes(), req.body()].concat()
}

/// Stores the body, and answers with what is there then.
fn state(req: Request<'_>, call: Call) {
    let state = call.state();
    match state.set("k", req.body()).and_then(|()| state.get("k")) {
        Ok(value) => call.reply(value.unwrap_or_default()),
        Err(error) => call.err(error.to_string()),
    }
}

#[expect(clippy::panic, reason = "this is how a handler that panics looks from outside")]
fn panics() {
    panic!("a panic on purpose");
}

plugin! { Echo, name: "echo", version: "0.1.0" }
