//! Values of a flow as words for a finding. Everything that leaves here is safe to print.

use std::borrow::Cow;
use std::sync::Arc;

use crate::facts::FlowFacts;
use crate::flow::{Endpoint, Mark};
use crate::span::Role;
use crate::text;
use crate::tls::handshake::ClientHello;
use crate::tls::names::{self, AlertDescription, CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};
use crate::x509::{Certificate, format_time};

/// Entries of a list that are shown before the rest is counted.
const SHOWN: usize = 6;

/// Characters of a distinguished name that are shown.
const NAME_CHARS: usize = 200;

/// `a, b, c … and 4 more`; `none` for an empty list.
pub(super) fn list<S: AsRef<str>>(items: &[S]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    let shown: Vec<&str> = items.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let more = items.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} … and {more} more", shown.join(", ")) }
}

fn named<T>(values: &[u16], name: impl Fn(u16) -> (Option<&'static str>, T)) -> String
where
    T: FnOnce() -> String,
{
    let names: Vec<Cow<'static, str>> = values
        .iter()
        .filter(|v| !names::is_grease(**v))
        .map(|v| {
            let (name, id) = name(*v);
            name.map_or_else(|| Cow::Owned(id()), Cow::Borrowed)
        })
        .collect();
    list(&names)
}

/// Cipher suites by name, without GREASE and signals.
pub(super) fn suites(values: &[u16]) -> String {
    let real: Vec<u16> = values.iter().copied().filter(|v| !CipherSuite(*v).is_signal()).collect();
    named(&real, |v| (CipherSuite(v).name(), move || CipherSuite(v).id()))
}

/// One cipher suite.
pub(super) fn suite(s: CipherSuite) -> String {
    s.name().map_or_else(|| s.id(), str::to_owned)
}

/// Groups by name.
pub(super) fn groups(values: &[u16]) -> String {
    named(values, |v| (NamedGroup(v).name(), move || NamedGroup(v).id()))
}

/// Signature schemes by name.
pub(super) fn schemes(values: &[u16]) -> String {
    named(values, |v| (SignatureScheme(v).name(), move || SignatureScheme(v).id()))
}

/// A version by name.
pub(super) fn version(v: ProtocolVersion) -> String {
    v.name().map_or_else(|| v.id(), str::to_owned)
}

/// What a ClientHello offers: `TLS 1.3, TLS 1.2`, or `at most TLS 1.2` where it names its highest only.
pub(super) fn offered_versions(h: &ClientHello) -> String {
    if h.extensions.supported_versions.iter().any(|v| !names::is_grease(*v)) {
        let all: Vec<String> = h
            .extensions
            .supported_versions
            .iter()
            .filter(|v| !names::is_grease(**v))
            .map(|v| version(ProtocolVersion(*v)))
            .collect();
        list(&all)
    } else {
        format!("at most {}", version(ProtocolVersion(h.legacy_version)))
    }
}

/// Application protocols, quoted.
pub(super) fn alpn(values: &[Box<[u8]>]) -> String {
    let all: Vec<String> = values.iter().map(|p| format!("\"{}\"", text::escape_bytes(p))).collect();
    list(&all)
}

/// An alert: `handshake_failure (40)`.
pub(super) fn alert(d: AlertDescription) -> String {
    format!("{} ({})", d.name().unwrap_or("unknown"), d.0)
}

/// How OpenSSL's reason string reads at the peer that receives the alert, from its list of reasons (`sslerr.h`).
pub(super) fn openssl_words(d: AlertDescription) -> Option<&'static str> {
    Some(match d.0 {
        10 => "sslv3 alert unexpected message",
        20 => "sslv3 alert bad record mac",
        21 => "tlsv1 alert decryption failed",
        22 => "tlsv1 alert record overflow",
        30 => "sslv3 alert decompression failure",
        40 => "sslv3 alert handshake failure",
        41 => "sslv3 alert no certificate",
        42 => "sslv3 alert bad certificate",
        43 => "sslv3 alert unsupported certificate",
        44 => "sslv3 alert certificate revoked",
        45 => "sslv3 alert certificate expired",
        46 => "sslv3 alert certificate unknown",
        47 => "sslv3 alert illegal parameter",
        48 => "tlsv1 alert unknown ca",
        49 => "tlsv1 alert access denied",
        50 => "tlsv1 alert decode error",
        51 => "tlsv1 alert decrypt error",
        60 => "tlsv1 alert export restriction",
        70 => "tlsv1 alert protocol version",
        71 => "tlsv1 alert insufficient security",
        80 => "tlsv1 alert internal error",
        86 => "tlsv1 alert inappropriate fallback",
        90 => "tlsv1 alert user cancelled",
        100 => "tlsv1 alert no renegotiation",
        109 => "tlsv13 alert missing extension",
        110 => "tlsv1 unsupported extension",
        111 => "tlsv1 certificate unobtainable",
        112 => "tlsv1 unrecognized name",
        113 => "tlsv1 bad certificate status response",
        114 => "tlsv1 bad certificate hash value",
        116 => "tlsv13 alert certificate required",
        120 => "tlsv1 alert no application protocol",
        _ => return None,
    })
}

/// `In frame 9 the server sent the alert unknown_ca (48), which OpenSSL on the client's side reports as "…".`
pub(super) fn alert_sentence(role: Role, d: AlertDescription, mark: Mark) -> String {
    let peer = role.other();
    let users = if peer == Role::Client { "curl, Python, Node.js …" } else { "nginx, Apache, Node.js …" };
    let words = openssl_words(d)
        .map_or_else(String::new, |w| format!(", which an OpenSSL {peer} ({users}) reports as \"{w}\""));
    format!("In frame {} the {role} sent the alert {}{words}.", mark.frame, alert(d))
}

/// Address and port.
pub(super) fn end(e: Endpoint) -> String {
    if e.ip.is_ipv6() { format!("[{}]:{}", e.ip, e.port) } else { format!("{}:{}", e.ip, e.port) }
}

/// A certificate: subject and issuer.
pub(super) fn cert(c: &Certificate) -> String {
    if c.subject == c.issuer {
        format!("\"{}\" (issued by itself)", name(&c.subject))
    } else {
        format!("\"{}\" (issued by \"{}\")", name(&c.subject), name(&c.issuer))
    }
}

/// Some certificates of a list.
pub(super) fn certs(all: &[Arc<Certificate>], which: &[usize]) -> String {
    let names: Vec<String> = which.iter().filter_map(|i| all.get(*i)).map(|c| cert(c)).collect();
    list(&names)
}

/// A distinguished name, cut when it is endless, or a word for an empty one.
pub(super) fn name(dn: &str) -> Cow<'_, str> {
    if dn.is_empty() {
        return Cow::Borrowed("(empty name)");
    }
    match dn.char_indices().nth(NAME_CHARS) {
        Some((at, _)) => Cow::Owned(format!("{} …", dn.get(..at).unwrap_or(dn))),
        None => Cow::Borrowed(dn),
    }
}

/// The alternative names of a certificate.
pub(super) fn sans(c: &Certificate) -> String {
    let all: Vec<String> = c.subject_alt_names.iter().map(ToString::to_string).collect();
    list(&all)
}

/// A point in time, to the second.
pub(super) fn date(secs: i64) -> String {
    format_time(secs)
}

/// By which time the flow's certificates are judged.
pub(super) fn when(f: &FlowFacts) -> String {
    match f.judge_at {
        Some(at) => format!("judged at {} (--at)", format_time(at.secs())),
        None => format!("the connection is of {}", format_time(f.first.time.secs())),
    }
}

/// The name the client asked for, quoted; `None` when it named none.
pub(super) fn server_name(f: &FlowFacts) -> Option<String> {
    f.server_name().map(|n| format!("\"{}\"", text::escape_bytes(n)))
}

pub(super) use crate::layout::duration;
pub(super) use crate::text::count;

/// Some bytes as text where they are text, else as hexadecimal.
pub(super) fn bytes(b: &[u8]) -> String {
    let head = b.get(..b.len().min(24)).unwrap_or(b);
    let more = if head.len() < b.len() { " …" } else { "" };
    if head.iter().all(|c| matches!(c, 9 | 10 | 13 | 0x20..=0x7e)) {
        format!("\"{}\"{more}", text::escape_bytes(head))
    } else {
        format!("{}{more}", text::hex(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_counted() {
        assert_eq!(list::<&str>(&[]), "none");
        assert_eq!(list(&["a", "b"]), "a, b");
        assert_eq!(list(&["a", "b", "c", "d", "e", "f", "g", "h"]), "a, b, c, d, e, f … and 2 more");
    }

    #[test]
    fn signals_and_grease_are_no_suites() {
        assert_eq!(suites(&[0x1a1a, 0x1301, 0x00ff, 0x5600]), "TLS_AES_128_GCM_SHA256");
    }

    #[test]
    fn bytes_are_text_or_hexadecimal() {
        assert_eq!(bytes(b"GET /\r\n"), "\"GET /\\u{d}\\u{a}\"");
        assert_eq!(bytes(&[22, 3, 1]), "160301");
        assert_eq!(bytes(&[0x41; 30]), format!("\"{}\" …", "A".repeat(24)));
    }
}
