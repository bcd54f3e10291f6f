//! The host of this project, with borrowed and with owned requests.

use std::{path::Path, time::Duration};

use nylon_ring::NrStatus;
use nylon_ring_host::{NylonRingHost, NylonRingHostError, StreamReceiver};

use super::{Contender, owned, view};
use crate::BenchError;

/// [`NylonRingHost::call_view`]: borrowed requests, and payloads as the host has them.
#[derive(Debug, Clone)]
pub struct Ring(NylonRingHost);

/// [`NylonRingHost::call`]: owned requests, and payloads as `Vec<u8>`, like for like with [`Mutex`](crate::Mutex).
#[derive(Debug, Clone)]
pub struct RingCall(NylonRingHost);

/// Calls in flight of one thread that the host allows by default.
const SLOTS: usize = 16_384;

/// A host with the defaults, but for room for so many calls at a time, all from one thread.
fn load_for(plugin: &Path, in_flight: usize) -> Result<NylonRingHost, NylonRingHostError> {
    if in_flight <= SLOTS {
        NylonRingHost::load(plugin)
    } else {
        NylonRingHost::builder().slots_per_shard(in_flight).load(plugin)
    }
}

/// How long a plugin without work may take to stop.
const GRACE: Duration = Duration::from_secs(5);

async fn count(mut stream: StreamReceiver) -> (u64, usize) {
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

    fn load_for(plugin: &Path, in_flight: usize) -> Result<Self, BenchError> {
        load_for(plugin, in_flight).map(Self).map_err(Self::failed)
    }

    fn route(&self, path: &'static str) -> Result<&'static str, BenchError> {
        Ok(path)
    }

    async fn call(&self, path: &&'static str, body: &[u8]) -> Result<(NrStatus, usize), BenchError> {
        let answer = self.0.call_view(view(path, body)).await;
        let (status, payload) = answer.map_err(Self::failed)?;
        Ok((status, payload.len()))
    }

    async fn fetch(&self, path: &str, body: &[u8]) -> Result<(NrStatus, Vec<u8>), BenchError> {
        let answer = self.0.call_view(view(path, body)).await;
        let (status, payload) = answer.map_err(Self::failed)?;
        Ok((status, payload.into()))
    }

    async fn stream(&self, path: &&'static str) -> Result<(u64, usize), BenchError> {
        let stream = self.0.call_stream_view(view(path, b"")).await;
        Ok(count(stream.map_err(Self::failed)?).await)
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

    fn load_for(plugin: &Path, in_flight: usize) -> Result<Self, BenchError> {
        load_for(plugin, in_flight).map(Self).map_err(Self::failed)
    }

    fn route(&self, path: &'static str) -> Result<&'static str, BenchError> {
        Ok(path)
    }

    async fn call(&self, path: &&'static str, body: &[u8]) -> Result<(NrStatus, usize), BenchError> {
        let answer = self.0.call(owned(path, body)).await;
        let (status, payload) = answer.map_err(Self::failed)?;
        Ok((status, payload.len()))
    }

    async fn fetch(&self, path: &str, body: &[u8]) -> Result<(NrStatus, Vec<u8>), BenchError> {
        self.0.call(owned(path, body)).await.map_err(Self::failed)
    }

    async fn stream(&self, path: &&'static str) -> Result<(u64, usize), BenchError> {
        let stream = self.0.call_stream(owned(path, b"")).await;
        Ok(count(stream.map_err(Self::failed)?).await)
    }

    async fn frames(&self, path: &str) -> Result<Vec<(NrStatus, Vec<u8>)>, BenchError> {
        let stream = self.0.call_stream(owned(path, b"")).await;
        Ok(collect(stream.map_err(Self::failed)?).await)
    }

    async fn shutdown(&self) -> Result<(), BenchError> {
        self.0.shutdown(GRACE).await.map_err(Self::failed)
    }
}
