//! What comes back from a plugin that was exported by the macro: one answer for each call, whatever the handler does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::{
    panic::panic_any,
    sync::{LazyLock, mpsc},
    thread,
};

use nylon_ring::{EXT_HEALTH, EXT_INSTANCE, EXT_QUIESCE, EXT_STATE, NR_ABI_VERSION, NrHeaderRef};
use nylon_ring_sdk::{Call, Error, Failure, Host, Plugin, Request, StreamSender, plugin};
use support::{Driver, ERR, INVALID, OK, STREAM_END, UNSUPPORTED, sent};

struct Answers {
    host: Host,
    background: mpsc::Sender<Call>,
}

impl Plugin for Answers {
    type Config = ();

    fn new(_config: (), host: &Host) -> Result<Self, Error> {
        let (background, calls) = mpsc::channel::<Call>();
        thread::spawn(move || {
            for call in calls {
                call.reply("from another thread");
            }
        });
        let host = host.clone();
        Ok(Self { host, background })
    }

    fn call(&self, req: Request<'_>, call: Call) {
        match req.path() {
            "/reply" => call.reply("here"),
            "/empty" => call.reply([]),
            "/sid" => {
                let sid = call.sid().to_string();
                call.reply(sid);
            }
            "/err" => call.err("broken"),
            "/invalid" => call.fail(Failure::Invalid, "nonsense"),
            "/drop" => drop(call),
            "/forgotten-branch" => {}
            "/panic" => panic!("a test of panics"),
            "/panic-moved" => {
                let job = move |call: Call| {
                    if call.sid() < u64::MAX {
                        panic!("a test of panics");
                    }
                };
                job(call);
            }
            "/panic-that-panics" => panic_any(PanicsWhenDropped),
            "/panic-after-reply" => {
                call.reply("in time");
                panic!("a test of panics");
            }
            "/panic-after-handing-over" => {
                self.background.send(call).unwrap();
                panic!("a test of panics");
            }
            "/panic-in-payload" => call.reply(PanickingPayload),
            "/panic-elsewhere" => {
                thread::spawn(move || {
                    let _call = call;
                    panic!("a test of panics");
                });
            }
            "/background" => self.background.send(call).unwrap(),
            "/stream" => {
                let mut stream = call.stream();
                stream.send("1");
                stream.send(vec![b'2']);
                thread::spawn(move || {
                    stream.send(String::from("3"));
                    stream.end();
                });
            }
            "/stream-last" => call.stream().end_with("last"),
            "/stream-err" => broken_stream(call.stream(), |stream| stream.err("broken")),
            "/stream-unsupported" => broken_stream(call.stream(), |stream| {
                stream.fail(Failure::Unsupported, "no");
            }),
            "/stream-drop" => broken_stream(call.stream(), drop),
            "/stream-panic" => broken_stream(call.stream(), |_stream| panic!("a test of panics")),
            "/echo" => {
                let owned = req.to_owned();
                assert_eq!(owned.headers.len(), req.headers().len());
                assert_eq!(owned.header("HOST"), req.header("host"));
                let host = req.header("HOST").unwrap_or("nobody");
                assert_eq!(req.header("absent"), None);
                let body = String::from_utf8(owned.body).unwrap();
                let (method, path, query) = (owned.method, owned.path, owned.query);
                call.reply(format!("{method} {path}?{query} {host} {body}"));
            }
            "/state" => match state(&call) {
                Ok(text) => call.reply(text),
                Err(error) => call.err(error.to_string()),
            },
            "/state-stream" => {
                let mut stream = call.stream();
                for i in ["a", "b"] {
                    stream.state().set("last", i).unwrap();
                    stream.send(i);
                }
                let last = stream.state().get("last").unwrap().unwrap();
                stream.end_with(last);
            }
            "/host" => call.reply(format!(
                "{} {} {}",
                self.host.has_state(),
                self.host.offers(c"nylon.state/1"),
                self.host.offers(c"nylon.nonsense/1"),
            )),
            path => call.fail(Failure::Unsupported, path),
        }
    }
}

fn broken_stream(mut stream: StreamSender, end: impl FnOnce(StreamSender)) {
    stream.send("1");
    end(stream);
}

fn state(call: &Call) -> Result<String, Error> {
    let state = call.state();
    assert_eq!(state.get("key")?, None);
    state.set("key", "one")?;
    state.set("key", "two")?;
    state.set("empty", [])?;
    assert_eq!(state.get("empty")?, Some(Vec::new()));
    let refused = state.set("forbidden", "x").unwrap_err().to_string();
    let broken = state.get("broken").unwrap_err();
    assert!(matches!(broken, Error::StateUnreadable { .. }));
    let value = state.get("key")?.unwrap();
    Ok(format!("{}; {refused}", String::from_utf8(value).unwrap()))
}

struct PanickingPayload;

impl AsRef<[u8]> for PanickingPayload {
    fn as_ref(&self) -> &[u8] {
        panic!("a test of panics")
    }
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("a test of panics in what a panic carries")
    }
}

plugin! { Answers }

static DRIVER: LazyLock<Driver> = LazyLock::new(|| {
    let driver = Driver::new(nylon_ring_get_plugin_v1());
    // SAFETY: the plugin's own context, and an `NrHostApi` that is never freed.
    unsafe { nylon_ring_attach_host_v1(driver.info.plugin_ctx, driver.api()) };
    assert_eq!(driver.init(), OK);
    driver
});

#[test]
fn the_info_is_that_of_the_package_and_always_the_same() {
    let info = DRIVER.info;
    assert!(info.compatible(NR_ABI_VERSION));
    // SAFETY: a static text of the plugin.
    let name = unsafe { info.name.as_str() };
    assert_eq!(name, Ok("nylon-ring-sdk"));
    // SAFETY: a static text of the plugin.
    let version = unsafe { info.version.as_str() };
    assert_eq!(version, Ok(env!("CARGO_PKG_VERSION")));
    assert!(std::ptr::eq(info, nylon_ring_get_plugin_v1()));
    for (id, offered) in [(EXT_INSTANCE, true), (EXT_QUIESCE, true), (EXT_HEALTH, true), (EXT_STATE, false)] {
        // SAFETY: the plugin's own context, and an id that ends with NUL.
        let table = unsafe { nylon_ring_get_extension_v1(info.plugin_ctx, id.as_ptr()) };
        assert_eq!(!table.is_null(), offered, "{id:?}");
    }
}

#[test]
fn one_result_for_each_call() {
    let dropped = "the plugin dropped the call without ending it";
    let panicked = "the plugin panicked";
    for (path, status, text) in [
        ("/reply", OK, "here"),
        ("/empty", OK, ""),
        ("/err", ERR, "broken"),
        ("/invalid", INVALID, "nonsense"),
        ("/unknown", UNSUPPORTED, "/unknown"),
        ("/drop", ERR, dropped),
        ("/forgotten-branch", ERR, dropped),
        ("/panic", ERR, panicked),
        ("/panic-moved", ERR, panicked),
        ("/panic-that-panics", ERR, panicked),
        ("/panic-in-payload", ERR, panicked),
        ("/panic-elsewhere", ERR, panicked),
        ("/panic-after-reply", OK, "in time"),
        ("/panic-after-handing-over", OK, "from another thread"),
        ("/background", OK, "from another thread"),
        ("/stream-last", STREAM_END, "last"),
        ("/host", OK, "true true false"),
    ] {
        assert_eq!(DRIVER.call(path, 1), [sent(status, text)], "{path}");
    }
}

#[test]
fn the_sid_is_the_hosts() {
    let (sid, status) = DRIVER.request("/sid", &[], b"");
    assert_eq!(status, OK);
    assert_eq!(DRIVER.wait(sid, 1), [sent(OK, &sid.to_string())]);
}

#[test]
fn a_stream_has_its_frames_in_order_and_one_end() {
    let frames = ["1", "2", "3"].map(|text| sent(OK, text));
    let all = [&frames[..], &[sent(STREAM_END, "")]].concat();
    assert_eq!(DRIVER.call("/stream", 4), all);

    for (path, status, text) in [
        ("/stream-err", ERR, "broken"),
        ("/stream-unsupported", UNSUPPORTED, "no"),
        ("/stream-drop", ERR, "the plugin dropped the call without ending it"),
        ("/stream-panic", ERR, "the plugin panicked"),
    ] {
        let all = [sent(OK, "1"), sent(status, text)];
        assert_eq!(DRIVER.call(path, 2), all, "{path}");
    }
}

#[test]
fn the_request_arrives_whole() {
    let headers = [("accept", "*/*"), ("Host", "grüezi"), ("host", "second")]
        .map(|(key, value)| NrHeaderRef::new(key, value).unwrap());
    let (sid, status) = DRIVER.request("/echo", NrHeaderRef::as_nr(&headers), b"body");
    assert_eq!(status, OK);
    let all = [sent(OK, "GET /echo?a=1 grüezi body")];
    assert_eq!(DRIVER.wait(sid, 1), all);
}

#[test]
fn state_belongs_to_the_call() {
    for _ in 0..2 {
        let text = "two; the host refused to store the state: no such luck";
        assert_eq!(DRIVER.call("/state", 1), [sent(OK, text)]);
    }
    let all = [sent(OK, "a"), sent(OK, "b"), sent(STREAM_END, "b")];
    assert_eq!(DRIVER.call("/state-stream", 3), all);
}

#[test]
fn many_threads_at_once_get_one_answer_each() {
    let calls = if cfg!(miri) { 4 } else { 400 };
    let sids: Vec<u64> = thread::scope(|scope| {
        let threads = ["/reply", "/background", "/drop", "/panic"]
            .map(|path| scope.spawn(move || (0..calls).map(|_| DRIVER.request(path, &[], b"").0).collect()));
        let sids = threads.map(|thread| -> Vec<u64> { thread.join().unwrap() });
        sids.concat()
    });
    for sid in &sids {
        DRIVER.wait(*sid, 1);
    }
    DRIVER.call("/background", 1); // whatever the thread still had to send is there
    for sid in sids {
        assert_eq!(DRIVER.wait(sid, 1).len(), 1);
    }
}
