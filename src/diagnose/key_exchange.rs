//! Key exchange parameters and heartbeats.

use super::refusal::of_server;
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::tls::names::AlertDescription;

pub(super) const RULES: &[Rule] = &[
    new(
        "weak-dh-params",
        Severity::Error,
        44,
        "The Diffie-Hellman prime of the server is too short",
        page(
            "The prime in the ServerKeyExchange has fewer than 2048 bits.",
            "1024-bit primes are within reach of large attackers (Logjam). OpenSSL 3 says \"dh key too small\" and refuses; Java 7 the other way round fails with more than 1024.",
            "Read in clear. It is the cause only when the client refused.",
            "Use ECDHE suites, or parameters of 2048 bits and more: openssl dhparam -out dh.pem 2048, nginx ssl_dhparam dh.pem; or the named groups ffdhe2048.",
            "  openssl s_client -connect HOST:PORT -cipher DHE -tls1_2 </dev/null | grep 'Server Temp Key'",
            "RFC 7919; RFC 9325, section 4.1",
        ),
        dh,
    ),
    new(
        "explicit-curve",
        Severity::Warning,
        0,
        "The server describes its curve instead of naming it",
        page(
            "The ServerKeyExchange has explicit curve parameters.",
            "Nobody can check such a curve quickly; clients refuse, and decoders of them had serious bugs.",
            "Read in clear.",
            "Use a named curve: P-256 or X25519.",
            "  openssl s_client -connect HOST:PORT -tls1_2 </dev/null | grep 'Server Temp Key'",
            "RFC 8422, section 5.4",
        ),
        explicit,
    ),
    new(
        "heartbleed-attempt",
        Severity::Error,
        0,
        "A heartbeat claims more bytes than it has: an attempt at Heartbleed",
        page(
            "A heartbeat request in clear with a payload length that is larger than its record.",
            "A vulnerable peer (OpenSSL 1.0.1 to 1.0.1f) answers with its own memory: keys, passwords.",
            "Certain: no correct program sends such a message. Scanners do so too.",
            "Find out who the sender is. Update OpenSSL on the target; if it answered, replace its keys.",
            "  nmap --script ssl-heartbleed -p PORT HOST",
            "RFC 6520, section 4; CVE-2014-0160",
        ),
        bleed,
    ),
    new(
        "heartbleed-response",
        Severity::Error,
        0,
        "A peer answered a heartbeat with more than it was sent: it leaks its memory (Heartbleed)",
        page(
            "After a heartbeat request with a false length, the peer sent a heartbeat response longer than that request.",
            "Its memory has left the machine: private keys, session keys and passwords must be held for known.",
            "Certain where both were read in clear.",
            "Update OpenSSL (1.0.1g or later), replace the server's key and certificate, have the old one revoked, let passwords be changed.",
            "  nmap --script ssl-heartbleed -p PORT HOST",
            "RFC 6520, section 4; CVE-2014-0160",
        ),
        bled,
    ),
];

fn dh(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (mark, k) = f.server_key_exchange?;
    let bits = k.dh_bits.filter(|b| *b < 2048 && *b > 0)?;
    let detail = format!(
        "The prime in the ServerKeyExchange (frame {}) has {bits} bits; 2048 are the least that is recommended.",
        mark.frame
    );
    let refused = of_server(f).filter(|r| matches!(r.alert.map(|a| a.0), Some(40 | 47 | 71 | 80)));
    let hit = Hit::new(
        detail,
        "On the server: use ECDHE suites, or Diffie-Hellman parameters of at least 2048 bits (nginx: ssl_dhparam).",
    )
    .at(mark)
    .blame(Blame::Server);
    Some(match refused {
        Some(r) if f.certificate_request.is_none() || r.alert == Some(AlertDescription::INSUFFICIENT_SECURITY) => {
            let said = r.alert.map(|a| words::alert_sentence(r.role, a, r.mark)).unwrap_or_default();
            let mut hit = hit.at(r.mark).likely();
            hit.detail.push(' ');
            hit.detail.push_str(&said);
            hit
        }
        // Its code is among those that are tolerated on a connection that worked: it is about its configuration.
        _ => hit.beside(),
    })
}

fn explicit(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (mark, _) = f.server_key_exchange.filter(|(_, k)| k.explicit_curve)?;
    Some(
        Hit::new(
            format!("The ServerKeyExchange in frame {} has explicit curve parameters.", mark.frame),
            "On the server: use a named curve (X25519, P-256).",
        )
        .at(mark)
        .blame(Blame::Server),
    )
}

fn bleed(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let h = f.heartbeats.iter().find(|h| h.kind == 1 && h.claimed > h.room)?;
    let role = f.role(h.side);
    let detail = format!(
        "In frame {} the {role} sent a heartbeat request that claims {} bytes of payload and has room for {}.",
        h.mark.frame, h.claimed, h.room
    );
    let remedy = format!(
        "Look at who {} is. Update the peer's TLS library if it is OpenSSL 1.0.1 to 1.0.1f.",
        words::end(f.ends.of(h.side))
    );
    Some(Hit::new(detail, remedy).at(h.mark).blame(Blame::from(role)))
}

fn bled(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let request = f.heartbeats.iter().find(|h| h.kind == 1 && h.claimed > h.room)?;
    let answer = f.heartbeats.iter().find(|h| {
        h.kind == 2
            && h.side != request.side
            && h.mark.frame >= request.mark.frame
            && h.claimed.max(h.room) > request.room
    })?;
    let role = f.role(answer.side);
    let detail = format!(
        "The request in frame {} had {} bytes of payload at most; the {role} answered in frame {} with a payload of {} bytes out of its memory.",
        request.mark.frame, request.room, answer.mark.frame, answer.claimed
    );
    let remedy = format!(
        "On the {role}: update OpenSSL at once, replace key and certificate, have the old certificate revoked."
    );
    Some(Hit::new(detail, remedy).at(request.mark).at(answer.mark).blame(Blame::from(role)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, established, find, leaf, mark, server_flight, told};
    use crate::facts::HeartbeatFact;
    use crate::span::Side;
    use crate::tls::handshake::ServerKeyExchange;

    #[test]
    fn short_primes() {
        let mut f = server_flight(vec![leaf()]);
        f.server_key_exchange =
            Some((mark(7), ServerKeyExchange { dh_bits: Some(1024), ..ServerKeyExchange::default() }));
        assert_eq!(told(&alert(f.clone(), Side::A, 40)).cause, Some("weak-dh-params"));
        assert!(find(&established(f.clone()), "weak-dh-params").is_some_and(|x| !x.explains_failure));
        f.server_key_exchange =
            Some((mark(7), ServerKeyExchange { dh_bits: Some(2048), ..ServerKeyExchange::default() }));
        assert!(find(&f, "weak-dh-params").is_none());
        assert!(find(&f, "explicit-curve").is_none());
        f.server_key_exchange =
            Some((mark(7), ServerKeyExchange { explicit_curve: true, ..ServerKeyExchange::default() }));
        assert!(find(&f, "explicit-curve").is_some());
    }

    #[test]
    fn heartbeats_that_lie() {
        let beat = |side, kind, claimed, room, n| HeartbeatFact { mark: mark(n), side, kind, claimed, room };
        let mut f = server_flight(vec![leaf()]);
        f.heartbeats = vec![beat(Side::A, 1, 18, 34, 9), beat(Side::B, 2, 18, 34, 10)];
        assert!(find(&f, "heartbleed-attempt").is_none() && find(&f, "heartbleed-response").is_none());
        f.heartbeats = vec![beat(Side::A, 1, 16_384, 0, 9)];
        assert!(find(&f, "heartbleed-attempt").is_some() && find(&f, "heartbleed-response").is_none());
        f.heartbeats.push(beat(Side::B, 2, 16_384, 16_000, 10));
        assert!(find(&f, "heartbleed-response").is_some());
    }
}
