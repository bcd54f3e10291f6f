//! `call`: one call of a plugin, through the real host.

use std::{
    io::{self, IsTerminal as _, Write},
    path::PathBuf,
    time::Duration,
};

use nylon_ring_host::{
    HighLevelRequest, NrStatus, NylonRingHost,
    NylonRingHostError::{Overflow, Refused, Timeout},
};

use crate::{
    error::{CliError, Outcome},
    request_arg::{self, Parts, Target},
};

const EXAMPLES: &str = "\
Examples:
  nylon-ring call libgreeter.so GET /hello
  nylon-ring call libgreeter.so POST /users -H content-type:application/json -d '{\"name\":\"ada\"}'
  nylon-ring call libgreeter.so PUT /blob --data-file - < blob.bin > answer.bin
  nylon-ring call libgreeter.so GET /events --stream

The answer goes to standard output as it is, frames one after the other as they come.
Exit codes: 0 answered with Ok (a stream: ended by StreamEnd); 1 answered with an error, refused, or too late; 2 not called.";

/// Calls a plugin once and prints its answer.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, mut_arg("data", |arg| arg.short('d')))]
pub(crate) struct Args {
    /// The plugin's shared library
    plugin: PathBuf,
    /// Such as GET
    method: String,
    /// Such as /hello?name=ada
    path: String,
    #[command(flatten)]
    parts: Parts,
    /// Call for a stream, and print its frames
    #[arg(short, long)]
    stream: bool,
    /// Print the status, of each frame too, to standard error
    #[arg(short = 'i', long)]
    status: bool,
    /// Print what is done, to standard error
    #[arg(short, long)]
    verbose: bool,
    /// What `nylon.config/1` gives the plugin
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long to wait for the answer
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

/// How long calls may take to end when the plugin is shut down.
const GRACE: Duration = Duration::from_secs(1);

/// Calls the plugin.
pub(crate) fn run(args: Args) -> Result<Outcome, CliError> {
    let Target { method, path, query } = Target::new(&args.method, &args.path)?;
    let (headers, body) = (args.parts.headers()?, args.parts.body()?);
    let request = HighLevelRequest { method, path, query, headers, body };
    let plugin = request_arg::plugin(&args.plugin)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::Harness { source })?;
    let mut builder = NylonRingHost::builder().timeout(args.timeout);
    if let Some(path) = &args.config {
        builder = builder.config(std::fs::read(path).map_err(|source| CliError::read(path, source))?);
    }
    runtime.block_on(async {
        let host = builder.load(plugin)?;
        if args.verbose {
            say(format_args!("loaded {} {}", host.name(), host.version()));
        }
        let answer = answer(&host, request, &args).await;
        // What is still in flight is the plugin's matter; it was answered, or it was too late.
        let _in_flight = host.shutdown(GRACE).await;
        match answer {
            Ok(status) => Ok(outcome(status, args.stream)),
            Err(CliError::Host(error @ (Refused { .. } | Overflow { .. } | Timeout))) => {
                say(format_args!("nylon-ring: {error}"));
                Ok(Outcome::Bad)
            }
            Err(error) => Err(error),
        }
    })
}

async fn answer(host: &NylonRingHost, request: HighLevelRequest, args: &Args) -> Result<NrStatus, CliError> {
    if !args.stream {
        let (status, payload) = host.call(request).await?;
        show(args, status, payload.len());
        print(&payload)?;
        return Ok(status);
    }
    let mut stream = host.call_stream(request).await?;
    let mut last = NrStatus::Err;
    while let Some(frame) = stream.recv().await {
        last = frame.status;
        show(args, frame.status, frame.data.len());
        if let Some(error) = stream.error() {
            say(format_args!("nylon-ring: {error}"));
            break; // the frame is the host's own
        }
        print(&frame.data)?;
    }
    Ok(last)
}

fn outcome(status: NrStatus, stream: bool) -> Outcome {
    let good = if stream { NrStatus::StreamEnd } else { NrStatus::Ok };
    if status == good { Outcome::Good } else { Outcome::Bad }
}

fn show(args: &Args, status: NrStatus, len: usize) {
    if args.status || args.verbose {
        say(format_args!("{status}, {len} bytes"));
    }
}

fn print(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    // A terminal wants lines; a file or a pipe gets the bytes and nothing else.
    let end: &[u8] = if out.is_terminal() && !bytes.is_empty() { b"\n" } else { b"" };
    out.write_all(bytes)
        .and_then(|()| out.write_all(end))
        .and_then(|()| out.flush())
        .map_err(|source| CliError::Print { source })
}

fn say(text: std::fmt::Arguments<'_>) {
    // Where standard error cannot be written to, nobody is there to be told.
    let _unheard = writeln!(io::stderr(), "{text}");
}
