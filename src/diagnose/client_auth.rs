//! Client authentication: what was asked, what was answered, who gave up.

use super::over_http::brief_answer;
use super::refusal::{Stage, at_once, how_it_ended, of_client, of_server, refusal, stage, sure_of_refusal};
use super::server_cert;
use super::{Blame, Confidence, Hit, Policy, Rule, Severity, guide, new, page, words};
use crate::facts::{Answer, CertificateRequestFact, ClientCertificate, FlowFacts, How, Outcome, Verdict};
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::names::{AlertDescription, ProtocolVersion};
use crate::x509::{NameMatch, Validity, match_name};

const PROBE: &str = "  openssl s_client -connect HOST:PORT -servername NAME -cert client.pem -key client.key </dev/null\n  (\"Acceptable client certificate CA names\" lists what the server takes)";

pub(super) const RULES: &[Rule] = &[
    new(
        "client-cert-requested",
        Severity::Info,
        0,
        "The server asks for a client certificate",
        page(
            "The server sent a CertificateRequest: this connection can be mutual TLS.",
            "Whether a certificate is required, the request does not say; it shows in what the server does when none comes.",
            "Read in clear. In TLS 1.3 the request is encrypted: certain when the client's flight answers it, likely when only the number of the server's records speaks for it.",
            "Nothing to mend. Give the client a certificate of one of the acceptable CAs if the server insists.",
            PROBE,
            "RFC 5246, section 7.4.4; RFC 8446, section 4.3.2",
        ),
        requested,
    ),
    guide(
        5,
        new(
            "client-cert-missing",
            Severity::Error,
            70,
            "The server required a client certificate and the client sent none",
            page(
                "The server asked for a certificate, the client answered with an empty Certificate message, and the server ended the handshake.",
                "No certificate is configured in the client, its key cannot be read, or the client left it out because its issuer is not among the CAs that the server accepts (Java does so without a word). Servers say \"peer did not return a certificate\" (OpenSSL), \"client didn't provide a certificate\" (Go), \"certificate_required\" (TLS 1.3).",
                "Certain when the empty message was read in clear and the server answered with an alert. In TLS 1.3 both are encrypted: that the message was empty follows from the sizes of the client's records; that the server refused it follows from a record of an alert's size and the close (likely), or from a silent close (possible). Wireshark with a key log would show the words.",
                "On the client, configure certificate and key:\n  curl --cert client.pem --key client.key …\n  openssl s_client -cert client.pem -key client.key -cert_chain intermediates.pem\n  Java: -Djavax.net.ssl.keyStore=client.p12 -Djavax.net.ssl.keyStorePassword=…\n  nginx as a client: proxy_ssl_certificate, proxy_ssl_certificate_key\nIf one is configured, compare its issuer with the CAs that the server lists.",
                PROBE,
                "RFC 5246, section 7.4.6; RFC 8446, sections 4.4.2 and 6.2",
            ),
            missing,
        ),
    ),
    new(
        "client-cert-missing-tolerated",
        Severity::Info,
        0,
        "The client sent no certificate and the server went on without",
        page(
            "The server asked for a certificate, the client sent an empty Certificate message, and the handshake was completed.",
            "The server's setting is \"optional\" (nginx ssl_verify_client optional, openssl s_server -verify): the client is not authenticated by TLS, and the application may still refuse it.",
            "Read in clear; in TLS 1.3 by the sizes of the client's records and by what the server sent then.",
            "If clients must be authenticated, require it: nginx ssl_verify_client on, Apache SSLVerifyClient require, openssl s_server -Verify, Envoy require_client_certificate: true.",
            PROBE,
            "RFC 5246, section 7.4.6",
        ),
        tolerated,
    ),
    guide(
        5,
        new(
            "client-cert-missing-http-400",
            Severity::Warning,
            65,
            "The client sent no certificate; the server may have refused it over HTTP",
            page(
                "The client sent an empty Certificate message, the handshake was completed, and the server answered the first request briefly and closed the connection itself.",
                "nginx with ssl_verify_client on, IIS and others complete the handshake and refuse then: \"400 No required SSL certificate was sent\" (nginx), 403.7 (IIS).",
                "Likely when the answer has the length of nginx's page, else possible: the answer is encrypted, only its length and the close are seen. A short good answer looks the same.",
                "On the client, configure certificate and key (curl --cert client.pem --key client.key). The status code is in the client's or the server's log.",
                "  curl -v --cert client.pem --key client.key https://NAME/",
                "RFC 5246, section 7.4.6; nginx, ngx_http_ssl_module",
            ),
            http_400,
        ),
    ),
    guide(
        4,
        new(
            "client-aborts-no-usable-cert",
            Severity::Error,
            45,
            "The client gave up when the server asked for a client certificate",
            page(
                "The server asked for a certificate; the client ended the handshake instead of answering, and nothing is wrong with the server's own certificate as far as can be seen.",
                "Strict clients end the handshake when they find no usable certificate instead of sending none: the key store is empty or locked, the key unreadable, no alias fits the CAs or signature algorithms that the server lists, a token asks for a PIN.",
                "Likely: the client did not say that this was its reason. What it says itself is in its log.",
                "On the client: check that key store and password open (keytool -list -keystore client.p12), that certificate and key belong together (openssl x509 -noout -pubkey, openssl pkey -pubout), and that its issuer is among the CAs that the server lists. On the server: list the CA that issued the client's certificate.",
                PROBE,
                "RFC 5246, sections 7.4.4 and 7.4.6",
            ),
            aborts,
        ),
    ),
    new(
        "post-handshake-auth-requested",
        Severity::Info,
        0,
        "The server asked for a client certificate after the handshake",
        page(
            "Within the established connection the server sent a CertificateRequest and the client answered it (post-handshake authentication).",
            "Servers that want a certificate for one path only ask so (Apache SSLVerifyClient in a Location, IIS). Many clients do not offer it, and HTTP/2 forbids it: they then fail with an error of the application.",
            "Likely: by the sizes of the records, which repeat the request's context of 32 bytes; the client had offered the extension.",
            "To be independent of it, ask for the certificate in the handshake: nginx ssl_verify_client at server level, Apache SSLVerifyClient outside of Location.",
            "  openssl s_client -connect HOST:PORT -servername NAME -enable_pha -cert client.pem -key client.key -msg",
            "RFC 8446, sections 4.2.6 and 4.6.2; RFC 8740",
        ),
        after_handshake,
    ),
    new(
        "post-handshake-auth-impossible",
        Severity::Info,
        0,
        "The server asks others for a certificate after the handshake; this client cannot be asked",
        page(
            "In an earlier connection for the same name the server asked for a client certificate after the handshake. The ClientHello of this one, under TLS 1.3, has no post_handshake_auth, so that the server must not ask.",
            "Where the server wants a certificate for one path only (Apache SSLVerifyClient in a Location, IIS), such a client gets an error of the application there: Apache answers 403 and logs \"Cannot perform Post-Handshake Authentication\". HTTP/2 forbids it, browsers, Java and Go do not offer it (Firefox when it is told to), curl with OpenSSL does.",
            "Possible: that the client cannot be asked is read in clear; that the server asked in the other connection is concluded from the sizes of records, and whether this client went to such a path is encrypted.",
            "Ask for the certificate in the handshake (Apache: SSLVerifyClient at virtual host level; nginx does so always), give the path a host name of its own, or let this server speak TLS 1.2, where renegotiation serves the purpose.",
            "  openssl s_client -connect HOST:PORT -servername NAME -tls1_3 -enable_pha -cert client.pem -key client.key   (and without -enable_pha)",
            "RFC 8446, sections 4.2.6 and 4.6.2; RFC 8740",
        ),
        cannot_be_asked,
    ),
    new(
        "client-thinks-connected",
        Severity::Info,
        0,
        "The client believed to be connected when the server refused it",
        page(
            "In TLS 1.3 a client is finished before the server has judged its certificate; this one had sent data by then.",
            "The error appears at the first read after connecting, not while connecting: logs then blame the request or the server (\"connection reset\", \"unexpected EOF\", curl 56 instead of 35).",
            "As sure as the refusal itself.",
            "Nothing to mend here; the refusal has a finding of its own. Let monitoring count errors of the first read as failed handshakes.",
            "  curl -v --cert client.pem --key client.key https://NAME/",
            "RFC 8446, section 4.4.2.4 and appendix E.1.2",
        ),
        believed_connected,
    ),
    new(
        "ca-list-empty",
        Severity::Info,
        0,
        "The server asks for a client certificate and does not say from which CA",
        page(
            "The list of acceptable CAs in the CertificateRequest is empty.",
            "That is allowed, and clients that have several certificates must guess: they may send the wrong one or ask the user.",
            "Read in clear.",
            "Set the list: nginx ssl_client_certificate, Apache SSLCACertificateFile, openssl s_server -CAfile, HAProxy ca-file.",
            PROBE,
            "RFC 5246, section 7.4.4",
        ),
        list_empty,
    ),
    new(
        "certificate-verify-missing",
        Severity::Error,
        41,
        "The client sent a certificate and did not prove that it has its key",
        page(
            "A client certificate that can sign was sent, and the client's flight went on to its ChangeCipherSpec without CertificateVerify.",
            "A server must refuse that with unexpected_message or handshake_failure. It is a bug of the client, or of what stands between.",
            "Certain: the messages were read in clear, without a gap.",
            "Update the client's TLS library; look for a device that rewrites the handshake.",
            PROBE,
            "RFC 5246, section 7.4.8",
        ),
        verify_missing,
    ),
];

/// The CertificateRequest's list of CAs, for a sentence.
pub(super) fn acceptable(r: &CertificateRequestFact) -> String {
    if r.authorities.is_empty() {
        return "It named no acceptable CA, so any may do.".to_owned();
    }
    let quoted: Vec<String> = r.authorities.iter().map(|n| format!("\"{}\"", words::name(n))).collect();
    format!("Acceptable CAs: {}.", words::list(&quoted))
}

fn requested(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    if let Some(r) = &f.certificate_request {
        let detail = format!("CertificateRequest in frame {}. {}", r.mark.frame, acceptable(r));
        return Some(Hit::new(detail, "").at(r.mark).blame(Blame::Nobody));
    }
    let claim = f.inferred.as_ref()?.requested.filter(|r| r.value)?;
    let auth = f.client_auth(f.outcome());
    let shown = auth.mark.or(f.of(Role::Server).protected)?;
    let detail = match auth.certificate {
        ClientCertificate::Sent | ClientCertificate::Empty => format!(
            "The client's encrypted flight (frame {}) begins with a Certificate message, which only answers a CertificateRequest.",
            shown.frame
        ),
        _ => format!(
            "The server's encrypted flight (from frame {}) has one record more than a server sends that asks for nothing.",
            shown.frame
        ),
    };
    Some(Hit::new(detail, "").at(shown).sure(claim.confidence).blame(Blame::Nobody))
}

/// The client's answer to the request held no certificate: where, and how sure that is.
struct Empty {
    mark: Mark,
    confidence: Confidence,
    /// Concluded from the sizes of records.
    inferred: bool,
}

impl Empty {
    /// For a sentence.
    fn place(&self) -> String {
        let how = if self.inferred { ", by the sizes of its encrypted records" } else { "" };
        format!("the client's Certificate message in frame {} was empty{how}", self.mark.frame)
    }
}

/// The client answered the request with no certificate: an empty message, or SSL 3.0's warning.
fn empty(f: &FlowFacts) -> Option<Empty> {
    let observed = |mark| Empty { mark, confidence: Confidence::Certain, inferred: false };
    if let Some(c) = &f.of(Role::Client).certificates {
        return (c.chain.is_empty() && c.omitted == 0).then(|| observed(c.mark));
    }
    if let Some(i) = &f.inferred {
        let answer = i.answer.filter(|a| a.value == Answer::Empty)?;
        return Some(Empty { mark: i.flight?, confidence: answer.confidence, inferred: true });
    }
    let ssl3 = f.version().is_some_and(|v| v == ProtocolVersion(0x0300));
    let said = f.alerts_of(Role::Client).find(|(_, d, _)| *d == AlertDescription::NO_CERTIFICATE);
    said.filter(|_| ssl3).map(|(_, _, m)| observed(m))
}

fn missing(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let empty = empty(f)?;
    let r = refusal(f).filter(|r| r.role == Role::Server && r.mark.frame >= empty.mark.frame)?;
    let concluded = f.refused_after_client_flight().is_some_and(|e| e.mark == r.mark);
    if !concluded && !matches!(stage(f), Stage::ClientFlight | Stage::Finished) {
        return None;
    }
    let list = f.certificate_request.as_ref().map_or_else(String::new, |r| format!(" {}", acceptable(r)));
    let detail = format!(
        "The server asked for a certificate{}, {}. {}{list}",
        f.certificate_request.as_ref().map_or_else(String::new, |r| format!(" (frame {})", r.mark.frame)),
        empty.place(),
        how_it_ended(f, &r),
    );
    let remedy = "On the client: configure a certificate and its key (curl --cert client.pem --key client.key; Java: javax.net.ssl.keyStore; nginx as a client: proxy_ssl_certificate). \
                  If one is configured, its issuer is probably not among the acceptable CAs, so that the client left it out: use one of a listed CA, or list its CA on the server.";
    let hit = Hit::new(detail, remedy)
        .at(empty.mark)
        .at_any(f.certificate_request.as_ref().map(|r| r.mark))
        .at(r.mark)
        .blame(Blame::Client);
    Some(match r.alert.map(|a| a.0) {
        // What servers send for a missing certificate: OpenSSL 40, JSSE and Go 42, TLS 1.3's own 116.
        Some(40..=42 | 116) => hit,
        // A reset, or a close after a while, has many reasons.
        None if r.how == How::Rst || !at_once(f, &r) => hit.possible(),
        _ => hit.sure(empty.confidence.min(sure_of_refusal(f)).min(Confidence::Likely)),
    })
}

fn tolerated(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let empty = empty(f).filter(|_| f.outcome() == Outcome::Established)?;
    let went_on = match f.inferred.as_ref().map(|i| i.verdict) {
        // TLS 1.3: the handshake's end says nothing; that the server went on does.
        Some(verdict) => matches!(verdict, Some(Verdict::Accepted(_))),
        None => true,
    };
    if !went_on || brief_answer(f).is_some_and(|b| b.is_nginx_none_sent()) {
        return None;
    }
    let detail = format!("In the handshake {}, and the server went on all the same.", empty.place());
    let remedy = "If the server is meant to authenticate its clients, require a certificate (nginx: ssl_verify_client on; Apache: SSLVerifyClient require; Envoy: require_client_certificate).";
    let hit = Hit::new(detail, remedy).at(empty.mark).sure(empty.confidence);
    Some(hit.at_any(f.certificate_request.as_ref().map(|r| r.mark)).blame(Blame::Nobody))
}

fn http_400(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (empty, answer) = (empty(f)?, brief_answer(f)?);
    let nginx = answer.is_nginx_none_sent();
    let detail = format!(
        "In the handshake {}; the server completed it, answered the first request with {} protected bytes (frame {}) and closed at once. {}",
        empty.place(),
        answer.bytes,
        answer.mark.frame,
        if nginx {
            "That is the length of nginx's \"400 No required SSL certificate was sent\"."
        } else {
            "Servers refuse a request without a certificate so, and give any short answer so."
        }
    );
    let remedy = "On the client: configure a certificate and its key (curl --cert client.pem --key client.key). The status code stands in the client's output and in the server's access log.";
    let hit = Hit::new(detail, remedy).at(empty.mark).at(answer.mark).at(answer.closed).blame(Blame::Client);
    Some(if nginx { hit.sure(empty.confidence.min(Confidence::Likely)) } else { hit.possible() })
}

fn cannot_be_asked(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let o = f.siblings.rare.as_ref()?.asked_later.as_ref()?;
    let h = f.client_hello.as_ref().filter(|_| f.is_tls13() && f.is_complete())?;
    // Who was asked in the handshake need not be asked again.
    let asked = f.inferred.as_ref().and_then(|i| i.requested).is_some_and(|r| r.value);
    if h.message.extensions.post_handshake_auth || o.name() != f.server_name() || asked {
        return None;
    }
    let detail = format!(
        "In {} the server asked for a client certificate after the handshake, by the sizes of its records; the ClientHello in frame {} does not offer that (post_handshake_auth).",
        super::differences::flow(o),
        h.mark.frame
    );
    let remedy = "Ask for the certificate in the handshake, or under a name of its own.";
    Some(Hit::new(detail, remedy).at(h.mark).possible().blame(Blame::Either).of([o.id, f.id]))
}

fn after_handshake(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let later = f.inferred.as_ref()?.post_handshake?;
    let answer = match later.answer {
        Answer::Sent => "with a certificate",
        _ => "without a certificate",
    };
    let detail = format!(
        "Among the application data, the server's record in frame {} and the client's records from frame {} on have the sizes of a CertificateRequest and of an answer {answer}; the client had offered post_handshake_auth.",
        later.request.frame, later.mark.frame
    );
    let remedy = "Nothing to mend by itself. HTTP/2 forbids it: where a path needs a certificate, ask for it in the handshake of a server name of its own.";
    Some(Hit::new(detail, remedy).at(later.request).at(later.mark).likely().blame(Blame::Nobody))
}

/// The client had sent application data before the server's refusal reached it: it believed to be connected.
fn believed_connected(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let refused = f.inferred.as_ref()?.verdict?.refused()?;
    let data = f.of(Role::Client).application_data.filter(|m| m.frame < refused.value.mark.frame)?;
    let detail = format!(
        "The client sent application data in frame {}, before the server's refusal in frame {}.",
        data.frame, refused.value.mark.frame
    );
    let remedy = "In the program's log, read an error of the first read after connecting as an error of the handshake.";
    Some(Hit::new(detail, remedy).at(data).at(refused.value.mark).sure(refused.confidence).blame(Blame::Nobody))
}

fn aborts(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let request = f.certificate_request.as_ref()?;
    let r = of_server(f).filter(|_| stage(f) == Stage::CertFlight)?;
    // A close without a word refuses the server's certificate as often; `server-cert-rejected` tells both readings.
    if !matches!(r.alert.map(|a| a.0), Some(40 | 42 | 46 | 80 | 90)) || server_looks_bad(f) {
        return None;
    }
    let detail = format!(
        "The server asked for a client certificate in frame {}. {} {} Nothing is wrong with the server's certificate that could be seen, so the request is the likely reason.",
        request.mark.frame,
        acceptable(request),
        how_it_ended(f, &r)
    );
    let remedy = "On the client: look at its log; check that its key store opens (keytool -list), that certificate and key belong together, and that the certificate's issuer is one of the acceptable CAs and its key type one the server takes. \
                  On the server: list the CA that issues the clients' certificates.";
    let hit = Hit::new(detail, remedy).at(request.mark).at(r.mark).blame(Blame::Client);
    Some(match r.alert.map(|a| a.0) {
        Some(40 | 80) => hit.likely(),
        // These name the server's certificate: a private CA or pinning would explain them as well.
        _ => hit.possible(),
    })
}

/// Something that a client could hold against the server's certificate.
pub(super) fn server_looks_bad(f: &FlowFacts) -> bool {
    let Some(certs) = server_cert::chain(f) else { return true };
    let (Some(leaf), Some(judged)) = (server_cert::own(f), server_cert::relations(f)) else { return true };
    let name = f.server_name().map(|n| String::from_utf8_lossy(n).into_owned());
    leaf.validity_at(f.judged_at()) != Validity::Valid
        || judged.self_signed
        || !judged.not_ca.is_empty()
        || !leaf.allows("serverAuth")
        || leaf.key.is_weak()
        || certs.iter().any(|c| c.has_weak_signature())
        || name.is_some_and(|n| match_name(leaf, &n) != NameMatch::Match)
}

fn list_empty(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = f.certificate_request.as_ref().filter(|r| r.authorities.is_empty() && r.omitted == 0)?;
    let detail = format!("The CertificateRequest in frame {} has an empty certificate_authorities list.", r.mark.frame);
    Some(Hit::new(detail, "On the server: set the CAs to announce (nginx: ssl_client_certificate; Apache: SSLCACertificateFile), so that clients choose the right certificate.").at(r.mark).blame(Blame::Server))
}

fn verify_missing(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let client = f.of(Role::Client);
    let chain = client.certificates.as_ref().filter(|c| !c.chain.is_empty())?;
    let ccs = client.ccs?;
    // Fixed Diffie-Hellman certificates prove themselves by the key exchange.
    let signs = chain.chain.first().is_some_and(|c| !matches!(c.key.algorithm.name(), "DH" | "X25519" | "X448"));
    let fixed = f.cipher_suite().and_then(|s| s.forward_secrecy()) == Some(false)
        && client.certificate_verify.is_none()
        && chain
            .chain
            .iter()
            .any(|c| c.key_usage.is_some_and(|u| !u.contains(crate::x509::KeyUsage::DIGITAL_SIGNATURE)));
    if client.certificate_verify.is_some()
        || !signs
        || fixed
        || f.blind(Role::Client).is_some()
        || f.client_key_exchange.is_none()
        || f.omitted.contains_key("messages")
        || f.is_tls13()
    {
        return None;
    }
    let detail = format!(
        "Certificate in frame {}, ChangeCipherSpec in frame {}, and no CertificateVerify between.",
        chain.mark.frame, ccs.frame
    );
    let hit = Hit::new(detail, "On the client: update its TLS library; look for a device that rewrites the handshake.")
        .at(chain.mark)
        .at(ccs)
        .blame(Blame::Client);
    Some(if of_client(f).is_some() { hit } else { hit.beside().severity(Severity::Warning) })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        after, alert, asked, client_flight, established, fin, find, leaf, mark, random, server_flight, server_hello,
        told,
    };
    use crate::diagnose::{Blame, Confidence, Severity};
    use crate::facts::{Answer, Claim, FlowFacts, Inferred, PostHandshake, Shape};
    use crate::span::Side;
    use crate::tls::names::ContentType;
    use crate::x509::Certificate;

    fn mutual() -> FlowFacts {
        asked(server_flight(vec![leaf()]))
    }

    #[test]
    fn an_empty_certificate_that_the_server_refuses_is_the_cause() {
        for a in [40, 42, 116] {
            let d = told(&alert(client_flight(mutual(), vec![]), Side::B, a));
            assert_eq!(d.cause, Some("client-cert-missing"));
            let x = &d.findings[0];
            assert_eq!((x.confidence, x.blame), (Confidence::Certain, Blame::Client));
            assert!(x.detail.contains("CN=Client CA"), "{}", x.detail);
        }
        assert_eq!(told(&fin(client_flight(mutual(), vec![]), Side::B)).findings[0].confidence, Confidence::Likely);
        assert!(find(&alert(client_flight(mutual(), vec![leaf()]), Side::B, 40), "client-cert-missing").is_none());
    }

    #[test]
    fn nothing_is_missing_where_it_could_not_be_seen() {
        let mut f = fin(client_flight(mutual(), vec![]), Side::B);
        f.sides[Side::A].certificates = None;
        f.sides[Side::A].handshake_gap = true;
        assert!(find(&f, "client-cert-missing").is_none());
    }

    #[test]
    fn a_server_that_goes_on_tolerates_it() {
        let f = established(client_flight(mutual(), vec![]));
        assert!(find(&f, "client-cert-missing-tolerated").is_some());
        assert!(find(&f, "client-cert-missing").is_none() && told(&f).cause.is_none());
        assert!(find(&established(client_flight(mutual(), vec![leaf()])), "client-cert-missing-tolerated").is_none());
    }

    /// nginx completes the handshake, answers "400 No required SSL certificate was sent" and closes.
    #[test]
    fn a_brief_answer_and_a_close_may_be_http_400() {
        let mut f = established(client_flight(mutual(), vec![]));
        let answer = Shape { mark: mark(13), side: Side::B, content_type: ContentType::APPLICATION_DATA, len: 413 };
        f.shapes.push(answer);
        assert!(find(&f, "client-cert-missing-http-400").is_none(), "nobody has closed");
        f.tcp.fin[Side::B] = Some(mark(14));
        let x = find(&f, "client-cert-missing-http-400").expect("closed by the server");
        // nginx 1.22.1 answers with 389 bytes, which AES-GCM makes 413 (measured).
        assert_eq!(x.confidence, Confidence::Likely);
        assert!(find(&f, "client-cert-missing-tolerated").is_none());
        f.shapes[0].len = 414;
        assert_eq!(find(&f, "client-cert-missing-http-400").map(|x| x.confidence), Some(Confidence::Possible));
        f.shapes.push(Shape { len: 9000, ..answer });
        assert!(find(&f, "client-cert-missing-http-400").is_none(), "a long answer");
    }

    #[test]
    fn a_client_that_gives_up_at_the_request() {
        let d = told(&alert(mutual(), Side::A, 80));
        assert_eq!(d.cause, Some("client-aborts-no-usable-cert"));
        // A server certificate with a fault is the better explanation.
        let bad = Certificate { not_after: Some(0), ..leaf() };
        assert!(find(&alert(asked(server_flight(vec![bad])), Side::A, 80), "client-aborts-no-usable-cert").is_none());
        // No request, no such reason.
        assert!(find(&alert(server_flight(vec![leaf()]), Side::A, 80), "client-aborts-no-usable-cert").is_none());
    }

    #[test]
    fn an_empty_list_and_a_missing_proof() {
        let mut f = mutual();
        f.certificate_request.as_mut().expect("asked").authorities_raw.clear();
        f.certificate_request.as_mut().expect("asked").authorities.clear();
        assert!(find(&f, "ca-list-empty").is_some() && find(&mutual(), "ca-list-empty").is_none());
        let mut f = client_flight(mutual(), vec![leaf()]);
        assert!(find(&f, "certificate-verify-missing").is_none());
        f.sides[Side::A].certificate_verify = None;
        assert!(find(&f, "certificate-verify-missing").is_some());
        f.sides[Side::A].handshake_gap = true;
        assert!(find(&f, "certificate-verify-missing").is_none());
    }

    #[test]
    fn the_request_itself_is_told() {
        assert!(find(&mutual(), "client-cert-requested").is_some());
        assert!(find(&server_flight(vec![leaf()]), "client-cert-requested").is_none());
    }

    #[test]
    fn a_client_that_cannot_be_asked_later() {
        const CODE: &str = "post-handshake-auth-impossible";
        let tls13 = |n: u8, offers: bool| {
            let mut f = random(server_hello(0x0304), n);
            for s in &mut f.sides {
                (s.protected, s.finished_sized) = (Some(mark(8)), Some(mark(9)));
            }
            f.client_hello.as_mut().expect("there").message.extensions.post_handshake_auth = offers;
            f
        };
        let mut asked = tls13(1, true);
        let later = PostHandshake { request: mark(12), answer: Answer::Sent, mark: mark(13) };
        asked.inferred = Some(Box::new(Inferred { post_handshake: Some(later), ..Inferred::default() }));
        let x = find(&after(&[&asked], tls13(2, false)), CODE).expect("told");
        assert_eq!((x.severity, x.confidence), (Severity::Info, Confidence::Possible));
        assert!(find(&after(&[&asked], tls13(2, true)), CODE).is_none(), "it can be asked");
        assert!(find(&after(&[&tls13(1, true)], tls13(2, false)), CODE).is_none(), "nobody was asked");
        let mut other = tls13(2, false);
        other.client_hello.as_mut().expect("there").message.extensions.server_name = None;
        assert!(find(&after(&[&asked], other), CODE).is_none(), "another site of the server");
        let mut at_once = tls13(2, false);
        let requested = Some(Claim { value: true, confidence: Confidence::Certain });
        at_once.inferred = Some(Box::new(Inferred { requested, ..Inferred::default() }));
        assert!(find(&after(&[&asked], at_once), CODE).is_none(), "it was asked in the handshake");
        let old = random(established(server_flight(vec![leaf()])), 2);
        assert!(find(&after(&[&asked], old), CODE).is_none(), "TLS 1.2 renegotiates");
    }
}
