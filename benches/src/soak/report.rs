//! What a run found: the books in a table, and what the process used.

use std::{
    fmt::Write as _,
    thread,
    time::{Duration, Instant},
};

use super::{
    Options, SoakError,
    books::{Callers, Count, Line},
    house::{House, PATIENCE},
    watch::Usage,
    weather::Weather,
};

/// Threads that come and stay: that of the spare runtime, and the one on which it waits for plugins to stop.
pub(super) const SPARE_THREADS: u64 = 2;
/// Descriptors that come and stay: those of the spare runtime.
const SPARE_FILES: u64 = 4;
/// Threads of the plugin.
const PLUGIN_THREADS: u64 = 3;

/// How far the memory at rest may exceed what it was in the rounds of the first quarter, in KiB. It is no rate of growth: memory
/// that is free and not given back comes and goes by some 100 KiB, however many calls there were, and this is far more. So the
/// longer the run, the smaller the leak that is found: with 50 million calls after that quarter, a byte in 25 calls.
const SLACK: u64 = 2 << 10;

/// What the process used at the end of each round of one host.
#[derive(Debug)]
pub(super) struct Memory {
    weather: &'static Weather,
    before: Usage,
    /// Rounds whose memory is the measure of the others.
    warm_up: usize,
    /// Of each round, in KiB.
    rss: Vec<u64>,
}

impl Memory {
    pub(super) fn new(weather: &'static Weather, before: Usage, rounds: u32) -> Self {
        Self { weather, before, warm_up: (rounds as usize / 4).max(2), rss: Vec::new() }
    }

    /// Looks at a host at rest.
    pub(super) fn look(&mut self, house: &House) -> Result<(), SoakError> {
        let start = Instant::now();
        // A thread that was joined may be counted a moment longer, and a runtime's descriptors too.
        let usage = loop {
            let usage = Usage::now()?;
            let threads = self.before.threads + PLUGIN_THREADS + SPARE_THREADS;
            // Each shard has a doorbell, which stays.
            let files = self.before.files + house.weather.shards as u64 + SPARE_FILES;
            if usage.threads <= threads && usage.files <= files {
                break usage;
            }
            if start.elapsed() > PATIENCE {
                return Err(self.wrong(format!("{usage:?} at rest, where {threads} threads and {files} files are due")));
            }
            thread::sleep(Duration::from_millis(5));
        };
        self.rss.push(usage.rss);
        let warm = self.rss.iter().take(self.warm_up).max().copied().unwrap_or(0);
        if usage.rss > warm + SLACK {
            return Err(self.wrong(format!("{} KiB at rest after {} KiB: {:?}", usage.rss, warm, self.rss)));
        }
        Ok(())
    }

    fn wrong(&self, text: String) -> SoakError {
        SoakError::Wrong { weather: self.weather.name, text }
    }
}

/// The books of all hosts.
#[derive(Debug)]
pub struct Report {
    seed: u64,
    hosts: Vec<HostRow>,
    /// The equations, summed over the hosts that they apply to, and how many those are.
    lines: Vec<(Line, u64)>,
    rss: Vec<u64>,
}

/// One host in the report.
#[derive(Debug)]
struct HostRow {
    weather: &'static str,
    callers: Callers,
    sent: u64,
    time: Duration,
}

impl Report {
    pub(super) fn new(options: &Options) -> Self {
        Self { seed: options.seed, hosts: Vec::new(), lines: Vec::new(), rss: Vec::new() }
    }

    /// Adds a host whose books balance.
    pub(super) fn add(&mut self, house: &House, lines: &[Line], memory: &Memory, time: Duration) {
        let (callers, sent) = (house.callers(), house.sent());
        self.hosts.push(HostRow { weather: house.weather.name, callers, sent, time });
        for line in lines {
            match self.lines.iter_mut().find(|(sum, _)| sum.what == line.what) {
                Some((sum, hosts)) => {
                    (sum.left, sum.right, *hosts) = (sum.left + line.left, sum.right + line.right, *hosts + 1);
                }
                None => self.lines.push((*line, 1)),
            }
        }
        self.rss = memory.rss.clone();
    }

    /// All calls.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.hosts.iter().map(|host| host.callers.opened()).sum()
    }

    /// The tables, in Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("Seed {}. {} calls.\n\n", self.seed, self.calls());
        text += "| host | calls | streams | given up | refused | overflow errors | closed | not opened | results sent | a second |\n";
        text += "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
        for HostRow { weather, callers, sent, time } in &self.hosts {
            let counts = [Count::Streams, Count::GivenUp, Count::Refused, Count::Overflowed, Count::Closed];
            let counts = counts.map(|count| callers.get(count).to_string()).join(" | ");
            let not_opened = callers.get(Count::Full) + callers.get(Count::TurnedAway);
            let (calls, rate) = (callers.opened(), callers.opened() as f64 / time.as_secs_f64());
            // Writing to a string does not fail.
            let _ = writeln!(text, "| {weather} | {calls} | {counts} | {not_opened} | {sent} | {rate:.0} |");
        }
        text += "\n| the books | left | | right | hosts |\n| --- | ---: | :---: | ---: | ---: |\n";
        for (Line { what, left, sign, right }, hosts) in &self.lines {
            let _ = writeln!(text, "| {what} | {left} | {sign} | {right} | {hosts} |");
        }
        let rss: Vec<_> = self.rss.iter().map(|kib| format!("{:.1}", *kib as f64 / 1024.0)).collect();
        let _ = writeln!(text, "\nMemory of the last host at rest, after each round, in MiB: {}.", rss.join(" "));
        text
    }
}
