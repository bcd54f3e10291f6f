//! Unary calls: one request, one result.

use std::time::{Duration, Instant};

use nylon_ring_host::{HighLevelRequest, NrStatus, NylonRingHost, NylonRingHostError};
use tokio::task::JoinSet;

use crate::ExampleError;

/// How many calls are in flight at once.
const CALLS: usize = 5;

/// Makes five calls at once. The example plugin takes 2 s for each; they all finish after 2 s, because neither side waits
/// on a thread of the other.
///
/// # Errors
///
/// The host's, and an answer other than `Ok`.
pub async fn run(host: &NylonRingHost) -> Result<(), ExampleError> {
    println!("{CALLS} calls of GET /hello at once, from one thread:");
    let start = Instant::now();
    let mut calls = JoinSet::new();
    for number in 1..=CALLS {
        calls.spawn(call(host.clone(), number, start));
    }
    let mut spent = Duration::ZERO;
    while let Some(finished) = calls.join_next().await {
        spent += finished??;
    }
    let (took, spent) = (start.elapsed().as_secs_f64(), spent.as_secs_f64());
    println!("  {CALLS} calls took {took:.2} s; one after another they would have taken {spent:.2} s");
    Ok(())
}

/// One call; returns how long it took.
async fn call(host: NylonRingHost, number: usize, start: Instant) -> Result<Duration, ExampleError> {
    let began = start.elapsed();
    let (status, payload) = hello(&host).await?;
    let ended = start.elapsed();
    let text = String::from_utf8_lossy(&payload).into_owned();
    println!(
        "  call {number}: from {:.2} s to {:.2} s: ({status:?}, {text:?})",
        began.as_secs_f64(),
        ended.as_secs_f64()
    );
    match status {
        NrStatus::Ok => Ok(ended - began),
        status => Err(ExampleError::Answer { path: "/hello", status, text }),
    }
}

/// What calling a plugin comes down to.
async fn hello(host: &NylonRingHost) -> Result<(NrStatus, Vec<u8>), NylonRingHostError> {
    let request = HighLevelRequest {
        method: "GET".into(),
        path: "/hello".into(),
        query: String::new(),
        headers: vec![("user-agent".into(), "nylon-ring example".into())],
        body: Vec::new(),
    };
    host.call(request).await
}
