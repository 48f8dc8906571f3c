//! The arguments of `tlscope live`, and those about capturing that `tlscope run` shares.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::args::{FailOn, format_parser};
use super::trust::TrustArgs;
use crate::capture::live::{self, Through};
use crate::limits;
use crate::scribe::{Readers, Rotation};

/// Arguments of `tlscope live`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Capturing needs one right: sudo setcap cap_net_raw=ep \"$(command -v tlscope)\". It is given up before
the first packet is read, as root is (for --user NAME, who called sudo, or nobody); -v says so,
--no-sandbox keeps all rights.

Examples:
  tlscope live -i eth0                                  in the terminal UI
  tlscope live -i any -f 'tcp port 8443' -F ndjson      a line when decided, another at its end
  tlscope live -i eth0 -w ring.pcapng --rotate-size 100M --rotate-keep 10
  tlscope live -i eth0 -w bad.pcapng --write-on error   only handshakes with an error
  ssh host tcpdump -U -w - tcp | tlscope live -         a capture of another host
  tlscope live --follow growing.pcap -F ndjson"
)]
#[command(mut_args(|a| match a.get_id().as_str() {
    id if TrustArgs::has(id) => a.hide(true),
    "interface" => a.conflicts_with_all(["input", "follow"]),
    id if CaptureArgs::has(id) => a.conflicts_with_all(["input", "follow"]),
    _ => a,
}))]
pub(super) struct LiveArgs {
    /// Read a capture from standard input as it grows
    #[arg(value_name = "-", value_parser = stream, conflicts_with = "follow")]
    pub(super) input: Option<String>,
    /// Read a capture file and go on with what is still written to it
    #[arg(long, value_name = "FILE")]
    pub(super) follow: Option<PathBuf>,
    #[command(flatten)]
    pub(super) capture: CaptureArgs,
    /// How to write the report, as for `report` (default: the UI on a terminal, else text)
    #[arg(short = 'F', long, hide_possible_values = true, value_parser = format_parser())]
    pub(super) format: Option<String>,
    /// Write the report to a file
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Exit with 1 when there was such a finding or a worse one: error, warning or info
    #[arg(long, value_enum, value_name = "SEVERITY", hide_possible_values = true)]
    pub(super) fail_on: Option<FailOn>,
    /// Stop after so long, such as 30s, 10m or 2h
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(super) duration: Option<Duration>,
    /// Keep the packets in a file (pcapng)
    #[arg(short, long, value_name = "FILE")]
    pub(super) write: Option<PathBuf>,
    /// Of the packets keep only the handshakes of connections with such a finding or a worse one:
    /// warning (the default), error or info
    #[arg(long, value_enum, value_name = "SEVERITY", hide_possible_values = true, requires = "write", num_args = 0..=1)]
    #[arg(default_missing_value = "warning")]
    pub(super) write_on: Option<FailOn>,
    /// Begin a new file (NAME-00001.EXT, or the next free number) after so many bytes, such as 100M
    #[arg(long, value_name = "SIZE", value_parser = file_size, requires = "write")]
    pub(super) rotate_size: Option<u64>,
    /// Begin a new file with the next packet after so long, such as 10m
    #[arg(long, value_name = "TIME", value_parser = time, requires = "write")]
    pub(super) rotate_every: Option<Duration>,
    /// Keep so many files, with those of earlier runs; the oldest is removed
    #[arg(long, value_name = "N", requires = "write", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rotate_keep: Option<u32>,
    // As for `report`, whose help shows them.
    #[command(flatten)]
    pub(super) trust: TrustArgs,
}

/// How to capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum How {
    /// libpcap.
    Libpcap,
    /// A packet socket.
    Socket,
}

/// How an interface is captured.
#[derive(Clone, Debug, Args)]
pub(super) struct CaptureArgs {
    /// Interface (see `tlscope interfaces`), or `any` for all
    #[arg(short, long, value_name = "IFACE")]
    pub(super) interface: Option<String>,
    /// Only what passes a filter of pcap-filter(7), such as 'tcp port 443'; needs libpcap
    #[arg(short, long, value_name = "FILTER")]
    filter: Option<String>,
    /// Bytes captured of each packet
    #[arg(long, value_name = "BYTES", default_value = "262144", hide_default_value = true,
          value_parser = clap::value_parser!(u32).range(64..=limits::FRAME_BYTES as i64), display_order = 100)]
    snaplen: u32,
    /// Buffer of the kernel (default: 64M)
    #[arg(long, value_name = "SIZE", value_parser = buffer, default_value = "64M", hide_default_value = true)]
    #[arg(display_order = 100)]
    buffer: u64,
    /// Also see what is not addressed to this host
    #[arg(short, long, display_order = 100)]
    promiscuous: bool,
    /// Capture by libpcap, or by a socket (the default where libpcap is absent)
    #[arg(long, value_enum, hide_possible_values = true, value_name = "HOW", display_order = 100)]
    through: Option<How>,
}

impl CaptureArgs {
    /// True for the name of one of them.
    fn has(id: &str) -> bool {
        matches!(id, "interface" | "filter" | "snaplen" | "buffer" | "promiscuous" | "through")
    }

    /// As the capture takes them, for an interface.
    pub(super) fn options(&self, interface: &str) -> live::Options {
        live::Options {
            interface: interface.to_owned(),
            filter: self.filter.clone(),
            snap_len: self.snaplen,
            buffer: usize::try_from(self.buffer).unwrap_or(usize::MAX),
            promiscuous: self.promiscuous,
            through: self.through.map(|h| match h {
                How::Libpcap => Through::Libpcap,
                How::Socket => Through::Socket,
            }),
        }
    }
}

impl LiveArgs {
    /// As the capture takes them; `None` when no interface is captured.
    pub(super) fn capture(&self) -> Option<live::Options> {
        self.capture.interface.as_deref().map(|i| self.capture.options(i))
    }

    /// The files to keep packets in.
    pub(super) fn rotation(&self) -> Option<Rotation> {
        Some(Rotation {
            path: self.write.clone()?,
            bytes: self.rotate_size.unwrap_or(0),
            seconds: self.rotate_every.map_or(0, |d| d.as_secs().max(1)),
            files: self.rotate_keep.unwrap_or(0),
            readers: Readers::Owner,
        })
    }
}

/// A number and a unit.
fn split(s: &str) -> (&str, &str) {
    s.split_at(s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len()))
}

/// `30`, `30s`, `10m`, `2h`.
fn time(s: &str) -> Result<Duration, String> {
    let (number, unit) = split(s);
    let seconds = match unit {
        "" | "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let seconds = number.parse::<u64>().ok().zip(seconds).and_then(|(n, unit)| n.checked_mul(unit)).filter(|n| *n > 0);
    seconds.map(Duration::from_secs).ok_or_else(|| "give a time such as 30s, 10m or 2h".into())
}

/// `1000`, `64K`, `100M`, `2G`, in powers of 1024.
fn size(s: &str) -> Result<u64, String> {
    let (number, unit) = split(s);
    let unit = match unit.trim_end_matches("iB").trim_end_matches('B') {
        "" => Some(1u64),
        "K" | "k" => Some(1 << 10),
        "M" | "m" => Some(1 << 20),
        "G" | "g" => Some(1 << 30),
        _ => None,
    };
    let bytes = number.parse::<u64>().ok().zip(unit).and_then(|(n, unit)| n.checked_mul(unit)).filter(|n| *n > 0);
    bytes.ok_or_else(|| "give a size such as 64K, 100M or 2G".into())
}

/// Only `-` stands without an option.
fn stream(s: &str) -> Result<String, String> {
    if s == "-" {
        return Ok(s.to_owned());
    }
    let s = crate::text::escape(s);
    Err(format!("an interface is given with -i {s}, a file that grows with --follow {s}; only - stands alone"))
}

/// Bytes of the buffer between the kernel and us. libpcap counts them in an `int`.
fn buffer(s: &str) -> Result<u64, String> {
    size(s).ok().filter(|n| (64 << 10..1 << 31).contains(n)).ok_or_else(|| "give a size from 64K to 2047M".into())
}

/// Bytes of a file of packets: in a smaller one there is hardly room for a handshake.
fn file_size(s: &str) -> Result<u64, String> {
    size(s).ok().filter(|n| *n >= 4 << 10).ok_or_else(|| "give a size of at least 4K, such as 100M".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times() {
        assert_eq!(["1", "2K", "3MiB", "4m", "1G"].map(size), [Ok(1), Ok(2048), Ok(3 << 20), Ok(4 << 20), Ok(1 << 30)]);
        assert_eq!(["5", "5s", "2m", "1h"].map(|t| time(t).unwrap().as_secs()), [5, 5, 120, 3600]);
        assert_eq!([buffer("64K"), buffer("2047M")], [Ok(64 << 10), Ok(2047 << 20)]);
        assert!(["1", "63K", "2G", "999999G", "x"].iter().all(|s| buffer(s).is_err()));
        assert!(file_size("1").is_err() && file_size("4K") == Ok(4096));
        for wrong in ["", "M", "5x", "-1", "0", "99999999999999999999", "18446744073709551615G"] {
            assert!(size(wrong).is_err() && time(wrong).is_err(), "{wrong}");
        }
    }
}
