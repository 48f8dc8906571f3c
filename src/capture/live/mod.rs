//! Packets of a network interface as they pass: through libpcap where it is installed (loaded at run time), else through a
//! packet socket of Linux.
//!
//! Nothing here waits by itself: [`Live::next`] gives what is there, [`Live::wait`] waits with a limit.

mod interfaces;
mod ring;
mod stream;
mod sys;

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{LinkAddr, SockaddrStorage, getsockname, getsockopt, sockopt};

pub use interfaces::{Interface, interfaces};
pub use stream::Stream;

use super::{Format, Frame, LinkType, Problem, Secrets, SourceInfo};
use crate::span::{FrameNo, Timestamp};
use crate::text;
use ring::{Found, Walk};
use sys::pcap::{Pcap, Refusal, Wanted};
use sys::ring::Ring;

/// The name that stands for all interfaces.
pub const ANY: &str = "any";

/// How to capture.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the interface, or [`ANY`].
    pub interface: String,
    /// A filter in the syntax of pcap-filter(7); needs libpcap.
    pub filter: Option<String>,
    /// Bytes kept of each packet.
    pub snap_len: u32,
    /// Bytes of the buffer between the kernel and us.
    pub buffer: usize,
    /// Also see what is not addressed to this host.
    pub promiscuous: bool,
    /// By what to capture; `None`: libpcap, and where it is absent a packet socket.
    pub through: Option<Through>,
}

/// By what packets are captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// libpcap.
    Libpcap,
    /// A packet socket (AF_PACKET).
    Socket,
}

/// Why an interface cannot be captured, or not further. Each is one sentence and safe to print.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No right to.
    #[error(
        "no permission to capture on {0}; run `sudo setcap cap_net_raw=ep \"{1}\"` once, or run tlscope as root (it gives \
         up all rights before it reads a packet)"
    )]
    Permission(String, String),
    /// There is no such interface.
    #[error("there is no interface {0}; `tlscope interfaces` lists them")]
    NoInterface(String),
    /// It is there and not up.
    #[error("cannot capture on {0}: it is down; bring it up (ip link set {0} up)")]
    Down(String),
    /// The filter is wrong.
    #[error("the filter is not understood: {0}; its syntax is that of pcap-filter(7), such as 'tcp port 443'")]
    Filter(String),
    /// A filter was given and there is nothing that understands it.
    #[error("filters (-f) need libpcap, which is not installed; install it ({INSTALL}), or leave the filter out")]
    FilterNeedsLibpcap,
    /// A filter was given, and the way of capturing that has none.
    #[error("filters (-f) are those of libpcap: leave out --through socket, or the filter")]
    FilterThroughSocket,
    /// libpcap was asked for.
    #[error("libpcap is not installed; install it ({INSTALL}), or capture through a packet socket")]
    NoLibpcap,
    /// The interface cannot be opened.
    #[error("cannot capture on {interface}: {why}")]
    Open {
        /// The interface.
        interface: String,
        /// What the system says.
        why: String,
    },
    /// The capture broke off.
    #[error("the capture on {interface} has ended: {why}")]
    Gone {
        /// The interface.
        interface: String,
        /// What the system says.
        why: String,
    },
    /// A stream broke off.
    #[error(transparent)]
    Stream(#[from] super::Error),
}

const INSTALL: &str = "apt install libpcap0.8, dnf install libpcap, apk add libpcap";

/// Something that gives frames as they come.
pub trait Live: Send {
    /// The next frame, when one is there. Frames that are not asked for soon are lost.
    ///
    /// # Errors
    /// When no more can come, such as of an interface that was removed.
    fn next(&mut self) -> Result<Option<Frame<'_>>, Error>;

    /// Waits until there may be a frame, at most so long; false when none will come any more.
    ///
    /// # Errors
    /// When no more can come.
    fn wait(&mut self, at_most: Duration) -> Result<bool, Error>;

    /// Packets lost since the beginning, as far as that is known; also kept in [`Live::info`].
    fn count_lost(&mut self) -> Option<u64>;

    /// What is known of the source so far.
    fn info(&self) -> &SourceInfo;

    /// It is known to be a capture: of a stream, its header was read.
    fn is_begun(&self) -> bool {
        true
    }

    /// Enough: what is there can still be taken, and then it has ended in order.
    fn stop(&mut self) {}

    /// The decryption secrets met since the last call.
    fn take_secrets(&mut self) -> Vec<Secrets> {
        Vec::new()
    }
}

/// An interface that is being captured.
#[derive(Debug)]
pub struct Capture {
    backend: Backend,
    interface: String,
    /// Packets that this host sends come a second time on this one.
    loopback: Option<u32>,
    link: LinkType,
    snap_len: u32,
    info: SourceInfo,
    scratch: Vec<u8>,
    /// The interface went down, and no packet has come since.
    is_down: bool,
}

#[derive(Debug)]
enum Backend {
    Pcap(Pcap),
    Socket { ring: Ring, cooked: bool, walk: Option<Walk>, dropped: u64 },
}

/// The index of an interface that was removed.
const REMOVED: usize = usize::MAX;

/// The index of the interface that a packet socket listens on, 0 for all; `None` for another socket.
fn index(fd: BorrowedFd<'_>) -> Option<usize> {
    // Of any kind: the kernel gives a shorter one than `LinkAddr` would take.
    let address = getsockname::<SockaddrStorage>(fd.as_raw_fd()).ok()?;
    // -1, as the kernel has it, is the largest.
    address.as_link_addr().map(LinkAddr::ifindex)
}

/// Opens an interface. Packets are kept from the moment this returns.
///
/// # Errors
/// See [`Error`].
pub fn open(options: &Options) -> Result<Capture, Error> {
    let name = text::escape(&options.interface).into_owned();
    let kind = interfaces::kind(&options.interface);
    if options.interface != ANY && kind.is_none() {
        return Err(Error::NoInterface(name));
    }
    if interfaces::is_down(&options.interface) {
        return Err(Error::Down(name));
    }
    let made = match options.through {
        Some(Through::Socket) => None,
        _ => match through_libpcap(options, &name) {
            Err(Error::NoLibpcap) if options.through.is_none() => None,
            other => Some(other?),
        },
    };
    let (backend, link) = match made {
        Some(made) => made,
        None if options.filter.is_some() => {
            let asked = options.through == Some(Through::Socket);
            return Err(if asked { Error::FilterThroughSocket } else { Error::FilterNeedsLibpcap });
        }
        None => through_socket(options, &name, kind)?,
    };
    let info = SourceInfo {
        path: options.interface.clone(),
        format: Some(Format::Live),
        interfaces: 1,
        snap_len: options.snap_len,
        dropped: Some(0),
        complete: true,
        ..SourceInfo::default()
    };
    let loopback = interfaces::loopback();
    let (snap_len, scratch) = (options.snap_len, Vec::new());
    Ok(Capture { backend, interface: name, loopback, link, snap_len, info, scratch, is_down: false })
}

fn through_libpcap(options: &Options, name: &str) -> Result<(Backend, LinkType), Error> {
    let wanted = Wanted {
        interface: &options.interface,
        filter: options.filter.as_deref(),
        snap_len: options.snap_len,
        buffer: options.buffer,
        promiscuous: options.promiscuous,
    };
    let pcap = Pcap::open(&wanted).map_err(|refusal| match refusal {
        Refusal::Absent => Error::NoLibpcap,
        Refusal::Permission => permission(name),
        Refusal::NoInterface => Error::NoInterface(name.to_owned()),
        Refusal::Filter(why) => Error::Filter(text::escape(&why).into_owned()),
        Refusal::Other(why) => Error::Open { interface: name.to_owned(), why: text::escape(&why).into_owned() },
    })?;
    let link = LinkType::from_file(u16::try_from(pcap.link()).unwrap_or(u16::MAX));
    Ok((Backend::Pcap(pcap), link))
}

fn through_socket(options: &Options, name: &str, kind: Option<interfaces::Kind>) -> Result<(Backend, LinkType), Error> {
    let (index, ethernet) = kind.map_or((0, false), |k| (k.index, k.ethernet));
    let ring = Ring::open(index, !ethernet, options.buffer, options.promiscuous && index != 0).map_err(|e| match e
        .kind()
    {
        io::ErrorKind::PermissionDenied => permission(name),
        _ => Error::Open { interface: name.to_owned(), why: text::escape(&e.to_string()).into_owned() },
    })?;
    let link = if ethernet { LinkType::ETHERNET } else { ring::COOKED_LINK };
    Ok((Backend::Socket { ring, cooked: !ethernet, walk: None, dropped: 0 }, link))
}

fn permission(name: &str) -> Error {
    let program = std::env::current_exe().map_or_else(|_| "tlscope".to_owned(), |p| p.display().to_string());
    Error::Permission(name.to_owned(), text::escape(&program).into_owned())
}

impl Capture {
    /// By what it captures.
    pub fn through(&self) -> Through {
        match self.backend {
            Backend::Pcap(_) => Through::Libpcap,
            Backend::Socket { .. } => Through::Socket,
        }
    }

    /// The descriptor that packets come from.
    pub fn raw_fd(&self) -> Option<i32> {
        self.fd().map(|fd| fd.as_raw_fd())
    }

    /// What a socket that reports an error says: an interface that went down may come back, for which the kernel goes on to
    /// listen; one that was removed does not. What is no packet socket is left to libpcap.
    fn ask_why(&mut self) -> Result<(), Error> {
        let Some(fd) = self.fd() else { return Ok(()) };
        if index(fd).is_none() {
            return Ok(());
        }
        match getsockopt(&fd, sockopt::SocketError).map(Errno::from_raw) {
            Ok(Errno::ENETDOWN) => {
                self.is_down = true;
                let message = format!(
                    "{} went down while it was captured; what passed until it was up again is not here",
                    self.interface
                );
                if !self.info.problems.iter().any(|p| p.message == message) {
                    self.info.problems.push(Problem { frame: None, offset: None, message });
                }
                self.still_there()
            }
            Ok(Errno::UnknownErrno) | Err(_) => Ok(()),
            Ok(why) => Err(self.gone(why.desc())),
        }
    }

    /// An interface that is down may be removed without a further error.
    fn still_there(&self) -> Result<(), Error> {
        match self.fd().and_then(index) {
            Some(REMOVED) => Err(self.gone("the interface was removed")),
            _ => Ok(()),
        }
    }

    fn gone(&self, why: &str) -> Error {
        Error::Gone { interface: self.interface.clone(), why: text::escape(why).into_owned() }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.backend {
            Backend::Pcap(pcap) => pcap.fd(),
            Backend::Socket { ring, .. } => Some(ring.as_fd()),
        }
    }
}

impl Live for Capture {
    fn next(&mut self) -> Result<Option<Frame<'_>>, Error> {
        let Self { backend, loopback, link, snap_len, info, scratch, interface, is_down } = self;
        let (time, original, data) = match backend {
            Backend::Pcap(pcap) => match pcap.next() {
                Ok(Some(p)) => (Timestamp::from_parts(p.time.0, p.time.1), p.original, p.data),
                Ok(None) => return Ok(None),
                Err(why) => {
                    return Err(Error::Gone { interface: interface.clone(), why: text::escape(&why).into_owned() });
                }
            },
            Backend::Socket { ring, cooked, walk, .. } => {
                let found = loop {
                    let Some(block) = ring.block() else { return Ok(None) };
                    match walk.get_or_insert_with(|| Walk::begin(block)).next(block) {
                        // The loopback interface shows each packet twice: as it is sent and as it is received.
                        Some(f) if f.is_outgoing() && Some(f.interface()) == *loopback => {}
                        Some(f) => break f,
                        None => {
                            *walk = None;
                            ring.release();
                        }
                    }
                };
                let block = ring.block().unwrap_or_default();
                let whole = block.get(found.at..found.at.saturating_add(found.len)).unwrap_or_default();
                let mut original = found.original;
                let mut data = whole;
                if *cooked {
                    found.cooked(whole, scratch);
                    original = original.saturating_add(Found::COOKED);
                    data = scratch;
                } else if let Some(tag) = found.vlan {
                    Found::with_tag(tag, whole, scratch);
                    original = original.saturating_add(4);
                    data = scratch;
                }
                let data = data.get(..*snap_len as usize).unwrap_or(data);
                (Timestamp::from_parts(i64::from(found.time.0), i64::from(found.time.1)), original, data)
            }
        };
        *is_down = false;
        info.frames = info.frames.saturating_add(1);
        info.bytes = info.bytes.saturating_add(data.len() as u64);
        info.first_time.get_or_insert(time);
        info.last_time = info.last_time.max(Some(time));
        Ok(Some(Frame {
            no: FrameNo(info.frames),
            time: Some(time),
            link: *link,
            interface: 0,
            orig_len: original.max(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            fcs_len: 0,
            data,
        }))
    }

    fn wait(&mut self, at_most: Duration) -> Result<bool, Error> {
        if self.is_down {
            self.still_there()?;
        }
        let Some(fd) = self.fd() else {
            std::thread::sleep(at_most);
            return Ok(true);
        };
        let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
        let limit = PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, limit) {
            Ok(0) | Err(Errno::EINTR) => return Ok(true),
            Err(e) => return Err(self.gone(e.desc())),
            Ok(_) => {}
        }
        let broken =
            fds.iter().filter_map(PollFd::revents).any(|r| r.intersects(PollFlags::POLLERR | PollFlags::POLLHUP));
        if broken {
            self.ask_why()?;
        }
        Ok(true)
    }

    fn count_lost(&mut self) -> Option<u64> {
        let lost = match &mut self.backend {
            Backend::Pcap(pcap) => pcap.dropped(),
            Backend::Socket { ring, dropped, .. } => {
                if let Ok(more) = ring.dropped() {
                    *dropped = dropped.saturating_add(more);
                }
                Some(*dropped)
            }
        };
        // A counter of 32 bits may wrap; it never goes back here.
        self.info.dropped = self.info.dropped.max(lost);
        self.info.dropped
    }

    fn info(&self) -> &SourceInfo {
        &self.info
    }
}
