//! Facts of one certificate. What does not parse is said in [`Certificate::problems`] and costs nothing else.

use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::span::Timestamp;
use crate::{limits, text};

use super::constraints::NameConstraints;
use super::der::{Der, INTEGER, SEQUENCE, Tlv, context_constructed};
use super::extension;
use super::form::{self, FormFault};
use super::key::{self, PublicKey};
use super::name::{self, NormalForm, normal_form};
use super::san::San;
use super::sct::SctList;
use super::signature::{self, SignatureHash};
use super::time;

/// What one certificate (RFC 5280) says. All texts are safe to print: names as [`distinguished_name`] writes them, others
/// escaped by [`text::escape_bytes`].
///
/// [`distinguished_name`]: super::distinguished_name
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of the DER as sent.
    pub sha256: [u8; 32],
    /// The DER as sent.
    pub der: Box<[u8]>,
    /// Number of bytes of the DER.
    pub der_len: usize,
    /// Subject, RFC 4514.
    pub subject: String,
    /// Issuer, RFC 4514.
    pub issuer: String,
    /// DER of the subject, to be compared with [`compare_names`](super::compare_names); empty when it could not be found.
    pub subject_raw: Box<[u8]>,
    /// DER of the issuer, likewise.
    pub issuer_raw: Box<[u8]>,
    /// Common names in the subject, in order.
    pub common_names: Vec<String>,
    /// Content bytes of the serial number in lower-case hexadecimal; one beyond the cap ends in `…`.
    pub serial: String,
    /// 1 to 3; 0 when the certificate says a version that does not exist.
    pub version: u8,
    /// First second of validity, seconds since 1970.
    pub not_before: Option<i64>,
    /// Last second of validity, seconds since 1970.
    pub not_after: Option<i64>,
    /// The public key.
    pub key: PublicKey,
    /// Algorithm of the issuer's signature by OpenSSL's long name, or dotted.
    pub signature_algorithm: String,
    /// The hash that signature stands on.
    pub signature_hash: SignatureHash,
    /// Alternative names in order.
    pub subject_alt_names: Vec<San>,
    /// Basic constraints: whether it is a CA, and how many intermediate CAs may follow.
    pub basic_constraints: Option<(bool, Option<u32>)>,
    /// Key usage.
    pub key_usage: Option<KeyUsage>,
    /// Extended key usage by OpenSSL's short names, or dotted.
    pub extended_key_usage: Option<Vec<String>>,
    /// Key identifier of the issuer, lower-case hexadecimal.
    pub authority_key_id: Option<String>,
    /// Key identifier of this certificate's key, lower-case hexadecimal.
    pub subject_key_id: Option<String>,
    /// Where its status can be asked.
    pub ocsp_urls: Vec<String>,
    /// Where revocation lists are.
    pub crl_urls: Vec<String>,
    /// Where the issuer's certificate can be had.
    pub ca_issuer_urls: Vec<String>,
    /// The signed certificate timestamps inside; `None` without the extension.
    pub sct_list: Option<SctList>,
    /// It demands a stapled OCSP response (RFC 7633, status_request).
    pub must_staple: bool,
    /// It restricts the names that certificates below it may have.
    pub name_constraints: Option<NameConstraints>,
    /// Its policies say that it was issued under the rules of the CA/Browser Forum for public web servers
    /// (2.23.140.1.1 and 2.23.140.1.2): a CA that browsers trust, or one that imitates it.
    pub is_public: bool,
    /// Critical extensions that are not known here, dotted.
    pub unknown_critical: Vec<String>,
    /// Subject and issuer are the same name.
    pub is_self_issued: bool,
    /// What in it did not parse, for a person.
    pub problems: Vec<String>,
    /// Names, numbers and hashes are not those that were sent (see [`crate::redact`]); `der` is.
    pub is_renamed: bool,
    /// Both names as they are compared, once somebody asked: the same certificate stands in many chains.
    pub(crate) compared: OnceLock<Box<Names>>,
    /// Where it is not in DER's form, once somebody asked.
    pub(crate) form: OnceLock<Vec<FormFault>>,
}

/// Subject and issuer in the form that is compared; `None` for a name that does not parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) subject: Option<NormalForm>,
    pub(crate) issuer: Option<NormalForm>,
}

/// Key usage bits (RFC 5280, section 4.2.1.3): bit `n` of the value is named bit `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeyUsage(pub u16);

impl KeyUsage {
    /// digitalSignature.
    pub const DIGITAL_SIGNATURE: Self = Self(1);
    /// nonRepudiation (contentCommitment).
    pub const NON_REPUDIATION: Self = Self(1 << 1);
    /// keyEncipherment.
    pub const KEY_ENCIPHERMENT: Self = Self(1 << 2);
    /// dataEncipherment.
    pub const DATA_ENCIPHERMENT: Self = Self(1 << 3);
    /// keyAgreement.
    pub const KEY_AGREEMENT: Self = Self(1 << 4);
    /// keyCertSign.
    pub const KEY_CERT_SIGN: Self = Self(1 << 5);
    /// cRLSign.
    pub const CRL_SIGN: Self = Self(1 << 6);
    /// encipherOnly.
    pub const ENCIPHER_ONLY: Self = Self(1 << 7);
    /// decipherOnly.
    pub const DECIPHER_ONLY: Self = Self(1 << 8);

    const NAMES: [&'static str; 9] = [
        "digitalSignature",
        "nonRepudiation",
        "keyEncipherment",
        "dataEncipherment",
        "keyAgreement",
        "keyCertSign",
        "cRLSign",
        "encipherOnly",
        "decipherOnly",
    ];

    /// True when all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Names of the set bits by RFC 5280, in bit order.
    pub fn names(self) -> Vec<&'static str> {
        Self::NAMES.iter().enumerate().filter(|(n, _)| self.0 & (1u16 << n) != 0).map(|(_, name)| *name).collect()
    }
}

/// Whether a certificate is valid at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Within its time.
    Valid,
    /// Its time was over.
    Expired {
        /// Its last second, seconds since 1970.
        since: i64,
    },
    /// Its time had not come.
    NotYetValid {
        /// Its first second, seconds since 1970.
        until: i64,
    },
    /// The times in it cannot be read.
    Unknown,
}

impl Certificate {
    /// Subject and issuer as they are compared.
    pub(super) fn names(&self) -> &Names {
        self.compared.get_or_init(|| {
            let form = |der| normal_form(der).ok();
            Box::new(Names { subject: form(&self.subject_raw), issuer: form(&self.issuer_raw) })
        })
    }

    /// Where its encoding is not DER, and its times not in the form of RFC 5280: the first few places.
    pub fn form_faults(&self) -> &[FormFault] {
        self.form.get_or_init(|| form::faults(&self.der))
    }

    /// Reads a certificate. Never fails: what cannot be had is absent and named in [`Certificate::problems`]; the
    /// SHA-256 is always there.
    pub fn parse(der: &[u8]) -> Self {
        let mut c = Self { sha256: Sha256::digest(der).into(), der: der.into(), der_len: der.len(), ..Self::default() };
        let mut outer = Der::new(der);
        let (fields, cut) = match outer.next_or_cut("Certificate") {
            Ok(found) => found,
            Err(e) => {
                c.problem(e);
                return c;
            }
        };
        if fields.tag != SEQUENCE {
            c.problem(fields.illegal("Certificate"));
            return c;
        }
        if let Some(e) = cut {
            c.problem(e);
        }
        if let Err(e) = outer.end("Certificate") {
            c.problem(e);
        }
        let mut fields = fields.inside();
        let inner_algorithm = match fields.next_or_cut("tbsCertificate") {
            Ok((tbs, cut)) => {
                // A cut here follows from the cut outside, which was told.
                if let Some(e) = cut.filter(|_| c.problems.is_empty()) {
                    c.problem(e);
                }
                let mut algorithm = None;
                if let Err(e) = c.read_tbs(&tbs, &mut algorithm) {
                    c.problem(e);
                }
                algorithm
            }
            Err(e) => {
                c.problem(e);
                None
            }
        };
        c.read_signature(&mut fields, inner_algorithm);
        c.is_self_issued = !c.subject_raw.is_empty() && c.subject_raw == c.issuer_raw;
        c
    }

    /// TBSCertificate. Fields are taken by their place, so that one of a wrong type costs only itself; only where no
    /// element can be found any more it ends with an error.
    fn read_tbs<'a>(&mut self, tbs: &Tlv<'a>, algorithm: &mut Option<Tlv<'a>>) -> crate::reader::Decoded<()> {
        let mut fields = tbs.of("tbsCertificate", SEQUENCE)?.inside();

        self.version = 1;
        if let Some(explicit) = fields.optional("version", context_constructed(0))? {
            let value = explicit.inside().expect("version", INTEGER).map(|v| v.content);
            self.version = match value {
                Ok([v @ 0..=2]) => v.saturating_add(1),
                _ => {
                    self.problem(explicit.illegal("version"));
                    0
                }
            };
        }

        let serial = fields.next("serialNumber")?;
        if serial.tag != INTEGER || serial.content.is_empty() {
            self.problem(serial.illegal("serialNumber"));
        }
        self.serial = text::hex(serial.content.get(..limits::CERTIFICATE_SERIAL).unwrap_or(serial.content));
        if serial.content.len() > limits::CERTIFICATE_SERIAL {
            self.serial.push('…');
            self.note(format!("serialNumber has {} bytes", serial.content.len()));
        }

        *algorithm = Some(fields.next("signature")?);

        let issuer = fields.next("issuer")?;
        self.issuer_raw = issuer.raw.into();
        let issuer = name::read(&issuer);
        self.issuer = issuer.text;
        if let Some(e) = issuer.error {
            self.note(format!("issuer: {e}"));
        }

        let validity = fields.next("validity")?;
        self.read_validity(&validity);

        let subject = fields.next("subject")?;
        self.subject_raw = subject.raw.into();
        let subject = name::read(&subject);
        (self.subject, self.common_names) = (subject.text, subject.common_names);
        if let Some(e) = subject.error {
            self.note(format!("subject: {e}"));
        }

        let spki = fields.next("subjectPublicKeyInfo")?;
        if let Err(e) = key::read(&spki, &mut self.key) {
            self.problem(e);
        }

        while !fields.is_empty() {
            let field = fields.next("tbsCertificate")?;
            match field.tag {
                // issuerUniqueID and subjectUniqueID say nothing.
                0x81 | 0x82 | 0xa1 | 0xa2 => {}
                0xa3 => {
                    if let Err(e) = extension::read_all(&field, self) {
                        self.problem(e);
                    }
                }
                _ => self.problem(field.illegal("tbsCertificate")),
            }
        }
        Ok(())
    }

    fn read_validity(&mut self, validity: &Tlv<'_>) {
        if validity.tag != SEQUENCE {
            return self.problem(validity.illegal("validity"));
        }
        let mut times = validity.inside();
        for (what, is_first) in [("notBefore", true), ("notAfter", false)] {
            match times.next(what) {
                Ok(t) => {
                    let parsed = time::parse(&t);
                    let secs = parsed.map(|t| t.secs);
                    if is_first {
                        self.not_before = secs;
                    } else {
                        self.not_after = secs;
                    }
                    if !parsed.is_some_and(|t| t.canonical) {
                        let is = if parsed.is_some() { "not in DER's form" } else { "no time" };
                        let shown = t.content.get(..limits::CERTIFICATE_SERIAL).unwrap_or(t.content);
                        self.note(format!("{what} is {is}: \"{}\"", text::escape_bytes(shown)));
                    }
                }
                Err(e) => return self.problem(e),
            }
        }
        if let (Some(from), Some(to)) = (self.not_before, self.not_after)
            && from > to
        {
            self.note("notBefore is later than notAfter".into());
        }
    }

    /// signatureAlgorithm and signatureValue, behind the TBSCertificate.
    fn read_signature(&mut self, fields: &mut Der<'_>, inner: Option<Tlv<'_>>) {
        let outer = fields.next("signatureAlgorithm");
        let Some(chosen) = inner.or(outer.as_ref().ok().copied()) else { return };
        match signature::read(&chosen) {
            Ok(found) => (self.signature_algorithm, self.signature_hash) = found,
            Err(e) => self.problem(e),
        }
        let outer = match outer {
            Ok(o) => o,
            // When the certificate is cut, that was told.
            Err(_) if !self.problems.is_empty() => return,
            Err(e) => return self.problem(e),
        };
        if inner.is_some_and(|i| i.raw != outer.raw) {
            self.note("the two signature algorithms in it differ".into());
        }
        match fields.next("signatureValue").and_then(|v| v.bits("signatureValue")) {
            Ok(_) => {
                if let Err(e) = fields.end("signatureValue") {
                    self.problem(e);
                }
            }
            Err(e) => self.problem(e),
        }
    }

    pub(super) fn problem(&mut self, e: crate::reader::DecodeError) {
        self.note(e.to_string());
    }

    /// Notes a problem, the text of which must be safe to print.
    pub(super) fn note(&mut self, problem: String) {
        if self.problems.len() < limits::CERTIFICATE_LIST {
            self.problems.push(problem);
        }
    }

    /// True when it may issue certificates: basic constraints say so, or it is a self-issued one of version 1, which
    /// cannot say it (old roots).
    pub fn is_ca(&self) -> bool {
        match self.basic_constraints {
            Some((ca, _)) => ca,
            None => self.version == 1 && self.is_self_issued,
        }
    }

    /// Whether it is self-signed as far as that can be told without checking the signature (no verifier is linked): `false`
    /// when subject and issuer differ or when its key identifiers say that another key of that name signed it, `true`
    /// when both identifiers are there and agree, or when it carries none to compare. `None` when the names could not be read.
    pub fn self_signed(&self) -> Option<bool> {
        if self.subject_raw.is_empty() || self.issuer_raw.is_empty() {
            return None;
        }
        Some(self.is_self_issued && !self.key_ids_differ(self))
    }

    /// True when `issuer` has another key identifier than this certificate says its issuer has.
    pub fn key_ids_differ(&self, issuer: &Self) -> bool {
        matches!((&self.authority_key_id, &issuer.subject_key_id), (Some(a), Some(s)) if a != s)
    }

    /// Whether it is valid at a time (of the capture, not of today).
    pub fn validity_at(&self, at: Timestamp) -> Validity {
        let now = at.secs();
        match (self.not_before, self.not_after) {
            (Some(from), _) if now < from => Validity::NotYetValid { until: from },
            (_, Some(to)) if now > to => Validity::Expired { since: to },
            (Some(_), Some(_)) => Validity::Valid,
            _ => Validity::Unknown,
        }
    }

    /// True when it is signed with a broken hash and that matters: nobody checks the signature of a root.
    pub fn has_weak_signature(&self) -> bool {
        self.signature_hash.is_broken() && self.self_signed() != Some(true)
    }

    /// Whether the key may serve a purpose (`serverAuth`, `clientAuth`): no extended key usage allows all.
    pub fn allows(&self, purpose: &str) -> bool {
        self.extended_key_usage.as_ref().is_none_or(|l| l.iter().any(|p| p == purpose || p == "anyExtendedKeyUsage"))
    }

    /// Number of signed certificate timestamps inside, whatever their form.
    pub fn scts(&self) -> usize {
        self.sct_list.as_ref().map_or(0, |l| l.count)
    }

    /// True for a serial number below zero (RFC 5280, section 4.1.2.2 wants a positive one).
    pub fn serial_is_negative(&self) -> bool {
        self.serial.bytes().next().is_some_and(|digit| matches!(digit, b'8'..=b'9' | b'a'..=b'f'))
    }

    /// True when alternative names hold one that a host can be matched with (DNS or IP); then the common name is
    /// not looked at (RFC 9525, section 6.3).
    pub fn has_host_san(&self) -> bool {
        self.subject_alt_names.iter().any(|s| matches!(s, San::Dns(_) | San::Ip(_) | San::BadIp(_)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::x509::KeyAlgorithm;
    use crate::x509::der::{BIT_STRING, GENERALIZED_TIME, OID, UTC_TIME, UTF8_STRING, tlv};
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
        assert_eq!(
            (c.signature_algorithm.as_str(), c.signature_hash),
            ("sha256WithRSAEncryption", SignatureHash::Sound)
        );
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
            assert_eq!(
                c.not_before.is_some() && c.not_after.is_some(),
                n != VALIDITY || c.problems[0].contains("later")
            );
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
}
