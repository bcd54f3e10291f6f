//! The gateway as a process, with the example plugin, told to stop by a signal.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[expect(dead_code, reason = "shared with other tests")]
mod client;

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use client::{Client, get};

/// Killed when a test fails.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The address in a line such as `… http://127.0.0.1:8080/metrics' …`.
fn address(line: &str) -> SocketAddr {
    let rest = line.split_once("http://").unwrap_or_else(|| panic!("no address in {line}")).1;
    rest.split(['/', '\'']).next().unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn a_signal_stops_it_after_the_last_answer() {
    for signal in ["TERM", "INT"] {
        let plugin = nylon_ring_artifacts::example_plugin().unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_gateway"));
        process.arg(plugin).args(["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut process = Process(process.spawn().unwrap());
        let mut output = BufReader::new(process.0.stdout.take().unwrap());
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line: &String| !line.starts_with("stop it")) {
            let mut line = String::new();
            assert!(output.read_line(&mut line).unwrap() > 0, "it ended: {lines:?}");
            lines.push(line);
        }
        let metrics = address(lines.iter().find(|line| line.contains("/metrics")).unwrap());

        let mut client = Client::connect(address(&lines[0])).await;
        let answer = tokio::spawn(async move { client::text(client.send(get("/hello")).await).await });
        let mut scraper = Client::connect(metrics).await;
        while !client::text(scraper.send(get("/metrics")).await).await.contains("nylon_ring_in_flight 1") {
            tokio::task::yield_now().await;
        }
        let killed = Command::new("kill").args([&format!("-{signal}"), &process.0.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert_eq!(answer.await.unwrap(), "OK: GET /hello");
        assert!(process.0.wait().unwrap().success());
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "stopping\n");
    }
}
