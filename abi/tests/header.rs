//! The C header compiles without a warning as C11 and as C++17, works, and asserts its own layout.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs;
use support::{Language, compile, errors, include_dir, run, source};

fn compiles_and_works(language: Language) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("header-test");
    let compiled = compile(language, &source("header.c"), &include_dir(), &program);
    assert!(compiled.status.success(), "the header does not compile as {language:?}:\n{}", errors(&compiled));
    let ran = run(&program);
    let code = ran.status.code();
    assert_eq!(code, Some(0), "the check at this line of header.c failed");
}

#[test]
fn the_header_is_c11() {
    compiles_and_works(Language::C11);
}

#[test]
fn the_header_is_cxx17() {
    compiles_and_works(Language::Cxx17);
}

/// Compiles against a copy of the header with one change, and returns what the compiler says of it.
fn errors_of_a_changed_header(language: Language, from: &str, to: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let header = fs::read_to_string(include_dir().join("nylon_ring.h")).unwrap();
    assert_eq!(header.matches(from).count(), 1, "{from:?} is not there once");
    fs::write(folder.path().join("nylon_ring.h"), header.replace(from, to)).unwrap();
    let program = folder.path().join("header-test");
    let compiled = compile(language, &source("header.c"), folder.path(), &program);
    assert!(!compiled.status.success(), "{to:?} was not noticed");
    errors(&compiled)
}

#[test]
fn the_header_notices_a_changed_layout() {
    for language in [Language::C11, Language::Cxx17] {
        // Same size of the struct, same offsets; only the field itself is larger.
        let errors = errors_of_a_changed_header(language, "uint32_t len; ", "uint64_t len; ");
        assert!(errors.contains("NrStr.len: size"), "{errors}");

        let swapped = ("NrStr key;\n  NrStr value;", "NrStr value;\n  NrStr key;");
        let errors = errors_of_a_changed_header(language, swapped.0, swapped.1);
        assert!(errors.contains("NrHeader.key: offset"), "{errors}");

        let errors = errors_of_a_changed_header(language, "  uint64_t _reserved1;\n", "");
        assert!(errors.contains("NrRequest: size"), "{errors}");
    }
}

#[test]
fn the_header_reserves_its_own_prefixes_only() {
    let header = fs::read_to_string(include_dir().join("nylon_ring.h")).unwrap();
    for line in header.lines() {
        if let Some(name) = line.strip_prefix("#define ") {
            let ours = name.starts_with("NR_") || name.starts_with("NYLON_RING_H");
            assert!(ours, "{line}");
        }
        if let Some(name) = line.strip_prefix("typedef struct ") {
            assert!(name.starts_with("Nr"), "{line}");
        }
        if line.starts_with("static inline") {
            assert!(line.contains(" nr_") || line.contains(" *nr_"), "{line}");
        }
    }
}
