//! Signature algorithms of certificates, by OpenSSL's long names, and the hash each stands on.

use crate::reader::Decoded;

use super::der::{OID, SEQUENCE, Tlv, context_constructed};
use super::oid::{self, Oid, oid};

/// The hash a signature stands on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SignatureHash {
    /// MD2, broken.
    Md2,
    /// MD4, broken.
    Md4,
    /// MD5, broken.
    Md5,
    /// SHA-1, broken.
    Sha1,
    /// SHA-2 or SHA-3 of at least 224 bits, SM3, GOST R 34.11: nothing known against it.
    Sound,
    /// Part of the scheme (EdDSA, ML-DSA, SLH-DSA).
    Intrinsic,
    /// Not known: an algorithm that is not in the table, or damaged parameters.
    #[default]
    Unknown,
}

impl SignatureHash {
    /// True for hashes whose collisions let certificates be forged, and which TLS stacks refuse.
    pub const fn is_broken(self) -> bool {
        matches!(self, Self::Md2 | Self::Md4 | Self::Md5 | Self::Sha1)
    }
}

use SignatureHash::{Intrinsic, Md2, Md4, Md5, Sha1, Sound, Unknown};

const RSASSA_PSS: Oid = oid("1.2.840.113549.1.1.10");

const ALGORITHMS: &[(Oid, (&str, SignatureHash))] = &[
    (oid("1.2.840.113549.1.1.11"), ("sha256WithRSAEncryption", Sound)),
    (oid("1.2.840.10045.4.3.2"), ("ecdsa-with-SHA256", Sound)),
    (oid("1.2.840.10045.4.3.3"), ("ecdsa-with-SHA384", Sound)),
    (oid("1.2.840.113549.1.1.12"), ("sha384WithRSAEncryption", Sound)),
    (oid("1.2.840.113549.1.1.13"), ("sha512WithRSAEncryption", Sound)),
    (oid("1.2.840.113549.1.1.5"), ("sha1WithRSAEncryption", Sha1)),
    (oid("1.2.840.10045.4.3.4"), ("ecdsa-with-SHA512", Sound)),
    (oid("1.3.101.112"), ("ED25519", Intrinsic)),
    (oid("1.3.101.113"), ("ED448", Intrinsic)),
    (RSASSA_PSS, ("rsassaPss", Sha1)),
    (oid("1.2.840.113549.1.1.4"), ("md5WithRSAEncryption", Md5)),
    (oid("1.2.840.113549.1.1.3"), ("md4WithRSAEncryption", Md4)),
    (oid("1.2.840.113549.1.1.2"), ("md2WithRSAEncryption", Md2)),
    (oid("1.2.840.113549.1.1.14"), ("sha224WithRSAEncryption", Sound)),
    (oid("1.2.840.113549.1.1.15"), ("sha512-224WithRSAEncryption", Sound)),
    (oid("1.2.840.113549.1.1.16"), ("sha512-256WithRSAEncryption", Sound)),
    (oid("1.3.14.3.2.3"), ("md5WithRSA", Md5)),
    (oid("1.3.14.3.2.15"), ("shaWithRSAEncryption", Unknown)),
    (oid("1.3.14.3.2.29"), ("sha1WithRSA", Sha1)),
    (oid("1.3.36.3.3.1.2"), ("ripemd160WithRSA", Unknown)),
    (oid("1.2.840.10045.4.1"), ("ecdsa-with-SHA1", Sha1)),
    (oid("1.2.840.10045.4.3.1"), ("ecdsa-with-SHA224", Sound)),
    (oid("1.2.840.10040.4.3"), ("dsaWithSHA1", Sha1)),
    (oid("1.3.14.3.2.27"), ("dsaWithSHA1-old", Sha1)),
    (oid("2.16.840.1.101.3.4.3.1"), ("dsa_with_SHA224", Sound)),
    (oid("2.16.840.1.101.3.4.3.2"), ("dsa_with_SHA256", Sound)),
    (oid("2.16.840.1.101.3.4.3.3"), ("dsa_with_SHA384", Sound)),
    (oid("2.16.840.1.101.3.4.3.4"), ("dsa_with_SHA512", Sound)),
    (oid("2.16.840.1.101.3.4.3.5"), ("dsa_with_SHA3-224", Sound)),
    (oid("2.16.840.1.101.3.4.3.6"), ("dsa_with_SHA3-256", Sound)),
    (oid("2.16.840.1.101.3.4.3.7"), ("dsa_with_SHA3-384", Sound)),
    (oid("2.16.840.1.101.3.4.3.8"), ("dsa_with_SHA3-512", Sound)),
    (oid("2.16.840.1.101.3.4.3.9"), ("ecdsa_with_SHA3-224", Sound)),
    (oid("2.16.840.1.101.3.4.3.10"), ("ecdsa_with_SHA3-256", Sound)),
    (oid("2.16.840.1.101.3.4.3.11"), ("ecdsa_with_SHA3-384", Sound)),
    (oid("2.16.840.1.101.3.4.3.12"), ("ecdsa_with_SHA3-512", Sound)),
    (oid("2.16.840.1.101.3.4.3.13"), ("RSA-SHA3-224", Sound)),
    (oid("2.16.840.1.101.3.4.3.14"), ("RSA-SHA3-256", Sound)),
    (oid("2.16.840.1.101.3.4.3.15"), ("RSA-SHA3-384", Sound)),
    (oid("2.16.840.1.101.3.4.3.16"), ("RSA-SHA3-512", Sound)),
    (oid("2.16.840.1.101.3.4.3.17"), ("ML-DSA-44", Intrinsic)),
    (oid("2.16.840.1.101.3.4.3.18"), ("ML-DSA-65", Intrinsic)),
    (oid("2.16.840.1.101.3.4.3.19"), ("ML-DSA-87", Intrinsic)),
    (oid("2.16.840.1.101.3.4.3.20"), ("SLH-DSA-SHA2-128s", Intrinsic)),
    (oid("2.16.840.1.101.3.4.3.21"), ("SLH-DSA-SHA2-128f", Intrinsic)),
    (oid("2.16.840.1.101.3.4.3.22"), ("SLH-DSA-SHA2-192s", Intrinsic)),
    (oid("2.16.840.1.101.3.4.3.23"), ("SLH-DSA-SHA2-192f", Intrinsic)),
    (oid("2.16.840.1.101.3.4.3.24"), ("SLH-DSA-SHA2-256s", Intrinsic)),
    (oid("2.16.840.1.101.3.4.3.25"), ("SLH-DSA-SHA2-256f", Intrinsic)),
    (oid("2.16.840.1.101.3.4.3.26"), ("SLH-DSA-SHAKE-128s", Intrinsic)),
    (oid("2.16.840.1.101.3.4.3.27"), ("SLH-DSA-SHAKE-128f", Intrinsic)),
    (oid("2.16.840.1.101.3.4.3.28"), ("SLH-DSA-SHAKE-192s", Intrinsic)),
    (oid("2.16.840.1.101.3.4.3.29"), ("SLH-DSA-SHAKE-192f", Intrinsic)),
    (oid("2.16.840.1.101.3.4.3.30"), ("SLH-DSA-SHAKE-256s", Intrinsic)),
    (oid("2.16.840.1.101.3.4.3.31"), ("SLH-DSA-SHAKE-256f", Intrinsic)),
    (oid("1.2.156.10197.1.501"), ("SM2-with-SM3", Sound)),
    (oid("1.2.156.10197.1.504"), ("sm3WithRSAEncryption", Sound)),
    (oid("1.2.643.2.2.3"), ("GOST R 34.11-94 with GOST R 34.10-2001", Sound)),
    (oid("1.2.643.7.1.1.3.2"), ("GOST R 34.10-2012 with GOST R 34.11-2012 (256 bit)", Sound)),
    (oid("1.2.643.7.1.1.3.3"), ("GOST R 34.10-2012 with GOST R 34.11-2012 (512 bit)", Sound)),
];

/// Hashes that RSASSA-PSS parameters can name.
const HASHES: &[(Oid, SignatureHash)] = &[
    (oid("2.16.840.1.101.3.4.2.1"), Sound),
    (oid("2.16.840.1.101.3.4.2.2"), Sound),
    (oid("2.16.840.1.101.3.4.2.3"), Sound),
    (oid("2.16.840.1.101.3.4.2.4"), Sound),
    (oid("2.16.840.1.101.3.4.2.5"), Sound),
    (oid("2.16.840.1.101.3.4.2.6"), Sound),
    (oid("2.16.840.1.101.3.4.2.7"), Sound),
    (oid("2.16.840.1.101.3.4.2.8"), Sound),
    (oid("2.16.840.1.101.3.4.2.9"), Sound),
    (oid("2.16.840.1.101.3.4.2.10"), Sound),
    (oid("2.16.840.1.101.3.4.2.11"), Sound),
    (oid("2.16.840.1.101.3.4.2.12"), Sound),
    (oid("1.3.14.3.2.26"), Sha1),
    (oid("1.2.840.113549.2.5"), Md5),
];

/// Name (dotted where there is none) and hash of a signature's AlgorithmIdentifier.
pub(crate) fn read(algorithm: &Tlv<'_>) -> Decoded<(String, SignatureHash)> {
    let mut fields = algorithm.of("signatureAlgorithm", SEQUENCE)?.inside();
    let kind = fields.expect("signatureAlgorithm", OID)?.content;
    let Some((name, mut hash)) = oid::find(ALGORITHMS, kind) else {
        return Ok((oid::dotted(kind), Unknown));
    };
    if RSASSA_PSS.is(kind) {
        // RFC 4055, section 3.1: all parameters have a default, and the hash's is SHA-1.
        let named = fields
            .next("RSASSA-PSS-params")
            .ok()
            .filter(|p| p.tag == SEQUENCE)
            .and_then(|p| p.inside().optional("hashAlgorithm", context_constructed(0)).transpose());
        if let Some(outer) = named {
            hash = outer
                .and_then(|o| o.inside().expect("hashAlgorithm", SEQUENCE))
                .and_then(|h| h.inside().expect("hashAlgorithm", OID))
                .ok()
                .and_then(|o| oid::find(HASHES, o.content))
                .unwrap_or(Unknown);
        }
    }
    Ok((name.into(), hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::{Der, tlv};

    const PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];

    fn name(parts: &[&[u8]]) -> (String, SignatureHash) {
        read(&Der::new(&tlv(SEQUENCE, parts)).next("a").unwrap()).unwrap()
    }

    #[test]
    fn names_and_hashes() {
        let (n, h) = name(&[&tlv(OID, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4]]), &[5, 0]]);
        assert!(n == "md5WithRSAEncryption" && h.is_broken());
        let (n, h) = name(&[&tlv(OID, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]])]);
        assert!(n == "ecdsa-with-SHA256" && h == Sound);
        assert_eq!(name(&[&tlv(OID, &[&[0x2b, 1]])]), ("1.3.1".into(), Unknown));
    }

    #[test]
    fn pss_has_its_hash_in_the_parameters() {
        assert_eq!(name(&[&tlv(OID, &[PSS])]).1, Sha1);
        assert_eq!(name(&[&tlv(OID, &[PSS]), &tlv(SEQUENCE, &[])]).1, Sha1);
        let sha256 = tlv(SEQUENCE, &[&tlv(OID, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]]), &[5, 0]]);
        assert_eq!(name(&[&tlv(OID, &[PSS]), &tlv(SEQUENCE, &[&tlv(0xa0, &[&sha256])])]).1, Sound);
        assert_eq!(name(&[&tlv(OID, &[PSS]), &tlv(SEQUENCE, &[&tlv(0xa0, &[&[5, 0]])])]).1, Unknown);
    }

    #[test]
    fn no_entry_twice() {
        for (i, (_, (name, _))) in ALGORITHMS.iter().enumerate() {
            assert!(!ALGORITHMS[..i].iter().any(|(_, (n, _))| n == name), "{name}");
        }
    }
}
