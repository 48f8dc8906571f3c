//! Sessions that are resumed, or not, as the flow that made them shows.

use super::differences::flow;
use super::sibling::hello_mark;
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{FlowFacts, Outcome};

const RECONNECT: &str = "  openssl s_client -connect HOST:PORT -servername NAME -sess_out s.pem </dev/null\n  openssl s_client -connect HOST:PORT -servername NAME -sess_in s.pem </dev/null | grep -E 'New|Reused'";

pub(super) const RULES: &[Rule] = &[
    new(
        "ticket-reused",
        Severity::Info,
        0,
        "The client offers a TLS 1.3 ticket that it has used before",
        page(
            "The first pre-shared key identity is the same as in an earlier connection.",
            "Everybody on the path can tell that both connections are the same client's, and early data sent with it can be replayed. Clients should use a ticket once.",
            "Certain: the identity is sent in clear. Keys configured by hand (age 0) are left out.",
            "On the client: use each ticket once and take the newest (OpenSSL: SSL_SESSION objects from the new-session callback, not one saved file; curl and browsers do). On the server: send two tickets or more (nginx and OpenSSL: SSL_CTX_set_num_tickets).",
            RECONNECT,
            "RFC 8446, section C.4; RFC 9149",
        ),
        ticket_reused,
    ),
    new(
        "resumption-rejected",
        Severity::Info,
        0,
        "The server did not resume the session and made a full handshake",
        page(
            "The client offered a ticket, a pre-shared key or a session id, and the server chose a full handshake.",
            "One round trip more in TLS 1.2, a certificate check and more work on both sides. Usual reasons: the ticket is too old, its key was replaced, or a pool of servers behind one address does not share its ticket keys.",
            "Certain that it was not resumed; the reason is not on the wire.",
            "If it happens often: share the ticket keys between the servers of a pool (nginx: ssl_session_ticket_key, HAProxy: tls-ticket-keys, Envoy: session_ticket_keys) and rotate them slowly; or a shared cache for session ids.",
            RECONNECT,
            "RFC 8446, section 2.2; RFC 5077, section 3.1",
        ),
        resumption_rejected,
    ),
    new(
        "resumed-version-or-cipher-changed",
        Severity::Warning,
        0,
        "A resumed session has another version or cipher suite than it was made with",
        page(
            "The ServerHello resumes a session of an earlier connection in the capture, with another version or cipher suite.",
            "A session keeps its version and cipher suite (TLS 1.2 and before); a client must end the connection otherwise. A pool of unlike servers that share their ticket keys, or a device between, does this.",
            "Certain: both handshakes were read in clear and the session's id or ticket is the same.",
            "Give all servers of the pool the same versions and cipher suites, or ticket keys of their own.",
            RECONNECT,
            "RFC 5246, sections 7.4.1.2 and 7.4.1.3; RFC 7627, section 5.3",
        ),
        resumed_changed,
    ),
    new(
        "mtls-resumed-no-client-auth",
        Severity::Warning,
        0,
        "A session was resumed on a server that asks for client certificates",
        page(
            "The connection resumed a session, and in its full handshakes this server asks for a client certificate.",
            "In a resumed session no certificate is shown or checked again: one that has expired or was revoked since still counts, for as long as tickets live.",
            "Certain that none was shown here; whether the server checks the stored one again is not on the wire.",
            "Where that matters: shorten the life of tickets or switch them off (nginx: ssl_session_tickets off, ssl_session_cache off; Envoy: disable_stateless_session_resumption; Go: SessionTicketsDisabled; OpenSSL: SSL_OP_NO_TICKET), or check the stored certificate again on resumption.",
            RECONNECT,
            "RFC 8446, sections 2.2 and C.4; RFC 5077, section 5",
        ),
        resumed_mutual,
    ),
];

fn ticket_reused(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let id = f.siblings.ticket_used?;
    let detail = format!("The ticket of this ClientHello was offered in flow #{id} before.");
    let remedy = "On the client: use each ticket once.";
    Some(Hit::new(detail, remedy).at_any(hello_mark(f)).blame(Blame::Client).of([id, f.id]))
}

fn resumption_rejected(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let sh = f.server_hello.as_ref()?;
    if !f.offers_resumption() || f.resumed() != Some(false) || f.outcome() != Outcome::Established {
        return None;
    }
    let from = match (&f.siblings.session, f.siblings.ticket_used) {
        (Some(o), _) => format!(" Its session comes from {}.", flow(o)),
        (None, Some(id)) => format!(" Its ticket was offered in flow #{id} before; servers may take a ticket once."),
        (None, None) => String::new(),
    };
    let detail = format!("The client offered to resume a session; the server made a full handshake.{from}");
    let remedy =
        "If it happens often: share the ticket keys (or the session cache) between all servers behind this address.";
    Some(Hit::new(detail, remedy).at_any(hello_mark(f)).at(sh.mark).blame(Blame::Server))
}

fn resumed_changed(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let sh = f.server_hello.as_ref().filter(|_| f.resumed() == Some(true) && !f.is_tls13())?;
    let o = f.siblings.session.as_ref()?;
    let (was, is) = ((o.version?, o.suite?), (f.version()?, f.cipher_suite()?));
    if was == is {
        return None;
    }
    let say = |(v, s)| format!("{} with {}", words::version(v), words::suite(s));
    let detail = format!("The session was made in {} with {}; it is resumed with {}.", flow(o), say(was), say(is));
    let remedy = "Give all servers that share ticket keys the same versions and cipher suites.";
    Some(Hit::new(detail, remedy).at_any(hello_mark(f)).at(sh.mark).blame(Blame::Server).of([o.id, f.id]))
}

fn resumed_mutual(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let sh = f.server_hello.as_ref().filter(|_| f.resumed() == Some(true) && f.outcome() == Outcome::Established)?;
    let o = f.siblings.requested.as_ref().filter(|o| o.name() == f.server_name())?;
    let detail =
        format!("In {} the server asked for a client certificate; this connection resumed a session instead.", flow(o));
    let remedy =
        "If certificates must be checked each time: on the server, switch session tickets off or shorten their life.";
    Some(Hit::new(detail, remedy).at(sh.mark).blame(Blame::Server).of([o.id, f.id]))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{after, asked, established, find, leaf, random, server_flight, server_hello};

    use crate::tls::handshake::Tail;

    #[test]
    fn sessions() {
        let mut full = random(established(server_flight(vec![leaf()])), 1);
        full.server_hello.as_mut().expect("there").message.session_id = vec![7; 32];
        let mut again = random(established(server_hello(0x0303)), 2);
        again.client_key_exchange = None;
        again.client_hello.as_mut().expect("there").message.session_id = vec![7; 32];
        let sh = &mut again.server_hello.as_mut().expect("there").message;
        sh.session_id = vec![7; 32];
        assert!(find(&after(&[&full], again.clone()), "resumed-version-or-cipher-changed").is_none());
        again.server_hello.as_mut().expect("there").message.cipher_suite = 0xc030;
        assert!(find(&after(&[&full], again.clone()), "resumed-version-or-cipher-changed").is_some());
        assert!(find(&after(&[&full], again.clone()), "mtls-resumed-no-client-auth").is_none());
        assert!(find(&after(&[&asked(full.clone())], again), "mtls-resumed-no-client-auth").is_some());
        // A ticket that is not taken.
        let ticket = |n| {
            let mut f = random(established(server_flight(vec![leaf()])), n);
            let e = &mut f.client_hello.as_mut().expect("there").message.extensions;
            (e.psk, e.psk_ticket) = (Some(1), Some(Tail([3; 16])));
            f
        };
        assert!(find(&ticket(1), "resumption-rejected").is_some() && find(&full, "resumption-rejected").is_none());
        assert!(find(&after(&[&ticket(1)], ticket(2)), "ticket-reused").is_some());
        assert!(find(&after(&[&full], ticket(2)), "ticket-reused").is_none());
    }
}
