//! Payload formats for nylon-ring: one file each, with both sides of it.
//!
//! A payload is bytes; host and plugin agree on a format between themselves. Here the host asks for the sum of some numbers, and
//! each format has the same three functions: `request` (the host encodes), `answer` (the plugin decodes, works, encodes), `read`
//! (the host decodes). To begin a project of your own, copy the one file that you like.
//!
//! | format | file | choose it when |
//! | --- | --- | --- |
//! | JSON | [`json`] | people read it, or any language must |
//! | MessagePack | [`messagepack`] | as JSON, but smaller and faster |
//! | Protobuf | [`protobuf`] | a schema is to outlive versions and languages |
//! | FlatBuffers | [`flatbuffers`] | large messages of which little is read; many languages |
//! | Cap'n Proto | [`capnproto`] | the same, with its own tools |
//! | rkyv | [`rkyv`] | both sides are Rust, and copies count |

#![deny(unsafe_code)]

pub mod capnproto;
mod error;
pub mod flatbuffers;
pub mod json;
pub mod messagepack;
pub mod protobuf;
pub mod rkyv;
mod summary;

pub use crate::{
    error::PayloadError,
    summary::{FORMATS, Format, Summary},
};

/// What the tools of two formats made of the schemas in `schema/`; each says there how.
#[rustfmt::skip]
mod generated {
    #[expect(clippy::unwrap_used, reason = "made by capnpc-rust")]
    pub(crate) mod sums_capnp;

    #[expect(
        unsafe_code,
        clippy::undocumented_unsafe_blocks,
        clippy::unwrap_used,
        clippy::allow_attributes_without_reason,
        reason = "made by flatc: safe as long as only verified buffers are read, which `flatbuffers::root` sees to"
    )]
    pub(crate) mod sums_flatbuffers;
}
