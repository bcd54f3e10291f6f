//! Plugins by name: each is called, reloaded and removed, and the others do not notice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};

use common::LIMIT;
use futures::future::join_all;
use nylon_ring_host::{
    HighLevelRequest, NrStatus, NylonRingHost, NylonRingHostError as Error, PluginEntry, Registry, RequestView,
};

fn build(version: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/reload.c");
    nylon_ring_artifacts::c_plugin(&source, &[("VERSION", Some(version))]).unwrap_or_else(|error| panic!("{error}"))
}

fn view(path: &str) -> RequestView<'_> {
    RequestView { path, ..RequestView::default() }
}

fn summary(entries: &[PluginEntry]) -> Vec<(&str, &str, &str, u64)> {
    entries.iter().map(|e| (e.name.as_str(), e.plugin.as_str(), e.version.as_str(), e.generation)).collect()
}

async fn ask(registry: &Registry, name: &str) -> Result<String, Error> {
    let (status, payload) = registry.call_view(name, view("/later")).await?;
    assert_eq!(status, NrStatus::Ok);
    Ok(String::from_utf8(payload.into_vec()).unwrap())
}

/// Three plugins, of versions 1 to 3.
fn three() -> Registry {
    let registry = Registry::new();
    for (name, version) in [("one", "1"), ("two", "2"), ("three", "3")] {
        registry.register(name, NylonRingHost::builder().shards(2).slots_per_shard(64), build(version)).unwrap();
    }
    registry
}

on_both_runtimes!(calls_go_where_their_name_says, a_name_that_is_unknown, a_name_that_is_taken, reloads, removals);

async fn calls_go_where_their_name_says() {
    let registry = three();
    let answers = join_all(["one", "two", "three", "two"].map(|name| ask(&registry, name))).await;
    assert_eq!(answers.into_iter().collect::<Result<Vec<_>, _>>().unwrap(), ["1", "2", "3", "2"]);
    let request = HighLevelRequest { path: "/version".into(), ..HighLevelRequest::default() };
    assert_eq!(registry.call("three", request.clone()).await.unwrap(), (NrStatus::Ok, b"3".to_vec()));
    let request = HighLevelRequest { path: "/stream".into(), ..request };
    assert_eq!(registry.call_stream("one", request).await.unwrap().recv().await.unwrap().data, b"1");
    let mut stream = registry.clone().call_stream_view("two", view("/stream")).await.unwrap();
    assert_eq!(stream.recv().await.unwrap().data, b"2");
    assert_eq!(registry.get("two").unwrap().current().version(), "2.0.0");
    let all = [("one", "reload", "1.0.0", 1), ("three", "reload", "3.0.0", 1), ("two", "reload", "2.0.0", 1)];
    assert_eq!(summary(&registry.list()), all);
}

async fn a_name_that_is_unknown() {
    let registry = three();
    let outcomes = [
        ask(&registry, "four").await.map(drop),
        registry.call("four", HighLevelRequest::default()).await.map(drop),
        registry.call_stream_view("four", view("/")).await.map(drop),
        registry.call_stream("four", HighLevelRequest::default()).await.map(drop),
        registry.get("four").map(drop),
        registry.reload("four", LIMIT).await.map(drop),
        registry.remove("four", LIMIT).await,
    ];
    for outcome in outcomes {
        let Err(Error::UnknownPlugin { name, known }) = outcome else { panic!("{outcome:?}") };
        assert_eq!((name.as_str(), known), ("four", ["one", "three", "two"].map(str::to_owned).to_vec()));
    }
}

async fn a_name_that_is_taken() {
    let registry = three();
    let outcome = registry.register("one", NylonRingHost::builder(), build("2"));
    assert!(matches!(outcome, Err(Error::PluginExists { name }) if name == "one"));
    let outcome = registry.register("four", NylonRingHost::builder(), "/nowhere.so");
    assert!(matches!(outcome, Err(Error::LibraryFile { .. })));
    assert_eq!((ask(&registry, "one").await.unwrap(), registry.list().len()), ("1".to_owned(), 3));
}

async fn reloads() {
    let registry = three();
    registry.get("one").unwrap().reload_from(build("4"), LIMIT).await.unwrap().drained().await.unwrap();
    assert_eq!(registry.reload("one", LIMIT).await.unwrap().generation(), 3);
    assert_eq!(ask(&registry, "one").await.unwrap(), "4");
    assert_eq!(ask(&registry, "two").await.unwrap(), "2");
    let all = [("one", "reload", "4.0.0", 3), ("three", "reload", "3.0.0", 1), ("two", "reload", "2.0.0", 1)];
    assert_eq!(summary(&registry.list()), all);
}

async fn removals() {
    let registry = three();
    let kept = registry.get("one").unwrap();
    registry.remove("one", LIMIT).await.unwrap();
    assert!(
        matches!(ask(&registry, "one").await, Err(Error::UnknownPlugin { known, .. }) if known == ["three", "two"])
    );
    assert!(matches!(kept.call_view(view("/later")).await, Err(Error::ShuttingDown)));
    assert_eq!(ask(&registry, "two").await.unwrap(), "2");
    registry.register("one", NylonRingHost::builder().shards(2).slots_per_shard(64), build("5")).unwrap();
    assert_eq!(ask(&registry, "one").await.unwrap(), "5");
}
