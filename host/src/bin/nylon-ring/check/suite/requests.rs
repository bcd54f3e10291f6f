//! Requests that are unusual, and requests that are wrong.

use std::ptr;

use nylon_ring::{NrBytes, NrRequest, NrStatus, NrStr};

use crate::check::{
    code::Code,
    harness::{
        self, Stop,
        book::Shape,
        host::book,
        plugin::Plugin,
        request::{Lent, Request},
    },
    report,
    spec::{Order, Spec},
};

/// It takes empty, long, large and foreign requests: with an answer or a refusal, whichever it likes.
pub(crate) fn odd(order: &Order) -> Result<(), Stop> {
    let plugin = Plugin::load(&order.plugin)?;
    plugin.start()?;
    for spec in &order.specs {
        for (what, request) in odd_requests(&spec.request) {
            report::note(what);
            let spec = Spec { shape: Shape::Either, request: request.clone() };
            if !harness::make_all(&plugin, &[(&spec, request)], order.timeout)? {
                harness::report_broken();
                return Ok(());
            }
        }
    }
    plugin.stop();
    harness::report_broken();
    Ok(())
}

fn odd_requests(usual: &Request) -> Vec<(&'static str, Request)> {
    let with = |change: &dyn Fn(&mut Request)| {
        let mut request = usual.clone();
        change(&mut request);
        request
    };
    vec![
        ("a request with nothing in it", Request::default()),
        ("an unknown path", with(&|r| r.path = "/nylon-ring/check/no such path".to_owned())),
        ("a path of 64 KiB", with(&|r| r.path = format!("/{}", "p".repeat(65535)))),
        (
            "a path of foreign letters",
            with(&|r| r.path = "/\u{1f980}/\u{0e20}\u{0e32}\u{0e29}\u{0e32}/\u{0}/%00".to_owned()),
        ),
        ("an unknown method", with(&|r| r.method = "NYLON-CHECK".to_owned())),
        ("an empty method", with(&|r| r.method.clear())),
        ("a query of 64 KiB", with(&|r| r.query = "q=1&".repeat(16384))),
        ("a thousand headers", with(&|r| r.headers = vec![("x-check".to_owned(), "v".repeat(20)); 1000])),
        ("empty headers", with(&|r| r.headers = vec![(String::new(), String::new()); 3])),
        ("a body of one byte", with(&|r| r.body = vec![0xff])),
        ("a body of 1 MiB of all bytes", with(&|r| r.body = (0..1 << 20).map(|i: u32| (i % 251) as u8).collect())),
    ]
}

/// A request that no right host makes.
struct Broken {
    what: &'static str,
    change: fn(&mut NrRequest, &mut NrBytes),
}

/// Not UTF-8.
static NO_TEXT: [u8; 2] = [0xc3, 0x28];

const fn no_text() -> NrStr {
    NrStr { ptr: (&raw const NO_TEXT).cast(), len: 2 }
}

const BROKEN: [Broken; 6] = [
    Broken {
        what: "a path with a null pointer and the length 5",
        change: |r, _| r.path = NrStr { ptr: ptr::null(), len: 5 },
    },
    Broken { what: "a path that is not UTF-8", change: |r, _| r.path = no_text() },
    Broken { what: "a method that is not UTF-8", change: |r, _| r.method = no_text() },
    Broken {
        what: "headers with a null pointer and the length 3",
        change: |r, _| {
            r.headers = ptr::null();
            r.headers_len = 3;
        },
    },
    Broken {
        what: "a body with a null pointer and the length 9",
        change: |_, b| {
            b.ptr = ptr::null();
            b.len = 9;
        },
    },
    Broken {
        what: "a body with a length past INT64_MAX",
        change: |_, b| {
            b.ptr = NO_TEXT.as_ptr();
            b.len = 1 << 63;
        },
    },
];

/// It refuses requests that break the contract, or answers them with an error.
pub(crate) fn broken(order: &Order) -> Result<(), Stop> {
    let plugin = Plugin::load(&order.plugin)?;
    plugin.start()?;
    let Some(spec) = order.specs.first() else { return Ok(()) };
    // The null request comes last: most plugins that have no checks die of it.
    for broken in &BROKEN {
        report::phase(&format!("handle, with {}", broken.what));
        let lent = Lent::new(&spec.request)?;
        let (request, mut body) = lent.views();
        // SAFETY: the loan is there, and holds a request.
        let mut request = unsafe { request.read() };
        (broken.change)(&mut request, &mut body);
        try_one(&plugin, order, broken.what, &raw const request, body)?;
    }
    report::phase("handle, with a null request");
    try_one(&plugin, order, "a null request", ptr::null(), NrBytes { ptr: ptr::null(), len: 0 })?;
    plugin.stop();
    Ok(())
}

fn try_one(plugin: &Plugin, order: &Order, what: &str, request: *const NrRequest, body: NrBytes) -> Result<(), Stop> {
    let spec = Spec { shape: Shape::Either, request: Request { path: what.to_owned(), ..Request::default() } };
    let made = harness::make_with(plugin, &spec, &spec.request, (request, body), || ())?;
    harness::wait_for(&[made.sid], order.timeout);
    let pages = book().open();
    let Some(call) = pages.calls.get(&made.sid) else { return Ok(()) };
    match call.results.last() {
        Some(got) if got.status == NrStatus::Ok.as_raw() => {
            report::advice(Code::TakesBrokenRequest, format!("{what} was answered with Ok"));
        }
        None if call.taken() => report::advice(Code::TakesBrokenRequest, format!("{what} was taken and not answered")),
        _ => {}
    }
    Ok(())
}
