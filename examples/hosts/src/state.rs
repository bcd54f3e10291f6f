//! State: what the host keeps for a plugin while one call is open.

use nylon_ring_host::{NrStatus, NylonRingHost, RequestView};

use crate::ExampleError;

/// Makes one call whose plugin stores method and path in the call's state, reads them back and answers with them. The
/// state is gone when the call is done; `examples/plugin/src/routes.rs` has the plugin's side.
///
/// # Errors
///
/// The host's, and an answer other than `Ok`.
pub async fn run(host: &NylonRingHost) -> Result<(), ExampleError> {
    println!("GET /state-demo:");
    let request = RequestView { method: "GET", path: "/state-demo", ..Default::default() };
    let (status, payload) = host.call_view(request).await?;
    let text = String::from_utf8_lossy(&payload).into_owned();
    println!("  ({status:?}, {text:?})");
    match status {
        NrStatus::Ok => Ok(()),
        status => Err(ExampleError::Answer { path: "/state-demo", status, text }),
    }
}
