//! Certificates and OCSP staples as a report shows them.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::x509::{self, San};

use super::value::Hex;

/// What one certificate says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Certificate<'a> {
    /// Subject (RFC 4514).
    pub subject: &'a str,
    /// Issuer (RFC 4514).
    pub issuer: &'a str,
    /// Content bytes of the serial number, in hexadecimal.
    pub serial: &'a str,
    /// First second of validity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<CertificateTime>,
    /// Last second of validity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<CertificateTime>,
    /// 1 to 3; null when it says a version that does not exist.
    pub version: Option<u8>,
    /// SHA-256 of the DER.
    pub sha256: Hex<'a>,
    /// Bytes of the DER.
    pub length: usize,
    /// The public key.
    pub public_key: PublicKey<'a>,
    /// Algorithm of the issuer's signature.
    pub signature_algorithm: &'a str,
    /// `DNS:a.example`, `IP:10.0.0.1` …, in the certificate's order.
    #[schemars(with = "Vec<String>")]
    pub subject_alt_names: Names<'a>,
    /// It may issue certificates.
    pub is_ca: bool,
    /// Names of the key usage bits (RFC 5280).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_usage: Option<Vec<&'static str>>,
    /// Purposes of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_key_usage: Option<&'a [String]>,
    /// Subject and issuer are the same and nothing says that another key signed it; null when they could not be read.
    pub self_signed: Option<bool>,
    /// Key identifier of the issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority_key_id: Option<&'a str>,
    /// Key identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_key_id: Option<&'a str>,
    /// Where its status can be asked.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub ocsp_urls: &'a [String],
    /// Where revocation lists are.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub crl_urls: &'a [String],
    /// Number of signed certificate timestamps in it.
    pub scts: usize,
    /// What in it did not parse.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub problems: &'a [String],
}

/// A public key.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PublicKey<'a> {
    /// `RSA`, `EC`, `Ed25519` …, or the dotted identifier.
    pub algorithm: &'a str,
    /// Its size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// The curve of an EC key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve: Option<&'a str>,
}

impl<'a> Certificate<'a> {
    /// As a report shows it.
    pub fn new(c: &'a x509::Certificate) -> Self {
        Self {
            subject: &c.subject,
            issuer: &c.issuer,
            serial: &c.serial,
            not_before: c.not_before.map(CertificateTime),
            not_after: c.not_after.map(CertificateTime),
            version: (c.version > 0).then_some(c.version),
            sha256: Hex(&c.sha256),
            length: c.der_len,
            public_key: PublicKey {
                algorithm: c.key.algorithm.name(),
                bits: c.key.bits,
                curve: c.key.algorithm.curve(),
            },
            signature_algorithm: &c.signature_algorithm,
            subject_alt_names: Names(&c.subject_alt_names),
            is_ca: c.is_ca(),
            key_usage: c.key_usage.map(x509::KeyUsage::names),
            extended_key_usage: c.extended_key_usage.as_deref(),
            self_signed: c.self_signed(),
            authority_key_id: c.authority_key_id.as_deref(),
            subject_key_id: c.subject_key_id.as_deref(),
            ocsp_urls: &c.ocsp_urls,
            crl_urls: &c.crl_urls,
            scts: c.scts(),
            problems: &c.problems,
        }
    }
}

/// A certificate, written once however many flows show it.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a>(pub &'a x509::Certificate);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let write = || to_raw_value(&Certificate::new(self.0)).unwrap_or_else(|_| RawValue::NULL.to_owned());
        self.0.written.get_or_init(write).serialize(s)
    }
}

/// Alternative names.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a>(&'a [San]);

impl Serialize for Names<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.0.iter().map(Name))
    }
}

struct Name<'a>(&'a San);

impl Serialize for Name<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self.0)
    }
}

/// A time of a certificate: RFC 3339, UTC, whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub struct CertificateTime(#[schemars(with = "String")] pub i64);

impl Serialize for CertificateTime {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&x509::format_time(self.0))
    }
}

/// A stapled OCSP response.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OcspStaple {
    /// What it says of the server's certificate: `good`, `revoked` or `unknown`; or, where the responder did not answer, its
    /// word for that (`tryLater`, `unauthorized` …).
    pub status: &'static str,
    /// From when it is known to be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub this_update: Option<CertificateTime>,
    /// Until when newer information will be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_update: Option<CertificateTime>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<CertificateTime>,
    /// Why it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

impl OcspStaple {
    /// What a response says of the certificate with this serial number; else what it says first.
    pub fn new(r: &x509::OcspResponse, serial: Option<&str>) -> Self {
        let found = serial.and_then(|s| r.status_of(s)).or_else(|| r.statuses.first());
        let revoked_at = match found.map(|s| s.status) {
            Some(x509::CertStatus::Revoked { at, .. }) => at,
            _ => None,
        };
        Self {
            status: found.map_or(r.response_status.name(), |s| s.status.name()),
            this_update: found.and_then(|s| s.this_update).map(CertificateTime),
            next_update: found.and_then(|s| s.next_update).map(CertificateTime),
            revoked_at: revoked_at.map(CertificateTime),
            reason: found.and_then(|s| s.status.reason()),
        }
    }
}
