//! Tells the library what it was compiled for, which cargo says to build scripts alone: the target, and the sanitizer
//! (`thread`, `address`; empty when there is none).

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Ok(target) = env::var("TARGET") {
        println!("cargo:rustc-env=NYLON_RING_TARGET={target}");
    }
    println!("cargo:rustc-env=NYLON_RING_SANITIZER={}", env::var("CARGO_CFG_SANITIZE").unwrap_or_default());
}
