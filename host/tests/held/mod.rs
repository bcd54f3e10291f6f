//! The plugin `examples/c/held.c`, which answers when it is told to.

use nylon_ring_host::{NylonRingHost, RequestView};

pub fn held() -> NylonRingHost {
    let plugin = nylon_ring_artifacts::c_plugin(&nylon_ring_artifacts::c_source("held"), &[]).unwrap();
    NylonRingHost::load(plugin).unwrap()
}

pub fn view<'a>(path: &'a str, body: &'a [u8]) -> RequestView<'a> {
    RequestView { method: "GET", path, body, ..Default::default() }
}
