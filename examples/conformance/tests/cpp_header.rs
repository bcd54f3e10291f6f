//! The C++ header compiles without a warning in several ways, works, and says what a plugin lacks. Each load of a plugin has statics
//! of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use futures::executor::block_on;
use nylon_ring_host::{NylonRingHost, RequestView};

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// A file that only this test writes.
fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Compiles a C++ file with `flags`, every warning an error.
fn compile(source: &Path, flags: &[&str], output: &Path) -> Output {
    let target = nylon_ring_artifacts::target();
    let tool = cc::Build::new()
        .cpp(true)
        .target(target)
        .host(target)
        .opt_level(1)
        .cargo_output(false)
        .try_get_compiler()
        .unwrap_or_else(|error| panic!("no C++ compiler ({error}); install g++ or clang, or set CXX"));
    let mut command = tool.to_command();
    command
        .args(["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror", "-pthread"])
        .arg("-I")
        .arg(workspace().join("abi/include"))
        .arg("-I")
        .arg(workspace().join("plugin-sdk/cpp/include"))
        .args(flags)
        .arg(source)
        .arg("-o")
        .arg(output);
    command.output().unwrap_or_else(|error| {
        panic!("cannot start {}: {error}; install g++ or clang, or set CXX", command.get_program().display())
    })
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Compiles `header.cpp` with `flags`, and runs it.
fn works(name: &str, flags: &[&str]) {
    let program = scratch(name);
    let compiled = compile(&workspace().join("plugin-sdk/cpp/tests/header.cpp"), flags, &program);
    assert!(compiled.status.success(), "{flags:?}:\n{}", said(&compiled));
    let ran = Command::new(&program).output().unwrap();
    assert!(ran.status.success(), "{flags:?}: {:?}: {}", ran.status, said(&ran));
}

#[test]
fn the_header_is_cxx17() {
    works("header-17", &[]);
}

#[test]
fn the_header_is_cxx20() {
    works("header-20", &["-std=c++20"]);
}

#[test]
fn the_header_needs_no_rtti() {
    works("header-no-rtti", &["-fno-rtti"]);
}

#[test]
fn a_plugin_that_lacks_something_is_told_what() {
    let answers = "void handle(const nylon_ring::Request &, nylon_ring::Call) {}";
    for (name, body, says) in [
        ("nothing", "", "a plugin has a public member function void handle"),
        ("wrong-handle", "void handle(int) {}", "a plugin has a public member function void handle"),
        ("constructor", &format!("explicit Plugin(int) {{}} {answers}"), "a plugin has a public constructor"),
        (
            "words",
            &format!("{answers} int words() {{ nylon_ring::Bytes(std::u16string()); return 0; }}"),
            "made of bytes",
        ),
        ("whole", answers, ""),
    ] {
        let source = scratch(&format!("lacks-{name}.cpp"));
        let text = format!(
            "#include <nylon_ring.hpp>\nstruct Plugin {{ {body} }};\nNYLON_RING_PLUGIN(Plugin, \"p\", \"1\");\n"
        );
        fs::write(&source, text).unwrap();
        let compiled = compile(&source, &["-shared", "-fPIC"], &source.with_extension("so"));
        assert_eq!(compiled.status.success(), says.is_empty(), "{name}: {}", said(&compiled));
        assert!(said(&compiled).contains(says), "{name}: {}", said(&compiled));
    }
}

/// gcc makes the statics of templates and inline functions unique in a process, for all copies of a library that export them.
#[test]
fn each_load_has_statics_of_its_own() {
    let source = scratch("visible.cpp");
    let text = r#"
        #include <nylon_ring.hpp>
        struct Visible {
          explicit Visible(const nylon_ring::Host &with) : host(with) {}
          void handle(const nylon_ring::Request &, nylon_ring::Call call) { call.reply(host.config()); }
          nylon_ring::Host host;
        };
        NYLON_RING_PLUGIN(Visible, "visible", "1");
    "#;
    fs::write(&source, text).unwrap();
    let library = source.with_extension("so");
    let compiled = compile(&source, &["-shared", "-fPIC"], &library);
    assert!(compiled.status.success(), "{}", said(&compiled));
    let hosts = ["first", "second"].map(|config| NylonRingHost::builder().config(config).load(&library).unwrap());
    for (host, config) in hosts.iter().zip(["first", "second"]) {
        let (_, answer) = block_on(host.call_view(RequestView::default())).unwrap();
        assert_eq!(answer, config);
    }
}
