//! Who refused whom, at which point, with which words: the common ground of the rules that explain a failure.

use super::{Confidence, Hit, Severity, words};
use crate::facts::{FlowFacts, How, Outcome, Phase};
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::names::{AlertDescription, ContentType};

/// A close within this time after the peer's last flight is an answer to it; later ones may be a person's or a timer's.
const AT_ONCE_US: u64 = 1_000_000;

/// A client that leaves for what it found in the certificate does so in the same breath as it finishes: no person and no
/// idle timer is that fast. Browsers that connect ahead of need stay longer.
const SAME_BREATH_US: u64 = 50_000;

/// The end of a handshake that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Who ended it.
    pub(super) role: Role,
    /// The alert in clear that said so.
    pub(super) alert: Option<AlertDescription>,
    /// How it ended.
    pub(super) how: How,
    /// When.
    pub(super) mark: Mark,
}

/// Who ended a handshake that failed or was rejected; `None` for every other flow.
pub(super) fn refusal(f: &FlowFacts) -> Option<Refusal> {
    // A server's alert to a client that never said a word (a probe) refuses nothing.
    let client = f.side(Role::Client);
    let spoke = f.client_hello.is_some() || f.tcp.data[client].is_some() || f.tcp.packets[client] == 0;
    if !spoke || !matches!(f.outcome(), Outcome::Failed | Outcome::Rejected) {
        return None;
    }
    if let Some((role, alert, mark)) = f.fatal_alert() {
        // OpenSSL answers a connection that ends in the middle of a handshake with decode_error: the end came first.
        let left = f.fin(role.other()).filter(|fin| alert == AlertDescription::DECODE_ERROR && fin.frame < mark.frame);
        return Some(match left {
            Some(fin) => Refusal { role: role.other(), alert: None, how: How::Fin, mark: fin },
            None => Refusal { role, alert: Some(alert), how: How::Alert, mark },
        });
    }
    if let Some(mark) = hidden_alert(f).filter(|_| !f.is_complete()) {
        return Some(Refusal { role: Role::Client, alert: None, how: How::Alert, mark });
    }
    // In SSL 3.0 a warning no_certificate stands for an empty Certificate; what follows it ended the handshake.
    let e = f.ended_by()?;
    Some(Refusal { role: e.role, alert: None, how: e.how, mark: e.mark })
}

/// Points of a handshake, by what had been sent when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// No ServerHello yet.
    Hello,
    /// The server was sending, or had sent, its certificate; the client had not answered.
    CertFlight,
    /// The client was sending its certificate, key exchange and Finished.
    ClientFlight,
    /// The server's Finished.
    Finished,
    /// Both had finished.
    App,
}

impl Stage {
    /// For a sentence.
    pub(super) const fn place(self) -> &'static str {
        match self {
            Self::Hello => "before the ServerHello",
            Self::CertFlight => "after the server had begun to show its certificate",
            Self::ClientFlight => "after the client's part of the handshake",
            Self::Finished | Self::App => "before both sides had finished",
        }
    }
}

/// How far a flow came.
pub(super) fn stage(f: &FlowFacts) -> Stage {
    match f.phase() {
        Phase::TcpConnect | Phase::ClientHello => Stage::Hello,
        Phase::ServerHello | Phase::ServerFlight => Stage::CertFlight,
        Phase::ClientFlight => Stage::ClientFlight,
        Phase::ServerFinish => Stage::Finished,
        Phase::Complete => Stage::App,
    }
}

/// The server refused the ClientHello with this alert, before any ServerHello; `None` where a ServerHello may be missing
/// from the capture.
pub(super) fn hello_refused(f: &FlowFacts, with: AlertDescription) -> Option<Mark> {
    let (role, d, mark) = f.fatal_alert()?;
    let before = f.server_hello.is_none() && f.client_hello.as_ref().is_some_and(|h| h.mark.frame <= mark.frame);
    let seen = !f.of(Role::Server).handshake_gap && !f.of(Role::Server).mid_stream;
    (role == Role::Server && d == with && before && seen).then_some(mark)
}

/// The flow failed with this alert, whoever sent it.
pub(super) fn failed_with(f: &FlowFacts, with: AlertDescription) -> Option<(Role, Mark)> {
    let r = refusal(f)?;
    (r.alert == Some(with)).then_some((r.role, r.mark))
}

/// The client refused the server after it had (or, in TLS 1.3, must have) seen its certificate.
pub(super) fn of_server(f: &FlowFacts) -> Option<Refusal> {
    if let Some(mark) = left_unsatisfied(f).filter(|_| !f.is_tls13()) {
        return Some(Refusal { role: Role::Client, alert: None, how: How::CloseNotify, mark });
    }
    let r = refusal(f)?;
    if r.role != Role::Client {
        return None;
    }
    let shown = f.of(Role::Server).certificates.is_some() || (f.is_tls13() && f.resumed() == Some(false));
    let about_certificate = r.alert.is_some_and(AlertDescription::is_about_certificate);
    let here = match stage(f) {
        Stage::CertFlight => true,
        Stage::ClientFlight | Stage::Finished => about_certificate || hidden_alert(f).is_some(),
        Stage::Hello | Stage::App => false,
    };
    // A silent close says something only when the whole flight had been sent and nothing of it is missing.
    let audible = r.alert.is_some() || f.is_tls13() || f.server_hello_done.is_some();
    (shown && here && audible).then_some(r)
}

/// The client's only protected record has the size of an alert (TLS 1.3): no other message of that size exists at this
/// point.
pub(super) fn hidden_alert(f: &FlowFacts) -> Option<Mark> {
    f.inferred.as_ref()?.client_alert
}

/// The server refused the client after it had seen the client's answer to its CertificateRequest: read in clear (TLS 1.2
/// and before), or concluded from the shapes of the records (TLS 1.3).
pub(super) fn of_client(f: &FlowFacts) -> Option<Refusal> {
    let r = refusal(f).filter(|r| r.role == Role::Server)?;
    if let Some(e) = f.refused_after_client_flight() {
        let asked = f.client_auth(f.outcome()).requested == Some(true);
        return (asked && e.mark == r.mark).then_some(r);
    }
    let answered = f.of(Role::Client).certificates.is_some();
    (answered && matches!(stage(f), Stage::ClientFlight | Stage::Finished)).then_some(r)
}

/// How sure it is that the server refused the client's flight: certain where the handshake's end is in clear.
pub(super) fn sure_of_refusal(f: &FlowFacts) -> Confidence {
    let concluded = f.inferred.as_ref().and_then(|i| i.verdict?.refused());
    concluded.map_or(Confidence::Certain, |c| c.confidence)
}

/// A client that meant to send a request (it offered application protocols) finished the handshake, sent nothing and
/// left at once: curl does so when the certificate does not have the name it called.
pub(super) fn left_unsatisfied(f: &FlowFacts) -> Option<Mark> {
    if f.outcome() != Outcome::Established || f.resumed() != Some(false) {
        return None;
    }
    let hello = f.client_hello.as_ref()?;
    let whole = f.sides.iter().all(|s| s.gaps.is_empty() && !s.mid_stream);
    let (idle, finished, left) = if f.is_tls13() {
        // All that follows the client's Finished is one alert (a close_notify), and the server has not refused it.
        let done = f.of(Role::Client).finished_sized?;
        let client = f.side(Role::Client);
        // By order, not by frame: both may share one segment.
        let finished = f.finished_record_len();
        let sent = f.shapes.iter().filter(|s| s.side == client && s.content_type == ContentType::APPLICATION_DATA);
        let mut after = sent.skip_while(|s| s.len < finished).skip(1);
        let (bye, more) = (after.next().filter(|s| s.len == 19)?, after.next());
        let few = f.of(Role::Client).encrypted.records <= 2 && !hello.message.extensions.early_data && more.is_none();
        let left = bye.mark;
        let server_was_first = f.fin(Role::Server).or(f.rst(Role::Server)).is_some_and(|m| m.frame < left.frame)
            || f.shapes.iter().any(|s| {
                s.side != client
                    && (done.frame..left.frame).contains(&s.mark.frame)
                    && s.mark.frame > done.frame
                    && s.len < 53
            });
        (few && !server_was_first, done, left)
    } else {
        // A browser that connected ahead of need closes without a word; curl says goodbye.
        let e = f.ended_by().filter(|e| e.role == Role::Client && e.how == How::CloseNotify)?;
        (f.sides.iter().all(|s| s.application_data.is_none()), f.of(Role::Server).after_ccs?, e.mark)
    };
    let at_once = left.time.us_since(finished.time) < SAME_BREATH_US;
    (idle && whole && at_once && !hello.message.extensions.alpn.is_empty()).then_some(left)
}

/// Time from the peer's last message to a silent close is short enough for an answer.
pub(super) fn at_once(f: &FlowFacts, r: &Refusal) -> bool {
    let said = f
        .messages
        .iter()
        .filter(|m| f.role(m.side) != r.role && m.mark.frame <= r.mark.frame)
        .map(|m| m.mark.time)
        .max();
    said.is_some_and(|t| r.mark.time.us_since(t) < AT_ONCE_US)
}

/// What can be wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Expired,
    NotYetValid,
    Name,
    Purpose,
    Usage,
    Untrusted,
    Revoked,
    Weak,
    NotCa,
    Staple,
}

/// How well a fault explains a refusal: with that alert in clear, or without a word. From what OpenSSL's
/// `ssl_x509err2alert`, Go's `crypto/tls`, JSSE and GnuTLS send for which verification error.
pub(super) fn weigh(alert: Option<AlertDescription>, fault: Fault) -> Option<Confidence> {
    use Confidence::{Certain, Likely, Possible};
    let Some(alert) = alert else {
        // Weak keys and odd extensions are refused with an alert by those who mind them.
        return (!matches!(fault, Fault::Weak | Fault::Usage | Fault::NotCa | Fault::Staple)).then_some(Likely);
    };
    match (alert.0, fault) {
        (44, Fault::Revoked) | (45, Fault::Expired) | (48, Fault::Untrusted) | (43, Fault::Purpose) => Some(Certain),
        (113, Fault::Staple) => Some(Likely),
        (42 | 46, _) | (45, Fault::NotYetValid) | (43, Fault::Usage) | (48, Fault::NotCa) | (40, Fault::Weak) => {
            Some(Likely)
        }
        (49, Fault::Name | Fault::Purpose) | (43, Fault::Weak) | (113, Fault::Revoked) | (48, Fault::Weak) => {
            Some(Possible)
        }
        (40 | 80, Fault::Expired | Fault::NotYetValid | Fault::Name | Fault::Purpose | Fault::Untrusted) => {
            Some(Possible)
        }
        _ => None,
    }
}

/// Makes a fault of `owner`'s certificate the explanation of the peer's refusal where it can be, and a warning where
/// the peer did not mind.
pub(super) fn judged(f: &FlowFacts, owner: Role, fault: Fault, mut hit: Hit) -> Hit {
    let refused = match owner {
        Role::Server => of_server(f),
        Role::Client => of_client(f),
    };
    let Some(r) = refused else { return hit.severity(Severity::Warning).beside() };
    let Some(confidence) = weigh(r.alert, fault) else {
        return hit.severity(Severity::Warning).beside();
    };
    hit.detail.push(' ');
    hit.detail.push_str(&how_it_ended(f, &r));
    // A reset, or a close after a while, has many reasons.
    let faint = r.alert.is_none() && (r.how == How::Rst || !at_once(f, &r));
    hit.sure(if faint { Confidence::Possible } else { confidence }).severity(Severity::Error).at(r.mark)
}

/// One sentence: who ended the handshake, how and when.
pub(super) fn how_it_ended(f: &FlowFacts, r: &Refusal) -> String {
    if let Some(d) = r.alert {
        return words::alert_sentence(r.role, d, r.mark);
    }
    let how = match r.how {
        How::Alert => "sent an alert whose text is encrypted",
        How::Fin => "closed the connection (FIN) without an alert",
        How::Rst => "reset the connection (RST) without an alert",
        How::CloseNotify if f.is_complete() => "said close_notify without having sent or received any data",
        How::CloseNotify => "gave up with close_notify",
    };
    format!("In frame {} the {} {how}.", r.mark.frame, r.role)
}
