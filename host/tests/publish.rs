//! The page that a host publishes for other processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[expect(dead_code, reason = "shared with other tests")]
mod common;
#[path = "common/witness.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod witness;

use std::{fs, sync::atomic::Ordering::SeqCst, time::Duration};

use common::{LIMIT, Watchdog};
use futures::{executor::block_on, join};
use nylon_ring_host::{NylonRingHostError as Error, Page, ReloadableHost};
use tempfile::TempDir;
use witness::{ask, load, plugin, staying, until};

const PERIOD: Duration = Duration::from_millis(2);

#[test]
fn a_page_follows_its_host() {
    let _watchdog = Watchdog::new("a_page_follows_its_host");
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("page");
    let (host, seen) = block_on(load(staying().publish(&path, PERIOD).watch_calls(PERIOD, LIMIT)));
    let read = || Page::read(&path).unwrap();
    let first = read();
    assert_eq!((first.plugin.as_str(), first.version.as_str(), first.slots), ("unload", "0.1.0", 64));
    assert_eq!((first.pid, first.period, first.ended), (std::process::id(), PERIOD, false));
    let look = async {
        let mut page = read();
        until("a call in flight, and its age", || {
            page = read();
            page.oldest.is_some_and(|age| age > PERIOD) && page.in_handle == 0
        })
        .await;
        assert_eq!((page.metrics.in_flight, page.shards.len()), (1, 1));
        assert_eq!((page.shards[0].in_flight, page.shards[0].opened), (1, page.metrics.opened));
        seen.release.store(1, SeqCst);
    };
    assert_eq!(block_on(async { join!(ask(&host, "/hold"), look) }).0.unwrap(), "1");
    block_on(until("the end of the call", || {
        let page = read();
        (page.metrics, page.oldest) == (host.metrics(), None) && page.metrics.delivered == 2
    }));
    assert!(read().uptime > first.uptime && read().written > first.written);
    drop(host);
    block_on(until("the end of the host", || read().ended));
}

/// However often it is written, a reader sees whole pages, and each later one than the one before.
#[test]
fn pages_are_whole() {
    let _watchdog = Watchdog::new("pages_are_whole");
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("page");
    let (host, _) = block_on(load(staying().publish(&path, Duration::ZERO)));
    let mut last = 0;
    for _ in 0..300 {
        block_on(ask(&host, "/later")).unwrap();
        let page = Page::read(&path).unwrap();
        assert!(page.sequence >= last, "{page:?}");
        last = page.sequence;
        let sum: u64 = page.shards.iter().map(|shard| shard.drained).sum();
        assert!(page.plugin == "unload" && sum <= 300 && page.metrics.duplicate == 0, "{page:?}");
    }
    assert!(last > 1);
}

/// A host that had mapped its page would be killed by this.
#[test]
fn a_page_that_is_cut_short_does_no_harm() {
    let _watchdog = Watchdog::new("a_page_that_is_cut_short_does_no_harm");
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("page");
    let (host, _) = block_on(load(staying().publish(&path, PERIOD)));
    for _ in 0..20 {
        let before = Page::read(&path).unwrap().sequence;
        fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        block_on(ask(&host, "/later")).unwrap();
        block_on(until("a whole page", || Page::read(&path).is_ok_and(|page| page.sequence > before)));
    }
    assert_eq!(host.metrics().delivered, 21, "and the one that `load` made");
}

#[test]
fn a_new_version_takes_the_place_over() {
    let _watchdog = Watchdog::new("a_new_version_takes_the_place_over");
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("page");
    let host = ReloadableHost::load(staying().publish(&path, PERIOD), plugin(&[])).unwrap();
    block_on(ask(&host.current(), "/later")).unwrap();
    block_on(until("the call", || Page::read(&path).unwrap().metrics.opened == 1));
    block_on(async { host.reload(LIMIT).await.unwrap().drained().await }).unwrap();
    let page = Page::read(&path).unwrap();
    assert_eq!((page.metrics.opened, page.ended), (0, false));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left there");
}

#[test]
fn what_cannot_be_written_or_read() {
    let directory = TempDir::new().unwrap();
    let outcome = staying().publish(directory.path().join("nowhere/page"), PERIOD).load(plugin(&[]));
    assert!(matches!(outcome, Err(Error::Publish { .. })), "{outcome:?}");
    let path = directory.path().join("page");
    assert!(matches!(Page::read(&path), Err(Error::Page { .. })));
    fs::write(&path, "something else, of some length or other").unwrap();
    let error = Page::read(&path).unwrap_err().to_string();
    assert!(error.contains("it is no page about a host"), "{error}");
}
