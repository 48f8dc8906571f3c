//! Writes the facts of one flow from the events of its TLS session.

use smallvec::SmallVec;

use super::{
    AlertFact, Basis, CertificateRequestFact, ChainFact, FlowFacts, HeartbeatFact, MessageFact, MessageKind, Placed,
    Shape, Signed, Transcript,
};
use crate::flow::{Connection, Endpoints, GapReason, Mark};
use crate::limits;
use crate::span::{Side, Span};
use crate::tls::handshake::{CertificateMessage, CertificateRequest, Handshake, ServerHello};
use crate::tls::names::ContentType;
use crate::tls::{Anomaly, AnomalyKind, Event, Events, Message, RecordInfo, Start};
use crate::x509;

/// Bytes of a KeyUpdate's record (RFC 8446, section 4.6.3), with the tag that nearly all suites have.
const KEY_UPDATE_RECORD: u16 = 22;

impl FlowFacts {
    /// Of a flow of which nothing is known yet.
    pub fn new(id: u64, source: usize, ends: Endpoints, first: Mark) -> Self {
        Self {
            id,
            source,
            ends,
            vlans: SmallVec::new(),
            first,
            last: first,
            first_bytes: 0,
            tcp: crate::flow::TcpFacts::default(),
            pace: Default::default(),
            sides: Default::default(),
            judge_at: None,
            client_hello: None,
            client_hello_records: 0,
            client_hellos: 0,
            second_hello: None,
            server_hello: None,
            hello_retry: None,
            hello_retries: 0,
            server_key_exchange: None,
            server_signed: None,
            client_signed: None,
            transcript: None,
            certificate_request: None,
            server_hello_done: None,
            client_key_exchange: None,
            ticket: None,
            ocsp: None,
            messages: Vec::new(),
            alerts: Vec::new(),
            shapes: Vec::new(),
            heartbeats: Vec::new(),
            anomalies: Vec::new(),
            inferred: None,
            omitted: std::collections::BTreeMap::new(),
            cut_by_end: false,
            source_damaged: false,
            evicted: false,
            packets_lost: false,
            is_open: false,
            ruling: None,
            siblings: super::Siblings::default(),
        }
    }

    /// Takes over what the transport knows. Called when the flow ends, or to look at one that is still open.
    pub fn update_transport(&mut self, conn: &Connection, last: Mark) {
        self.tcp.clone_from(&conn.facts);
        self.pace = conn.pace();
        self.last = last;
        if self.vlans.is_empty() {
            self.vlans.clone_from(&conn.vlans);
        }
        let mut conflicts = 0u64;
        for side in [Side::A, Side::B] {
            let s = &mut self.sides[side];
            if let Some(stream) = conn.stream(side) {
                s.conflicts = stream.conflicts().to_vec();
                conflicts = conflicts.saturating_add(stream.conflicts_omitted());
                s.retransmitted = stream.counts().retransmitted;
                s.reordered = stream.counts().reordered;
                s.saw_syn = stream.saw_syn();
            }
        }
        if conflicts > 0 {
            self.omitted.insert("conflicts", conflicts);
        }
    }

    /// The flow is over: lists are put in wire order.
    pub fn close(&mut self) {
        in_wire_order(&mut self.messages, |m| (m.side, m.mark));
        in_wire_order(&mut self.alerts, |a| (a.side, a.mark));
        in_wire_order(&mut self.shapes, |s| (s.side, s.mark));
    }

    /// Adds a message concluded from the shape of its record, and the alert that it is.
    pub(crate) fn add_inferred(&mut self, message: MessageFact, alert: Option<AlertFact>) {
        self.add_message(message);
        if let Some(a) = alert {
            self.add_alert(a);
        }
    }

    fn omit(&mut self, list: &'static str) {
        let n = self.omitted.entry(list).or_insert(0);
        *n = n.saturating_add(1);
    }

    fn add_message(&mut self, m: MessageFact) {
        if self.messages.len() < limits::MESSAGES_PER_FLOW { self.messages.push(m) } else { self.omit("messages") }
    }

    fn add_alert(&mut self, a: AlertFact) {
        if self.alerts.len() < limits::ALERTS_PER_FLOW { self.alerts.push(a) } else { self.omit("alerts") }
    }

    fn add_anomaly(&mut self, side: Side, a: Anomaly) {
        if self.anomalies.len() < limits::ANOMALIES_PER_FLOW {
            self.anomalies.push((side, a))
        } else {
            self.omit("anomalies")
        }
    }
}

/// Sorts by frame what both sides sent, without changing the order of either: a message may be complete in an earlier
/// frame than the one before it, when that one waited for a retransmission.
fn in_wire_order<T>(list: &mut Vec<T>, place: impl Fn(&T) -> (Side, Mark)) {
    if list.is_sorted_by_key(|item| place(item).1.frame) {
        return;
    }
    let mut latest = crate::span::Pair::new(crate::span::FrameNo(0), crate::span::FrameNo(0));
    let mut keyed: Vec<_> = std::mem::take(list)
        .into_iter()
        .map(|item| {
            let (side, mark) = place(&item);
            let l = &mut latest[side];
            *l = mark.frame.max(*l);
            (*l, item)
        })
        .collect();
    keyed.sort_by_key(|(frame, _)| *frame);
    list.extend(keyed.into_iter().map(|(_, item)| item));
}

/// Writes events into the facts of a flow.
#[derive(Debug)]
pub struct Collector<'a> {
    /// The facts.
    pub facts: &'a mut FlowFacts,
    /// Certificates seen before, shared by all flows.
    pub certificates: &'a mut x509::Cache,
}

impl Events for Collector<'_> {
    fn event(&mut self, side: Side, event: Event<'_>) {
        match event {
            Event::Start(start, mark) => {
                let s = &mut self.facts.sides[side];
                if let (Some((Start::Not(plain), _)), Start::Tls) = (s.start, start) {
                    s.upgraded_from = Some(plain);
                }
                s.start = Some((start, mark));
            }
            Event::Message(m) => self.message(side, &m),
            Event::Opaque(info) => self.opaque(side, info),
            Event::ChangeCipherSpec(info) => {
                self.facts.sides[side].ccs.get_or_insert(info.mark);
                self.step(side, info, MessageKind::ChangeCipherSpec, Basis::Observed);
            }
            Event::Alert(level, description, mark, extents) => {
                self.facts.add_alert(AlertFact {
                    mark,
                    side,
                    said: Some((level, description)),
                    basis: Basis::Observed,
                });
                let frames = extents.frames();
                self.facts.add_message(MessageFact {
                    mark,
                    side,
                    record: ContentType::ALERT,
                    kind: MessageKind::Alert(level, Some(description)),
                    length: 2,
                    basis: Basis::Observed,
                    frames,
                });
            }
            Event::Heartbeat(kind, claimed, room, info) => {
                let h = HeartbeatFact { mark: info.mark, side, kind, claimed, room };
                if self.facts.heartbeats.len() < limits::HEARTBEATS_PER_FLOW {
                    self.facts.heartbeats.push(h);
                } else {
                    self.facts.omit("heartbeats");
                }
                self.step(side, info, MessageKind::Heartbeat(Some(kind)), Basis::Observed);
            }
            Event::Anomaly(a) => {
                if let AnomalyKind::NotARecord(_) = a.kind {
                    self.facts.sides[side].unreadable.get_or_insert(a.mark);
                }
                self.facts.add_anomaly(side, a);
            }
            Event::Gap(gap) => {
                self.facts.transcript = None;
                let complete = self.facts.is_complete();
                let s = &mut self.facts.sides[side];
                // An ACK of more than was seen, at the very end of a flow, hides nothing of the handshake when it is over.
                s.handshake_gap |= !complete && (gap.bytes > 1 || gap.reason != GapReason::Capture);
                if s.gaps.len() < limits::GAPS_PER_SIDE {
                    s.gaps.push(gap);
                } else {
                    s.gaps_omitted = s.gaps_omitted.saturating_add(1);
                }
            }
        }
    }
}

impl Collector<'_> {
    fn step(&mut self, side: Side, info: RecordInfo, kind: MessageKind, basis: Basis) {
        self.facts.add_message(MessageFact {
            mark: info.mark,
            side,
            record: info.header.content_type,
            kind,
            length: usize::from(info.header.len),
            basis,
            frames: SmallVec::new(),
        });
    }

    /// A protected record: counted, and where it belongs to the handshake, a step of it.
    fn opaque(&mut self, side: Side, info: RecordInfo) {
        let tls13 = self.facts.is_tls13();
        // Looking the suite up costs more than all else here, so only until the Finished was seen.
        let wanted = tls13 && self.facts.sides[side].finished_sized.is_none();
        let finished_len = if wanted { self.facts.finished_record_len() } else { 0 };
        let kind = info.header.content_type;
        let before_server_hello = self.facts.server_hello.is_none();
        let complete = self.facts.is_complete();
        let s = &mut self.facts.sides[side];
        s.encrypted.records = s.encrypted.records.saturating_add(1);
        s.encrypted.bytes = s.encrypted.bytes.saturating_add(u64::from(info.header.len));
        s.last_record = Some((kind, info.header.len, info.mark));
        if tls13 && kind == ContentType::APPLICATION_DATA && !before_server_hello {
            s.protected.get_or_insert(info.mark);
            if info.header.len >= finished_len {
                s.finished_sized.get_or_insert(info.mark);
            }
        }
        if !tls13 && s.ccs.is_some() {
            s.after_ccs.get_or_insert(info.mark);
            // The server has answered the client's Finished: it took the signature.
            if self.facts.client_hello.as_ref().is_some_and(|h| h.side != side) {
                self.facts.client_signed = None;
            }
        }
        if tls13 && complete && info.header.len == KEY_UPDATE_RECORD {
            s.key_update_sized = s.key_update_sized.saturating_add(1);
        }
        if kind == ContentType::APPLICATION_DATA && complete {
            s.application_data.get_or_insert(info.mark);
        }
        // Early data is told by its amount; its records would leave no room for those of the handshake.
        let early = before_server_hello && self.facts.shapes.len() >= limits::EARLY_SHAPES_PER_FLOW;
        if self.facts.shapes.len() < limits::SHAPES_PER_FLOW && !early {
            self.facts.shapes.push(Shape { mark: info.mark, side, content_type: kind, len: info.header.len });
        }
        match kind {
            ContentType::HANDSHAKE => self.step(side, info, MessageKind::EncryptedHandshake, Basis::Inferred),
            ContentType::ALERT => {
                let alert = AlertFact { mark: info.mark, side, said: None, basis: Basis::Inferred };
                self.facts.add_alert(alert);
                let level = crate::tls::names::AlertLevel(0);
                self.step(side, info, MessageKind::Alert(level, None), Basis::Inferred);
            }
            ContentType::HEARTBEAT => self.step(side, info, MessageKind::Heartbeat(None), Basis::Inferred),
            _ => {}
        }
    }

    fn message(&mut self, side: Side, m: &Message<'_>) {
        let frames = m.extents.frames();
        let kind = match &m.decoded.message {
            Handshake::ServerHello(_) if m.ssl2 => MessageKind::Ssl2ServerHello,
            Handshake::ClientHello(_) if m.ssl2 => MessageKind::Ssl2ClientHello,
            Handshake::ServerHello(h) if h.hello_retry => MessageKind::HelloRetryRequest,
            _ => MessageKind::Handshake(m.kind),
        };
        self.facts.add_message(MessageFact {
            mark: m.mark,
            side,
            record: ContentType::HANDSHAKE,
            kind,
            length: m.length,
            basis: Basis::Observed,
            frames: frames.clone(),
        });
        self.transcribe(side, m);
        let f = &mut *self.facts;
        match &m.decoded.message {
            Handshake::ClientHello(hello) => {
                f.client_hellos = f.client_hellos.saturating_add(1);
                let placed =
                    || Box::new(Placed { message: (**hello).clone(), mark: m.mark, side, frames: frames.clone() });
                match &f.client_hello {
                    None => {
                        f.client_hello = Some(placed());
                        f.client_hello_records = m.records;
                    }
                    Some(_) if f.second_hello.is_none() => f.second_hello = Some(placed()),
                    Some(_) => {}
                }
            }
            Handshake::ServerHello(hello) => self.server_hello(side, hello, m, frames),
            Handshake::Certificate(c) => self.chain(side, c, m),
            Handshake::CertificateRequest(r) => self.request(r, m),
            Handshake::CertificateVerify(scheme, _) => {
                f.sides[side].certificate_verify.get_or_insert((m.mark, *scheme));
            }
            Handshake::ServerKeyExchange(k) if f.server_key_exchange.is_none() => {
                f.server_key_exchange = Some((m.mark, *k));
                f.server_signed = k.signed.and_then(|(params, signature)| {
                    let (params, signature) = (slice(m.bytes, params)?, slice(m.bytes, signature)?);
                    Some(Box::new(Signed { params: params.into(), signature: signature.into() }))
                });
            }
            Handshake::ServerHelloDone => {
                f.server_hello_done.get_or_insert(m.mark);
            }
            Handshake::ClientKeyExchange => {
                f.client_key_exchange.get_or_insert(m.mark);
            }
            Handshake::NewSessionTicket(t) => {
                f.ticket.get_or_insert((m.mark, *t));
            }
            Handshake::CertificateStatus(Some(span)) => {
                if let Some(der) = slice(m.bytes, *span)
                    && let Ok(r) = x509::parse_ocsp(der)
                {
                    f.ocsp.get_or_insert_with(|| Box::new(r));
                }
            }
            _ => {}
        }
    }

    /// Keeps what a client's CertificateVerify of TLS 1.2 signs, as long as one may come.
    fn transcribe(&mut self, side: Side, m: &Message<'_>) {
        let f = &mut *self.facts;
        let whole = m.decoded.error.is_none() && m.bytes.len() == m.length.saturating_add(HEADER_BYTES) && !m.ssl2;
        match &m.decoded.message {
            Handshake::ClientHello(_) => {
                let first = f.client_hello.is_none() && whole;
                f.transcript = first.then(|| Box::new(Transcript::new(m.bytes)));
                return;
            }
            // It is not part of what is signed (RFC 5246, section 7.4.1.1).
            Handshake::HelloRequest => return,
            _ => {}
        }
        let Some(t) = f.transcript.as_mut() else { return };
        let goes_on = match &m.decoded.message {
            Handshake::ServerHello(h) => !h.hello_retry && !h.version().is_tls13_or_draft(),
            Handshake::ServerHelloDone => f.certificate_request.is_some(),
            Handshake::CertificateVerify(_, value) => {
                let signed = t.bytes(|side| f.sides[side].certificates.as_ref());
                // ServerHelloDone is the server's last: with it, none of its messages is missing.
                let all = whole && f.server_hello_done.is_some();
                f.client_signed = signed
                    .filter(|_| all)
                    .zip(slice(m.bytes, *value))
                    .map(|(params, signature)| Box::new(Signed { params, signature: signature.into() }));
                false
            }
            _ => true,
        };
        let from_client = f.client_hello.as_ref().is_some_and(|h| h.side == side);
        if !(goes_on && whole && t.add(from_client, side, m.kind, m.bytes)) {
            f.transcript = None;
        }
    }

    fn server_hello(
        &mut self,
        side: Side,
        hello: &ServerHello,
        m: &Message<'_>,
        frames: SmallVec<[crate::span::FrameNo; 2]>,
    ) {
        let f = &mut *self.facts;
        if let Some(span) = hello.ssl2_certificate
            && let Some(der) = slice(m.bytes, span).filter(|d| !d.is_empty())
        {
            let chain = vec![self.certificates.get(der)];
            f.sides[side].certificates.get_or_insert(ChainFact::new(chain, 0, m.mark));
        }
        let placed = Box::new(Placed { message: hello.clone(), mark: m.mark, side, frames });
        if hello.hello_retry {
            f.hello_retries = f.hello_retries.saturating_add(1);
            f.hello_retry.get_or_insert(placed);
        } else {
            f.server_hello.get_or_insert(placed);
        }
    }

    fn chain(&mut self, side: Side, c: &CertificateMessage, m: &Message<'_>) {
        if self.facts.sides[side].certificates.is_some() {
            return;
        }
        if c.raw_public_key.is_some() {
            self.facts.sides[side].raw_public_key.get_or_insert(m.mark);
            return;
        }
        let ders = c.entries.iter().filter_map(|s| slice(m.bytes, *s));
        let chain = ders.map(|der| self.certificates.get(der)).collect();
        self.facts.sides[side].certificates = Some(ChainFact::new(chain, c.omitted, m.mark));
    }

    fn request(&mut self, r: &CertificateRequest, m: &Message<'_>) {
        if self.facts.certificate_request.is_some() {
            return;
        }
        let ders: Vec<&[u8]> = r.authorities.iter().filter_map(|s| slice(m.bytes, *s)).collect();
        // A name that is no DER is shown as what it is not, so that the list keeps its length.
        let name = |der: &&[u8]| x509::distinguished_name(der).unwrap_or_else(|_| String::from("(not a DER name)"));
        self.facts.certificate_request = Some(Box::new(CertificateRequestFact {
            types: r.types.clone(),
            signature_schemes: r.signature_schemes.clone(),
            authorities: ders.iter().map(name).collect(),
            authorities_raw: ders.iter().map(|d| Box::from(*d)).collect(),
            omitted: r.omitted,
            mark: m.mark,
        }));
    }
}

/// Bytes before a handshake message's body: type and length.
const HEADER_BYTES: usize = 4;

fn slice(bytes: &[u8], s: Span) -> Option<&[u8]> {
    bytes.get(s.at..s.end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Endpoint;
    use crate::span::Role;

    #[test]
    fn without_any_message_the_higher_port_is_the_client() {
        let end = |p| Endpoint { ip: [192, 0, 2, 1].into(), port: p };
        let f = FlowFacts::new(1, 0, Endpoints { a: end(443), b: end(50_000) }, Mark::default());
        assert_eq!(f.client(), Side::B);
        assert_eq!(f.end(Role::Server).port, 443);
    }

    #[test]
    fn heartbeats_beyond_the_cap_are_counted() {
        let end = |p| Endpoint { ip: [192, 0, 2, 1].into(), port: p };
        let mut f = FlowFacts::new(1, 0, Endpoints { a: end(50_000), b: end(443) }, Mark::default());
        let mut certificates = x509::Cache::new();
        let header = crate::tls::record::RecordHeader { content_type: ContentType(24), version: 0x0303, len: 3 };
        for n in 0..limits::HEARTBEATS_PER_FLOW + 2 {
            assert_eq!(
                f.omitted.get("heartbeats").copied().unwrap_or(0),
                n.saturating_sub(limits::HEARTBEATS_PER_FLOW) as u64
            );
            let info = RecordInfo { header, mark: Mark::default() };
            Collector { facts: &mut f, certificates: &mut certificates }
                .event(Side::A, Event::Heartbeat(1, 9, 0, info));
        }
        assert_eq!((f.heartbeats.len(), f.omitted["heartbeats"]), (limits::HEARTBEATS_PER_FLOW, 2));
    }
}
