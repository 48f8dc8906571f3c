//! Rules of the user's own: what `tlscope report --expect` requires of servers.
//!
//! One rule for each requirement, which fires where it is broken; one for what could not be judged; and one, told at the
//! end, for an expectation that nothing could be judged by. What judges is in [`judge`].

mod audit;
mod judge;

pub use audit::Audit;

use std::sync::Arc;

use super::{Blame, Finding, Hit, Policy, Rule, Severity, new, page};
use crate::expect::Place;
use crate::facts::{FlowFacts, Ruling};
use crate::span::Role;
use crate::x509::Trust;
use judge::{JUDGES, Verdict};

/// How sure a broken requirement is that was read in clear.
const IN_CLEAR: &str =
    "Certain: it is read in clear, and a connection that does not show it is told as policy-not-judged instead.";

/// Where the requirement can be changed.
const OR_THE_POLICY: &str = "Or change the policy: a [[server]] section (address, port, name) can make an exception.";

/// Where the keys of a policy are described.
const EXPLAINED: &str = "tlscope explain expectations";

pub(super) const RULES: &[Rule] = &[
    new(
        "policy-plaintext",
        Severity::Error,
        30,
        "A connection goes without TLS, which the policy forbids",
        page(
            "Both ends exchanged data, and no side's bytes begin with TLS, at a server of which the policy says plaintext = false.",
            "What is sent can be read and changed on the way.",
            "Certain where the connection was captured from its beginning; others are not told. A protocol that turns to TLS later (STARTTLS) counts as plaintext only when the capture shows no TLS in it.",
            "Switch TLS on at the server and in the client (https:// instead of http://), or close the plain port. Or allow it in the policy: plaintext = true in a [[server]] section.",
            "  tlscope report --expect plaintext=false capture.pcapng",
            EXPLAINED,
        ),
        |f, p| broken(judge::plaintext(f, p)),
    ),
    new(
        "policy-mutual-tls",
        Severity::Error,
        0,
        "The client was not authenticated by a certificate, which the policy requires",
        page(
            "A handshake was completed without the client proving a certificate, at a server of which the policy says mutual_tls = true: the server did not ask for one, or took an empty answer.",
            "Anybody who can reach the port gets in as far as TLS is concerned. Usual: verification is optional on the server (nginx ssl_verify_client optional, Envoy require_client_certificate: false, Kafka ssl.client.auth=requested), or TLS is ended in front of it.",
            "Certain in TLS 1.2. In TLS 1.3 the messages are protected; what their sizes show is told with its confidence, and where they do not show it, the flow is told as policy-not-judged. A resumed session is not judged: the client proved itself in an earlier connection, if at all.",
            "On the server: nginx ssl_verify_client on; Apache SSLVerifyClient require; Envoy require_client_certificate: true; Java setNeedClientAuth(true); Go tls.RequireAndVerifyClientCert; Kafka ssl.client.auth=required.",
            "  openssl s_client -connect HOST:PORT -servername NAME </dev/null\nIt must fail without -cert and -key.",
            "RFC 8446, section 4.3.2; RFC 5246, section 7.4.4",
        ),
        |f, p| broken(judge::mutual_tls(f, p)),
    ),
    new(
        "policy-version",
        Severity::Error,
        0,
        "An older TLS version was negotiated than the policy allows",
        page(
            "The ServerHello chose a version below min_version.",
            "The policy wants old versions gone; a client that still needs one will stop working when they are.",
            IN_CLEAR,
            "On the server: nginx ssl_protocols TLSv1.2 TLSv1.3; Apache SSLProtocol; OpenSSL MinProtocol in openssl.cnf; Java jdk.tls.disabledAlgorithms; Go tls.Config.MinVersion. If the client offers nothing newer, update the client.",
            "  openssl s_client -connect HOST:PORT -servername NAME -tls1_1 </dev/null\nIt must fail with \"alert protocol version\".",
            "RFC 8446, section 4.2.1; RFC 8996",
        ),
        |f, p| broken(judge::version(f, p)),
    ),
    new(
        "policy-cipher-suite",
        Severity::Error,
        0,
        "A cipher suite was negotiated that the policy does not allow",
        page(
            "The ServerHello chose a suite that is not among cipher_suites.",
            "The server accepts suites that it should not, or prefers the client's order.",
            IN_CLEAR,
            "On the server: nginx ssl_ciphers and ssl_conf_command Ciphersuites; Apache SSLCipherSuite; OpenSSL CipherString; Java jdk.tls.disabledAlgorithms, jdk.tls.server.cipherSuites; Go tls.Config.CipherSuites.",
            "  openssl s_client -connect HOST:PORT -servername NAME -cipher SUITE </dev/null",
            "RFC 9325, section 4.2",
        ),
        |f, p| broken(judge::cipher_suite(f, p)),
    ),
    new(
        "policy-group",
        Severity::Error,
        0,
        "A key exchange group was used that the policy does not allow",
        page(
            "The ServerHello's key share, or the ServerKeyExchange, has a group that is not among groups.",
            "The server accepts groups that it should not, or the client offers nothing better.",
            IN_CLEAR,
            "On the server: nginx ssl_ecdh_curve; OpenSSL Groups in openssl.cnf; Java jdk.tls.namedGroups; Go tls.Config.CurvePreferences.",
            "  openssl s_client -connect HOST:PORT -servername NAME -groups GROUP </dev/null",
            "RFC 8446, section 4.2.7; RFC 8422",
        ),
        |f, p| broken(judge::group(f, p)),
    ),
    new(
        "policy-post-quantum",
        Severity::Error,
        0,
        "The key exchange does not withstand a quantum computer, which the policy requires",
        page(
            "The handshake used no post-quantum group such as X25519MLKEM768, at a server of which the policy says post_quantum = true.",
            "Who records the connection today can read it when quantum computers are there. TLS 1.2 and before have no such key exchange.",
            IN_CLEAR,
            "Use TLS 1.3 and a hybrid group on both sides: OpenSSL 3.5 and Go 1.24 offer X25519MLKEM768 by default; nginx: ssl_ecdh_curve X25519MLKEM768:X25519 on OpenSSL 3.5.",
            "  openssl s_client -connect HOST:PORT -servername NAME -groups X25519MLKEM768 </dev/null",
            "FIPS 203",
        ),
        |f, p| broken(judge::post_quantum(f, p)),
    ),
    new(
        "policy-certificate-days",
        Severity::Error,
        0,
        "A certificate of the server ends sooner than the policy allows",
        page(
            "A certificate that the server sent has ended, or ends less than certificate_days after the connection took place.",
            "When it ends, every client that verifies it will refuse the server.",
            "Certain: the certificate was read. It is judged by the time of the capture, not by today. In TLS 1.3 certificates are protected: such flows are told as policy-not-judged.",
            "Renew the certificate (certbot renew, cert-manager: kubectl get certificate -A, your CA) and make the server load it: nginx -s reload. If a renewed one is there already, the server was not reloaded.",
            "  openssl s_client -connect HOST:PORT -servername NAME </dev/null 2>/dev/null | openssl x509 -noout -enddate",
            "RFC 5280, section 4.1.2.5",
        ),
        |f, p| broken(judge::certificate_days(f, p)),
    ),
    new(
        "policy-issuer",
        Severity::Error,
        0,
        "The server's certificate is issued by somebody whom the policy does not allow",
        page(
            "The issuer of the server's own certificate matches none of issuers.",
            "A certificate from elsewhere: a self-signed or test certificate in production, a device that opens TLS on the way, or a CA that has been changed.",
            "Certain: the certificate was read. In TLS 1.3 certificates are protected: such flows are told as policy-not-judged.",
            "Install a certificate of the right CA on the server, or find the proxy in between. If the new CA is meant, add it to issuers.",
            "  openssl s_client -connect HOST:PORT -servername NAME </dev/null 2>/dev/null | openssl x509 -noout -issuer -nameopt RFC2253",
            "RFC 5280, section 4.1.2.4",
        ),
        |f, p| broken(judge::issuer(f, p)),
    ),
    new(
        "policy-alpn",
        Severity::Error,
        0,
        "The application protocol is none that the policy allows",
        page(
            "The server selected a protocol that is not among alpn, or none, or the client offered none of them.",
            "Usual: the client or a proxy in between does not speak HTTP/2, or the server has it switched off.",
            "Certain in TLS 1.2. In TLS 1.3 the selection is protected; there only a client that offers none of the protocols is told.",
            "nginx: http2 on; Apache: Protocols h2 http/1.1; Envoy: alpn_protocols; Go: tls.Config.NextProtos; curl: --http2.",
            "  openssl s_client -connect HOST:PORT -servername NAME -alpn h2 </dev/null",
            "RFC 7301",
        ),
        |f, p| broken(judge::alpn(f, p)),
    ),
    new(
        "policy-not-judged",
        Severity::Warning,
        0,
        "An expectation could not be judged",
        page(
            "The capture does not show what the policy asks about this connection: its beginning or a part of it was not captured, only one direction was, or TLS 1.3 protects it.",
            "A gate must not be green because it saw nothing. With strict = true (or --expect strict) this is an error and the report exits with 1.",
            "Certain: the detail says what is missing for each expectation.",
            "Capture from before the connection begins, with whole packets (-s 0) and both directions. For what TLS 1.3 protects, test with a client that is limited to TLS 1.2, or leave the expectation out for this server.",
            "  tcpdump -i any -s 0 -w capture.pcap tcp port PORT",
            EXPLAINED,
        ),
        not_judged,
    ),
    new(
        NOT_CHECKED,
        Severity::Error,
        0,
        "An expectation was checked on no connection",
        page(
            "No connection of the capture could be judged by an expectation: none matched its section, none got as far, or none showed what it asks about.",
            "A gate that checked nothing must not be green: a typing error in a name or port, or a capture of the wrong interface, looks like success.",
            "Certain: every connection of all inputs was looked at.",
            "Compare the section's address, port and name with `tlscope report`; capture where the traffic is. If it is right that there is none: allow_unchecked = true in the policy, or --expect allow_unchecked.",
            "  tlscope report capture.pcapng",
            EXPLAINED,
        ),
        // Known only when the last flow is: `Audit` tells it.
        |_, _| None,
    ),
];

/// Code of the finding of [`Audit`].
const NOT_CHECKED: &str = "policy-not-checked";

/// A finding says that an expectation is broken, or could not be judged where that counts as much.
pub fn breaks_expectation(f: &Finding) -> bool {
    f.severity == Severity::Error && RULES.iter().any(|r| r.code == f.code)
}

impl Policy {
    /// What it decides by addresses and names of a flow.
    pub(crate) fn ruling(&self, f: &FlowFacts) -> Option<Box<Ruling>> {
        let issuer_allowed = matches!(judge::issuer(f, self), Some((Verdict::Holds, _)));
        let ruling = || Ruling { section: self.expect.section(f).map(|(n, _)| n), issuer_allowed };
        (!self.expect.is_empty()).then(|| Box::new(ruling()))
    }

    /// The same policy for flows whose names are replaced: it names nobody.
    pub(crate) fn redacted(&self) -> Self {
        let nameless = |t: &Option<Arc<Trust>>| t.as_ref().map(|t| Arc::new(t.redacted()));
        Self {
            expiring_days: self.expiring_days,
            expect: self.expect.redacted(),
            trust: nameless(&self.trust),
            client_ca: nameless(&self.client_ca),
            at: self.at,
        }
    }
}

fn broken(v: Option<(Verdict, Place)>) -> Option<Hit> {
    match v {
        Some((Verdict::Broken(hit), _)) => Some(Hit { remedy: format!("{} {OR_THE_POLICY}", hit.remedy), ..hit }),
        _ => None,
    }
}

fn not_judged(f: &FlowFacts, p: &Policy) -> Option<Hit> {
    if p.expect.is_empty() {
        return None;
    }
    let why: Vec<String> = JUDGES
        .iter()
        .filter_map(|j| match (j.judge)(f, p) {
            Some((Verdict::Unknown(why), _)) => Some(format!("{}: {why}", j.key)),
            _ => None,
        })
        .collect();
    if why.is_empty() {
        return None;
    }
    let detail = format!("Not judged: {}.", why.join("; "));
    let hit = Hit::new(
        detail,
        "Capture the whole connection; for what TLS 1.3 protects, test with a client that is limited to TLS 1.2.",
    );
    let hello = f.server_hello.as_ref().map(|h| h.mark);
    let hit = hit.blame(Blame::Nobody).at(hello.or(f.of(Role::Client).start.map(|(_, m)| m)).unwrap_or(f.first));
    Some(if p.expect.strict { hit.severity(Severity::Error) } else { hit })
}

#[cfg(test)]
mod tests;
