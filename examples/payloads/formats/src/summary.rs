//! The work, and the list of formats.

use crate::{PayloadError, capnproto, flatbuffers, json, messagepack, protobuf, rkyv};

/// The answer, whatever format it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The name of the request.
    pub name: String,
    /// How many numbers there were.
    pub count: usize,
    /// Their sum.
    pub sum: i64,
}

impl Summary {
    /// What the plugin works out.
    pub(crate) fn of(name: &str, numbers: impl IntoIterator<Item = i64>) -> Result<Self, PayloadError> {
        let mut summary = Self { name: name.into(), count: 0, sum: 0 };
        for number in numbers {
            summary.count += 1;
            summary.sum = summary.sum.checked_add(number).ok_or(PayloadError::Sum)?;
        }
        Ok(summary)
    }
}

/// The functions of one format.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// The path that the plugin answers it on.
    pub path: &'static str,
    /// The host makes a request.
    pub request: fn(name: &str, numbers: &[i64]) -> Result<Vec<u8>, PayloadError>,
    /// The plugin decodes it, works, and encodes the answer.
    pub answer: fn(body: &[u8]) -> Result<Vec<u8>, PayloadError>,
    /// The host reads the answer.
    pub read: fn(payload: &[u8]) -> Result<Summary, PayloadError>,
}

/// All formats.
pub const FORMATS: [Format; 6] = [
    Format { path: "/json", request: json::request, answer: json::answer, read: json::read },
    Format {
        path: "/messagepack",
        request: messagepack::request,
        answer: messagepack::answer,
        read: messagepack::read,
    },
    Format { path: "/protobuf", request: protobuf::request, answer: protobuf::answer, read: protobuf::read },
    Format {
        path: "/flatbuffers",
        request: flatbuffers::request,
        answer: flatbuffers::answer,
        read: flatbuffers::read,
    },
    Format { path: "/capnproto", request: capnproto::request, answer: capnproto::answer, read: capnproto::read },
    Format { path: "/rkyv", request: rkyv::request, answer: rkyv::answer, read: rkyv::read },
];
