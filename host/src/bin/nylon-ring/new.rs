//! `new`: begins a plugin, as a project that builds, tests and passes `check` at once.
//!
//! What a project needs of nylon-ring lies in it as a copy, or is a dependency that its own build tool fetches.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use include_dir::Dir;

use crate::{
    embedded,
    error::{CliError, Outcome},
};

const EXAMPLES: &str = "\
Examples:
  nylon-ring new greeter --lang rust
  nylon-ring new plugins/greeter --lang cpp && make -C plugins/greeter test check
  nylon-ring new greeter --lang rust --sdk-path ~/src/nylon-ring

The folder must not exist yet; its name is the plugin's name: letters, digits, - and _, beginning with a letter.";

/// Begins a plugin: a project that builds, tests and passes `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The folder to make
    path: PathBuf,
    /// The language
    #[arg(long, value_name = "LANGUAGE")]
    lang: String,
    /// Rust: take the SDK from this source tree of nylon-ring [default: the one that this tool was built from, if it is
    /// still there; otherwise the published version]
    #[arg(long, value_name = "FOLDER")]
    sdk_path: Option<PathBuf>,
}

/// A language, and what a project in it gets.
struct Language {
    name: &'static str,
    also: &'static [&'static str],
    /// Folders of `host/templates`.
    templates: &'static [&'static str],
    /// Folders that it gets copies of, and under which name.
    copies: &'static [(&'static Dir<'static>, &'static str)],
    /// What to do next.
    commands: &'static [&'static str],
}

const MAKE: &[&str] = &["make test", "make check"];

const LANGUAGES: &[Language] = &[
    Language { name: "rust", also: &["rs"], templates: &["rust"], copies: &[], commands: &["cargo test"] },
    Language {
        name: "c",
        also: &[],
        templates: &["make", "c"],
        copies: &[(&embedded::ABI, "include")],
        commands: MAKE,
    },
    Language {
        name: "cpp",
        also: &["c++", "cxx"],
        templates: &["make", "cpp"],
        copies: &[(&embedded::ABI, "include"), (&embedded::CPP_SDK, "include")],
        commands: MAKE,
    },
    Language {
        name: "go",
        also: &["golang"],
        templates: &["make", "go"],
        copies: &[(&embedded::ABI, "include"), (&embedded::GO_SDK, "nylonring")],
        commands: MAKE,
    },
    Language {
        name: "zig",
        also: &[],
        templates: &["make", "zig"],
        copies: &[(&embedded::ABI, "include"), (&embedded::ZIG_SDK, "nylon_ring")],
        commands: MAKE,
    },
];

/// Makes a project.
pub(crate) fn run(args: &Args) -> Result<Outcome, CliError> {
    let language = language(&args.lang)?;
    let name = name(&args.path)?;
    if args.path.exists() {
        return Err(CliError::Project(format!(
            "{} is there already; give another folder, or remove it first",
            args.path.display()
        )));
    }
    let (sdk, host) = dependencies(args.sdk_path.as_deref())?;
    let ident = name.replace('-', "_");
    let values =
        [("name", name.as_str()), ("ident", &ident), ("Type", &type_name(&ident)), ("sdk", &sdk), ("host", &host)];
    for template in language.templates {
        embedded::fill(template, &args.path, &values)?;
    }
    for (dir, to) in language.copies {
        for (path, contents) in embedded::files(dir) {
            embedded::write(&args.path.join(to).join(path), contents)?;
        }
    }
    say(args, language).map_err(|source| CliError::Print { source })?;
    Ok(Outcome::Good)
}

fn say(args: &Args, language: &Language) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{} is a plugin in {}. Next:\n", args.path.display(), language.name)?;
    writeln!(out, "  cd {}", args.path.display())?;
    for command in language.commands {
        writeln!(out, "  {command}")?;
    }
    writeln!(out, "\nREADME.md there has the rest.")
}

fn language(name: &str) -> Result<&'static Language, CliError> {
    let lower = name.to_lowercase();
    LANGUAGES.iter().find(|l| l.name == lower || l.also.contains(&lower.as_str())).ok_or_else(|| {
        let names: Vec<&str> = LANGUAGES.iter().map(|l| l.name).collect();
        CliError::Project(format!("there is no template for {name:?}; --lang is one of {}", names.join(", ")))
    })
}

/// The plugin's name: that of the folder.
fn name(path: &Path) -> Result<String, CliError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let right = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if right {
        return Ok(name);
    }
    Err(CliError::Project(format!(
        "{name:?} cannot be the name of a plugin; use letters, digits, - and _, and begin with a letter"
    )))
}

/// `my_plugin` as the name of a type: `MyPlugin`.
fn type_name(ident: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    ident.split('_').map(capital).collect()
}

/// How Cargo.toml names the SDK and the host.
fn dependencies(sdk_path: Option<&Path>) -> Result<(String, String), CliError> {
    let version = format!("\"{}\"", env!("CARGO_PKG_VERSION"));
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).parent().filter(|tree| is_tree(tree));
    let Some(tree) = sdk_path.or(built_from) else { return Ok((version.clone(), version)) };
    if !is_tree(tree) {
        return Err(CliError::Project(format!(
            "{} has no plugin-sdk/Cargo.toml; give the folder of nylon-ring's sources by --sdk-path",
            tree.display()
        )));
    }
    let tree = fs::canonicalize(tree).map_err(|source| CliError::read(tree, source))?;
    let at = |part: &str| format!("{{ path = {:?} }}", tree.join(part).display().to_string());
    Ok((at("plugin-sdk"), at("host")))
}

fn is_tree(path: &Path) -> bool {
    path.join("plugin-sdk/Cargo.toml").is_file()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{language, name, type_name};

    #[test]
    fn names() {
        assert_eq!(name(Path::new("a/my-plugin_2")).unwrap(), "my-plugin_2");
        for bad in ["2nd", "a.b", "a b", "..", "-x", "\u{e4}"] {
            assert!(name(Path::new(bad)).is_err(), "{bad}");
        }
        assert_eq!(type_name("my_plugin_2"), "MyPlugin2");
    }

    #[test]
    fn an_unknown_language_is_told_the_known_ones() {
        assert!(language("Rust").is_ok() && language("rs").is_ok());
        let said = language("cobol").err().unwrap().to_string();
        assert!(said.contains("rust, c, cpp, go, zig"), "{said}");
    }
}
