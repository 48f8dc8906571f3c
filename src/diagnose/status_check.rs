//! Clients that ask about the status of a certificate while the handshake waits: responders and lists of revoked certificates.

use std::collections::HashSet;

use super::{Blame, Confidence, Hit, Policy, Rule, Severity, page, wide, words};
use crate::siblings::{Checked, Failure, Fetch, Memory, Purpose};
use crate::text;

/// A pause of a handshake that is worth a word.
const PAUSE_US: u64 = 300_000;

const STAPLE: &str = "On the server: staple the OCSP response, so that the client need not ask (nginx: ssl_stapling on with a resolver; Apache: SSLUseStapling on; HAProxy: ocsp-update on).";

pub(super) const RULES: &[Rule] = &[
    wide(
        "ocsp-responder-unreachable",
        Severity::Warning,
        "A client could not reach the OCSP responder of a server's certificate",
        page(
            "Between the server's certificate and its own answer the client looked the responder up that the certificate names, and DNS said that there is none, or the connection to port 80 that followed failed: refused, unreachable, not answered.",
            "A client that insists on an answer refuses the certificate (Java: \"Unable to determine revocation status\", .NET: RevocationStatusUnknown); others go on after a wait of some seconds. Mostly a firewall keeps servers and containers from calling out, or the CA has switched its responder off (Let's Encrypt in 2025).",
            "Likely: the look-up of that very host in the middle of the handshake is read in clear; that the connection after it went there is concluded from its time and port; it is not told when another such connection had an answer. A client that has the address in its cache is not seen to ask. Needs DNS in the capture and a certificate in clear (TLS 1.2 and before).",
            "Let the client reach the responder (port 80, or through its HTTP proxy), or staple the response on the server. Java: -Dcom.sun.security.ocsp.timeout=SECONDS, or PKIXRevocationChecker with SOFT_FAIL.",
            "  openssl x509 -in server.pem -noout -ocsp_uri; curl -v http://RESPONDER/   (on the client)",
            "RFC 6960, section 2; RFC 5280, section 4.2.2.1",
        ),
        unreachable,
    ),
    wide(
        "ocsp-delays-handshake",
        Severity::Warning,
        "A handshake waited while the client asked about the certificate's status",
        page(
            "Between the server's part of the handshake and the client's answer 0.3 s or more went by; meanwhile, after the certificate, the client looked up a host that the certificate names for its status (OCSP or CRL) and connected to port 80.",
            "Each new connection waits for a third party: Windows, Java and .NET clients do so by policy. When the responder is slow or gone it takes as long as their timeout (15 s and more).",
            "Likely with a connection to port 80 that failed or took half of the time, else possible. Needs DNS in the capture and a certificate in clear (TLS 1.2 and before).",
            STAPLE,
            "  openssl s_client -connect HOST:PORT -servername NAME -status </dev/null | grep 'OCSP Response Status'",
            "RFC 6960, section 2; RFC 6066, section 8",
        ),
        delays,
    ),
    wide(
        "crl-fetch-failed",
        Severity::Warning,
        "A client could not fetch the list of revoked certificates",
        page(
            "Between the server's certificate and its own answer the client looked the host of a CRL up that the certificate names, and DNS said that there is none, or the connection to port 80 that followed failed or was answered with an error of HTTP.",
            "A client that insists on the list refuses the certificate (OpenSSL with -crl_check: \"unable to get certificate CRL\"; Java: \"Unable to determine revocation status\"); others go on after a wait.",
            "Likely: the look-up of that very host in the middle of the handshake is read in clear; that the connection after it went there is concluded from its time and port. Needs DNS in the capture and a certificate in clear (TLS 1.2 and before).",
            "Let the client reach the host (port 80, or through its HTTP proxy), or publish the list where the certificate says: its CA's distribution point moved, or was internal to another network.",
            "  openssl x509 -in server.pem -noout -ext crlDistributionPoints; curl -v -o list.crl URL   (on the client)",
            "RFC 5280, sections 4.2.1.13 and 6.3",
        ),
        list_failed,
    ),
];

/// What went wrong with the asking, as the end of a sentence.
fn trouble(c: &Checked<'_>, status_counts: bool) -> Option<String> {
    if let Some(m) = c.no_such_host {
        return Some(format!("DNS said in frame {} that there is no such host", m.frame));
    }
    let f = c.fetch?;
    let what = match f.failure {
        Some(Failure::Refused) => "was refused".to_owned(),
        Some(Failure::Unreachable) => "was told to be unreachable".to_owned(),
        Some(Failure::Unanswered) => "was not answered".to_owned(),
        Some(Failure::Silent) => "was opened and no byte came back".to_owned(),
        None => format!("was answered with HTTP status {}", f.status.filter(|s| *s >= 400 && status_counts)?),
    };
    Some(format!("its connection to {} (flow #{}) {what}", words::end(f.server), f.flow))
}

/// The first part of the sentence: who waited for whom.
fn asked(c: &Checked<'_>) -> String {
    let what = match c.purpose {
        Purpose::Ocsp => "the OCSP responder",
        Purpose::Crl => "the host of the CRL",
    };
    format!(
        "After the certificate of {} (flow #{}, frame {}) {} asked for {what} \"{}\"",
        words::end(c.server),
        c.flow,
        c.from.frame,
        c.client,
        text::escape(c.host)
    )
}

fn hit(c: &Checked<'_>, detail: String, remedy: &str) -> Hit {
    let hit = Hit::new(detail, remedy).at(c.from).at(c.to).at_any(c.fetch.map(|f| f.first));
    hit.about(format!("{} {}", c.server, c.host)).of(std::iter::once(c.flow).chain(c.fetch.map(|f| f.flow)))
}

/// One hit for each server and host: the first.
fn each<'a>(m: &'a Memory, wanted: impl Fn(&Checked<'a>) -> Option<Hit>) -> Vec<Hit> {
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for c in m.status_checks() {
        let key = (c.server, c.purpose, c.host);
        if seen.contains(&key) {
            continue;
        }
        if let Some(hit) = wanted(&c) {
            seen.insert(key);
            out.push(hit);
        }
    }
    out
}

fn failed(m: &Memory, purpose: Purpose, remedy: &'static str) -> Vec<Hit> {
    each(m, |c| {
        let trouble = trouble(c, purpose == Purpose::Crl).filter(|_| c.purpose == purpose)?;
        let detail = format!("{}; {trouble}.", asked(c));
        Some(hit(c, detail, remedy).likely().blame(Blame::Network))
    })
}

fn unreachable(m: &Memory, _: &Policy) -> Vec<Hit> {
    failed(m, Purpose::Ocsp, "Let the client reach the responder, or staple the OCSP response on the server.")
}

fn list_failed(m: &Memory, _: &Policy) -> Vec<Hit> {
    failed(m, Purpose::Crl, "Let the client reach the host of the list, or publish the list there.")
}

fn delays(m: &Memory, _: &Policy) -> Vec<Hit> {
    each(m, |c| {
        // A server that takes its time for the rest of its flight is not waiting for the client.
        let us = c.to.time.us_since(c.asked.time);
        if us < PAUSE_US {
            return None;
        }
        let meanwhile = c.fetch.map_or_else(String::new, |f| {
            let took = words::duration(f.end.time.us_since(f.first.time));
            format!(" Meanwhile it had a connection to {} (flow #{}), which took {took}.", words::end(f.server), f.flow)
        });
        let detail =
            format!("{}; its own answer came {} after the server's part.{meanwhile}", asked(c), words::duration(us));
        // An answer that came at once leaves most of the pause to something else.
        let took = |f: Fetch| f.failure.is_some() || f.end.time.us_since(f.first.time) >= us / 2;
        let sure = if c.fetch.is_some_and(took) { Confidence::Likely } else { Confidence::Possible };
        Some(hit(c, detail, STAPLE).sure(sure).blame(Blame::Either))
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{client_flight, codes, established, hello, leaf, mark, rst, server_flight};
    use super::super::{Confidence, Finding, Policy, diagnose_capture};
    use crate::dns::{Kind, Message};
    use crate::facts::FlowFacts;
    use crate::flow::Mark;
    use crate::siblings::Memory;
    use crate::span::Side;
    use crate::tls::Start;
    use crate::upgrade::Plain;
    use crate::x509::Certificate;

    /// A handshake whose certificate comes at 7 ms and whose client answers at so many milliseconds.
    fn waits(ms: u64, cert: Certificate) -> FlowFacts {
        let mut f = established(client_flight(server_flight(vec![cert]), vec![]));
        f.id = 1;
        f.sides[Side::A].certificates = None;
        f.client_key_exchange = Some(mark(ms));
        (f.sides[Side::A].ccs, f.sides[Side::A].after_ccs) = (Some(mark(ms)), Some(mark(ms)));
        f
    }

    fn with_ocsp() -> Certificate {
        Certificate { ocsp_urls: vec!["http://ocsp.example/".into()], ..leaf() }
    }

    fn with_crl() -> Certificate {
        Certificate { crl_urls: vec!["http://crl.example/a.crl".into()], ..leaf() }
    }

    /// A connection of the same client to port 80 that begins at 50 ms.
    fn to_port_80() -> FlowFacts {
        let mut f = hello();
        f.id = 2;
        f.client_hello = None;
        f.messages.clear();
        f.ends.b.port = 80;
        f.ends.b.ip = [203, 0, 113, 80].into();
        (f.first, f.last) = (mark(50), mark(900));
        f.sides[Side::A].start = Some((Start::Not(Plain::HttpRequest), mark(52)));
        f
    }

    fn answered(status: u16) -> FlowFacts {
        let mut f = to_port_80();
        f.sides[Side::B].start = Some((Start::Not(Plain::HttpResponse(status)), mark(800)));
        f.tcp.data[Side::B] = Some(mark(800));
        f
    }

    fn refused() -> FlowFacts {
        let mut f = rst(to_port_80(), Side::B);
        f.tcp.syn_ack[Side::B] = None;
        f.tcp.refused = true;
        f
    }

    fn told(host: &str, asked: Mark, kinds: &[Kind], flows: &[FlowFacts]) -> Vec<Finding> {
        let mut m = Memory::default();
        for kind in kinds {
            let message = Message { kind: *kind, name: host.as_bytes().into(), for_address: true };
            m.lookup([192, 0, 2, 1].into(), [192, 0, 2, 53].into(), message, asked);
        }
        flows.iter().for_each(|f| m.passed(f));
        diagnose_capture(&m, &Policy::default())
    }

    const FOUND: [Kind; 2] = [Kind::Query, Kind::Found];

    #[test]
    fn a_responder_that_nobody_reaches() {
        const CODE: &str = "ocsp-responder-unreachable";
        let found = told("ocsp.example", mark(40), &FOUND, &[refused(), waits(900, with_ocsp())]);
        let x = found.iter().find(|x| x.code == CODE).expect("told");
        assert_eq!((x.confidence, &x.flows[..]), (Confidence::Likely, &[1, 2][..]));
        assert!(x.detail.contains("was refused"), "{}", x.detail);
        let gone = told("ocsp.example", mark(40), &[Kind::Query, Kind::NoSuchName], &[waits(900, with_ocsp())]);
        assert!(codes(&gone).contains(&CODE));
        // It answers; another host was asked for; before the certificate came; the client had answered; a certificate of none.
        let silent = |host: &str, at: u64, fetch: FlowFacts, handshake: FlowFacts| {
            !codes(&told(host, mark(at), &FOUND, &[handshake, fetch])).contains(&CODE)
        };
        assert!(silent("ocsp.example", 40, answered(200), waits(900, with_ocsp())));
        assert!(silent("ocsp.example", 40, answered(404), waits(900, with_ocsp())));
        assert!(silent("a.example", 40, refused(), waits(900, with_ocsp())));
        assert!(silent("ocsp.example", 5, refused(), waits(900, with_ocsp())));
        assert!(silent("ocsp.example", 60, refused(), waits(900, with_ocsp())), "it began before the look-up");
        assert!(silent("ocsp.example", 40, refused(), waits(45, with_ocsp())));
        assert!(silent("ocsp.example", 40, refused(), waits(900, leaf())));
        let mut elsewhere = refused();
        elsewhere.ends.a.ip = [192, 0, 2, 99].into();
        assert!(silent("ocsp.example", 40, elsewhere, waits(900, with_ocsp())), "another client");
        let mut open = to_port_80();
        open.packets_lost = true;
        assert!(silent("ocsp.example", 40, open, waits(900, with_ocsp())), "the answer may be missing");
        // The second of the host's addresses answers; another resolver knows the name.
        let late = || {
            let mut f = answered(200);
            (f.first, f.id) = (mark(60), 3);
            f
        };
        let both = [refused(), late(), waits(900, with_ocsp())];
        assert!(!codes(&told("ocsp.example", mark(40), &FOUND, &both)).contains(&CODE));
        let kinds = [Kind::Query, Kind::NoSuchName, Kind::Found];
        assert!(!codes(&told("ocsp.example", mark(40), &kinds, &[late(), waits(900, with_ocsp())])).contains(&CODE));
        // The answer of the server is not in the capture: the client went on.
        let mut unheard = to_port_80();
        unheard.tcp.syn_ack[Side::B] = None;
        unheard.tcp.packets[Side::B] = 0;
        unheard.tcp.syn[Side::A].as_mut().expect("there").count = 2;
        unheard.last = mark(1100);
        assert!(silent("ocsp.example", 40, unheard.clone(), waits(1200, with_ocsp())));
        unheard.tcp.data[Side::A] = None;
        assert!(!silent("ocsp.example", 40, unheard.clone(), waits(1200, with_ocsp())));
        let (mut once, mut lossy) = (unheard.clone(), unheard);
        once.tcp.syn[Side::A].as_mut().expect("there").count = 1;
        lossy.packets_lost = true;
        for f in [once, lossy] {
            assert!(silent("ocsp.example", 40, f, waits(1200, with_ocsp())));
        }
    }

    #[test]
    fn a_handshake_that_waits() {
        const CODE: &str = "ocsp-delays-handshake";
        let found = |flows: &[FlowFacts]| told("ocsp.example", mark(40), &FOUND, flows);
        let all = found(&[answered(200), waits(900, with_ocsp())]);
        let x = all.iter().find(|x| x.code == CODE).expect("told");
        assert_eq!(x.confidence, Confidence::Likely);
        assert!(x.detail.contains("892 ms after") && x.detail.contains("took 750 ms"), "{}", x.detail);
        let x = found(&[waits(900, with_ocsp())]);
        assert_eq!(x.iter().find(|x| x.code == CODE).map(|x| x.confidence), Some(Confidence::Possible));
        assert!(!codes(&found(&[answered(200), waits(200, with_ocsp())])).contains(&CODE));
        // It is the server's own flight that took the time.
        let mut slow = waits(900, with_ocsp());
        slow.server_hello_done = Some(mark(850));
        assert!(!codes(&found(&[answered(200), slow])).contains(&CODE));
        // An address needs no look-up.
        let named = Certificate { ocsp_urls: vec!["http://203.0.113.80/".into()], ..leaf() };
        assert!(codes(&told("x", mark(1), &[], &[answered(200), waits(900, named.clone())])).contains(&CODE));
        let other = Certificate { ocsp_urls: vec!["http://203.0.113.81/".into()], ..leaf() };
        assert!(!codes(&told("x", mark(1), &[], &[answered(200), waits(900, other)])).contains(&CODE));
    }

    #[test]
    fn a_list_that_cannot_be_had() {
        const CODE: &str = "crl-fetch-failed";
        let found = |f: FlowFacts| told("crl.example", mark(40), &FOUND, &[f, waits(900, with_crl())]);
        assert!(codes(&found(refused())).contains(&CODE) && codes(&found(answered(404))).contains(&CODE));
        assert!(!codes(&found(answered(200))).contains(&CODE) && !codes(&found(answered(304))).contains(&CODE));
        assert!(!codes(&found(refused())).contains(&"ocsp-responder-unreachable"));
    }
}
