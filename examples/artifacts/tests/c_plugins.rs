//! The C plugins of `examples/c`, and what becomes of one that does not compile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod fake_host;

use std::{fs, path::Path, thread};

use fake_host::Host;
use nylon_ring_artifacts::{ArtifactError, c_plugin, c_source};

#[test]
fn the_minimal_plugin_answers() {
    let host = Host::load(&c_plugin(&c_source("minimal"), &[]).unwrap());
    assert_eq!(host.ask("/hello", "", b""), "OK: GET /hello");
    assert_eq!(host.ask("", "", b""), "OK: GET ");
    assert_eq!(host.count(), 2);
    host.shutdown();
}

#[test]
fn the_same_source_and_defines_give_the_same_file() {
    let source = c_source("misloading");
    let files: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| c_plugin(&source, &[("MISLOAD", Some("10"))]).unwrap())).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(files.iter().all(|f| *f == files[0]), "{files:?}");
    assert!(files[0].is_file());
    let other = c_plugin(&source, &[("MISLOAD", Some("11"))]).unwrap();
    assert_ne!(other, files[0]);
}

#[test]
fn every_way_of_misloading_compiles() {
    for n in 0..=16 {
        let plugin = c_plugin(&c_source("misloading"), &[("MISLOAD", Some(&n.to_string()))]);
        assert!(plugin.is_ok(), "{n}: {plugin:?}");
    }
}

#[test]
fn a_plugin_that_misloads_nothing_answers() {
    let source = c_source("misloading");
    let host = Host::load(&c_plugin(&source, &[]).unwrap());
    assert_eq!(host.ask("/", "", b"body"), "body");
    let sends = Host::load(&c_plugin(&source, &[("MISLOAD", Some("15"))]).unwrap());
    assert_eq!(sends.count(), 1000);
}

#[test]
fn a_warning_is_an_error_that_shows_what_the_compiler_said() {
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("warns/warns.c");
    fs::create_dir_all(source.parent().unwrap()).unwrap();
    fs::write(&source, "int f(void) { int unused = 1; return 0; }\n").unwrap();
    let Err(ArtifactError::CompileFailed { stderr, .. }) = c_plugin(&source, &[]) else {
        panic!("it compiled");
    };
    assert!(stderr.contains("unused"), "{stderr}");
}

#[test]
fn a_missing_source_is_an_error() {
    let error = c_plugin(Path::new("/nowhere/plugin.c"), &[]).unwrap_err();
    assert!(error.to_string().contains("/nowhere"), "{error}");
}
