//! What a plugin makes of the host's extensions, and what it offers itself; with a host that has all of them and one that
//! has none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::Duration,
};

use nylon_ring_sdk::{
    Call, Error, Failure, Host, Level, NrStatus, Plugin, Request, StreamSender, Watch,
    testing::{LogLine, MockHost, MockRequest, Reply},
};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    greeting: String,
    #[serde(default)]
    dropped: bool,
}

/// Tells of its end.
struct Guard(Option<&'static AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_add(1, Relaxed);
        }
    }
}

static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct All {
    settings: Settings,
    host: Host,
    kept: Mutex<Vec<Call>>,
    events: Arc<Mutex<Vec<String>>>,
    sick: Mutex<Option<String>>,
    _guard: Guard,
}

impl Plugin for All {
    type Config = Settings;

    fn new(settings: Settings, host: &Host) -> Result<Self, Error> {
        host.log(Level::Info, "all", "started");
        let guard = Guard(settings.dropped.then_some(&DROPPED));
        let (kept, events, sick) = (Mutex::default(), Arc::default(), Mutex::default());
        Ok(Self { settings, host: host.clone(), kept, events, sick, _guard: guard })
    }

    fn call(&self, req: Request<'_>, call: Call) {
        match req.path() {
            "/greeting" => call.reply(&self.settings.greeting),
            "/keep" => self.kept.lock().unwrap().push(call),
            "/answer" => {
                let kept = self.kept.lock().unwrap().pop().unwrap();
                kept.reply("kept");
                call.reply("");
            }
            "/resume" => {
                let events = Arc::clone(&self.events);
                let kept = self.kept.lock().unwrap().pop().unwrap();
                kept.stream().when_writable(move |stream| {
                    events.lock().unwrap().push("resumed".to_owned());
                    stream.end();
                });
                call.reply("");
            }
            "/watch-cancel" => {
                let events = Arc::clone(&self.events);
                let watch = call.on_cancel(move |event| events.lock().unwrap().push(format!("{event:?}")));
                self.events.lock().unwrap().push(format!("{watch:?}"));
                self.kept.lock().unwrap().push(call);
            }
            "/is-cancelled" => {
                let kept = self.kept.lock().unwrap();
                let all: Vec<_> = kept.iter().map(Call::is_cancelled).collect();
                call.reply(format!("{all:?}"));
            }
            "/events" => {
                let events = self.events.lock().unwrap().join(" ");
                call.reply(events);
            }
            "/deadline" => {
                let text = match (call.remaining(), call.deadline()) {
                    (None, None) => "none",
                    (Some(Duration::ZERO), Some(_)) => "over",
                    (Some(left), Some(_)) if left <= Duration::from_secs(3600) => "within the hour",
                    _ => "nonsense",
                };
                call.reply(text);
            }
            "/log" => {
                assert_eq!(self.host.logs(Level::Debug), self.host.offers(c"nylon.log/1"));
                call.log(Level::Warn, "all::call", "of the call");
                self.host.log(Level::Trace, "all", "too small");
                call.reply(self.host.log(Level::Error, "all", "of nobody").to_string());
            }
            "/buffer" => {
                let mut buffer = call.buffer(8);
                assert_eq!(&buffer[..], [0; 8]);
                buffer[..5].copy_from_slice(b"hello");
                buffer.commit(5);
            }
            "/buffer-too-much" => call.buffer(2).commit(9),
            "/buffer-none" => call.buffer(0).commit(0),
            "/buffer-dropped" => drop(call.buffer(8)),
            "/buffer-back" => call.buffer(8).into_call().reply("without"),
            "/frames" => {
                let mut stream = call.stream();
                let mut buffer = stream.buffer(1);
                buffer[0] = b'1';
                buffer.commit(1);
                drop(stream.buffer(100));
                stream.end();
            }
            "/credits" => {
                let mut stream = call.stream();
                let before = stream.credits();
                stream.send("");
                let after = stream.credits();
                stream.end_with(format!("{before} {after}"));
            }
            "/fill" => fill(call.stream(), 0),
            "/fill-or-fail" => match fill_once(call.stream(), 0) {
                Ok((stream, i)) => stream.end_with(i.to_string()),
                Err((stream, i, error)) => stream.fail(Failure::Invalid, format!("{i}: {error}")),
            },
            "/on-writable" => {
                let (stream, _, error) = fill_once(call.stream(), 0).unwrap_err();
                assert!(matches!(error, Error::WindowFull));
                let events = Arc::clone(&self.events);
                let watch = stream.on_writable(move |event| events.lock().unwrap().push(format!("{event:?}")));
                assert_eq!(watch, Watch::Registered);
                stream.end();
            }
            "/sick" => {
                *self.sick.lock().unwrap() = Some("a headache".to_owned());
                call.reply("");
            }
            path => call.fail(Failure::Unsupported, path),
        }
    }

    fn health(&self) -> Result<(), String> {
        self.sick.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

/// Sends ten numbered frames as far as there is room.
fn fill_once(mut stream: StreamSender, from: u32) -> Result<(StreamSender, u32), (StreamSender, u32, Error)> {
    for i in from..10 {
        if let Err(error) = stream.try_send(i.to_string()) {
            return Err((stream, i, error));
        }
    }
    Ok((stream, 10))
}

/// The same, to the end.
fn fill(stream: StreamSender, from: u32) {
    match fill_once(stream, from) {
        Ok((stream, _)) => stream.end(),
        Err((stream, i, Error::WindowFull)) => stream.when_writable(move |stream| fill(stream, i)),
        Err((stream, _, error)) => stream.err(error.to_string()),
    }
}

fn text(host: &MockHost<All>, path: &str) -> String {
    let reply = host.call(path).wait().unwrap();
    assert_eq!(reply.status, NrStatus::Ok, "{path}");
    reply.text().into_owned()
}

fn frame(status: NrStatus, text: impl ToString) -> Reply {
    Reply { status, payload: text.to_string().into_bytes() }
}

#[test]
fn a_configuration_is_read_or_refused_with_a_reason() {
    let host = MockHost::<All>::builder().config(r#"{ "greeting": "hi" }"#).start().unwrap();
    assert_eq!(text(&host, "/greeting"), "hi");
    assert_eq!(text(&MockHost::start().unwrap(), "/greeting"), "");
    assert_eq!(text(&MockHost::builder().bare().start().unwrap(), "/greeting"), "");

    for (config, reason) in
        [("{", "EOF while parsing"), ("[1]", "invalid type"), (r#"{ "hi": 1 }"#, "unknown field `hi`")]
    {
        let error = MockHost::<All>::builder().config(config).start().unwrap_err().to_string();
        assert!(error.contains("the plugin's configuration cannot be used"), "{error}");
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn a_plugin_without_a_configuration_says_so() {
    struct Bare;
    impl Plugin for Bare {
        type Config = ();
        fn new(_config: (), _host: &Host) -> Result<Self, Error> {
            Ok(Self)
        }
        fn call(&self, _req: Request<'_>, call: Call) {
            call.reply("");
        }
    }
    assert!(MockHost::<Bare>::start().is_ok());
    assert!(MockHost::<Bare>::builder().config(" \n").start().is_ok());
    let error = MockHost::<Bare>::builder().config("{}").start().unwrap_err();
    assert!(matches!(error, Error::NotStarted { status: 1, .. }), "{error}");
}

#[test]
fn what_is_logged_says_of_which_call() {
    let host = MockHost::<All>::builder().log_level(Level::Debug).start().unwrap();
    let call = host.call("/log");
    assert_eq!(call.wait().unwrap().text(), "true");
    let line = |sid, level, target: &str, message: &str| {
        let (target, message) = (target.to_owned(), message.to_owned());
        LogLine { sid, level, target, message }
    };
    let all = [
        line(None, Level::Info, "all", "started"),
        line(Some(call.sid()), Level::Warn, "all::call", "of the call"),
        line(None, Level::Error, "all", "of nobody"),
    ];
    assert_eq!(host.logs(), all);

    let host = MockHost::<All>::builder().without(c"nylon.log/1").start().unwrap();
    assert_eq!(text(&host, "/log"), "false");
}

#[test]
fn a_caller_that_gives_up_is_heard_of() {
    let host = MockHost::<All>::start().unwrap();
    let calls = [host.call("/watch-cancel"), host.call("/watch-cancel"), host.call("/keep")];
    assert_eq!(text(&host, "/is-cancelled"), "[false, false, false]");
    calls[1].cancel();
    calls[2].cancel();
    assert_eq!(text(&host, "/is-cancelled"), "[false, true, true]");
    assert_eq!(text(&host, "/events"), "Registered Registered Cancelled");
    text(&host, "/answer");
    text(&host, "/answer");
    text(&host, "/answer");
    assert_eq!(text(&host, "/events"), "Registered Registered Cancelled Over");
    assert_eq!(calls[0].wait().unwrap(), frame(NrStatus::Ok, "kept"));
    assert!(matches!(calls[1].wait(), Err(Error::Closed)));

    let host = MockHost::<All>::builder().bare().start().unwrap();
    let call = host.call("/watch-cancel");
    call.cancel();
    assert_eq!(text(&host, "/is-cancelled"), "[false]");
    assert_eq!(text(&host, "/events"), "Unsupported");
}

#[test]
fn a_deadline_is_known() {
    let host = MockHost::<All>::start().unwrap();
    let within = |wait| host.call(MockRequest::get("/deadline").deadline(wait)).wait().unwrap();
    assert_eq!(text(&host, "/deadline"), "none");
    assert_eq!(within(Duration::from_secs(3600)).text(), "within the hour");
    assert_eq!(within(Duration::ZERO).text(), "over");
    let host = MockHost::<All>::builder().bare().start().unwrap();
    let call = host.call(MockRequest::get("/deadline").deadline(Duration::ZERO));
    assert_eq!(call.wait().unwrap().text(), "none");
}

#[test]
fn results_are_written_in_place_or_copied() {
    for builder in
        [MockHost::<All>::builder(), MockHost::builder().bare(), MockHost::builder().without(c"nylon.buffer/1")]
    {
        let host = builder.start().unwrap();
        assert_eq!(text(&host, "/buffer"), "hello");
        assert_eq!(text(&host, "/buffer-too-much"), "\0\0");
        assert_eq!(text(&host, "/buffer-none"), "");
        assert_eq!(text(&host, "/buffer-back"), "without");
        let dropped = host.call("/buffer-dropped");
        assert_eq!(dropped.wait().unwrap().status, NrStatus::Err);
        let frames = host.stream("/frames").collect().unwrap();
        assert_eq!(frames, [frame(NrStatus::Ok, "1"), frame(NrStatus::StreamEnd, "")]);
        assert_eq!(host.buffers_lent(), 0, "each is given back");
    }
}

#[test]
fn a_full_window_refuses_frames_until_there_is_room() {
    let host = MockHost::<All>::builder().window(4).start().unwrap();
    let full = host.stream("/fill-or-fail").collect().unwrap();
    assert_eq!(full.len(), 5);
    assert_eq!(full[4], frame(NrStatus::Invalid, "4: the stream's window is full"));

    let stream = host.stream("/fill");
    let mut all: Vec<_> = (0..10).map(|i| frame(NrStatus::Ok, i)).collect();
    all.push(frame(NrStatus::StreamEnd, ""));
    assert_eq!(stream.collect().unwrap(), all);

    let credits = host.stream("/credits").collect().unwrap();
    assert_eq!(credits[1], frame(NrStatus::StreamEnd, "4 3"));
    host.stream("/on-writable").collect().unwrap();
    assert_eq!(text(&host, "/events"), "Over");
}

#[test]
fn a_stream_that_is_given_up_ends() {
    let host = MockHost::<All>::builder().window(4).start().unwrap();
    let stream = host.stream("/fill");
    stream.cancel(); // the plugin goes on at once, finds the call closed, and ends it
    assert_eq!(stream.next().unwrap(), None);
    assert_eq!(stream.late(), 0);
    host.shutdown();
    assert!(host.is_quiescent());
}

#[test]
fn a_stream_is_resumed_at_once_where_there_is_nothing_to_wait_for() {
    let (whole, bare) = (MockHost::<All>::start().unwrap(), MockHost::<All>::builder().bare().start().unwrap());
    for (host, cancelled) in [(&whole, false), (&whole, true), (&bare, false)] {
        let call = host.call("/keep");
        if cancelled {
            call.cancel();
        }
        text(host, "/resume");
    }
    assert_eq!(text(&whole, "/events"), "resumed resumed");
    assert_eq!(text(&bare, "/events"), "resumed");
}

#[test]
fn without_windows_all_frames_are_sent() {
    let host = MockHost::<All>::builder().window(4).bare().start().unwrap();
    assert_eq!(host.stream("/fill").collect().unwrap().len(), 11);
    let credits = host.stream("/credits").collect().unwrap();
    assert_eq!(credits[1], frame(NrStatus::StreamEnd, format!("{0} {0}", u64::MAX)));
}

#[test]
fn health_is_what_the_plugin_says() {
    let host = MockHost::<All>::start().unwrap();
    assert_eq!(host.health(), Ok(()));
    text(&host, "/sick");
    assert_eq!(host.health(), Err("a headache".to_owned()));
    host.shutdown();
    assert_eq!(host.health(), Err("the plugin does not run".to_owned()));
}

#[test]
fn instances_share_nothing() {
    let configured = |greeting: &str| {
        let config = format!(r#"{{ "greeting": "{greeting}" }}"#);
        MockHost::<All>::builder().config(config).start().unwrap()
    };
    let (one, two) = (configured("one"), configured("two"));
    assert_eq!((text(&one, "/greeting"), text(&two, "/greeting")), ("one".into(), "two".into()));
    one.shutdown();
    assert!(matches!(one.call("/greeting").wait(), Err(Error::Refused { status: 2 })));
    drop(one);
    assert_eq!(text(&two, "/greeting"), "two");
}

#[test]
fn the_value_is_dropped_when_the_host_asks_whether_it_is_quiescent() {
    let host = MockHost::<All>::builder().config(r#"{ "dropped": true }"#).start().unwrap();
    assert!(!host.is_quiescent(), "it runs");
    let before = DROPPED.load(Relaxed);
    let call = host.call("/keep");
    host.shutdown();
    assert_eq!(DROPPED.load(Relaxed), before, "a thread of the host might still use it");
    assert!(host.is_quiescent(), "the call that the value kept is dropped with it");
    assert_eq!(DROPPED.load(Relaxed), before + 1);
    assert_eq!(call.wait().unwrap().status, NrStatus::Err);
    assert!(host.is_quiescent(), "once so, always so");
    drop(host);
    assert_eq!(DROPPED.load(Relaxed), before + 1);
}

/// Hands its calls and its host to the test.
struct Exports(Mutex<mpsc::Sender<(Call, Host)>>, Host);

static EXPORTS: Mutex<Option<mpsc::Sender<(Call, Host)>>> = Mutex::new(None);

impl Plugin for Exports {
    type Config = ();

    fn new(_config: (), host: &Host) -> Result<Self, Error> {
        let sender = EXPORTS.lock().unwrap().clone().unwrap();
        Ok(Self(Mutex::new(sender), host.clone()))
    }

    fn call(&self, _req: Request<'_>, call: Call) {
        self.0.lock().unwrap().send((call, self.1.clone())).unwrap();
    }
}

#[test]
fn calls_and_hosts_are_counted_wherever_they_end() {
    let (sender, exported) = mpsc::channel();
    *EXPORTS.lock().unwrap() = Some(sender);
    let host = MockHost::<Exports>::start().unwrap();
    for _ in 0..3 {
        drop(host.call("/"));
    }
    let (first, lease) = exported.recv().unwrap();
    let (second, _) = exported.recv().unwrap();
    let (third, _) = exported.recv().unwrap();
    host.shutdown();
    assert!(!host.is_quiescent(), "three calls are open");
    first.reply("here");
    thread::spawn(move || second.reply("there")).join().unwrap();
    assert!(!host.is_quiescent(), "one call is open");
    drop(third.stream());
    assert!(!host.is_quiescent(), "a clone of the host is left");
    drop(lease);
    assert!(host.is_quiescent());
    assert!(host.is_quiescent(), "once so, always so");
}
