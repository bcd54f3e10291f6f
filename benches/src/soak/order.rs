//! What a call asks of the plugin, and what must come of it.

use nylon_ring_host::NrStatus;

/// The body of a request; `Order` in `examples/c/soak.c`, where the fields are explained.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Order {
    pub(super) id: u64,
    pub(super) seed: u64,
    pub(super) ticket: u64,
    pub(super) gate: u32,
    pub(super) delay_us: u32,
    pub(super) len: u32,
    pub(super) frames: u32,
    pub(super) status: u32,
    pub(super) verdict: u32,
    pub(super) stream: bool,
    pub(super) threads: u8,
    pub(super) extras: u8,
    pub(super) stale: u8,
    pub(super) forged: u8,
    pub(super) null_context: u8,
    pub(super) flags: u8,
    pub(super) payload: Payload,
}

/// The call has state, and the plugin keeps pointers into it.
pub(super) const WITH_STATE: u8 = 1;
/// No result ends the call.
pub(super) const NEVER_ENDS: u8 = 2;
/// `handle` refuses, and the results come all the same.
pub(super) const ANSWERS_REFUSED: u8 = 4;
/// The first thread ends the stream, whether or not others have more frames; otherwise the last one does.
pub(super) const FIRST_ENDS: u8 = 8;

/// The payload of the result, or of a stream's end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Payload {
    /// As many bytes as the order says.
    #[default]
    Readable = 0,
    /// A null pointer, and a length.
    NullWithLength = 1,
    /// A length past `isize::MAX`.
    TooLong = 2,
    /// A length past every limit.
    PastLimit = 3,
}

/// The most threads that send for one order.
pub(super) const MOST_THREADS: u8 = 3;
/// Bytes that every result but an empty one begins with.
const HEAD: usize = 16;
/// The longest result.
pub(super) const LARGEST: usize = 1 << 16;

/// What follows the head, from the lowest byte of the order's id on.
static PATTERN: [u8; LARGEST + 256] = {
    let mut bytes = [0; LARGEST + 256];
    let mut i = 0;
    while i < bytes.len() {
        bytes[i] = i as u8;
        i += 1;
    }
    bytes
};

impl Order {
    /// As the plugin reads it.
    pub(super) fn bytes(&self) -> [u8; 56] {
        let mut bytes = [0; 56];
        let (longs, rest) = bytes.split_at_mut(24);
        let (ints, flags) = rest.split_at_mut(24);
        for (to, from) in longs.chunks_exact_mut(8).zip([self.id, self.seed, self.ticket]) {
            to.copy_from_slice(&from.to_ne_bytes());
        }
        let numbers = [self.gate, self.delay_us, self.len, self.frames, self.status, self.verdict];
        for (to, from) in ints.chunks_exact_mut(4).zip(numbers) {
            to.copy_from_slice(&from.to_ne_bytes());
        }
        flags.copy_from_slice(&[
            self.stream.into(),
            self.threads,
            self.extras,
            self.stale,
            self.forged,
            self.null_context,
            self.flags,
            self.payload as u8,
        ]);
        bytes
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// What the host makes of a status that the ABI may not name.
    pub(super) fn named(raw: u32) -> NrStatus {
        NrStatus::from_raw(raw).unwrap_or(NrStatus::Err)
    }

    /// Frames before the end, from all threads.
    pub(super) fn all_frames(&self) -> u64 {
        u64::from(self.frames) * u64::from(self.threads.max(1))
    }

    /// Whether this is the result of a unary call, or the end of a stream.
    pub(super) fn check_last(&self, status: NrStatus, bytes: &[u8]) -> Result<(), String> {
        if self.verdict != 0 || self.has(NEVER_ENDS) {
            return Err(format!("{status:?} with {} bytes came, where nothing should", bytes.len()));
        }
        match self.payload {
            Payload::Readable if status == Self::named(self.status) => match self.read(bytes)? {
                Some((_, n)) if n != self.frames => Err(format!("result {n} came as the last")),
                _ => Ok(()),
            },
            Payload::NullWithLength | Payload::TooLong if status == NrStatus::Invalid && bytes.is_empty() => Ok(()),
            _ => Err(format!("the last result is {status:?} with {} bytes", bytes.len())),
        }
    }

    /// Which thread sent a result, and its running number, if there are bytes to say so.
    fn read(&self, bytes: &[u8]) -> Result<Option<(u32, u32)>, String> {
        if bytes.len() != self.len as usize {
            return Err(format!("{} bytes came", bytes.len()));
        }
        let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() else { return Ok(None) };
        let [a, b, c, d, e, f, g, h, t0, t1, t2, t3, n0, n1, n2, n3] = *head;
        let id = u64::from_ne_bytes([a, b, c, d, e, f, g, h]);
        let (thread, n) = (u32::from_ne_bytes([t0, t1, t2, t3]), u32::from_ne_bytes([n0, n1, n2, n3]));
        let start = (self.id & 255) as usize;
        if id != self.id || thread >= self.threads.max(1).into() {
            return Err(format!("result {n} of thread {thread} for order {id:#x} came"));
        }
        if *rest != PATTERN[start..start + rest.len()] {
            return Err(format!("the bytes of result {n} are not those that were sent"));
        }
        Ok(Some((thread, n)))
    }
}

/// The frames of a stream, as they come.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    order: &'a Order,
    /// How many came.
    pub(super) frames: u64,
    /// The next frame of each thread.
    next: [u32; MOST_THREADS as usize],
}

impl<'a> Reading<'a> {
    pub(super) fn new(order: &'a Order) -> Self {
        Self { order, frames: 0, next: [0; MOST_THREADS as usize] }
    }

    /// Whether this is the next frame, or the end; true for the end.
    pub(super) fn check(&mut self, status: NrStatus, bytes: &[u8]) -> Result<bool, String> {
        let (order, all) = (self.order, self.order.all_frames());
        if status != NrStatus::Ok {
            order.check_last(status, bytes)?;
            let first_is_whole = self.next[0] == order.frames || order.len == 0;
            let whole = self.frames == all || (order.has(FIRST_ENDS) && first_is_whole);
            return if whole { Ok(true) } else { Err(format!("it ended after {} frames", self.frames)) };
        }
        self.frames += 1;
        if self.frames > all {
            return Err(format!("{} frames came", self.frames));
        }
        if let Some((thread, n)) = order.read(bytes)?
            && let Some(next) = self.next.get_mut(thread as usize)
        {
            if n != *next {
                return Err(format!("frame {n} of thread {thread} came instead of frame {next}"));
            }
            *next += 1;
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the plugin sends as the `n`th result of a thread.
    fn sent(order: &Order, thread: u32, n: u32) -> Vec<u8> {
        let start = (order.id & 255) as usize;
        let mut bytes = [&order.id.to_ne_bytes()[..], &thread.to_ne_bytes(), &n.to_ne_bytes()].concat();
        bytes.extend_from_slice(&PATTERN[start..start + order.len as usize - HEAD]);
        bytes
    }

    #[test]
    fn another_result_is_told_from_the_right_one() {
        let order = Order { id: 0x1ff, len: 41, threads: 2, ..Order::default() };
        assert_eq!(order.check_last(NrStatus::Ok, &sent(&order, 1, 0)), Ok(()));
        assert!(order.check_last(NrStatus::Err, &sent(&order, 1, 0)).is_err());
        assert!(order.check_last(NrStatus::Ok, &sent(&order, 2, 0)).is_err());
        assert!(order.check_last(NrStatus::Ok, &sent(&order, 0, 1)).is_err());
        assert!(order.check_last(NrStatus::Ok, &sent(&Order { id: 0x2ff, ..order }, 0, 0)).is_err());
        assert!(order.check_last(NrStatus::Ok, &sent(&Order { len: 40, ..order }, 0, 0)).is_err());
        let mut flipped = sent(&order, 0, 0);
        flipped[40] ^= 1;
        assert!(order.check_last(NrStatus::Ok, &flipped).is_err());
        assert!(Order { verdict: 1, ..order }.check_last(NrStatus::Ok, &sent(&order, 0, 0)).is_err());
    }

    #[test]
    fn a_stream_is_whole_and_in_order() {
        let order = Order { id: 7, len: 16, threads: 2, frames: 2, status: 4, ..Order::default() };
        let read = |frames: &[(u32, u32)]| {
            let mut reading = Reading::new(&order);
            for (thread, n) in frames {
                assert!(!reading.check(NrStatus::Ok, &sent(&order, *thread, *n))?);
            }
            reading.check(NrStatus::StreamEnd, &sent(&order, 0, 2))
        };
        assert_eq!(read(&[(0, 0), (1, 0), (1, 1), (0, 1)]), Ok(true));
        assert!(read(&[(0, 0), (1, 0), (1, 1)]).is_err(), "one is missing");
        assert!(read(&[(0, 1), (0, 0), (1, 0), (1, 1)]).is_err(), "two are swapped");
        assert!(read(&[(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]).is_err(), "there is one too many");
    }
}
