//! Extensions of a certificate (RFC 5280, section 4.2). A damaged one is named and the others are read.

use crate::reader::Decoded;
use crate::{limits, text};

use super::cert::{Certificate, KeyUsage};
use super::constraints::NameConstraints;
use super::der::{
    self, BIT_STRING, BOOLEAN, Der, INTEGER, OCTET_STRING, OID, SEQUENCE, Tlv, context, context_constructed,
};
use super::oid::{self, Oid, oid};
use super::san::{self, San};
use super::sct;

// One bit each is kept of what was met.
const _: () = assert!(EXTENSIONS.len() <= 32);

/// Reads what is inside of the OCTET STRING.
type Read = fn(Der<'_>, &mut Certificate) -> Decoded<()>;

/// The extensions that are understood (a critical one that is not here is told; so is the poison of a precertificate, which
/// no client is to understand: RFC 6962, section 3.1). A new one is one line and one function.
const EXTENSIONS: &[(Oid, (&str, Read))] = &[
    (oid("2.5.29.14"), ("subjectKeyIdentifier", subject_key_id)),
    (oid("2.5.29.35"), ("authorityKeyIdentifier", authority_key_id)),
    (oid("2.5.29.15"), ("keyUsage", key_usage)),
    (oid("2.5.29.19"), (BASIC_CONSTRAINTS, basic_constraints)),
    (oid("2.5.29.37"), ("extKeyUsage", extended_key_usage)),
    (oid("2.5.29.17"), ("subjectAltName", subject_alt_name)),
    (oid("1.3.6.1.5.5.7.1.1"), ("authorityInfoAccess", authority_info_access)),
    (oid("2.5.29.31"), ("cRLDistributionPoints", crl_distribution_points)),
    (oid("2.5.29.32"), ("certificatePolicies", policies)),
    (oid("1.3.6.1.4.1.11129.2.4.2"), ("signedCertificateTimestampList", sct_list)),
    (oid("1.3.6.1.5.5.7.1.24"), ("tlsFeature", tls_feature)),
    (oid("2.5.29.30"), ("nameConstraints", name_constraints)),
    (oid("2.5.29.18"), ("issuerAltName", nothing)),
    (oid("2.5.29.33"), ("policyMappings", nothing)),
    (oid("2.5.29.36"), ("policyConstraints", nothing)),
    (oid("2.5.29.54"), ("inhibitAnyPolicy", nothing)),
    (oid("2.5.29.46"), ("freshestCRL", nothing)),
    (oid("1.3.6.1.5.5.7.1.11"), ("subjectInfoAccess", nothing)),
    (oid("2.5.29.9"), ("subjectDirectoryAttributes", nothing)),
    (oid("2.16.840.1.113730.1.1"), ("nsCertType", nothing)),
    (oid("1.3.6.1.5.5.7.1.14"), ("proxyCertInfo", nothing)),
    (oid("1.3.6.1.5.5.7.48.1.5"), ("ocspNoCheck", nothing)),
];

/// The name of basic constraints.
pub(super) const BASIC_CONSTRAINTS: &str = "basicConstraints";

/// The name of an extension that is understood, from its identifier's content bytes.
pub(super) fn name(kind: &[u8]) -> Option<&'static str> {
    oid::find(EXTENSIONS, kind).map(|(name, _)| name)
}

/// Reads `[3] EXPLICIT Extensions`.
pub(super) fn read_all(explicit: &Tlv<'_>, c: &mut Certificate) -> Decoded<()> {
    let mut outer = explicit.inside();
    let mut all = outer.expect("extensions", SEQUENCE)?.inside();
    outer.end("extensions")?;
    let mut seen = 0u32;
    while !all.is_empty() {
        let one = all.next("Extension")?;
        if let Err(e) = read_one(&one, c, &mut seen) {
            c.problem(e);
        }
    }
    Ok(())
}

/// `seen` has a bit for each entry of the table that was met.
fn read_one(extension: &Tlv<'_>, c: &mut Certificate, seen: &mut u32) -> Decoded<()> {
    let mut fields = extension.of("Extension", SEQUENCE)?.inside();
    let kind = fields.expect("extnID", OID)?.content;
    let critical = fields.optional("critical", BOOLEAN)?.is_some_and(|b| b.content != [0]);
    let Some((n, (_, (name, read)))) = EXTENSIONS.iter().enumerate().find(|(_, (o, _))| o.is(kind)) else {
        if critical && c.unknown_critical.len() < limits::CERTIFICATE_LIST {
            c.unknown_critical.push(oid::dotted(kind));
        } else if critical {
            c.beyond("unknown critical extensions");
        }
        return Ok(());
    };
    let bit = 1u32 << (n & 31);
    if *seen & bit != 0 {
        // RFC 5280 forbids it; which of them counts differs from peer to peer, here the first.
        c.note(format!("the extension {name} is there more than once"));
        return Ok(());
    }
    *seen |= bit;
    let value = fields.expect(name, OCTET_STRING)?;
    if let Err(e) = read(value.inside(), c) {
        // `what` of an inner error is a part; the whole is named before it.
        c.note(format!("{name}: {e}"));
    }
    fields.end(name)
}

fn nothing(_: Der<'_>, _: &mut Certificate) -> Decoded<()> {
    Ok(())
}

fn subject_key_id(mut d: Der<'_>, c: &mut Certificate) -> Decoded<()> {
    c.subject_key_id = Some(key_id(&d.expect("KeyIdentifier", OCTET_STRING)?));
    d.end("KeyIdentifier")
}

fn authority_key_id(mut d: Der<'_>, c: &mut Certificate) -> Decoded<()> {
    let mut fields = d.expect("AuthorityKeyIdentifier", SEQUENCE)?.inside();
    c.authority_key_id = fields.optional("keyIdentifier", context(0))?.map(|t| key_id(&t));
    d.end("AuthorityKeyIdentifier")
}

/// An identifier is a hash by custom, yet any bytes may stand there: long ones are cut.
fn key_id(t: &Tlv<'_>) -> String {
    text::hex(t.content.get(..limits::CERTIFICATE_SERIAL).unwrap_or(t.content))
}

fn key_usage(mut d: Der<'_>, c: &mut Certificate) -> Decoded<()> {
    let value = d.expect("KeyUsage", BIT_STRING)?;
    let (bytes, _) = value.bits("KeyUsage")?;
    let byte = |n: usize| bytes.get(n).copied().unwrap_or(0).reverse_bits();
    // Named bits are counted from the top of the first byte.
    c.key_usage = Some(KeyUsage(u16::from_le_bytes([byte(0), byte(1) & 1])));
    d.end("KeyUsage")
}

fn basic_constraints(mut d: Der<'_>, c: &mut Certificate) -> Decoded<()> {
    let mut fields = d.expect("BasicConstraints", SEQUENCE)?.inside();
    let ca = fields.optional("cA", BOOLEAN)?.is_some_and(|b| b.content != [0]);
    c.basic_constraints = Some((ca, None));
    if let Some(n) = fields.optional("pathLenConstraint", INTEGER)? {
        let n = der::small_uint(n.content).ok_or(n.illegal("pathLenConstraint"))?;
        c.basic_constraints = Some((ca, Some(u32::try_from(n).unwrap_or(u32::MAX))));
    }
    fields.end("BasicConstraints")?;
    d.end("BasicConstraints")
}

fn extended_key_usage(mut d: Der<'_>, c: &mut Certificate) -> Decoded<()> {
    let mut list = d.expect("ExtKeyUsageSyntax", SEQUENCE)?.inside();
    let out = c.extended_key_usage.insert(Vec::new());
    let mut more = false;
    while !list.is_empty() {
        let kind = list.expect("KeyPurposeId", OID)?.content;
        let known = oid::find(oid::PURPOSES, kind);
        // One that rules ask for is kept wherever it stands.
        if out.len() < limits::CERTIFICATE_LIST || known.is_some_and(|k| !out.iter().any(|o| o == k)) {
            out.push(known.map_or_else(|| oid::dotted(kind), Into::into));
        } else {
            more = true;
        }
    }
    if more {
        c.beyond("key purposes");
    }
    d.end("ExtKeyUsageSyntax")
}

fn subject_alt_name(mut d: Der<'_>, c: &mut Certificate) -> Decoded<()> {
    let mut list = d.expect("GeneralNames", SEQUENCE)?.inside();
    while !list.is_empty() {
        let one = list.next("GeneralName")?;
        if c.subject_alt_names.len() >= limits::CERTIFICATE_NAMES {
            c.note(format!("only the first {} alternative names are looked at", limits::CERTIFICATE_NAMES));
            break;
        }
        match san::read(&one) {
            Ok(name) => {
                if let San::BadIp(_) = name {
                    c.note(format!("subjectAltName: an iPAddress has {} bytes", one.content.len()));
                }
                c.subject_alt_names.push(name);
            }
            Err(e) => c.note(format!("subjectAltName: {e}")),
        }
    }
    d.end("GeneralNames")
}

fn authority_info_access(mut d: Der<'_>, c: &mut Certificate) -> Decoded<()> {
    const OCSP: Oid = oid("1.3.6.1.5.5.7.48.1");
    const CA_ISSUERS: Oid = oid("1.3.6.1.5.5.7.48.2");
    let mut list = d.expect("AuthorityInfoAccessSyntax", SEQUENCE)?.inside();
    let mut more = false;
    while !list.is_empty() {
        let mut access = list.expect("AccessDescription", SEQUENCE)?.inside();
        let method = access.expect("accessMethod", OID)?.content;
        if OCSP.is(method) {
            more |= san::uris(access, &mut c.ocsp_urls)?;
        } else if CA_ISSUERS.is(method) {
            more |= san::uris(access, &mut c.ca_issuer_urls)?;
        }
    }
    if more {
        c.beyond("URLs of one kind");
    }
    d.end("AuthorityInfoAccessSyntax")
}

fn crl_distribution_points(mut d: Der<'_>, c: &mut Certificate) -> Decoded<()> {
    let mut list = d.expect("CRLDistributionPoints", SEQUENCE)?.inside();
    let mut more = false;
    while !list.is_empty() {
        let mut point = list.expect("DistributionPoint", SEQUENCE)?.inside();
        if let Some(explicit) = point.optional("distributionPoint", context_constructed(0))?
            && let Some(full) = explicit.inside().optional("fullName", context_constructed(0))?
        {
            more |= san::uris(full.inside(), &mut c.crl_urls)?;
        }
    }
    if more {
        c.beyond("URLs of one kind");
    }
    d.end("CRLDistributionPoints")
}

/// SignedCertificateTimestampList (RFC 6962, section 3.3).
fn sct_list(mut d: Der<'_>, c: &mut Certificate) -> Decoded<()> {
    let list = d.expect("SignedCertificateTimestampList", OCTET_STRING)?;
    let what = "SignedCertificateTimestampList";
    let scts = c.sct_list.insert(sct::read(list.content));
    if matches!(scts.fault, Some((_, sct::SctFault::List))) {
        return Err(list.illegal(what));
    }
    d.end(what)
}

/// TLS features (RFC 7633): the TLS extensions that the server must answer.
fn tls_feature(mut d: Der<'_>, c: &mut Certificate) -> Decoded<()> {
    let mut list = d.expect("Features", SEQUENCE)?.inside();
    while !list.is_empty() {
        // status_request is 5, status_request_v2 17.
        let n = der::small_uint(list.expect("Feature", INTEGER)?.content);
        c.must_staple |= matches!(n, Some(5 | 17));
    }
    d.end("Features")
}

fn name_constraints(d: Der<'_>, c: &mut Certificate) -> Decoded<()> {
    let constraints = NameConstraints::read(d)?;
    if constraints.more {
        c.beyond("names of a kind in nameConstraints");
    }
    c.name_constraints = Some(constraints);
    Ok(())
}

/// Policies of the CA/Browser Forum: 2.23.140.1.1 (extended validation) and the arc 2.23.140.1.2.
fn policies(mut d: Der<'_>, c: &mut Certificate) -> Decoded<()> {
    let mut list = d.expect("certificatePolicies", SEQUENCE)?.inside();
    while !list.is_empty() {
        let policy = list.expect("PolicyInformation", SEQUENCE)?.inside().expect("policyIdentifier", OID)?.content;
        c.is_public |= policy == [0x67, 0x81, 0x0c, 1, 1] || policy.starts_with(&[0x67, 0x81, 0x0c, 1, 2]);
    }
    d.end("certificatePolicies")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::x509::cert::tests::Fields;
    use crate::x509::der::tlv;

    /// An extension whose identifier is `2.5.29.n`.
    pub(in crate::x509) fn ce(n: u8, critical: bool, value: &[u8]) -> Vec<u8> {
        any(&[0x55, 0x1d, n], critical, value)
    }

    fn any(kind: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
        let flag: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
        tlv(SEQUENCE, &[&tlv(OID, &[kind]), flag, &tlv(OCTET_STRING, &[value])])
    }

    fn cert(all: &[Vec<u8>]) -> Certificate {
        Certificate::parse(&Fields::new().extensions(all).der())
    }

    fn pkix(end: &[u8]) -> Vec<u8> {
        [&[0x2b, 6, 1, 5, 5, 7][..], end].concat()
    }

    fn uri(s: &str) -> Vec<u8> {
        tlv(0x86, &[s.as_bytes()])
    }

    /// One of each that holds something, and what reads them back.
    fn full() -> Vec<Vec<u8>> {
        let access = |method: u8, s: &str| tlv(SEQUENCE, &[&tlv(OID, &[&pkix(&[0x30, method])]), &uri(s)]);
        let point = tlv(SEQUENCE, &[&tlv(0xa0, &[&tlv(0xa0, &[&uri("http://crl.example/a"), &uri("ldap://b")])])]);
        let purposes = [tlv(OID, &[&pkix(&[3, 1])]), tlv(OID, &[&[0x2b, 1]])].concat();
        vec![
            ce(14, false, &tlv(OCTET_STRING, &[&[1, 2, 3]])),
            ce(35, false, &tlv(SEQUENCE, &[&tlv(0x80, &[&[4, 5, 6]])])),
            // digitalSignature, keyCertSign and decipherOnly: bits 0, 5 and 8.
            ce(15, true, &[3, 3, 7, 0x84, 0x80]),
            ce(19, true, &tlv(SEQUENCE, &[&[1, 1, 0xff], &[2, 1, 2]])),
            ce(37, false, &tlv(SEQUENCE, &[&purposes])),
            ce(17, false, &tlv(SEQUENCE, &[&tlv(0x82, &[b"a.example"])])),
            any(
                &pkix(&[1, 1]),
                false,
                &tlv(SEQUENCE, &[&access(1, "http://ocsp.example"), &access(2, "http://ca.example\x1b")]),
            ),
            ce(31, false, &tlv(SEQUENCE, &[&point])),
            any(&[0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2], false, &tlv(OCTET_STRING, &[&[0, 7, 0, 2, 9, 9, 0, 1, 8]])),
            any(&pkix(&[1, 0x18]), false, &tlv(SEQUENCE, &[&tlv(INTEGER, &[&[5]])])),
            any(&[0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 3], true, &[5, 0]),
            ce(30, true, &tlv(SEQUENCE, &[])),
        ]
    }

    #[test]
    fn all_that_are_understood() {
        let c = cert(&full());
        assert_eq!(c.problems, [""; 0]);
        assert_eq!((c.subject_key_id.as_deref(), c.authority_key_id.as_deref()), (Some("010203"), Some("040506")));
        assert_eq!(c.key_usage.unwrap().names(), ["digitalSignature", "keyCertSign", "decipherOnly"]);
        assert_eq!(c.basic_constraints, Some((true, Some(2))));
        assert_eq!(c.extended_key_usage.as_deref().unwrap(), ["serverAuth", "1.3.1"]);
        assert!(c.allows("serverAuth") && !c.allows("clientAuth") && c.is_ca());
        assert_eq!(c.subject_alt_names, [San::Dns("a.example".into())]);
        assert_eq!(
            (c.ocsp_urls, c.ca_issuer_urls),
            (vec!["http://ocsp.example".into()], vec!["http://ca.example\\u{1b}".into()])
        );
        assert_eq!(c.crl_urls, ["http://crl.example/a", "ldap://b"]);
        assert_eq!((c.sct_list.map(|l| l.count), c.must_staple, c.name_constraints.is_some()), (Some(2), true, true));
        // The poison of a precertificate.
        assert_eq!(c.unknown_critical, ["1.3.6.1.4.1.11129.2.4.3"]);
    }

    #[test]
    fn a_damaged_one_costs_only_itself() {
        let all = full();
        for n in 0..all.len() {
            // An element that claims more than there is, in place of the value.
            let mut damaged = all.clone();
            let at = damaged[n].len() - 1;
            let kind_len = usize::from(damaged[n][3]);
            let kind = damaged[n][4..4 + kind_len].to_vec();
            damaged[n] = any(&kind, false, &[0x30, 9, 1]);
            let c = cert(&damaged);
            // The poison is not looked into.
            assert_eq!(c.problems.len(), usize::from(n != 10), "{n} {at} {:?}", c.problems);
            assert_eq!(c.subject_alt_names.is_empty(), n == 5);
            assert_eq!(c.crl_urls.is_empty(), n == 7);
            // And one without any value.
            damaged[n] = tlv(SEQUENCE, &[&tlv(OID, &[&kind])]);
            assert_eq!(cert(&damaged).problems.len(), usize::from(n != 10), "{n}");
        }
    }

    #[test]
    fn policies_of_public_authorities() {
        // 2.23.140.1.2.1 (domain validated) and 2.23.140.1.3 (code signing).
        let policy = |oid: &[u8]| ce(32, false, &tlv(SEQUENCE, &[&tlv(SEQUENCE, &[&tlv(OID, &[oid])])]));
        assert!(cert(&[policy(&[0x67, 0x81, 0x0c, 1, 2, 1])]).is_public);
        assert!(cert(&[policy(&[0x67, 0x81, 0x0c, 1, 1])]).is_public);
        assert!(!cert(&[policy(&[0x67, 0x81, 0x0c, 1, 3])]).is_public && !cert(&[]).is_public);
    }

    #[test]
    fn unknown_ones_matter_when_critical() {
        let c = cert(&[any(&[0x2a, 3, 4], true, &[]), any(&[0x2a, 3, 5], false, &[])]);
        assert_eq!((c.unknown_critical, c.problems), (vec!["1.2.3.4".to_owned()], vec![]));
        let many: Vec<_> =
            (0..1000u16).map(|n| any(&[0x2a, 3, 0x80 | (n >> 7) as u8, (n & 0x7f) as u8], true, &[])).collect();
        let c = cert(&many);
        assert_eq!(c.unknown_critical.len(), limits::CERTIFICATE_LIST);
        assert_eq!(c.problems, ["only the first 100 unknown critical extensions are looked at"]);
    }

    #[test]
    fn lists_are_capped_and_say_so() {
        let purpose = |oid: &[u8]| tlv(OID, &[oid]);
        let many: Vec<u8> = (0..120u8).flat_map(|n| purpose(&[0x2a, 3, n])).collect();
        let server_auth = purpose(&[0x2b, 6, 1, 5, 5, 7, 3, 1]);
        let c = cert(&[ce(37, false, &tlv(SEQUENCE, &[&many, &server_auth]))]);
        let usage = c.extended_key_usage.unwrap();
        assert_eq!((usage.len(), usage.last().map(String::as_str)), (limits::CERTIFICATE_LIST + 1, Some("serverAuth")));
        assert_eq!(c.problems, ["only the first 100 key purposes are looked at"]);
        let url = |n: usize| tlv(0x86, &[format!("http://{n}.example/").as_bytes()]);
        let points = |n: usize| {
            let all: Vec<u8> = (0..n).flat_map(url).collect();
            let point = tlv(SEQUENCE, &[&tlv(0xa0, &[&tlv(0xa0, &[&all])])]);
            cert(&[ce(31, false, &tlv(SEQUENCE, &[&point]))])
        };
        assert_eq!(points(101).problems, ["only the first 100 URLs of one kind are looked at"]);
        assert!(points(100).problems.is_empty());
        let tree = tlv(SEQUENCE, &[&tlv(0x82, &[b"a.example"])]);
        let c = cert(&[ce(30, true, &tlv(SEQUENCE, &[&tlv(0xa0, &[&tree.repeat(101)])]))]);
        assert_eq!(c.problems, ["only the first 100 names of a kind in nameConstraints are looked at"]);
        let other = Certificate { subject_alt_names: vec![San::Dns("b.test".into())], ..Certificate::default() };
        // The one that permits it may be among the others.
        assert!(c.name_constraints.unwrap().forbidden(&other).is_none());
    }

    #[test]
    fn the_first_of_two_counts() {
        let san = |s: &str| ce(17, false, &tlv(SEQUENCE, &[&tlv(0x82, &[s.as_bytes()])]));
        let c = cert(&[san("a.example"), san("b.example")]);
        assert_eq!(c.subject_alt_names, [San::Dns("a.example".into())]);
        assert_eq!(c.problems, ["the extension subjectAltName is there more than once"]);
    }

    #[test]
    fn names_are_capped() {
        let list = tlv(SEQUENCE, &[&[0x82, 0].repeat(limits::CERTIFICATE_NAMES + 5)]);
        let c = cert(&[ce(17, false, &list)]);
        assert_eq!((c.subject_alt_names.len(), c.problems.len()), (limits::CERTIFICATE_NAMES, 1));
    }
}
