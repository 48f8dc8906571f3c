//! Public keys (SubjectPublicKeyInfo, RFC 5280, section 4.1.2.7): which algorithm and how large, no arithmetic on them.

use crate::reader::Decoded;

use super::der::{self, BIT_STRING, INTEGER, OID, SEQUENCE, Tlv};
use super::oid::{self, Oid, oid};

/// What kind of public key a certificate holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// RSA (`rsaEncryption`).
    Rsa,
    /// RSA that may only sign with RSASSA-PSS (RFC 4055).
    RsaPss,
    /// Elliptic curve (RFC 5480).
    Ec(Curve),
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Ed448 (RFC 8410).
    Ed448,
    /// X25519 (RFC 8410): agrees on keys only.
    X25519,
    /// X448 (RFC 8410): agrees on keys only.
    X448,
    /// DSA (RFC 3279).
    Dsa,
    /// Finite-field Diffie-Hellman (RFC 3279).
    Dh,
    /// A known algorithm without parameters (ML-DSA of RFC 9881, SLH-DSA of RFC 9909, GOST …) by its name.
    Named(&'static str),
    /// Any other, by its dotted object identifier.
    Other(String),
}

impl KeyAlgorithm {
    /// Name for a report: `RSA`, `RSA-PSS`, `EC`, `Ed25519`, `ML-DSA-65` …, or the dotted identifier.
    pub fn name(&self) -> &str {
        match self {
            Self::Rsa => "RSA",
            Self::RsaPss => "RSA-PSS",
            Self::Ec(_) => "EC",
            Self::Ed25519 => "Ed25519",
            Self::Ed448 => "Ed448",
            Self::X25519 => "X25519",
            Self::X448 => "X448",
            Self::Dsa => "DSA",
            Self::Dh => "DH",
            Self::Named(name) => name,
            Self::Other(oid) => oid,
        }
    }

    /// Name of the curve of an EC key, by IANA's names of TLS groups where it has one.
    pub fn curve(&self) -> Option<&str> {
        match self {
            Self::Ec(Curve::Named(name, _)) => Some(name),
            Self::Ec(Curve::Other(oid)) => Some(oid),
            Self::Ec(Curve::Explicit) => Some("explicit parameters"),
            _ => None,
        }
    }
}

/// The curve of an EC key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// A known curve: name and size of its field in bits.
    Named(&'static str, u32),
    /// Parameters written out: RFC 5480 forbids them in certificates.
    Explicit,
    /// Any other, by its dotted object identifier.
    Other(String),
}

/// A certificate's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Its kind; `Other("?")` when the key could not be read.
    pub algorithm: KeyAlgorithm,
    /// RSA and DSA: bits of the modulus; EC: bits of the field (521 for P-521); Ed25519 and X25519 256, Ed448 456,
    /// X448 448.
    pub bits: Option<u32>,
    /// The RSA exponent, when it has at most 64 bits.
    pub rsa_exponent: Option<u64>,
}

impl Default for PublicKey {
    fn default() -> Self {
        Self { algorithm: KeyAlgorithm::Other("?".into()), bits: None, rsa_exponent: None }
    }
}

impl PublicKey {
    /// True for sizes that today's TLS stacks refuse: RSA and DSA below 2048 bits, EC below 224.
    pub fn is_weak(&self) -> bool {
        let Some(bits) = self.bits else { return false };
        match self.algorithm {
            KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss | KeyAlgorithm::Dsa | KeyAlgorithm::Dh => bits < 2048,
            KeyAlgorithm::Ec(_) => bits < 224,
            _ => false,
        }
    }
}

const RSA: Oid = oid("1.2.840.113549.1.1.1");
const RSA_PSS: Oid = oid("1.2.840.113549.1.1.10");
const RSA_OAEP: Oid = oid("1.2.840.113549.1.1.7");
const EC: Oid = oid("1.2.840.10045.2.1");
const DSA: Oid = oid("1.2.840.10040.4.1");
const DH: Oid = oid("1.2.840.113549.1.3.1");
const X9_42_DH: Oid = oid("1.2.840.10046.2.1");
const PRIME_FIELD: Oid = oid("1.2.840.10045.1.1");

/// Algorithms whose keys have no parameters that say more.
const NAMED: &[(Oid, &str)] = &[
    (RSA_OAEP, "RSA-OAEP"),
    (oid("2.16.840.1.101.3.4.3.17"), "ML-DSA-44"),
    (oid("2.16.840.1.101.3.4.3.18"), "ML-DSA-65"),
    (oid("2.16.840.1.101.3.4.3.19"), "ML-DSA-87"),
    (oid("2.16.840.1.101.3.4.3.20"), "SLH-DSA-SHA2-128s"),
    (oid("2.16.840.1.101.3.4.3.21"), "SLH-DSA-SHA2-128f"),
    (oid("2.16.840.1.101.3.4.3.22"), "SLH-DSA-SHA2-192s"),
    (oid("2.16.840.1.101.3.4.3.23"), "SLH-DSA-SHA2-192f"),
    (oid("2.16.840.1.101.3.4.3.24"), "SLH-DSA-SHA2-256s"),
    (oid("2.16.840.1.101.3.4.3.25"), "SLH-DSA-SHA2-256f"),
    (oid("2.16.840.1.101.3.4.3.26"), "SLH-DSA-SHAKE-128s"),
    (oid("2.16.840.1.101.3.4.3.27"), "SLH-DSA-SHAKE-128f"),
    (oid("2.16.840.1.101.3.4.3.28"), "SLH-DSA-SHAKE-192s"),
    (oid("2.16.840.1.101.3.4.3.29"), "SLH-DSA-SHAKE-192f"),
    (oid("2.16.840.1.101.3.4.3.30"), "SLH-DSA-SHAKE-256s"),
    (oid("2.16.840.1.101.3.4.3.31"), "SLH-DSA-SHAKE-256f"),
    (oid("2.16.840.1.101.3.4.4.1"), "ML-KEM-512"),
    (oid("2.16.840.1.101.3.4.4.2"), "ML-KEM-768"),
    (oid("2.16.840.1.101.3.4.4.3"), "ML-KEM-1024"),
    (oid("1.2.643.2.2.19"), "GOST R 34.10-2001"),
    (oid("1.2.643.7.1.1.1.1"), "GOST R 34.10-2012 (256 bit)"),
    (oid("1.2.643.7.1.1.1.2"), "GOST R 34.10-2012 (512 bit)"),
];

/// Curves by name and bits of the field.
const CURVES: &[(Oid, (&str, u32))] = &[
    (oid("1.2.840.10045.3.1.7"), ("secp256r1", 256)),
    (oid("1.3.132.0.34"), ("secp384r1", 384)),
    (oid("1.3.132.0.35"), ("secp521r1", 521)),
    (oid("1.2.840.10045.3.1.1"), ("secp192r1", 192)),
    (oid("1.3.132.0.33"), ("secp224r1", 224)),
    (oid("1.3.132.0.10"), ("secp256k1", 256)),
    (oid("1.3.132.0.32"), ("secp224k1", 224)),
    (oid("1.3.132.0.31"), ("secp192k1", 192)),
    (oid("1.3.132.0.8"), ("secp160r1", 160)),
    (oid("1.3.132.0.9"), ("secp160k1", 160)),
    (oid("1.3.132.0.30"), ("secp160r2", 160)),
    (oid("1.3.132.0.6"), ("secp112r1", 112)),
    (oid("1.3.132.0.7"), ("secp112r2", 112)),
    (oid("1.3.132.0.28"), ("secp128r1", 128)),
    (oid("1.3.132.0.29"), ("secp128r2", 128)),
    (oid("1.3.132.0.1"), ("sect163k1", 163)),
    (oid("1.3.132.0.2"), ("sect163r1", 163)),
    (oid("1.3.132.0.15"), ("sect163r2", 163)),
    (oid("1.3.132.0.24"), ("sect193r1", 193)),
    (oid("1.3.132.0.25"), ("sect193r2", 193)),
    (oid("1.3.132.0.26"), ("sect233k1", 233)),
    (oid("1.3.132.0.27"), ("sect233r1", 233)),
    (oid("1.3.132.0.3"), ("sect239k1", 239)),
    (oid("1.3.132.0.16"), ("sect283k1", 283)),
    (oid("1.3.132.0.17"), ("sect283r1", 283)),
    (oid("1.3.132.0.36"), ("sect409k1", 409)),
    (oid("1.3.132.0.37"), ("sect409r1", 409)),
    (oid("1.3.132.0.38"), ("sect571k1", 571)),
    (oid("1.3.132.0.39"), ("sect571r1", 571)),
    (oid("1.3.36.3.3.2.8.1.1.7"), ("brainpoolP256r1", 256)),
    (oid("1.3.36.3.3.2.8.1.1.8"), ("brainpoolP256t1", 256)),
    (oid("1.3.36.3.3.2.8.1.1.11"), ("brainpoolP384r1", 384)),
    (oid("1.3.36.3.3.2.8.1.1.12"), ("brainpoolP384t1", 384)),
    (oid("1.3.36.3.3.2.8.1.1.13"), ("brainpoolP512r1", 512)),
    (oid("1.3.36.3.3.2.8.1.1.14"), ("brainpoolP512t1", 512)),
    (oid("1.3.36.3.3.2.8.1.1.3"), ("brainpoolP192r1", 192)),
    (oid("1.3.36.3.3.2.8.1.1.5"), ("brainpoolP224r1", 224)),
    (oid("1.3.36.3.3.2.8.1.1.9"), ("brainpoolP320r1", 320)),
    (oid("1.3.36.3.3.2.8.1.1.1"), ("brainpoolP160r1", 160)),
    (oid("1.3.36.3.3.2.8.1.1.2"), ("brainpoolP160t1", 160)),
    (oid("1.3.36.3.3.2.8.1.1.4"), ("brainpoolP192t1", 192)),
    (oid("1.3.36.3.3.2.8.1.1.6"), ("brainpoolP224t1", 224)),
    (oid("1.3.36.3.3.2.8.1.1.10"), ("brainpoolP320t1", 320)),
    (oid("1.3.132.0.4"), ("sect113r1", 113)),
    (oid("1.3.132.0.5"), ("sect113r2", 113)),
    (oid("1.3.132.0.22"), ("sect131r1", 131)),
    (oid("1.3.132.0.23"), ("sect131r2", 131)),
    (oid("1.2.156.10197.1.301"), ("curveSM2", 256)),
];

/// Reads a SubjectPublicKeyInfo into `key`; on an error `key` holds what was read before it.
pub(crate) fn read(spki: &Tlv<'_>, key: &mut PublicKey) -> Decoded<()> {
    let mut fields = spki.of("subjectPublicKeyInfo", SEQUENCE)?.inside();
    let mut algorithm = fields.expect("subjectPublicKeyInfo algorithm", SEQUENCE)?.inside();
    let kind = algorithm.expect("subjectPublicKeyInfo algorithm", OID)?.content;
    let parameters = if algorithm.is_empty() { None } else { Some(algorithm.next("key parameters")?) };

    if RSA.is(kind) || RSA_PSS.is(kind) {
        key.algorithm = if RSA.is(kind) { KeyAlgorithm::Rsa } else { KeyAlgorithm::RsaPss };
    } else if EC.is(kind) {
        key.algorithm = KeyAlgorithm::Ec(curve(parameters.as_ref(), key)?);
    } else if DSA.is(kind) || DH.is(kind) || X9_42_DH.is(kind) {
        key.algorithm = if DSA.is(kind) { KeyAlgorithm::Dsa } else { KeyAlgorithm::Dh };
        // The prime comes first in all three; a DSA key may inherit its parameters and then has none.
        if let Some(p) = parameters.filter(|p| p.tag == SEQUENCE) {
            key.bits = Some(der::bit_length(p.inside().expect("key parameters", INTEGER)?.content));
        }
    } else {
        (key.algorithm, key.bits) = match oid::dotted(kind).as_str() {
            "1.3.101.110" => (KeyAlgorithm::X25519, Some(256)),
            "1.3.101.111" => (KeyAlgorithm::X448, Some(448)),
            "1.3.101.112" => (KeyAlgorithm::Ed25519, Some(256)),
            "1.3.101.113" => (KeyAlgorithm::Ed448, Some(456)),
            other => {
                (oid::find(NAMED, kind).map_or_else(|| KeyAlgorithm::Other(other.into()), KeyAlgorithm::Named), None)
            }
        };
    }

    let (_, mut inner) = fields.expect("subjectPublicKey", BIT_STRING)?.bits("subjectPublicKey")?;
    if matches!(key.algorithm, KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss) {
        let mut numbers = inner.expect("RSAPublicKey", SEQUENCE)?.inside();
        key.bits = Some(der::bit_length(numbers.expect("RSA modulus", INTEGER)?.content));
        key.rsa_exponent = der::small_uint(numbers.expect("RSA exponent", INTEGER)?.content);
    }
    fields.end("subjectPublicKeyInfo")
}

/// The curve of ECParameters (RFC 3279, section 2.3.5); its size goes to `key`.
fn curve(parameters: Option<&Tlv<'_>>, key: &mut PublicKey) -> Decoded<Curve> {
    let Some(p) = parameters else { return Ok(Curve::Other("?".into())) };
    match p.tag {
        OID => Ok(match oid::find(CURVES, p.content) {
            Some((name, bits)) => {
                key.bits = Some(bits);
                Curve::Named(name, bits)
            }
            None => Curve::Other(oid::dotted(p.content)),
        }),
        SEQUENCE => {
            let mut fields = p.inside();
            fields.expect("ECParameters version", INTEGER)?;
            let mut field = fields.expect("ECParameters fieldID", SEQUENCE)?.inside();
            if PRIME_FIELD.is(field.expect("ECParameters fieldID", OID)?.content) {
                key.bits = Some(der::bit_length(field.expect("ECParameters prime", INTEGER)?.content));
            }
            Ok(Curve::Explicit)
        }
        _ => Ok(Curve::Other("?".into())),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::x509::der::{Der, tlv};

    pub(crate) fn spki(algorithm: &[&[u8]], key: &[u8]) -> Vec<u8> {
        tlv(SEQUENCE, &[&tlv(SEQUENCE, algorithm), &tlv(BIT_STRING, &[&[0], key])])
    }

    /// An RSA key of `bytes` bytes.
    pub(crate) fn rsa(bytes: usize) -> Vec<u8> {
        let numbers = tlv(SEQUENCE, &[&tlv(INTEGER, &[&[0], &vec![0xc1; bytes]]), &tlv(INTEGER, &[&[1, 0, 1]])]);
        spki(&[&tlv(OID, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]]), &[5, 0]], &numbers)
    }

    fn key(der: &[u8]) -> (PublicKey, bool) {
        let mut key = PublicKey::default();
        let ok = Der::new(der).next("k").and_then(|t| read(&t, &mut key)).is_ok();
        (key, ok)
    }

    #[test]
    fn rsa_sizes() {
        let (k, ok) = key(&rsa(256));
        assert!(ok && !k.is_weak());
        assert_eq!((k.algorithm.name(), k.bits, k.rsa_exponent), ("RSA", Some(2048), Some(65537)));
        assert!(key(&rsa(128)).0.is_weak());
        assert_eq!(key(&rsa(65_536)).0.bits, Some(524_288));
    }

    #[test]
    fn curves_and_edwards() {
        let ec = tlv(OID, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]]);
        let (k, ok) = key(&spki(&[&ec, &tlv(OID, &[&[0x2b, 0x81, 4, 0, 35]])], &[4]));
        assert!(ok);
        assert_eq!((k.algorithm.name(), k.algorithm.curve(), k.bits), ("EC", Some("secp521r1"), Some(521)));
        let (k, _) = key(&spki(&[&ec, &tlv(OID, &[&[0x2b, 1]])], &[]));
        assert_eq!((k.algorithm.curve(), k.bits, k.is_weak()), (Some("1.3.1"), None, false));
        let (k, ok) = key(&spki(&[&tlv(OID, &[&[0x2b, 0x65, 0x70]])], &[1; 32]));
        assert!(ok);
        assert_eq!((k.algorithm, k.bits), (KeyAlgorithm::Ed25519, Some(256)));
        let (k, _) = key(&spki(&[&tlv(OID, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 18]])], &[1; 32]));
        assert_eq!(k.algorithm.name(), "ML-DSA-65");
    }

    #[test]
    fn every_truncation_is_an_error() {
        let der = rsa(64);
        for n in 0..der.len() {
            assert!(!key(&der[..n]).1, "{n}");
        }
        // The algorithm is known although the key is damaged.
        let bad = spki(&[&tlv(OID, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]])], b"\x30\x05");
        let (k, ok) = key(&bad);
        assert!(!ok && k.algorithm == KeyAlgorithm::Rsa && k.bits.is_none());
        let mut unused = spki(&[&tlv(OID, &[&[0x2b, 0x65, 0x70]])], &[]);
        *unused.last_mut().unwrap() = 9;
        assert!(!key(&unused).1);
    }

    #[test]
    fn curves_have_their_size_in_their_name() {
        for (_, (name, bits)) in CURVES {
            assert!(name.contains(&bits.to_string()) || *name == "curveSM2", "{name}");
        }
    }
}
