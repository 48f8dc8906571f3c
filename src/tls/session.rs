//! One TLS connection as two directions of bytes and holes: what was said, in order.
//!
//! [`Session`] knows just enough state to read on: where TLS begins, who is the client, which version was negotiated and
//! which side's records are protected. What the messages mean is for [`crate::facts`].

use crate::flow::{Gap, Mark, Payload};
use crate::limits;
use crate::reader::DecodeError;
use crate::span::{Pair, Side};
use crate::upgrade::{self, PROBE_BYTES, Plain, Verdict};

use super::extent::Extents;
use super::handshake::{self, Context, DecodedHandshake, Handshake};
use super::joiner::{Joiner, RawMessage};
use super::names::{AlertDescription, AlertLevel, ContentType, HandshakeType};
use super::record::{Record, RecordEvent, RecordHeader, RecordReader, RecordSink};
use super::ssl2;

/// A record that was not looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordInfo {
    /// Type, version, length.
    pub header: RecordHeader,
    /// The frame with which it was complete.
    pub mark: Mark,
}

/// A handshake message in clear.
#[derive(Debug)]
pub struct Message<'a> {
    /// Its type; meaningless when `ssl2`.
    pub kind: HandshakeType,
    /// It is an SSL 2.0 message (a hello).
    pub ssl2: bool,
    /// Header and body (the beginning of it when it is too long).
    pub bytes: &'a [u8],
    /// Length of the body by the header.
    pub length: usize,
    /// What it says.
    pub decoded: &'a DecodedHandshake,
    /// What the decoder was told of the connection.
    pub context: Context,
    /// Where the bytes came from.
    pub extents: &'a Extents,
    /// The frame with which it was complete.
    pub mark: Mark,
    /// Records that carried it.
    pub records: u32,
}

/// What can be odd about the bytes themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnomalyKind {
    /// Bytes that are no record header where one must be: reading stops.
    NotARecord(RecordHeader),
    /// After a hole so many bytes were skipped up to the next record.
    Resynced(u64),
    /// A zero-length handshake, alert or change_cipher_spec record (RFC 8446, section 5.1 forbids them).
    EmptyRecord(ContentType),
    /// A record of another type between the parts of one handshake message.
    Interleaved(ContentType),
    /// A change_cipher_spec whose body is not one byte 1.
    BadChangeCipherSpec,
    /// A message that does not decode.
    Undecodable(HandshakeType, DecodeError),
    /// A message longer than what is held.
    MessageTooLong(HandshakeType, usize),
    /// The stream ended inside a message: type, length claimed, bytes that came.
    UnfinishedMessage(HandshakeType, usize, usize),
    /// The stream ended inside a record: type, length claimed, bytes that came.
    UnfinishedRecord(ContentType, usize, usize),
}

/// An oddity with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// What.
    pub kind: AnomalyKind,
    /// Where.
    pub mark: Mark,
}

/// How a direction begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With TLS records.
    Tls,
    /// With a hello in SSL 2.0's form.
    Ssl2,
    /// With something else.
    Not(Plain),
}

/// What happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// It is known how this direction begins.
    Start(Start, Mark),
    /// A handshake message in clear.
    Message(Message<'a>),
    /// A record that is protected, or of a type that is not looked into.
    Opaque(RecordInfo),
    /// A change_cipher_spec record.
    ChangeCipherSpec(RecordInfo),
    /// An alert in clear, with the bytes that carried it.
    Alert(AlertLevel, AlertDescription, Mark, &'a Extents),
    /// A heartbeat message in clear: its type, the payload length it claims, the bytes it has room for.
    Heartbeat(u8, usize, usize, RecordInfo),
    /// Something odd.
    Anomaly(Anomaly),
    /// Bytes are missing.
    Gap(Gap),
}

/// Who listens.
pub trait Events {
    /// Takes an event of a side.
    fn event(&mut self, side: Side, event: Event<'_>);
}

#[derive(Debug, Default)]
enum Phase {
    /// First bytes, held until they suffice for a verdict.
    #[default]
    Probing,
    Tls,
    Ssl2,
    Not,
}

#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    at: Payload<'static>,
}

#[derive(Debug, Default)]
struct Direction {
    phase: Phase,
    probe: Vec<Held>,
    /// The beginning of this direction was not captured.
    mid_stream: bool,
    records: RecordReader,
    joiner: Joiner,
    /// A change_cipher_spec was sent.
    ccs: bool,
    /// First byte of an alert split over two records.
    half_alert: Option<(u8, Extents)>,
    ssl2: Vec<u8>,
    ssl2_extents: Extents,
    resynced: bool,
    /// Bytes in clear seen of a direction that does not begin with TLS.
    plain_bytes: usize,
}

/// The TLS state of one connection.
#[derive(Debug, Default)]
pub struct Session {
    sides: Pair<Direction>,
    context: Context,
    tls13: bool,
    client: Option<Side>,
}

impl Session {
    /// True when both directions were judged, neither is TLS, and enough was seen that no upgrade will come.
    pub fn is_not_tls(&self) -> bool {
        self.sides.iter().all(|d| matches!(d.phase, Phase::Not))
            && self.sides.iter().any(|d| d.plain_bytes > limits::UPGRADE_BYTES)
    }

    /// The next bytes of a side. `mid_stream`: the start of that direction was not captured.
    pub fn data(&mut self, side: Side, p: Payload<'_>, mid_stream: bool, out: &mut impl Events) {
        match self.sides[side].phase {
            Phase::Tls => self.records(side, p, out),
            Phase::Ssl2 => self.ssl2(side, p, out),
            Phase::Not => self.look_for_upgrade(side, p, out),
            Phase::Probing => {
                let d = &mut self.sides[side];
                d.mid_stream |= mid_stream;
                self.probe(side, p, out);
            }
        }
    }

    /// Bytes held for messages and records that are not complete.
    pub fn held_bytes(&self) -> usize {
        self.sides.iter().map(|d| d.joiner.held_bytes().saturating_add(d.records.held_bytes())).sum()
    }

    /// Memory is short: what is held of unfinished messages is given up.
    pub fn release(&mut self) {
        for d in &mut self.sides {
            d.joiner.reset();
            d.records.lose_sync();
        }
    }

    /// TLS may begin later in a connection that starts in clear; then a hello stands at the start of a segment.
    fn look_for_upgrade(&mut self, side: Side, p: Payload<'_>, out: &mut impl Events) {
        let peer_is_tls = matches!(self.sides[side.other()].phase, Phase::Tls);
        let d = &mut self.sides[side];
        let header = if d.plain_bytes == 0 { upgrade::proxy_header_len(p.bytes).unwrap_or(0) } else { 0 };
        let p = p.skip(header);
        d.plain_bytes = d.plain_bytes.saturating_add(header).saturating_add(p.bytes.len());
        if d.plain_bytes > limits::UPGRADE_BYTES || !upgrade::begins_tls(p.bytes, peer_is_tls) {
            return;
        }
        d.phase = Phase::Tls;
        out.event(side, Event::Start(Start::Tls, Mark { frame: p.frame, time: p.time }));
        self.records(side, p, out);
    }

    /// A hole in a side's bytes.
    pub fn gap(&mut self, side: Side, gap: Gap, out: &mut impl Events) {
        let d = &mut self.sides[side];
        if matches!(d.phase, Phase::Probing) {
            d.mid_stream = true;
            d.probe.clear();
        }
        d.records.gap(gap.bytes);
        d.joiner.reset();
        d.half_alert = None;
        out.event(side, Event::Gap(gap));
    }

    /// A side's bytes end here.
    pub fn end(&mut self, side: Side, mark: Mark, out: &mut impl Events) {
        let d = &self.sides[side];
        if let Some((kind, claimed, have)) = d.joiner.unfinished() {
            let kind = AnomalyKind::UnfinishedMessage(HandshakeType(kind), claimed, have.saturating_sub(4));
            out.event(side, Event::Anomaly(Anomaly { kind, mark }));
        } else if let Some((h, have)) = d.records.unfinished() {
            let kind = AnomalyKind::UnfinishedRecord(h.content_type, usize::from(h.len), have);
            out.event(side, Event::Anomaly(Anomaly { kind, mark }));
        }
    }

    fn probe(&mut self, side: Side, p: Payload<'_>, out: &mut impl Events) {
        let peer_is_tls = matches!(self.sides[side.other()].phase, Phase::Tls | Phase::Ssl2);
        let d = &mut self.sides[side];
        let mut first: smallvec::SmallVec<[u8; PROBE_BYTES]> = smallvec::SmallVec::new();
        for held in &d.probe {
            first.extend_from_slice(held.bytes.get(..PROBE_BYTES.saturating_sub(first.len())).unwrap_or(&held.bytes));
        }
        first.extend_from_slice(p.bytes.get(..PROBE_BYTES.saturating_sub(first.len())).unwrap_or(p.bytes));
        let verdict = upgrade::recognise(&first, d.mid_stream || peer_is_tls);
        // A direction that starts inside a record may still be read from the next record on.
        let lost = d.mid_stream && matches!(verdict, Verdict::Not(Plain::Binary | Plain::Text | Plain::Dtls));
        let start = match verdict {
            Verdict::Unsure if first.len() < PROBE_BYTES => {
                let at = Payload { bytes: &[], frame: p.frame, off: p.off, time: p.time };
                d.probe.push(Held { bytes: p.bytes.to_vec(), at });
                return;
            }
            Verdict::Tls => Start::Tls,
            Verdict::Ssl2 => Start::Ssl2,
            _ if lost && peer_is_tls => Start::Tls,
            Verdict::Not(plain) => Start::Not(plain.in_view_of(p.bytes)),
            Verdict::Unsure => Start::Not(Plain::Binary),
        };
        let mark = d
            .probe
            .first()
            .map_or(Mark { frame: p.frame, time: p.time }, |h| Mark { frame: h.at.frame, time: h.at.time });
        d.phase = match start {
            Start::Tls => Phase::Tls,
            Start::Ssl2 => Phase::Ssl2,
            Start::Not(_) => Phase::Not,
        };
        if lost {
            d.records.lose_sync();
        }
        let held = std::mem::take(&mut d.probe);
        out.event(side, Event::Start(start, mark));
        for h in &held {
            self.data(side, Payload { bytes: &h.bytes, ..h.at }, false, out);
        }
        self.data(side, p, false, out);
    }

    fn records(&mut self, side: Side, p: Payload<'_>, out: &mut impl Events) {
        let mut reader = std::mem::take(&mut self.sides[side].records);
        reader.push(p, &mut Sink { session: self, side, out });
        self.sides[side].records = reader;
    }

    /// SSL 2.0: only the first message is read; then either TLS records follow (a hello for compatibility) or SSL 2.0
    /// itself, which is not looked into.
    fn ssl2(&mut self, side: Side, p: Payload<'_>, out: &mut impl Events) {
        let d = &mut self.sides[side];
        if d.ssl2.len() >= limits::SSL2_BYTES {
            return;
        }
        d.ssl2_extents.push(d.ssl2.len(), p.span());
        d.ssl2.extend_from_slice(p.bytes);
        let [a, b, ..] = d.ssl2.as_slice() else { return };
        let len = (usize::from(a & 0x7f) << 8) | usize::from(*b);
        let Some(body) = d.ssl2.get(2..len.saturating_add(2)) else { return };
        let body = body.to_vec();
        let mut extents = Extents::default();
        extents.push_part(0, &d.ssl2_extents, crate::span::Span::new(2, len));
        let mark = Mark { frame: p.frame, time: p.time };
        let used = d.ssl2.len().saturating_sub(p.bytes.len());
        let rest = len.saturating_add(2).saturating_sub(used);
        d.ssl2 = Vec::new();
        d.ssl2_extents.clear();
        d.phase = Phase::Tls;
        let decoded = ssl2::decode(&body);
        if let Handshake::ServerHello(sh) = &decoded.message {
            self.context.version = Some(sh.version());
            self.sides.iter_mut().for_each(|d| d.phase = Phase::Not);
        }
        let kind = match &decoded.message {
            Handshake::ServerHello(_) => HandshakeType::SERVER_HELLO,
            _ => HandshakeType::CLIENT_HELLO,
        };
        if kind == HandshakeType::CLIENT_HELLO {
            self.client.get_or_insert(side);
        }
        out.event(
            side,
            Event::Message(Message {
                kind,
                ssl2: true,
                bytes: &body,
                length: body.len(),
                decoded: &decoded,
                context: self.context,
                extents: &extents,
                mark,
                records: 1,
            }),
        );
        let bytes = p.bytes.get(rest..).unwrap_or(&[]);
        if !bytes.is_empty() {
            let off = p.off.saturating_add(u32::try_from(rest).unwrap_or(u32::MAX));
            self.data(side, Payload { bytes, off, ..p }, false, out);
        }
    }

    /// True when a side's handshake and alert records are protected for certain.
    fn is_protected(&self, side: Side, header: RecordHeader) -> bool {
        let d = &self.sides[side];
        match header.content_type {
            ContentType::CHANGE_CIPHER_SPEC => false,
            // TLS 1.3 protects everything as application_data; what keeps its own type is in clear.
            ContentType::HANDSHAKE | ContentType::ALERT | ContentType::HEARTBEAT if self.tls13 => false,
            ContentType::ALERT if self.context.version.is_none() => d.ccs && header.len != 2,
            ContentType::HANDSHAKE if self.context.version.is_none() => false,
            ContentType::HANDSHAKE | ContentType::ALERT | ContentType::HEARTBEAT => d.ccs,
            _ => true,
        }
    }

    fn take(&mut self, side: Side, r: &Record<'_>, out: &mut impl Events) {
        let info = RecordInfo { header: r.header, mark: r.mark };
        let kind = r.header.content_type;
        let odd = |kind| Event::Anomaly(Anomaly { kind, mark: r.mark });
        let d = &mut self.sides[side];
        if d.joiner.is_inside() && kind != ContentType::HANDSHAKE {
            out.event(side, odd(AnomalyKind::Interleaved(kind)));
        }
        if r.header.len == 0
            && matches!(kind, ContentType::HANDSHAKE | ContentType::ALERT | ContentType::CHANGE_CIPHER_SPEC)
        {
            out.event(side, odd(AnomalyKind::EmptyRecord(kind)));
            return;
        }
        match kind {
            ContentType::CHANGE_CIPHER_SPEC => {
                if r.body != [1] {
                    out.event(side, odd(AnomalyKind::BadChangeCipherSpec));
                }
                d.ccs = true;
                out.event(side, Event::ChangeCipherSpec(info));
            }
            ContentType::ALERT => self.alert(side, r, out),
            ContentType::HANDSHAKE => self.handshake(side, r, out),
            ContentType::HEARTBEAT => {
                let claimed = match r.body {
                    [_, hi, lo, ..] => usize::from(u16::from_be_bytes([*hi, *lo])),
                    _ => 0,
                };
                let room = r.body.len().saturating_sub(3);
                out.event(side, Event::Heartbeat(r.body.first().copied().unwrap_or(0), claimed, room, info));
            }
            _ => out.event(side, Event::Opaque(info)),
        }
    }

    fn alert(&mut self, side: Side, r: &Record<'_>, out: &mut impl Events) {
        let d = &mut self.sides[side];
        match (d.half_alert.take(), r.body) {
            (Some((level, mut extents)), [description, ..]) => {
                extents.push_part(1, r.extents, crate::span::Span::new(0, 1));
                out.event(side, Event::Alert(AlertLevel(level), AlertDescription(*description), r.mark, &extents));
            }
            (None, [level, description]) => {
                out.event(side, Event::Alert(AlertLevel(*level), AlertDescription(*description), r.mark, r.extents));
            }
            (None, [level]) => d.half_alert = Some((*level, r.extents.clone())),
            // Longer than an alert in clear: protected under a version that is not known.
            _ => out.event(side, Event::Opaque(RecordInfo { header: r.header, mark: r.mark })),
        }
    }

    fn handshake(&mut self, side: Side, r: &Record<'_>, out: &mut impl Events) {
        let d = &mut self.sides[side];
        // The negotiated version is unknown and a change_cipher_spec came: TLS 1.3 sends a second ClientHello in clear,
        // before TLS 1.3 a protected Finished follows. Their first bytes tell them apart. The same holds for a direction
        // whose beginning is missing.
        let unsure = (d.ccs && !self.tls13) || ((d.mid_stream || d.resynced) && !d.joiner.is_inside());
        if unsure && !begins_message(r.body, d.ccs && !self.tls13) {
            out.event(side, Event::Opaque(RecordInfo { header: r.header, mark: r.mark }));
            return;
        }
        let mut joiner = std::mem::take(&mut d.joiner);
        joiner.push(r.body, r.extents, r.mark, &mut |m| self.message(side, &m, out));
        self.sides[side].joiner = joiner;
    }

    fn message(&mut self, side: Side, m: &RawMessage<'_>, out: &mut impl Events) {
        let kind = HandshakeType(m.bytes.first().copied().unwrap_or(0));
        let decoded = handshake::decode(m.bytes, m.claimed, &self.context);
        match &decoded.message {
            Handshake::ClientHello(_) => {
                self.client.get_or_insert(side);
            }
            Handshake::ServerHello(sh) if !sh.hello_retry => {
                let version = sh.version();
                self.context.version = Some(version);
                self.context.cipher_suite = Some(sh.cipher_suite);
                self.tls13 = version.is_tls13_or_draft();
                self.client.get_or_insert(side.other());
            }
            Handshake::ServerHello(_) => {
                self.tls13 = true; // a HelloRetryRequest exists in TLS 1.3 only
                self.client.get_or_insert(side.other());
            }
            _ => {}
        }
        let odd = |kind| Event::Anomaly(Anomaly { kind, mark: m.mark });
        if m.claimed > limits::MESSAGE_BYTES {
            out.event(side, odd(AnomalyKind::MessageTooLong(kind, m.claimed)));
        } else if let Some(e) = decoded.error {
            out.event(side, odd(AnomalyKind::Undecodable(kind, e)));
        }
        let message = Message {
            kind,
            ssl2: false,
            bytes: m.bytes,
            length: m.claimed,
            decoded: &decoded,
            context: self.context,
            extents: m.extents,
            mark: m.mark,
            records: m.records,
        };
        out.event(side, Event::Message(message));
    }
}

/// A handshake record's body that begins with a message in clear: a known type and a length that the record can hold
/// (or, for the long ones, go beyond). After a change_cipher_spec only a ClientHello can be.
fn begins_message(body: &[u8], after_ccs: bool) -> bool {
    let Some([kind, a, b, c]) = body.first_chunk::<4>() else { return false };
    let len = (usize::from(*a) << 16) | (usize::from(*b) << 8) | usize::from(*c);
    let fits = len.saturating_add(4) <= body.len();
    if after_ccs {
        return *kind == HandshakeType::CLIENT_HELLO.0 && len.saturating_add(4) == body.len();
    }
    match kind {
        0 | 14 => len == 0,
        1 | 2 | 4 | 11 | 12 | 13 | 15 | 16 | 20 | 22 => fits || (*a == 0 && body.len() > 1000),
        _ => false,
    }
}

struct Sink<'s, E> {
    session: &'s mut Session,
    side: Side,
    out: &'s mut E,
}

impl<E: Events> RecordSink for Sink<'_, E> {
    fn is_opaque(&self, header: RecordHeader) -> bool {
        self.session.is_protected(self.side, header)
    }

    fn record(&mut self, event: RecordEvent<'_>) {
        match event {
            RecordEvent::Record(r) if self.is_opaque(r.header) => {
                self.out.event(self.side, Event::Opaque(RecordInfo { header: r.header, mark: r.mark }));
            }
            RecordEvent::Record(r) => self.session.take(self.side, &r, self.out),
            RecordEvent::Desync { header, mark } => {
                self.out.event(self.side, Event::Anomaly(Anomaly { kind: AnomalyKind::NotARecord(header), mark }));
            }
            RecordEvent::Resynced { skipped, mark } => {
                self.session.sides[self.side].resynced = true;
                self.out.event(self.side, Event::Anomaly(Anomaly { kind: AnomalyKind::Resynced(skipped), mark }));
            }
        }
    }
}
