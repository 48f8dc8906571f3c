//! What a ClientHello offers: fields that must not be so, obsolete versions, weak suites, what hides the name.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use hashbrown::HashSet;

use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{FlowFacts, Placed};
use crate::flow::Mark;
use crate::span::Role;
use crate::tls::AnomalyKind;
use crate::tls::handshake::ClientHello;
use crate::tls::names::{AlertDescription, CipherSuite, HandshakeType, ProtocolVersion};

const TRACE: &str = "  openssl s_client -connect HOST:PORT -servername NAME -trace </dev/null";
const CLEAR: &str = "Certain: the ClientHello was read in clear.";
const UPDATE: &str = "Update the client's TLS library: OpenSSL 1.1.1, Java 8u261, GnuTLS 3.6.5, Go 1.13 and Windows 11 or Server 2022 speak TLS 1.3. Where only the setting is old: OpenSSL MaxProtocol, Java jdk.tls.client.protocols and jdk.tls.disabledAlgorithms, Kafka ssl.enabled.protocols, curl --tls-max.";

pub(super) const RULES: &[Rule] = &[
    new(
        "legacy-version-bad",
        Severity::Warning,
        41,
        "A TLS 1.3 hello has the wrong number in its old version field",
        page(
            "A hello of TLS 1.3 must carry 0x0303 (TLS 1.2) as legacy_version; this one has another number.",
            "A bug in the TLS library, or a device that rewrites hellos. Some servers and middleboxes refuse it with protocol_version.",
            CLEAR,
            "Update the TLS library of the side that sent it; look for a device between.",
            TRACE,
            "RFC 8446, sections 4.1.2 and 4.1.3",
        ),
        legacy_version,
    ),
    new(
        "compression-offered",
        Severity::Info,
        41,
        "The client offers TLS compression",
        page(
            "The ClientHello lists a compression method besides null.",
            "Compression before encryption gives secrets away (CRIME); a TLS 1.3 server must refuse such a hello with illegal_parameter. Only clients of before 2013 offer it.",
            CLEAR,
            "Update the client, or switch compression off in it (OpenSSL: SSL_OP_NO_COMPRESSION, the default since 1.1.0).",
            TRACE,
            "RFC 8446, section 4.1.2; RFC 9325, section 3.3",
        ),
        compression,
    ),
    new(
        "null-compression-missing",
        Severity::Warning,
        41,
        "The ClientHello does not offer to go without compression",
        page(
            "The list of compression methods lacks null (0), which every ClientHello must contain.",
            "A bug in the client or a scanner; servers refuse with illegal_parameter or decode_error.",
            CLEAR,
            "Update the client's TLS library.",
            TRACE,
            "RFC 5246, section 7.4.1.2; RFC 8446, section 4.1.2",
        ),
        null_compression,
    ),
    new(
        "sslv3-offered-max",
        Severity::Warning,
        43,
        "The client offers nothing newer than SSL 3.0",
        page(
            "SSL 3.0 is the highest version in the ClientHello.",
            "SSL 3.0 is broken (POODLE) and forbidden; nearly no server takes it. The client is of before 2000, or set so.",
            CLEAR,
            UPDATE,
            TRACE,
            "RFC 7568",
        ),
        ssl3,
    ),
    new(
        "tls10-max-client",
        Severity::Warning,
        0,
        "The client offers nothing newer than TLS 1.0",
        page(
            "TLS 1.0 is the highest version in the ClientHello.",
            "TLS 1.0 is deprecated and switched off on most servers: Java 7, OpenSSL 1.0.0, .NET before 4.6, Windows 7 without its update, old appliances.",
            CLEAR,
            UPDATE,
            TRACE,
            "RFC 8996",
        ),
        |f, _| highest(f, ProtocolVersion::TLS10),
    ),
    new(
        "tls11-max-client",
        Severity::Warning,
        0,
        "The client offers nothing newer than TLS 1.1",
        page(
            "TLS 1.1 is the highest version in the ClientHello.",
            "TLS 1.1 is deprecated and switched off on most servers. No library stops there by itself: the client is set so.",
            CLEAR,
            UPDATE,
            TRACE,
            "RFC 8996",
        ),
        |f, _| highest(f, ProtocolVersion::TLS11),
    ),
    new(
        "weak-cipher-offered",
        Severity::Info,
        0,
        "The client offers weak cipher suites",
        page(
            "The ClientHello lists suites without encryption (NULL) or authentication (anonymous), export suites, RC4, DES or 3DES.",
            "A server that takes one makes the connection worthless. They come from old defaults or from a list such as ALL.",
            CLEAR,
            "Take them out of the client's list: OpenSSL -cipher 'DEFAULT:!aNULL:!eNULL:!3DES:!RC4', curl --ciphers, Java jdk.tls.disabledAlgorithms, GnuTLS priority NORMAL.",
            "  openssl ciphers -v 'DEFAULT'\n  openssl s_client -connect HOST:PORT -trace </dev/null",
            "RFC 9325, section 4.1",
        ),
        weak,
    ),
    new(
        "esni-obsolete",
        Severity::Info,
        0,
        "The client hides the server name in an obsolete way (ESNI)",
        page(
            "The ClientHello has the extension encrypted_server_name (0xffce) of the drafts before Encrypted Client Hello.",
            "No server supports it any more, and some firewalls drop such connections. Firefox up to 84 sent it.",
            CLEAR,
            "Update the client; take network.security.esni.enabled out of Firefox's settings.",
            TRACE,
            "draft-ietf-tls-esni-06; RFC 9849",
        ),
        esni,
    ),
    new(
        "ech-offered",
        Severity::Info,
        0,
        "The ClientHello may hide another one (Encrypted Client Hello)",
        page(
            "The ClientHello has the extension encrypted_client_hello.",
            "When it is real, the server name in clear is that of the provider and the wanted name is encrypted. Chrome and Firefox send a dummy (GREASE) to all other servers, which looks the same on purpose.",
            "Read in clear; whether it is real cannot be told without keys.",
            "Nothing. When connections fail with ech_required, publish the server's present ECHConfigList in its HTTPS record.",
            "  dig +short HOST HTTPS   (ech= is the configuration)",
            "RFC 9849, sections 5 and 6.2",
        ),
        ech,
    ),
    new(
        "ech-grease",
        Severity::Info,
        0,
        "The encrypted ClientHello is a dummy (GREASE)",
        page(
            "The ClientHello has the extension encrypted_client_hello, and within ten minutes at least three connections of this client to the same server name had it for as many different configurations. Connections count together that come from one address and offer the same cipher suites and groups.",
            "A real one names the configuration that the server's HTTPS record has, the same each time. A dummy names a random one: it keeps servers and middleboxes used to the extension. The server name in clear is then the wanted one.",
            "Likely: two configurations may be in use at once, a client may be told another one each time, or two programs of the same kind share an address and only one of them sends dummies. A single connection shows no difference, on purpose.",
            "Nothing.",
            "  dig +short HOST HTTPS   (no ech= there: what is sent is a dummy)",
            "RFC 9849, section 6.2",
        ),
        ech_grease,
    ),
    new(
        "ech-accepted",
        Severity::Info,
        0,
        "The server seems to have taken the encrypted ClientHello",
        page(
            "The HelloRetryRequest has the extension encrypted_client_hello.",
            "The server name in clear is then not the one that was wanted.",
            "Likely: a server that does not take it may answer with random bytes, to look the same.",
            "Nothing.",
            "  curl --ech true --doh-url https://RESOLVER/dns-query -v https://HOST/",
            "RFC 9849, sections 7.2.1 and 10.10.4",
        ),
        ech_accepted,
    ),
];

/// The first ClientHello in TLS's own format, if all of it could be read.
fn whole(f: &FlowFacts) -> Option<&Placed<ClientHello>> {
    let h = f.client_hello.as_deref().filter(|h| !h.message.ssl2_format)?;
    let broken = f
        .anomalies
        .iter()
        .any(|(side, a)| *side == h.side && matches!(a.kind, AnomalyKind::Undecodable(HandshakeType::CLIENT_HELLO, _)));
    (!broken).then_some(h)
}

/// A fault of the ClientHello: likely the cause when the server refused the hello in a way that fits, else only true.
fn fault(f: &FlowFacts, at: Mark, detail: String, remedy: &str) -> Hit {
    let fits = [
        AlertDescription::ILLEGAL_PARAMETER,
        AlertDescription::DECODE_ERROR,
        AlertDescription::PROTOCOL_VERSION,
        AlertDescription::HANDSHAKE_FAILURE,
    ];
    let refused = fits.iter().find_map(|d| Some((*d, super::refusal::hello_refused(f, *d)?)));
    let mut hit = Hit::new(detail, remedy).at(at).blame(Blame::Client);
    let Some((d, mark)) = refused else { return hit.beside() };
    hit.detail.push(' ');
    hit.detail.push_str(&words::alert_sentence(Role::Server, d, mark));
    hit.at(mark).severity(Severity::Error).likely()
}

fn legacy_version(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let is_bad = |v: u16| v != ProtocolVersion::TLS12.0;
    let h = whole(f)?;
    let m = &h.message;
    if m.extensions.supported_versions.contains(&ProtocolVersion::TLS13.0) && is_bad(m.legacy_version) {
        let detail = format!(
            "The ClientHello in frame {} offers {} and has legacy_version 0x{:04x} instead of 0x0303.",
            h.mark.frame,
            words::offered_versions(m),
            m.legacy_version
        );
        return Some(fault(f, h.mark, detail, "On the client: update its TLS library."));
    }
    let sh = f.server_hello.as_ref().or(f.hello_retry.as_ref())?;
    let tls13 = sh.message.version() == ProtocolVersion::TLS13;
    (tls13 && is_bad(sh.message.legacy_version)).then(|| {
        let detail = format!(
            "The ServerHello in frame {} chooses TLS 1.3 and has legacy_version 0x{:04x} instead of 0x0303.",
            sh.mark.frame, sh.message.legacy_version
        );
        super::server_hello::broken(f, sh.mark, detail)
    })
}

fn compression(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    // A list without null has a rule of its own.
    let h = whole(f).filter(|h| h.message.compression_methods.contains(&0))?;
    let methods: Vec<String> =
        h.message.compression_methods.iter().filter(|m| **m != 0).map(|m| format!("{m}")).collect();
    if methods.is_empty() {
        return None;
    }
    let detail = format!("The ClientHello in frame {} offers compression method {}.", h.mark.frame, methods.join(", "));
    Some(fault(f, h.mark, detail, "On the client: switch TLS compression off, or update its TLS library."))
}

fn null_compression(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let h = whole(f)?;
    let methods = &h.message.compression_methods;
    if methods.is_empty() || methods.contains(&0) {
        return None;
    }
    let detail =
        format!("The compression methods of the ClientHello in frame {} are {methods:?}, without 0.", h.mark.frame);
    Some(fault(f, h.mark, detail, "On the client: update its TLS library."))
}

fn ssl3(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let hit = highest(f, ProtocolVersion::SSL3)?;
    let h = f.client_hello.as_ref()?;
    Some(fault(f, h.mark, hit.detail, &hit.remedy))
}

fn highest(f: &FlowFacts, version: ProtocolVersion) -> Option<Hit> {
    let h = f.client_hello.as_ref().filter(|_| f.highest_offered() == Some(version))?;
    // Its list of versions may be what could not be read.
    if !h.message.ssl2_format && !whole(f)?.message.extensions.malformed.is_empty() {
        return None;
    }
    // A client that lowered its offer on purpose says so.
    if h.message.cipher_suites.contains(&CipherSuite::TLS_FALLBACK_SCSV.0) {
        return None;
    }
    let detail = format!("The ClientHello in frame {} offers {}.", h.mark.frame, words::offered_versions(&h.message));
    Some(
        Hit::new(detail, "On the client: update its TLS library, or raise the version in its settings.")
            .at(h.mark)
            .blame(Blame::Client),
    )
}

fn weak(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    type Kind = (&'static str, fn(CipherSuite) -> bool);
    const KINDS: &[Kind] = &[
        ("without encryption", CipherSuite::is_null),
        ("anonymous", CipherSuite::is_anon),
        ("export", CipherSuite::is_export),
        ("RC4", CipherSuite::is_rc4),
        ("DES", CipherSuite::is_des),
        ("3DES", CipherSuite::is_3des),
    ];
    // The few that are of any kind: every hello offers dozens that are of none.
    static WEAK: LazyLock<HashSet<u16>> = LazyLock::new(|| {
        let weak = CipherSuite::all().filter(|s| KINDS.iter().any(|(_, is)| is(*s)));
        weak.map(|s| s.0).collect()
    });
    let h = f.client_hello.as_ref()?;
    // How many of each kind, and the first.
    let mut found: [(u64, CipherSuite); KINDS.len()] = [(0, CipherSuite(0)); KINDS.len()];
    for suite in h.message.cipher_suites.iter().filter(|s| WEAK.contains(*s)).map(|s| CipherSuite(*s)) {
        for ((_, is), (count, first)) in KINDS.iter().zip(&mut found) {
            if is(suite) {
                if *count == 0 {
                    *first = suite;
                }
                *count = count.saturating_add(1);
            }
        }
    }
    let kinds: Vec<String> = KINDS
        .iter()
        .zip(found)
        .filter(|(_, (count, _))| *count > 0)
        .map(|((name, _), (n, first))| {
            format!("{name} ({}, such as {})", words::count(n, "suite"), words::suite(first))
        })
        .collect();
    if kinds.is_empty() {
        return None;
    }
    let detail = format!("The ClientHello in frame {} offers suites that are {}.", h.mark.frame, kinds.join(", "));
    Some(Hit::new(detail, "On the client: take them out of its list of cipher suites.").at(h.mark).blame(Blame::Client))
}

fn esni(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let h = f
        .client_hello
        .as_ref()
        .filter(|h| h.message.extensions.types.contains(&super::hello::ENCRYPTED_SERVER_NAME))?;
    let detail = format!("The ClientHello in frame {} has encrypted_server_name (0xffce).", h.mark.frame);
    Some(Hit::new(detail, "On the client: update it, or switch ESNI off.").at(h.mark).blame(Blame::Client))
}

fn ech(f: &FlowFacts, policy: &Policy) -> Option<Hit> {
    let h = f.client_hello.as_ref().filter(|h| h.message.extensions.encrypted_client_hello)?;
    if ech_grease(f, policy).is_some() {
        return None;
    }
    let name = words::server_name(f).map_or_else(|| "no server name".to_owned(), |n| format!("the server name {n}"));
    let detail = format!(
        "The ClientHello in frame {} has {name} in clear and an encrypted_client_hello, which may hold another name or nothing (GREASE).",
        h.mark.frame
    );
    Some(Hit::new(detail, "").at(h.mark).blame(Blame::Nobody))
}

/// Different configurations in as many hellos that tell a dummy: three random bytes differ nearly always, and nobody has
/// three configurations at once.
const DUMMIES: usize = 3;

fn ech_grease(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let h = f.client_hello.as_ref()?;
    let config = h.message.extensions.ech_config?;
    let earlier = &f.siblings.rare.as_ref()?.ech_configs;
    let all: BTreeSet<u8> = earlier.iter().map(|(c, _)| *c).chain([config]).collect();
    let confirmed = f.hello_retry.as_ref().is_some_and(|r| r.message.extensions.encrypted_client_hello);
    if confirmed || all.len() < DUMMIES || all.len() <= earlier.len() {
        return None;
    }
    let detail = format!(
        "The ClientHello in frame {} has an encrypted_client_hello for the configuration {config}; those of {} to {} had others, each another one.",
        h.mark.frame,
        words::count(earlier.len() as u64, "earlier connection"),
        words::server_name(f)?
    );
    let flows = earlier.iter().map(|(_, flow)| *flow).chain([f.id]);
    Some(Hit::new(detail, "").at(h.mark).likely().blame(Blame::Nobody).of(flows))
}

fn ech_accepted(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let offered = f.client_hello.as_ref()?.message.extensions.encrypted_client_hello;
    let r = f.hello_retry.as_ref().filter(|r| offered && r.message.extensions.encrypted_client_hello)?;
    let detail = format!("The HelloRetryRequest in frame {} confirms the encrypted ClientHello.", r.mark.frame);
    Some(Hit::new(detail, "").at(r.mark).likely().blame(Blame::Nobody))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        after, alert, established, find, hello, leaf, mark, server_flight, server_hello, told,
    };
    use super::{AnomalyKind, ClientHello, HandshakeType};
    use crate::diagnose::{Confidence, Severity};
    use crate::facts::FlowFacts;
    use crate::reader::{DecodeError, DecodeErrorKind};
    use crate::span::Side;
    use crate::tls::Anomaly;

    fn with(mut f: FlowFacts, change: impl FnOnce(&mut ClientHello)) -> FlowFacts {
        change(&mut f.client_hello.as_mut().expect("there").message);
        f
    }

    fn good() -> FlowFacts {
        established(server_flight(vec![leaf()]))
    }

    /// A change of the hello, and the code of what is wrong with it then.
    type Fault = (fn(&mut ClientHello), &'static str);

    #[test]
    fn faults_explain_a_refusal_and_are_told_without_one() {
        let old_number = |h: &mut ClientHello| {
            h.legacy_version = 0x0301;
            h.extensions.supported_versions = vec![0x0304, 0x0303];
        };
        let faults: [Fault; 3] = [
            (old_number, "legacy-version-bad"),
            (|h| h.compression_methods = vec![1, 0], "compression-offered"),
            (|h| h.compression_methods = vec![1], "null-compression-missing"),
        ];
        for (change, code) in faults {
            assert!(find(&good(), code).is_none());
            let x = find(&with(good(), change), code).expect("told");
            assert!(x.severity < Severity::Error && !x.explains_failure);
            let d = told(&alert(with(hello(), change), Side::B, 47));
            let x = d.findings.iter().find(|x| x.code == code).expect("told");
            assert_eq!((x.severity, x.confidence, x.explains_failure), (Severity::Error, Confidence::Likely, true));
        }
    }

    #[test]
    fn a_server_must_write_the_old_number_too() {
        let mut f = server_hello(0x0304);
        assert!(find(&f, "legacy-version-bad").is_none());
        f.server_hello.as_mut().expect("there").message.legacy_version = 0x0304;
        assert!(find(&f, "legacy-version-bad").is_some());
    }

    #[test]
    fn clients_of_another_age() {
        for (version, code) in
            [(0x0300, "sslv3-offered-max"), (0x0301, "tls10-max-client"), (0x0302, "tls11-max-client")]
        {
            let old = |h: &mut ClientHello| {
                h.legacy_version = version;
                h.extensions.supported_versions.clear();
            };
            assert!(find(&with(hello(), old), code).is_some() && find(&good(), code).is_none());
            let mut retry = with(hello(), old);
            retry.client_hello.as_mut().expect("there").message.cipher_suites.push(0x5600);
            assert!(find(&retry, code).is_none(), "it lowered its offer on purpose");
            let mut damaged = with(hello(), old);
            let error = DecodeError { what: "extensions", at: 60, kind: DecodeErrorKind::Illegal };
            let undecodable = AnomalyKind::Undecodable(HandshakeType::CLIENT_HELLO, error);
            damaged.anomalies.push((Side::A, Anomaly { kind: undecodable, mark: mark(4) }));
            assert!(find(&damaged, code).is_none(), "what it offers could not be read");
        }
    }

    #[test]
    fn weak_suites_are_told_by_kind() {
        const CODE: &str = "weak-cipher-offered";
        let x = find(&with(good(), |h| h.cipher_suites.extend([0x0005, 0x000a, 0x0004])), CODE).expect("told");
        assert!(x.detail.contains("RC4 (2 suites, such as TLS_RSA_WITH_RC4_128_SHA)"), "{}", x.detail);
        assert!(x.detail.contains("3DES (1 suite, ") && !x.detail.contains("export"), "{}", x.detail);
        assert!(find(&good(), CODE).is_none());
    }

    #[test]
    fn dummies_differ_each_time() {
        let to = |config| {
            with(good(), |h| {
                h.random = [config; 32];
                h.extensions.encrypted_client_hello = true;
                h.extensions.ech_config = Some(config);
            })
        };
        let code = |f: &FlowFacts| ["ech-grease", "ech-offered"].map(|c| find(f, c).is_some());
        let f = after(&[&to(1), &to(2)], to(3));
        assert_eq!(code(&f), [true, false]);
        assert!(find(&f, "ech-grease").is_some_and(|x| x.confidence == Confidence::Likely && x.flows == [1, 2, 9]));
        assert_eq!(code(&to(3)), [false, true]);
        assert_eq!(code(&after(&[&to(1)], to(3))), [false, true], "two may be in use");
        let again = with(to(7), |h| h.extensions.ech_config = Some(1));
        assert_eq!(code(&after(&[&to(1), &to(2), &to(3)], again)), [false, true], "one comes back");
        let mut late = to(3);
        late.client_hello.as_mut().expect("there").mark.time.0 += 700_000_000_000;
        assert_eq!(code(&after(&[&to(1), &to(2)], late)), [false, true], "they are changed now and then");
        let other = with(to(3), |h| h.extensions.server_name = Some(vec![Box::from(&b"b.example"[..])]));
        assert_eq!(code(&after(&[&to(1), &to(2)], other)), [false, true]);
        // The server has shown that it took the hello: it is none.
        let mut taken = f.clone();
        let mut retry = taken.server_hello.clone().expect("there");
        retry.message.extensions.encrypted_client_hello = true;
        taken.hello_retry = Some(retry);
        assert_eq!(code(&taken), [false, true]);
        // Another program of the same address may have a configuration where the first sends dummies.
        let curl = with(to(3), |h| h.cipher_suites.truncate(2));
        assert_eq!(code(&after(&[&to(1), &to(2)], curl)), [false, true]);
    }

    #[test]
    fn what_hides_the_name() {
        let esni = with(good(), |h| h.extensions.types.push(0xffce));
        assert!(find(&esni, "esni-obsolete").is_some() && find(&good(), "esni-obsolete").is_none());
        let mut f = with(server_hello(0x0304), |h| h.extensions.encrypted_client_hello = true);
        assert!(find(&f, "ech-offered").is_some() && find(&good(), "ech-offered").is_none());
        assert!(find(&f, "ech-accepted").is_none());
        let mut retry = f.server_hello.clone().expect("there");
        retry.message.hello_retry = true;
        f.hello_retry = Some(retry.clone());
        assert!(find(&f, "ech-accepted").is_none());
        retry.message.extensions.encrypted_client_hello = true;
        f.hello_retry = Some(retry);
        assert!(find(&f, "ech-accepted").is_some_and(|x| x.confidence == Confidence::Likely));
    }
}
