//! The two numbers of the demonstration.

use std::time::Duration;

use nylon_ring_benches::demo_throughput;

#[test]
fn both_hosts_get_work_done() {
    let throughput = demo_throughput(Duration::from_millis(150)).unwrap();
    assert!(throughput.ring > 0.0 && throughput.mutex > 0.0, "{throughput:?}");
    assert!(throughput.ratio().is_finite());
    assert!(throughput.to_string().contains("M calls/s"), "{throughput}");
}
