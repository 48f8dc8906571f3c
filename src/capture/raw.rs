//! The bytes of the input as they lie in the file: counted for progress, and looked at ahead to tell the format.

use std::io::{self, BufRead, Read};

/// Bytes read ahead of a decompressor. An uncompressed capture is read past this buffer.
const AHEAD: usize = 64 << 10;

/// A reader that can be peeked into. Keeps an error of the environment apart from what a decompressor says about the
/// data: it is had with [`RawInput::take_error`].
pub(super) struct RawInput {
    inner: Box<dyn Read + Send>,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    count: u64,
    starved: bool,
    error: Option<io::Error>,
}

impl RawInput {
    pub(super) fn new(inner: Box<dyn Read + Send>) -> Self {
        Self { inner, buf: Vec::new(), start: 0, end: 0, count: 0, starved: false, error: None }
    }

    /// Bytes read from the file so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The error of the environment that made a read fail, if it was one.
    pub(super) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// True when a reader has asked for bytes behind the end since [`RawInput::feed`].
    pub(super) fn starved(&self) -> bool {
        self.starved
    }

    /// Forgets that a reader ran into the end.
    pub(super) fn feed(&mut self) {
        self.starved = false;
    }

    /// The next `n` bytes (at most 64 KiB) without consuming them; fewer at the end of the input.
    pub(super) fn peek(&mut self, n: usize) -> io::Result<&[u8]> {
        let n = n.min(AHEAD);
        self.buf.resize(AHEAD, 0);
        if self.start.saturating_add(n) > self.buf.len() {
            self.buf.copy_within(self.start..self.end, 0);
            self.end = self.end.saturating_sub(self.start);
            self.start = 0;
        }
        while self.end.saturating_sub(self.start) < n {
            let got = pull(&mut *self.inner, self.buf.get_mut(self.end..).unwrap_or_default(), &mut self.error)?;
            if got == 0 {
                break;
            }
            self.count = self.count.saturating_add(got as u64);
            self.end = self.end.saturating_add(got);
        }
        let have = self.held();
        Ok(have.get(..n).unwrap_or(have))
    }

    /// Consumes `n` bytes; false when the input ends before.
    pub(super) fn skip(&mut self, mut n: u64) -> io::Result<bool> {
        while n > 0 {
            let have = self.fill_buf()?.len();
            if have == 0 {
                return Ok(false);
            }
            let step = usize::try_from(n).unwrap_or(usize::MAX).min(have);
            self.consume(step);
            n = n.saturating_sub(step as u64);
        }
        Ok(true)
    }

    fn held(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }
}

/// One read that is not stopped by a signal. The error itself goes to `error`, since decompressors wrap what they are
/// given and the wrapper does not tell a broken disk from broken data.
fn pull(inner: &mut dyn Read, out: &mut [u8], error: &mut Option<io::Error>) -> io::Result<usize> {
    loop {
        match inner.read(out) {
            Ok(n) => return Ok(n.min(out.len())),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => {
                let kind = e.kind();
                *error = Some(e);
                return Err(kind.into());
            }
        }
    }
}

impl Read for RawInput {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end && out.len() >= AHEAD {
            let got = pull(&mut *self.inner, out, &mut self.error)?;
            self.count = self.count.saturating_add(got as u64);
            self.starved |= got == 0;
            return Ok(got);
        }
        let n = self.fill_buf()?.read(out)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for RawInput {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.buf.resize(AHEAD, 0);
            self.start = 0;
            self.end = 0;
            self.end = pull(&mut *self.inner, &mut self.buf, &mut self.error)?;
            self.count = self.count.saturating_add(self.end as u64);
            self.starved |= self.end == 0;
        }
        Ok(self.held())
    }

    fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte a read, and is interrupted before each.
    struct Slow(Vec<u8>, bool);
    impl Read for Slow {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if self.0.is_empty() || out.is_empty() {
                return Ok(0);
            }
            out[0] = self.0.remove(0);
            Ok(1)
        }
    }

    #[test]
    fn peeks_without_consuming() {
        let mut r = RawInput::new(Box::new(Slow(b"abcdef".to_vec(), false)));
        assert_eq!(r.peek(4).unwrap(), b"abcd");
        assert_eq!(r.peek(2).unwrap(), b"ab");
        assert!(r.skip(1).unwrap());
        assert_eq!(r.peek(18).unwrap(), b"bcdef");
        assert!(!r.starved());
        let mut rest = Vec::new();
        r.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"bcdef");
        assert!(r.starved());
        assert_eq!(r.count(), 6);
        assert!(!r.skip(1).unwrap());
    }

    #[test]
    fn peeks_over_the_end_of_its_buffer() {
        let bytes: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
        let mut r = RawInput::new(Box::new(io::Cursor::new(bytes.clone())));
        r.peek(1).unwrap();
        assert!(r.skip(AHEAD as u64 - 2).unwrap());
        assert_eq!(r.peek(18).unwrap(), &bytes[AHEAD - 2..AHEAD + 16]);
        assert!(r.skip(100_000).unwrap());
        assert_eq!(r.peek(5).unwrap(), &bytes[AHEAD + 99_998..AHEAD + 100_003]);
    }
}
