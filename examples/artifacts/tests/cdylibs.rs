//! Packages of this workspace, built on demand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use nylon_ring_artifacts::{ArtifactError, cargo_cdylib, example_plugin};

#[test]
fn the_example_plugin_lies_beside_this_executable_s_own_profile() {
    let path = example_plugin().unwrap();
    assert!(path.is_file(), "{}", path.display());
    let exe = std::env::current_exe().unwrap();
    assert!(exe.starts_with(path.parent().unwrap()), "{}", path.display());
    assert_eq!(example_plugin().unwrap(), path);
}

#[test]
fn a_package_that_is_not_there_is_an_error_with_cargo_s_words() {
    let error = cargo_cdylib("nylon-ring-of-fire").unwrap_err();
    assert!(matches!(error, ArtifactError::CargoFailed { .. }), "{error}");
    assert!(error.to_string().contains("nylon-ring-of-fire"), "{error}");
}

#[test]
fn a_package_without_a_cdylib_is_an_error() {
    let error = cargo_cdylib("nylon-ring").unwrap_err();
    assert!(matches!(error, ArtifactError::NoCdylib { .. }), "{error}");
}
