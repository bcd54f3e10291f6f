//! What the file of a library says, read without running any of it.

use std::{env, fs, path::Path};

use object::{
    BinaryFormat, Object as _, ObjectSection as _, ObjectSymbol as _, SymbolFlags,
    elf::{DF_1_NODELETE, DT_FLAGS_1, STB_GNU_UNIQUE},
    read::elf::{Dyn as _, ElfFile64, FileHeader as _},
};
use serde::Serialize;

use crate::error::CliError;

/// What is known of a library.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Facts {
    pub(crate) format: String,
    pub(crate) architecture: String,
    pub(crate) is_library: bool,
    pub(crate) for_this_machine: bool,
    /// `nylon_ring_…`
    pub(crate) exports: Vec<String>,
    pub(crate) needed: Vec<String>,
    pub(crate) undefined: usize,
    /// The language whose runtime it seems to carry.
    pub(crate) runtime: Option<&'static str>,
    pub(crate) no_delete: bool,
    pub(crate) unique_symbols: usize,
}

impl Facts {
    /// Why it can be no plugin, if it cannot.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.is_library {
            problems
                .push("it is no shared library; build it with -shared (cargo: crate-type = [\"cdylib\"])".to_owned());
        } else if !self.for_this_machine {
            problems.push(format!("it is built for {}; build it for {}", self.architecture, env::consts::ARCH));
        } else if !self.exports.iter().any(|name| name == nylon_ring::ENTRY_SYMBOL) {
            problems.push(format!("it does not export {}; export it as a C function", nylon_ring::ENTRY_SYMBOL));
        }
        problems
    }
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Facts, CliError> {
    let data = fs::read(path).map_err(|source| CliError::read(path, source))?;
    let Ok(file) = object::File::parse(&*data) else {
        return Ok(Facts { format: "no object file".to_owned(), architecture: "none".to_owned(), ..Facts::default() });
    };
    let mut facts = Facts {
        format: format!("{:?}", file.format()),
        architecture: format!("{:?}", file.architecture()),
        is_library: file.kind() == object::ObjectKind::Dynamic,
        runtime: runtime(&file),
        ..Facts::default()
    };
    facts.for_this_machine = facts.architecture.eq_ignore_ascii_case(env::consts::ARCH);
    for symbol in file.dynamic_symbols() {
        let name = symbol.name().unwrap_or_default();
        if symbol.is_undefined() {
            facts.undefined += usize::from(!name.is_empty());
        } else if name.trim_start_matches('_').starts_with("nylon_ring_") {
            facts.exports.push(name.trim_start_matches('_').to_owned());
        }
        if let SymbolFlags::Elf { st_info, .. } = symbol.flags() {
            facts.unique_symbols += usize::from(st_info >> 4 == STB_GNU_UNIQUE && !symbol.is_undefined());
        }
    }
    facts.exports.sort();
    if file.format() == BinaryFormat::Elf {
        read_elf(&data, &mut facts);
    } else if let Ok(imports) = file.imports() {
        facts.needed = imports.iter().map(|import| String::from_utf8_lossy(import.library()).into_owned()).collect();
        facts.needed.sort();
        facts.needed.dedup();
        facts.undefined = imports.len();
    }
    Ok(facts)
}

/// The parts of ELF's dynamic section that say what is needed and whether the library may go again.
fn read_elf(data: &[u8], facts: &mut Facts) {
    let Ok(file) = ElfFile64::<object::Endianness>::parse(data) else { return };
    let endian = file.endian();
    let Ok(sections) = file.elf_header().sections(endian, data) else { return };
    let Ok(Some((entries, strings))) = sections.dynamic(endian, data) else { return };
    let strings = sections.strings(endian, data, strings).unwrap_or_default();
    for entry in entries {
        if entry.is_string(endian) && entry.tag32(endian) == Some(object::elf::DT_NEEDED) {
            let name = entry.string(endian, strings).unwrap_or_default();
            facts.needed.push(String::from_utf8_lossy(name).into_owned());
        }
        if entry.tag32(endian) == Some(DT_FLAGS_1) {
            facts.no_delete = entry.val32(endian).unwrap_or(0) & DF_1_NODELETE != 0;
        }
    }
}

/// The language whose runtime the file seems to carry, by the sections that compilers leave.
fn runtime(file: &object::File<'_>) -> Option<&'static str> {
    if [".go.buildinfo", "__go_buildinfo", ".note.go.buildid"].iter().any(|name| file.section_by_name(name).is_some()) {
        return Some("Go");
    }
    let comment = file.section_by_name(".comment").and_then(|section| section.data().ok()).unwrap_or_default();
    let comment = String::from_utf8_lossy(comment);
    let symbol =
        |part: &str| file.dynamic_symbols().chain(file.symbols()).any(|s| s.name().is_ok_and(|n| n.contains(part)));
    if comment.contains("rustc version") || symbol("rust_eh_personality") {
        return Some("Rust");
    }
    if comment.contains("zig") || symbol("__zig_") {
        return Some("Zig");
    }
    (symbol("__gxx_personality") || symbol("_ZNSt")).then_some("C++")
}
