//! How a side's segments flowed while its handshake went on: pauses, repetitions, closed windows.

use crate::packet::{Segment, TcpFlags};
use crate::span::{Pair, Side};

use super::tcp::Mark;

/// A segment that is repeated sooner was repeated for duplicate acknowledgements, not by a timer: no stack waits less than
/// 200 ms (RFC 6298 says 1 s, Linux TCP_RTO_MIN 200 ms).
const TIMER_US: u64 = 200_000;

/// A delayed acknowledgement comes after 40 ms (Linux) to 500 ms (RFC 1122, section 4.2.3.2); sooner it was not delayed.
const DELAYED_US: u64 = 35_000;

/// Data that was held back for an acknowledgement leaves within this time after it.
const RELEASED_US: u64 = 5_000;

/// A pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The segment that ended it.
    pub mark: Mark,
    /// How long it was, in microseconds.
    pub us: u64,
    /// Bytes of payload of that segment.
    pub len: u32,
}

/// What one side's segments showed until its handshake was over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// The first segment by which it told its peer to send nothing (a window of 0).
    pub zero_window: Option<Mark>,
    /// The longest pause before it sent bytes again (or late) that were behind what it had sent: a lost segment and a
    /// timer.
    pub resent: Option<Pause>,
    /// How many such pauses there were.
    pub resent_count: u32,
    /// The longest pause in the middle of what it had to say that ended with its peer's acknowledgement: Nagle's algorithm
    /// and a delayed acknowledgement waiting for each other. The time is that which the acknowledgement took.
    pub held: Option<Pause>,
}

/// What is needed to see it. Made with the first payload: a half-open connection stays small.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    pub(super) pace: Pair<Pace>,
    /// Sequence number behind the highest byte sent, and the last segment with payload.
    sent: Pair<Option<(u32, Mark)>>,
    /// The last acknowledgement without payload.
    ack: Pair<Option<Mark>>,
}

impl Watch {
    /// Takes a segment into account.
    pub(super) fn segment(&mut self, side: Side, seg: &Segment<'_>, mark: Mark) {
        let p = &mut self.pace[side];
        if seg.window == 0 && seg.flags.contains(TcpFlags::ACK) && !seg.flags.contains(TcpFlags::RST) {
            p.zero_window.get_or_insert(mark);
        }
        if seg.wire_len == 0 {
            // A FIN acknowledges too, but is no answer that was delayed.
            if seg.flags == TcpFlags::ACK {
                self.ack[side] = Some(mark);
            }
            return;
        }
        let end = seg.seq.wrapping_add(seg.wire_len);
        let Some((highest, last)) = self.sent[side] else {
            self.sent[side] = Some((end, mark));
            return;
        };
        let us = mark.time.us_since(last.time);
        let pause = Pause { mark, us, len: seg.wire_len };
        // One byte before what was acknowledged is a keep-alive.
        let is_behind = seg.seq.wrapping_sub(highest).cast_signed() < 0 && seg.wire_len > 1;
        if is_behind && us >= TIMER_US {
            p.resent_count = p.resent_count.saturating_add(1);
            longest(&mut p.resent, pause);
        }
        if let Some(ack) = self.ack[side.other()].filter(|_| seg.seq == highest) {
            let (waited, released) = (ack.time.us_since(last.time), mark.time.us_since(ack.time));
            if ack.frame > last.frame && waited >= DELAYED_US && released <= RELEASED_US {
                longest(&mut p.held, Pause { us: waited, ..pause });
            }
        }
        let highest = if end.wrapping_sub(highest).cast_signed() > 0 { end } else { highest };
        self.sent[side] = Some((highest, mark));
    }
}

fn longest(slot: &mut Option<Pause>, p: Pause) {
    if slot.is_none_or(|s| p.us > s.us) {
        *slot = Some(p);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{FrameNo, Timestamp};

    /// Segments as (side, milliseconds, sequence number, bytes, window); a segment without bytes is an acknowledgement.
    fn paced(list: &[(Side, i64, u32, u32, u16)]) -> Pair<Pace> {
        let mut w = Watch::default();
        for (&(side, ms, seq, len, window), n) in list.iter().zip(1..) {
            let seg = Segment { window, ..Segment::bare(seq, len, TcpFlags::ACK) };
            w.segment(side, &seg, Mark { frame: FrameNo(n), time: Timestamp(ms * 1_000_000) });
        }
        w.pace
    }

    const A: Side = Side::A;
    const B: Side = Side::B;

    #[test]
    fn bytes_sent_again_after_a_timer() {
        let p = paced(&[(B, 0, 0, 1000, 9), (B, 1, 1000, 1000, 9), (B, 301, 0, 1000, 9), (B, 901, 1000, 1000, 9)]);
        assert_eq!(p.b.resent.map(|r| (r.mark.frame.0, r.us)), Some((4, 600_000)));
        assert_eq!((p.b.resent_count, p.a.resent), (2, None));
        // For duplicate acknowledgements: at once. A keep-alive: one byte.
        let p = paced(&[(B, 0, 0, 1000, 9), (B, 20, 0, 1000, 9), (B, 9000, 999, 1, 9)]);
        assert_eq!(p.b.resent, None);
        // Sequence numbers wrap.
        let p = paced(&[(B, 0, u32::MAX - 9, 20, 9), (B, 300, u32::MAX - 9, 20, 9)]);
        assert!(p.b.resent.is_some());
        let p = paced(&[(B, 0, u32::MAX - 9, 20, 9), (B, 300, 10, 20, 9)]);
        assert!(p.b.resent.is_none());
    }

    #[test]
    fn a_flight_that_waits_for_an_acknowledgement() {
        let p = paced(&[(B, 0, 0, 100, 9), (A, 40, 0, 0, 9), (B, 41, 100, 500, 9)]);
        assert_eq!(p.b.held.map(|h| (h.mark.frame.0, h.us)), Some((3, 40_000)));
        for other in [
            // The acknowledgement is quick, the server slow.
            [(B, 0, 0, 100, 9), (A, 1, 0, 0, 9), (B, 41, 100, 500, 9)],
            // The data comes long after it.
            [(B, 0, 0, 100, 9), (A, 40, 0, 0, 9), (B, 90, 100, 500, 9)],
            // The client had something to say: an answer, no acknowledgement.
            [(B, 0, 0, 100, 9), (A, 40, 0, 50, 9), (B, 41, 100, 500, 9)],
        ] {
            assert_eq!(paced(&other).b.held, None);
        }
    }

    #[test]
    fn a_closed_window() {
        let p = paced(&[(B, 0, 0, 100, 9), (A, 1, 0, 0, 0)]);
        assert_eq!(p.a.zero_window.map(|m| m.frame.0), Some(2));
        assert!(p.b.zero_window.is_none());
    }
}
