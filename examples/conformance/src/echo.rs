//! The plugin that answers inside `handle`.

use std::{fmt::Write as _, path::Path, thread};

use futures::{executor::block_on, future::join_all};
use nylon_ring_host::{NrStatus, NylonRingHost, RequestView};

use crate::rig::Rig;

const CONFIG: &[u8] = b"{\"any\": \"bytes\"} \0\xff";

/// Checks a language's echo plugin.
///
/// # Panics
/// A check failed.
pub fn echo(plugin: &Path) {
    let rig = Rig::load(plugin, NylonRingHost::builder().config(CONFIG));
    rig.check("a request comes back", comes_back);
    rig.check("odd requests come back", odd_requests);
    rig.check("each status arrives", statuses);
    rig.check("a handler that breaks answers Err", broken_handlers);
    rig.check("state is kept for one call", state);
    rig.check("the configuration arrives", config);
    rig.check("64 calls at once", many_at_once);
    rig.check("calls from four threads", from_four_threads);
    rig.close();
}

/// What the plugin has to make of a request.
fn echoed(request: &RequestView<'_>) -> Vec<u8> {
    let RequestView { method, path, query, headers, body } = *request;
    let mut text = format!("{method} {path}?{query}\n");
    for (key, value) in headers {
        writeln!(text, "{key}: {value}").unwrap();
    }
    text.push('\n');
    [text.as_bytes(), body].concat()
}

async fn comes_back_as_it_was(rig: &Rig, request: RequestView<'_>) {
    let (status, answer) = rig.call(request).await.unwrap();
    let (shown, wanted) = (String::from_utf8_lossy(&answer[..answer.len().min(200)]), echoed(&request));
    assert_eq!((status, answer.len()), (NrStatus::Ok, wanted.len()), "{shown}");
    assert!(answer == wanted, "{shown}");
}

async fn comes_back(rig: Rig) {
    let headers = [("host", "example.org"), ("x-trace", "1")];
    let request = RequestView { method: "POST", path: "/a/b", query: "c=d&e=f", headers: &headers, body: b"hello" };
    comes_back_as_it_was(&rig, request).await;
    let (status, answer) = rig.call(request).await.unwrap();
    assert_eq!(status, NrStatus::Ok);
    assert_eq!(answer, b"POST /a/b?c=d&e=f\nhost: example.org\nx-trace: 1\n\nhello");
}

async fn odd_requests(rig: Rig) {
    let plain = RequestView { method: "GET", path: "/", ..RequestView::default() };
    comes_back_as_it_was(&rig, RequestView::default()).await;
    comes_back_as_it_was(&rig, plain).await;

    let all_bytes: Vec<u8> = (0..=255).collect();
    comes_back_as_it_was(&rig, RequestView { body: &all_bytes, ..plain }).await;
    let large: Vec<u8> = (0..1 << 20_u32).map(|i| (i % 251) as u8).collect();
    comes_back_as_it_was(&rig, RequestView { body: &large, ..plain }).await;

    let unicode = [("schlüssel", "größe"), ("鍵", "値 🔑"), ("empty", "")];
    comes_back_as_it_was(&rig, RequestView { path: "/päth/路", query: "q=ß", headers: &unicode, ..plain }).await;
    comes_back_as_it_was(&rig, RequestView { path: "/nul\0in\0side", headers: &[("a\0b", "\0")], ..plain }).await;

    let repeated = [("a", "1"), ("b", "2"), ("a", "3"), ("A", "4"), ("a", "1")];
    comes_back_as_it_was(&rig, RequestView { headers: &repeated, ..plain }).await;
    let owned: Vec<_> = (0..100).map(|i| (format!("header-{i}"), "v".repeat(i))).collect();
    let hundred: Vec<_> = owned.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    comes_back_as_it_was(&rig, RequestView { headers: &hundred, ..plain }).await;
    let long = "x".repeat(1 << 16);
    comes_back_as_it_was(&rig, RequestView { path: &long, query: &long, headers: &[(&long, &long)], ..plain }).await;
}

async fn statuses(rig: Rig) {
    for (path, status) in
        [("/invalid", NrStatus::Invalid), ("/unsupported", NrStatus::Unsupported), ("/err", NrStatus::Err)]
    {
        assert!(!rig.get(path, "", status).await.is_empty(), "{path} says why");
    }
}

async fn broken_handlers(rig: Rig) {
    for _ in 0..10 {
        rig.get("/panic", "", NrStatus::Err).await;
        rig.get("/drop", "", NrStatus::Err).await;
    }
    assert_eq!(rig.get("/after", "", NrStatus::Ok).await, "GET /after?\n\n", "it goes on as if nothing had happened");
}

async fn state(rig: Rig) {
    let large = vec![b'x'; 1 << 16];
    for value in [&b"value"[..], b"", b"\0\xff", &large] {
        let request = RequestView { path: "/state", body: value, ..RequestView::default() };
        let (status, answer) = rig.call(request).await.unwrap();
        assert_eq!(status, NrStatus::Ok, "{}", String::from_utf8_lossy(&answer));
        assert!(answer == value, "{} bytes became {}", value.len(), answer.len());
    }
}

async fn config(rig: Rig) {
    let (status, answer) = rig.call(RequestView { path: "/config", ..RequestView::default() }).await.unwrap();
    assert_eq!((status, &*answer), (NrStatus::Ok, CONFIG));
}

async fn many_at_once(rig: Rig) {
    join_all((0..64).map(|i| one_of_many(&rig, i))).await;
}

async fn from_four_threads(rig: Rig) {
    let threads: Vec<_> = (0..4_u32)
        .map(|thread| {
            let rig = rig.clone();
            thread::spawn(move || {
                for i in 0..16 {
                    block_on(one_of_many(&rig, 100 * thread + i));
                }
            })
        })
        .collect();
    // This is a thread of the runtime, which must go on.
    while !threads.iter().all(thread::JoinHandle::is_finished) {
        tokio::task::yield_now().await;
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

async fn one_of_many(rig: &Rig, i: u32) {
    let (path, body) = (format!("/call/{i}"), i.to_string().repeat(i as usize));
    comes_back_as_it_was(
        rig,
        RequestView { method: "PUT", path: &path, body: body.as_bytes(), ..RequestView::default() },
    )
    .await;
}
