//! `top`: a live view of running hosts, from the pages that they publish.
//!
//! A page is read, and read again; what happened in between makes the rates. The hosts do not notice.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    thread,
    time::{Duration, SystemTime},
};

use nylon_ring_host::{Page, PageShard};
use ratatui::{
    crossterm::event::{self, Event, KeyCode, KeyModifiers},
    text::Text,
    widgets::Paragraph,
};

use crate::error::{CliError, Outcome};

const EXAMPLES: &str = "\
Examples:
  nylon-ring top /dev/shm/gateway.page
  nylon-ring top /run/gateway/*.page --every 2s
  nylon-ring top /dev/shm/gateway.page --once     print it once, after one interval

A host publishes a page if it was built with HostBuilder::publish(path, period). q or Esc ends the view.
Exit codes: 0 good; 2 a page could not be read.";

/// Shows rings, slabs, rates and latencies of running hosts.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The pages that the hosts publish
    #[arg(required = true)]
    pages: Vec<PathBuf>,
    /// How often to look
    #[arg(long, default_value = "1s", value_parser = humantime::parse_duration)]
    every: Duration,
    /// Look twice, print the difference, and end
    #[arg(long)]
    once: bool,
}

/// One host: the page that was read last, and the one before.
struct Host {
    path: PathBuf,
    seen: Option<(Page, Page)>,
    problem: Option<String>,
}

pub(crate) fn run(args: Args) -> Result<Outcome, CliError> {
    let mut hosts: Vec<_> = args.pages.into_iter().map(|path| Host { path, seen: None, problem: None }).collect();
    if args.once {
        for host in &mut hosts {
            host.seen = Some((Page::read(&host.path)?, Page::read(&host.path)?));
        }
        thread::sleep(args.every);
        hosts.iter_mut().for_each(Host::look);
        let text = view(&hosts, SystemTime::now());
        writeln!(io::stdout(), "{text}").map_err(|source| CliError::Print { source })?;
        return Ok(Outcome::Good);
    }
    let mut terminal = ratatui::try_init().map_err(|source| CliError::Print { source })?;
    let outcome = watch(&mut terminal, &mut hosts, args.every);
    ratatui::restore();
    outcome.map(|()| Outcome::Good).map_err(|source| CliError::Print { source })
}

fn watch(terminal: &mut ratatui::DefaultTerminal, hosts: &mut [Host], every: Duration) -> io::Result<()> {
    loop {
        hosts.iter_mut().for_each(Host::look);
        let text = view(hosts, SystemTime::now());
        terminal.draw(|frame| frame.render_widget(Paragraph::new(Text::raw(text.as_str())), frame.area()))?;
        if event::poll(every)? && is_end(&event::read()?) {
            return Ok(());
        }
    }
}

fn is_end(event: &Event) -> bool {
    event.as_key_press_event().is_some_and(|key| match key.code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    })
}

impl Host {
    fn look(&mut self) {
        match Page::read(&self.path) {
            Ok(page) => {
                self.problem = None;
                let before = match self.seen.take() {
                    // Another host has taken the place over: its counters begin anew.
                    Some((_, last)) if page.pid == last.pid && page.uptime >= last.uptime => last,
                    _ => page.clone(),
                };
                self.seen = Some((before, page));
            }
            Err(error) => self.problem = Some(error.to_string()),
        }
    }
}

/// All hosts as text.
fn view(hosts: &[Host], now: SystemTime) -> String {
    let mut lines = Vec::new();
    for host in hosts {
        if let Some((before, page)) = &host.seen {
            host_lines(&mut lines, before, page, now);
        }
        lines.extend(host.problem.clone());
        lines.push(String::new());
    }
    lines.join("\n")
}

fn host_lines(lines: &mut Vec<String>, before: &Page, page: &Page, now: SystemTime) {
    let seconds = page.uptime.saturating_sub(before.uptime).as_secs_f64();
    let rate = |now: u64, before: u64| if seconds > 0.0 { now.saturating_sub(before) as f64 / seconds } else { 0.0 };
    let (counted, counted_before) = (&page.metrics, &before.metrics);
    let opened = rate(counted.opened, counted_before.opened);
    lines.push(format!(
        "{} {}   pid {}   up {}   {}",
        page.plugin,
        page.version,
        page.pid,
        short(page.uptime),
        freshness(page, now)
    ));
    lines.push(format!(
        "  calls     {:>9.0}/s   results {:>9.0}/s   opened {}   refused {}   timed out {}   cancelled {}",
        opened,
        rate(counted.delivered, counted_before.delivered),
        counted.opened,
        counted.refused,
        counted.timed_out,
        counted.cancelled
    ));
    let oldest = page.oldest.map_or("unknown".to_owned(), short);
    // By Little's law: calls in flight on the mean = calls a second times mean time in flight.
    let in_flight = (counted.in_flight + counted_before.in_flight) as f64 / 2.0;
    let mean = if opened > 0.0 { short(Duration::from_secs_f64(in_flight / opened)) } else { "unknown".to_owned() };
    lines.push(format!(
        "  in flight {:>9}     mean time {mean}   oldest {oldest}   inside handle {}   slow handles {}   buffered {} B",
        counted.in_flight, page.in_handle, counted.slow_handles, counted.buffered
    ));
    let dropped = [
        ("unknown sid", counted.unknown_sid),
        ("duplicate", counted.duplicate),
        ("after end", counted.after_end),
        ("overflow", counted.overflow_dropped),
        ("late", counted.late),
    ];
    let dropped: Vec<_> = dropped.iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("{what} {n}")).collect();
    if !dropped.is_empty() {
        lines.push(format!("  dropped   {}", dropped.join("   ")));
    }
    lines.push("  shard  slab                          calls/s   drained/s   a batch   turns/s".to_owned());
    for shard in &page.shards {
        let old = before.shards.iter().find(|old| old.index == shard.index).copied().unwrap_or_default();
        lines.push(shard_line(shard, &old, page.slots, rate));
    }
}

fn shard_line(shard: &PageShard, old: &PageShard, slots: u64, rate: impl Fn(u64, u64) -> f64) -> String {
    let batches = shard.batches.saturating_sub(old.batches).max(1) as f64;
    format!(
        "  {:>5}  {} {:>7}/{:<7} {:>9.0}   {:>9.0}   {:>7.1}   {:>7.0}",
        shard.index,
        bar(shard.in_flight, slots),
        shard.in_flight,
        slots,
        rate(shard.opened, old.opened),
        rate(shard.drained, old.drained),
        shard.drained.saturating_sub(old.drained) as f64 / batches,
        rate(shard.turns, old.turns)
    )
}

/// How full a slab is, in ten characters.
fn bar(used: u64, of: u64) -> String {
    let full = (10 * used.min(of)).div_ceil(of.max(1)) as usize;
    format!("[{}{}]", "#".repeat(full), ".".repeat(10 - full))
}

fn freshness(page: &Page, now: SystemTime) -> String {
    let age = now.duration_since(page.written).unwrap_or_default();
    match age {
        _ if page.ended => "ended".to_owned(),
        age if age > 3 * page.period + Duration::from_secs(1) => format!("SILENT for {}", short(age)),
        _ => format!("page {}, every {}", page.sequence, short(page.period)),
    }
}

/// A time in its two largest units.
fn short(time: Duration) -> String {
    let text = humantime::format_duration(time).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slab_in_ten_characters() {
        let all = [(0, 16), (1, 16), (8, 16), (16, 16), (17, 16), (0, 0)].map(|(used, of)| bar(used, of));
        assert_eq!(
            all,
            ["[..........]", "[#.........]", "[#####.....]", "[##########]", "[##########]", "[..........]"]
        );
    }

    #[test]
    fn a_time_in_two_units() {
        assert_eq!(short(Duration::from_millis(3_723_004)), "1h 2m");
        assert_eq!(short(Duration::from_nanos(1_500)), "1us 500ns");
    }

    #[test]
    fn what_cannot_be_read_is_said_in_the_view() {
        let mut host = Host { path: "/nowhere/page".into(), seen: None, problem: None };
        host.look();
        assert!(view(&[host], SystemTime::now()).contains("/nowhere/page"));
    }
}
