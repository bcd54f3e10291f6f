//! The files that the tool carries along: templates, the C header, and the sources that new projects get copies of.

use std::{
    fs,
    path::{Path, PathBuf},
};

use include_dir::{Dir, include_dir};

use crate::error::CliError;

/// `host/templates`: files that end in `.in`, with `{{name}}` for what differs.
pub(crate) static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// The C header.
pub(crate) static ABI: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../abi/include");

/// The C examples; the misbehaving plugin is one of them.
pub(crate) static C_EXAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../examples/c");

/// The C++ SDK: headers.
pub(crate) static CPP_SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugin-sdk/cpp/include");

/// The Go SDK: a module.
pub(crate) static GO_SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugin-sdk/go");

/// The Zig SDK: a module.
pub(crate) static ZIG_SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugin-sdk/zig");

/// All files of a folder and of those in it, with their paths in it.
pub(crate) fn files<'a>(dir: &'a Dir<'a>) -> Vec<(PathBuf, &'a [u8])> {
    let mut all = Vec::new();
    let mut folders = vec![dir];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            let path = file.path().strip_prefix(dir.path()).unwrap_or(file.path());
            all.push((path.to_owned(), file.contents()));
        }
    }
    all.sort();
    all
}

/// Writes a file, and the folders that it is in.
pub(crate) fn write(path: &Path, contents: &[u8]) -> Result<(), CliError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| CliError::write(folder, source))?;
    }
    fs::write(path, contents).map_err(|source| CliError::write(path, source))
}

/// Writes the files of a template, without the `.in` of their names and with the values in their places.
pub(crate) fn fill(template: &str, into: &Path, values: &[(&str, &str)]) -> Result<(), CliError> {
    let Some(dir) = TEMPLATES.get_dir(template) else {
        return Err(CliError::Project(format!("the template {template} is missing from this build of the tool")));
    };
    for (path, contents) in files(dir) {
        let mut text = String::from_utf8_lossy(contents).into_owned();
        for (name, value) in values {
            text = text.replace(&format!("{{{{{name}}}}}"), value);
        }
        write(&into.join(path.with_extension("")), text.as_bytes())?;
    }
    Ok(())
}
