//! The baselines: with mutexes, by owned and by borrowed requests, and with `DashMap`s.

use std::path::Path;

use nylon_ring::NrStatus;

use super::{Contender, owned, view};
use crate::{BaselineStream, BenchError, DashMapBaseline, MutexBaseline};

/// [`MutexBaseline::call`]: owned requests, as the plain host has them.
#[derive(Debug, Clone)]
pub struct Mutex(MutexBaseline);

/// [`MutexBaseline::call_view`]: borrowed requests, so that only the way back differs from [`Ring`](crate::Ring).
#[derive(Debug, Clone)]
pub struct MutexView(MutexBaseline);

/// [`DashMapBaseline::call`]: maps in shards instead of a mutex, else as [`Mutex`].
#[derive(Debug, Clone)]
pub struct DashMap(DashMapBaseline);

async fn count(stream: &mut BaselineStream) -> (u64, usize) {
    let (mut frames, mut bytes) = (0, 0);
    while let Some(frame) = stream.recv().await {
        frames += 1;
        bytes += frame.data.len();
    }
    (frames, bytes)
}

async fn collect(mut stream: BaselineStream) -> Vec<(NrStatus, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some(frame) = stream.recv().await {
        frames.push((frame.status, frame.data));
    }
    frames
}

macro_rules! owned_requests {
    ($contender:ident, $name:literal, $baseline:ident) => {
        impl Contender for $contender {
            const NAME: &'static str = $name;

            type Route = &'static str;

            fn load(plugin: &Path) -> Result<Self, BenchError> {
                $baseline::load(plugin).map(Self).map_err(Self::failed)
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
                self.0.shutdown();
                Ok(())
            }
        }
    };
}

owned_requests!(Mutex, "mutex", MutexBaseline);
owned_requests!(DashMap, "dashmap", DashMapBaseline);

impl Contender for MutexView {
    const NAME: &'static str = "mutex-view";

    type Route = &'static str;

    fn load(plugin: &Path) -> Result<Self, BenchError> {
        MutexBaseline::load(plugin).map(Self).map_err(Self::failed)
    }

    fn route(&self, path: &'static str) -> Result<&'static str, BenchError> {
        Ok(path)
    }

    async fn call(&self, path: &&'static str, body: &&[u8]) -> Result<(NrStatus, usize), Box<BenchError>> {
        let answer = self.0.call_view(view(path, body)).await;
        let (status, payload) = answer.map_err(Self::failed)?;
        Ok((status, payload.len()))
    }

    async fn fetch(&self, path: &str, body: &[u8]) -> Result<(NrStatus, Vec<u8>), BenchError> {
        let answer = self.0.call_view(view(path, body)).await;
        answer.map_err(Self::failed)
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
        self.0.shutdown();
        Ok(())
    }
}
