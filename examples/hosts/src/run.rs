//! What all examples have in common: find the plugin, load it, run, shut down.

use std::{env, path::PathBuf, process::ExitCode, time::Duration};

use nylon_ring_artifacts::{c_plugin, example_plugin};
use nylon_ring_host::NylonRingHost;

use crate::ExampleError;

/// How long calls that are in flight at the end may take.
const GRACE: Duration = Duration::from_secs(5);

/// Loads the plugin, runs `example`, and shuts the host down: all on this one thread, which therefore must never block.
///
/// # Errors
///
/// Whatever loading, the example or shutting down meets.
pub fn on_one_thread(
    example: impl AsyncFnOnce(&NylonRingHost) -> Result<(), ExampleError>,
) -> Result<(), ExampleError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let path = plugin()?;
        let host = NylonRingHost::load(&path)?;
        println!("loaded {} {} from {}", host.name(), host.version(), path.display());
        example(&host).await?;
        host.shutdown(GRACE).await?;
        Ok(())
    })
}

/// The library to load: the example plugin, or what the first argument names.
fn plugin() -> Result<PathBuf, ExampleError> {
    match env::args_os().nth(1).map(PathBuf::from) {
        None => Ok(example_plugin()?),
        Some(source) if source.extension().is_some_and(|e| e == "c") => Ok(c_plugin(&source, &[])?),
        Some(library) => Ok(library),
    }
}

/// Ends a `main`: prints the error, if any, in words.
pub fn report(result: Result<(), ExampleError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
