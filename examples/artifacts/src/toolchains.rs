//! Go and Zig plugins, made by the compilers that `make toolchains` puts into the target directory.

use std::{
    env,
    ffi::OsString,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

use crate::{
    ArtifactError,
    layout::{Layout, workspace},
    once::Once,
};

static BUILT: Once = Once::new();

/// The shared object of one Go package, a `main` that registers a plugin. `package` is its directory.
///
/// As for [`c_plugin`](crate::c_plugin), the file's name holds a hash of all sources: those of the package's module, of the
/// SDK and the compiler's version.
///
/// # Errors
/// There is no Go (`make toolchains`), the sources cannot be read, or they do not compile.
pub fn go_plugin(package: &Path) -> Result<PathBuf, ArtifactError> {
    BUILT.get(format!("go\0{}", package.display()), || {
        let module = package.ancestors().find(|dir| dir.join("go.mod").is_file()).unwrap_or(package);
        let mut go = toolchain("go")?;
        go.current_dir(package)
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "")
            .env("GOWORK", "off")
            .env("CGO_ENABLED", "1")
            .env("GOCACHE", Layout::current().target_dir.join("go-cache"))
            .args(["build", "-buildvcs=false", "-buildmode=c-shared", "-o"]);
        let sources = [module, &workspace().join("plugin-sdk/go")];
        build("go", go, package, &sources, |output| vec![output.into(), ".".into()])
    })
}

/// The shared object of one Zig file that exports a plugin, made with the checks that Zig calls safe.
///
/// As for [`c_plugin`](crate::c_plugin), the file's name holds a hash of all sources: the files beside it, the SDK and the
/// compiler's version.
///
/// # Errors
/// There is no Zig (`make toolchains`), the sources cannot be read, or they do not compile.
pub fn zig_plugin(source: &Path) -> Result<PathBuf, ArtifactError> {
    BUILT.get(format!("zig\0{}", source.display()), || {
        let sdk = workspace().join("plugin-sdk/zig");
        let cache = Layout::current().target_dir.join("zig-cache");
        let mut zig = toolchain("zig")?;
        zig.args(["build-lib", "-dynamic", "-OReleaseSafe", "-fstrip", "-lc", "--dep", "nylon_ring"])
            .arg(format!("-Mroot={}", source.display()))
            .arg(format!("-Mnylon_ring={}", sdk.join("nylon_ring.zig").display()))
            .arg("--cache-dir")
            .arg(&cache)
            .arg("--global-cache-dir")
            .arg(&cache);
        let sources = [source.parent().unwrap_or(source), &sdk];
        build("zig", zig, source, &sources, |output| vec![format!("-femit-bin={}", output.display()).into()])
    })
}

/// A command of the compiler `name`, to be found in the target directory or the one around it.
///
/// # Errors
/// It is not there.
pub fn toolchain(name: &'static str) -> Result<Command, ArtifactError> {
    let target_dir = Layout::current().target_dir;
    let found = target_dir
        .ancestors()
        .take(2)
        .map(|dir| dir.join("toolchains/bin").join(name))
        .find(|program| program.is_file())
        .ok_or_else(|| ArtifactError::ToolchainMissing { name, target_dir: target_dir.clone() })?;
    Ok(Command::new(found))
}

/// Runs `compiler`, with the arguments that `output` makes of a path, unless what it would make of `sources` is there.
fn build(
    name: &'static str,
    mut compiler: Command,
    source: &Path,
    sources: &[&Path],
    output: impl FnOnce(&Path) -> Vec<OsString>,
) -> Result<PathBuf, ArtifactError> {
    let mut hasher = DefaultHasher::new();
    run(name, toolchain(name)?.arg("version"), source)?.hash(&mut hasher);
    compiler.get_args().for_each(|arg| arg.hash(&mut hasher));
    source.hash(&mut hasher);
    for dir in sources {
        hash_tree(dir, &mut hasher)?;
    }
    let dir = Layout::current().output_dir().join(format!("{name}-plugins"));
    let stem = source.file_stem().unwrap_or_default().to_string_lossy();
    let path =
        dir.join(format!("{}{stem}-{:016x}{}", env::consts::DLL_PREFIX, hasher.finish(), env::consts::DLL_SUFFIX));
    if path.is_file() {
        return Ok(path);
    }
    // A directory of its own, because a compiler may write more than one file.
    let scratch = dir.join(format!("{stem}.{}.tmp", process::id()));
    fs::create_dir_all(&scratch).map_err(ArtifactError::io("create", &scratch))?;
    let made = scratch.join("plugin");
    let built = run(name, compiler.args(output(&made)), source)
        .and_then(|_| fs::rename(&made, &path).map_err(ArtifactError::io("rename", &made)));
    // What is left there is in nobody's way.
    let _ = fs::remove_dir_all(&scratch);
    built.map(|()| path)
}

/// What a successful command writes.
fn run(name: &str, command: &mut Command, source: &Path) -> Result<Vec<u8>, ArtifactError> {
    let program = PathBuf::from(command.get_program());
    let output = command.stdin(Stdio::null()).output().map_err(ArtifactError::io("run", program))?;
    if !output.status.success() {
        return Err(ArtifactError::CompileFailed {
            compiler: name.to_owned(),
            source_file: source.to_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    Ok(output.stdout)
}

/// Hashes the sources below a directory.
fn hash_tree(dir: &Path, hasher: &mut DefaultHasher) -> Result<(), ArtifactError> {
    const SOURCES: [&str; 6] = ["go", "mod", "sum", "zig", "c", "h"];
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).map_err(ArtifactError::io("list", dir))? {
        entries.push(entry.map_err(ArtifactError::io("list", dir))?.path());
    }
    entries.sort();
    for path in entries {
        if path.is_dir() {
            hash_tree(&path, hasher)?;
        } else if path.extension().is_some_and(|e| SOURCES.iter().any(|source| e == *source)) {
            path.hash(hasher);
            fs::read(&path).map_err(ArtifactError::io("read", &path))?.hash(hasher);
        }
    }
    Ok(())
}
