//! Certificates made by hand, field by field, and by others.

use sha2::{Digest as _, Sha256};

use super::*;
use crate::text;
use crate::x509::KeyAlgorithm;
use crate::x509::der::{BIT_STRING, GENERALIZED_TIME, INTEGER, OID, SEQUENCE, UTC_TIME, UTF8_STRING, tlv};
use crate::x509::key::tests::rsa;
use crate::x509::name::tests::name as dn;

const CN: &[u8] = &[0x55, 4, 3];

/// The fields of a TBSCertificate, to be changed one by one.
pub(in crate::x509) struct Fields {
    pub(in crate::x509) parts: Vec<Vec<u8>>,
}

pub(in crate::x509) const VERSION: usize = 0;
pub(in crate::x509) const SERIAL: usize = 1;
const SIGNATURE: usize = 2;
const ISSUER: usize = 3;
pub(in crate::x509) const VALIDITY: usize = 4;
const SUBJECT: usize = 5;
const KEY: usize = 6;

fn algorithm() -> Vec<u8> {
    tlv(SEQUENCE, &[&tlv(OID, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]]), &[5, 0]])
}

impl Fields {
    pub(in crate::x509) fn new() -> Self {
        let times = [tlv(UTC_TIME, &[b"200101000000Z"]), tlv(GENERALIZED_TIME, &[b"20500101000000Z"])];
        let parts = vec![
            tlv(0xa0, &[&tlv(INTEGER, &[&[2]])]),
            tlv(INTEGER, &[&[0, 0xab, 1]]),
            algorithm(),
            dn(&[(CN, UTF8_STRING, b"Issuer")]),
            tlv(SEQUENCE, &[&times.concat()]),
            dn(&[(CN, UTF8_STRING, b"Subject")]),
            rsa(256),
        ];
        Self { parts }
    }

    pub(in crate::x509) fn with(mut self, n: usize, part: Vec<u8>) -> Self {
        self.parts[n] = part;
        self
    }

    pub(in crate::x509) fn extensions(mut self, all: &[Vec<u8>]) -> Self {
        self.parts.push(tlv(0xa3, &[&tlv(SEQUENCE, &[&all.concat()])]));
        self
    }

    pub(in crate::x509) fn der(&self) -> Vec<u8> {
        let tbs = tlv(SEQUENCE, &[&self.parts.concat()]);
        tlv(SEQUENCE, &[&tbs, &algorithm(), &tlv(BIT_STRING, &[&[0; 9]])])
    }

    fn read(&self) -> Certificate {
        Certificate::parse(&self.der())
    }
}

#[test]
fn a_plain_one() {
    let c = Fields::new().read();
    assert_eq!(c.problems, [""; 0]);
    assert_eq!((c.subject.as_str(), c.issuer.as_str(), c.serial.as_str()), ("CN=Subject", "CN=Issuer", "00ab01"));
    assert_eq!((c.version, c.not_before, c.not_after), (3, Some(1_577_836_800), Some(2_524_608_000)));
    assert_eq!((c.key.algorithm.clone(), c.key.bits), (KeyAlgorithm::Rsa, Some(2048)));
    assert_eq!((c.signature_algorithm.as_str(), c.signature_hash), ("sha256WithRSAEncryption", SignatureHash::Sound));
    assert_eq!(c.common_names, ["Subject"]);
    assert!(!c.is_self_issued && !c.is_ca() && !c.has_weak_signature() && c.allows("serverAuth"));
    assert_eq!(c.self_signed(), Some(false));
    let v1 = Fields::new().with(VERSION, vec![]).with(ISSUER, dn(&[(CN, UTF8_STRING, b"Subject")])).read();
    assert_eq!((v1.version, v1.is_self_issued, v1.is_ca(), v1.self_signed()), (1, true, true, Some(true)));
}

#[test]
fn a_damaged_field_costs_only_itself() {
    for (n, part) in [
        (VERSION, tlv(0xa0, &[&tlv(INTEGER, &[&[9]])])),
        (VERSION, tlv(0xa0, &[&[5, 0]])),
        (SERIAL, tlv(UTF8_STRING, &[b"7"])),
        (SERIAL, tlv(INTEGER, &[])),
        (SERIAL, tlv(INTEGER, &[&[7; 20_000]])),
        (SIGNATURE, vec![5, 0]),
        (SIGNATURE, tlv(SEQUENCE, &[&tlv(OID, &[&[0x2b, 1]])])),
        (ISSUER, tlv(SEQUENCE, &[&[0x31, 9]])),
        (ISSUER, vec![5, 0]),
        (VALIDITY, tlv(SEQUENCE, &[&tlv(UTC_TIME, &[b"never\x1b"]), &tlv(UTC_TIME, &[b""])])),
        (VALIDITY, tlv(SEQUENCE, &[&tlv(UTC_TIME, &[b"200101000000Z"])])),
        (VALIDITY, tlv(SEQUENCE, &[&tlv(UTC_TIME, &[b"200101000000Z"]), &tlv(UTC_TIME, &[b"190101000000Z"])])),
        (VALIDITY, vec![5, 0]),
        (SUBJECT, tlv(SEQUENCE, &[&[0x31, 2, 0x30, 0]])),
        (KEY, vec![5, 0]),
        (KEY, tlv(SEQUENCE, &[&tlv(SEQUENCE, &[])])),
    ] {
        let c = Fields::new().with(n, part.clone()).extensions(&[]).read();
        // Two where two times are none, or where the algorithm inside can be compared with the one outside.
        assert!(matches!(c.problems.len(), 1 | 2), "{n} {:?}", c.problems);
        assert!(c.problems.iter().all(|p| !p.chars().any(text::is_unsafe)));
        assert_eq!(c.subject == "CN=Subject", n != SUBJECT);
        assert_eq!(c.issuer == "CN=Issuer", n != ISSUER);
        assert_eq!(c.not_before.is_some() && c.not_after.is_some(), n != VALIDITY || c.problems[0].contains("later"));
        assert_eq!(c.key.bits.is_some(), n != KEY);
        assert_eq!(c.signature_algorithm == "sha256WithRSAEncryption", n != SIGNATURE);
        assert_eq!(c.serial == "00ab01", n != SERIAL);
    }
}

#[test]
fn every_truncation_keeps_what_is_there() {
    let der = Fields::new().der();
    let mut subjects = 0;
    for n in 0..der.len() {
        let c = Certificate::parse(&der[..n]);
        assert!(!c.problems.is_empty(), "{n}");
        assert_eq!(c.sha256, <[u8; 32]>::from(Sha256::digest(&der[..n])));
        assert_eq!(&*c.der, &der[..n]);
        subjects += usize::from(c.subject == "CN=Subject");
    }
    // The key of 294 bytes, the algorithm and the signature come behind the subject.
    assert_eq!(subjects, 294 + 15 + 11);
    let mut trailing = der.clone();
    trailing.push(0);
    let c = Certificate::parse(&trailing);
    assert_eq!(c.problems.len(), 1);
    assert!(c.problems[0].contains("1 byte left over"), "{:?}", c.problems);
    assert_eq!(c.subject, "CN=Subject");
}

#[test]
fn what_is_no_certificate() {
    for der in [&[][..], &[0x30], &[0x30, 0x80, 0, 0], &[0x31, 0], b"GET / HTTP/1.1\r\n\r\n", &[0x30, 0]] {
        let c = Certificate::parse(der);
        assert_eq!(c.problems.len(), 1, "{der:?} {:?}", c.problems);
        assert_eq!((c.self_signed(), c.validity_at(Timestamp(0))), (None, Validity::Unknown));
    }
    // SEQUENCE in SEQUENCE, thousands deep: nothing here recurses.
    let mut deep = vec![];
    for _ in 0..3000 {
        deep = tlv(SEQUENCE, &[&deep]);
    }
    assert!(!Certificate::parse(&deep).problems.is_empty());
}

#[test]
fn validity_includes_its_ends() {
    let c = Certificate { not_before: Some(100), not_after: Some(200), ..Certificate::default() };
    let at = |s| c.validity_at(Timestamp::from_parts(s, 999_999_999));
    assert_eq!(at(99), Validity::NotYetValid { until: 100 });
    assert_eq!((at(100), at(200)), (Validity::Valid, Validity::Valid));
    assert_eq!(at(201), Validity::Expired { since: 200 });
    let half = Certificate { not_after: Some(200), ..Certificate::default() };
    assert_eq!(half.validity_at(Timestamp::from_parts(300, 0)), Validity::Expired { since: 200 });
    assert_eq!(half.validity_at(Timestamp(0)), Validity::Unknown);
}

#[test]
fn key_usage_names() {
    assert_eq!(KeyUsage(0b1_0010_0001).names(), ["digitalSignature", "keyCertSign", "decipherOnly"]);
    assert!(KeyUsage(0x21).contains(KeyUsage::KEY_CERT_SIGN) && !KeyUsage(1).contains(KeyUsage::CRL_SIGN));
}

#[test]
fn self_signed_heeds_the_key_identifiers() {
    let same = dn(&[(CN, UTF8_STRING, b"Subject")]);
    let mut c = Fields::new().with(ISSUER, same).read();
    assert_eq!(c.self_signed(), Some(true));
    c.authority_key_id = Some("01".into());
    c.subject_key_id = Some("02".into());
    assert_eq!(c.self_signed(), Some(false));
    c.signature_hash = SignatureHash::Md5;
    assert!(c.has_weak_signature());
    c.subject_key_id = Some("01".into());
    assert!(!c.has_weak_signature());
}

/// What another parser says of certificates that a third program made.
#[test]
fn agrees_with_x509_parser_on_certificates_of_rcgen() {
    use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
        let mut p =
            CertificateParams::new(vec!["a.example".to_owned(), "*.b.example".into(), "10.0.0.1".into()]).unwrap();
        p.distinguished_name.push(DnType::CommonName, "x, y");
        p.distinguished_name.push(DnType::OrganizationName, "Gr\u{fc}n");
        p.is_ca = IsCa::Ca(rcgen::BasicConstraints::Constrained(3));
        p.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        p.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate_for(algorithm).unwrap();
        let der = p.self_signed(&key).unwrap().der().to_vec();
        let (_, other) = x509_parser::parse_x509_certificate(&der).unwrap();
        let c = Certificate::parse(&der);
        assert_eq!(c.problems, [""; 0]);
        assert_eq!(c.serial, text::hex(other.raw_serial()));
        assert_eq!(c.not_before, Some(other.validity().not_before.timestamp()));
        assert_eq!(c.not_after, Some(other.validity().not_after.timestamp()));
        assert_eq!(&*c.subject_raw, other.subject().as_raw());
        assert!(c.subject.contains("CN=x\\, y") && c.subject.contains("O=Gr\u{fc}n"), "{}", c.subject);
        let sans: Vec<_> = c.subject_alt_names.iter().map(ToString::to_string).collect();
        assert_eq!(sans, ["DNS:a.example", "DNS:*.b.example", "IP:10.0.0.1"]);
        assert_eq!(c.basic_constraints, Some((true, Some(3))));
        assert_eq!(c.key_usage.map(|u| u.0), other.key_usage().unwrap().map(|u| u.value.flags));
        assert_eq!(c.extended_key_usage.as_deref(), Some(&["serverAuth".to_owned(), "clientAuth".into()][..]));
        assert!(c.subject_key_id.is_some() && c.authority_key_id == c.subject_key_id);
        assert_eq!(c.self_signed(), Some(true));
    }
}

proptest::proptest! {
    #[test]
    fn any_change_of_bytes_is_survived(at in 0usize..400, value: u8, cut in 0usize..500) {
        let mut der = Fields::new().extensions(&[]).der();
        if let Some(b) = der.get_mut(at) {
            *b = value;
        }
        let c = Certificate::parse(&der);
        proptest::prop_assert!(!c.subject.chars().any(text::is_unsafe));
        Certificate::parse(der.get(..cut).unwrap_or(&der));
    }
}
