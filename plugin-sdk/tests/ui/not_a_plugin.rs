//! The trait is missing.
use nylon_ring_sdk::plugin;

struct Greeter;

plugin! { Greeter }

fn main() {}
