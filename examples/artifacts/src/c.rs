//! C and C++ plugins: one file, made into a shared object with the header of its language.

use std::{
    env, fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

use crate::{
    ArtifactError,
    layout::{Layout, TARGET, workspace},
    once::Once,
};

static BUILT: Once = Once::new();

/// The sanitizer that this code was compiled with (`-Zsanitizer`), or nothing. Plugins get the same: it then sees what
/// both sides do.
const SANITIZER: &str = env!("NYLON_RING_SANITIZER");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    C,
    Cpp,
}

impl Language {
    /// The folders of its headers.
    fn include(self) -> Vec<PathBuf> {
        let abi = workspace().join("abi/include");
        match self {
            Self::C => vec![abi],
            Self::Cpp => vec![abi, workspace().join("plugin-sdk/cpp/include")],
        }
    }

    /// What a plugin is linked with when there are no default libraries.
    fn libraries(self) -> &'static [&'static str] {
        match self {
            Self::C => &["-lc"],
            Self::Cpp => &["-lstdc++", "-lm", "-lc", "-lgcc_s"],
        }
    }
}

/// The C file `examples/c/<name>`; `.c` may be left out.
#[must_use]
pub fn c_source(name: &str) -> PathBuf {
    workspace().join("examples/c").join(name).with_extension("c")
}

/// The C++ file `examples/cpp/<name>`; `.cpp` may be left out.
#[must_use]
pub fn cpp_source(name: &str) -> PathBuf {
    workspace().join("examples/cpp").join(name).with_extension("cpp")
}

/// The shared object of one C file, compiled with `defines` (`-Dname` or `-Dname=value`).
///
/// The file's name holds a hash of the compiler's command, the source, the files beside it and the ABI's header: what is
/// there already is up to date. It is written under a temporary name and renamed, so that processes may build the same
/// plugin at the same time.
///
/// # Errors
/// There is no C compiler, the source cannot be read, or it does not compile without a warning.
pub fn c_plugin(source: &Path, defines: &[(&str, Option<&str>)]) -> Result<PathBuf, ArtifactError> {
    built(Language::C, source, defines)
}

/// As [`c_plugin`], of one C++ file, as C++17 and with the headers of `plugin-sdk/cpp`. Names are hidden unless exported, and none is
/// unique in the process: a library that has one is never unmapped.
///
/// # Errors
/// As [`c_plugin`], for a C++ compiler.
pub fn cpp_plugin(source: &Path, defines: &[(&str, Option<&str>)]) -> Result<PathBuf, ArtifactError> {
    built(Language::Cpp, source, defines)
}

fn built(language: Language, source: &Path, defines: &[(&str, Option<&str>)]) -> Result<PathBuf, ArtifactError> {
    BUILT.get(format!("{}\0{language:?}\0{defines:?}", source.display()), || build(language, source, defines))
}

fn build(language: Language, source: &Path, defines: &[(&str, Option<&str>)]) -> Result<PathBuf, ArtifactError> {
    let mut command = compiler(language, defines)?;
    let name = source.file_stem().map_or_else(|| "plugin".into(), |s| s.to_string_lossy());
    let dir = Layout::current().output_dir().join(match language {
        Language::C => "c-plugins",
        Language::Cpp => "cpp-plugins",
    });
    let path = dir.join(format!(
        "{}{name}-{:016x}{}",
        env::consts::DLL_PREFIX,
        fingerprint(&command, language, source)?,
        env::consts::DLL_SUFFIX
    ));
    if path.is_file() {
        return Ok(path);
    }
    fs::create_dir_all(&dir).map_err(ArtifactError::io("create", &dir))?;
    let mut temporary = path.clone().into_os_string();
    temporary.push(format!(".{}.tmp", process::id()));
    let temporary = PathBuf::from(temporary);
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .arg("-shared")
        .arg("-o")
        .arg(&temporary)
        .arg(source)
        .args(if SANITIZER.is_empty() { &[] } else { language.libraries() })
        .stdin(Stdio::null())
        .output()
        .map_err(|e| missing(&program, &e))?;
    if !output.status.success() {
        // Nothing may be there to remove: the compiler's own words are what counts.
        let _ = fs::remove_file(&temporary);
        return Err(ArtifactError::CompileFailed {
            compiler: program,
            source_file: source.to_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    fs::rename(&temporary, &path).map_err(ArtifactError::io("rename", &temporary))?;
    Ok(path)
}

/// The compiler that the `cc` crate finds, with every flag but the input and output.
fn compiler(language: Language, defines: &[(&str, Option<&str>)]) -> Result<Command, ArtifactError> {
    let mut build = cc::Build::new();
    build
        .target(TARGET)
        .host(TARGET)
        .opt_level(2)
        .debug(true)
        .pic(true)
        .warnings(true)
        .extra_warnings(true)
        .warnings_into_errors(true)
        .includes(language.include())
        .cargo_metadata(false)
        .cargo_output(false)
        .cargo_warnings(false);
    match language {
        Language::C => build.std("c11"),
        Language::Cpp => build
            .cpp(true)
            .cpp_link_stdlib(None)
            .std("c++17")
            .flag("-Wconversion")
            .flag("-fvisibility=hidden")
            .flag_if_supported("-fno-gnu-unique"),
    };
    for (name, value) in defines {
        build.define(name, *value);
    }
    if !SANITIZER.is_empty() {
        // gcc would bring a runtime of its own. There may be one in a process, and the executable has it.
        build.flag(format!("-fsanitize={SANITIZER}")).flag("-nodefaultlibs");
    }
    let tool = build.try_get_compiler().map_err(|e| ArtifactError::CompilerMissing { reason: e.to_string() })?;
    if tool.is_like_msvc() {
        return Err(ArtifactError::CompilerUnfit { compiler: tool.path().display().to_string() });
    }
    let mut command = tool.to_command();
    command.arg("-pthread");
    Ok(command)
}

fn missing(program: &str, error: &io::Error) -> ArtifactError {
    ArtifactError::CompilerMissing { reason: format!("`{program}`: {error}") }
}

/// A hash of all that the result follows from. A source includes only what lies beside it, and the headers of its
/// language.
fn fingerprint(command: &Command, language: Language, source: &Path) -> Result<u64, ArtifactError> {
    let mut hasher = DefaultHasher::new();
    command.get_program().hash(&mut hasher);
    for arg in command.get_args() {
        arg.hash(&mut hasher);
    }
    source.hash(&mut hasher);
    hash_sources(source.parent().unwrap_or(Path::new(".")), false, &mut hasher)?;
    for dir in language.include() {
        hash_sources(&dir, true, &mut hasher)?;
    }
    Ok(hasher.finish())
}

fn hash_sources(dir: &Path, folders_too: bool, hasher: &mut DefaultHasher) -> Result<(), ArtifactError> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir).map_err(ArtifactError::io("list", dir))? {
        paths.push(entry.map_err(ArtifactError::io("list", dir))?.path());
    }
    paths.sort();
    for path in paths {
        if folders_too && path.is_dir() {
            hash_sources(&path, true, hasher)?;
        } else if path.extension().is_some_and(|e| ["c", "h", "cpp", "hpp"].iter().any(|known| e == *known)) {
            path.hash(hasher);
            fs::read(&path).map_err(ArtifactError::io("read", &path))?.hash(hasher);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_with_or_without_its_extension() {
        assert_eq!(c_source("minimal"), c_source("minimal.c"));
        assert!(c_source("minimal").ends_with("examples/c/minimal.c"));
        assert!(cpp_source("echo").ends_with("examples/cpp/echo.cpp"));
    }

    #[test]
    fn a_missing_compiler_says_what_to_install() {
        let text = missing("cc", &io::Error::from(io::ErrorKind::NotFound)).to_string();
        assert!(text.contains("apt-get install gcc"), "{text}");
    }
}
