//! How certificates are written: bytes that are not DER, forms of times and names, timestamps of transparency logs.

use super::refusal::{Fault, judged};
use super::server_cert::{on_cert, own};
use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::flow::Mark;
use crate::span::{Role, Timestamp};
use crate::text;
use crate::x509::{
    Certificate, FormFault, FormFaultKind, NameMatch, San, SctFault, bad_a_label, format_time, match_name, to_unicode,
};

const SURE: &str = "Certain: read from the certificate in clear, with the place of the byte. It is the cause only when the peer refused.";
const DUMP: &str = "  openssl asn1parse -in cert.pem -i   (the first column is the place)";

/// Clocks of a log and of a capture differ by less.
const TOLERANCE_SECS: i64 = 300;

pub(super) const RULES: &[Rule] = &[
    new(
        "utctime-bad",
        Severity::Warning,
        42,
        "A time in a certificate is not in the form that X.509 wants",
        page(
            "notBefore or notAfter has no seconds, does not end in Z, has fractions of a second, or is a GeneralizedTime although it lies before 2050.",
            "RFC 5280 allows YYMMDDHHMMSSZ (UTCTime) to the end of 2049 and YYYYMMDDHHMMSSZ (GeneralizedTime) after it, nothing else. OpenSSL (\"format error in certificate's notBefore field\"), rustls (BadDerTime) and other strict clients refuse a time without seconds or without Z. A GeneralizedTime before 2050 is taken by nearly all and is told as a note only. Such certificates come from home-made CA software.",
            SURE,
            "Have the certificate issued again by a CA that writes times by RFC 5280: openssl ca -startdate and -enddate, cfssl, step-ca do.",
            "  openssl asn1parse -in cert.pem | grep -E 'UTCTIME|GENERALIZEDTIME'",
            "RFC 5280, sections 4.1.2.5.1 and 4.1.2.5.2",
        ),
        times,
    ),
    new(
        "der-not-canonical",
        Severity::Warning,
        42,
        "A certificate has an encoding that DER forbids",
        page(
            "A certificate must be in DER, which has one encoding for each value. This one has bytes that BER would allow and DER does not: a length or number with bytes to spare, an indefinite length, a string in pieces, TRUE that is not 0xff, a default value written out, bits that must be zero, or a set out of order.",
            "Strict parsers refuse it as a whole: Go (\"x509: malformed certificate\"), rustls (BadDer), Firefox (SEC_ERROR_BAD_DER); and whoever encodes it anew gets other bytes under the same signature. OpenSSL takes most of it. A default value written out and a set out of order are taken by nearly all and are told as a note only. Such certificates come from home-made CA software, smart cards and devices.",
            SURE,
            "Have the certificate issued again by software that writes DER. A default value written out is mostly basicConstraints CA:FALSE or a critical flag FALSE that the CA's profile spells out.",
            DUMP,
            "ITU-T X.690, sections 8.3.2, 10 and 11; RFC 5280, section 4.1",
        ),
        not_der,
    ),
    new(
        "idn-mismatch",
        Severity::Warning,
        56,
        "An international host name is not in the form in which names are compared",
        page(
            "A DNS name of the server's certificate has letters beyond ASCII, or a label that begins with xn-- and stands for nothing, in the certificate or in the client's server name.",
            "TLS and certificates carry such names as A-labels (xn--bcher-kva for bücher). A client compares these byte by byte, so that a certificate for the name as it is typed never matches. A label that does not decode is a typing error or a name that was cut.",
            "Certain: both names were read in clear. It is the cause when the client called the name for which the certificate has the other form, and refused.",
            "Issue the certificate for the A-label: subjectAltName=DNS:xn--bcher-kva.example. To translate: python3 -c \"print('bücher.example'.encode('idna'))\", idn2 NAME.",
            "  openssl x509 -in server.pem -noout -ext subjectAltName",
            "RFC 5280, section 7.2; RFC 5890, section 2.3.2; RFC 3492",
        ),
        idn,
    ),
    new(
        "sct-invalid",
        Severity::Warning,
        41,
        "A certificate timestamp of a transparency log is damaged",
        page(
            "The list of signed certificate timestamps in the server's certificate has lengths that do not fit, no entry at all, or an entry of a version that does not exist in this list.",
            "Chrome, Edge and Safari count only those that they can read; too few, and they refuse a certificate of a public CA. The CA's software is at fault.",
            "Certain: the bytes were read in clear; where a client refused the certificate of a public CA with an alert about it, this is a possible reason. Their signatures are not verified: that needs the keys of all logs, which are not part of this program, so a timestamp that is not told here may still be worthless.",
            "Have the certificate issued again; tell the CA.",
            "  openssl x509 -in server.pem -noout -ext ct_precert_scts",
            "RFC 6962, sections 3.2 and 3.3",
        ),
        sct_invalid,
    ),
    new(
        "sct-in-future",
        Severity::Warning,
        41,
        "A certificate timestamp of a transparency log is from the future",
        page(
            "A signed certificate timestamp in the server's certificate is later than the connection, though the certificate was valid.",
            "Clients ignore timestamps from the future. A certificate is served after its timestamps were given, so a clock is wrong: that of the log, of the client, or of the machine that captured.",
            "Likely: the capture's clock may be the wrong one. Where a client refused the certificate of a public CA with an alert about it, this is a possible reason.",
            "Compare the clocks of the client and of the machine that captured (chronyc tracking, timedatectl). If they are right, have the certificate issued again.",
            "  openssl x509 -in server.pem -noout -ext ct_precert_scts; date -u",
            "RFC 6962, section 5.2",
        ),
        sct_future,
    ),
];

/// Certificates that were sent in clear: whose, and in which frame.
pub(super) fn sent(f: &FlowFacts) -> impl Iterator<Item = (Role, Mark, &Certificate)> {
    [Role::Server, Role::Client].into_iter().flat_map(|role| {
        let fact = f.of(role).certificates.as_ref();
        fact.into_iter().flat_map(move |c| c.chain.iter().map(move |one| (role, c.mark, one.as_ref())))
    })
}

/// What is wrong, as the end of a sentence that begins with the field.
fn kind(k: FormFaultKind) -> String {
    match k {
        FormFaultKind::LongLength => "a length is written with more bytes than it needs".to_owned(),
        FormFaultKind::IndefiniteLength => "a length is indefinite".to_owned(),
        FormFaultKind::Pieces => "a string is in pieces".to_owned(),
        FormFaultKind::Boolean(b) => format!("TRUE is written as 0x{b:02x} instead of 0xff"),
        FormFaultKind::LongInteger => "a number has a first byte that it does not need".to_owned(),
        FormFaultKind::UnusedBits => "the unused bits of a bit string are not zero".to_owned(),
        FormFaultKind::Default => "a default value is written out".to_owned(),
        FormFaultKind::SetOrder => "the elements of a set are not in order".to_owned(),
        FormFaultKind::NoSeconds => "the time has no seconds".to_owned(),
        FormFaultKind::NotZulu => "the time does not end in Z".to_owned(),
        FormFaultKind::Fraction => "the time has fractions of a second".to_owned(),
        FormFaultKind::EarlyGeneralizedTime => "the time is before 2050 and a GeneralizedTime".to_owned(),
    }
}

/// The first certificate with such faults: one that explains a refusal before one that does not, and one that somebody
/// minds before one that nobody does.
fn form(f: &FlowFacts, of_time: bool, remedy: &str) -> Option<Hit> {
    let of = |role, harmful: bool| {
        let has = |x: &FormFault| x.kind.is_of_time() == of_time && x.kind.is_harmless() != harmful;
        let (role, mark, c) = sent(f).find(|(r, _, c)| *r == role && c.form_faults().iter().any(has))?;
        Some(formed(f, role, mark, c, of_time, remedy))
    };
    let mut bad = [Role::Server, Role::Client].into_iter().filter_map(|role| of(role, true));
    let first = bad.next();
    if first.as_ref().is_some_and(|hit| hit.beside) {
        return bad.find(|hit| !hit.beside).or(first);
    }
    first.or_else(|| [Role::Server, Role::Client].into_iter().find_map(|role| of(role, false)))
}

/// What is told of one certificate.
fn formed(f: &FlowFacts, role: Role, mark: Mark, c: &Certificate, of_time: bool, remedy: &str) -> Hit {
    let wanted = |x: &&FormFault| x.kind.is_of_time() == of_time;
    let harmful = |x: &FormFault| wanted(&x) && !x.kind.is_harmless();
    let all: Vec<String> = c
        .form_faults()
        .iter()
        .filter(wanted)
        .map(|x| format!("in {}, byte {}, {}", x.field, x.at, kind(x.kind)))
        .collect();
    let detail = format!("The {role} sends the certificate {}: {}.", words::cert(c), all.join("; "));
    let hit = Hit::new(detail, remedy).at(mark).blame(role);
    if c.form_faults().iter().any(harmful) {
        judged(f, role, Fault::Usage, hit)
    } else {
        hit.beside().severity(Severity::Info)
    }
}

fn times(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    form(f, true, "Have the certificate issued again with times in the form of RFC 5280 (UTCTime with seconds and Z).")
}

fn not_der(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    form(f, false, "Have the certificate issued again by software that writes DER.")
}

/// The name has letters beyond ASCII; bytes that are no UTF-8 stand there as `\xff`.
fn is_beyond_ascii(name: &str) -> bool {
    !name.is_ascii() || (name.contains('\\') && name.contains("\\x"))
}

fn idn(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let called = f.server_name().map(text::escape_bytes);
    let remedy = "Issue the certificate for the name as A-labels (xn--…), as the client sends it.";
    if let Some(c) = own(f) {
        let names =
            || c.subject_alt_names.iter().filter_map(|s| if let San::Dns(n) = s { Some(n.as_str()) } else { None });
        let typed = called.as_deref().filter(|n| n.contains("xn--")).and_then(to_unicode);
        // The name that was called, written out, stands in the certificate.
        let covered = || called.as_deref().is_some_and(|n| match_name(c, n) != NameMatch::Mismatch);
        let same = typed.and_then(|t| names().find(|n| is_beyond_ascii(n) && t == n.to_lowercase()));
        if let Some(same) = same.filter(|_| !covered()) {
            let detail = format!(
                "The client asked for \"{}\"; the certificate {} has that name as \"{same}\", which is never compared with it as equal.",
                called.as_deref().unwrap_or_default(),
                words::cert(c)
            );
            return Some(judged(f, Role::Server, Fault::Name, on_cert(f, Hit::new(detail, remedy))));
        }
        if let Some(n) = names().find(|n| is_beyond_ascii(n)) {
            let detail = format!("The certificate {} has the DNS name \"{n}\", which is not in ASCII.", words::cert(c));
            let hit = on_cert(f, Hit::new(detail, remedy)).beside();
            // Whoever calls it by another of its names is not disturbed.
            return Some(if covered() { hit.severity(Severity::Info) } else { hit });
        }
        if let Some((n, label)) = names().find_map(|n| Some((n, bad_a_label(n)?))) {
            let detail = format!(
                "The certificate {} has the DNS name \"{n}\", in which \"{label}\" stands for no international name.",
                words::cert(c)
            );
            return Some(on_cert(f, Hit::new(detail, "Issue the certificate for the right name.")).beside());
        }
    }
    let hello = f.client_hello.as_ref()?;
    let called = called?;
    let label = bad_a_label(&called)?;
    let detail = format!(
        "The client asks for \"{called}\" (frame {}), in which \"{label}\" stands for no international name.",
        hello.mark.frame
    );
    let hit = Hit::new(detail, "On the client: look for a typing error in the name, or for where it was cut.");
    Some(hit.at(hello.mark).blame(Blame::Client).beside())
}

fn sct_invalid(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    let (n, fault) = c.sct_list.as_ref()?.fault?;
    let what = match fault {
        SctFault::List => "the list is empty or its lengths do not fit".to_owned(),
        SctFault::Version(v) => format!("entry {n} has version {v}; only 0 (v1) exists in this list"),
        SctFault::Form => format!("the lengths in entry {n} do not fit"),
    };
    let detail = format!("In the timestamps of {} {what}.", words::cert(c));
    let hit = on_cert(f, Hit::new(detail, "Have the certificate issued again."));
    Some(of_log(f, c, hit))
}

fn sct_future(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let c = own(f)?;
    let latest = c.sct_list.as_ref()?.times.iter().copied().max()?;
    let secs = i64::try_from(latest / 1000).ok()?;
    let now = f.judged_at();
    // When the certificate itself is from the future, that says more.
    let valid = c.not_before.is_some_and(|from| now >= Timestamp::from_parts(from, 0));
    if !valid || secs <= now.secs().saturating_add(TOLERANCE_SECS) {
        return None;
    }
    let detail = format!("A timestamp in {} is of {}; {}.", words::cert(c), format_time(secs), words::when(f));
    let remedy = "Check the clocks of the client and of the machine that captured.";
    Some(of_log(f, c, on_cert(f, Hit::new(detail, remedy)).likely().blame(Blame::Either)))
}

/// Timestamps are looked at by browsers only, which want them of public CAs only and say so with an alert: elsewhere they
/// are no reason for a refusal, and there a possible one.
fn of_log(f: &FlowFacts, c: &Certificate, hit: Hit) -> Hit {
    if !c.is_public {
        return hit.severity(Severity::Warning).beside();
    }
    let hit = judged(f, Role::Server, Fault::Usage, hit);
    if hit.beside { hit } else { hit.possible() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing::{
        NOW, alert, asked, client_flight, established, fin, find, leaf, mark, server_flight, told,
    };
    use crate::diagnose::{Blame, Confidence, Severity};
    use crate::facts::{ChainFact, FlowFacts};
    use crate::span::Side;
    use crate::x509::{Certificate, San, SctFault, SctList};

    /// A certificate with an own encoding of the version, and times in any form: SEQUENCE of tbsCertificate with version,
    /// serial number, algorithm, issuer, validity.
    fn written(version: &[u8], from: &str) -> Certificate {
        let seq = |parts: &[&[u8]]| {
            let body = parts.concat();
            [&[0x30, u8::try_from(body.len()).expect("short")][..], &body].concat()
        };
        let time = [&[0x17, u8::try_from(from.len()).expect("short")][..], from.as_bytes()].concat();
        let der =
            seq(&[&seq(&[version, &[2, 1, 1], &[0x30, 0], &[0x30, 0], &seq(&[&time, b"\x17\x0d360101000000Z"])])]);
        Certificate { der: der.into(), ..leaf() }
    }

    const V3: &[u8] = &[0xa0, 3, 2, 1, 2];

    fn shown(c: Certificate) -> FlowFacts {
        established(server_flight(vec![c]))
    }

    #[test]
    fn forms_of_certificates() {
        let good = || written(V3, "260101000000Z");
        for (code, bad) in [
            ("utctime-bad", written(V3, "2601010000Z")),
            ("der-not-canonical", written(&[0xa0, 4, 2, 2, 0, 2], "260101000000Z")),
        ] {
            assert!(find(&shown(good()), code).is_none() && find(&shown(leaf()), code).is_none());
            let x = find(&shown(bad.clone()), code).expect("told");
            assert_eq!((x.severity, x.explains_failure, x.blame), (Severity::Warning, false, Blame::Server));
            assert_eq!(told(&alert(server_flight(vec![bad.clone()]), Side::A, 42)).cause, Some(code));
            assert_ne!(told(&alert(server_flight(vec![bad.clone()]), Side::A, 48)).cause, Some(code));
            // The client's, and one of a CA.
            let x = find(&established(client_flight(asked(server_flight(vec![leaf()])), vec![bad.clone()])), code);
            assert_eq!(x.expect("told").blame, Blame::Client);
            assert!(find(&established(server_flight(vec![leaf(), bad])), code).is_some());
        }
    }

    #[test]
    fn what_nobody_minds_is_a_note() {
        let bad = written(&[0xa0, 3, 2, 1, 0], "260101000000Z");
        let x = find(&alert(server_flight(vec![bad]), Side::A, 42), "der-not-canonical").expect("told");
        assert_eq!((x.severity, x.explains_failure), (Severity::Info, false));
        assert!(x.detail.contains("in version, byte 4, a default value is written out"), "{}", x.detail);
    }

    #[test]
    fn international_names() {
        const CODE: &str = "idn-mismatch";
        let named = |san: &str, called: &str| {
            let mut f = server_flight(vec![Certificate { subject_alt_names: vec![San::Dns(san.into())], ..leaf() }]);
            let name = Some(vec![Box::from(called.as_bytes())]);
            f.client_hello.as_mut().expect("there").message.extensions.server_name = name;
            f
        };
        let f = named("b\u{fc}cher.example", "xn--bcher-kva.example");
        assert_eq!(told(&alert(f.clone(), Side::A, 42)).cause, Some(CODE));
        assert_eq!(find(&established(f), CODE).map(|x| x.severity), Some(Severity::Warning));
        // Another name than the one called: true, yet not the reason.
        let f = alert(named("b\u{fc}cher.example", "a.example"), Side::A, 42);
        assert_eq!(told(&f).cause, Some("server-cert-hostname-mismatch"));
        assert!(find(&f, CODE).is_some_and(|x| !x.explains_failure));
        for (san, called) in
            [("b\\xfccher.example", "a.example"), ("xn--99999999999", "a.example"), ("a.example", "xn--99999999999")]
        {
            assert!(find(&established(named(san, called)), CODE).is_some(), "{san} {called}");
        }
        // The certificate has both forms: the name fits, whatever else the client minds.
        let mut both = named("b\u{fc}cher.example", "xn--bcher-kva.example");
        let sans = ["b\u{fc}cher.example", "xn--bcher-kva.example"].map(|n| San::Dns(n.into()));
        let cert = Certificate { subject_alt_names: sans.to_vec(), ..leaf() };
        both.sides[Side::B].certificates = Some(ChainFact::new(vec![Arc::new(cert)], 0, mark(7)));
        let x = find(&alert(both, Side::A, 42), CODE).expect("told");
        assert_eq!((x.severity, x.explains_failure), (Severity::Info, false));
        for (san, called) in [("xn--bcher-kva.example", "xn--bcher-kva.example"), ("a.example", "a.example")] {
            assert!(find(&established(named(san, called)), CODE).is_none(), "{san} {called}");
        }
    }

    fn stamped(list: SctList) -> Certificate {
        Certificate { sct_list: Some(list), ..leaf() }
    }

    #[test]
    fn timestamps() {
        let at = |secs: i64| {
            stamped(SctList { count: 1, times: vec![u64::try_from(secs * 1000).expect("late")], fault: None })
        };
        let x = find(&shown(at(NOW + 301)), "sct-in-future").expect("told");
        assert_eq!((x.severity, x.confidence), (Severity::Warning, Confidence::Likely));
        assert!(
            find(&shown(at(NOW + 299)), "sct-in-future").is_none() && find(&shown(at(0)), "sct-in-future").is_none()
        );
        // The whole certificate is from the future.
        let early = Certificate { not_before: Some(NOW + 86_400), ..at(NOW + 90_000) };
        assert!(find(&shown(early), "sct-in-future").is_none());
        assert!(find(&shown(at(NOW + 301)), "sct-invalid").is_none() && find(&shown(leaf()), "sct-invalid").is_none());
        for fault in [(0, SctFault::List), (1, SctFault::Version(1)), (1, SctFault::Form)] {
            let list = SctList { count: 1, times: vec![], fault: Some(fault) };
            assert!(find(&shown(stamped(list)), "sct-invalid").is_some(), "{fault:?}");
        }
        // Who minds them are browsers, and of public CAs only; never without a word.
        let public = || Certificate { is_public: true, ..at(NOW + 301) };
        let refused = |c, alert_code| find(&alert(server_flight(vec![c]), Side::A, alert_code), "sct-in-future");
        let x = refused(public(), 42).expect("told");
        assert_eq!((x.severity, x.confidence), (Severity::Error, Confidence::Possible));
        assert!(x.explains_failure && x.frames.contains(&mark(7).frame));
        assert!(!refused(at(NOW + 301), 42).expect("told").explains_failure, "a CA of its own");
        assert!(!refused(public(), 45).expect("told").explains_failure);
        assert!(
            find(&fin(server_flight(vec![public()]), Side::A), "sct-in-future").is_some_and(|x| !x.explains_failure)
        );
    }

    #[test]
    fn the_certificate_that_was_refused_is_told_first() {
        let bad = written(&[0xa0, 4, 2, 2, 0, 2], "260101000000Z");
        let both = client_flight(asked(server_flight(vec![bad.clone()])), vec![bad.clone()]);
        let x = find(&alert(both.clone(), Side::B, 42), "der-not-canonical").expect("told");
        assert_eq!((x.blame, x.explains_failure), (Blame::Client, true));
        assert_eq!(find(&established(both), "der-not-canonical").map(|x| x.blame), Some(Blame::Server));
        // A note on the server's does not hide what is wrong with the client's.
        let note = written(&[0xa0, 3, 2, 1, 0], "260101000000Z");
        let x = find(&established(client_flight(asked(server_flight(vec![note])), vec![bad])), "der-not-canonical");
        assert_eq!(x.map(|x| (x.blame, x.severity)), Some((Blame::Client, Severity::Warning)));
    }
}
