//! Fuzzes the readers of what comes over the ABI: any length, any bytes, any pointer that must not be read.
//!
//! `cargo test` tries random inputs for about a second; `make fuzz` for as long as it is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::ptr;

use bolero::TypeGenerator;
use nylon_ring::{NrBytes, NrHeader, NrRequest, NrStatus, NrStr};

/// A view as a plugin or a host might pass it.
#[derive(Debug, Clone, TypeGenerator)]
enum View {
    /// Of bytes that are there.
    Of(Vec<u8>),
    /// Null, and so long.
    Null(u32),
    /// Nowhere, and so long that it must not be read: past the end of the address space.
    Past(u32),
    /// Nowhere, and empty.
    Nowhere,
}

impl View {
    fn text(&self) -> NrStr {
        match self {
            Self::Of(bytes) => NrStr { ptr: bytes.as_ptr(), len: bytes.len() as u32 },
            Self::Null(len) => NrStr { ptr: ptr::null(), len: *len },
            Self::Past(len) => {
                NrStr { ptr: ptr::without_provenance(usize::MAX - *len as usize / 2), len: (*len).max(2) }
            }
            Self::Nowhere => NrStr { ptr: ptr::without_provenance(8), len: 0 },
        }
    }

    /// What a reader must see; `None` is an error.
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Of(bytes) => Some(bytes),
            Self::Null(0) | Self::Nowhere => Some(&[]),
            Self::Null(_) | Self::Past(_) => None,
        }
    }

    fn utf8(&self) -> Option<&str> {
        self.bytes().and_then(|bytes| str::from_utf8(bytes).ok())
    }
}

#[test]
fn views_and_headers() {
    bolero::check!().with_type::<(Vec<(View, View)>, u64, u32)>().for_each(|(pairs, far, status)| {
        let headers: Vec<NrHeader> =
            pairs.iter().map(|(key, value)| NrHeader { key: key.text(), value: value.text() }).collect();
        for view in pairs.iter().flat_map(|(key, value)| [key, value]) {
            let text = view.text();
            // SAFETY: the view's bytes live, or must not be read.
            assert_eq!(unsafe { text.as_str() }.ok(), view.utf8());
            let bytes = NrBytes { ptr: text.ptr, len: text.len.into() };
            // SAFETY: as above.
            assert_eq!(unsafe { bytes.as_slice() }.ok(), view.bytes());
            let huge = NrBytes { len: far | 1 << 63, ..bytes };
            // SAFETY: a length past `isize::MAX` must not be read.
            assert!(unsafe { huge.as_slice() }.is_err());
        }
        let request = NrRequest::build("", "", "", &headers).unwrap();
        // SAFETY: the headers live, and so do their texts, as far as they may be read.
        let seen = unsafe { request.header_refs() };
        let seen = seen.ok().map(|seen| seen.iter().map(|header| (header.key(), header.value())).collect::<Vec<_>>());
        let wanted: Option<Vec<_>> = pairs.iter().map(|(key, value)| Some((key.utf8()?, value.utf8()?))).collect();
        assert_eq!(seen, wanted);
        assert_eq!(NrStatus::from_raw(*status).map(|known| known as u32), (*status <= 4).then_some(*status));
    });
}
