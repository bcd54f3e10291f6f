//! The edge cases of making and reading views.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use nylon_ring::{NrBytes, NrHeader, NrHeaderRef, NrRequest, NrStr, NrViewError};
use std::{error::Error, ptr};

/// A pointer that must never be read.
fn nowhere<T>() -> *const T {
    ptr::without_provenance(1 << 20)
}

fn read(view: NrStr) -> Result<String, NrViewError> {
    // SAFETY: the tests below pass live text, or what must not be read.
    unsafe { view.as_str() }.map(str::to_owned)
}

fn read_bytes(view: NrBytes) -> Result<Vec<u8>, NrViewError> {
    // SAFETY: the tests below pass live bytes, or what must not be read.
    unsafe { view.as_slice() }.map(<[u8]>::to_vec)
}

#[test]
fn text_goes_round() {
    for text in ["", "a", "/hello", "grüezi 𝄞", "a\0b"] {
        assert_eq!(read(NrStr::from_str(text)).unwrap(), text);
        assert_eq!(read(NrStr::try_from_str(text).unwrap()).unwrap(), text);
    }
    assert_eq!(read(NrStr::EMPTY).unwrap(), "");
    assert!(NrStr::default().ptr.is_null());
}

#[test]
fn empty_text_is_never_read() {
    let view = NrStr { ptr: nowhere(), len: 0 };
    assert!(view.is_empty());
    assert_eq!(read(view).unwrap(), "");
}

#[test]
fn null_text_with_a_length_is_refused() {
    for len in [1, u32::MAX] {
        let view = NrStr { ptr: ptr::null(), len };
        let len = u64::from(len);
        assert_eq!(read(view), Err(NrViewError::NullPointer { len }));
    }
}

#[test]
fn text_past_the_end_of_the_address_space_is_refused() {
    let view = NrStr { ptr: ptr::without_provenance(usize::MAX - 9), len: 10 };
    assert_eq!(read(view), Err(NrViewError::TooLong { len: 10, max: 9 }));
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    for bytes in [&b"\xff"[..], b"ab\xc3", b"\xed\xa0\x80", b"\xc0\xaf"] {
        let view = NrStr { ptr: bytes.as_ptr(), len: bytes.len() as u32 };
        let error = read(view).unwrap_err();
        assert!(matches!(error, NrViewError::NotUtf8(_)), "{error:?}");
        assert!(error.source().is_some());
    }
}

#[test]
fn bytes_go_round() {
    for bytes in [&b""[..], b"\0", b"\xff\xfe", b"payload"] {
        assert_eq!(read_bytes(NrBytes::from_slice(bytes)).unwrap(), bytes);
    }
    assert_eq!(read_bytes(NrBytes::EMPTY).unwrap(), b"");
    assert!(NrBytes::default().ptr.is_null());
    assert!(!NrBytes::from_slice(b"").ptr.is_null());
    let view = NrBytes { ptr: nowhere(), len: 0 };
    assert_eq!(read_bytes(view).unwrap(), b"");
}

#[test]
fn impossible_bytes_are_refused() {
    for len in [1, u64::MAX] {
        let view = NrBytes { ptr: ptr::null(), len };
        assert_eq!(read_bytes(view), Err(NrViewError::NullPointer { len }));
    }
    let max = isize::MAX as u64;
    for len in [max + 1, u64::MAX] {
        let view = NrBytes { ptr: nowhere(), len };
        assert_eq!(read_bytes(view), Err(NrViewError::TooLong { len, max }));
    }
    let view = NrBytes { ptr: ptr::without_provenance(usize::MAX), len: 1 };
    assert_eq!(read_bytes(view), Err(NrViewError::TooLong { len: 1, max: 0 }));
}

#[test]
fn views_point_at_the_original() {
    let text = String::from("here");
    assert_eq!(NrStr::from_str(&text).ptr, text.as_ptr());
    assert_eq!(NrBytes::from_slice(text.as_bytes()).ptr, text.as_ptr());
}

#[test]
fn a_request_goes_round() {
    let headers = [NrHeader::new("host", "localhost"), NrHeader::new("", "")];
    let request = NrRequest::build("GET", "/hello", "a=1", &headers).unwrap();
    assert_eq!(read(request.method).unwrap(), "GET");
    assert_eq!(read(request.path).unwrap(), "/hello");
    assert_eq!(read(request.query).unwrap(), "a=1");
    assert_eq!((request._reserved0, request._reserved1), (0, 0));
    // SAFETY: `headers` is alive.
    let seen = unsafe { request.headers() }.unwrap();
    assert_eq!(seen.as_ptr(), headers.as_ptr());
    assert_eq!(read(seen[0].value).unwrap(), "localhost");
    // SAFETY: `headers` is alive, and so are its texts.
    let seen = unsafe { request.header_refs() }.unwrap();
    assert_eq!((seen[0].key(), seen[0].value()), ("host", "localhost"));
    assert_eq!((seen[1].key(), seen[1].value()), ("", ""));
}

#[test]
fn a_request_without_headers_has_a_null_pointer() {
    let request = NrRequest::build("GET", "/", "", &[]).unwrap();
    assert!(request.headers.is_null());
    // SAFETY: there is nothing to read.
    assert!(unsafe { request.header_refs() }.unwrap().is_empty());
}

fn refused(headers: *const NrHeader, headers_len: u32) -> NrViewError {
    let mut request = NrRequest::build("GET", "/", "", &[]).unwrap();
    request.headers = headers;
    request.headers_len = headers_len;
    // SAFETY: the tests below pass live headers, or what must not be read.
    unsafe { request.header_refs() }.unwrap_err()
}

#[test]
fn impossible_headers_are_refused() {
    assert_eq!(refused(ptr::null(), 3), NrViewError::NullPointer { len: 3 });
    let odd = ptr::without_provenance((1 << 20) + 1);
    assert_eq!(refused(odd, 1), NrViewError::Misaligned { align: 8 });
    let high = ptr::without_provenance(usize::MAX - 63);
    assert_eq!(refused(high, 2), NrViewError::TooLong { len: 2, max: 1 });
}

#[test]
fn headers_with_bad_text_are_refused() {
    let null = NrStr { ptr: ptr::null(), len: 7 };
    let not_utf8 = NrStr { ptr: b"\xff".as_ptr(), len: 1 };
    let good = NrStr::from_str("good");
    let headers = [NrHeader { key: good, value: null }];
    assert_eq!(refused(headers.as_ptr(), 1), NrViewError::NullPointer { len: 7 });
    let headers = [NrHeader { key: good, value: good }, NrHeader { key: not_utf8, value: good }];
    assert!(matches!(refused(headers.as_ptr(), 2), NrViewError::NotUtf8(_)));
}

#[test]
fn empty_texts_of_headers_are_never_read() {
    let anything = NrStr { ptr: nowhere(), len: 0 };
    let headers = [NrHeader { key: NrStr::EMPTY, value: anything }];
    let request = NrRequest::build("GET", "/", "", &headers).unwrap();
    // SAFETY: `headers` is alive, and its texts are empty.
    let seen: &[NrHeaderRef] = unsafe { request.header_refs() }.unwrap();
    assert_eq!((seen[0].key(), seen[0].value()), ("", ""));
}

#[test]
fn errors_say_what_is_wrong() {
    let not_utf8 = NrStr { ptr: b"a\xff".as_ptr(), len: 2 };
    let errors = [
        NrViewError::NullPointer { len: 5 },
        NrViewError::Misaligned { align: 8 },
        NrViewError::TooLong { len: 9, max: 7 },
        read(not_utf8).unwrap_err(),
    ];
    assert_eq!(
        errors.map(|error| error.to_string()),
        [
            "null pointer with a length of 5",
            "pointer to headers is not aligned to 8 bytes",
            "length of 9 is past the greatest possible, 7",
            "text is not UTF-8: invalid utf-8 sequence of 1 bytes from index 1",
        ]
    );
}
