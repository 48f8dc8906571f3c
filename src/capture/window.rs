//! The one bounded buffer that a capture is read through.

use std::io;

use super::compress::{Compression, Failure, Stream};

/// Size to begin with: small enough for a processor's second-level cache, large enough that system calls do not count.
const START: usize = 256 << 10;

/// A window that moves over the uncompressed input. Bytes handed out by index stay in place until the next
/// [`Window::fill`].
pub(super) struct Window {
    stream: Stream,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
}

impl Window {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, buf: vec![0; START], start: 0, end: 0, offset: 0 }
    }

    /// The bytes that are there and not consumed.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    /// Index of the first byte of [`Window::bytes`], for [`Window::slice`].
    #[inline]
    pub(super) fn position(&self) -> usize {
        self.start
    }

    /// Bytes by index; also consumed ones, until the next fill.
    #[inline]
    pub(super) fn slice(&self, at: usize, len: usize) -> &[u8] {
        self.buf.get(at..at.saturating_add(len)).unwrap_or_default()
    }

    /// Offset of the first byte of [`Window::bytes`] in the uncompressed input.
    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn compression(&self) -> Option<Compression> {
        self.stream.compression()
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.stream.failure()
    }

    /// Bytes of the file read so far.
    pub(super) fn count(&self) -> u64 {
        self.stream.count()
    }

    /// Consumes `n` bytes of those that are there.
    #[inline]
    pub(super) fn consume(&mut self, n: usize) {
        let n = n.min(self.end.saturating_sub(self.start));
        self.start = self.start.saturating_add(n);
        self.offset = self.offset.saturating_add(n as u64);
    }

    /// Consumes `n` bytes without holding them; false when the input ends before.
    pub(super) fn skip(&mut self, mut n: u64) -> io::Result<bool> {
        while n > 0 {
            if !self.fill(1)? {
                return Ok(false);
            }
            let step = usize::try_from(n).unwrap_or(usize::MAX).min(self.bytes().len());
            self.consume(step);
            n = n.saturating_sub(step as u64);
        }
        Ok(true)
    }

    /// Makes at least `need` bytes be there; false when the input ends before. The caller bounds `need`.
    #[inline]
    pub(super) fn fill(&mut self, need: usize) -> io::Result<bool> {
        if self.end.saturating_sub(self.start) >= need {
            return Ok(true);
        }
        self.refill(need)
    }

    #[cold]
    fn refill(&mut self, need: usize) -> io::Result<bool> {
        self.buf.copy_within(self.start..self.end, 0);
        self.end = self.end.saturating_sub(self.start);
        self.start = 0;
        if need > self.buf.len() {
            self.buf.resize(need.next_power_of_two(), 0);
        }
        while self.end < need {
            let got = self.stream.read(self.buf.get_mut(self.end..).unwrap_or_default())?;
            if got == 0 {
                return Ok(false);
            }
            self.end = self.end.saturating_add(got).min(self.buf.len());
        }
        Ok(true)
    }
}
