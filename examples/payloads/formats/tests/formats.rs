//! Bytes that are not what they should be.

#![allow(clippy::unwrap_used, reason = "tests")]

use nylon_ring_payloads::FORMATS;

/// Bytes of somebody else are an answer or an error, never a panic, wherever in memory they lie.
#[test]
fn damaged_and_misaligned_bytes_do_no_harm() {
    for format in &FORMATS {
        let request = (format.request)("damaged", &[1, -2, 3]).unwrap();
        let answer = (format.answer)(&request).unwrap();
        for shift in 0..8 {
            let padding = vec![0; shift];
            let moved = [&padding[..], &request[..]].concat();
            assert_eq!((format.answer)(&moved[shift..]).unwrap(), answer, "{}, shifted by {shift}", format.path);
            let moved = [&padding[..], &answer[..]].concat();
            assert_eq!((format.read)(&moved[shift..]).unwrap().sum, 2, "{}, shifted by {shift}", format.path);
        }
        for (bytes, read) in [(&request, true), (&answer, false)] {
            let try_it =
                |bytes: &[u8]| if read { (format.answer)(bytes).is_ok() } else { (format.read)(bytes).is_ok() };
            for len in 0..bytes.len() {
                try_it(&bytes[..len]);
            }
            let mut damaged = bytes.clone();
            for i in 0..bytes.len() {
                for bit in 0..8 {
                    damaged[i] ^= 1 << bit;
                    try_it(&damaged);
                    damaged[i] ^= 1 << bit;
                }
            }
        }
    }
}

/// Other languages have to read them.
#[test]
fn the_formats_are_what_they_are_called() {
    let encoded = |path| (FORMATS.iter().find(|format| format.path == path).unwrap().request)("n", &[7]).unwrap();
    assert_eq!(encoded("/json"), br#"{"name":"n","numbers":[7]}"#);
    assert_eq!(encoded("/messagepack"), b"\x82\xa4name\xa1n\xa7numbers\x91\x07");
    assert_eq!(encoded("/protobuf"), b"\x0a\x01n\x12\x01\x0e");
}
