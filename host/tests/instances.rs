//! Several instances of one plugin, and how they are: `nylon.instance/1` and `nylon.health/1`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;
#[path = "common/witness.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod witness;

use std::sync::atomic::Ordering::SeqCst;

use common::LIMIT;
use nylon_ring_host::{NrStatus, NylonRingHostError as Error, Registry};
use witness::{ask, going, load, plugin, staying, until};

on_both_runtimes!(
    each_has_its_own_state,
    the_library_goes_with_the_last,
    one_that_stays_keeps_the_library,
    an_instance_is_freed_when_it_is_quiescent,
    a_plugin_without_instances,
    health,
    the_health_of_those_that_are_registered,
    a_broken_table_is_not_used,
);

async fn each_has_its_own_state() {
    let (host, seen) = load(staying()).await;
    let other = staying().instance_of(&host).unwrap();
    assert_eq!((other.name(), other.version()), ("unload", "0.1.0"));
    assert_eq!(ask(&host, "/later").await.unwrap(), "1");
    assert_eq!(ask(&host, "/later").await.unwrap(), "2");
    assert_eq!(ask(&other, "/later").await.unwrap(), "1");
    assert_eq!((host.metrics().delivered, other.metrics().delivered), (3, 1), "the first was handed its witness");
    // An instance of an instance is one of the plugin.
    let third = staying().instance_of(&other).unwrap();
    other.shutdown(LIMIT).await.unwrap();
    drop(other);
    until("the end of one", || seen.destroyed.load(SeqCst) == 1).await;
    assert_eq!(ask(&third, "/later").await.unwrap(), "1");
    assert_eq!(ask(&host, "/later").await.unwrap(), "3");
    drop(host);
    assert_eq!(ask(&third, "/later").await.unwrap(), "2");
    assert!(seen.sees_the_library());
}

async fn the_library_goes_with_the_last() {
    let (host, seen) = load(going()).await;
    let other = going().instance_of(&host).unwrap();
    drop(host);
    seen.is_asked(1).await;
    assert_eq!(ask(&other, "/later").await.unwrap(), "1");
    assert!(seen.sees_the_library());
    drop(other);
    seen.sees_the_library_go().await;
    assert_eq!(seen.destroyed.load(SeqCst), 1);
}

async fn one_that_stays_keeps_the_library() {
    let (host, seen) = load(going()).await;
    let other = staying().instance_of(&host).unwrap();
    drop(other);
    until("the end of one", || seen.destroyed.load(SeqCst) == 1).await;
    drop(host);
    seen.is_asked(2).await;
    let (other, other_seen) = load(going()).await;
    drop(other);
    other_seen.sees_the_library_go().await;
    assert!(seen.sees_the_library());
}

async fn an_instance_is_freed_when_it_is_quiescent() {
    let (host, seen) = load(staying()).await;
    let other = staying().instance_of(&host).unwrap();
    seen.linger.store(1, SeqCst);
    other.shutdown(LIMIT).await.unwrap();
    assert_eq!(seen.asked.load(SeqCst), 0);
    drop(other);
    seen.is_asked(5).await;
    assert_eq!(seen.destroyed.load(SeqCst), 0);
    seen.linger.store(0, SeqCst);
    until("the end of one", || seen.destroyed.load(SeqCst) == 1).await;
    assert!(seen.sees_the_library());
}

async fn a_plugin_without_instances() {
    let host = staying().load(plugin(&[("MINIMAL", None)])).unwrap();
    let outcome = staying().instance_of(&host);
    assert!(matches!(outcome, Err(Error::InstancesUnsupported { plugin }) if plugin == "unload"));
    assert_eq!(host.health(), None);
}

async fn health() {
    let (host, seen) = load(staying()).await;
    let well = host.health().unwrap();
    assert!(well.is_well() && well.detail.is_empty(), "{well:?}");
    seen.sick.store(1, SeqCst);
    let sick = host.health().unwrap();
    assert_eq!((sick.is_well(), sick.status, &*sick.detail), (false, NrStatus::Err, "the database is gone"));
    seen.sick.store(2, SeqCst);
    let sick = host.health().unwrap();
    assert_eq!((sick.status, &*sick.detail), (NrStatus::Err, ""), "what is no text is left out");
    host.shutdown(LIMIT).await.unwrap();
    assert_eq!(host.health(), None);
    assert!(seen.sees_the_library());
}

async fn the_health_of_those_that_are_registered() {
    let registry = Registry::new();
    let host = registry.register("a", staying(), plugin(&[])).unwrap();
    registry.register("b", staying(), plugin(&[("MINIMAL", None)])).unwrap();
    witness::witness(&host.current()).await.sick.store(1, SeqCst);
    let [a, b] = &registry.list()[..] else { panic!("two are registered") };
    assert_eq!(a.health.as_ref().map(|health| &*health.detail), Some("the database is gone"));
    assert_eq!(b.health, None);
}

async fn a_broken_table_is_not_used() {
    let host = staying().load(plugin(&[("BROKEN", None)])).unwrap();
    assert_eq!(host.health(), None);
    assert!(staying().instance_of(&host).is_ok(), "the others are");
}
