//! Mistakes in plugins, and what the compiler says of them: a plugin of each file in `ui` does not compile.
//!
//! The words of the compiler change with its version: after an update `TRYBUILD=overwrite cargo test -p nylon-ring-sdk --test
//! mistakes` writes them anew, to be read before they are committed.

#[test]
#[cfg_attr(miri, ignore = "starts the compiler")]
fn mistakes_are_named() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
