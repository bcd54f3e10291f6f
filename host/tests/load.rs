//! Loading: every check that a plugin must pass, each with its own error, and what a host does with a plugin that
//! passes.
//!
//! The plugin is `c/load.c`; its head says what each switch does. Without a C compiler these tests fail, and say so.
#![cfg(unix)] // the plugin needs `mmap`, and Windows has no plugin with unresolved symbols to load
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nylon_ring_host::{HighLevelRequest, NrStatus, NylonRingHost, NylonRingHostError as Error, RequestView};

/// The plugin with these switches: `NAME` or `NAME=value`.
fn plugin(switches: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/load.c");
    let defines: Vec<_> = switches
        .iter()
        .map(|switch| match switch.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (*switch, None),
        })
        .collect();
    nylon_ring_artifacts::c_plugin(&source, &defines).unwrap_or_else(|error| panic!("{error}"))
}

/// Loads the plugin with these switches, which must fail.
fn rejected(switches: &[&str]) -> Error {
    error_of(&plugin(switches))
}

/// Loads the file, which must fail, with a message that names the file and says what to do.
fn error_of(path: &Path) -> Error {
    let error = NylonRingHost::load(path).expect_err("a broken plugin was loaded");
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()), "{text}");
    assert!(text.contains("; "), "nothing to do next: {text}");
    error
}

/// The error is of this kind; otherwise the test shows what it is.
macro_rules! expect {
    ($error:expr, $pattern:pat $(if $condition:expr)?) => {{
        let error = $error;
        assert!(matches!(&error, $pattern $(if $condition)?), "{error:?}");
    }};
}

/// Loads the plugin with these switches, which must succeed.
fn accepted(switches: &[&str]) -> NylonRingHost {
    NylonRingHost::load(plugin(switches)).unwrap_or_else(|error| panic!("{error}"))
}

/// Loads the file itself, not a private copy of it.
fn in_place(path: &Path) -> Result<NylonRingHost, Error> {
    NylonRingHost::builder().load_in_place(true).load(path)
}

/// The plugin's answer to one call: how often this image of it has been called.
async fn count(host: &NylonRingHost) -> String {
    let (status, payload) = host.call(HighLevelRequest::default()).await.unwrap();
    assert_eq!(status, NrStatus::Ok);
    String::from_utf8(payload).unwrap()
}

// The file.

#[test]
fn a_missing_file() {
    let dir = tempfile::tempdir().unwrap();
    let error = error_of(&dir.path().join("no_such_plugin.so"));
    expect!(error, Error::LibraryFile { source, .. } if source.kind() == ErrorKind::NotFound);
}

#[test]
fn a_directory() {
    let dir = tempfile::tempdir().unwrap();
    expect!(error_of(dir.path()), Error::LibraryFile { .. });
}

#[test]
fn a_device_or_fifo_is_not_opened() {
    expect!(error_of(Path::new("/dev/zero")), Error::LibraryFile { .. });
}

#[test]
fn a_bare_name_is_a_file_and_not_searched_for() {
    // Most systems have the first on the loader's search path; neither is in the directory of this crate.
    for name in ["libc.so.6", "no_such_plugin.so"] {
        let error = in_place(Path::new(name)).expect_err("a library of the system was loaded");
        expect!(error, Error::LibraryFile { .. });
    }
}

/// Runs itself again with a temporary directory that is a file.
#[test]
fn no_place_for_a_copy() {
    const AGAIN: &str = "NYLON_RING_LOAD_TEST_AGAIN";
    let path = plugin(&[]);
    if env::var_os(AGAIN).is_some() {
        expect!(error_of(&path), Error::LibraryCopy { .. });
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .args(["no_place_for_a_copy", "--exact"])
        .env(AGAIN, "1")
        .env("TMPDIR", file.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

// The library.

#[test]
fn not_a_library() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("libtext.so");
    for text in ["This is not a shared library.\n", ""] {
        fs::write(&path, text).unwrap();
        expect!(error_of(&path), Error::LibraryOpen { reason, .. } if !reason.is_empty());
    }
}

/// What macOS's linker refuses to build in the first place.
#[cfg(not(target_os = "macos"))]
#[test]
fn an_unresolved_symbol_fails_at_load() {
    let error = rejected(&["UNRESOLVED"]);
    expect!(error, Error::LibraryOpen { reason, .. } if reason.contains("nr_load_test_elsewhere"));
}

#[cfg(not(target_os = "macos"))]
#[test]
fn one_plugin_does_not_resolve_the_symbols_of_another() {
    let other = accepted(&["DEFINES"]);
    expect!(rejected(&["UNRESOLVED"]), Error::LibraryOpen { .. });
    drop(other);
}

#[test]
fn a_missing_symbol() {
    let error = rejected(&["NO_SYMBOL"]);
    expect!(error, Error::SymbolMissing { symbol: "nylon_ring_get_plugin_v1", .. });
}

// The info.

#[test]
fn a_null_info() {
    expect!(rejected(&["NULL_INFO"]), Error::InfoNull { .. });
}

#[test]
fn another_abi_version() {
    for (switch, version) in [("ABI_VERSION=0", 0), ("ABI_VERSION=2", 2), ("ABI_VERSION=0xffffffffu", u32::MAX)] {
        let error = rejected(&[switch]);
        expect!(error, Error::AbiVersion { found, expected: 1, .. } if *found == version);
    }
}

#[test]
fn a_small_struct() {
    for (switch, size) in [("STRUCT_SIZE=0", 0), ("STRUCT_SIZE=55", 55)] {
        let error = rejected(&[switch]);
        expect!(error, Error::StructSize { found, expected: 56, .. } if *found == size);
    }
}

#[test]
fn a_larger_struct_is_accepted() {
    accepted(&["STRUCT_SIZE=57"]);
}

#[test]
fn nothing_past_the_first_fields_is_read_before_they_are_checked() {
    let error = rejected(&["SHORT_INFO", "ABI_VERSION=2"]);
    expect!(error, Error::AbiVersion { .. });
    let error = rejected(&["SHORT_INFO", "STRUCT_SIZE=8"]);
    expect!(error, Error::StructSize { .. });
}

#[tokio::test]
async fn a_misaligned_info_is_read_all_the_same() {
    let host = accepted(&["MISALIGNED"]);
    assert_eq!(host.name(), "load_test");
    assert_eq!(count(&host).await, "1");
}

#[test]
fn a_name_that_is_not_text() {
    for switches in
        [["NAME=\"\\xff\\xfe\"", "NAME_LEN=2"], ["NAME=\"cut \\xc3\\xa9\"", "NAME_LEN=5"], ["NAME=NULL", "NAME_LEN=9"]]
    {
        expect!(rejected(&switches), Error::NameInvalid { .. });
    }
}

#[test]
fn a_version_that_is_not_text() {
    for switches in [["VERSION=\"1.\\xff\"", "VERSION_LEN=3"], ["VERSION=NULL", "VERSION_LEN=1"]] {
        expect!(rejected(&switches), Error::VersionInvalid { .. });
    }
}

#[test]
fn a_name_may_be_empty_and_need_not_be_ascii() {
    let host = accepted(&["NAME=NULL", "NAME_LEN=0", "VERSION=NULL", "VERSION_LEN=0"]);
    assert_eq!((host.name(), host.version()), ("", ""));
    let host = accepted(&["NAME=\"caf\\xc3\\xa9\"", "NAME_LEN=5"]);
    assert_eq!(host.name(), "café");
}

// The functions.

#[test]
fn nothing_to_call() {
    expect!(rejected(&["NULL_VTABLE"]), Error::VTableNull { .. });
    expect!(rejected(&["NO_HANDLE"]), Error::HandleMissing { .. });
}

#[test]
fn an_init_that_refuses() {
    for (switch, expected, number) in [
        ("INIT_RETURNS=1", NrStatus::Err, 1),
        ("INIT_RETURNS=2", NrStatus::Invalid, 2),
        ("INIT_RETURNS=3", NrStatus::Unsupported, 3),
        ("INIT_RETURNS=4", NrStatus::StreamEnd, 4),
        ("INIT_RETURNS=5", NrStatus::Err, 5),
        ("INIT_RETURNS=4000000000u", NrStatus::Err, 4_000_000_000),
    ] {
        let error = rejected(&[switch]);
        expect!(error, Error::InitRefused { status, raw, .. } if (*status, *raw) == (expected, number));
    }
}

#[test]
fn the_first_check_that_fails_is_the_one_reported() {
    // What breaks the checks, in their order: without the first entries a later check is the first to fail.
    let broken = [
        "ABI_VERSION=2",
        "STRUCT_SIZE=8",
        "NAME_LEN=1",
        "NAME=\"\\xff\"",
        "VERSION_LEN=1",
        "VERSION=\"\\xff\"",
        "NULL_VTABLE",
    ];
    expect!(rejected(&broken), Error::AbiVersion { .. });
    expect!(rejected(&broken[1..]), Error::StructSize { .. });
    expect!(rejected(&broken[2..]), Error::NameInvalid { .. });
    expect!(rejected(&broken[4..]), Error::VersionInvalid { .. });
    let error = rejected(&["NO_HANDLE", "INIT_RETURNS=2"]);
    expect!(error, Error::HandleMissing { .. });
}

// Plugins that pass.

#[tokio::test]
async fn a_plugin_that_passes_is_called() {
    let host = accepted(&[]);
    assert_eq!((host.name(), host.version()), ("load_test", "1.2.3"));
    assert_eq!(count(&host).await, "1");
    let (status, payload) = host.call_view(RequestView::default()).await.unwrap();
    assert_eq!((status, &payload[..]), (NrStatus::Ok, &b"2"[..]));
    host.shutdown(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn a_plugin_without_shutdown() {
    let host = accepted(&["NO_SHUTDOWN"]);
    assert_eq!(count(&host).await, "1");
    host.shutdown(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn a_plugin_without_init_or_shutdown() {
    let host = accepted(&["NO_INIT", "NO_SHUTDOWN"]);
    // It knows no host, so all that it can do is refuse.
    let error = host.call(HighLevelRequest::default()).await.unwrap_err();
    expect!(error, Error::Refused { status } if *status == NrStatus::Unsupported);
    host.shutdown(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test]
async fn a_handle_that_refuses() {
    for (switch, expected) in [
        ("HANDLE_RETURNS=1", NrStatus::Err),
        ("HANDLE_RETURNS=2", NrStatus::Invalid),
        ("HANDLE_RETURNS=4", NrStatus::StreamEnd),
        ("HANDLE_RETURNS=4000000000u", NrStatus::Err),
    ] {
        let host = accepted(&[switch]);
        let error = host.call(HighLevelRequest::default()).await.unwrap_err();
        expect!(error, Error::Refused { status } if *status == expected);
        assert_eq!(host.metrics().refused, 1);
        assert_eq!(host.metrics().in_flight, 0);
    }
}

// One file, several times.

#[tokio::test]
async fn one_library_loaded_twice_shares_no_statics() {
    let first = accepted(&[]);
    let second = accepted(&[]);
    assert_eq!(count(&first).await, "1");
    assert_eq!(count(&first).await, "2");
    assert_eq!(count(&second).await, "1");
    drop(first);
    assert_eq!(count(&second).await, "2");
    let hosts: Vec<_> = (0..16).map(|_| accepted(&[])).collect();
    for host in &hosts {
        assert_eq!(count(host).await, "1");
    }
}

#[tokio::test]
async fn a_library_loaded_in_place_shares_its_statics() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("libplugin.so");
    fs::copy(plugin(&[]), &path).unwrap();
    let first = in_place(&path).unwrap();
    assert_eq!(count(&first).await, "1");
    // The plugin has one `host` variable, so from here on it answers to the second host alone.
    let second = in_place(&path).unwrap();
    assert_eq!(count(&second).await, "2");
}

#[tokio::test]
async fn a_new_file_at_the_same_path_is_a_new_plugin() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("libplugin.so");
    fs::copy(plugin(&[]), &path).unwrap();
    let old = NylonRingHost::load(&path).unwrap();
    assert_eq!(count(&old).await, "1");

    // Over the old file's bytes, as a careless deployment does.
    let bytes = fs::read(plugin(&["NAME=\"new\"", "NAME_LEN=3"])).unwrap();
    fs::write(&path, bytes).unwrap();
    let new = NylonRingHost::load(&path).unwrap();
    assert_eq!((old.name(), new.name()), ("load_test", "new"));
    assert_eq!(count(&new).await, "1");
    old.shutdown(Duration::from_secs(10)).await.unwrap();
    assert_eq!(count(&new).await, "2");
}

#[tokio::test]
async fn the_file_may_go_once_it_is_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("libplugin.so");
    fs::copy(plugin(&[]), &path).unwrap();
    let host = NylonRingHost::load(&path).unwrap();
    drop(dir);
    assert_eq!(count(&host).await, "1");
}

#[cfg(target_os = "linux")]
#[test]
fn no_copy_is_left_behind() {
    let name = format!("libonly_here_{}.so", std::process::id());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(&name);
    fs::copy(plugin(&[]), &path).unwrap();
    let _host = NylonRingHost::load(&path).unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let copies: Vec<_> = maps.lines().filter(|line| line.contains(&name)).collect();
    assert!(!copies.is_empty(), "the copy has another name:\n{maps}");
    assert!(copies.iter().all(|line| line.ends_with("(deleted)")), "{copies:#?}");
}
