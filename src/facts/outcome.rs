//! How a handshake went and who ended it.

use super::{Basis, FlowFacts, Inferred, MessageFact, MessageKind, Role, Verdict};
use crate::flow::Mark;
use crate::tls::names::{AlertDescription, AlertLevel, ProtocolVersion};

/// How the handshake went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Both sides finished and neither refused the other.
    Established,
    /// Ended before both had finished.
    Failed,
    /// All messages were sent, then one peer refused the other.
    Rejected,
    /// The capture does not show how it went on.
    Incomplete,
}

impl Outcome {
    /// The word of the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Incomplete => "incomplete",
        }
    }
}

/// The furthest point reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// TCP only.
    TcpConnect,
    /// A ClientHello.
    ClientHello,
    /// A ServerHello.
    ServerHello,
    /// The server's flight: certificate to ServerHelloDone or Finished.
    ServerFlight,
    /// The client's flight: certificate, key exchange, Finished.
    ClientFlight,
    /// The server's Finished after the client's (TLS 1.2 and before).
    ServerFinish,
    /// Both finished.
    Complete,
}

impl Phase {
    /// The word of the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TcpConnect => "tcp_connect",
            Self::ClientHello => "client_hello",
            Self::ServerHello => "server_hello",
            Self::ServerFlight => "server_flight",
            Self::ClientFlight => "client_flight",
            Self::ServerFinish => "server_finish",
            Self::Complete => "complete",
        }
    }
}

/// What ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A fatal alert, or a protected one after which the connection was closed.
    Alert,
    /// A FIN.
    Fin,
    /// A RST.
    Rst,
    /// A close_notify.
    CloseNotify,
}

impl How {
    /// The word of the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Fin => "fin",
            Self::Rst => "rst",
            Self::CloseNotify => "close_notify",
        }
    }
}

/// Who ended a connection, how and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedBy {
    /// Who.
    pub role: Role,
    /// How.
    pub how: How,
    /// When.
    pub mark: Mark,
}

impl FlowFacts {
    /// A session was resumed: by session id or ticket, or by a pre-shared key. `None` when it cannot be told.
    pub fn resumed(&self) -> Option<bool> {
        let sh = self.server_hello.as_ref()?;
        if self.is_tls13() {
            return Some(sh.message.extensions.psk.is_some());
        }
        let server = self.of(Role::Server);
        // A full handshake goes on with a certificate or a key exchange; an abbreviated one with the server's
        // change_cipher_spec (RFC 5246, section 7.3).
        if server.has_answered()
            || self.server_key_exchange.is_some()
            || self.server_hello_done.is_some()
            || self.client_key_exchange.is_some()
        {
            return Some(false);
        }
        if server.ccs.is_some() && !server.handshake_gap {
            return Some(true);
        }
        let ch = self.client_hello.as_ref()?;
        let id = &sh.message.session_id;
        if !id.is_empty() && *id == ch.message.session_id && self.version().is_some_and(|v| !v.is_tls13_or_draft()) {
            return Some(true);
        }
        None
    }

    /// The client offers to resume a session: by a ticket, a pre-shared key, or (where it offers TLS 1.2 at most: later
    /// clients send a random id for the sake of old devices) a session id.
    pub fn offers_resumption(&self) -> bool {
        self.client_hello.as_ref().is_some_and(|h| {
            let (m, e) = (&h.message, &h.message.extensions);
            let by_id = !m.session_id.is_empty() && e.supported_versions.is_empty();
            e.psk.is_some() || e.session_ticket.is_some_and(|n| n > 0) || by_id
        })
    }

    /// Bytes of a TLS 1.3 Finished record's body, without padding: 4 + hash + content type + tag.
    pub fn finished_record_len(&self) -> u16 {
        let suite = self.cipher_suite();
        let hash = suite.and_then(|s| s.tls13_hash_len()).unwrap_or(32);
        let tag = suite.and_then(|s| s.aead_tag_len()).unwrap_or(16);
        u16::try_from(hash.saturating_add(5).saturating_add(tag)).unwrap_or(u16::MAX)
    }

    /// Both sides sent what ends their handshake.
    pub fn is_complete(&self) -> bool {
        if self.is_tls13() {
            self.of(Role::Server).protected.is_some() && self.of(Role::Client).finished_sized.is_some()
        } else {
            self.sides.iter().all(|s| s.ccs.is_some() && s.after_ccs.is_some())
        }
    }

    /// Protected handshake records followed the handshake (TLS 1.2 and before): a second one within the connection.
    pub fn is_renegotiated(&self) -> bool {
        let done = self.sides.iter().filter_map(|s| s.after_ccs).map(|m| m.frame).max();
        let later =
            |m: &MessageFact| m.kind == MessageKind::EncryptedHandshake && done.is_some_and(|d| m.mark.frame > d);
        !self.is_tls13() && self.is_complete() && self.messages.iter().any(later)
    }

    /// The furthest point reached.
    pub fn phase(&self) -> Phase {
        let (c, s) = (self.of(Role::Client), self.of(Role::Server));
        if self.is_complete() {
            return Phase::Complete;
        }
        if self.is_tls13() {
            return match () {
                () if c.protected.is_some() => Phase::ClientFlight,
                () if s.protected.is_some() => Phase::ServerFlight,
                () if self.server_hello.is_some() => Phase::ServerHello,
                () => Phase::ClientHello,
            };
        }
        if s.ccs.is_some() && (c.after_ccs.is_some() || self.resumed() == Some(true)) {
            Phase::ServerFinish
        } else if c.ccs.is_some() || self.client_key_exchange.is_some() || c.has_answered() {
            Phase::ClientFlight
        } else if self.server_hello_done.is_some() || s.has_answered() {
            Phase::ServerFlight
        } else if self.server_hello.is_some() {
            Phase::ServerHello
        } else if self.client_hello.is_some() {
            Phase::ClientHello
        } else {
            Phase::TcpConnect
        }
    }

    /// The first fatal alert in clear (by its level or, in TLS 1.3, by its meaning).
    pub fn fatal_alert(&self) -> Option<(Role, AlertDescription, Mark)> {
        self.alerts.iter().find_map(|a| {
            let (level, description) = a.said?;
            let closure = description.is_closure();
            let fatal = !closure && (level == AlertLevel::FATAL || self.is_tls13());
            fatal.then(|| (self.role(a.side), description, a.mark))
        })
    }

    /// In TLS 1.3, without keys: the server refused the client after its flight (an alert by its size, or a silent close).
    pub fn refused_after_client_flight(&self) -> Option<EndedBy> {
        self.inferred.as_ref()?.refusal()
    }

    /// How the handshake went.
    pub fn outcome(&self) -> Outcome {
        if !self.is_tls() {
            return Outcome::Failed;
        }
        let complete = self.is_complete();
        if complete {
            let alert_before_data = self.fatal_alert().is_some_and(|(role, _, mark)| {
                self.of(role.other()).application_data.is_none_or(|d| d.frame >= mark.frame)
                    || self.of(role).application_data.is_none_or(|d| d.frame >= mark.frame)
            });
            if alert_before_data || self.refused_after_client_flight().is_some() {
                return Outcome::Rejected;
            }
            // TLS 1.3 does not show how the server took the client's flight until it goes on: a hole there hides a refusal.
            let went_on = |i: &Inferred| matches!(i.verdict, Some(Verdict::Accepted(_)));
            let hidden =
                !self.of(Role::Server).gaps.is_empty() && self.inferred.as_deref().is_some_and(|i| !went_on(i));
            return if hidden { Outcome::Incomplete } else { Outcome::Established };
        }
        if self.fatal_alert().is_some() {
            return Outcome::Failed;
        }
        // SSL 2.0 protects everything behind its hellos in records that are not read.
        if self.version() == Some(ProtocolVersion::SSL2) {
            return Outcome::Incomplete;
        }
        // A TLS 1.3 server that has sent its whole flight may close its direction; the client may still finish.
        let half = self.cut_by_end
            && self.is_tls13()
            && self.of(Role::Server).protected.is_some()
            && self.fin(Role::Client).or(self.rst(Role::Client)).is_none()
            && self.rst(Role::Server).is_none();
        let blind =
            half || self.blind(Role::Client).or(self.blind(Role::Server)).is_some() || self.client_hello.is_none();
        let ended = self.tcp.fin.iter().chain(&self.tcp.rst).any(Option::is_some);
        if blind || (!ended && !self.gave_up()) { Outcome::Incomplete } else { Outcome::Failed }
    }

    /// The client repeated its hello again and again for a while, and nothing came; then the capture ends.
    pub fn gave_up(&self) -> bool {
        /// Three repetitions take Linux 1.4 s; a cut within them hides how it went on.
        const A_WHILE_US: u64 = 2_000_000;
        let client = self.of(Role::Client);
        self.client_hello.as_ref().is_some_and(|h| self.last.time.us_since(h.mark.time) >= A_WHILE_US)
            && self.server_hello.is_none()
            && self.hello_retry.is_none()
            && self.of(Role::Server).start.is_none()
            && client.retransmitted >= 3
    }

    /// What ended the connection: the first fatal alert, close_notify, FIN or RST.
    pub fn ended_by(&self) -> Option<EndedBy> {
        let fatal = self.fatal_alert().map(|(role, _, mark)| EndedBy { role, how: How::Alert, mark });
        // A refusal counts for more than a goodbye that the client had said before it came.
        if fatal.is_none()
            && let Some(refusal) = self.refused_after_client_flight()
        {
            return Some(refusal);
        }
        let alerts =
            self.alerts.iter().filter_map(|a| {
                let role = self.role(a.side);
                let how =
                    match a.said {
                        Some((_, AlertDescription::CLOSE_NOTIFY)) => How::CloseNotify,
                        // A protected alert that is its sender's last word: close_notify after a finished handshake (nearly always).
                        None if self.of(role).last_record.is_some_and(|(_, _, m)| m == a.mark) => {
                            if self.is_complete() { How::CloseNotify } else { How::Alert }
                        }
                        _ => return None,
                    };
                Some(EndedBy { role, how, mark: a.mark })
            });
        let closes = [Role::Client, Role::Server].into_iter().flat_map(|role| {
            let end = |how, mark: Option<Mark>| mark.map(|mark| EndedBy { role, how, mark });
            [end(How::Fin, self.fin(role)), end(How::Rst, self.rst(role))].into_iter().flatten()
        });
        let all = fatal.into_iter().chain(alerts).chain(closes);
        all.min_by_key(|e| (e.mark.frame, e.how == How::Fin || e.how == How::Rst))
    }

    /// The alerts in clear of a role.
    pub fn alerts_of(&self, role: Role) -> impl Iterator<Item = (AlertLevel, AlertDescription, Mark)> + '_ {
        let side = self.side(role);
        self.alerts
            .iter()
            .filter(move |a| a.side == side && a.basis == Basis::Observed)
            .filter_map(|a| a.said.map(|(l, d)| (l, d, a.mark)))
    }

    /// The client's first message after the ServerHello.
    pub fn client_answer(&self) -> Option<Mark> {
        let hello = self.server_hello.as_ref()?.mark;
        let c = self.of(Role::Client);
        let alert = self.alerts_of(Role::Client).map(|(_, _, m)| m).find(|m| m.frame > hello.frame);
        // A change_cipher_spec of TLS 1.3 is sent for the sake of old devices, at any time.
        let ccs = if self.is_tls13() { None } else { c.ccs };
        let sent = c.certificates.as_ref().map(|x| x.mark);
        [sent, self.client_key_exchange, ccs, c.protected, alert].into_iter().flatten().min_by_key(|m| m.frame)
    }
}
