//! `cdylib` packages of this workspace.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    ArtifactError,
    layout::{Layout, workspace},
    once::Once,
};

static BUILT: Once = Once::new();

/// The Rust example plugin, `nylon-ring-plugin-example`.
///
/// # Errors
/// As [`cargo_cdylib`].
pub fn example_plugin() -> Result<PathBuf, ArtifactError> {
    cargo_cdylib("nylon-ring-plugin-example")
}

/// The shared object of the workspace's package `package`, built with the profile of the running executable.
///
/// Under cargo (`cargo test`, `run`, `bench`) the package is built first, so it is never stale. An executable that was
/// started on its own takes the library that lies next to it or in its profile's directory, and builds only when
/// there is none.
///
/// # Errors
/// `cargo` is not there and neither is the library, the build fails, or the package makes no shared object.
pub fn cargo_cdylib(package: &str) -> Result<PathBuf, ArtifactError> {
    BUILT.get(package.to_owned(), || {
        let file = file_name(package);
        if env::var_os("CARGO").is_none()
            && let Some(found) = beside_executable(&file)
        {
            return Ok(found);
        }
        build(package, &file)
    })
}

/// The platform's file name of a package's library.
fn file_name(package: &str) -> String {
    format!("{}{}{}", env::consts::DLL_PREFIX, package.replace('-', "_"), env::consts::DLL_SUFFIX)
}

fn beside_executable(file: &str) -> Option<PathBuf> {
    let exe = env::current_exe().ok()?;
    [exe.parent()?.to_owned(), Layout::current().output_dir()]
        .into_iter()
        .map(|dir| dir.join(file))
        .find(|path| path.is_file())
}

fn build(package: &str, file: &str) -> Result<PathBuf, ArtifactError> {
    let layout = Layout::current();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .args(["build", "--quiet", "--package", package])
        .args(["--profile", layout.profile()])
        .arg("--manifest-path")
        .arg(workspace().join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&layout.target_dir);
    if let Some(triple) = &layout.triple {
        command.args(["--target", triple]);
    }
    if let Ok(more) = env::var("NYLON_RING_ARTIFACT_ARGS") {
        command.args(more.split_whitespace());
    }
    let output = command.stdin(Stdio::null()).output().map_err(|e| ArtifactError::CargoMissing {
        cargo: cargo.to_string_lossy().into_owned(),
        package: package.to_owned(),
        file: file.to_owned(),
        reason: e.to_string(),
    })?;
    if !output.status.success() {
        return Err(ArtifactError::CargoFailed {
            package: package.to_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    let path = layout.output_dir().join(file);
    if path.is_file() { Ok(path) } else { Err(ArtifactError::NoCdylib { package: package.to_owned(), path }) }
}
