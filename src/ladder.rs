//! One flow as a ladder: what was sent, by whom, when, and each finding under the arrow that proves it.

use crate::analyzer::FlowReport;
use crate::diagnose::{Finding, Severity};
use crate::facts::{Basis, ClientCertificate, Confidence, FlowFacts, MessageFact, MessageKind, Verdict};
use crate::flow::{GapReason, Mark as At};
use crate::layout;
use crate::span::{FrameNo, Role, Side, Timestamp};
use crate::text;
use crate::tls::names::{AlertLevel, ContentType, HandshakeType};
use crate::tls::{AnomalyKind, Start};

/// One step of the ladder.
#[derive(Clone, Debug)]
pub(crate) struct Rung {
    pub(crate) frame: Option<FrameNo>,
    pub(crate) time: Option<Timestamp>,
    pub(crate) kind: Kind,
}

/// What a step is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Arrow(Arrow),
    /// A finding, by its place in the diagnosis.
    Finding(usize),
    /// Something odd or missing; not an arrow.
    Note(String),
}

/// Something that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Arrow {
    pub(crate) from: Role,
    pub(crate) label: String,
    /// What it says, in a few words.
    pub(crate) says: String,
    pub(crate) stroke: Stroke,
    pub(crate) what: What,
}

/// How an arrow is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stroke {
    /// In clear.
    Clear,
    /// Protected.
    Encrypted,
    /// Protected; what it is follows from its shape, so surely.
    Inferred(Confidence),
    /// It should have come and did not.
    Ghost,
}

impl Stroke {
    const fn of(basis: Basis) -> Self {
        match basis {
            Basis::Observed => Self::Clear,
            Basis::Decrypted => Self::Encrypted,
            Basis::Inferred => Self::Inferred(Confidence::Certain),
        }
    }

    /// The line and the heads at its left and right end.
    const fn signs(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Clear => ("─", "◀", "▶"),
            Self::Encrypted | Self::Inferred(_) => ("═", "◀", "▶"),
            Self::Ghost => ("┄", "◁", "▷"),
        }
    }

    /// What stands behind the arrow.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::Clear | Self::Encrypted => "",
            Self::Inferred(Confidence::Certain) => " inferred",
            Self::Inferred(Confidence::Likely) => " inferred, likely",
            Self::Inferred(Confidence::Possible) => " inferred, possible",
            Self::Ghost => " expected, not seen",
        }
    }
}

/// What an arrow stands for.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// SYN, FIN, RST.
    Tcp,
    /// A message, with its place among the facts' messages.
    Message(MessageKind, usize),
    /// Protected records: length of each that is listed.
    Records(Vec<(FrameNo, u16)>),
    /// Messages that did not come.
    Ghost(Vec<MessageKind>),
}

/// The steps of a flow, in wire order; as many as the facts list.
pub(crate) fn rungs(report: &FlowReport) -> Vec<Rung> {
    let f = &report.facts;
    let mut steps: Vec<(FrameNo, u8, Rung)> = Vec::new();
    let mut add = |frame: FrameNo, time: Option<Timestamp>, order: u8, kind: Kind| {
        steps.push((frame, order, Rung { frame: Some(frame), time, kind }));
    };
    for (at, from, label) in tcp(f) {
        let order = if label.starts_with("SYN") { 0 } else { 9 };
        let arrow = Arrow { from, label, says: String::new(), stroke: Stroke::Clear, what: What::Tcp };
        add(at.frame, Some(at.time), order, Kind::Arrow(arrow));
    }
    for side in [Side::A, Side::B] {
        if let Some((Start::Not(plain), at)) = &f.sides[side].start {
            let note = format!("the {} sends {}, not TLS", f.role(side), plain.name());
            add(at.frame, Some(at.time), 1, Kind::Note(note));
        }
    }
    for (n, m) in f.messages.iter().enumerate() {
        add(m.mark.frame, Some(m.mark.time), 3, Kind::Arrow(message(f, m, n)));
    }
    for (at, arrow) in records(f) {
        add(at.frame, Some(at.time), 4, Kind::Arrow(arrow));
    }
    for side in [Side::A, Side::B] {
        let role = f.role(side);
        for g in &f.sides[side].gaps {
            let why = match g.reason {
                GapReason::Capture => "they arrived, the capture lost them",
                GapReason::Network => "nobody acknowledged them",
                GapReason::Snaplen => "cut by the snap length of the capture",
                GapReason::Limit => "given up, too much was waiting",
                GapReason::Unknown => "the other direction was not captured",
            };
            let note = format!("{} of the {role} are missing: {why}", text::count(g.bytes, "byte"));
            add(g.frame, None, 2, Kind::Note(note));
        }
    }
    for (side, a) in &f.anomalies {
        add(a.mark.frame, Some(a.mark.time), 5, Kind::Note(format!("{}: {}", f.role(*side), anomaly(&a.kind))));
    }
    // Stable: messages of one frame stay in the order in which they stand in it.
    steps.sort_by_key(|(frame, order, _)| (*frame, *order));
    let mut out: Vec<Rung> = steps.into_iter().map(|(_, _, r)| r).collect();
    add_ghosts(&mut out, f);
    for (list, n) in &f.omitted {
        let note = format!("{} more {list} are not listed", text::thousands(*n));
        out.push(Rung { frame: None, time: None, kind: Kind::Note(note) });
    }
    place_findings(&mut out, &report.diagnosis.findings);
    out
}

/// What should have come stands where the handshake stopped: behind the last arrow of TLS, before the connection's end.
fn add_ghosts(out: &mut Vec<Rung>, f: &FlowFacts) {
    let at = out.iter().rposition(|r| matches!(&r.kind, Kind::Arrow(a) if !matches!(a.what, What::Tcp)));
    let at = at.map_or(out.len(), |n| n.saturating_add(1));
    let ghosts = f.expected().into_iter().map(|e| {
        let labels: Vec<String> = e.messages.iter().map(|m| label(*m)).collect();
        let arrow = Arrow {
            from: e.role,
            label: labels.join(JOINT),
            says: String::new(),
            stroke: Stroke::Ghost,
            what: What::Ghost(e.messages),
        };
        Rung { frame: None, time: None, kind: Kind::Arrow(arrow) }
    });
    let _ = out.splice(at..at, ghosts);
}

/// Between the names of several messages of one arrow.
const JOINT: &str = " · ";

/// A ladder of at most `most` steps: of a longer one the beginning and the end, and how many stand between them.
pub(crate) fn shortened(mut rungs: Vec<Rung>, most: usize) -> Vec<Rung> {
    let more = rungs.len().saturating_sub(most);
    if more > 0 {
        let (from, n) = (most.saturating_mul(2) / 3, more.saturating_add(1));
        let note = format!("{} are not shown", text::count(n as u64, "step"));
        let rung = Rung { frame: None, time: None, kind: Kind::Note(note) };
        let _ = rungs.splice(from..from.saturating_add(n).min(rungs.len()), [rung]);
    }
    rungs
}

/// Findings go behind the last arrow that proves them; those without a place to the end.
fn place_findings(out: &mut Vec<Rung>, findings: &[Finding]) {
    let mut placed: Vec<(usize, usize)> = Vec::new();
    for (n, finding) in findings.iter().enumerate() {
        let last = finding.frames.iter().rev().find_map(|frame| out.iter().rposition(|r| r.frame == Some(*frame)));
        placed.push((last.unwrap_or(out.len().saturating_sub(1)), n));
    }
    placed.sort_unstable();
    for (at, n) in placed.into_iter().rev() {
        let rung = Rung { frame: None, time: None, kind: Kind::Finding(n) };
        let at = at.saturating_add(1).min(out.len());
        out.insert(at, rung);
    }
}

fn tcp(f: &FlowFacts) -> Vec<(At, Role, String)> {
    let mut out = Vec::new();
    for side in [Side::A, Side::B] {
        let (i, role) = (side, f.role(side));
        for (seen, name) in [(f.tcp.syn[i], "SYN"), (f.tcp.syn_ack[i], "SYN, ACK")] {
            if let Some(s) = seen {
                let label = if s.count > 1 { format!("{name} ×{}", s.count) } else { name.into() };
                out.push((s.first, role, label));
            }
        }
        if let Some(at) = f.tcp.fin[i] {
            out.push((at, role, "FIN".into()));
        }
        if let Some(at) = f.tcp.rst[i] {
            out.push((at, role, if f.tcp.refused { "RST (refused)".into() } else { "RST".into() }));
        }
    }
    out
}

fn message(f: &FlowFacts, m: &MessageFact, place: usize) -> Arrow {
    let from = f.role(m.side);
    Arrow {
        from,
        label: match m.kind {
            // The first protected handshake message behind ChangeCipherSpec can be nothing else (RFC 5246, section 7.4.9).
            MessageKind::EncryptedHandshake if f.of(from).after_ccs == Some(m.mark) => "Finished (encrypted)".into(),
            kind => label(kind),
        },
        says: says(f, m, from),
        stroke: match m.kind {
            // That a record is protected is seen; only before TLS 1.3 does its outer type tell an alert.
            MessageKind::Alert(_, None) if !f.is_tls13() => Stroke::Encrypted,
            MessageKind::EncryptedHandshake if f.of(from).after_ccs != Some(m.mark) => Stroke::Encrypted,
            _ if m.basis == Basis::Inferred => Stroke::Inferred(sure(f, m, from)),
            _ => Stroke::of(m.basis),
        },
        what: What::Message(m.kind, place),
    }
}

/// How sure it is that a protected record is this message.
fn sure(f: &FlowFacts, m: &MessageFact, from: Role) -> Confidence {
    let Some(i) = f.inferred.as_deref() else { return Confidence::Certain };
    let claim = match (m.kind, from) {
        (MessageKind::Handshake(HandshakeType::CERTIFICATE_REQUEST), _) => i.requested.map(|c| c.confidence),
        (MessageKind::Handshake(HandshakeType::CERTIFICATE | HandshakeType::CERTIFICATE_VERIFY), Role::Client) => {
            i.answer.map(|c| c.confidence)
        }
        (MessageKind::Alert(..), Role::Server) => i.verdict.and_then(Verdict::refused).map(|c| c.confidence),
        _ => None,
    };
    claim.unwrap_or(Confidence::Certain)
}

/// The RFCs' names of messages.
pub(crate) fn label(kind: MessageKind) -> String {
    match kind {
        MessageKind::Handshake(t) => camel(&t.to_string()),
        MessageKind::HelloRetryRequest => "HelloRetryRequest".into(),
        MessageKind::Ssl2ClientHello => "ClientHello (SSL 2.0 format)".into(),
        MessageKind::Ssl2ServerHello => "ServerHello (SSL 2.0)".into(),
        MessageKind::ChangeCipherSpec => "ChangeCipherSpec".into(),
        MessageKind::Alert(level, Some(a)) if level == AlertLevel::FATAL => format!("fatal alert {a}"),
        MessageKind::Alert(_, Some(a)) => format!("alert {a}"),
        MessageKind::Alert(_, None) => "encrypted alert".into(),
        MessageKind::Heartbeat(Some(1)) => "heartbeat request".into(),
        MessageKind::Heartbeat(Some(2)) => "heartbeat response".into(),
        MessageKind::Heartbeat(_) => "heartbeat".into(),
        MessageKind::EncryptedHandshake => "encrypted handshake message".into(),
    }
}

/// `server_hello_done` as `ServerHelloDone`.
fn camel(s: &str) -> String {
    if s.starts_with("type_") {
        return format!("message of {}", s.replace('_', " "));
    }
    s.split('_').flat_map(|w| w.chars().take(1).map(|c| c.to_ascii_uppercase()).chain(w.chars().skip(1))).collect()
}

fn says(f: &FlowFacts, m: &MessageFact, from: Role) -> String {
    match m.kind {
        MessageKind::Handshake(HandshakeType::CLIENT_HELLO) | MessageKind::Ssl2ClientHello => {
            let hello = [f.client_hello.as_ref(), f.second_hello.as_ref()].into_iter().flatten();
            let Some(h) = hello.into_iter().find(|h| h.mark.frame == m.mark.frame) else { return String::new() };
            match h.message.extensions.host_name() {
                Some(n) if !n.is_empty() => format!("SNI {}", text::escape_bytes(n)),
                _ => "no SNI".into(),
            }
        }
        MessageKind::Handshake(HandshakeType::SERVER_HELLO) | MessageKind::Ssl2ServerHello => {
            match (f.version(), f.cipher_suite()) {
                (Some(v), Some(c)) => format!("{v}  {c}"),
                _ => String::new(),
            }
        }
        MessageKind::HelloRetryRequest => {
            let share = f.hello_retry.as_ref().and_then(|h| h.message.extensions.key_shares.first().copied());
            share.map_or_else(String::new, |g| format!("wants {}", crate::tls::names::NamedGroup(g)))
        }
        MessageKind::Handshake(HandshakeType::CERTIFICATE) if m.basis == Basis::Inferred => {
            let empty = from == Role::Client && f.client_auth(f.outcome()).certificate == ClientCertificate::Empty;
            if empty { "(empty)".into() } else { layout::bytes(m.length as u64) }
        }
        _ if m.basis == Basis::Inferred && f.is_tls13() => String::new(),
        MessageKind::Handshake(HandshakeType::CERTIFICATE) => match &f.of(from).certificates {
            Some(c) if c.mark.frame == m.mark.frame => match c.chain.first() {
                None => "(empty)".into(),
                Some(leaf) if c.chain.len() > 1 => format!("{} +{}", leaf.subject, c.chain.len().saturating_sub(1)),
                Some(leaf) => leaf.subject.clone(),
            },
            _ => String::new(),
        },
        MessageKind::Handshake(HandshakeType::CERTIFICATE_REQUEST) => match &f.certificate_request {
            Some(r) if r.mark.frame == m.mark.frame => match r.authorities.as_slice() {
                [] => "from any CA".into(),
                [one] => one.clone(),
                [one, rest @ ..] => format!("{one} +{}", rest.len()),
            },
            _ => String::new(),
        },
        _ => String::new(),
    }
}

/// Neighbouring records of one side: where they begin, what they are, frame and length of each.
type Run = (At, Side, &'static str, Vec<(FrameNo, u16)>);

/// Protected application_data records: neighbours of one side become one arrow.
fn records(f: &FlowFacts) -> Vec<(At, Arrow)> {
    let first_client = f.of(Role::Client).protected.map(|m| m.frame);
    // Where the client's Finished is known, what its other records are is too.
    let finished = f.inferred.as_ref().is_some_and(|i| i.finished.is_some());
    let mut runs: Vec<Run> = Vec::new();
    // Other steps between two records part a run: their order matters.
    let mut breaks: Vec<FrameNo> = f.messages.iter().map(|m| m.mark.frame).collect();
    breaks.extend(f.tcp.fin.iter().chain(&f.tcp.rst).flatten().map(|m| m.frame));
    let shapes = f.shapes.iter().filter(|s| s.content_type == ContentType::APPLICATION_DATA && !f.is_told(s));
    for s in shapes {
        let stage = match f.role(s.side) {
            _ if !f.is_tls13() => "Application Data",
            Role::Server if first_client.is_none_or(|c| s.mark.frame < c) => "encrypted handshake",
            Role::Client if Some(s.mark.frame) == first_client && !finished => "encrypted handshake, Finished",
            _ => "Application Data",
        };
        match runs.last_mut() {
            Some((from, side, label, list))
                if *side == s.side
                    && *label == stage
                    && !breaks.iter().any(|b| from.frame < *b && *b <= s.mark.frame) =>
            {
                list.push((s.mark.frame, s.len));
            }
            _ => runs.push((s.mark, s.side, stage, vec![(s.mark.frame, s.len)])),
        }
    }
    let mut out: Vec<(At, Arrow)> = Vec::new();
    for (at, side, stage, list) in runs {
        let total: u64 = list.iter().map(|(_, n)| u64::from(*n)).sum();
        let label = if list.len() > 1 { format!("{stage} ×{}", list.len()) } else { stage.to_owned() };
        let arrow = Arrow {
            from: f.role(side),
            label,
            says: layout::bytes(total),
            stroke: Stroke::Encrypted,
            what: What::Records(list),
        };
        out.push((at, arrow));
    }
    for side in [Side::A, Side::B] {
        let s = &f.sides[side];
        let (n, bytes) = f
            .shapes
            .iter()
            .filter(|x| x.side == side)
            .fold((0u64, 0u64), |(n, b), x| (n.saturating_add(1), b.saturating_add(u64::from(x.len))));
        let more = s.encrypted.records.saturating_sub(n);
        if let (true, Some((_, _, last))) = (more > 0, s.last_record) {
            let arrow = Arrow {
                from: f.role(side),
                label: format!("… {}", text::count(more, "more record")),
                says: layout::bytes(s.encrypted.bytes.saturating_sub(bytes)),
                stroke: Stroke::Encrypted,
                what: What::Records(Vec::new()),
            };
            out.push((last, arrow));
        }
    }
    out
}

fn anomaly(a: &AnomalyKind) -> String {
    match a {
        AnomalyKind::NotARecord(_) => "bytes that are no TLS record; nothing more of this direction is read".into(),
        AnomalyKind::Resynced(n) => format!("{} skipped up to the next record", text::count(*n, "byte")),
        AnomalyKind::EmptyRecord(t) => format!("an empty {t} record"),
        AnomalyKind::Interleaved(t) => format!("a record of type {t} in the middle of a handshake message"),
        AnomalyKind::BadChangeCipherSpec => "a change_cipher_spec that is not one byte 1".into(),
        AnomalyKind::Undecodable(t, e) => format!("{} does not decode: {e}", camel(&t.to_string())),
        AnomalyKind::MessageTooLong(t, n) => {
            format!("{} of {}: only its beginning is looked at", camel(&t.to_string()), text::bytes(*n))
        }
        AnomalyKind::UnfinishedMessage(t, claimed, have) => {
            format!("ends inside {}: {have} of {} came", camel(&t.to_string()), text::bytes(*claimed))
        }
        AnomalyKind::UnfinishedRecord(t, claimed, have) => {
            format!("ends inside a record of type {t}: {have} of {} came", text::bytes(*claimed))
        }
    }
}

/// How bad the worst finding of a rung's list is, for its glyph.
pub(crate) const fn severity_glyph(s: Severity) -> &'static str {
    match s {
        Severity::Error => "✖",
        Severity::Warning => "▲",
        Severity::Info => "·",
    }
}

/// One line of the drawn ladder: its rung and what part of it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) rung: usize,
    /// Text of a finding or note; empty for arrows, which are drawn to fit.
    pub(crate) text: String,
    /// The first line of its rung.
    pub(crate) head: bool,
}

/// The ladder as lines of a width: findings and notes take as many as they need.
pub(crate) fn lines(rungs: &[Rung], report: &FlowReport, room: usize) -> Vec<Line> {
    let cause = report.diagnosis.cause;
    let mut out = Vec::new();
    for (n, r) in rungs.iter().enumerate() {
        let (sign, text) = match &r.kind {
            Kind::Arrow(_) => {
                out.push(Line { rung: n, text: String::new(), head: true });
                continue;
            }
            Kind::Note(t) => ("┊", t.clone()),
            Kind::Finding(i) => match report.diagnosis.findings.get(*i) {
                Some(x) => {
                    let mut t = format!("{} ({}): {}", x.code, x.confidence.name(), x.title);
                    if cause == Some(x.code) && !x.remedy.is_empty() {
                        t.push_str("\nFix: ");
                        t.push_str(&x.remedy);
                    }
                    (severity_glyph(x.severity), t)
                }
                None => continue,
            },
        };
        for (i, l) in layout::wrap(&text, room.saturating_sub(2)).into_iter().enumerate() {
            let text = if i == 0 { format!("{sign} {l}") } else { format!("  {l}") };
            out.push(Line { rung: n, text, head: i == 0 });
        }
    }
    out
}

/// The ladder as plain text, for a file.
pub(crate) fn as_text(report: &FlowReport, rungs: &[Rung], width: usize) -> String {
    let f = &report.facts;
    let mut out = format!("flow {}  {} -> {}\n", f.id, f.end(Role::Client), f.end(Role::Server));
    for l in lines(rungs, report, width) {
        let Some(r) = rungs.get(l.rung) else { continue };
        match &r.kind {
            Kind::Arrow(a) => {
                let at = r.time.map_or_else(String::new, |t| layout::duration(t.us_since(f.first.time)));
                let frame = r.frame.map_or_else(String::new, |n| format!("#{n}"));
                out.push_str(&format!("{frame:>8} {at:>11}  {}\n", arrow_text(a, width)));
            }
            _ => out.push_str(&format!("{:21}{}\n", "", l.text)),
        }
    }
    out
}

/// An arrow of a given length. Of several messages the first and the last are named where there is no room for all.
pub(crate) fn arrow_text(a: &Arrow, room: usize) -> String {
    let (line, left, right) = a.stroke.signs();
    let tag = a.stroke.tag();
    let room = room.saturating_sub(layout::width(tag));
    let mut label = a.label.clone();
    if !a.says.is_empty() {
        label.push_str("  ");
        label.push_str(&a.says);
    }
    if layout::width(&label).saturating_add(7) > room
        && let (Some((first, _)), Some((_, last))) = (a.label.split_once(JOINT), a.label.rsplit_once(JOINT))
    {
        label = format!("{first} … {last}");
    }
    let label = layout::cut(&label, room.saturating_sub(7));
    let rest = room.saturating_sub(layout::width(&label).saturating_add(5));
    match a.from {
        Role::Client => format!("{line}{line} {label} {}{right}{tag}", line.repeat(rest)),
        Role::Server => format!("{left}{} {label} {line}{line}{tag}", line.repeat(rest)),
    }
}
