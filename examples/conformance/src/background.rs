//! The plugin that answers from threads of its own.

use std::{path::Path, time::Duration};

use futures::future::join_all;
use nylon_ring_host::{CallOptions, NrStatus, NylonRingHost, RequestView};

use crate::rig::{LIMIT, Rig};

/// Checks a language's background plugin.
///
/// # Panics
/// A check failed.
pub fn background(plugin: &Path) {
    let rig = Rig::load(plugin, NylonRingHost::builder());
    rig.check("work is answered later", work);
    rig.check("a number that is none is Invalid", bad_numbers);
    rig.check("another path is Unsupported", other_paths);
    rig.check("64 calls at once", many_at_once);
    rig.check("the deadline arrives", deadline);
    rig.check("a call that is given up is cancelled", given_up);
    rig.check("work that is given up is not finished", unfinished);
    rig.check("a call that is not answered in time is cancelled", timed_out);
    rig.check_once("work in flight is finished when the host is shut down", shut_down);
    rig.balanced();
}

async fn work(rig: Rig) {
    for ms in ["0", "1", "20"] {
        assert_eq!(rig.get("/work", &format!("ms={ms}"), NrStatus::Ok).await, "done");
    }
    assert_eq!(rig.get("/work", "a=b&ms=1&c", NrStatus::Ok).await, "done");
}

async fn bad_numbers(rig: Rig) {
    for query in ["", "ms=", "ms=x", "ms=-1", "ms=1x", "xms=1", "ms=99999999999999999999999"] {
        assert!(!rig.get("/work", query, NrStatus::Invalid).await.is_empty(), "{query} is told why");
    }
}

async fn other_paths(rig: Rig) {
    for path in ["/", "/work/", "/workx", ""] {
        assert!(!rig.get(path, "ms=1", NrStatus::Unsupported).await.is_empty(), "{path} is told why");
    }
}

async fn many_at_once(rig: Rig) {
    let calls = (0..64_u32).map(|i| {
        let rig = rig.clone();
        tokio::spawn(async move { rig.get("/work", &format!("ms={}", i % 8), NrStatus::Ok).await })
    });
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap(), "done");
    }
}

async fn deadline(rig: Rig) {
    assert_eq!(rig.get("/deadline", "", NrStatus::Ok).await, "none");
    let an_hour = 3_600_000;
    let options = CallOptions::new().timeout(Duration::from_millis(an_hour));
    let request = RequestView { method: "GET", path: "/deadline", ..RequestView::default() };
    let (status, answer) = rig.call_with(request, options).await.unwrap();
    let left: u64 = String::from_utf8(answer).unwrap().parse().unwrap();
    assert_eq!(status, NrStatus::Ok);
    assert!((an_hour / 2..=an_hour).contains(&left), "{left}");
}

async fn cancelled(rig: &Rig) -> u64 {
    rig.get("/cancelled", "", NrStatus::Ok).await.parse().unwrap()
}

/// Waits until the plugin has counted and answered what was given up; then it has counted `wanted`.
async fn counts(rig: &Rig, wanted: u64) {
    rig.until("the plugin answers what was given up", |books| rig.all_ended(books)).await;
    assert_eq!(cancelled(rig).await, wanted, "each call that was cancelled counts once");
}

async fn given_up(rig: Rig) {
    let before = cancelled(&rig).await;
    for _ in 0..8 {
        rig.give_up("/wait-cancel", "").await;
    }
    counts(&rig, before + 8).await;

    let tasks = (0..32).map(|_| {
        let rig = rig.clone();
        tokio::spawn(async move { rig.give_up("/wait-cancel", "").await })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    counts(&rig, before + 40).await;
}

/// An hour's work, that nobody waits for.
async fn unfinished(rig: Rig) {
    let before = cancelled(&rig).await;
    for _ in 0..8 {
        rig.give_up("/work", "ms=3600000").await;
    }
    counts(&rig, before).await;
}

async fn timed_out(rig: Rig) {
    let before = cancelled(&rig).await;
    rig.times_out("/wait-cancel", "", Duration::from_millis(10)).await;
    counts(&rig, before + 1).await;
    rig.times_out("/work", "ms=3600000", Duration::from_millis(10)).await;
    counts(&rig, before + 1).await;
}

async fn shut_down(rig: Rig) {
    let before = rig.host.metrics().opened;
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let rig = rig.clone();
            tokio::spawn(async move { rig.get("/work", "ms=100", NrStatus::Ok).await })
        })
        .collect();
    rig.until("the calls are in flight", |books| books.opened == before + 16).await;
    rig.host.shutdown(LIMIT).await.unwrap();
    for call in calls {
        assert_eq!(call.await.unwrap(), "done");
    }
    rig.takes_no_more().await;
}
