//! The code of the guides for C and C++ compiles, and what is a plugin starts and answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use futures::executor::block_on;
use nylon_ring_artifacts::{c_plugin, cpp_plugin};
use nylon_ring_host::{NrStatus, NylonRingHost, RequestView};

/// The blocks of a guide that are in this language.
fn blocks(guide: &str, language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("plugin-sdk").join(guide);
    let text = fs::read_to_string(&path).unwrap();
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(fence) = line.strip_prefix("```") {
            let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            if fence == language {
                blocks.push(block.join("\n") + "\n");
            }
        }
    }
    blocks
}

/// A file with this text, in a folder of its own.
fn source(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guides").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn ask(host: &NylonRingHost, path: &str) -> (NrStatus, String) {
    let headers = [("X-Name", "Ada")];
    let request = RequestView { path, body: b"body", headers: &headers, ..RequestView::default() };
    let (status, answer) = block_on(host.call_view(request)).unwrap();
    (status, String::from_utf8(answer.into_vec()).unwrap())
}

#[test]
fn c() {
    let library = c_plugin(&source("c/guide.c", &blocks("c/README.md", "c").concat()), &[]);
    let host = NylonRingHost::load(library.unwrap_or_else(|error| panic!("{error}"))).unwrap();
    assert_eq!(ask(&host, "/hello"), (NrStatus::Ok, "hello".into()));
    assert_eq!(ask(&host, "/work"), (NrStatus::Ok, "body".into()));
    assert_eq!(ask(&host, "/other").0, NrStatus::Unsupported);

    let mut stream =
        block_on(host.call_stream_view(RequestView { path: "/stream", ..RequestView::default() })).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = block_on(stream.recv()) {
        frames.push((frame.status, frame.data.into_vec()));
    }
    let wanted = [(NrStatus::Ok, b"one".to_vec()), (NrStatus::Ok, b"two".to_vec()), (NrStatus::StreamEnd, vec![])];
    assert_eq!(frames, wanted);
}

#[test]
fn cpp() {
    let mut plugins = 0;
    for (i, block) in blocks("cpp/README.md", "cpp").iter().enumerate() {
        let library = cpp_plugin(&source(&format!("cpp-{i}/guide.cpp"), block), &[]);
        let library = library.unwrap_or_else(|error| panic!("{block}\n{error}"));
        if !block.contains("NYLON_RING_PLUGIN") {
            continue;
        }
        plugins += 1;
        let host = NylonRingHost::builder().config("settings").load(library).unwrap();
        let wanted = match host.name() {
            "greeter" => "hello",
            "slow" => "Ada",
            "careful" => "!",
            other => panic!("{other} is new: what does it answer?"),
        };
        assert_eq!(ask(&host, "/hello"), (NrStatus::Ok, wanted.into()));
    }
    assert_eq!(plugins, 3);
}
