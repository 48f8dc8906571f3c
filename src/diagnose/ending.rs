//! How a handshake ended, where nothing says why.

use super::refusal::{Stage, at_once, how_it_ended, of_server, refusal, stage};
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{FlowFacts, How, MessageKind};
use crate::span::Role;
use crate::tls::names::AlertDescription;

const WATCH: &str = "  openssl s_client -connect HOST:PORT -servername NAME -msg </dev/null";
const RST: &str = "A program that crashed or was killed, one that closes a socket with unread data, a load balancer or firewall that cuts the connection (idle time, policy).";
const FIN: &str = "One side gave up without saying why: many programs close when a certificate does not please them (Node.js, gRPC), when a user cancels or when their own time limit is over.";
const RST_FIX: &str = "Look at the log of the side that reset; if it knows nothing of it, something between did: compare captures of both ends.";
const FIN_FIX: &str = "Look at the log of the side that closed.";
const SURE: &str = "That the connection ended here is certain; why, TCP does not say.";

macro_rules! ended {
    ($code:literal, $title:literal, $why:expr, $fix:expr, $how:expr, $stage:expr) => {
        new(
            $code,
            Severity::Error,
            5,
            $title,
            page($title, $why, SURE, $fix, WATCH, "RFC 9293, sections 3.6 and 3.10.7; RFC 8446, section 6"),
            |f, _: &Policy| ended(f, $how, $stage),
        )
    };
}

pub(super) const RULES: &[Rule] = &[
    ended!("rst-during-hello", "The connection was reset before the ServerHello", RST, RST_FIX, How::Rst, Stage::Hello),
    ended!(
        "rst-during-cert-flight",
        "The connection was reset while the server showed its certificate",
        RST,
        RST_FIX,
        How::Rst,
        Stage::CertFlight
    ),
    ended!(
        "rst-during-client-flight",
        "The connection was reset after the client's part of the handshake",
        RST,
        RST_FIX,
        How::Rst,
        Stage::ClientFlight
    ),
    ended!(
        "rst-during-finished",
        "The connection was reset before both sides had finished the handshake",
        RST,
        RST_FIX,
        How::Rst,
        Stage::Finished
    ),
    ended!(
        "fin-during-hello",
        "The connection was closed before the ServerHello",
        FIN,
        FIN_FIX,
        How::Fin,
        Stage::Hello
    ),
    ended!(
        "fin-during-cert-flight",
        "The connection was closed after the server had shown its certificate",
        FIN,
        FIN_FIX,
        How::Fin,
        Stage::CertFlight
    ),
    ended!(
        "fin-during-client-flight",
        "The connection was closed after the client's part of the handshake",
        FIN,
        FIN_FIX,
        How::Fin,
        Stage::ClientFlight
    ),
    ended!(
        "fin-during-finished",
        "The connection was closed before both sides had finished the handshake",
        FIN,
        FIN_FIX,
        How::Fin,
        Stage::Finished
    ),
    new(
        "finished-never-sent",
        Severity::Error,
        11,
        "A peer fell silent in the midst of the handshake, and the other gave up waiting",
        page(
            "It was one side's turn to send its part of the handshake. It sent nothing for two seconds or more; then the other side closed the connection.",
            "The silent side hangs: it waits for a backend, a key in an HSM or token, a revocation check (OCSP, CRL) that does not answer, a person who is to choose a certificate. Or what it sent got lost on the way (MTU).",
            "That nothing came is certain, as nothing of the capture is missing; why, it does not show. The side that closed only lost its patience.",
            "Look at the log of the side that was silent, at the time when its part was due; test its revocation checks and key store. Where packets of full size get lost, lower the MSS.",
            WATCH,
            "RFC 8446, section 2; RFC 5246, section 7.3",
        ),
        silent,
    ),
    new(
        "handshake-abandoned",
        Severity::Error,
        4,
        "The handshake was given up",
        page(
            "One side sent close_notify or user_canceled (or an alert whose text is encrypted) before the handshake was over.",
            "A user or program canceled, a time limit was over, or a check failed and the program closes in order instead of saying why.",
            SURE,
            "Look at the log of the side that gave up.",
            WATCH,
            "RFC 8446, section 6.1",
        ),
        abandoned,
    ),
    new(
        "client-rejects-after-server-flight",
        Severity::Error,
        30,
        "The client closed after it had seen the server's flight, without a word",
        page(
            "TLS 1.3: the server sent its ServerHello and protected records, the client closed the connection (FIN) without any record of its own after them.",
            "Clients such as Node.js and gRPC close so when they do not accept the server's certificate (issuer, name, dates). Also a user who canceled, a program that ended, or a client without a certificate for the request.",
            "Likely when it came at once, possible when more than a second passed.",
            "Look at the client's own message first; then at the server's certificate: name, dates, chain, and whether the client has the root.",
            "  openssl s_client -connect HOST:PORT -servername NAME -showcerts </dev/null",
            "RFC 8446, section 4.4.2.4",
        ),
        rejects,
    ),
    new(
        "server-silent-close-after-client-flight",
        Severity::Error,
        24,
        "The server ended the connection right after the client's part of the handshake",
        page(
            "TLS 1.3: the client had sent its flight, and the server answered with nothing but a close, or with one record of an alert's size. What the flight held does not show from its records.",
            "Mostly the server does not accept the client's certificate or misses one (gRPC servers close so without an alert).",
            "Possible: the client's records do not show whether a certificate was asked for. Wireshark with a key log would.",
            "Look at the server's log. If it requires client certificates, check that the client has one, of a CA that the server knows.",
            "  openssl s_client -connect HOST:PORT -cert client.pem -key client.key </dev/null",
            "RFC 8446, sections 4.4.2.4 and 6.2",
        ),
        silent_server,
    ),
    new(
        "client-closes-after-finished-no-data",
        Severity::Warning,
        25,
        "The client completed the handshake, sent nothing and left",
        page(
            "Both sides finished; the client then closed the connection at once, without any application data.",
            "Clients that compare the name after the handshake (curl) leave so when it does not match. Health checks and TLS probes do the same.",
            "Possible: a probe looks the same.",
            "Look at the client's message; compare the name it calls with the certificate's names.",
            "  curl -v https://NAME/",
            "RFC 9525, section 6",
        ),
        leaves,
    ),
];

fn ended(f: &FlowFacts, how: How, at: Stage) -> Option<Hit> {
    let r = refusal(f).filter(|r| r.alert.is_none() && r.how == how)?;
    if stage(f) != at || f.client_hello.is_none() {
        return None;
    }
    let last = f.messages.iter().rfind(|m| m.mark.frame <= r.mark.frame).map(|m| m.mark);
    let waited = last
        .map(|l| format!(" {} after the last message of the handshake.", words::duration(r.mark.time.us_since(l.time))))
        .unwrap_or_default();
    let verb = if how == How::Rst { "reset" } else { "closed" };
    let detail = format!(
        "{}{}",
        how_it_ended(f, &r),
        if waited.is_empty() { String::new() } else { format!(" That was{waited}") }
    );
    let others = match (at, r.role) {
        (Stage::CertFlight, Role::Client) => {
            " Most often the client does not accept the server's certificate: check its name, issuer and dates."
        }
        (Stage::ClientFlight | Stage::Finished, Role::Server) => {
            " Most often the server does not accept the client's certificate, or misses it."
        }
        (Stage::Hello, Role::Client) => {
            " The client did not wait for the answer: its own time limit, or a program that was stopped."
        }
        _ => "",
    };
    let place = at.place();
    let hit = Hit::new(
        detail,
        format!(
            "Look at the log of the {}: it ended the connection.{others}{}",
            r.role,
            if how == How::Rst {
                " If it knows nothing of it, something between reset it: compare captures of both ends."
            } else {
                ""
            }
        ),
    )
    .title(format!("The {} {verb} the connection {place}", r.role))
    .at(r.mark)
    .blame(Blame::from(r.role));
    Some(hit.at_any(last))
}

/// A pause from which on the other side is waited for.
const WAITED_US: u64 = 2_000_000;

fn silent(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = refusal(f).filter(|r| r.alert.is_none() && stage(f) > Stage::Hello)?;
    let due = f.expected().into_iter().next().filter(|e| e.role == r.role.other())?;
    let last = f.tcp.last_data.iter().flatten().filter(|m| m.frame < r.mark.frame).max_by_key(|m| m.frame)?;
    let waited = r.mark.time.us_since(last.time);
    if waited < WAITED_US {
        return None;
    }
    let missing: Vec<String> = due
        .messages
        .iter()
        .map(|m| match m {
            MessageKind::Handshake(kind) => kind.to_string(),
            _ => "change_cipher_spec".to_owned(),
        })
        .collect();
    let detail = format!(
        "The {} still had to send {}. Nothing came for {} after frame {}. {}",
        due.role,
        words::list(&missing),
        words::duration(waited),
        last.frame,
        how_it_ended(f, &r)
    );
    let remedy = format!(
        "Look at the log of the {}: what it was waiting for (a backend, an HSM, a revocation check, a person), or whether what it sent got lost.",
        due.role
    );
    let title =
        format!("The {} fell silent in the midst of the handshake, and the {} gave up waiting", due.role, r.role);
    // What it sent may have been lost on its way to where the capture was made.
    Some(Hit::new(detail, remedy).title(title).at(*last).at(r.mark).likely().blame(Blame::Either))
}

fn abandoned(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = refusal(f)?;
    let orderly = matches!(r.how, How::CloseNotify) || r.alert == Some(AlertDescription::USER_CANCELED);
    let hidden = r.how == How::Alert && r.alert.is_none();
    // What a hidden alert refuses is told by a rule about the server's certificate.
    let told = hidden && of_server(f).is_some();
    if !(orderly || hidden) || told || f.client_hello.is_none() || f.is_complete() {
        return None;
    }
    let place = stage(f).place();
    let detail = how_it_ended(f, &r);
    Some(
        Hit::new(detail, format!("Look at the log of the {}: it knows why it gave up.", r.role))
            .title(format!("The {} gave up the handshake {place}", r.role))
            .at(r.mark)
            .blame(Blame::from(r.role))
            .likely(),
    )
}

fn silent_server(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let inferred = f.inferred.as_ref().filter(|i| i.answer.is_none())?;
    let refused = inferred.verdict?.refused()?;
    let r = refusal(f).filter(|r| r.mark == refused.value.mark)?;
    let flight = f.of(Role::Client).finished_sized?;
    let detail = format!(
        "The client's encrypted flight came in frame {}; its sizes do not tell whether it holds a certificate. {}",
        flight.frame,
        how_it_ended(f, &r)
    );
    let remedy = "Look at the server's log: it knows why. If it requires a client certificate, check that the client sends one and that the server knows its CA.";
    Some(Hit::new(detail, remedy).at(flight).at(r.mark).possible().blame(Blame::Either))
}

fn rejects(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = refusal(f).filter(|r| r.role == Role::Client && r.alert.is_none() && r.how == How::Fin)?;
    let mute = f.of(Role::Client).protected.is_none() && f.of(Role::Server).protected.is_some();
    if !f.is_tls13() || stage(f) != Stage::CertFlight || !mute {
        return None;
    }
    let detail = format!(
        "{} The server's flight had begun in frame {}; its certificate is encrypted (TLS 1.3).",
        how_it_ended(f, &r),
        f.of(Role::Server).protected.map_or(0, |m| m.frame.0)
    );
    let hit = Hit::new(
        detail,
        "Look at the client's own error message. Check that it has the root of the server's certificate and calls the server by a name in it; if a client certificate is wanted, that the client has one.",
    )
    .at(r.mark)
    .at_any(f.of(Role::Server).protected)
    .blame(Blame::Either);
    Some(if at_once(f, &r) { hit.likely() } else { hit.possible() })
}

fn leaves(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let mark = super::refusal::left_unsatisfied(f)?;
    let detail = format!(
        "Both sides had finished; in frame {} the client closed without having sent any data, though it had offered application protocols.",
        mark.frame
    );
    let hit = Hit::new(detail, "Look at the client's message; if it compares the name after the handshake (curl), check the names in the certificate. If it is a health check, nothing is wrong.").at(mark).blame(Blame::Client);
    // In TLS 1.2 the certificate is there to compare: its own rule tells when it does not fit.
    Some(if f.is_tls13() {
        hit.possible().severity(Severity::Error)
    } else {
        hit.possible().severity(Severity::Info).beside()
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        alert, client_flight, established, fin, find, hello, leaf, mark, rst, server_flight, server_hello, told,
    };
    use crate::diagnose::{Confidence, Severity};
    use crate::facts::{AlertFact, Answer, Basis, Claim, EndedBy, How, Inferred, Outcome, Verdict};
    use crate::span::{Role, Side};
    use crate::tls::names::ContentType;

    #[test]
    fn an_end_without_a_reason_names_its_phase() {
        let mut resumed = server_hello(0x0303);
        resumed.sides[Side::B].ccs = Some(mark(8));
        resumed.sides[Side::B].after_ccs = Some(mark(8));
        for (f, code) in [
            (rst(server_flight(vec![leaf()]), Side::A), "rst-during-cert-flight"),
            (fin(server_hello(0x0303), Side::B), "fin-during-cert-flight"),
            (rst(client_flight(server_flight(vec![leaf()]), vec![]), Side::A), "rst-during-client-flight"),
            (fin(client_flight(server_flight(vec![leaf()]), vec![]), Side::A), "fin-during-client-flight"),
            (fin(resumed.clone(), Side::A), "fin-during-finished"),
            (rst(resumed, Side::B), "rst-during-finished"),
            (fin(hello(), Side::A), "fin-during-hello"),
            (rst(hello(), Side::A), "rst-during-hello"),
        ] {
            let mut f = f;
            f.tcp.acked[Side::A] = 0;
            assert_eq!(told(&f).cause, Some(code));
            assert!(find(&established(server_flight(vec![leaf()])), code).is_none());
        }
    }

    #[test]
    fn who_was_silent_is_not_who_closed() {
        // The client has sent its flight; the server's Finished is due.
        let mut f = client_flight(server_flight(vec![leaf()]), vec![]);
        f.tcp.last_data = crate::span::Pair::new(Some(mark(9)), Some(mark(8)));
        f.tcp.fin[Side::A] = Some(mark(9 + 5000));
        let d = told(&f);
        assert_eq!((d.cause, d.findings[0].blame), (Some("finished-never-sent"), crate::diagnose::Blame::Either));
        assert_eq!(d.findings[0].confidence, Confidence::Likely);
        f.tcp.fin[Side::A] = Some(mark(9 + 1500));
        assert!(find(&f, "finished-never-sent").is_none(), "too early to speak of waiting");
        f.tcp.fin = crate::span::Pair::new(None, Some(mark(9 + 5000)));
        assert!(find(&f, "finished-never-sent").is_none(), "the server itself gave up");
    }

    #[test]
    fn a_close_notify_in_mid_handshake_is_giving_up() {
        let d = told(&alert(server_flight(vec![leaf()]), Side::A, 90));
        assert_eq!(d.outcome, Outcome::Failed);
        assert!(d.findings.iter().any(|x| x.code == "handshake-abandoned"
            || x.code == "alert-user-canceled"
            || x.code == "server-cert-rejected"));
    }

    #[test]
    fn a_tls_13_client_that_closes_without_a_record() {
        let mut f = server_hello(0x0304);
        f.sides[Side::B].protected = Some(mark(7));
        assert_eq!(told(&fin(f.clone(), Side::A)).cause, Some("client-rejects-after-server-flight"));
        assert!(find(&fin(f, Side::B), "client-rejects-after-server-flight").is_none());
    }

    #[test]
    fn leaving_without_a_request() {
        let mut f = established(server_flight(vec![leaf()]));
        f.sides[Side::A].application_data = None;
        f.sides[Side::B].application_data = None;
        f.client_hello.as_mut().expect("there").message.extensions.alpn = vec![Box::from(&b"h2"[..])];
        assert!(
            find(&fin(f.clone(), Side::A), "client-closes-after-finished-no-data").is_none(),
            "a browser's spare one"
        );
        f.alerts.push(AlertFact { mark: mark(11), side: Side::A, said: None, basis: Basis::Inferred });
        f.sides[Side::A].last_record = Some((ContentType::ALERT, 26, mark(11)));
        let f = fin(f, Side::A);
        let x = find(&f, "client-closes-after-finished-no-data").expect("told");
        assert_eq!(x.severity, Severity::Info);
        assert_eq!(told(&f).outcome, Outcome::Established);
        assert!(find(&established(server_flight(vec![leaf()])), "client-closes-after-finished-no-data").is_none());
    }

    /// A program of Python's leaves after the server's flight; OpenSSL answers its FIN with decode_error (measured).
    #[test]
    fn an_alert_that_answers_a_fin_is_not_the_reason() {
        let mut f = alert(server_flight(vec![leaf()]), Side::B, 50);
        assert_eq!(told(&f).cause, Some("decode-error"));
        f.tcp.fin[Side::A] = Some(mark(10));
        assert_eq!(told(&f).cause, Some("server-cert-rejected"));
        assert!(find(&f, "alert-decode-error").is_some(), "no alert is lost");
    }

    #[test]
    fn a_server_that_ends_it_after_a_flight_that_does_not_decide() {
        let ended = |answer| {
            let mut f = fin(server_hello(0x0304), Side::B);
            for s in &mut f.sides {
                s.protected = Some(mark(9));
                s.finished_sized = Some(mark(9));
            }
            let value = EndedBy { role: Role::Server, how: How::Fin, mark: mark(11) };
            let verdict = Some(Verdict::Refused(Claim { value, confidence: Confidence::Possible }));
            f.inferred = Some(Box::new(Inferred { verdict, answer, ..Inferred::default() }));
            f
        };
        let d = told(&ended(None));
        assert_eq!(d.cause, Some("server-silent-close-after-client-flight"));
        assert_eq!(d.findings[0].confidence, Confidence::Possible);
        let empty = Claim { value: Answer::Empty, confidence: Confidence::Certain };
        assert!(find(&ended(Some(empty)), "server-silent-close-after-client-flight").is_none());
    }
}
