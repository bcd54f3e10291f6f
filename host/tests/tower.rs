//! Each of tower's layers in front of a plugin.

#![allow(clippy::unwrap_used, reason = "tests")]

mod held;

use std::time::Duration;

use futures::future::{Ready, join_all, ready};
use held::{held, view};
use nylon_ring_host::{HighLevelRequest, HttpService, NrStatus, NylonRingHost, NylonRingHostError, PluginService};
use tower::{
    Service, ServiceBuilder, ServiceExt, load_shed::error::Overloaded, retry::Policy, timeout::error::Elapsed,
};

type Outcome = Result<(NrStatus, Vec<u8>), NylonRingHostError>;

/// Longer than any test takes.
const HOUR: Duration = Duration::from_secs(3600);

fn request(path: &str) -> HighLevelRequest {
    HighLevelRequest { method: "GET".into(), path: path.into(), ..Default::default() }
}

async fn release(host: &NylonRingHost) -> usize {
    let (_, count) = host.call_view(view("/release", b"")).await.unwrap();
    str::from_utf8(&count).unwrap().parse().unwrap()
}

/// Waits until `count` calls are held.
async fn in_flight(host: &NylonRingHost, count: u64) {
    while host.metrics().in_flight != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_bare_service_answers() {
    let mut service = PluginService::new(held());
    let (status, payload) = service.ready().await.unwrap().call(request("/third")).await.unwrap();
    assert_eq!((status, &payload[..]), (NrStatus::Err, &b"not yet"[..]));
}

#[tokio::test]
async fn http_requests_are_answered_with_http_responses() {
    let service = HttpService::new(held());
    let echo = http::Request::post("/echo").body(vec![1, 2, 3]).unwrap();
    let response = service.clone().oneshot(echo).await.unwrap();
    assert_eq!((response.status().as_u16(), &response.body()[..]), (200, &[1, 2, 3][..]));
    let nothing = http::Request::get("/nothing").body("").unwrap();
    assert_eq!(service.oneshot(nothing).await.unwrap().status().as_u16(), 404);
}

#[tokio::test]
async fn timeout_gives_the_call_up() {
    let host = held();
    let mut service =
        ServiceBuilder::new().timeout(Duration::from_millis(20)).service(PluginService::new(host.clone()));
    let error = service.ready().await.unwrap().call(request("/hold")).await.unwrap_err();
    assert!(error.is::<Elapsed>(), "{error}");
    assert_eq!((host.metrics().cancelled, host.metrics().in_flight), (1, 0));
    assert_eq!(release(&host).await, 1);
    assert_eq!(service.ready().await.unwrap().call(request("/echo")).await.unwrap().0, NrStatus::Ok);
}

#[derive(Clone)]
struct UntilOk;

impl Policy<HighLevelRequest, (NrStatus, Vec<u8>), NylonRingHostError> for UntilOk {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut HighLevelRequest, outcome: &mut Outcome) -> Option<Ready<()>> {
        matches!(outcome, Ok((NrStatus::Err, _))).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &HighLevelRequest) -> Option<HighLevelRequest> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn retry_calls_again() {
    let host = held();
    let mut service = ServiceBuilder::new().retry(UntilOk).service(PluginService::new(host.clone()));
    let (status, payload) = service.ready().await.unwrap().call(request("/third")).await.unwrap();
    assert_eq!((status, &payload[..]), (NrStatus::Ok, &b"third"[..]));
    assert_eq!(host.metrics().opened, 3);
}

#[tokio::test]
async fn concurrency_limit_lets_the_others_wait() {
    let host = held();
    let service = ServiceBuilder::new().concurrency_limit(2).service(PluginService::new(host.clone()));
    let calls = join_all((0..6).map(|_| tokio::spawn(service.clone().oneshot(request("/hold")))));
    for round in 0..3 {
        // Two more calls for each round, and one release for each before it; and then no more, however long one waits.
        let opened = 2 * (round + 1) + round;
        while host.metrics().opened < opened {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(host.metrics().opened, opened);
        assert_eq!(release(&host).await, 2);
    }
    for call in calls.await {
        assert_eq!(call.unwrap().unwrap().0, NrStatus::Ok);
    }
}

#[tokio::test]
async fn load_shed_refuses_what_the_limit_does_not_take() {
    let host = held();
    let service = ServiceBuilder::new().load_shed().concurrency_limit(1).service(PluginService::new(host.clone()));
    let call = tokio::spawn(service.clone().oneshot(request("/hold")));
    in_flight(&host, 1).await;
    let error = service.clone().oneshot(request("/echo")).await.unwrap_err();
    assert!(error.is::<Overloaded>(), "{error}");
    assert_eq!(release(&host).await, 1);
    assert_eq!(call.await.unwrap().unwrap().0, NrStatus::Ok);
    assert_eq!(service.oneshot(request("/echo")).await.unwrap().0, NrStatus::Ok);
}

#[tokio::test]
async fn rate_limit_counts_calls() {
    let host = held();
    let mut service = ServiceBuilder::new().load_shed().rate_limit(2, HOUR).service(PluginService::new(host.clone()));
    for _ in 0..2 {
        assert_eq!(service.ready().await.unwrap().call(request("/echo")).await.unwrap().0, NrStatus::Ok);
    }
    let error = service.ready().await.unwrap().call(request("/echo")).await.unwrap_err();
    assert!(error.is::<Overloaded>(), "{error}");
    assert_eq!(host.metrics().opened, 2);
}
