//! Servers that complete the handshake and refuse the client in their first answer: what such an answer looks like when
//! only its length is seen.

use crate::facts::{FlowFacts, Outcome};
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::names::ContentType;

/// An answer that is given and closed behind within this time was meant to be the last.
const AT_ONCE_US: u64 = 1_000_000;

/// nginx's page "400 No required SSL certificate was sent": bytes of head and body without the server's name, which stands
/// in it twice. Its page "400 The SSL certificate error" is 22 bytes shorter.
const NGINX_NONE_SENT: u64 = 365;
const NGINX_BAD: u64 = NGINX_NONE_SENT - 22;

/// Lengths of the server's name: from `nginx` to `nginx/1.18.0 (Ubuntu)`.
const NGINX_NAMES: std::ops::RangeInclusive<u64> = 5..=24;

/// A first and only answer, short, behind which the server closed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Brief {
    /// The answer.
    pub(super) mark: Mark,
    /// Bytes of it without what protects them, where the suite tells.
    pub(super) content: Option<u64>,
    /// Bytes on the wire.
    pub(super) bytes: u64,
    /// The server's close.
    pub(super) closed: Mark,
}

impl Brief {
    /// As long as nginx's answer to a client that sent no certificate.
    pub(super) fn is_nginx_none_sent(&self) -> bool {
        self.is_nginx(NGINX_NONE_SENT)
    }

    /// As long as nginx's answer to a client whose certificate it refused.
    pub(super) fn is_nginx_bad(&self) -> bool {
        self.is_nginx(NGINX_BAD)
    }

    fn is_nginx(&self, page: u64) -> bool {
        let names = self.content.and_then(|c| c.checked_sub(page));
        names.is_some_and(|n| n.is_multiple_of(2) && NGINX_NAMES.contains(&(n >> 1)))
    }
}

/// The server's only answer was brief, and it closed at once. Servers that leave the close to the client are not judged:
/// then only the length would speak, which is too little.
pub(super) fn brief_answer(f: &FlowFacts) -> Option<Brief> {
    if f.outcome() != Outcome::Established || f.sides.iter().any(|s| !s.gaps.is_empty()) {
        return None;
    }
    let (asked, answered) = (f.of(Role::Client).application_data?, f.of(Role::Server).application_data?);
    let side = f.side(Role::Server);
    let answers = f.shapes.iter().filter(|s| {
        s.side == side
            && s.content_type == ContentType::APPLICATION_DATA
            && s.mark.frame >= answered.frame
            && !f.is_told(s)
    });
    let (mut records, mut bytes) = (0u64, 0u64);
    for s in answers {
        records = records.saturating_add(1);
        bytes = bytes.saturating_add(u64::from(s.len));
    }
    let e = f.ended_by().filter(|e| e.role == Role::Server)?;
    let brief = records <= 2 && (150..=1500).contains(&bytes) && asked.frame < answered.frame;
    let at_once = e.mark.time.us_since(answered.time) <= AT_ONCE_US;
    let around = f.cipher_suite()?.record_overhead(f.is_tls13()).map(|n| n as u64);
    let content = around.and_then(|n| bytes.checked_sub(n.saturating_mul(records)));
    (brief && at_once).then_some(Brief { mark: answered, content, bytes, closed: e.mark })
}
