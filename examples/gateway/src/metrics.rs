//! The text that Prometheus reads.
//!
//! The number of series is fixed: the host's counters, and one for each status that the gateway knows. What comes from requests (paths,
//! headers) never becomes a label.

use std::{
    convert::Infallible,
    fmt::Write,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use nylon_ring_host::Metrics;
use tokio::{net, sync::watch, time};

use crate::{error::GatewayError, service::Service};

const CODES: [u16; 11] = [200, 400, 404, 408, 413, 431, 500, 502, 503, 504, 0];

/// Responses by status; the last one is for all others.
#[derive(Debug, Default)]
pub(crate) struct Counters([AtomicU64; CODES.len()]);

impl Counters {
    pub(crate) fn count(&self, status: StatusCode) {
        let index = CODES.iter().position(|code| *code == status.as_u16()).unwrap_or(CODES.len() - 1);
        // Ordering: Relaxed; a number for people, which orders nothing.
        self.0[index].fetch_add(1, Relaxed);
    }
}

/// All metrics, in Prometheus's text format.
fn render(host: &Metrics, counters: &Counters) -> String {
    let mut text = String::new();
    let mut metric = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
        // Writing to a string never fails.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let codes = CODES.iter().map(|code| if *code == 0 { "other".into() } else { code.to_string() });
    let values = codes.zip(&counters.0).map(|(code, count)| (format!("{{code=\"{code}\"}}"), count.load(Relaxed)));
    metric("gateway_responses_total", "counter", "Responses, by status.", &values.collect::<Vec<_>>());

    for (name, value, help) in [
        ("in_flight", host.in_flight, "Calls and streams in flight."),
        ("buffered_bytes", host.buffered, "Bytes that wait for their callers."),
    ] {
        metric(&format!("nylon_ring_{name}"), "gauge", help, &[(String::new(), value)]);
    }
    for (name, value, help) in [
        ("opened", host.opened, "Calls and streams opened."),
        ("delivered", host.delivered, "Results and frames that reached their call."),
        ("cancelled", host.cancelled, "Calls and streams given up."),
        ("refused", host.refused, "Calls and streams that the plugin refused."),
        ("timed_out", host.timed_out, "Calls and streams that were not answered in time."),
        ("overflowed", host.overflowed, "Calls and streams that ended past the buffer limit."),
        ("unknown_sid", host.unknown_sid, "Results dropped: for no open call."),
        ("late", host.late, "Results dropped: past their deadline."),
        ("duplicate", host.duplicate, "Results dropped: a second one."),
        ("after_end", host.after_end, "Frames dropped: after the terminal one."),
        ("overflow_dropped", host.overflow_dropped, "Results dropped: past the buffer limit."),
        ("unknown_status", host.unknown_status, "Statuses that the ABI does not name."),
        ("invalid_payload", host.invalid_payload, "Payloads that could not be read."),
        ("reactor_turns", host.reactor_turns, "Turns that reactors took."),
        ("batches", host.batches, "Batches drained."),
    ] {
        metric(&format!("nylon_ring_{name}_total"), "counter", help, &[(String::new(), value)]);
    }
    text
}

/// Answers `GET /metrics` until `stop` becomes true.
pub(crate) async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), GatewayError> {
    let listener = net::TcpListener::from_std(listener)?;
    loop {
        let stream = tokio::select! {
            // An error says that the gateway itself is gone.
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    time::sleep(time::Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let patience = service.timeout;
        let service = service.clone();
        let answer = service_fn(move |request| {
            let response = answer(&request, &service);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(patience)
            .serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(async move { connection.await.ok() });
    }
}

fn answer<B>(request: &Request<B>, service: &Service) -> Response<Full<Bytes>> {
    let (status, text) = if request.method() == Method::GET && request.uri().path() == "/metrics" {
        (StatusCode::OK, render(&service.host.metrics(), &service.counters))
    } else {
        (StatusCode::NOT_FOUND, "only GET /metrics is here\n".into())
    };
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    response
}
