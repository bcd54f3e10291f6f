//! Sockets that share a port.
//!
//! With `SO_REUSEPORT` each worker has a queue of connections of its own, and the kernel spreads them. Elsewhere the workers share
//! one queue; all of them wake for a connection, and one gets it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// One listener for each of `count` workers, all at one address. Of port 0 becomes one that is free.
pub(crate) fn listen(address: SocketAddr, count: usize, one_listener: bool) -> io::Result<Vec<TcpListener>> {
    let own = cfg!(target_os = "linux") && !one_listener;
    let first = bind(address, own)?;
    let address = first.local_addr()?;
    let rest = (1..count).map(|_| if own { bind(address, own) } else { first.try_clone() });
    let mut listeners = rest.collect::<io::Result<Vec<_>>>()?;
    listeners.push(first);
    Ok(listeners)
}

fn bind(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Windows takes this for leave to steal the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    #[cfg(target_os = "linux")]
    socket.set_reuse_port(reuse_port)?;
    #[cfg(not(target_os = "linux"))]
    let _ = reuse_port;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
