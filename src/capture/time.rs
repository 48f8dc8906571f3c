//! Timestamps of capture files, exact to the nanosecond, whatever unit and offset the file says.

use crate::span::Timestamp;

/// A time made from a file, and whether it had to be changed to be representable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) time: Option<Timestamp>,
    pub(super) clamped: bool,
}

/// Clock of a pcapng interface: `if_tsresol` and `if_tsoffset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    unit: Unit,
    offset: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Nanoseconds per tick.
    Mul(u64),
    /// Ticks per nanosecond.
    Div(u64),
    /// 2^-n s.
    Shift(u8),
    /// So fine that 64 bits hold less than a second: no time can be had from it.
    Unusable,
}

impl Default for Clock {
    /// Microseconds since 1970, as where an interface says nothing.
    fn default() -> Self {
        Self { unit: Unit::Mul(1000), offset: 0 }
    }
}

impl Clock {
    /// Takes the value of `if_tsresol`: 10^-n s, or 2^-n s with the highest bit set.
    pub(super) fn set_resolution(&mut self, value: u8) {
        let n = value & 0x7f;
        self.unit = if value & 0x80 != 0 {
            if n <= 63 { Unit::Shift(n) } else { Unit::Unusable }
        } else {
            match (9u32.checked_sub(u32::from(n)), u32::from(n).saturating_sub(9)) {
                (Some(up), _) => Unit::Mul(10u64.pow(up)),
                (None, down @ ..=10) => Unit::Div(10u64.pow(down)),
                _ => Unit::Unusable,
            }
        };
    }

    /// Takes the value of `if_tsoffset`: seconds to be added.
    pub(super) fn set_offset(&mut self, seconds: i64) {
        self.offset = seconds;
    }

    /// False when no packet of this interface has a time.
    pub(super) fn usable(self) -> bool {
        self.unit != Unit::Unusable
    }

    /// The time of `ticks`, rounded down to a nanosecond.
    #[inline]
    pub(super) fn at(self, ticks: u64) -> Stamp {
        if let (Unit::Mul(by), 0) = (self.unit, self.offset)
            && let Some(ns) = ticks.checked_mul(by).and_then(|ns| i64::try_from(ns).ok())
        {
            return Stamp { time: Some(Timestamp(ns)), clamped: false };
        }
        self.wide(ticks)
    }

    #[cold]
    fn wide(self, ticks: u64) -> Stamp {
        // 128 bits hold 2^64 ticks of a second and the offset beside them: 2^64 * 10^9 + 2^63 * 10^9 < 2^95.
        let ticks = i128::from(ticks);
        let ns = match self.unit {
            Unit::Mul(by) => ticks.saturating_mul(i128::from(by)),
            Unit::Div(by) => ticks.checked_div(i128::from(by)).unwrap_or(0),
            Unit::Shift(n) => ticks.saturating_mul(1_000_000_000) >> n,
            Unit::Unusable => return Stamp { time: None, clamped: false },
        };
        let ns = ns.saturating_add(i128::from(self.offset).saturating_mul(1_000_000_000));
        let fit = ns.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Stamp { time: i64::try_from(fit).ok().map(Timestamp), clamped: fit != ns }
    }
}

/// The time of a classic pcap record: seconds since 1970, and a fraction in units of `unit_ns`. A fraction of a second
/// or more is damage; it is made the last unit of its second, so that the second is kept.
#[inline]
pub(super) fn classic(seconds: u32, fraction: u32, unit_ns: u32) -> Stamp {
    let per_second = if unit_ns == 1 { 1_000_000_000 } else { 1_000_000 };
    let clamped = fraction >= per_second;
    let fraction = if clamped { per_second.saturating_sub(1) } else { fraction };
    let ns = i64::from(seconds)
        .saturating_mul(1_000_000_000)
        .saturating_add(i64::from(fraction).saturating_mul(i64::from(unit_ns)));
    Stamp { time: Some(Timestamp(ns)), clamped }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(resolution: Option<u8>, offset: i64) -> Clock {
        let mut c = Clock::default();
        if let Some(r) = resolution {
            c.set_resolution(r);
        }
        c.set_offset(offset);
        c
    }

    #[test]
    fn units_are_exact() {
        // (if_tsresol, if_tsoffset, ticks, nanoseconds), the last by hand.
        for (r, o, t, ns) in [
            (None, 0, 1_700_000_000_123_456, 1_700_000_000_123_456_000i64),
            (Some(6), 0, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
            (Some(9), 0, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
            (Some(12), 0, 1_700_000_000_123_456_789, 1_700_000_000_123_456),
            (Some(0), 0, 1_700_000_000, 1_700_000_000_000_000_000),
            (Some(0x80), 0, 1_700_000_000, 1_700_000_000_000_000_000),
            (Some(0x94), 0, (1_700_000_000 << 20) + (1 << 19), 1_700_000_000_500_000_000),
            (Some(0x94), 0, 1, 953),
            (Some(9), -1, 0, -1_000_000_000),
            (Some(6), 1_700_000_000, 1, 1_700_000_000_000_001_000),
            (Some(19), 0, u64::MAX, 1_844_674_407),
        ] {
            assert_eq!(clock(r, o).at(t), Stamp { time: Some(Timestamp(ns)), clamped: false }, "{r:?} {o} {t}");
        }
    }

    #[test]
    fn hostile_values_clamp() {
        for r in 0..=255u8 {
            for o in [i64::MIN, -1, 0, 1, i64::MAX] {
                for t in [0, 1, u64::MAX / 2, u64::MAX] {
                    let c = clock(Some(r), o);
                    let s = c.at(t);
                    assert_eq!(s.time.is_some(), c.usable(), "{r} {o} {t}");
                }
            }
        }
        assert_eq!(clock(None, 0).at(u64::MAX), Stamp { time: Some(Timestamp(i64::MAX)), clamped: true });
        assert_eq!(clock(None, i64::MIN).at(0), Stamp { time: Some(Timestamp(i64::MIN)), clamped: true });
        assert!(!clock(Some(63), 0).usable());
        assert!(!clock(Some(0xff), 0).usable());
    }

    #[test]
    fn classic_fractions_stay_in_their_second() {
        assert_eq!(classic(5, 999_999, 1000), Stamp { time: Some(Timestamp(5_999_999_000)), clamped: false });
        assert_eq!(classic(5, 1_000_000, 1000), Stamp { time: Some(Timestamp(5_999_999_000)), clamped: true });
        assert_eq!(classic(5, u32::MAX, 1), Stamp { time: Some(Timestamp(5_999_999_999)), clamped: true });
        assert_eq!(classic(u32::MAX, 0, 1).time, Some(Timestamp(4_294_967_295_000_000_000)));
    }
}
