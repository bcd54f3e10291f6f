//! A worker: accepts connections, and drains them at the end.

use std::{convert::Infallible, io, net::TcpListener, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{net, net::TcpStream, sync::watch, time};

use crate::{error::GatewayError, service::Service};

/// How long to wait after an error of `accept`: it is the process's limit on open files as a rule, and does not go away at once.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves `listener` until `stop` becomes true; then what is under way may end within `grace`.
pub(crate) async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    mut stop: watch::Receiver<bool>,
    grace: Duration,
) -> Result<(), GatewayError> {
    let listener = net::TcpListener::from_std(listener)?;
    let connections = GracefulShutdown::new();
    loop {
        tokio::select! {
            biased;
            // An error says that the gateway itself is gone.
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => connect(stream, &service, &connections),
                Err(_) => time::sleep(PAUSE).await,
            },
        }
    }
    // Those that wait in the queue have been told that they are connected.
    let listener = listener.into_std()?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                connect(TcpStream::from_std(stream)?, &service, &connections);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    drop(listener);
    match time::timeout(grace, connections.shutdown()).await {
        // A client that has connected and says nothing is no reason to complain.
        Err(_) if service.host.metrics().in_flight > 0 => Err(GatewayError::Grace(grace)),
        _ => Ok(()),
    }
}

fn connect(stream: TcpStream, service: &Arc<Service>, connections: &GracefulShutdown) {
    // Small answers are not to wait for others. Without it they come all the same.
    let _ = stream.set_nodelay(true);
    let for_requests = service.clone();
    let connection =
        http1::Builder::new().timer(TokioTimer::new()).header_read_timeout(service.timeout).serve_connection(
            TokioIo::new(stream),
            service_fn(move |request| {
                let service = for_requests.clone();
                async move { Ok::<_, Infallible>(service.answer(request).await) }
            }),
        );
    let connection = connections.watch(connection);
    // Its error is the client's: it has gone, or does not speak HTTP.
    tokio::spawn(async move { connection.await.ok() });
}
