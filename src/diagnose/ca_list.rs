//! The list of acceptable CAs in a CertificateRequest, where it can be read (TLS 1.2 and before).

use std::net::IpAddr;

use super::refusal::{Stage, of_server, stage};
use super::{Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::{CertificateRequestFact, FlowFacts};
use crate::span::Role;
use crate::x509::{NameEquality, compare_names};

const SHOW: &str = "  openssl s_client -connect HOST:PORT -servername NAME -tls1_2 </dev/null\n  (\"Acceptable client certificate CA names\")";

/// More names than this, or more bytes than one record holds, is no list that somebody wrote.
const MANY: usize = 100;
/// See above.
const LARGE: usize = 16_384;

/// So many names of public authorities are no chance.
const PUBLIC: usize = 10;

/// Organisations (`O=` of their roots) that run authorities of the web.
const PUBLIC_AUTHORITIES: &[&str] = &[
    "Actalis S.p.A./03358520967",
    "Amazon",
    "Asseco Data Systems S.A.",
    "Buypass AS-983163327",
    "Certainly",
    "COMODO CA Limited",
    "D-Trust GmbH",
    "DigiCert Inc",
    "DigiCert, Inc.",
    "Entrust, Inc.",
    "GlobalSign",
    "GlobalSign nv-sa",
    "GoDaddy.com, Inc.",
    "Google Trust Services LLC",
    "IdenTrust",
    "Internet Security Research Group",
    "Let's Encrypt",
    "Microsoft Corporation",
    "QuoVadis Limited",
    "SSL Corporation",
    "Sectigo Limited",
    "SecureTrust Corporation",
    "Starfield Technologies, Inc.",
    "SwissSign AG",
    "T-Systems Enterprise Services GmbH",
    "The USERTRUST Network",
    "Unizeto Technologies S.A.",
    "VeriSign, Inc.",
    "WISeKey",
    "ZeroSSL",
];

pub(super) const RULES: &[Rule] = &[
    new(
        "ca-list-huge",
        Severity::Warning,
        42,
        "The server's list of acceptable client CAs is very long",
        page(
            "The CertificateRequest names more than 100 authorities, or its names have more than 16 KiB.",
            "Mostly the whole bundle of the operating system was given as the list of client CAs. The message needs several records and round trips; some clients (embedded ones, EAP supplicants, old OpenSSL) give up on it, and proxies cut it.",
            "The size is read in clear. It is the cause only when the client refused right behind it with decode_error, illegal_parameter or record_overflow (likely).",
            "Give the server a file with the CAs that really issue client certificates: nginx ssl_client_certificate (and ssl_trusted_certificate for those that need not be announced), Apache SSLCADNRequestFile, HAProxy ca-file with ca-verify-file, Envoy trusted_ca.",
            SHOW,
            "RFC 5246, section 7.4.4; RFC 8446, section 4.2.4",
        ),
        huge,
    ),
    new(
        "ca-list-is-public-roots",
        Severity::Warning,
        0,
        "The server takes the public authorities of the web for issuers of client certificates",
        page(
            "At least ten names in the list of acceptable CAs are roots of public authorities.",
            "The list is the bundle that clients use to judge servers. Whoever gets a certificate from any of these authorities passes the check of the issuer; without a further check of the name this is no authentication.",
            "Likely: by the organizations in the names. That the server also checks names or fingerprints cannot be seen.",
            "Use the private CA that issues the client certificates only: nginx ssl_client_certificate, Apache SSLCACertificateFile, openssl s_server -CAfile, Java: a trust store of its own for client authentication.",
            SHOW,
            "RFC 5246, section 7.4.4; RFC 9325, section 7.1",
        ),
        public_roots,
    ),
    new(
        "ca-list-leaks-internal-names",
        Severity::Info,
        0,
        "The list of acceptable client CAs shows internal names to everybody",
        page(
            "A server with a public address asks for client certificates and names authorities whose names contain internal domains, hosts, addresses or mailboxes.",
            "The request comes before the client has shown who it is: any scanner reads the names of the internal directory.",
            "Read in clear. TLS 1.3 encrypts the list towards bystanders, yet still shows it to everybody who connects.",
            "Nothing is broken. To tell less, send no list (Envoy and Go do so by themselves: ClientCAs decides, Apache: SSLCADNRequestFile with other names), or issue client certificates from a CA with a neutral name.",
            SHOW,
            "RFC 5246, section 7.4.4",
        ),
        internal_names,
    ),
    new(
        "ca-dn-encoding-mismatch",
        Severity::Warning,
        0,
        "The issuer of the client's certificate stands in the server's list in another encoding only",
        page(
            "The name of the issuer and a name in the list of acceptable CAs are the same text, but not the same bytes: another string type (PrintableString, UTF8String), other case or other white space.",
            "The standard calls them equal; clients and servers that compare bytes find no certificate that fits, or no issuer. Mostly the CA's certificate was made anew by another tool.",
            "Certain as to the bytes. Whether one of both minds, the flow does not say.",
            "Issue the CA's certificate again with the encoding that stands in the issued certificates (openssl req: string_mask), and put this one into the server's list.",
            "  openssl asn1parse -in ca.pem -strparse OFFSET; openssl x509 -in client.pem -noout -issuer -nameopt show_type",
            "RFC 5280, section 7.1",
        ),
        encoding,
    ),
];

/// Names of the list, those beyond the cap included.
fn count(r: &CertificateRequestFact) -> usize {
    r.authorities.len().saturating_add(r.omitted)
}

fn huge(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = f.certificate_request.as_ref()?;
    let names = count(r);
    let bytes = r.authorities_raw.iter().map(|n| n.len().saturating_add(2)).fold(0, usize::saturating_add);
    if names <= MANY && bytes <= LARGE {
        return None;
    }
    let more = if r.omitted > 0 { "more than " } else { "" };
    let detail = format!(
        "The CertificateRequest in frame {} names {} ({more}{bytes} bytes).",
        r.mark.frame,
        words::count(names as u64, "CA")
    );
    let remedy = "On the server: announce only the CAs that issue client certificates (nginx: ssl_client_certificate; Apache: SSLCADNRequestFile) instead of a whole bundle.";
    let hit = Hit::new(detail, remedy).at(r.mark).blame(Role::Server);
    let choked = of_server(f).filter(|e| {
        stage(f) == Stage::CertFlight
            && e.mark.frame >= r.mark.frame
            && matches!(e.alert.map(|a| a.0), Some(22 | 47 | 50))
    });
    Some(match choked {
        Some(e) => hit.at(e.mark).severity(Severity::Error).likely(),
        None => hit.beside(),
    })
}

/// The name is that of a public authority of the web.
pub(crate) fn is_public_authority(name: &str) -> bool {
    // RFC 4514 escapes commas.
    let plain = name.replace('\\', "");
    PUBLIC_AUTHORITIES.iter().any(|o| {
        plain.match_indices("O=").any(|(at, _)| {
            let starts = at == 0 || plain.get(..at).is_some_and(|b| b.ends_with(',') || b.ends_with('+'));
            let rest = plain.get(at..).and_then(|r| r.strip_prefix("O=")).and_then(|r| r.strip_prefix(o));
            starts && rest.is_some_and(|r| r.is_empty() || r.starts_with(',') || r.starts_with('+'))
        })
    })
}

/// Names of public authorities in a list that has too many of them for chance.
fn public_names(r: &CertificateRequestFact) -> Option<Vec<String>> {
    let public = r.authorities.iter().filter(|n| is_public_authority(n));
    let public: Vec<String> = public.map(|n| format!("\"{}\"", words::name(n))).collect();
    (public.len() >= PUBLIC).then_some(public)
}

fn public_roots(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = f.certificate_request.as_ref()?;
    let public = public_names(r)?;
    let detail = format!(
        "Of {} acceptable CAs in frame {}, {} are public: {}.",
        count(r),
        r.mark.frame,
        public.len(),
        words::list(&public)
    );
    let remedy = "On the server: use a file with the CA that issues the clients' certificates, not the bundle for judging servers.";
    Some(Hit::new(detail, remedy).at(r.mark).likely().blame(Role::Server))
}

/// A part of a name that only the inside of an organisation uses.
fn is_internal(name: &str) -> bool {
    const DOMAINS: &[&str] = &["local", "internal", "corp", "lan", "intranet", "intra", "home", "localdomain"];
    let parts: Vec<(&str, &str)> = name.split([',', '+']).filter_map(|p| p.split_once('=')).collect();
    let domains: Vec<&str> = parts.iter().filter(|(k, _)| *k == "DC").map(|(_, v)| *v).collect();
    // Active Directory puts the domain into the names of its authorities, top-level domain last in this text.
    domains.len() > 1
        || parts.iter().any(|(kind, value)| {
            let host = value.rsplit_once('.').filter(|(head, _)| !head.is_empty() && !head.contains(' '));
            let internal = host.is_some_and(|(_, top)| DOMAINS.iter().any(|d| top.eq_ignore_ascii_case(d)));
            *kind == "emailAddress" && value.contains('@')
                || internal
                || value.parse().is_ok_and(|a: IpAddr| !is_public(a))
        })
}

/// An address that the Internet can reach.
fn is_public(a: IpAddr) -> bool {
    match a {
        IpAddr::V4(a) => {
            let shared = a.octets().first() == Some(&100) && a.octets().get(1).is_some_and(|b| (64..128).contains(b));
            !(a.is_private() || a.is_loopback() || a.is_link_local() || a.is_unspecified() || shared)
        }
        IpAddr::V6(a) => !(a.is_loopback() || a.is_unspecified() || a.is_unique_local() || a.is_unicast_link_local()),
    }
}

fn internal_names(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = f.certificate_request.as_ref()?;
    let server = f.end(Role::Server);
    let internal: Vec<String> =
        r.authorities.iter().filter(|n| is_internal(n)).map(|n| format!("\"{}\"", words::name(n))).collect();
    // Public authorities name mailboxes in their roots.
    if internal.is_empty() || !is_public(server.ip) || public_names(r).is_some() {
        return None;
    }
    let detail =
        format!("In frame {} the server {} names {}.", r.mark.frame, words::end(server), words::list(&internal));
    let remedy = "Nothing is broken. If strangers can reach the server and should not learn these names, let it send no list, or one with neutral names.";
    Some(Hit::new(detail, remedy).at(r.mark).blame(Role::Server))
}

fn encoding(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let r = f.certificate_request.as_ref()?;
    let sent = f.of(Role::Client).certificates.as_ref()?;
    let equal = |dn: &[u8], how| r.authorities_raw.iter().any(|a| compare_names(a, dn) == how);
    if r.omitted > 0 || sent.chain.iter().any(|c| equal(&c.issuer_raw, NameEquality::Identical)) {
        return None;
    }
    let c = sent.chain.iter().find(|c| equal(&c.issuer_raw, NameEquality::SameText))?;
    let detail = format!(
        "The issuer \"{}\" of the certificate in frame {} is in the list of frame {} as text, not byte for byte.",
        words::name(&c.issuer),
        sent.mark.frame,
        r.mark.frame
    );
    let remedy = "Make the CA's certificate anew with the same encoding of its name as in the certificates that it issued, and list that one on the server.";
    Some(Hit::new(detail, remedy).at(r.mark).at(sent.mark))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{alert, asked, client_flight, dn, established, find, leaf, server_flight, told};
    use super::*;
    use crate::span::Side;
    use crate::x509::Certificate;

    fn listing(names: &[String]) -> FlowFacts {
        let mut f = asked(server_flight(vec![leaf()]));
        let r = f.certificate_request.as_mut().expect("asked");
        r.authorities = names.to_vec();
        r.authorities_raw = names.iter().map(|n| dn(n.get(..20).unwrap_or(n))).collect();
        f
    }

    #[test]
    fn a_list_without_end() {
        let many: Vec<String> = (0..101).map(|n| format!("CN=CA {n}")).collect();
        let worked = find(&established(listing(&many)), "ca-list-huge").expect("told");
        assert_eq!((worked.severity, worked.explains_failure), (Severity::Warning, false));
        assert_eq!(told(&alert(listing(&many), Side::A, 50)).cause, Some("ca-list-huge"));
        assert_ne!(told(&alert(listing(&many), Side::A, 48)).cause, Some("ca-list-huge"));
        assert!(find(&listing(many.get(..100).expect("there")), "ca-list-huge").is_none());
    }

    #[test]
    fn public_authorities_are_known_by_their_organisation() {
        assert!(is_public_authority("CN=ISRG Root X1,O=Internet Security Research Group,C=US"));
        assert!(is_public_authority("CN=Go Daddy Root Certificate Authority - G2,O=GoDaddy.com\\, Inc.,L=Scottsdale"));
        assert!(!is_public_authority("CN=x,O=Amazonas Private CA") && !is_public_authority("CN=O=Amazon"));
        let public: Vec<String> = (0..10).map(|n| format!("CN=R{n},O=DigiCert Inc,C=US")).collect();
        assert!(find(&listing(&public), "ca-list-is-public-roots").is_some());
        assert!(find(&listing(public.get(..9).expect("there")), "ca-list-is-public-roots").is_none());
    }

    #[test]
    fn names_of_the_inside() {
        for name in
            ["CN=corp-CA,DC=corp,DC=example", "CN=pki.ops.internal", "CN=CA,emailAddress=a@b.example", "CN=10.1.2.3"]
        {
            let mut f = listing(&[name.to_owned()]);
            assert!(find(&f, "ca-list-leaks-internal-names").is_some(), "{name}");
            f.ends.b.ip = [192, 168, 0, 7].into();
            assert!(find(&f, "ca-list-leaks-internal-names").is_none(), "{name}: seen by the inside only");
        }
        for name in ["CN=Lab Client CA,O=Lab", "CN=www.example", "CN=198.51.100.7", "CN=Version 2. local"] {
            assert!(find(&listing(&[name.to_owned()]), "ca-list-leaks-internal-names").is_none(), "{name}");
        }
    }

    #[test]
    fn one_name_in_two_encodings() {
        // The issuer as PrintableString (0x13) instead of UTF8String.
        let mut printable = dn("Client CA");
        *printable.get_mut(11).expect("the type") = 0x13;
        let of = |issuer_raw: Box<[u8]>| {
            let c = Certificate { issuer: "CN=Client CA".into(), issuer_raw, ..leaf() };
            established(client_flight(asked(server_flight(vec![leaf()])), vec![c]))
        };
        assert!(find(&of(printable), "ca-dn-encoding-mismatch").is_some());
        assert!(find(&of(dn("Client CA")), "ca-dn-encoding-mismatch").is_none());
        assert!(find(&of(dn("Another CA")), "ca-dn-encoding-mismatch").is_none());
    }
}
