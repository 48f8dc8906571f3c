//! Where bytes are and when they came: frames, spans, sides, times. Depends on nothing of this crate.

use std::fmt;

/// Number of a frame: 1-based over the whole input, across interfaces and sections; equals Wireshark's `frame.number`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameNo(pub u64);

impl fmt::Display for FrameNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A run of bytes inside one message, stream or buffer: first byte and length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub at: usize,
    /// Number of bytes; 0 is a place between two bytes.
    pub len: usize,
}

impl Span {
    /// The span of `len` bytes from `at`.
    pub const fn new(at: usize, len: usize) -> Self {
        Self { at, len }
    }

    /// Offset just behind the last byte.
    pub const fn end(self) -> usize {
        self.at.saturating_add(self.len)
    }
}

/// A run of bytes inside one captured frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameSpan {
    /// The frame.
    pub frame: FrameNo,
    /// Offset of the first byte from the start of the captured frame (for a datagram put together from IP fragments:
    /// from the start of the fragment's frame that carries the byte).
    pub off: u32,
    /// Number of bytes.
    pub len: u32,
}

/// One of the two ends of a connection, as the transport knows them: `A` sent the first frame that was captured.
/// Who is client and who is server is decided later, from what they say (see [`Role`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The sender of the first frame of the flow.
    A,
    /// The other one.
    B,
}

impl Side {
    /// The peer.
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// Something that each side has one of; indexed by [`Side`], so that no index can be wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pair<T> {
    /// Of side A.
    pub a: T,
    /// Of side B.
    pub b: T,
}

impl<T> Pair<T> {
    /// From both sides' own.
    pub const fn new(a: T, b: T) -> Self {
        Self { a, b }
    }

    /// Side A's, then side B's.
    pub fn iter(&self) -> std::array::IntoIter<&T, 2> {
        self.into_iter()
    }

    /// Side A's, then side B's.
    pub fn iter_mut(&mut self) -> std::array::IntoIter<&mut T, 2> {
        self.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Pair<T> {
    type Item = &'a T;
    type IntoIter = std::array::IntoIter<&'a T, 2>;

    fn into_iter(self) -> Self::IntoIter {
        [&self.a, &self.b].into_iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Pair<T> {
    type Item = &'a mut T;
    type IntoIter = std::array::IntoIter<&'a mut T, 2>;

    fn into_iter(self) -> Self::IntoIter {
        [&mut self.a, &mut self.b].into_iter()
    }
}

impl<T> std::ops::Index<Side> for Pair<T> {
    type Output = T;

    fn index(&self, side: Side) -> &T {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }
}

impl<T> std::ops::IndexMut<Side> for Pair<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }
}

/// The part a peer plays in TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sends the ClientHello.
    Client,
    /// Answers it.
    Server,
}

impl Role {
    /// The peer's role.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// `"client"` or `"server"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A point in capture time: nanoseconds since 1970-01-01T00:00:00Z. Covers the years 1677 to 2262; times outside are
/// clamped by whoever makes one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole seconds and nanoseconds, clamped to what can be represented.
    pub fn from_parts(secs: i64, nanos: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// Microseconds from `earlier` to `self`; 0 when the capture's clock went backwards in between.
    pub const fn us_since(self, earlier: Self) -> u64 {
        let d = self.0.saturating_sub(earlier.0);
        if d > 0 { (d / 1000).unsigned_abs() } else { 0 }
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339, UTC, with nanoseconds: `2026-11-21T12:00:03.114000000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(TimeText::new(self.secs(), Some(self.0.rem_euclid(1_000_000_000))).as_str())
    }
}

/// RFC 3339 text of a time, UTC, made without the formatting machinery: a report of a large capture holds millions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeText {
    bytes: [u8; 30],
    len: usize,
}

impl TimeText {
    /// Of a time in seconds since 1970, years 0 to 9999; with nine digits of a second where `nanos` are given.
    pub(crate) fn new(secs: i64, nanos: Option<i64>) -> Self {
        let mut bytes = *b"0000-00-00T00:00:00.000000000Z";
        let (year, month, day) = civil_from_days(secs.div_euclid(86_400));
        let of_day = secs.rem_euclid(86_400);
        let mut put = |at: usize, width: usize, value: i64| {
            let mut left = value.unsigned_abs();
            for slot in bytes.iter_mut().skip(at).take(width).rev() {
                *slot = b'0'.saturating_add((left % 10) as u8);
                left /= 10;
            }
        };
        put(0, 4, year);
        put(5, 2, month);
        put(8, 2, day);
        put(11, 2, of_day / 3600);
        put(14, 2, of_day / 60 % 60);
        put(17, 2, of_day % 60);
        let len = match nanos {
            Some(nanos) => {
                put(20, 9, nanos);
                30
            }
            None => {
                bytes[19] = b'Z';
                20
            }
        };
        Self { bytes, len }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
    }
}

/// Proleptic Gregorian date of a day counted from 1970-01-01.
///
/// By hand because it is called for each time in a report (and 30 lines less than the conversions through a calendar
/// library); the years it meets are bounded by [`Timestamp`] and X.509 (0 to 9999), so nothing overflows.
#[allow(clippy::arithmetic_side_effects)]
pub(crate) const fn civil_from_days(day: i64) -> (i64, i64, i64) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let d = doy - (153 * mp + 2) / 5 + 1;
    let m = if mp < 10 { mp + 3 } else { mp - 9 };
    let y = yoe + era * 400 + if m <= 2 { 1 } else { 0 };
    (y, m, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339() {
        // `date -u -d @SECS +%FT%T` is the second source of these.
        for (secs, want) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000000Z"),
            (1_700_000_000, "2023-11-14T22:13:20.000000000Z"),
            (-1, "1969-12-31T23:59:59.000000000Z"),
            (4_294_967_295, "2106-02-07T06:28:15.000000000Z"),
        ] {
            assert_eq!(Timestamp::from_parts(secs, 0).to_string(), want);
        }
        assert_eq!(Timestamp(i64::MAX).to_string(), "2262-04-11T23:47:16.854775807Z");
        assert_eq!(Timestamp(i64::MIN).to_string(), "1677-09-21T00:12:43.145224192Z");
    }

    #[test]
    fn durations_never_run_backwards() {
        let a = Timestamp::from_parts(10, 0);
        let b = Timestamp::from_parts(9, 0);
        assert_eq!(a.us_since(b), 1_000_000);
        assert_eq!(b.us_since(a), 0);
        assert_eq!(Timestamp(i64::MAX).us_since(Timestamp(i64::MIN)), (i64::MAX / 1000).unsigned_abs());
    }
}
