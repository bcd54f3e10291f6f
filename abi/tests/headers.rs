//! Headers that borrow or own their text: moved, shared, sent, and as a plugin sees them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use nylon_ring::{NrHeader, NrHeaderList, NrHeaderRef, NrHeaders, NrRequest};
use std::thread;

/// What a plugin that is passed these headers sees.
fn seen(headers: &[NrHeader]) -> Vec<(String, String)> {
    let request = NrRequest::build("GET", "/", "", headers).unwrap();
    // SAFETY: the headers are borrowed for this call, and all tests below keep the text alive by that borrow.
    let refs = unsafe { request.header_refs() }.unwrap();
    let pairs = refs.iter().map(|h| (h.key().into(), h.value().into()));
    pairs.collect()
}

fn pairs(count: usize) -> Vec<(String, String)> {
    (0..count).map(|i| (format!("key-{i}"), "v".repeat(i))).collect()
}

#[test]
fn owned_headers_survive_every_move() {
    let headers = NrHeaders::new(pairs(20)).unwrap();
    let boxed = Box::new(headers);
    let mut several = vec![*boxed];
    several.reserve(100); // moves what is in it
    let headers = thread::spawn(move || several.pop().unwrap()).join().unwrap();
    assert_eq!(seen(headers.as_nr()), pairs(20));
    assert_eq!(headers.pairs(), pairs(20));
    assert_eq!(headers.into_pairs(), pairs(20));
}

#[test]
fn owned_headers_are_shared_between_threads() {
    let headers = NrHeaders::new(pairs(5)).unwrap();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(seen(headers.as_nr()), pairs(5)));
        }
    });
}

#[test]
fn no_headers_are_no_headers() {
    assert!(NrHeaders::default().as_nr().is_empty());
    assert!(NrHeaders::try_from(Vec::new()).unwrap().as_nr().is_empty());
    assert!(NrHeaderList::new().as_nr().is_empty());
    assert!(NrHeaderRef::as_nr(&[]).is_empty());
}

#[test]
fn the_views_point_at_the_text_itself() {
    let owned = pairs(3);
    let first = owned[0].0.as_ptr();
    let headers = NrHeaders::new(owned).unwrap();
    assert_eq!(headers.as_nr()[0].key.ptr, first);
}

#[test]
fn a_borrowing_list_holds_what_was_pushed() {
    let owned = pairs(3);
    let all = owned.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    let mut list = NrHeaderList::from_pairs(all).unwrap();
    list.push("last", "one").unwrap();
    let copy = list.clone();
    drop(list);
    let copy = thread::scope(|scope| scope.spawn(move || copy).join()).unwrap();
    assert_eq!(copy.as_slice()[3].key(), "last");
    let mut expected = pairs(3);
    expected.push(("last".into(), "one".into()));
    assert_eq!(seen(copy.as_nr()), expected);
}

#[test]
fn references_in_an_array_need_no_list() {
    let value = String::from("localhost");
    let headers = [NrHeaderRef::new("host", &value).unwrap(), NrHeaderRef::new("", "").unwrap()];
    let expected = [("host".into(), value.clone()), (String::new(), String::new())];
    assert_eq!(seen(NrHeaderRef::as_nr(&headers)), expected);
    assert_eq!(format!("{headers:?}"), r#"[("host", "localhost"), ("", "")]"#);
}

#[test]
fn debug_shows_text_and_not_pointers() {
    let owned = vec![("host".to_owned(), "localhost".to_owned())];
    let headers = NrHeaders::new(owned).unwrap();
    assert_eq!(format!("{headers:?}"), r#"[("host", "localhost")]"#);
}
