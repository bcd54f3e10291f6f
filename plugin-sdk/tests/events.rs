//! What a plugin says through `tracing`. One test: a process has one global subscriber.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::thread;

use nylon_ring_sdk::{
    Async, AsyncPlugin, Call, Context, Error, Failed, Host, Level, OwnedRequest, Payload, Plugin, Request,
    testing::{LogLine, MockHost},
};

struct Sync;

impl Plugin for Sync {
    type Config = bool;

    fn new(first: bool, host: &Host) -> Result<Self, Error> {
        assert_eq!(host.forward_tracing(), first);
        tracing::info!("started");
        Ok(Self)
    }

    fn call(&self, req: Request<'_>, call: Call) {
        match req.path() {
            "/handler" => tracing::warn!(path = req.path(), answer = 42, "called {}", "here"),
            "/thread" => {
                thread::scope(|scope| scope.spawn(|| tracing::error!(target: "elsewhere", "of nobody")).join())
                    .unwrap();
                thread::spawn(move || {
                    call.within(|| tracing::error!("of the call"));
                    call.reply("");
                });
                return;
            }
            _ => {
                tracing::info!("kept");
                tracing::debug!("too small");
            }
        }
        call.reply("");
    }
}

struct Tasks;

impl AsyncPlugin for Tasks {
    type Config = ();

    async fn new(_config: (), _host: Host) -> Result<Self, Error> {
        Ok(Self)
    }

    async fn call(&self, _req: OwnedRequest, _cx: Context) -> Result<Payload, Failed> {
        tracing::info!("before");
        tokio::task::yield_now().await;
        tracing::info!("after");
        Ok(().into())
    }
}

fn line(sid: Option<u64>, level: Level, target: &str, message: &str) -> LogLine {
    LogLine { sid, level, target: target.to_owned(), message: message.to_owned() }
}

#[test]
#[cfg_attr(miri, ignore = "starts a runtime")]
fn events_reach_the_log_of_their_host() {
    let first = MockHost::<Sync>::builder().config("true").log_level(Level::Info).start().unwrap();
    let second = MockHost::<Sync>::builder().config("false").start().unwrap();
    let here = "events";
    let started = line(None, Level::Info, here, "started");
    assert_eq!(first.logs(), [started.clone(), started], "outside of calls all goes to the first host");

    let call = second.call("/handler");
    let called = line(Some(call.sid()), Level::Warn, here, "called here path=\"/handler\" answer=42");
    assert_eq!(second.logs(), [called], "within a call it goes to the host of the call");
    first.call("/level").wait().unwrap();
    assert_eq!(first.logs()[2..], [line(Some(1), Level::Info, here, "kept")]);

    let call = second.call("/thread");
    call.wait().unwrap();
    assert_eq!(second.logs()[1..], [line(Some(call.sid()), Level::Error, here, "of the call")]);
    assert_eq!(first.logs()[3..], [line(None, Level::Error, "elsewhere", "of nobody")]);

    let tasks = MockHost::<Async<Tasks>>::start().unwrap();
    let call = tasks.call("/");
    call.wait().unwrap();
    let all = ["before", "after"].map(|text| line(Some(call.sid()), Level::Info, here, text));
    assert_eq!(tasks.logs(), all);

    let quiet = MockHost::<Sync>::builder().config("false").without(c"nylon.log/1").start().unwrap();
    quiet.call("/level").wait().unwrap();
    assert_eq!(quiet.logs(), []);

    tracing::info!("of the test");
    assert_eq!(first.logs().len(), 6, "the start of the last one, and this");
    first.shutdown();
    assert!(first.is_quiescent(), "the subscriber keeps nothing");
    tracing::info!("nowhere");
    assert_eq!(first.logs().len(), 6);
    drop(first);
    tracing::info!("nowhere");
}
