//! A hole in a stream, and why it is there.

use crate::span::FrameNo;

/// Why bytes are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// The peer acknowledged them: the capture lost them, not the network.
    Capture,
    /// The peer never acknowledged them: lost before the capture point, or never sent.
    Network,
    /// Cut off by the capture's snap length.
    Snaplen,
    /// Given up because too much was waiting behind the hole.
    Limit,
    /// The peer's direction was not captured.
    Unknown,
}

impl GapReason {
    /// The word of the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Network => "network",
            Self::Snaplen => "snaplen",
            Self::Limit => "limit",
            Self::Unknown => "unknown",
        }
    }
}

/// Bytes of a stream that stay missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Offset of the first missing byte in the stream.
    pub at: u64,
    /// How many are missing.
    pub bytes: u64,
    /// The first frame, in file order, with bytes beyond the hole; else the one whose ACK or FIN covers it.
    pub frame: FrameNo,
    /// Why.
    pub reason: GapReason,
}
