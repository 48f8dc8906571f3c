//! A capture file or stream: finds out what it is and hands out its frames.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::compress::{Compression, Failure, Stream};
use super::identify::{Look, identify};
use super::log::Log;
use super::pcap::{self, Pcap};
use super::pcapng::{self, Pcapng};
use super::raw::RawInput;
use super::window::Window;
use super::{Error, Frame, Secrets, Source, SourceInfo};
use crate::span::FrameNo;
use crate::text;

/// Bytes looked at to say what a file is that is no capture.
const LOOK: usize = 512;

/// A capture that is being read.
pub struct CaptureFile {
    window: Window,
    reader: Reader,
    log: Log,
    total: Option<u64>,
    done: bool,
}

enum Reader {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl std::fmt::Debug for CaptureFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptureFile").field("info", &self.log.info).finish_non_exhaustive()
    }
}

/// A capture that is open and of which nothing was read yet: what a program does while it still may open files.
pub struct Opened {
    input: Opening,
    name: String,
    total: Option<u64>,
}

enum Opening {
    File(File),
    Other(Box<dyn Read + Send>),
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Opened {
    /// Opens the file at `path`; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn new(path: &Path) -> Result<Self, Error> {
        let name = path.to_string_lossy().into_owned();
        if path.as_os_str() == "-" {
            return Ok(Self::of(Box::new(io::stdin()), &name, None));
        }
        let fail = |source| Error::Open { path: shown(&name), source };
        // Asked before opening: a directory opens, and then fails to be read.
        if std::fs::metadata(path).map_err(fail)?.is_dir() {
            return Err(Error::Directory { path: shown(&name) });
        }
        let file = File::open(path).map_err(fail)?;
        let meta = file.metadata().map_err(fail)?;
        let total = meta.is_file().then_some(meta.len());
        Ok(Self { input: Opening::File(file), name, total })
    }

    /// Any reader; `path_label` stands where a path would, `total` is the number of its bytes, where that is known.
    pub fn of(input: Box<dyn Read + Send>, path_label: &str, total: Option<u64>) -> Self {
        Self { input: Opening::Other(input), name: path_label.to_owned(), total }
    }

    /// The file and its length, when it is one that can be read again; else itself.
    ///
    /// # Errors
    /// None that is one: itself, when it is a stream.
    pub fn into_file(self) -> Result<(File, u64), Self> {
        match (self.input, self.total) {
            (Opening::File(file), Some(total)) => Ok((file, total)),
            (input, total) => Err(Self { input, name: self.name, total }),
        }
    }

    /// The same read through something else.
    pub fn through(self, other: impl FnOnce(Box<dyn Read + Send>) -> Box<dyn Read + Send>) -> Self {
        Self { input: Opening::Other(other(self.input.into_reader())), ..self }
    }

    /// Reads the header.
    ///
    /// # Errors
    /// When it is no capture.
    pub fn begin(self) -> Result<CaptureFile, Error> {
        let mut capture = CaptureFile::from_boxed(self.input.into_reader(), &self.name)?;
        capture.total = self.total;
        Ok(capture)
    }
}

impl Opening {
    fn into_reader(self) -> Box<dyn Read + Send> {
        match self {
            Self::File(file) => Box::new(file),
            Self::Other(reader) => reader,
        }
    }
}

/// Opens the capture at `path`; `-` is standard input. Its header has been read when this returns.
///
/// # Errors
/// When it cannot be opened, or is no capture.
pub fn open(path: &Path) -> Result<CaptureFile, Error> {
    Opened::new(path)?.begin()
}

/// The path as messages show it.
fn shown(path: &str) -> String {
    if path == "-" { "standard input".into() } else { text::escape(path).into_owned() }
}

impl CaptureFile {
    /// Reads a capture from anything; `path_label` stands where a path would.
    ///
    /// # Errors
    /// When it cannot be read, or is no capture.
    pub fn from_reader(reader: impl Read + Send + 'static, path_label: &str) -> Result<Self, Error> {
        Self::from_boxed(Box::new(reader), path_label)
    }

    fn from_boxed(reader: Box<dyn Read + Send>, path_label: &str) -> Result<Self, Error> {
        let path = shown(path_label);
        let stream = Stream::new(RawInput::new(reader)).map_err(|source| Error::Read {
            path: path.clone(),
            offset: 0,
            source,
        })?;
        let mut window = Window::new(stream);
        let mut log = Log::new(path_label.to_owned());
        log.info.compression = window.compression();
        let reader = Self::begin(&mut window, &mut log, path)?;
        Ok(Self { window, reader, log, total: None, done: false })
    }

    /// Reads the file header. Asks for no more bytes than it needs, so that a live stream is not waited for.
    fn begin(window: &mut Window, log: &mut Log, path: String) -> Result<Reader, Error> {
        let fill = |window: &mut Window, need: usize| {
            window.fill(need).map_err(|source| Error::Read { path: path.clone(), offset: window.count(), source })
        };
        let packed = window.compression();
        fill(window, 4)?;
        if window.bytes().is_empty() {
            let what = match (packed, window.failure()) {
                (None, _) => "0 bytes".into(),
                (Some(c), None) => format!("there is nothing in its {} data", c.name()),
                (Some(c), Some(Failure::Cut)) => format!("its {} data is cut before the first byte", c.name()),
                (Some(c), Some(Failure::Damaged(why))) => format!("its {} data is damaged: {why}", c.name()),
            };
            return Err(Error::Empty { path, what });
        }
        let cut = |format: &'static str, window: &Window, need: usize| {
            let have = window.bytes().len();
            Error::Header {
                path: path.clone(),
                format,
                what: format!("it needs {need} bytes and the input ends after {have}"),
            }
        };
        if pcap::is_pcap(window.bytes()) {
            fill(window, pcap::FILE_HEADER)?;
            let Some(header) = window.bytes().first_chunk() else {
                return Err(cut("pcap", window, pcap::FILE_HEADER));
            };
            let reader = Pcap::new(header, log);
            window.consume(pcap::FILE_HEADER);
            return Ok(Reader::Pcap(reader));
        }
        if pcapng::is_pcapng(window.bytes()) {
            if !fill(window, pcapng::SECTION_HEADER)? {
                return Err(cut("pcapng", window, pcapng::SECTION_HEADER));
            }
            let mut reader = Pcapng::default();
            return match reader.begin(window, log) {
                Ok(()) => Ok(Reader::Pcapng(reader)),
                Err(pcapng::NoSection::Io(source)) => Err(Error::Read { path, offset: window.count(), source }),
                Err(pcapng::NoSection::Version(version)) => {
                    Err(Error::Version { path, format: "pcapng", version, known: "1" })
                }
                Err(pcapng::NoSection::Damage(what)) => Err(Error::Header { path, format: "pcapng", what }),
            };
        }
        // What is there must do: of a stream more may never come.
        let head = window.bytes();
        let look = match (packed, Compression::detect(head)) {
            (Some(outer), Some(inner)) => {
                return Err(Error::NotACapture {
                    path,
                    looks_like: format!("{} inside {}, and only one compression is undone", inner.name(), outer.name()),
                    advice: "unpack it once and give the result",
                });
            }
            _ => identify(head.get(..LOOK).unwrap_or(head)),
        };
        let Look { is, advice } = look;
        let looks_like =
            packed.map_or_else(|| is.to_owned(), |c| format!("{}-compressed, and what is inside is {is}", c.name()));
        Err(Error::NotACapture { path, looks_like, advice })
    }
}

impl Source for CaptureFile {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Error> {
        if self.done {
            return Ok(None);
        }
        let found = match &mut self.reader {
            Reader::Pcap(r) => r.next(&mut self.window, &mut self.log),
            Reader::Pcapng(r) => r.next(&mut self.window, &mut self.log),
        };
        match found {
            Ok(Some(f)) => Ok(Some(Frame {
                no: FrameNo(f.no),
                time: f.time,
                link: f.link,
                interface: f.interface,
                orig_len: f.orig_len,
                fcs_len: f.fcs_len,
                data: self.window.slice(f.at, f.len),
            })),
            Ok(None) => {
                self.done = true;
                Ok(None)
            }
            Err(source) => {
                self.done = true;
                self.log.broken_off();
                Err(Error::Read { path: shown(&self.log.info.path), offset: self.window.count(), source })
            }
        }
    }

    fn info(&self) -> &SourceInfo {
        &self.log.info
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (self.window.count(), self.total)
    }

    fn take_secrets(&mut self) -> Vec<Secrets> {
        std::mem::take(&mut self.log.secrets)
    }
}
