//! C plugins: one C file, made into a shared object with the C header of the ABI.

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

/// The C file `examples/c/<name>`; `.c` may be left out.
#[must_use]
pub fn c_source(name: &str) -> PathBuf {
    workspace().join("examples/c").join(name).with_extension("c")
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
    BUILT.get(format!("{}\0{defines:?}", source.display()), || build(source, defines))
}

fn build(source: &Path, defines: &[(&str, Option<&str>)]) -> Result<PathBuf, ArtifactError> {
    let include = workspace().join("abi/include");
    let mut command = compiler(&include, defines)?;
    let name = source.file_stem().map_or_else(|| "plugin".into(), |s| s.to_string_lossy());
    let dir = Layout::current().output_dir().join("c-plugins");
    let path = dir.join(format!(
        "{}{name}-{:016x}{}",
        env::consts::DLL_PREFIX,
        fingerprint(&command, source, &include)?,
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
        .args(if SANITIZER.is_empty() { None } else { Some("-lc") })
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
fn compiler(include: &Path, defines: &[(&str, Option<&str>)]) -> Result<Command, ArtifactError> {
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
        .std("c11")
        .include(include)
        .cargo_metadata(false)
        .cargo_output(false)
        .cargo_warnings(false);
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

/// A hash of all that the result follows from. A source includes only what lies beside it and the ABI's header.
fn fingerprint(command: &Command, source: &Path, include: &Path) -> Result<u64, ArtifactError> {
    let mut hasher = DefaultHasher::new();
    command.get_program().hash(&mut hasher);
    for arg in command.get_args() {
        arg.hash(&mut hasher);
    }
    source.hash(&mut hasher);
    for dir in [source.parent().unwrap_or(Path::new(".")), include] {
        hash_sources(dir, &mut hasher)?;
    }
    Ok(hasher.finish())
}

fn hash_sources(dir: &Path, hasher: &mut DefaultHasher) -> Result<(), ArtifactError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(ArtifactError::io("list", dir))? {
        let path = entry.map_err(ArtifactError::io("list", dir))?.path();
        if path.extension().is_some_and(|e| e == "c" || e == "h") {
            files.push(path);
        }
    }
    files.sort();
    for path in files {
        path.hash(hasher);
        fs::read(&path).map_err(ArtifactError::io("read", &path))?.hash(hasher);
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
    }

    #[test]
    fn a_missing_compiler_says_what_to_install() {
        let text = missing("cc", &io::Error::from(io::ErrorKind::NotFound)).to_string();
        assert!(text.contains("apt-get install gcc"), "{text}");
    }
}
