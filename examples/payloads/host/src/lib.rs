//! A host that calls a plugin in six payload formats.
//!
//! The formats are in `nylon-ring-payloads`, one file each; the plugin is `nylon-ring-payloads-plugin`.
//!
//! ```sh
//! cargo run --release -p nylon-ring-payloads-host
//! ```

#![forbid(unsafe_code)]

mod error;

pub use error::ExampleError;

use nylon_ring_host::{NrStatus, NylonRingHost, RequestView};
use nylon_ring_payloads::{Format, Summary};

/// Asks the plugin for the sum of `numbers` in one format. Returns the answer, with the sizes of request and answer in bytes.
///
/// # Errors
///
/// Whatever encoding, calling or decoding meets, and a status other than `Ok`.
pub async fn sum(
    host: &NylonRingHost,
    format: &Format,
    name: &str,
    numbers: &[i64],
) -> Result<(Summary, usize, usize), ExampleError> {
    let body = (format.request)(name, numbers)?;
    let view = RequestView { method: "POST", path: format.path, body: &body, ..Default::default() };
    match host.call_view(view).await? {
        (NrStatus::Ok, payload) => Ok(((format.read)(&payload)?, body.len(), payload.len())),
        (status, payload) => {
            let text = String::from_utf8_lossy(&payload).into_owned();
            Err(ExampleError::Answer { path: format.path, status, text })
        }
    }
}
