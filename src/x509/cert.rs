//! Facts of one certificate. What does not parse is said in [`Certificate::problems`] and costs nothing else.

mod read;

use std::sync::OnceLock;

use serde_json::value::RawValue;

use crate::span::Timestamp;

use super::constraints::NameConstraints;
use super::form::{self, FormFault};
use super::key::PublicKey;
use super::name::{NormalForm, normal_form};
use super::rsa::Modulus;
use super::san::San;
use super::sct::SctList;
use super::signature::SignatureHash;

/// What one certificate (RFC 5280) says. All texts are safe to print: names as [`distinguished_name`] writes them, others
/// escaped by [`escape_bytes`](crate::text::escape_bytes).
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
    /// Both names as they are compared: the same certificate stands in many chains.
    pub(crate) compared: Memo<Box<Names>>,
    /// What a report writes of it, in its format.
    pub(crate) written: Memo<Box<RawValue>>,
    /// Where it is not in DER's form.
    pub(crate) form: Memo<Vec<FormFault>>,
    /// Whether its key has the fingerprint of ROCA.
    pub(crate) roca: Memo<bool>,
}

/// What follows from a certificate, once somebody asked. A clone, which may be about to be changed, has none of it.
#[derive(Debug)]
pub(crate) struct Memo<T>(OnceLock<T>);

impl<T> Memo<T> {
    /// What was asked for before, or else `make`'s.
    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(make)
    }
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> Clone for Memo<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> PartialEq for Memo<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Memo<T> {}

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

    /// Whether its RSA key was made by a faulty generator: see [`Modulus::has_roca_fingerprint`].
    pub fn has_roca_fingerprint(&self) -> bool {
        *self.roca.get_or_init(|| Modulus::of(self).is_some_and(|m| m.has_roca_fingerprint()))
    }

    /// Where its encoding is not DER, and its times not in the form of RFC 5280: the first few places.
    pub fn form_faults(&self) -> &[FormFault] {
        self.form.get_or_init(|| form::faults(&self.der))
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
pub(super) mod tests;
