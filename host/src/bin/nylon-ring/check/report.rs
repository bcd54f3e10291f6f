//! What the process of one check tells the process that started it: lines of JSON in a file.
//!
//! A file and not a pipe, because the plugin shares the standard streams and may die at any moment: each line is one
//! `write`, and what was written stays.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::fd::AsRawFd as _,
    path::Path,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use super::code::Code;

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// What is done next: where a crash or a hang then is.
    Phase(String),
    /// Something that breaks the contract.
    Finding { code: Code, what: String },
    /// Something that breaks it only where the host does so first.
    Advice { code: Code, what: String },
    /// The plugin touched memory that it must not, and dies of it.
    Fault(Code),
    /// A measurement or a fact, for the reader.
    Note(String),
    /// There is nothing to check: why.
    NotApplicable(String),
    /// The check ran to its end.
    Done,
}

static FILE: OnceLock<File> = OnceLock::new();
static DESCRIPTOR: AtomicI32 = AtomicI32::new(-1);

/// Opens the report. Once, before anything else.
pub(crate) fn open(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().append(true).open(path)?;
    // Ordering: Release; pairs with the load in `descriptor`.
    DESCRIPTOR.store(file.as_raw_fd(), Ordering::Release);
    let _first = FILE.set(file);
    Ok(())
}

/// For the signal handler.
pub(crate) fn descriptor() -> i32 {
    // Ordering: Acquire; pairs with the store in `open`.
    DESCRIPTOR.load(Ordering::Acquire)
}

fn write(line: &Line) {
    if let (Some(mut file), Ok(mut text)) = (FILE.get(), serde_json::to_vec(line)) {
        text.push(b'\n');
        // A report that cannot be written has no `Done`, which the other process takes for a crash.
        let _lost = file.write_all(&text);
    }
}

/// Says what is done next.
pub(crate) fn phase(what: &str) {
    write(&Line::Phase(what.to_owned()));
}

static FOUND: AtomicBool = AtomicBool::new(false);

/// Whether anything was found.
pub(crate) fn found_any() -> bool {
    // Ordering: Relaxed; asked by the thread that reports.
    FOUND.load(Ordering::Relaxed)
}

/// Something is wrong.
pub(crate) fn finding(code: Code, what: impl Into<String>) {
    // Ordering: Relaxed; see `found_any`.
    FOUND.store(true, Ordering::Relaxed);
    write(&Line::Finding { code, what: what.into() });
}

/// Something could be better.
pub(crate) fn advice(code: Code, what: impl Into<String>) {
    write(&Line::Advice { code, what: what.into() });
}

/// A fact.
pub(crate) fn note(what: impl Into<String>) {
    write(&Line::Note(what.into()));
}

/// There is nothing to check.
pub(crate) fn not_applicable(why: impl Into<String>) {
    write(&Line::NotApplicable(why.into()));
}

/// It is known already that answers are lost.
pub(crate) fn would_meet_the_same() {
    not_applicable("what was found above would be met here again; fix it first");
}

/// The end.
pub(crate) fn done() {
    write(&Line::Done);
}
