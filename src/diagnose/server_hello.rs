//! What the server chose, against what the client had offered.

use super::refusal::{Stage, refusal, stage};
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::flow::Mark;
use crate::span::Role;
use crate::text;
use crate::tls::names::{CipherSuite, NamedGroup, ProtocolVersion};

const TRACE: &str = "  openssl s_client -connect HOST:PORT -servername NAME -trace </dev/null";

pub(super) const RULES: &[Rule] = &[
    new(
        "selected-version-not-offered",
        Severity::Error,
        48,
        "The server chose a version that the client did not offer",
        page(
            "The version in the ServerHello is not among those of the ClientHello.",
            "A broken server, or a device in between that answers in its place. The client must refuse.",
            "Certain: both hellos were read in clear.",
            "Update the server's TLS library; look for a device between.",
            TRACE,
            "RFC 8446, sections 4.1.3 and 4.2.1",
        ),
        version,
    ),
    new(
        "selected-cipher-not-offered",
        Severity::Error,
        48,
        "The server chose a cipher suite that the client did not offer",
        page(
            "The cipher suite in the ServerHello is not among those of the ClientHello.",
            "A broken server, or a device in between that answers in its place. The client must refuse with illegal_parameter.",
            "Certain: both hellos were read in clear.",
            "Update the server's TLS library; look for a device between.",
            TRACE,
            "RFC 8446, section 4.1.3; RFC 5246, section 7.4.1.3",
        ),
        cipher,
    ),
    new(
        "selected-group-not-offered",
        Severity::Error,
        48,
        "The server chose a group that the client did not offer",
        page(
            "The group of the server's key share, or of its HelloRetryRequest is not among the client's supported_groups.",
            "A broken server. The client must refuse with illegal_parameter.",
            "Certain: both hellos were read in clear.",
            "Update the server's TLS library.",
            TRACE,
            "RFC 8446, sections 4.1.4 and 4.2.8",
        ),
        group,
    ),
    new(
        "session-id-echo-mismatch",
        Severity::Error,
        48,
        "The server does not give the client's session id back",
        page(
            "A ServerHello or HelloRetryRequest of TLS 1.3 must repeat the session id of the ClientHello; this one has another.",
            "A broken server, or a device that changes one of the hellos. The client must refuse with illegal_parameter.",
            "Certain: both hellos were read in clear.",
            "Update the server's TLS library; look for a device between.",
            TRACE,
            "RFC 8446, sections 4.1.3 and D.4",
        ),
        session_id,
    ),
    new(
        "compression-negotiated",
        Severity::Error,
        0,
        "TLS compression was negotiated",
        page(
            "The ServerHello chose a compression method.",
            "Compression before encryption gives secrets such as cookies away (CRIME).",
            "Read in clear.",
            "Switch it off on the server: nginx does so by itself since 1.3.2, Apache: SSLCompression off, OpenSSL: SSL_OP_NO_COMPRESSION.",
            "  openssl s_client -connect HOST:PORT </dev/null | grep Compression",
            "RFC 9325, section 3.3",
        ),
        compression,
    ),
];

/// A broken choice of the server: the cause when the client refused, a warning when it did not mind.
pub(super) fn broken(f: &FlowFacts, mark: Mark, detail: String) -> Hit {
    let refused = refusal(f)
        .filter(|r| r.role == Role::Client && r.alert.is_none_or(|a| matches!(a.0, 10 | 40 | 47 | 70 | 71 | 80 | 110)));
    let hit = Hit::new(
        detail,
        "On the server: update its TLS library. If the server is right, look for a device that answers in its place.",
    )
    .at_any(f.client_hello.as_ref().map(|h| h.mark))
    .at(mark)
    .blame(Blame::Server);
    // A client that went on had accepted it.
    match refused.filter(|_| stage(f) <= Stage::CertFlight) {
        Some(r) => {
            let hit = hit.at(r.mark);
            match r.alert.map(|a| a.0) {
                // illegal_parameter, protocol_version and unsupported_extension say just that.
                Some(47 | 70 | 110) => hit,
                Some(_) => hit.likely(),
                None => hit.possible(),
            }
        }
        None => hit.severity(Severity::Warning).beside(),
    }
}

fn version(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, sh) = (f.client_hello.as_ref()?, f.server_hello.as_ref()?);
    let v = f.version()?;
    let offered = &h.message.extensions.supported_versions;
    // Drafts and their variants were mixed for years; numbers that have no rank are not judged.
    let (rank, max) = (v.rank()?, f.highest_offered()?.rank()?);
    let wrong = if offered.is_empty() {
        rank > max
    } else {
        !offered.contains(&v.0) && rank >= 2 && !v.draft().is_some_and(|_| true)
    };
    if !wrong {
        return None;
    }
    let detail =
        format!("The client offered {}, the server chose {}.", words::offered_versions(&h.message), words::version(v));
    Some(broken(f, sh.mark, detail))
}

fn cipher(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (h, sh) = (f.client_hello.as_ref()?, f.server_hello.as_ref().or(f.hello_retry.as_ref())?);
    let s = sh.message.cipher_suite;
    if h.message.cipher_suites.contains(&s)
        || h.message.ssl2_format
        || sh.message.ssl2_format
        || h.message.cipher_suites.is_empty()
    {
        return None;
    }
    let detail = format!(
        "The server chose {}; the client offered {}.",
        words::suite(CipherSuite(s)),
        words::suites(&h.message.cipher_suites)
    );
    Some(broken(f, sh.mark, detail))
}

fn session_id(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let h = f.client_hello.as_ref().filter(|h| !h.message.ssl2_format)?;
    let sh = f.server_hello.as_ref().or(f.hello_retry.as_ref())?;
    let (sent, back) = (&h.message.session_id, &sh.message.session_id);
    // Drafts before 22 have no such field.
    if sh.message.version() != ProtocolVersion::TLS13 || sent == back {
        return None;
    }
    let shown = |id: &[u8]| if id.is_empty() { "an empty one".to_owned() } else { text::hex(id) };
    let detail = format!("The client sent the session id {}, the server {}.", shown(sent), shown(back));
    Some(broken(f, sh.mark, detail))
}

fn group(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let h = f.client_hello.as_ref()?;
    let offered = &h.message.extensions.groups;
    if offered.is_empty() {
        return None;
    }
    let from_hello = |p: &crate::facts::Placed<crate::tls::handshake::ServerHello>| {
        p.message.extensions.key_shares.first().map(|g| (NamedGroup(*g), p.mark))
    };
    let chosen =
        f.server_hello.as_deref().and_then(from_hello).or_else(|| f.hello_retry.as_deref().and_then(from_hello))?;
    if offered.contains(&chosen.0.0) {
        return None;
    }
    let name = chosen.0.name().map_or_else(|| chosen.0.id(), str::to_owned);
    let detail = format!("The server chose {name}; the client offered {}.", words::groups(offered));
    Some(broken(f, chosen.1, detail))
}

fn compression(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let sh = f.server_hello.as_ref()?;
    let m = sh.message.compression_method;
    if m == 0 || sh.message.ssl2_format {
        return None;
    }
    let name = if m == 1 { "DEFLATE".to_owned() } else { format!("method {m}") };
    Some(
        Hit::new(
            format!("The ServerHello chose compression: {name}."),
            "On the server: switch TLS compression off (SSL_OP_NO_COMPRESSION; Apache: SSLCompression off).",
        )
        .at(sh.mark)
        .blame(Blame::Server)
        .severity(Severity::Warning),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, established, find, leaf, server_flight, server_hello, told, with};
    use crate::span::Side;

    #[test]
    fn choices_that_were_not_offered() {
        for (f, code) in [
            (with(0x0303, |_, s| s.cipher_suite = 0x002f), "selected-cipher-not-offered"),
            (with(0x0304, |c, _| c.session_id = vec![7; 32]), "session-id-echo-mismatch"),
            (with(0x0304, |_, s| s.extensions.key_shares = vec![0x0018]), "selected-group-not-offered"),
            (with(0x0303, |c, _| c.extensions.supported_versions = vec![0x0304]), "selected-version-not-offered"),
        ] {
            assert_eq!(told(&alert(f.clone(), Side::A, 47)).cause, Some(code));
            assert!(find(&established(f), code).is_some_and(|x| !x.explains_failure));
            assert!(find(&server_hello(0x0304), code).is_none());
        }
    }

    #[test]
    fn compression() {
        let f = with(0x0303, |_, s| s.compression_method = 1);
        assert!(find(&f, "compression-negotiated").is_some());
        assert!(find(&established(server_flight(vec![leaf()])), "compression-negotiated").is_none());
    }
}
