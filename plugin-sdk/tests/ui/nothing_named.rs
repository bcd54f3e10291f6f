//! The type is missing.
use nylon_ring_sdk::plugin;

plugin! {}

fn main() {}
