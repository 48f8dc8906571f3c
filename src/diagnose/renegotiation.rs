//! A second handshake within the connection (TLS 1.2 and older): who wanted it, and what became of it.

use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{Basis, ClientCertificate, FlowFacts, MessageFact, MessageKind};
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::names::{AlertDescription, ContentType};

const WHOLE_NAME: &str = "On the server: require the client certificate for the whole server name instead of one path, so that no second handshake is needed.";

pub(super) const RULES: &[Rule] = &[
    new(
        "renegotiation-client",
        Severity::Info,
        0,
        "A second handshake was begun within the connection",
        page(
            "After both sides had finished, the client sent protected handshake records again (TLS 1.2 and older).",
            "Servers ask for it to get a client certificate for one path only; clients that do it without need cost the server much. TLS 1.3 and HTTP/2 have no renegotiation.",
            "By the type of the records. Who wanted it shows in who sent the first of them.",
            "Require the certificate for the whole server name, and switch renegotiation by clients off (nginx does, Apache: SSLInsecureRenegotiation off, openssl: SSL_OP_NO_RENEGOTIATION).",
            "  openssl s_client -connect HOST:PORT -tls1_2   (then type R)",
            "RFC 5246, section 7.4.1.1; RFC 5746",
        ),
        client,
    ),
    new(
        "renegotiation-server",
        Severity::Info,
        0,
        "The server asked for a second handshake within the connection",
        page(
            "After both sides had finished, the server sent a protected handshake record of its own accord: a HelloRequest, the only message that it may send there.",
            "Mostly to get a client certificate for the path that was asked for (Apache SSLVerifyClient in a Location, IIS \"negotiate client certificate\" off). It costs a handshake more, and clients that do not renegotiate (browsers over HTTP/2, Go, BoringSSL, rustls) fail there.",
            "Certain: by type and order of the records.",
            "Ask for the certificate in the first handshake: nginx ssl_verify_client at server level, Apache SSLVerifyClient outside of Location, IIS: netsh http … clientcertnegotiation=enable.",
            "  openssl s_client -connect HOST:PORT -servername NAME -tls1_2 -msg   (then request the path)",
            "RFC 5246, section 7.4.1.1",
        ),
        server,
    ),
    new(
        "renegotiation-refused",
        Severity::Warning,
        0,
        "A peer refused to renegotiate",
        page(
            "The alert no_renegotiation, or a protected alert as the client's answer to a HelloRequest.",
            "One side asked for a new handshake within the connection, mostly a server that wants a client certificate for one path only; the other does not do that (browsers, HTTP/2, Go).",
            "Certain where the alert was read; likely where it is encrypted and answers a HelloRequest.",
            "Require the certificate for the whole server name (nginx ssl_verify_client at server level, Apache SSLVerifyClient outside of Location).",
            "  openssl s_client -connect HOST:PORT -servername NAME -msg </dev/null",
            "RFC 5246, section 7.2.2; RFC 8740",
        ),
        refused,
    ),
    new(
        "insecure-renegotiation",
        Severity::Warning,
        0,
        "A second handshake was begun, and it is not bound to the first",
        page(
            "The connection was renegotiated although the ServerHello has no renegotiation_info.",
            "An attacker in between can put his own request before the client's and let the server take both for one (CVE-2009-3555); what he sends counts as said by the client, its certificate included.",
            "Certain: the extension would stand in the ServerHello, which was read.",
            "Update the side that does not know RFC 5746, or switch renegotiation off: Apache SSLInsecureRenegotiation off, openssl without -legacy_renegotiation, Java sun.security.ssl.allowUnsafeRenegotiation=false.",
            "  openssl s_client -connect HOST:PORT -tls1_2 </dev/null   (\"Secure Renegotiation IS NOT supported\")",
            "RFC 5746; CVE-2009-3555",
        ),
        insecure,
    ),
    new(
        "client-cert-missing-then-renegotiation",
        Severity::Warning,
        0,
        "The server asked for a second handshake, probably for a client certificate, and the connection ended there",
        page(
            "In the first handshake no client certificate was asked for. After the client's request the server sent a HelloRequest, and it gave no answer to the request any more.",
            "Servers renegotiate to get a certificate for one path (Apache SSLVerifyClient in a Location, IIS). The client refused to renegotiate, or has no certificate for it: the browser shows 403 or a broken connection.",
            "Likely: what the second handshake asked for is encrypted.",
            "Ask for the certificate in the first handshake (nginx: ssl_verify_client at server level; Apache: SSLVerifyClient outside of Location; IIS: clientcertnegotiation=enable), or use TLS 1.3 with post-handshake authentication on both sides. On the client: configure certificate and key.",
            "  curl -v --tls-max 1.2 --http1.1 --cert client.pem --key client.key https://NAME/PATH",
            "RFC 5246, sections 7.4.1.1 and 7.4.4; RFC 8446, section 4.6.2",
        ),
        for_a_certificate,
    ),
];

/// Handshake records of a role after both sides had finished.
fn again(f: &FlowFacts, role: Role) -> Option<&MessageFact> {
    if f.is_tls13() || !f.is_complete() {
        return None;
    }
    let done = f.sides.iter().filter_map(|s| s.after_ccs).map(|m| m.frame).max()?;
    let side = f.side(role);
    f.messages.iter().find(|m| m.side == side && m.kind == MessageKind::EncryptedHandshake && m.mark.frame > done)
}

/// The server's HelloRequest: its first handshake record after the handshake, before any of the client's.
fn hello_request(f: &FlowFacts) -> Option<Mark> {
    let whole = f.sides.iter().all(|s| s.gaps.is_empty());
    let asked = again(f, Role::Server).filter(|_| whole)?;
    again(f, Role::Client).is_none_or(|c| c.mark.frame > asked.mark.frame).then_some(asked.mark)
}

fn client(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let again = again(f, Role::Client)?;
    let why = match hello_request(f) {
        Some(m) => format!("; the server had asked for it in frame {}", m.frame),
        None => String::new(),
    };
    let detail = format!(
        "Both sides had finished; in frame {} the client sends handshake records again{why}.",
        again.mark.frame
    );
    let remedy = "If it is for a client certificate, require that for the whole server name instead.";
    Some(Hit::new(detail, remedy).at(again.mark).blame(Blame::Nobody))
}

fn server(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let asked = hello_request(f)?;
    let detail = format!(
        "Both sides had finished; in frame {} the server sends a protected handshake record, before any of the client's: a HelloRequest.",
        asked.frame
    );
    Some(Hit::new(detail, WHOLE_NAME).at(asked).blame(Role::Server))
}

fn refused(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if let Some(a) = f.alerts.iter().find(|a| a.said.is_some_and(|(_, d)| d == AlertDescription::NO_RENEGOTIATION)) {
        let detail = words::alert_sentence(f.role(a.side), AlertDescription::NO_RENEGOTIATION, a.mark);
        return Some(Hit::new(detail, WHOLE_NAME).at(a.mark).blame(Blame::Either));
    }
    let asked = hello_request(f)?;
    let side = f.side(Role::Client);
    let answer =
        f.alerts.iter().find(|a| a.side == side && a.basis == Basis::Inferred && a.mark.frame > asked.frame)?;
    if again(f, Role::Client).is_some() {
        return None;
    }
    let detail = format!(
        "The server asked for a second handshake in frame {}; the client answered with an alert in frame {}, which is encrypted.",
        asked.frame, answer.mark.frame
    );
    Some(Hit::new(detail, WHOLE_NAME).at(asked).at(answer.mark).likely().blame(Blame::Either))
}

fn insecure(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let again = again(f, Role::Client)?;
    let hello = f.server_hello.as_ref().filter(|h| h.message.extensions.renegotiation_info.is_none())?;
    let detail = format!(
        "The ServerHello in frame {} has no renegotiation_info; in frame {} the client begins another handshake.",
        hello.mark.frame, again.mark.frame
    );
    let remedy = "Update the side that does not know RFC 5746, or switch renegotiation off.";
    Some(Hit::new(detail, remedy).at(hello.mark).at(again.mark))
}

fn for_a_certificate(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let asked = hello_request(f)?;
    let auth = f.client_auth(f.outcome());
    let data = f.of(Role::Client).application_data.filter(|d| d.frame < asked.frame)?;
    let ended = f.ended_by().filter(|e| e.mark.frame > asked.frame)?;
    let server = f.side(Role::Server);
    let answered = f
        .shapes
        .iter()
        .any(|s| s.side == server && s.content_type == ContentType::APPLICATION_DATA && s.mark.frame > data.frame);
    if auth.certificate != ClientCertificate::NotAsked || !f.every_shape_is_known() || answered {
        return None;
    }
    let detail = format!(
        "The client's request came in frame {}; in frame {} the server asked for a second handshake, and the connection ended in frame {} without an answer. In the first handshake no certificate was asked for.",
        data.frame, asked.frame, ended.mark.frame
    );
    Some(Hit::new(detail, WHOLE_NAME).at(data).at(asked).at(ended.mark).likely().blame(Blame::Either))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, established, fin, find, hello, leaf, mark, server_flight, step};
    use super::*;
    use crate::facts::{AlertFact, Shape};
    use crate::span::Side;
    use crate::tls::Start;
    use crate::tls::names::HandshakeType;

    /// An established flow and a protected handshake record of a side in a frame.
    fn renegotiated(by: &[(Side, u64)]) -> FlowFacts {
        let mut f = established(server_flight(vec![leaf()]));
        f.sides[Side::B].application_data = None;
        for (side, frame) in by {
            step(&mut f, *side, HandshakeType::FINISHED, *frame);
            f.messages.last_mut().expect("there").kind = MessageKind::EncryptedHandshake;
        }
        f
    }

    #[test]
    fn who_wanted_it() {
        let told = |by: &[(Side, u64)], code| find(&renegotiated(by), code).is_some();
        assert!(told(&[(Side::A, 14)], "renegotiation-client") && !told(&[(Side::A, 14)], "renegotiation-server"));
        let asked = [(Side::B, 14), (Side::A, 15)];
        assert!(told(&asked, "renegotiation-client") && told(&asked, "renegotiation-server"));
        assert!(!told(&[(Side::A, 14), (Side::B, 15)], "renegotiation-server"));
        assert!(!told(&[(Side::A, 10), (Side::B, 10)], "renegotiation-client"), "the handshake's own");
    }

    #[test]
    fn without_the_extension_it_is_insecure() {
        let mut f = renegotiated(&[(Side::A, 14)]);
        assert!(find(&f, "insecure-renegotiation").is_none());
        f.server_hello.as_mut().expect("there").message.extensions.renegotiation_info = None;
        assert!(find(&f, "insecure-renegotiation").is_some());
    }

    #[test]
    fn refused_in_clear_and_protected() {
        assert!(find(&alert(server_flight(vec![leaf()]), Side::A, 100), "renegotiation-refused").is_some());
        assert!(find(&alert(server_flight(vec![leaf()]), Side::A, 42), "renegotiation-refused").is_none());
        let mut f = hello();
        f.sides[Side::B].start = Some((Start::Tls, mark(6)));
        assert!(find(&f, "renegotiation-refused").is_none());
        let mut f = renegotiated(&[(Side::B, 14)]);
        assert!(find(&f, "renegotiation-refused").is_none());
        f.alerts.push(AlertFact { mark: mark(15), side: Side::A, said: None, basis: Basis::Inferred });
        assert!(find(&f, "renegotiation-refused").is_some());
    }

    #[test]
    fn a_request_that_a_second_handshake_ends() {
        let code = "client-cert-missing-then-renegotiation";
        let mut f = fin(renegotiated(&[(Side::B, 14)]), Side::B);
        f.tcp.fin[Side::B] = Some(mark(16));
        f.sides[Side::A].encrypted.records = 1;
        assert!(find(&f, code).is_none(), "a record is not known");
        let data = Shape { mark: mark(12), side: Side::A, content_type: ContentType::APPLICATION_DATA, len: 60 };
        f.shapes.push(data);
        assert!(find(&f, code).is_some());
        f.sides[Side::B].encrypted.records = 1;
        f.shapes.push(Shape { mark: mark(15), side: Side::B, ..data });
        assert!(find(&f, code).is_none(), "the server answered");
    }
}
