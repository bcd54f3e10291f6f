//! Answers with streams, sent from a thread of its own. What the paths mean stands in `examples/README.md`.

#![forbid(unsafe_code)]

mod stream;

use std::{
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Sender},
    },
    thread::{self, JoinHandle},
};

use nylon_ring_sdk::{Call, Error, Failure, Host, Plugin, Request, plugin};

use crate::stream::{Stream, Work};

struct Streaming {
    work: Sender<Work>,
    /// Taken when the plugin stops.
    thread: Mutex<Option<JoinHandle<()>>>,
    has_flow: bool,
}

impl Plugin for Streaming {
    type Config = ();

    fn new((): (), host: &Host) -> Result<Self, Error> {
        let (work, todo) = mpsc::channel();
        let again = work.clone();
        let thread = thread::Builder::new()
            .name("streaming".into())
            .spawn(move || stream::serve(&todo, &again))
            .map_err(Error::start)?;
        Ok(Self { work, thread: Mutex::new(Some(thread)), has_flow: host.offers(c"nylon.stream/1") })
    }

    fn call(&self, req: Request<'_>, call: Call) {
        let flow = matches!(req.path(), "/flow" | "/forever");
        let last = match req.path() {
            "/count" | "/flow" => number(req.query(), "n"),
            "/fail" => number(req.query(), "after"),
            "/forever" => Some(u64::MAX),
            path => return call.fail(Failure::Unsupported, format!("no such path: {path}")),
        };
        if flow && !self.has_flow {
            return call.fail(Failure::Unsupported, "the host does not offer nylon.stream/1");
        }
        let Some(last) = last else {
            return call.fail(Failure::Invalid, "the number of frames is no number");
        };
        let fails = req.path() == "/fail";
        // What is not taken any more is dropped, with its call, which answers.
        let _ = self.work.send(Work::Stream(Stream { sender: call.stream(), next: 1, last, flow, fails }));
    }

    fn shutdown(&self) {
        let _ = self.work.send(Work::Stop);
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A thread that panicked has stopped too.
            let _ = thread.join();
        }
    }
}

/// The number `key=<number>` in a query.
fn number(query: &str, key: &str) -> Option<u64> {
    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))?.parse().ok()
}

plugin! { Streaming, name: "streaming", version: "0.1.0" }
