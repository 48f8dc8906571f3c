//! pcapng (draft-ietf-opsawg-pcapng): sections of blocks. The walk is our own, so that every problem has its byte offset
//! and no length field is believed before it was judged.

use std::io;

use super::blocks::{self, Interface, Order, Packet, kind};
use super::log::{Log, Place};
use super::pcap::{Found, fcs_left};
use super::time::Stamp;
use super::window::Window;
use super::{Format, Secrets};
use crate::limits;

/// Bytes of a section header that are needed before anything of it can be used.
pub(super) const SECTION_HEADER: usize = 28;
/// Block type and total length in front, total length behind.
const FRAME_OF_BLOCK: usize = 12;
/// Type of secrets: an SSLKEYLOGFILE.
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// Reader of the blocks.
#[derive(Debug, Default)]
pub(super) struct Pcapng {
    order: Order,
    /// Those of this section; `None` for one whose description could not be read, so that the others keep their numbers.
    interfaces: Vec<Option<Interface>>,
    /// Interfaces of this section beyond the cap.
    unkept: u64,
    /// Interfaces of the sections before.
    before: u32,
    /// This section is of a version that cannot be read.
    foreign: bool,
    noted: Noted,
}

/// Oddities told once.
#[derive(Debug, Default)]
struct Noted {
    time: bool,
    length: bool,
    interfaces: bool,
}

/// Why a file that begins like pcapng cannot be read.
pub(super) enum NoSection {
    Io(io::Error),
    Damage(String),
    Version(String),
}

/// How the walk goes on.
enum Step {
    Frame(Found),
    Next,
    Stop,
}

/// True when `head` begins a section.
pub(super) fn is_pcapng(head: &[u8]) -> bool {
    head.starts_with(&kind::SECTION.to_le_bytes())
}

impl Pcapng {
    /// Reads the section header that the file begins with; the window holds [`SECTION_HEADER`] bytes of it.
    pub(super) fn begin(&mut self, window: &mut Window, log: &mut Log) -> Result<(), NoSection> {
        log.info.format = Some(Format::Pcapng);
        let len = self.section(window.bytes()).map_err(NoSection::Damage)?;
        if self.foreign {
            let (major, minor) =
                (self.order.u16(window.bytes(), 12).unwrap_or(0), self.order.u16(window.bytes(), 14).unwrap_or(0));
            return Err(NoSection::Version(format!("{major}.{minor}")));
        }
        if !window.skip(u64::from(len)).map_err(NoSection::Io)? {
            return Err(NoSection::Damage(format!("it needs {len} bytes and the input ends before")));
        }
        Ok(())
    }

    /// Takes over byte order and version from a section header; gives its length.
    fn section(&mut self, head: &[u8]) -> Result<u32, String> {
        let order = Order::of_section(head).ok_or("its byte-order mark is not one")?;
        let len = order.u32(head, 4).unwrap_or(0);
        if !len_is_possible(len) || len < SECTION_HEADER as u32 || len as usize > limits::BLOCK_BYTES {
            return Err(format!("its block length is {len}, which cannot be"));
        }
        self.order = order;
        self.before = self.before.saturating_add(u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX));
        self.interfaces.clear();
        self.unkept = 0;
        self.foreign = order.u16(head, 12) != Some(1);
        Ok(len)
    }

    /// Goes to the next packet. `None`: nothing more can be read, and `log` says why.
    pub(super) fn next(&mut self, window: &mut Window, log: &mut Log) -> io::Result<Option<Found>> {
        loop {
            match self.step(window, log)? {
                Step::Frame(found) => {
                    log.count(found.len, found.time);
                    return Ok(Some(found));
                }
                Step::Next => {}
                Step::Stop => return Ok(None),
            }
        }
    }

    /// Reads one block.
    #[inline]
    fn step(&mut self, window: &mut Window, log: &mut Log) -> io::Result<Step> {
        let place = Place { frame: None, offset: window.offset() };
        if !window.fill(FRAME_OF_BLOCK)? {
            let inside =
                (!window.bytes().is_empty()).then_some(("the header of the block", place, FRAME_OF_BLOCK as u64));
            log.end(window, inside);
            return Ok(Step::Stop);
        }
        let head = window.bytes();
        // The type of a section header reads the same in both byte orders; the length comes behind its own order mark.
        let block_kind = self.order.u32(head, 0).unwrap_or(0);
        if block_kind == kind::SECTION {
            return self.next_section(window, log, place);
        }
        let len = self.order.u32(head, 4).unwrap_or(0);
        let packet = matches!(block_kind, kind::PACKET | kind::SIMPLE_PACKET | kind::ENHANCED_PACKET) && !self.foreign;
        let place = if packet { Place { frame: Some(next_no(log)), ..place } } else { place };
        if !len_is_possible(len) {
            log.stop(place, || {
                format!(
                    "a block of type {block_kind:#010x} claims to be {len} bytes long, which cannot be; \
                     reading stops here, since nothing tells where the next block begins"
                )
            });
            return Ok(Step::Stop);
        }
        let size = len as usize;
        if size > limits::BLOCK_BYTES {
            return self.pass_large(window, log, place, block_kind, len);
        }
        if !window.fill(size)? {
            log.end(window, Some((if packet { "the packet block" } else { "the block" }, place, u64::from(len))));
            return Ok(Step::Stop);
        }
        let at = window.position();
        let whole = window.bytes().get(..size).unwrap_or_default();
        let trailer = size.checked_sub(4).and_then(|at| self.order.u32(whole, at)).unwrap_or(0);
        if trailer != len {
            log.damage(place, || {
                format!("the block says at its start that it is {len} bytes long, and at its end {trailer}; the first is believed")
            });
        }
        let step = if self.foreign {
            Step::Next
        } else if packet {
            self.packet(whole, at, block_kind, place, log)
        } else {
            match block_kind {
                kind::INTERFACE => self.interface(whole, place, log),
                kind::INTERFACE_STATISTICS => self.statistics(whole, log),
                kind::DECRYPTION_SECRETS => self.secrets(whole, place, log),
                _ => {}
            }
            Step::Next
        };
        window.consume(size);
        Ok(step)
    }

    #[cold]
    fn next_section(&mut self, window: &mut Window, log: &mut Log, place: Place) -> io::Result<Step> {
        if !window.fill(SECTION_HEADER)? {
            log.end(window, Some(("the section header", place, SECTION_HEADER as u64)));
            return Ok(Step::Stop);
        }
        let len = match self.section(window.bytes()) {
            Ok(len) => len,
            Err(why) => {
                log.stop(place, || format!("a section header is damaged: {why}; reading stops here"));
                return Ok(Step::Stop);
            }
        };
        if !window.fill(len as usize)? {
            log.end(window, Some(("the section header", place, u64::from(len))));
            return Ok(Step::Stop);
        }
        if self.foreign {
            let major = self.order.u16(window.bytes(), 12).unwrap_or(0);
            log.damage(place, || {
                format!("a section of version {major} begins, and only version 1 is known; its blocks are skipped")
            });
        }
        window.consume(len as usize);
        Ok(Step::Next)
    }

    /// Passes over a block that is too large to be looked into.
    #[cold]
    fn pass_large(
        &mut self,
        window: &mut Window,
        log: &mut Log,
        place: Place,
        block_kind: u32,
        len: u32,
    ) -> io::Result<Step> {
        // The trailing length is left in the window, to know an honest length from a damaged one.
        let body = u64::from(len).saturating_sub(4);
        if !window.skip(body)? || !window.fill(4)? {
            log.end(window, Some((&format!("the block of type {block_kind:#010x}"), place, u64::from(len))));
            return Ok(Step::Stop);
        }
        let trailer = self.order.u32(window.bytes(), 0).unwrap_or(0);
        if trailer != len {
            log.stop(place, || {
                format!("a block claims {len} bytes, and its end is not there; reading stops here, since nothing tells where the next block begins")
            });
            return Ok(Step::Stop);
        }
        window.consume(4);
        let max = limits::BLOCK_BYTES;
        let text = || format!("a block of {len} bytes was skipped, since no more than {max} are looked into");
        match block_kind {
            _ if self.foreign => {}
            _ if place.frame.is_some() => log.skip(place, text),
            kind::INTERFACE => {
                self.interface(&[], place, log);
                log.damage(place, text);
            }
            kind::DECRYPTION_SECRETS => log.damage(place, text),
            _ => {}
        }
        Ok(Step::Next)
    }

    /// Enhanced, Simple and obsolete Packet Block; `at` is where the block begins in the window.
    #[inline]
    fn packet(&mut self, whole: &[u8], at: usize, block_kind: u32, place: Place, log: &mut Log) -> Step {
        let body = blocks::without_trailer(whole);
        let Some(p) = Packet::decode(self.order, whole, block_kind) else {
            log.skip(place, || {
                format!("a packet block of {} bytes is too short for its fields; it was skipped", whole.len())
            });
            return Step::Next;
        };
        let Some(face) = usize::try_from(p.interface).ok().and_then(|i| *self.interfaces.get(i)?) else {
            let known = (self.interfaces.len() as u64).saturating_add(self.unkept);
            log.skip(place, || {
                format!("the packet names interface {}, which its section ({known} described) does not have; it was skipped", p.interface)
            });
            return Step::Next;
        };
        let mut captured = p.captured;
        if block_kind == kind::SIMPLE_PACKET && face.snap_len != 0 {
            captured = captured.min(face.snap_len);
        }
        let len = captured as usize;
        let end = p.data.saturating_add(len);
        if len > limits::FRAME_BYTES || end > body.len() {
            let there = body.len().saturating_sub(p.data).min(limits::FRAME_BYTES);
            log.skip(place, || {
                format!(
                    "the packet claims {captured} captured bytes and its block has room for {there}; it was skipped"
                )
            });
            return Step::Next;
        }
        let mut original = p.original;
        if captured > original {
            if !self.noted.length {
                self.noted.length = true;
                log.note(place, || {
                    format!(
                        "{captured} bytes were captured of a frame that is said to have {original}; \
                         here and wherever else, the captured bytes are believed"
                    )
                });
            }
            original = captured;
        }
        let stamp = p.ticks.map_or(Stamp { time: None, clamped: false }, |ticks| face.clock.at(ticks));
        if stamp.clamped && !self.noted.time {
            self.noted.time = true;
            log.note(place, || {
                "the time lies outside of the years 1677 to 2262; here and wherever else, the nearest one inside is taken".into()
            });
        }
        let options = end.checked_next_multiple_of(4).and_then(|from| body.get(from..)).unwrap_or_default();
        let fcs_len = match p.ticks {
            Some(_) if options.len() > 4 => blocks::packet_fcs_len(self.order, options).unwrap_or(face.fcs_len),
            _ => face.fcs_len,
        };
        Step::Frame(Found {
            no: next_no(log),
            time: stamp.time,
            link: face.link,
            interface: self.before.saturating_add(p.interface),
            orig_len: original,
            fcs_len: fcs_left(fcs_len, captured, original),
            at: at.saturating_add(p.data),
            len,
        })
    }

    #[cold]
    fn interface(&mut self, whole: &[u8], place: Place, log: &mut Log) {
        if self.interfaces.len() >= limits::INTERFACES {
            self.unkept = self.unkept.saturating_add(1);
            if !self.noted.interfaces {
                self.noted.interfaces = true;
                let max = limits::INTERFACES;
                log.damage(place, || {
                    format!("more than {max} interfaces are described; packets of the further ones are skipped")
                });
            }
            return;
        }
        log.info.interfaces = log.info.interfaces.saturating_add(1);
        let Some((face, options_whole)) = Interface::decode(self.order, whole) else {
            self.interfaces.push(None);
            log.damage(place, || "an interface description is too short for its fields; it was skipped".into());
            return;
        };
        if !options_whole {
            log.note(place, || "an option of the interface description runs past its block; it was ignored".into());
        }
        if !face.clock.usable() {
            log.note(place, || {
                "the time resolution of the interface is finer than its times can hold; they are taken as unknown"
                    .into()
            });
        }
        if log.info.interfaces == 1 {
            log.info.snap_len = face.snap_len;
        }
        self.interfaces.push(Some(face));
    }

    /// Interface Statistics Block. The counts are totals, so that a later block replaces an earlier one.
    #[cold]
    fn statistics(&mut self, whole: &[u8], log: &mut Log) {
        let Some((id, now)) = blocks::lost_packets(self.order, whole) else { return };
        if let Some(face) = usize::try_from(id).ok().and_then(|i| self.interfaces.get_mut(i)?.as_mut()) {
            let before = log.info.dropped.unwrap_or(0).saturating_sub(face.dropped);
            face.dropped = now;
            log.info.dropped = Some(before.saturating_add(now));
        }
    }

    /// Decryption Secrets Block: a TLS key log is kept, other kinds are of no use here.
    #[cold]
    fn secrets(&mut self, whole: &[u8], place: Place, log: &mut Log) {
        let (secrets_kind, text) = match blocks::secrets(self.order, whole) {
            Ok(found) => found,
            Err((len, room)) => {
                log.damage(place, || {
                    format!("a decryption secrets block claims {len} bytes and has room for {room}; it was skipped")
                });
                return;
            }
        };
        if secrets_kind != TLS_KEY_LOG || text.is_empty() {
            return;
        }
        let total = log.secret_bytes.saturating_add(text.len());
        if total > limits::SECRETS_BYTES {
            let max = limits::SECRETS_BYTES;
            log.note(place, || {
                format!("decryption secrets of {} bytes were skipped, since no more than {max} are kept", text.len())
            });
            return;
        }
        log.secret_bytes = total;
        log.secrets.push(Secrets(text.to_vec()));
    }
}

/// Number that the next packet gets: skipped ones have one too, so that numbers agree with those of other tools.
#[inline]
fn next_no(log: &Log) -> u64 {
    log.info.frames.saturating_add(log.info.skipped).saturating_add(1)
}

fn len_is_possible(len: u32) -> bool {
    len >= FRAME_OF_BLOCK as u32 && len.is_multiple_of(4)
}
