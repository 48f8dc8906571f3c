//! The compressions a capture may be wrapped in, told by their magic numbers. One level; streamed, never held whole.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder as Lz4Decoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder as ZstdDecoder};

use super::raw::RawInput;
use crate::limits;

/// How a capture file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952, one or several members.
    Gzip,
    /// RFC 8878, one or several frames.
    Zstd,
    /// The LZ4 frame format (not the legacy one), one or several frames.
    Lz4,
}

impl Compression {
    /// `"gzip"`, `"zstd"` or `"lz4"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
        }
    }

    /// By the first four bytes.
    pub(super) fn detect(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::Lz4),
            _ => None,
        }
    }
}

/// Why compressed data could not be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It ends too early.
    Cut,
    /// It is not what its format allows; says what was wrong.
    Damaged(&'static str),
}

/// The uncompressed bytes of the input.
pub(super) struct Stream {
    decoder: Decoder,
    failure: Option<Failure>,
    ended: bool,
}

enum Decoder {
    Plain(RawInput),
    Gzip(Box<MultiGzDecoder<RawInput>>),
    Zstd(Box<Zstd>),
    Lz4(Box<Lz4>),
}

impl Stream {
    /// Looks at the first bytes and puts the decompressor they ask for in front.
    pub(super) fn new(mut raw: RawInput) -> io::Result<Self> {
        // Some compressors (pzstd) begin with a skippable frame, which zstd and lz4 have in common.
        let mut skipped = false;
        while is_skippable(&real(&mut raw, |r| r.peek(4).map(<[u8]>::to_vec))?)
            && let Some(len) = skippable(&real(&mut raw, |r| r.peek(8).map(<[u8]>::to_vec))?)
        {
            skipped = true;
            if !real(&mut raw, |r| r.skip(len))? {
                break;
            }
        }
        let found = Compression::detect(real(&mut raw, |r| r.peek(4).map(<[u8]>::to_vec))?.as_slice());
        let decoder = match found {
            Some(Compression::Gzip) if !skipped => Decoder::Gzip(Box::new(MultiGzDecoder::new(raw))),
            Some(Compression::Zstd) => Decoder::Zstd(Box::new(Zstd::new(raw))),
            Some(Compression::Lz4) => Decoder::Lz4(Box::new(Lz4::new(raw))),
            _ => Decoder::Plain(raw),
        };
        Ok(Self { decoder, failure: None, ended: false })
    }

    pub(super) fn compression(&self) -> Option<Compression> {
        match self.decoder {
            Decoder::Plain(_) => None,
            Decoder::Gzip(_) => Some(Compression::Gzip),
            Decoder::Zstd(_) => Some(Compression::Zstd),
            Decoder::Lz4(_) => Some(Compression::Lz4),
        }
    }

    /// Bytes of the file read so far.
    pub(super) fn count(&self) -> u64 {
        match &self.decoder {
            Decoder::Plain(raw) => raw.count(),
            Decoder::Gzip(gz) => gz.get_ref().count(),
            Decoder::Zstd(z) => z.raw.count(),
            Decoder::Lz4(l) => l.inner.get_ref().count(),
        }
    }

    /// Why the stream ended before its end, once [`Stream::read`] has returned 0.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// Reads some bytes; 0 at the end, also at one that came too early. `Err` is the environment's.
    pub(super) fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let (got, raw) = match &mut self.decoder {
            Decoder::Plain(raw) => (raw.read(out).map_err(|_| Failure::Cut), raw),
            Decoder::Gzip(gz) => {
                (gz.read(out).map_err(|e| reason(&e, "its deflate data or checksum is wrong")), gz.get_mut())
            }
            Decoder::Zstd(z) => (z.read(out), &mut z.raw),
            Decoder::Lz4(l) => (l.read(out), l.inner.get_mut()),
        };
        if let Some(e) = raw.take_error() {
            self.ended = true;
            return Err(e);
        }
        match got {
            Ok(n) => {
                self.ended = n == 0;
                Ok(n)
            }
            Err(failure) => {
                self.ended = true;
                self.failure = Some(failure);
                Ok(0)
            }
        }
    }
}

/// Runs a read, and returns the environment's own error instead of the stand-in.
fn real<T>(raw: &mut RawInput, f: impl FnOnce(&mut RawInput) -> io::Result<T>) -> io::Result<T> {
    f(raw).map_err(|e| raw.take_error().unwrap_or(e))
}

fn reason(e: &io::Error, otherwise: &'static str) -> Failure {
    if e.kind() == io::ErrorKind::UnexpectedEof { Failure::Cut } else { Failure::Damaged(otherwise) }
}

/// Whole length of the skippable frame (RFC 8878 section 3.1.2) that `head` begins with.
fn skippable(head: &[u8]) -> Option<u64> {
    let (magic, len) = head.split_first_chunk::<4>()?;
    let len = u32::from_le_bytes(*len.first_chunk()?);
    is_skippable(magic).then(|| u64::from(len).saturating_add(8))
}

fn is_skippable(head: &[u8]) -> bool {
    head.first_chunk().is_some_and(|magic| u32::from_le_bytes(*magic) & 0xffff_fff0 == 0x184d_2a50)
}

/// What stands between two frames.
enum Next {
    Frame,
    End,
}

/// Goes on to the next frame of `kind`, over skippable ones.
fn next_frame(raw: &mut RawInput, kind: Compression) -> Result<Next, Failure> {
    loop {
        // An error of the environment is taken from `raw` by the caller, whatever is returned here.
        let head = raw.peek(8).map_err(|_| Failure::Cut)?;
        if head.is_empty() {
            return Ok(Next::End);
        }
        if Compression::detect(head) == Some(kind) {
            return Ok(Next::Frame);
        }
        let Some(len) = skippable(head) else {
            return Err(if head.len() < 4 {
                Failure::Cut
            } else {
                Failure::Damaged("other bytes follow its last frame")
            });
        };
        if !raw.skip(len).map_err(|_| Failure::Cut)? {
            return Err(Failure::Cut);
        }
    }
}

struct Zstd {
    raw: RawInput,
    frame: ZstdDecoder,
    state: ZstdState,
}

enum ZstdState {
    Between,
    Inside,
    /// The frame broke off; what was decoded of it is handed out before.
    Broken(Failure),
}

impl Zstd {
    fn new(raw: RawInput) -> Self {
        Self { raw, frame: ZstdDecoder::new(), state: ZstdState::Between }
    }

    fn read(&mut self, out: &mut [u8]) -> Result<usize, Failure> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if let ZstdState::Between = self.state {
                if let Next::End = next_frame(&mut self.raw, Compression::Zstd)? {
                    return Ok(0);
                }
                self.begin()?;
            }
            if self.frame.can_collect() > 0 {
                return self.frame.read(out).map_err(|_| Failure::Damaged("its data is wrong"));
            }
            if let ZstdState::Broken(failure) = self.state {
                return Err(failure);
            }
            if self.frame.is_finished() {
                let sum = self.frame.get_checksum_from_data();
                if sum.is_some() && sum != self.frame.get_calculated_checksum() {
                    return Err(Failure::Damaged("its checksum is wrong"));
                }
                self.state = ZstdState::Between;
                continue;
            }
            self.raw.feed();
            if self.frame.decode_blocks(&mut self.raw, BlockDecodingStrategy::UptoBlocks(1)).is_err() {
                let why = if self.raw.starved() { Failure::Cut } else { Failure::Damaged("a block of it is wrong") };
                self.state = ZstdState::Broken(why);
                // The decoder holds back a window of decoded bytes until the frame ends: so let it end, with an empty
                // last block (RFC 8878 section 3.1.1.2) and a checksum that nobody compares.
                let end: &[u8] = &[1, 0, 0, 0, 0, 0, 0];
                if self.frame.decode_blocks(end, BlockDecodingStrategy::UptoBlocks(1)).is_err() {
                    return Err(why);
                }
            }
        }
    }

    /// Reads the frame header. The decoder keeps a window of what it decoded, however large the header says, so the
    /// size is judged before.
    fn begin(&mut self) -> Result<(), Failure> {
        let head = self.raw.peek(18).map_err(|_| Failure::Cut)?;
        let window = zstd_window(head).ok_or(Failure::Cut)?;
        if window > limits::ZSTD_WINDOW {
            return Err(Failure::Damaged("it asks for a window of more than 128 MiB"));
        }
        self.raw.feed();
        self.frame = ZstdDecoder::new();
        if self.frame.init(&mut self.raw).is_err() {
            let cut = self.raw.starved();
            return Err(if cut {
                Failure::Cut
            } else {
                Failure::Damaged("its frame header is wrong or asks for a dictionary")
            });
        }
        self.state = ZstdState::Inside;
        Ok(())
    }
}

/// Window size that a zstd frame header asks for (RFC 8878 section 3.1.1.1); `None` when the header is cut.
fn zstd_window(head: &[u8]) -> Option<u64> {
    let descriptor = *head.get(4)?;
    if descriptor & 0x20 == 0 {
        let byte = *head.get(5)?;
        let base = 1u64 << u32::from(byte >> 3).saturating_add(10);
        return Some(base.saturating_add((base >> 3).saturating_mul(u64::from(byte & 7))));
    }
    // Single segment: the window is the content, whose size stands behind the dictionary id.
    let at = [5, 6, 7, 9].get(usize::from(descriptor & 3)).copied().unwrap_or(5);
    let field = head.get(at..)?;
    Some(match descriptor >> 6 {
        0 => u64::from(*field.first()?),
        1 => u64::from(u16::from_le_bytes(*field.first_chunk()?)).saturating_add(256),
        2 => u64::from(u32::from_le_bytes(*field.first_chunk()?)),
        _ => u64::from_le_bytes(*field.first_chunk()?),
    })
}

struct Lz4 {
    inner: Lz4Decoder<RawInput>,
    between: bool,
}

impl Lz4 {
    fn new(raw: RawInput) -> Self {
        Self { inner: Lz4Decoder::new(raw), between: true }
    }

    fn read(&mut self, out: &mut [u8]) -> Result<usize, Failure> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let raw = self.inner.get_mut();
            if self.between {
                if let Next::End = next_frame(raw, Compression::Lz4)? {
                    return Ok(0);
                }
                self.between = false;
            }
            raw.feed();
            match self.inner.read(out) {
                // The decoder returns 0 at the end mark, but also where the data is cut between two blocks: only then
                // has it asked for more than there is.
                Ok(0) if self.inner.get_ref().starved() => return Err(Failure::Cut),
                Ok(0) => self.between = true,
                Ok(n) => return Ok(n),
                Err(e) => return Err(reason(&e, "a block or checksum of it is wrong")),
            }
        }
    }
}
