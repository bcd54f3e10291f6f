//! The host of this project, with borrowed and with owned requests.

use std::{path::Path, time::Duration};

use nylon_ring::NrStatus;
use nylon_ring_host::{Idle, NylonRingHost, NylonRingHostError, Reactors, StreamReceiver};

use super::{Contender, owned, view};
use crate::{
    BenchError,
    work::{Shape, Strategy},
};

/// [`NylonRingHost::call_view`]: borrowed requests, and payloads as the host has them.
#[derive(Debug, Clone)]
pub struct Ring(NylonRingHost);

/// [`NylonRingHost::call`]: owned requests, and payloads as `Vec<u8>`, like for like with [`Mutex`](crate::Mutex).
#[derive(Debug, Clone)]
pub struct RingCall(NylonRingHost);

/// How long a plugin without work may take to stop.
const GRACE: Duration = Duration::from_secs(5);
/// How many calls a shard has room for by default.
const SLOTS: usize = 16_384;

/// For how long a reactor keeps the core after a result: longer than one call at a time takes.
const SPIN: Idle = Idle::Spin(Duration::from_millis(1));

/// A host with room for the calls in flight, whose reactors run and wait as they are told to.
fn load_for(plugin: &Path, shape: &Shape) -> Result<NylonRingHost, NylonRingHostError> {
    let mut builder = NylonRingHost::builder();
    if shape.in_flight > SLOTS {
        // All callers may be on one thread, and so on one shard.
        builder = builder.slots_per_shard(shape.in_flight);
    }
    let last_core = || core_affinity::get_core_ids().and_then(|cores| cores.last().map(|core| core.id)).unwrap_or(0);
    match shape.strategy {
        Strategy::Default => builder,
        Strategy::Park => builder.idle(Idle::Park),
        Strategy::Spin => builder.idle(SPIN),
        Strategy::Threads => builder.reactors(Reactors::Threads),
        Strategy::ThreadsSpin => builder.reactors(Reactors::Threads).idle(SPIN),
        Strategy::PinnedSpin => builder.reactors(Reactors::PinnedThreads(vec![last_core()])).idle(SPIN),
    }
    .load(plugin)
}

async fn count(stream: &mut StreamReceiver) -> (u64, usize) {
    let (mut frames, mut bytes) = (0, 0);
    while let Some(frame) = stream.recv().await {
        frames += 1;
        bytes += frame.data.len();
    }
    (frames, bytes)
}

async fn collect(mut stream: StreamReceiver) -> Vec<(NrStatus, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some(frame) = stream.recv().await {
        frames.push((frame.status, frame.data.into()));
    }
    frames
}

impl Contender for Ring {
    const NAME: &'static str = "ring";

    type Route = &'static str;

    fn load(plugin: &Path) -> Result<Self, BenchError> {
        NylonRingHost::load(plugin).map(Self).map_err(Self::failed)
    }

    fn load_for(plugin: &Path, shape: &Shape) -> Result<Self, BenchError> {
        load_for(plugin, shape).map(Self).map_err(Self::failed)
    }

    fn route(&self, path: &'static str) -> Result<&'static str, BenchError> {
        Ok(path)
    }

    async fn call(&self, path: &&'static str, body: &&[u8]) -> Result<(NrStatus, usize), Box<BenchError>> {
        // Not by `?`: an answer that is made another `Result` first is copied on the way.
        match self.0.call_view(view(path, body)).await {
            Ok((status, payload)) => Ok((status, payload.len())),
            Err(error) => Err(Self::failed(error).into()),
        }
    }

    async fn fetch(&self, path: &str, body: &[u8]) -> Result<(NrStatus, Vec<u8>), BenchError> {
        let answer = self.0.call_view(view(path, body)).await;
        let (status, payload) = answer.map_err(Self::failed)?;
        Ok((status, payload.into()))
    }

    async fn stream(&self, path: &&'static str) -> Result<(u64, usize), Box<BenchError>> {
        let mut stream = self.0.call_stream_view(view(path, b"")).await.map_err(Self::failed)?;
        Ok(count(&mut stream).await)
    }

    async fn frames(&self, path: &str) -> Result<Vec<(NrStatus, Vec<u8>)>, BenchError> {
        let stream = self.0.call_stream_view(view(path, b"")).await;
        Ok(collect(stream.map_err(Self::failed)?).await)
    }

    async fn shutdown(&self) -> Result<(), BenchError> {
        self.0.shutdown(GRACE).await.map_err(Self::failed)
    }
}

impl Contender for RingCall {
    const NAME: &'static str = "ring-call";

    type Route = &'static str;

    fn load(plugin: &Path) -> Result<Self, BenchError> {
        NylonRingHost::load(plugin).map(Self).map_err(Self::failed)
    }

    fn load_for(plugin: &Path, shape: &Shape) -> Result<Self, BenchError> {
        load_for(plugin, shape).map(Self).map_err(Self::failed)
    }

    fn route(&self, path: &'static str) -> Result<&'static str, BenchError> {
        Ok(path)
    }

    async fn call(&self, path: &&'static str, body: &&[u8]) -> Result<(NrStatus, usize), Box<BenchError>> {
        let answer = self.0.call(owned(path, body)).await;
        let (status, payload) = answer.map_err(Self::failed)?;
        Ok((status, payload.len()))
    }

    async fn fetch(&self, path: &str, body: &[u8]) -> Result<(NrStatus, Vec<u8>), BenchError> {
        self.0.call(owned(path, body)).await.map_err(Self::failed)
    }

    async fn stream(&self, path: &&'static str) -> Result<(u64, usize), Box<BenchError>> {
        let mut stream = self.0.call_stream(owned(path, b"")).await.map_err(Self::failed)?;
        Ok(count(&mut stream).await)
    }

    async fn frames(&self, path: &str) -> Result<Vec<(NrStatus, Vec<u8>)>, BenchError> {
        let stream = self.0.call_stream(owned(path, b"")).await;
        Ok(collect(stream.map_err(Self::failed)?).await)
    }

    async fn shutdown(&self) -> Result<(), BenchError> {
        self.0.shutdown(GRACE).await.map_err(Self::failed)
    }
}
