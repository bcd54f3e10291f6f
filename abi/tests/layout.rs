//! A C compiler and the Rust compiler lay the ABI out alike, field by field, and name it alike.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use nylon_ring::*;
use std::{collections::BTreeMap, mem::offset_of};
use support::{Language, compile, errors, include_dir, run, source};

/// A name, such as `NrStr.len`, and what is said of it.
type Facts = BTreeMap<String, String>;

/// Size and alignment of the field that `_field` reaches.
fn size_and_align<S, F>(_field: fn(&S) -> &F) -> (usize, usize) {
    (size_of::<F>(), align_of::<F>())
}

macro_rules! facts_of {
    ($facts:ident: $($type:ident { $($field:ident),* })+) => {$(
        let (size, align) = (size_of::<$type>(), align_of::<$type>());
        $facts.insert(stringify!($type).into(), format!("size {size} align {align}"));
        $(
            let (size, align) = size_and_align(|all: &$type| &all.$field);
            let offset = offset_of!($type, $field);
            $facts.insert(
                concat!(stringify!($type), ".", stringify!($field)).into(),
                format!("offset {offset} size {size} align {align}"),
            );
        )*
    )+};
}

fn facts_of_rust() -> Facts {
    let mut facts = Facts::new();
    facts_of! { facts:
        NrStatus {}
        NrStr { ptr, len }
        NrBytes { ptr, len }
        NrHeader { key, value }
        NrRequest { path, method, query, headers, headers_len, _reserved0, _reserved1 }
        NrHostVTable { send_result }
        NrPluginVTable { init, handle, shutdown }
        NrPluginInfo { abi_version, struct_size, name, version, plugin_ctx, vtable }
        NrHostExt { set_state, get_state }
        NrHostApi { struct_size, flags, host_ctx, get_extension }
        NrLogExt { struct_size, _reserved0, enabled, log }
        NrStreamExt { struct_size, _reserved0, try_send, on_writable, credits }
        NrCancelExt { struct_size, _reserved0, is_cancelled, on_cancel }
        NrDeadlineExt { struct_size, _reserved0, remaining }
        NrConfigExt { struct_size, _reserved0, get }
        NrBuffer { ptr, capacity, _lease }
        NrBufferExt { struct_size, _reserved0, reserve, commit, release }
        NrInstanceExt { struct_size, _reserved0, create, destroy }
        NrQuiesceExt { struct_size, _reserved0, is_quiescent }
        NrHealthExt { struct_size, _reserved0, check }
    }
    for (name, value) in [
        ("NR_ABI_VERSION", NR_ABI_VERSION),
        ("NR_STATUS_OK", NrStatus::Ok.as_raw()),
        ("NR_STATUS_ERR", NrStatus::Err.as_raw()),
        ("NR_STATUS_INVALID", NrStatus::Invalid.as_raw()),
        ("NR_STATUS_UNSUPPORTED", NrStatus::Unsupported.as_raw()),
        ("NR_STATUS_STREAM_END", NrStatus::StreamEnd.as_raw()),
        ("NR_EVENT_OVER", NR_EVENT_OVER),
        ("NR_EVENT_CANCELLED", NR_EVENT_CANCELLED),
        ("NR_EVENT_WRITABLE", NR_EVENT_WRITABLE),
        ("NR_WATCH_REGISTERED", NR_WATCH_REGISTERED),
        ("NR_WATCH_ALREADY", NR_WATCH_ALREADY),
        ("NR_WATCH_CLOSED", NR_WATCH_CLOSED),
        ("NR_WATCH_REFUSED", NR_WATCH_REFUSED),
        ("NR_LOG_ERROR", NR_LOG_ERROR),
        ("NR_LOG_WARN", NR_LOG_WARN),
        ("NR_LOG_INFO", NR_LOG_INFO),
        ("NR_LOG_DEBUG", NR_LOG_DEBUG),
        ("NR_LOG_TRACE", NR_LOG_TRACE),
        ("NR_SEND_SENT", NR_SEND_SENT),
        ("NR_SEND_FULL", NR_SEND_FULL),
        ("NR_SEND_CLOSED", NR_SEND_CLOSED),
        ("NR_SEND_INVALID", NR_SEND_INVALID),
    ] {
        facts.insert(name.into(), value.to_string());
    }
    for (name, value) in [
        ("NR_ENTRY_SYMBOL", ENTRY_SYMBOL),
        ("NR_ATTACH_HOST_SYMBOL", ATTACH_HOST_SYMBOL),
        ("NR_GET_EXTENSION_SYMBOL", GET_EXTENSION_SYMBOL),
        ("NR_EXT_STATE", EXT_STATE.to_str().unwrap()),
        ("NR_EXT_LOG", EXT_LOG.to_str().unwrap()),
        ("NR_EXT_STREAM", EXT_STREAM.to_str().unwrap()),
        ("NR_EXT_CANCEL", EXT_CANCEL.to_str().unwrap()),
        ("NR_EXT_DEADLINE", EXT_DEADLINE.to_str().unwrap()),
        ("NR_EXT_CONFIG", EXT_CONFIG.to_str().unwrap()),
        ("NR_EXT_BUFFER", EXT_BUFFER.to_str().unwrap()),
        ("NR_EXT_INSTANCE", EXT_INSTANCE.to_str().unwrap()),
        ("NR_EXT_QUIESCE", EXT_QUIESCE.to_str().unwrap()),
        ("NR_EXT_HEALTH", EXT_HEALTH.to_str().unwrap()),
    ] {
        facts.insert(name.into(), value.into());
    }
    facts
}

fn facts_of_c() -> Facts {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("layout");
    let compiled = compile(Language::C11, &source("layout.c"), &include_dir(), &program);
    assert!(compiled.status.success(), "{}", errors(&compiled));
    let ran = run(&program);
    assert!(ran.status.success(), "layout.c: {}", ran.status);
    let text = String::from_utf8(ran.stdout).unwrap();
    let facts = text.lines().map(|line| {
        let (name, value) = line.split_once(' ').expect("a name and a value");
        (name.to_owned(), value.trim_end().to_owned())
    });
    facts.collect()
}

/// One line for each name of which the two say different things, or only one says anything.
fn differences(rust: &Facts, c: &Facts) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, value) in rust {
        match c.get(name) {
            Some(other) if other == value => {}
            Some(other) => lines.push(format!("{name}: Rust {value}, C {other}")),
            None => lines.push(format!("{name}: not in C")),
        }
    }
    let only_c = c.keys().filter(|name| !rust.contains_key(*name));
    lines.extend(only_c.map(|name| format!("{name}: not in Rust")));
    lines
}

#[test]
fn c_and_rust_agree() {
    let (rust, c) = (facts_of_rust(), facts_of_c());
    assert_eq!(differences(&rust, &c), Vec::<String>::new());
    assert_eq!(rust.len(), 121, "20 types, 66 fields, 35 constants");
}

#[test]
fn a_disagreement_is_noticed() {
    let rust = facts_of_rust();
    assert_eq!(differences(&rust, &rust), Vec::<String>::new());

    let mut moved = rust.clone();
    moved.insert("NrStr.len".into(), "offset 12 size 4 align 4".into());
    assert_eq!(differences(&rust, &moved), ["NrStr.len: Rust offset 8 size 4 align 4, C offset 12 size 4 align 4"]);

    let mut missing = rust.clone();
    missing.remove("NrHostApi.flags");
    assert_eq!(differences(&rust, &missing), ["NrHostApi.flags: not in C"]);
    assert_eq!(differences(&missing, &rust), ["NrHostApi.flags: not in Rust"]);
}
