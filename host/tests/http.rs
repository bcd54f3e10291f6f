//! Requests and responses of the `http` crate, through a plugin that shows what it got.

#![allow(clippy::unwrap_used, reason = "tests")]

mod held;

use bytes::Bytes;
use held::{held, view};
use http::{HeaderValue, Request, StatusCode};
use nylon_ring_host::{
    HighLevelRequest, HttpView, NrStatus, NylonRingHostError, RequestView, http_response, http_status,
};

const SHOWN: &str = "POST /a%20b?q=1&r=%3F\nhost: example.com:8080\nx-two: 1\nx-two: zwei €\n\nbody";

fn request<B>(body: B) -> Request<B> {
    Request::post("http://me:secret@example.com:8080/a%20b?q=1&r=%3F")
        .header("X-Two", "1")
        .header("x-two", HeaderValue::from_bytes("zwei €".as_bytes()).unwrap())
        .body(body)
        .unwrap()
}

#[tokio::test]
async fn a_plugin_sees_all_parts_of_a_request() {
    let host = held();
    let shown = SHOWN.replace("/a%20b", "/request");
    let mut borrowed = request("body");
    *borrowed.uri_mut() = "http://me:secret@example.com:8080/request?q=1&r=%3F".parse().unwrap();
    let (status, payload) = host.call_view(HttpView::new(&borrowed).unwrap().view()).await.unwrap();
    assert_eq!((status, str::from_utf8(&payload).unwrap()), (NrStatus::Ok, shown.as_str()));

    let owned = HighLevelRequest::try_from(borrowed.map(Bytes::from)).unwrap();
    let (status, payload) = host.call(owned).await.unwrap();
    assert_eq!((status, String::from_utf8(payload).unwrap()), (NrStatus::Ok, shown));
}

#[test]
fn both_forms_are_the_same() {
    let request = request("body");
    let view = HttpView::new(&request).unwrap();
    let RequestView { method, path, query, headers, body } = view.view();
    let owned = HighLevelRequest::try_from(request.clone()).unwrap();
    assert_eq!((method, path, query, body), ("POST", "/a%20b", "q=1&r=%3F", &b"body"[..]));
    assert_eq!(headers, [("host", "example.com:8080"), ("x-two", "1"), ("x-two", "zwei €")]);
    assert_eq!((owned.method.as_str(), owned.path.as_str(), owned.query.as_str()), (method, path, query));
    assert!(owned.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).eq(headers.iter().copied()));
    assert_eq!(owned.body, body);
}

#[test]
fn a_request_comes_back_as_it_was() {
    let owned = HighLevelRequest::try_from(request("body")).unwrap();
    let http = Request::<Vec<u8>>::try_from(owned.clone()).unwrap();
    assert_eq!(http.uri(), "/a%20b?q=1&r=%3F");
    assert_eq!(HighLevelRequest::try_from(http).unwrap(), owned);
}

#[test]
fn a_host_header_is_left_as_it_is() {
    let request = Request::get("http://authority/").header("host", "header").body("").unwrap();
    assert_eq!(HttpView::new(&request).unwrap().view().headers, [("host", "header")]);
}

#[test]
fn what_one_side_cannot_say_is_an_error() {
    let latin = Request::get("/").header("x", HeaderValue::from_bytes(b"\xe4").unwrap()).body("").unwrap();
    let error = HttpView::new(&latin).unwrap_err();
    assert!(matches!(&error, NylonRingHostError::HeaderNotText { name } if name == "x"), "{error}");
    assert_eq!(error.http_status(), StatusCode::BAD_REQUEST);

    let good = HighLevelRequest { method: "GET".into(), path: "/".into(), ..Default::default() };
    assert!(Request::try_from(good.clone()).is_ok());
    for bad in [
        HighLevelRequest { method: "G T".into(), ..good.clone() },
        HighLevelRequest { path: "/a b".into(), ..good.clone() },
        HighLevelRequest { path: "host".into(), ..good.clone() },
        HighLevelRequest { path: "/a?b".into(), ..good.clone() },
        HighLevelRequest { path: "/a#b".into(), ..good.clone() },
        HighLevelRequest { query: "a#b".into(), ..good.clone() },
        HighLevelRequest { headers: vec![("k".into(), "a\nb".into())], ..good },
    ] {
        let error = Request::try_from(bad).unwrap_err();
        assert!(matches!(error, NylonRingHostError::NotHttp { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_plugins_status_becomes_one_of_http() {
    let host = held();
    for (digit, expected) in [("0", 200), ("1", 500), ("2", 400), ("3", 404), ("4", 200), ("5", 500)] {
        let (status, payload) = host.call_view(view("/status", digit.as_bytes())).await.unwrap();
        let response = http_response(status, payload);
        assert_eq!((response.status().as_u16(), response.status()), (expected, http_status(status)), "{digit}");
        assert_eq!(response.body(), b"a text");
    }
    let refused = host.call_view(view("/status", b"7")).await.unwrap_err();
    assert_eq!(refused.http_status(), StatusCode::BAD_REQUEST, "{refused}");
}

#[test]
fn a_hosts_error_becomes_a_status_of_http() {
    use NylonRingHostError as E;
    for (error, expected) in [
        (E::Timeout, 504),
        (E::TooManyInFlight { limit: 1 }, 503),
        (E::ShuttingDown, 503),
        (E::Closed, 503),
        (E::TooLarge { what: "path", len: 1, limit: 0 }, 431),
        (E::Refused { status: NrStatus::Unsupported }, 404),
        (E::Refused { status: NrStatus::StreamEnd }, 500),
        (E::Refused { status: NrStatus::Err }, 500),
        (E::Overflow { limit: 1 }, 500),
    ] {
        assert_eq!(error.http_status().as_u16(), expected, "{error}");
    }
}
