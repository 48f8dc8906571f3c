//! Capture files as frames: pcap and pcapng, plain or compressed, from a path or standard input.
//!
//! [`open`] takes a path (`-` is standard input) and has read the file header when it returns, so that what is no
//! capture is an [`Error`]. From then on everything that is wrong with the file is a [`Problem`] beside the frames that
//! could be read; only a failing disk or pipe is still an [`Error`]. The input is streamed through one bounded buffer:
//! memory does not grow with it, nor with what its length fields claim.
//!
//! Formats: `draft-ietf-opsawg-pcap`, `draft-ietf-opsawg-pcapng`. Compressions: RFC 1952, RFC 8878, the LZ4 frame format.

mod blocks;
mod compress;
mod file;
mod held;
mod identify;
mod linktype;
#[cfg(target_os = "linux")]
pub mod live;
mod log;
mod pcap;
mod pcapng;
mod raw;
#[cfg(test)]
mod tests;
mod time;
mod window;
mod write;

use std::fmt;
use std::io;

pub use compress::Compression;
pub use file::{CaptureFile, Opened, open};
pub use held::{Fragments, OwnedFrame};
pub use linktype::LinkType;
pub use write::PcapngBlocks;

use crate::span::{FrameNo, Timestamp};

/// One captured frame. Borrows from the read buffer: it is gone with the next call of [`Source::next_frame`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its number.
    pub no: FrameNo,
    /// When it was captured; `None` where the file does not say (pcapng's Simple Packet Block).
    pub time: Option<Timestamp>,
    /// How to read its first bytes.
    pub link: LinkType,
    /// The interface, counted from 0 over all sections of the input; 0 in a classic pcap file, which knows only one
    /// (its "modified" kind has the index that the capturing host used).
    pub interface: u32,
    /// Its length on the wire; larger than `data` where the capture cut it.
    pub orig_len: u32,
    /// How many bytes at the end of `data` are the frame check sequence; 0 when there is none or the file does not say.
    pub fcs_len: u8,
    /// The captured bytes.
    pub data: &'a [u8],
}

/// Something that gives frames.
pub trait Source {
    /// The next frame; `None` at the end of the input, also after damage that cannot be read past.
    ///
    /// # Errors
    /// Only what the environment does in mid-read, such as a failing disk.
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Error>;

    /// What is known of the input so far.
    fn info(&self) -> &SourceInfo;

    /// Bytes of the (compressed) file read so far, and how many there are where that is known: for a progress bar.
    fn progress(&self) -> (u64, Option<u64>);

    /// The decryption secrets met since the last call. A block stands before the packets it is for.
    fn take_secrets(&mut self) -> Vec<Secrets> {
        Vec::new()
    }
}

/// Format of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Classic pcap, with its variants.
    Pcap,
    /// pcapng.
    Pcapng,
    /// No file: an interface.
    Live,
}

impl Format {
    /// `"pcap"`, `"pcapng"` or `"live"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::Pcapng => "pcapng",
            Self::Live => "live",
        }
    }
}

/// Something wrong or odd in an input that did not stop the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The frame concerned.
    pub frame: Option<FrameNo>,
    /// Where, in bytes from the start of the (uncompressed) input.
    pub offset: Option<u64>,
    /// One or two sentences, safe to print: what is wrong, where, and what was done.
    pub message: String,
}

/// What is known of an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceInfo {
    /// The path as it was typed, not safe to print.
    pub path: String,
    /// The format, once the header was read.
    pub format: Option<Format>,
    /// How the file is compressed.
    pub compression: Option<Compression>,
    /// Frames given out.
    pub frames: u64,
    /// Captured bytes of these frames.
    pub bytes: u64,
    /// Packet records that could not be given out, such as those of an interface that is not described. Each has
    /// taken a frame number.
    pub skipped: u64,
    /// Packets that the capturing program said it lost (pcapng's Interface Statistics Blocks), all interfaces together.
    pub dropped: Option<u64>,
    /// Interfaces described so far, over all sections; 1 in a classic pcap file.
    pub interfaces: u32,
    /// Snap length of a classic pcap file, or of the first interface; 0: no limit or not said.
    pub snap_len: u32,
    /// Time of the earliest frame.
    pub first_time: Option<Timestamp>,
    /// Time of the latest frame.
    pub last_time: Option<Timestamp>,
    /// True once the end was reached and nothing of the input was damaged, cut or skipped.
    pub complete: bool,
    /// What was wrong or odd, at most [`PROBLEMS`](crate::limits::PROBLEMS).
    pub problems: Vec<Problem>,
    /// How many more there were.
    pub problems_omitted: u64,
}

/// The text of one decryption secrets block: a TLS key log. Never printed, not even by `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets(Vec<u8>);

impl Secrets {
    /// The lines of the key log.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} bytes)", self.0.len())
    }
}

/// Why an input could not be read at all, or not further. Each message is one sentence and safe to print.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened.
    #[error("cannot open {path}: {}", crate::text::guard(&source.to_string()))]
    Open {
        /// The path, escaped.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The path is a directory.
    #[error("cannot read {path}: it is a directory; give the path of a capture file, or - for standard input")]
    Directory {
        /// The path, escaped.
        path: String,
    },
    /// There is not one byte.
    #[error("cannot read {path}: it is empty ({what}); check that the capture was written to it")]
    Empty {
        /// The path, escaped.
        path: String,
        /// What is empty: the file, or what it holds compressed.
        what: String,
    },
    /// It looks like no capture, or like one of another format.
    #[error("cannot read {path}: it is {looks_like}; {advice}")]
    NotACapture {
        /// The path, escaped.
        path: String,
        /// What it is, as far as that can be told.
        looks_like: String,
        /// What to do.
        advice: &'static str,
    },
    /// It begins like a capture, but its header is cut or damaged.
    #[error(
        "cannot read {path}: its {format} file header is damaged: {what}; the file has to be captured or copied again"
    )]
    Header {
        /// The path, escaped.
        path: String,
        /// `"pcap"` or `"pcapng"`.
        format: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// A version of the format that is not known.
    #[error(
        "cannot read {path}: it is {format} of version {version}, and only version {known} is known; convert it with editcap"
    )]
    Version {
        /// The path, escaped.
        path: String,
        /// `"pcap"` or `"pcapng"`.
        format: &'static str,
        /// The version it says.
        version: String,
        /// The versions that are read.
        known: &'static str,
    },
    /// Reading failed half-way.
    #[error("reading {path} failed at byte {offset}: {}", crate::text::guard(&source.to_string()))]
    Read {
        /// The path, escaped.
        path: String,
        /// Bytes of the file read before.
        offset: u64,
        /// What the system says.
        source: io::Error,
    },
}
