//! A client: one connection of hyper's.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinHandle};

pub type Body = BoxBody<Bytes, Infallible>;

pub struct Client {
    requests: SendRequest<Body>,
    connection: JoinHandle<()>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (requests, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(async move { drop(connection.await) });
        Self { requests, connection }
    }

    /// Sends a request that is answered.
    pub async fn send(&mut self, request: Request<Body>) -> Response<Incoming> {
        self.start(request).await.unwrap()
    }

    /// Sends a request that may be cut off.
    pub async fn start(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        self.requests.ready().await?;
        self.requests.send_request(request).await
    }

    /// Closes the connection, whatever is under way.
    pub fn hang_up(self) {
        self.connection.abort();
    }
}

pub fn get(path: &str) -> Request<Body> {
    Request::get(path).body(whole("")).unwrap()
}

pub fn post(path: &str, body: Body) -> Request<Body> {
    Request::post(path).body(body).unwrap()
}

/// With a content-length.
pub fn whole(text: &str) -> Body {
    Full::new(Bytes::copy_from_slice(text.as_bytes())).boxed()
}

/// Without one.
pub fn chunks(text: &str, len: usize) -> Body {
    let frames: Vec<_> =
        text.as_bytes().chunks(len).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk)))).collect();
    StreamBody::new(futures::stream::iter(frames)).boxed()
}

pub async fn text(response: Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8_lossy(&body).into_owned()
}
