//! Tells the library which target it was compiled for: cargo says so to build scripts alone.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Ok(target) = std::env::var("TARGET") {
        println!("cargo:rustc-env=NYLON_RING_TARGET={target}");
    }
}
