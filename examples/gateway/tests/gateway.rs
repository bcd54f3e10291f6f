//! The gateway on a port of its own, driven by real clients.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod client;

use std::time::Duration;

use client::{Client, get, post, whole};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use nylon_ring_gateway::{Config, Gateway, GatewayError};
use nylon_ring_host::RequestView;

/// How long a test may hang.
const LIMIT: Duration = Duration::from_secs(120);

fn config() -> Config {
    let plugin = nylon_ring_artifacts::c_plugin(&nylon_ring_artifacts::c_source("held"), &[]).unwrap();
    Config {
        plugin: Some(plugin),
        listen: ([127, 0, 0, 1], 0).into(),
        metrics: ([127, 0, 0, 1], 0).into(),
        workers: 2,
        streams: vec!["/stream".into(), "/broken".into(), "/nothing-streamed".into()],
        body_limit: 100_000,
        timeout: LIMIT,
        grace: LIMIT,
        one_listener: false,
    }
}

/// Asks the plugin, past the gateway.
async fn ask(gateway: &Gateway, path: &str) -> String {
    let (_, text) = gateway.host().call_view(RequestView { path, ..Default::default() }).await.unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

async fn until(condition: impl Fn() -> bool) {
    tokio::time::timeout(LIMIT, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("what the test waits for has not come");
}

/// On a thread of its own: joining blocks.
async fn join(gateway: Gateway) -> Result<(), GatewayError> {
    tokio::task::spawn_blocking(|| gateway.join()).await.unwrap()
}

#[tokio::test]
async fn a_request_reaches_the_plugin_and_its_answer_the_client() {
    for one_listener in [false, true] {
        let gateway = Gateway::start(Config { one_listener, ..config() }).unwrap();
        let mut client = Client::connect(gateway.address()).await;
        let request = Request::put("/request?a=1&b").header("Host", "here").header("X-Test", "yes");
        let response = client.send(request.body(whole("a body")).unwrap()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(
            client::text(response).await,
            "PUT /request?a=1&b\nhost: here\nx-test: yes\ncontent-length: 6\n\na body"
        );
        // The connection is kept alive; bodies may be as large as the limit, with or without a length.
        let large = "x".repeat(100_000);
        assert_eq!(client::text(client.send(post("/echo", whole(&large))).await).await, large);
        assert_eq!(client::text(client.send(post("/echo", client::chunks(&large, 777))).await).await, large);
        join(gateway).await.unwrap();
    }
}

#[tokio::test]
async fn frames_come_as_they_are_sent() {
    let gateway = Gateway::start(config()).unwrap();
    let mut client = Client::connect(gateway.address()).await;
    let mut response = client.send(get("/stream")).await;
    assert_eq!(
        (response.status(), &response.headers()["transfer-encoding"]),
        (StatusCode::OK, &"chunked".parse().unwrap())
    );
    let first = response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "first");
    assert_eq!(ask(&gateway, "/release").await, "1");
    assert_eq!(client::text(response).await, "last");
    assert_eq!(client::text(client.send(get("/echo")).await).await, "", "the connection goes on");
    join(gateway).await.unwrap();
}

#[tokio::test]
async fn a_stream_that_breaks_is_cut_short() {
    let gateway = Gateway::start(config()).unwrap();
    let mut response = Client::connect(gateway.address()).await.send(get("/broken")).await;
    assert_eq!(response.status(), 200, "its first frame was good");
    assert_eq!(response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    let end = response.body_mut().frame().await;
    assert!(matches!(end, Some(Err(_))), "an end as if all were well: {end:?}");
    join(gateway).await.unwrap();
}

#[tokio::test]
async fn a_client_that_hangs_up_reaches_the_plugin() {
    let gateway = Gateway::start(config()).unwrap();
    for (count, path) in [(1, "/hold"), (2, "/stream")] {
        let mut client = Client::connect(gateway.address()).await;
        let mut response = Box::pin(client.start(get(path)));
        tokio::select! {
            response = &mut response => assert_eq!(response.unwrap().status(), 200, "the stream has begun"),
            () = until(|| gateway.host().metrics().in_flight == 1) => {}
        }
        assert_eq!(gateway.host().metrics().cancelled, count - 1);
        drop(response);
        client.hang_up();
        until(|| gateway.host().metrics().cancelled == count).await;
        assert_eq!(ask(&gateway, "/cancelled").await, count.to_string());
    }
    assert_eq!(ask(&gateway, "/release").await, "2");
    join(gateway).await.unwrap();
}

#[tokio::test]
async fn a_body_that_is_too_large_never_reaches_the_plugin() {
    let gateway = Gateway::start(config()).unwrap();
    let large = "x".repeat(100_001);
    for body in [whole(&large), client::chunks(&large, 777)] {
        let mut client = Client::connect(gateway.address()).await;
        assert_eq!(client.send(post("/echo", body)).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
    assert_eq!(gateway.host().metrics().opened, 0);
    join(gateway).await.unwrap();
}

#[tokio::test]
async fn a_plugins_status_becomes_one_of_http() {
    let gateway = Gateway::start(config()).unwrap();
    let mut client = Client::connect(gateway.address()).await;
    for (digit, expected) in [("0", 200), ("1", 500), ("2", 400), ("3", 404), ("4", 200), ("7", 400)] {
        let response = client.send(post("/status", whole(digit))).await;
        assert_eq!(response.status().as_u16(), expected, "{digit}");
        let text = client::text(response).await;
        assert!(text == "a text" || digit == "7" && text.contains("refused"), "{text}");
    }
    for path in ["/nothing", "/nothing-streamed"] {
        let response = client.send(get(path)).await;
        assert_eq!(response.status(), 404, "{path}");
        assert_eq!(client::text(response).await, "no such path");
    }
    join(gateway).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_timeout() {
    // As one result, and as a stream without a first frame.
    for streams in [vec![], vec!["/hold".to_owned()]] {
        let gateway = Gateway::start(Config { timeout: Duration::from_millis(100), streams, ..config() }).unwrap();
        let mut client = Client::connect(gateway.address()).await;
        assert_eq!(client.send(get("/hold")).await.status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!((gateway.host().metrics().cancelled, gateway.host().metrics().in_flight), (1, 0));
        join(gateway).await.unwrap();
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_a_timeout() {
    let gateway = Gateway::start(Config { timeout: Duration::from_millis(100), ..config() }).unwrap();
    let never = BodyExt::boxed(StreamBody::new(futures::stream::pending()));
    let response = Client::connect(gateway.address()).await.send(post("/echo", never)).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(gateway.host().metrics().opened, 0);
    join(gateway).await.unwrap();
}

#[tokio::test]
async fn what_is_under_way_is_answered_before_the_end() {
    let gateway = Gateway::start(config()).unwrap();
    let address = gateway.address();
    let requests: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn(async move {
                let response = Client::connect(address).await.send(get("/hold")).await;
                (response.status(), client::text(response).await)
            })
        })
        .collect();
    until(|| gateway.host().metrics().in_flight == 20).await;
    let host = gateway.host().clone();
    gateway.stop();
    let end = tokio::spawn(join(gateway));
    until(|| std::net::TcpStream::connect(address).is_err()).await;
    assert!(!end.is_finished(), "twenty requests are under way");
    let release = RequestView { path: "/release", ..Default::default() };
    assert_eq!(host.call_view(release).await.unwrap().1, b"20");
    for request in requests {
        assert_eq!(request.await.unwrap(), (StatusCode::OK, "held".into()));
    }
    end.await.unwrap().unwrap();
}

#[tokio::test]
async fn no_answer_is_lost_when_it_stops_under_load() {
    // The example plugin answers from a thread of its own, and some calls take it two seconds: some are always under way.
    let gateway = Gateway::start(Config { plugin: None, ..config() }).unwrap();
    let host = gateway.host().clone();
    let address = gateway.address();
    let clients: Vec<_> = (0..16)
        .map(|i| {
            let path = if i % 4 == 0 { "/hello" } else { "/hello?fast=1" };
            tokio::spawn(async move {
                let (mut client, mut answers) = (Client::connect(address).await, 0);
                while let Ok(response) = client.start(get(path)).await {
                    assert_eq!(
                        (response.status(), client::text(response).await),
                        (StatusCode::OK, "OK: GET /hello".into())
                    );
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    until(|| host.metrics().opened > 500).await;
    join(gateway).await.unwrap();
    let mut answers = 0;
    for client in clients {
        answers += client.await.unwrap();
    }
    assert_eq!(answers, host.metrics().opened);
}

#[tokio::test]
async fn requests_that_outlast_the_grace_are_an_error() {
    let gateway = Gateway::start(Config { grace: Duration::from_millis(50), ..config() }).unwrap();
    let mut client = Client::connect(gateway.address()).await;
    let request = tokio::spawn(async move { client.start(get("/hold")).await.is_err() });
    until(|| gateway.host().metrics().in_flight == 1).await;
    assert!(matches!(join(gateway).await, Err(GatewayError::Grace(_))));
    assert!(request.await.unwrap(), "the connection was cut");
}

#[tokio::test]
async fn metrics_are_the_same_series_whatever_clients_ask() {
    let gateway = Gateway::start(config()).unwrap();
    let mut scraper = Client::connect(gateway.metrics_address()).await;
    let before = client::text(scraper.send(get("/metrics")).await).await;
    let mut client = Client::connect(gateway.address()).await;
    for i in 0..50 {
        let response = client.send(get(&format!("/nothing/{i}?q={i}"))).await;
        client::text(response).await;
    }
    let after = client::text(scraper.send(get("/metrics")).await).await;
    let series = |text: &str| text.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(series(&before), series(&after));
    for line in ["gateway_responses_total{code=\"404\"} 50", "nylon_ring_opened_total 50", "nylon_ring_in_flight 0"] {
        assert!(after.lines().any(|l| l == line), "{line} is not in {after}");
    }
    assert_eq!(scraper.send(get("/else")).await.status(), StatusCode::NOT_FOUND);
    join(gateway).await.unwrap();
}

#[test]
fn a_port_that_is_taken_is_an_error_in_words() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let error = Gateway::start(Config { listen: taken.local_addr().unwrap(), ..config() }).unwrap_err();
    assert!(error.to_string().contains("--listen"), "{error}");
}
