//! What things are: one line for the status line, a page for the popup.

use crate::diagnose::{self, Blame, Finding};
use crate::facts::{MessageKind, Outcome};
use crate::reader::Topic;
use crate::tls::names::{
    AlertDescription, CipherSuite, ContentType, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion,
    SignatureScheme,
};

use super::row::{Row, RowFinding};
use crate::ladder::{Arrow, Stroke, What};

/// A heading and its text; text that begins with a space is a command and is not wrapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) title: String,
    pub(crate) paragraphs: Vec<(String, String)>,
}

impl Text {
    fn one(title: String, text: String) -> Self {
        Self { title, paragraphs: vec![(String::new(), text)] }
    }

    /// All of it, to be copied.
    pub(crate) fn whole(&self) -> String {
        let all: Vec<String> = self.paragraphs.iter().map(|(h, t)| format!("{h}\n{t}")).collect();
        format!("{}\n{}", self.title, all.join("\n"))
    }

    /// The first sentence, for the status line.
    pub(crate) fn line(&self) -> String {
        let first = self.paragraphs.first().map_or("", |(_, t)| t.as_str());
        if first.is_empty() { self.title.clone() } else { format!("{}: {first}", self.title) }
    }
}

/// A registry entry.
pub(crate) fn topic(t: Topic) -> Text {
    let (kind, name, text) = match t {
        Topic::Message(v) => ("message", HandshakeType(v).to_string(), HandshakeType(v).explain().to_owned()),
        Topic::Alert(v) => ("alert", AlertDescription(v).to_string(), AlertDescription(v).explain().to_owned()),
        Topic::CipherSuite(v) => ("", CipherSuite(v).to_string(), CipherSuite(v).explain()),
        Topic::Extension(v) => ("extension", ExtensionType(v).to_string(), ExtensionType(v).explain().to_owned()),
        Topic::Group(v) => ("group", NamedGroup(v).to_string(), NamedGroup(v).explain().to_owned()),
        Topic::SignatureScheme(v) => {
            ("signature scheme", SignatureScheme(v).to_string(), SignatureScheme(v).explain().to_owned())
        }
        Topic::Version(v) => ("", ProtocolVersion(v).to_string(), ProtocolVersion(v).explain().to_owned()),
    };
    Text::one(if kind.is_empty() { name } else { format!("{kind} {name}") }, text)
}

/// An arrow of the ladder.
pub(crate) fn arrow(a: &Arrow) -> Text {
    let mut text = what(a);
    if let Stroke::Inferred(sure) = a.stroke {
        let known = format!(
            "It is protected and was not read. What it is follows from its place, its size and what came before and after it: \
             {}. With the keys (SSLKEYLOGFILE) Wireshark can read it.",
            sure.name()
        );
        text.paragraphs.push(("How this is known".into(), known));
    }
    text
}

fn what(a: &Arrow) -> Text {
    match &a.what {
        What::Message(MessageKind::Handshake(t), _) => topic(Topic::Message(t.0)),
        What::Message(MessageKind::HelloRetryRequest, _) => topic(Topic::Message(HandshakeType::HELLO_RETRY_REQUEST.0)),
        What::Message(MessageKind::Ssl2ClientHello, _) => topic(Topic::Message(HandshakeType::CLIENT_HELLO.0)),
        What::Message(MessageKind::Ssl2ServerHello, _) => topic(Topic::Message(HandshakeType::SERVER_HELLO.0)),
        What::Message(MessageKind::ChangeCipherSpec, _) => {
            Text::one("ChangeCipherSpec".into(), ContentType::CHANGE_CIPHER_SPEC.explain().into())
        }
        What::Message(MessageKind::Alert(_, Some(d)), _) => topic(Topic::Alert(d.0)),
        What::Message(MessageKind::Alert(_, None), _) => Text::one(
            "encrypted alert".into(),
            "An alert after the keys were agreed on: which one it is cannot be read. After a finished handshake it is \
             nearly always close_notify, the polite end; before that it is a refusal."
                .into(),
        ),
        What::Message(MessageKind::Heartbeat(_), _) => {
            Text::one("heartbeat".into(), ContentType::HEARTBEAT.explain().into())
        }
        What::Message(MessageKind::EncryptedHandshake, _) => Text::one(
            "encrypted handshake message".into(),
            "A handshake message after ChangeCipherSpec: in TLS 1.2 and older this is Finished, the check value over the \
             whole handshake, or a renegotiation later on."
                .into(),
        ),
        What::Records(_) => Text::one(
            a.label.clone(),
            "Protected records. In TLS 1.3 everything after the ServerHello looks like this: certificates, Finished, \
             alerts and data of the application; only sizes and order are visible without keys."
                .into(),
        ),
        What::Ghost(messages) => {
            let mut text = Text::one(
                format!("expected: {}", a.label),
                format!(
                    "The {} should have sent this next. The capture would have shown it, and it did not come before the \
                     connection ended.",
                    a.from
                ),
            );
            text.paragraphs.extend(messages.iter().filter_map(|m| {
                let MessageKind::Handshake(t) = m else { return None };
                Some((crate::ladder::label(*m), t.explain().to_owned()))
            }));
            text
        }
        What::Tcp => {
            let text = match a.label.as_str() {
                l if l.starts_with("SYN, ACK") => "TCP: the server accepts the connection.",
                l if l.starts_with("SYN") => "TCP: asks for a connection. Repeated ones were not answered in time.",
                "FIN" => "TCP: the sender has nothing more to say; the orderly end of its direction.",
                _ => "TCP: the connection is torn down at once, or was never wanted.",
            };
            Text::one(a.label.clone(), text.into())
        }
    }
}

/// Whose side to look at, in words.
pub(crate) const fn look_at(b: Blame) -> &'static str {
    match b {
        Blame::Client => "the client",
        Blame::Server => "the server",
        Blame::Network => "the network between them",
        Blame::Either => "client and server: the wire does not say which",
        Blame::Nobody => "",
    }
}

/// What both kinds of finding have.
struct Parts<'a> {
    code: &'a str,
    title: &'a str,
    confidence: &'static str,
    detail: &'a str,
    remedy: &'a str,
    blame: Blame,
    frames: String,
}

/// A finding with its page.
pub(crate) fn finding(f: &Finding) -> Text {
    page(&Parts {
        code: f.code,
        title: &f.title,
        confidence: f.confidence.name(),
        detail: &f.detail,
        remedy: &f.remedy,
        blame: f.blame,
        frames: join(&f.frames),
    })
}

/// A finding as the list keeps it, with its page.
pub(crate) fn row_finding(f: &RowFinding) -> Text {
    page(&Parts {
        code: f.code,
        title: &f.title,
        confidence: f.confidence.name(),
        detail: &f.detail,
        remedy: &f.remedy,
        blame: f.blame,
        frames: join(&f.frames),
    })
}

/// Numbers of frames as text.
pub(crate) fn join(frames: &[crate::span::FrameNo]) -> String {
    frames.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn page(x: &Parts<'_>) -> Text {
    let mut paragraphs = vec![(String::new(), format!("{} ({}).", x.title.trim_end_matches('.'), x.confidence))];
    let mut add = |heading: &str, text: &str| {
        if !text.is_empty() {
            paragraphs.push((heading.to_owned(), text.to_owned()));
        }
    };
    add("In this flow", x.detail);
    if !x.frames.is_empty() {
        add("Evidence", &format!("frames {}", x.frames));
    }
    add("Look at", look_at(x.blame));
    add("What to change", x.remedy);
    if let Some(rule) = diagnose::rule(x.code) {
        let alert = x.code.strip_prefix("alert-").and_then(|n| AlertDescription::from_name(&n.replace('-', "_")));
        let what = match alert {
            Some(a) => format!("{} {}", a.explain(), rule.page.what),
            None => rule.page.what.to_owned(),
        };
        add("What", what.trim());
        add("Why it matters", rule.page.why);
        add("How sure", rule.page.how_sure);
        add("Fix", rule.page.fix);
        add("How to verify", rule.page.verify);
        add("References", rule.page.references);
    }
    Text { title: x.code.to_owned(), paragraphs }
}

/// A flow without a finding.
pub(crate) fn outcome(r: &Row) -> Text {
    let text = match (r.outcome, r.is_tls) {
        (Outcome::Established, _) if r.resumed => "The handshake resumed an earlier session; nothing wrong was found.",
        (Outcome::Established, _) => "Both sides finished the handshake; nothing wrong was found.",
        (Outcome::Failed, false) => "This connection never came to speak TLS.",
        (Outcome::Failed, true) => "The handshake ended before both sides had finished; no rule explains it.",
        (Outcome::Rejected, _) => "All messages of the handshake were sent, then one side refused the other.",
        (Outcome::Incomplete, _) => "The capture does not show how the handshake went on.",
    };
    let text = if r.note.is_empty() { text.to_owned() } else { format!("{text} {}", r.note) };
    Text::one(r.outcome.name().to_owned(), text)
}
