//! Where things are: the workspace, the target directory and the profile of the running executable.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The target triple that this code was compiled for.
pub(crate) const TARGET: &str = env!("NYLON_RING_TARGET");

/// The target triple that this code was compiled for, for compilers that a test starts itself.
#[must_use]
pub fn target() -> &'static str {
    TARGET
}

/// Where cargo put the running executable, or would have put it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Cargo's target directory.
    pub(crate) target_dir: PathBuf,
    /// The triple, when cargo was run with `--target`.
    pub(crate) triple: Option<String>,
    /// The directory of the profile: `debug`, `release`, or a custom profile's own name.
    pub(crate) profile_dir: String,
}

impl Layout {
    /// The layout of the running executable.
    ///
    /// An executable outside of any target directory (a doctest, or one that was copied) counts as one of this
    /// workspace's default target directory, with the profile that it was compiled in.
    pub(crate) fn current() -> Self {
        env::current_exe().ok().and_then(|exe| Self::of(&exe)).unwrap_or_else(|| Self {
            target_dir: env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from),
            triple: None,
            profile_dir: if cfg!(debug_assertions) { "debug".to_owned() } else { "release".to_owned() },
        })
    }

    /// The layout of `exe`, when it lies below a target directory: `[<triple>/]<profile>/…`.
    ///
    /// Every target directory has cargo's notes on the compiler. The other mark, `CACHEDIR.TAG`, is missing from one that
    /// was there before cargo was, and found in the directories of triples.
    fn of(exe: &Path) -> Option<Self> {
        let target_dir = exe.ancestors().skip(1).find(|dir| dir.join(".rustc_info.json").is_file())?;
        let mut below = exe
            .strip_prefix(target_dir)
            .ok()?
            .parent()?
            .components()
            .map(|c| c.as_os_str().to_string_lossy().into_owned());
        let first = below.next()?;
        let (triple, profile_dir) = if first == TARGET { (Some(first), below.next()?) } else { (None, first) };
        Some(Self { target_dir: target_dir.to_owned(), triple, profile_dir })
    }

    /// What `cargo build --profile` calls the profile.
    pub(crate) fn profile(&self) -> &str {
        match self.profile_dir.as_str() {
            "debug" => "dev",
            other => other,
        }
    }

    /// Where cargo puts finished libraries.
    pub(crate) fn output_dir(&self) -> PathBuf {
        let mut dir = self.target_dir.clone();
        if let Some(triple) = &self.triple {
            dir.push(triple);
        }
        dir.push(&self.profile_dir);
        dir
    }
}

/// The root of the workspace that this crate was compiled in.
pub(crate) fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_running_test_is_in_a_target_directory() {
        let layout = Layout::current();
        assert!(layout.output_dir().is_dir(), "{layout:?}");
        let exe = env::current_exe().unwrap();
        assert!(exe.starts_with(layout.output_dir()), "{layout:?}");
    }

    #[test]
    fn an_executable_elsewhere_has_no_layout() {
        assert_eq!(Layout::of(Path::new("/nowhere/at/all")), None);
    }

    /// One target directory inside another, each a plain directory before cargo came; the inner one's triple has a tag.
    #[test]
    fn target_directories_may_be_nested_and_untagged() {
        let outer = Layout::current().target_dir.join("tmp/nested");
        let inner = outer.join("tsan");
        for mark in [".rustc_info.json".into(), "tsan/.rustc_info.json".into(), format!("tsan/{TARGET}/CACHEDIR.TAG")] {
            let mark = outer.join(mark);
            fs::create_dir_all(mark.parent().unwrap()).unwrap();
            fs::write(mark, "").unwrap();
        }
        for (exe, target_dir, triple) in [
            ("debug/deps/test", &outer, None),
            ("debug/build/package/hash/out/test", &outer, None),
            ("debug/demo", &outer, None),
            ("tsan/debug/deps/test", &inner, None),
            (&format!("tsan/{TARGET}/debug/deps/test"), &inner, Some(TARGET.to_owned())),
        ] {
            let wanted = Layout { target_dir: target_dir.clone(), triple, profile_dir: "debug".into() };
            assert_eq!(Layout::of(&outer.join(exe)), Some(wanted), "{exe}");
        }
        assert_eq!(Layout::of(&outer.join("test")), None);
    }

    #[test]
    fn the_workspace_has_the_c_header_beside_it() {
        assert!(workspace().join("Cargo.toml").is_file());
    }
}
