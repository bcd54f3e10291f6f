//! A page about a running host, for other processes: how it is written and read.
//!
//! The page is a small file, best on a file system in memory (`/dev/shm`, `/run`). The host writes all of it anew once a period, from a
//! thread of its own; a reader opens it, reads it, and has no way to disturb the host. It is not mapped on either side: whoever
//! truncates a file that a host has mapped kills the host.
//!
//! It consists of `u64` words, little-endian:
//!
//! | word | |
//! | --- | --- |
//! | 0 | `nylonpg\0` |
//! | 1 | the version of this layout, [`VERSION`] |
//! | 2 | how many words there are |
//! | 3 | a checksum of all words after it |
//! | 4, 5, 6 | process id; how often the page was written; 1 once the host is gone |
//! | 7, 8, 9 | when it was written (ns since 1970); the period and the age of the host (ns) |
//! | 10 | slots a shard |
//! | 11, 12 | the age of the oldest call plus 1 (ns; 0 when unknown); how many calls are inside `handle` |
//! | 13 to 20, 21 to 24 | name and version of the plugin, cut to 64 and 32 bytes and filled with 0 |
//! | 25 on | the fields of [`Metrics`], in order |
//! | then | [`ROW`] words for each shard in use: see [`PageShard`] |
//!
//! A reader may see half of one page and half of the next: the checksum tells, and it reads again. It believes nothing else either:
//! every length is checked.

use std::{
    fs, io,
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use crate::{error::NylonRingHostError, metrics::Metrics};

const MAGIC: u64 = u64::from_le_bytes(*b"nylonpg\0");
/// Of the layout: its number, and how many counters there are.
const VERSION: u64 = 1 << 32 | Metrics::NAMES.len() as u64;
const CHECKSUM: usize = 3;
const NAME: usize = 8;
const TEXT: usize = 4;
const ROW: usize = 7;
/// The most that is read of a file: more shards than there can be.
const MOST: u64 = 1 << 20;
/// How often a page is read that is just being written.
const TRIES: u32 = 100;

/// What a host says of itself to other processes ([`HostBuilder::publish`](crate::HostBuilder::publish)), at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The host's process.
    pub pid: u32,
    /// How often the page was written.
    pub sequence: u64,
    /// Whether the host is gone: this is the last page.
    pub ended: bool,
    /// When it was written.
    pub written: SystemTime,
    /// How often it is written.
    pub period: Duration,
    /// The age of the host.
    pub uptime: Duration,
    /// How many calls each shard may have in flight.
    pub slots: u64,
    /// The age of the oldest call in flight, where [somebody looks](crate::HostBuilder::watch_calls).
    pub oldest: Option<Duration>,
    /// How many calls are inside `handle`.
    pub in_handle: u64,
    /// The plugin's name for itself, up to 64 bytes of it.
    pub plugin: String,
    /// The plugin's version of itself, up to 32 bytes of it.
    pub version: String,
    /// The host's counters.
    pub metrics: Metrics,
    /// The shards in use.
    pub shards: Vec<PageShard>,
}

/// What a page says of one shard: a ring and a slab. The counters are those of [`Metrics`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PageShard {
    /// Its number.
    pub index: u64,
    /// Calls and streams opened.
    pub opened: u64,
    /// Slots of the slab in use.
    pub in_flight: u64,
    /// Records taken out of the ring.
    pub drained: u64,
    /// Results and frames that reached their call.
    pub delivered: u64,
    /// Turns that its reactors took.
    pub turns: u64,
    /// Batches drained.
    pub batches: u64,
}

impl Page {
    /// Reads the page at `path`.
    ///
    /// # Errors
    ///
    /// [`NylonRingHostError::Page`] when there is none, or none of this version.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, NylonRingHostError> {
        let path = path.as_ref();
        let failed = |reason: String| NylonRingHostError::Page { path: path.into(), reason };
        let mut outcome = Err(TORN);
        for _ in 0..TRIES {
            let bytes = read_file(path).map_err(|error| failed(error.to_string()))?;
            let words: Vec<u64> = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
            outcome = match check(&words) {
                Ok(()) => Self::from_words(&words).ok_or("it is not what it says"),
                Err(reason) => Err(reason),
            };
            if outcome != Err(TORN) {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        outcome.map_err(|reason| failed(reason.to_owned()))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let written = self.written.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let oldest = self.oldest.map_or(0, |age| nanos(age).saturating_add(1));
        let mut words = vec![MAGIC, VERSION, 0, 0];
        words.extend([self.pid.into(), self.sequence, self.ended.into()]);
        words.extend([nanos(written), nanos(self.period), nanos(self.uptime), self.slots, oldest, self.in_handle]);
        words.extend(text::<NAME>(&self.plugin));
        words.extend(text::<TEXT>(&self.version));
        words.extend(self.metrics.values());
        for PageShard { index, opened, in_flight, drained, delivered, turns, batches } in self.shards.iter().copied() {
            words.extend([index, opened, in_flight, drained, delivered, turns, batches]);
        }
        words[2] = words.len() as u64;
        words[CHECKSUM] = checksum(&words);
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// Of words that were checked.
    fn from_words(words: &[u64]) -> Option<Self> {
        let (head, rest) = words.split_first_chunk::<13>()?;
        let [_, _, _, _, pid, sequence, ended, written, period, uptime, slots, oldest, in_handle] = *head;
        let (plugin, rest) = rest.split_first_chunk::<NAME>()?;
        let (version, rest) = rest.split_first_chunk::<TEXT>()?;
        let (metrics, rows) = rest.split_first_chunk::<{ Metrics::NAMES.len() }>()?;
        let (rows, left) = rows.as_chunks::<ROW>();
        let shard = |[index, opened, in_flight, drained, delivered, turns, batches]: [u64; ROW]| PageShard {
            index,
            opened,
            in_flight,
            drained,
            delivered,
            turns,
            batches,
        };
        left.is_empty().then_some(())?;
        Some(Self {
            pid: u32::try_from(pid).ok()?,
            sequence,
            ended: ended != 0,
            written: SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(written))?,
            period: Duration::from_nanos(period),
            uptime: Duration::from_nanos(uptime),
            slots,
            oldest: oldest.checked_sub(1).map(Duration::from_nanos),
            in_handle,
            plugin: from_text(plugin),
            version: from_text(version),
            metrics: Metrics::from_values(*metrics),
            shards: rows.iter().copied().map(shard).collect(),
        })
    }
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read as _;

    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why a page is read again.
const TORN: &str = "it changes all the time";

fn check(words: &[u64]) -> Result<(), &'static str> {
    match words {
        [MAGIC, VERSION, len, sum, ..] if *len == words.len() as u64 && *sum == checksum(words) => Ok(()),
        [MAGIC, VERSION, ..] | [] => Err(TORN),
        [MAGIC, ..] => Err("it was written by another version of this library"),
        _ => Err("it is no page about a host"),
    }
}

fn checksum(words: &[u64]) -> u64 {
    let mix = |sum: u64, word: &u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    words.iter().skip(CHECKSUM + 1).fold(words.len() as u64, mix)
}

/// As much of a text as fits.
fn text<const WORDS: usize>(text: &str) -> [u64; WORDS] {
    let mut bytes = text.bytes();
    std::array::from_fn(|_| u64::from_le_bytes(std::array::from_fn(|_| bytes.next().unwrap_or(0))))
}

fn from_text(words: &[u64]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let values = std::array::from_fn(|at| at as u64);
        Page {
            pid: 7,
            sequence: 8,
            ended: false,
            written: SystemTime::UNIX_EPOCH + Duration::from_nanos(1_700_000_000_000_000_001),
            period: Duration::from_millis(250),
            uptime: Duration::from_secs(9),
            slots: 16,
            oldest: Some(Duration::ZERO),
            in_handle: 1,
            plugin: "a plugin".into(),
            version: "x".repeat(32),
            metrics: Metrics::from_values(values),
            shards: vec![PageShard { index: 3, batches: 4, ..PageShard::default() }; 2],
        }
    }

    fn words(bytes: &[u8]) -> Vec<u64> {
        bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let words = words(&page().to_bytes());
        assert_eq!(check(&words), Ok(()));
        assert_eq!(Page::from_words(&words), Some(page()));
    }

    #[test]
    fn half_of_a_page_is_none() {
        let (first, second) = (page().to_bytes(), Page { sequence: 9, pid: 8, ..page() }.to_bytes());
        for cut in (40..first.len()).step_by(8) {
            let mixed = words(&[&first[..cut], &second[cut..]].concat());
            assert!(check(&mixed) == Err(TORN) || Page::from_words(&mixed) == Some(page()), "{cut}");
        }
        assert!((1..first.len() / 8).all(|len| check(&words(&first[..8 * len])) != Ok(())));
    }

    #[test]
    fn what_is_no_page_says_so() {
        assert_eq!(check(&[1, 2, 3, 4]), Err("it is no page about a host"));
        assert_eq!(check(&[MAGIC, VERSION + 1]), Err("it was written by another version of this library"));
        let short = [MAGIC, VERSION, 4, 0];
        assert_eq!(Page::from_words(&short), None);
    }
}
