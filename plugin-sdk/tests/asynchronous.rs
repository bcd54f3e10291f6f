//! Plugins whose handlers are `async`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread::{self, ThreadId},
    time::Duration,
};

use nylon_ring_sdk::{
    Async, AsyncPlugin, Context, Error, Failed, Failure, Host, Level, NrStatus, OwnedRequest, Payload,
    testing::{MockHost, MockRequest, Reply},
};
use serde::Deserialize;
use tokio::sync::Notify;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Settings {
    name: String,
    fail: bool,
    panic: bool,
}

/// Counts what is alive of it.
struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

struct Tasks {
    name: String,
    go_on: Arc<Notify>,
    alive: Arc<AtomicUsize>,
    log: Mutex<Vec<String>>,
    host: Host,
}

impl AsyncPlugin for Tasks {
    type Config = Settings;

    async fn new(settings: Settings, host: Host) -> Result<Self, Error> {
        tokio::time::sleep(Duration::from_millis(1)).await; // in the runtime already
        assert!(!settings.panic, "a test of panics");
        if settings.fail {
            return Err(Error::start("a test of failures"));
        }
        let (go_on, alive) = (Arc::default(), Arc::default());
        Ok(Self { name: settings.name, go_on, alive, log: Mutex::default(), host })
    }

    async fn call(&self, req: OwnedRequest, cx: Context) -> Result<Payload, Failed> {
        match req.path.as_str() {
            "/name" => Ok(self.name.as_str().into()),
            "/echo" => {
                let host = req.header("HOST").unwrap_or("nobody");
                Ok(format!("{} {}?{} {host} {}", req.method, req.path, req.query, String::from_utf8_lossy(&req.body))
                    .into())
            }
            "/sleep" => {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let other = tokio::spawn(async { "slept" }).await?;
                Ok(other.into())
            }
            "/error" => {
                let number: u32 = req.query.parse()?;
                Ok(number.to_string().into())
            }
            "/unsupported" => Err(Failed::unsupported("no")),
            "/panic" => panic!("a test of panics"),
            "/panic-later" => {
                tokio::task::yield_now().await;
                panic!("a test of panics")
            }
            "/wait" => {
                self.go_on.notified().await;
                Ok("went on".into())
            }
            "/go-on" => {
                self.go_on.notify_one();
                Ok(().into())
            }
            "/for-ever" => {
                self.alive.fetch_add(1, SeqCst);
                let _alive = Alive(Arc::clone(&self.alive));
                pending().await
            }
            "/alive" => Ok(self.alive.load(SeqCst).to_string().into()),
            "/cancelled" => {
                assert!(!cx.is_cancelled());
                let clone = cx.clone();
                let waits = tokio::spawn(async move { clone.cancelled().await });
                self.go_on.notify_one();
                cx.cancelled().await;
                waits.await?;
                self.log.lock().unwrap().push(format!("cancelled {}", cx.is_cancelled()));
                self.go_on.notify_one();
                Err(Failed::err("late"))
            }
            "/over" => {
                let clone = cx.clone();
                let go_on = Arc::clone(&self.go_on);
                tokio::spawn(async move {
                    clone.cancelled().await;
                    let state = clone.state().set("key", "");
                    assert!(matches!(state, Err(Error::Closed)) && clone.is_cancelled());
                    assert!(!clone.log(Level::Info, "tasks", "not logged"));
                    go_on.notify_one();
                });
                tokio::task::yield_now().await;
                Ok("over".into())
            }
            "/log" => Ok(self.log.lock().unwrap().join(" ").into()),
            "/deadline" => Ok(match (cx.remaining(), cx.deadline()) {
                (None, None) => "none".into(),
                (Some(_), Some(_)) => "some".into(),
                _ => "nonsense".into(),
            }),
            "/state" => {
                cx.state().set("key", "value")?;
                assert!(cx.log(Level::Info, "tasks", "stored") || !self.host.offers(c"nylon.log/1"));
                Ok(cx.state().get("key")?.unwrap_or_default().into())
            }
            "/frames" => {
                let mut frames = cx.stream();
                for i in 0..10 {
                    frames.send(i.to_string()).await?;
                }
                Ok("last".into())
            }
            "/frames-by-credit" => {
                let mut frames = cx.stream();
                for i in 0..10 {
                    frames.reserve().await?;
                    assert!(frames.credits() > 0);
                    frames.try_send(i.to_string())?;
                }
                frames.end_with("last")?;
                assert!(matches!(cx.stream().send("late").await, Err(Error::Closed)));
                Ok("ignored".into())
            }
            "/frames-impatient" => {
                let mut frames = cx.stream();
                while frames.try_send("").is_ok() {}
                for _ in 0..100 {
                    let _dropped = tokio::time::timeout(Duration::ZERO, frames.reserve()).await;
                }
                self.go_on.notify_one();
                frames.send("at last").await?;
                Ok(().into())
            }
            "/frames-fail" => {
                let mut frames = cx.stream();
                frames.send("1").await?;
                Err(Failed::invalid("no more"))
            }
            "/frames-fail-early" => {
                cx.stream().fail(Failure::Unsupported, "no")?;
                Ok("ignored".into())
            }
            "/frames-panic" => {
                cx.stream().send("1").await?;
                panic!("a test of panics")
            }
            "/frames-for-ever" => {
                let mut frames = cx.stream();
                loop {
                    if let Err(error) = frames.send("x").await {
                        self.log.lock().unwrap().push(error.to_string());
                        self.go_on.notify_one();
                        return Err(error.into());
                    }
                }
            }
            path => Err(Failed::unsupported(path)),
        }
    }

    async fn shutdown(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.host.log(Level::Info, "tasks", "stopping");
    }

    fn health(&self) -> Result<(), String> {
        Err("tired".to_owned())
    }

    fn threads(_config: &Settings) -> usize {
        2
    }
}

type Mock = MockHost<Async<Tasks>>;

fn reply(status: NrStatus, text: &str) -> Reply {
    Reply { status, payload: text.into() }
}

fn ask(host: &Mock, path: &str) -> Reply {
    host.call(path).wait().unwrap()
}

fn frames(host: &Mock, path: &str) -> Vec<String> {
    let all = host.stream(path).collect().unwrap();
    all.iter().map(|reply| format!("{:?} {}", reply.status, reply.text())).collect()
}

#[test]
#[cfg_attr(miri, ignore = "starts a runtime")]
fn what_a_handler_returns_is_the_answer() {
    let host = Mock::builder().config(r#"{ "name": "ada" }"#).start().unwrap();
    assert_eq!(ask(&host, "/name"), reply(NrStatus::Ok, "ada"));
    assert_eq!(ask(&host, "/sleep"), reply(NrStatus::Ok, "slept"));
    assert_eq!(ask(&host, "/error"), reply(NrStatus::Err, "cannot parse integer from empty string"));
    assert_eq!(ask(&host, "/unsupported"), reply(NrStatus::Unsupported, "no"));
    let request = MockRequest::new("PUT", "/echo").query("q").header("Host", "here").body("body");
    assert_eq!(host.call(request).wait().unwrap(), reply(NrStatus::Ok, "PUT /echo?q here body"));
    assert_eq!(host.health(), Err("tired".to_owned()));
}

#[test]
#[cfg_attr(miri, ignore = "starts a runtime")]
fn nothing_is_polled_on_a_thread_of_the_host() {
    /// Knows where it was made.
    struct Where(ThreadId);
    impl AsyncPlugin for Where {
        type Config = ();
        async fn new(_config: (), _host: Host) -> Result<Self, Error> {
            Ok(Self(thread::current().id()))
        }
        async fn call(&self, req: OwnedRequest, _cx: Context) -> Result<Payload, Failed> {
            let here = format!("{:?}", thread::current().id());
            Ok((here != req.query && format!("{:?}", self.0) != req.query).to_string().into())
        }
    }
    let host = MockHost::<Async<Where>>::start().unwrap();
    for _ in 0..100 {
        let request = MockRequest::get("/").query(format!("{:?}", thread::current().id()));
        assert_eq!(host.call(request).wait().unwrap(), reply(NrStatus::Ok, "true"));
    }
}

#[test]
#[cfg_attr(miri, ignore = "starts a runtime")]
fn a_panic_answers_and_harms_no_other() {
    let host = Mock::start().unwrap();
    let waits = host.call("/wait");
    for path in ["/panic", "/panic-later"] {
        assert_eq!(ask(&host, path), reply(NrStatus::Err, "the plugin panicked"));
    }
    assert_eq!(frames(&host, "/frames-panic"), ["Ok 1", "Err the plugin panicked"]);
    ask(&host, "/go-on");
    assert_eq!(waits.wait().unwrap(), reply(NrStatus::Ok, "went on"));
}

#[test]
#[cfg_attr(miri, ignore = "starts a runtime")]
fn a_plugin_that_cannot_start_says_why() {
    for (config, reason) in [
        (r#"{ "fail": true }"#, "a test of failures"),
        (r#"{ "panic": true }"#, "it panicked"),
        (r#"{ "fail": 1 }"#, "invalid type"),
    ] {
        let error = Mock::builder().config(config).start().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "starts a runtime")]
fn a_stream_waits_for_room_and_ends_with_its_handler() {
    let mut all: Vec<_> = (0..10).map(|i| format!("Ok {i}")).collect();
    all.push("StreamEnd last".to_owned());
    for builder in [Mock::builder().window(3), Mock::builder().window(1), Mock::builder().bare()] {
        let host = builder.start().unwrap();
        assert_eq!(frames(&host, "/frames"), all);
        assert_eq!(frames(&host, "/frames-by-credit"), all);
        assert_eq!(frames(&host, "/frames-fail"), ["Ok 1", "Invalid no more"]);
        assert_eq!(frames(&host, "/frames-fail-early"), ["Unsupported no"]);
    }
    let host = Mock::builder().window(2).start().unwrap();
    let stream = host.stream("/frames-impatient");
    ask(&host, "/wait");
    assert_eq!(stream.callbacks(), 1, "each `reserve` that was dropped waits for the same");
    let all = ["", "", "at last"].map(|text| reply(NrStatus::Ok, text));
    assert_eq!(stream.collect().unwrap()[..3], all);
}

#[test]
#[cfg_attr(miri, ignore = "starts a runtime")]
fn a_stream_that_is_given_up_hears_of_it() {
    let host = Mock::builder().window(2).start().unwrap();
    let stream = host.stream("/frames-for-ever");
    assert!(stream.next().unwrap().is_some());
    stream.cancel();
    ask(&host, "/wait");
    assert_eq!(ask(&host, "/log").text(), Error::Closed.to_string());
}

#[test]
#[cfg_attr(miri, ignore = "starts a runtime")]
fn a_handler_may_wait_for_the_caller_to_give_up() {
    let host = Mock::start().unwrap();
    let call = host.call("/cancelled");
    ask(&host, "/wait"); // it waits now
    call.cancel();
    ask(&host, "/wait");
    assert_eq!(ask(&host, "/log").text(), "cancelled true");
}

#[test]
#[cfg_attr(miri, ignore = "starts a runtime")]
fn clones_of_a_context_learn_of_the_end() {
    for builder in [Mock::builder(), Mock::builder().bare()] {
        let host = builder.start().unwrap();
        assert_eq!(ask(&host, "/over"), reply(NrStatus::Ok, "over"));
        assert_eq!(ask(&host, "/wait"), reply(NrStatus::Ok, "went on"));
    }
}

#[test]
#[cfg_attr(miri, ignore = "starts a runtime")]
fn a_context_knows_deadline_state_and_log() {
    let host = Mock::start().unwrap();
    assert_eq!(ask(&host, "/deadline").text(), "none");
    let request = MockRequest::get("/deadline").deadline(Duration::from_secs(3600));
    assert_eq!(host.call(request).wait().unwrap().text(), "some");
    let call = host.call("/state");
    assert_eq!(call.wait().unwrap().text(), "value");
    assert_eq!(call.state("key").unwrap(), b"value");
    let line = host.logs().pop().unwrap();
    assert_eq!((line.sid, line.message.as_str()), (Some(call.sid()), "stored"));

    let host = Mock::builder().bare().start().unwrap();
    let text = Error::StateUnsupported.to_string();
    assert_eq!(ask(&host, "/state"), reply(NrStatus::Err, &text));
}

#[test]
#[cfg_attr(miri, ignore = "starts a runtime")]
fn shutdown_drops_what_still_waits_and_stops_the_threads() {
    let host = Mock::start().unwrap();
    let call = host.call("/for-ever");
    while ask(&host, "/alive").text() == "0" {}
    assert!(!host.is_quiescent());
    host.shutdown();
    assert!(host.is_quiescent());
    assert_eq!(call.wait().unwrap().status, NrStatus::Err);
    assert_eq!(host.logs().pop().unwrap().message, "stopping");
    assert!(matches!(host.call("/name").wait(), Err(Error::Refused { .. })));
}

#[tokio::test]
#[cfg_attr(miri, ignore = "starts a runtime")]
async fn a_host_on_a_runtime_of_its_own_may_start_and_stop_it() {
    let host = Mock::start().unwrap();
    assert_eq!(ask(&host, "/sleep").text(), "slept");
    host.shutdown();
    assert!(host.is_quiescent());
}
