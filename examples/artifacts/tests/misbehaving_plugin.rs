//! The misbehaving plugin misbehaves as it says, and no further.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod fake_host;

use std::collections::HashSet;

use fake_host::{Context, Host, without_context};
use nylon_ring_artifacts::{c_plugin, c_source};

const BODY: &[u8] = b"a body of its own";
const WRONG: &[u8] = b"WRONG";

fn load() -> Host {
    Host::load(&c_plugin(&c_source("misbehaving"), &[]).unwrap())
}

/// Waits for all background work, and checks that no thread is left after `shutdown`.
fn end(host: &Host) {
    assert_eq!(host.ask("/quiet", "", BODY).as_bytes(), BODY);
    host.shutdown();
    host.wait("the threads to end", || host.threads() == 0);
}

#[test]
fn right_answers() {
    let host = load();
    for path in ["/echo", "/scribble", "/block", "/tiny-stack", "/thread-exit"] {
        for query in ["ms=1", "bg=1&ms=1", "delay=2000&ms=1"] {
            let results = host.results(path, query, BODY, 1);
            assert_eq!(results.len(), 1, "{path}?{query}");
            assert_eq!(results[0].bytes, BODY, "{path}?{query}");
            assert_eq!(results[0].status, 0);
        }
    }
    let big = host.results("/big", "len=1000&seed=7", b"", 1);
    assert_eq!(big[0].bytes.len(), 1000);
    assert_eq!(big[0].bytes[999], (999 * 31 + 7_u64) as u8);
    assert_eq!(host.results("/big", "", b"", 1)[0].len, 64 << 20);
    host.forget();
    end(&host);
}

#[test]
fn questions() {
    let host = load();
    assert_eq!(
        host.ask("/lifecycle", "", b""),
        "attached=1 attached_before_init=1 initialised=1 handled_before_init=0 same_context=1 api=1 state=1"
    );
    assert_eq!(host.ask("/extensions", "", BODY).as_bytes(), BODY);
    assert_eq!(host.ask("/count", "", b""), "3");
    assert_eq!(host.ask("/verdict", "", b""), "good=0 bad=0");
    let paths = host.ask("/paths", "", b"");
    assert!(paths.lines().count() > 30, "{paths}");
    assert!(paths.lines().all(|p| p.starts_with('/')), "{paths}");
    let unknown = host.results("/nowhere", "", b"", 1);
    assert_eq!(unknown[0].status, 3);
    assert_eq!(host.ask("/count", "", b"").parse(), Ok(host.count()));
    end(&host);
}

#[test]
fn streams() {
    let host = load();
    for bg in ["", "&bg=1"] {
        let frames = host.results("/frames", &format!("n=20000{bg}"), BODY, 20001);
        for (i, frame) in frames[..20000].iter().enumerate() {
            assert_eq!(frame.bytes[..4], (i as u32).to_le_bytes());
            assert_eq!(&frame.bytes[4..], BODY);
        }
        assert_eq!(frames[20000].status, 4);
        host.forget();
    }
    let (endless, _) = host.handle("/endless", "pace=100", BODY);
    host.wait("frames", || host.of(endless).len() > 500);
    host.ask("/stop", "", b"");
    host.ask("/quiet", "", b"");
    let frames = host.of(endless);
    let (last, frames) = frames.split_last().unwrap();
    assert!(frames.iter().all(|f| f.status == 0));
    assert_eq!(last.status, 4);
    let after = host.results("/after-end", "end=2&n=3", BODY, 5);
    let statuses: Vec<_> = after.iter().map(|r| r.status).collect();
    assert_eq!(statuses, [0, 2, 0, 1, 2]);
    assert!(after[2..].iter().all(|r| r.bytes.starts_with(WRONG)));
    end(&host);
}

#[test]
fn holding_and_releasing() {
    let host = load();
    let (held, _) = host.handle("/hold", "tell=1&end=4", BODY);
    let (never, _) = host.handle("/never", "", BODY);
    host.wait("a frame", || host.of(held).len() == 1);
    assert_eq!(host.of(held)[0].bytes, held.to_string().as_bytes());
    host.ask("/release", "", b"");
    host.ask("/quiet", "", b"");
    assert_eq!(host.of(held)[1].bytes, BODY);
    assert_eq!(host.of(held)[1].status, 4);
    assert!(host.of(never).is_empty());
    end(&host);
}

#[test]
fn bad_statuses_and_payloads() {
    let host = load();
    for v in [5, 6, 1000, u32::MAX] {
        let results = host.results("/status", &format!("v={v}"), BODY, 1);
        assert_eq!(results[0].status, v);
        assert_eq!(results[0].bytes, BODY);
    }
    for len in [0, 1, 1 << 40, i64::MAX as u64 + 1, u64::MAX] {
        let null = &host.results("/payload", &format!("null=1&len={len}"), b"", 1)[0];
        assert_eq!((null.address, null.len), (0, len));
        let wild = &host.results("/payload", &format!("wild=1&status=4&len={len}"), b"", 1)[0];
        assert_eq!((wild.address, wild.len, wild.status), (1, len, 4));
        let byte = &host.results("/payload", &format!("len={len}"), b"", 1)[0];
        assert!(byte.address > 4096);
        assert_eq!(byte.len, len);
    }
    end(&host);
}

#[test]
fn duplicates_and_races() {
    let host = load();
    for query in ["n=10", "n=10&thread=1", "n=10&bg=1"] {
        let results = host.results("/duplicates", query, BODY, 11);
        assert_eq!(results[0].bytes, BODY);
        assert!(results[1..].iter().all(|r| r.bytes.starts_with(WRONG)));
    }
    for n in [2, 8] {
        let results = host.results("/race", &format!("n={n}"), BODY, n);
        let letters: HashSet<_> = results.iter().map(|r| r.bytes[BODY.len()]).collect();
        assert_eq!(letters.len(), n);
        assert!(results.iter().all(|r| r.bytes.starts_with(BODY)));
    }
    end(&host);
}

#[test]
fn forged_stale_and_foreign_sids() {
    let host = load();
    let mut earlier = HashSet::new();
    for _ in 0..10 {
        earlier.insert(host.results("/echo", "", BODY, 1)[0].sid);
    }
    host.forget();
    let (sid, _) = host.handle("/stale", "n=100", BODY);
    let sent = host.ctx.sent.lock().unwrap().clone();
    assert_eq!(sent.len(), 101);
    assert!(sent[..100].iter().all(|s| earlier.contains(&s.sid)));
    assert_eq!((sent[100].sid, &sent[100].bytes[..]), (sid, BODY));

    host.forget();
    let (sid, _) = host.handle("/forge", "n=100000", BODY);
    let sent = host.ctx.sent.lock().unwrap().clone();
    assert_eq!(sent.len(), 100_001);
    let forged: HashSet<_> = sent[..100_000].iter().map(|s| s.sid).collect();
    assert!(!forged.contains(&sid));
    assert!(forged.len() > 60_000, "{}", forged.len());
    assert!(forged.contains(&0) && forged.contains(&u64::MAX));
    assert!((0..64).all(|bit| forged.contains(&(sid ^ 1 << bit))));
    assert_eq!(sent[100_000].bytes, BODY);

    host.forget();
    host.results("/send-to", "sid=77&n=5", BODY, 1);
    assert_eq!(host.of(77).len(), 5);

    let before = without_context();
    assert_eq!(host.results("/null-context", "n=7", BODY, 1).len(), 1);
    assert_eq!(without_context(), before + 7);
    host.forget();
    end(&host);
}

#[test]
fn refusals() {
    let host = load();
    for v in [0, 1, 4, 5, u32::MAX] {
        let (sid, verdict) = host.handle("/refuse", &format!("v={v}"), BODY);
        assert_eq!(verdict, v);
        let (both, verdict) = host.handle("/refuse-and-answer", &format!("v={v}"), BODY);
        assert_eq!(verdict, v);
        let (late, verdict) = host.handle("/refuse-and-answer", &format!("v={v}&thread=1"), BODY);
        assert_eq!(verdict, v);
        host.ask("/quiet", "", b"");
        assert!(host.of(sid).is_empty());
        assert_eq!(host.of(both).len(), 1);
        assert_eq!(host.of(late).len(), 1);
    }
    end(&host);
}

#[test]
fn misuse_of_the_state_finds_nothing_wrong_with_a_right_host() {
    let host = load();
    for _ in 0..5 {
        let sid = host.results("/echo", "", BODY, 1)[0].sid;
        host.end(sid);
    }
    for case in ["basic", "keys", "lengths", "many", "forged", "stale", "null-context"] {
        let result = &host.results("/state", &format!("case={case}"), BODY, 1)[0];
        let text = String::from_utf8_lossy(&result.bytes);
        assert_eq!((result.status, &*text), (0, "a body of its own"), "{case}");
        host.end(result.sid);
    }
    assert_eq!(host.results("/state-threads", "", BODY, 1)[0].status, 0);
    assert_eq!(host.results("/state-after-end", "n=10", BODY, 1)[0].status, 4);
    let (held, _) = host.handle("/state-hold", "", BODY);
    host.ask("/release", "", b"");
    host.ask("/quiet", "", b"");
    assert_eq!(host.of(held)[0].bytes, BODY);
    assert_eq!(host.ask("/verdict", "", b""), "good=1 bad=0");
    end(&host);
}

#[test]
fn misuse_of_the_state_finds_out_a_host_that_takes_anything() {
    let plugin = c_plugin(&c_source("misbehaving"), &[]).unwrap();
    let host = Host::load_with(&plugin, Context { gullible: true, ..Context::default() });
    host.results("/echo", "", BODY, 1);
    for case in ["basic", "keys", "lengths", "many", "forged", "stale"] {
        let result = &host.results("/state", &format!("case={case}"), BODY, 1)[0];
        let text = String::from_utf8_lossy(&result.bytes);
        assert_eq!(result.status, 1, "{case}");
        assert!(text.starts_with("misbehaving_state.h:"), "{case}: {text}");
    }
    end(&host);
}

#[test]
fn threads_that_linger_end_in_time() {
    let host = load();
    for _ in 0..100 {
        host.results("/echo", "", BODY, 1);
    }
    host.ask("/linger", "ms=200", b"");
    host.forget();
    host.shutdown();
    host.wait("results after shutdown", || host.count() > 0);
    host.wait("the threads to end", || host.threads() == 0);
}

#[test]
fn shutdown_in_the_middle_of_everything() {
    let host = load();
    for _ in 0..100 {
        host.handle("/endless", "pace=1000&batch=1", BODY);
        host.handle("/hold", "", BODY);
        host.handle("/echo", "delay=500000", BODY);
    }
    host.shutdown();
    assert_eq!(host.threads(), 0);
}
