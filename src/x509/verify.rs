//! Signatures: whether a key made one. What the verifier at hand cannot judge (P-521, Ed448, DSA, RSA below 1024 bits,
//! MD5, odd encodings) is never called invalid.

use std::sync::Arc;

use ring::signature as algorithms;
use ring::signature::{UnparsedPublicKey, VerificationAlgorithm};

use crate::limits;
use crate::reader::Decoded;
use crate::tls::names::SignatureScheme;

use super::cert::Certificate;
use super::chain::Chain;
use super::der::{BIT_STRING, Der, INTEGER, OID, SEQUENCE, Tlv, context_constructed};
use super::oid::{self, Oid, oid};

/// What became of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The key made it.
    Valid,
    /// The key did not make it over these bytes.
    Invalid,
    /// It cannot be judged here.
    NotJudged,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Pkcs1(Hash),
    Pss(Hash),
    Ecdsa(Hash),
    Ed25519,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

const METHODS: &[(Oid, Method)] = &[
    (oid("1.2.840.113549.1.1.11"), Method::Pkcs1(Hash::Sha256)),
    (oid("1.2.840.113549.1.1.12"), Method::Pkcs1(Hash::Sha384)),
    (oid("1.2.840.113549.1.1.13"), Method::Pkcs1(Hash::Sha512)),
    (oid("1.2.840.113549.1.1.5"), Method::Pkcs1(Hash::Sha1)),
    (oid("1.2.840.10045.4.3.2"), Method::Ecdsa(Hash::Sha256)),
    (oid("1.2.840.10045.4.3.3"), Method::Ecdsa(Hash::Sha384)),
    (oid("1.3.101.112"), Method::Ed25519),
];

const RSASSA_PSS: Oid = oid("1.2.840.113549.1.1.10");
const MGF1: Oid = oid("1.2.840.113549.1.1.8");

/// Hashes of RSASSA-PSS with the salt length that goes with them: as long as the hash.
const PSS_HASHES: &[(Oid, (Hash, u8))] = &[
    (oid("2.16.840.1.101.3.4.2.1"), (Hash::Sha256, 32)),
    (oid("2.16.840.1.101.3.4.2.2"), (Hash::Sha384, 48)),
    (oid("2.16.840.1.101.3.4.2.3"), (Hash::Sha512, 64)),
];

const RSA: Oid = oid("1.2.840.113549.1.1.1");
const EC: Oid = oid("1.2.840.10045.2.1");
const ED25519: Oid = oid("1.3.101.112");
const P256: Oid = oid("1.2.840.10045.3.1.7");
const P384: Oid = oid("1.3.132.0.34");

/// A public key in the form that the verifier takes.
#[derive(Clone, Copy, Debug)]
enum Key<'a> {
    /// RSAPublicKey, and the bits of its modulus.
    Rsa(&'a [u8], u32),
    /// An uncompressed point.
    P256(&'a [u8]),
    /// An uncompressed point.
    P384(&'a [u8]),
    Ed25519(&'a [u8]),
}

/// The parts of a certificate that a signature has to do with.
struct Parts<'a> {
    signed: &'a [u8],
    method: Option<Method>,
    signature: &'a [u8],
    key: Option<Key<'a>>,
}

/// Whether the key of `issuer` made the signature in `cert`.
pub fn is_signed_by(cert: &Certificate, issuer: &Certificate) -> Verdict {
    let (Ok(child), Ok(parent)) = (parts(&cert.der), parts(&issuer.der)) else { return Verdict::NotJudged };
    judge(parent.key, child.method, child.signed, child.signature)
}

/// Whether the key of `cert` made a signature of TLS 1.2 (RFC 5246, section 4.7) over `message`.
pub fn verifies(cert: &Certificate, scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> Verdict {
    let method = match scheme {
        SignatureScheme::RSA_PKCS1_SHA1 => Method::Pkcs1(Hash::Sha1),
        SignatureScheme::RSA_PKCS1_SHA256 => Method::Pkcs1(Hash::Sha256),
        SignatureScheme::RSA_PKCS1_SHA384 => Method::Pkcs1(Hash::Sha384),
        SignatureScheme::RSA_PKCS1_SHA512 => Method::Pkcs1(Hash::Sha512),
        SignatureScheme::RSA_PSS_RSAE_SHA256 | SignatureScheme::RSA_PSS_PSS_SHA256 => Method::Pss(Hash::Sha256),
        SignatureScheme::RSA_PSS_RSAE_SHA384 | SignatureScheme::RSA_PSS_PSS_SHA384 => Method::Pss(Hash::Sha384),
        SignatureScheme::RSA_PSS_RSAE_SHA512 | SignatureScheme::RSA_PSS_PSS_SHA512 => Method::Pss(Hash::Sha512),
        // In TLS 1.2 the curve is the key's.
        SignatureScheme::ECDSA_SECP256R1_SHA256 => Method::Ecdsa(Hash::Sha256),
        SignatureScheme::ECDSA_SECP384R1_SHA384 => Method::Ecdsa(Hash::Sha384),
        SignatureScheme::ED25519 => Method::Ed25519,
        _ => return Verdict::NotJudged,
    };
    match parts(&cert.der) {
        Ok(p) => judge(p.key, Some(method), message, signature),
        Err(_) => Verdict::NotJudged,
    }
}

/// The first certificate of a path that none of the certificates sent with it signed, though one bears its issuer's
/// name: its place and that one's. At most [`limits::SIGNATURES_PER_CHAIN`] signatures are looked at.
pub fn broken_link(certs: &[Arc<Certificate>], relations: &Chain) -> Option<(usize, usize)> {
    let mut left = limits::SIGNATURES_PER_CHAIN;
    for place in &relations.path {
        let child = certs.get(*place)?;
        let mut wrong = None;
        let mut unsure = false;
        for (i, issuer) in certs.iter().enumerate() {
            if issuer.subject_raw != child.issuer_raw || child.issuer_raw.is_empty() {
                continue;
            }
            left = left.checked_sub(1)?;
            match is_signed_by(child, issuer) {
                Verdict::Invalid => wrong = wrong.or(Some((*place, i))),
                Verdict::Valid | Verdict::NotJudged => unsure = true,
            }
        }
        if let Some(found) = wrong.filter(|_| !unsure) {
            return Some(found);
        }
    }
    None
}

fn judge(key: Option<Key<'_>>, method: Option<Method>, message: &[u8], signature: &[u8]) -> Verdict {
    let Some((algorithm, key)) = key.zip(method).and_then(|(k, m)| fitting(k, m)) else { return Verdict::NotJudged };
    if matches!(method, Some(Method::Ecdsa(_))) && !is_ecdsa_signature(signature) {
        return Verdict::NotJudged;
    }
    match UnparsedPublicKey::new(algorithm, key).verify(message, signature) {
        Ok(()) => Verdict::Valid,
        Err(_) => Verdict::Invalid,
    }
}

/// The verifier for a key and a method; `None` where there is none.
fn fitting(key: Key<'_>, method: Method) -> Option<(&'static dyn VerificationAlgorithm, &[u8])> {
    Some(match (key, method) {
        (Key::Rsa(k, 1024..=8192), Method::Pkcs1(Hash::Sha1)) => {
            (&algorithms::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, k)
        }
        (Key::Rsa(k, 1024..=8192), Method::Pkcs1(Hash::Sha256)) => {
            (&algorithms::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, k)
        }
        (Key::Rsa(k, 1024..=8192), Method::Pkcs1(Hash::Sha512)) => {
            (&algorithms::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, k)
        }
        (Key::Rsa(k, 2048..=8192), Method::Pkcs1(Hash::Sha384)) => (&algorithms::RSA_PKCS1_2048_8192_SHA384, k),
        (Key::Rsa(k, 2048..=8192), Method::Pss(Hash::Sha256)) => (&algorithms::RSA_PSS_2048_8192_SHA256, k),
        (Key::Rsa(k, 2048..=8192), Method::Pss(Hash::Sha384)) => (&algorithms::RSA_PSS_2048_8192_SHA384, k),
        (Key::Rsa(k, 2048..=8192), Method::Pss(Hash::Sha512)) => (&algorithms::RSA_PSS_2048_8192_SHA512, k),
        (Key::P256(k), Method::Ecdsa(Hash::Sha256)) => (&algorithms::ECDSA_P256_SHA256_ASN1, k),
        (Key::P256(k), Method::Ecdsa(Hash::Sha384)) => (&algorithms::ECDSA_P256_SHA384_ASN1, k),
        (Key::P384(k), Method::Ecdsa(Hash::Sha256)) => (&algorithms::ECDSA_P384_SHA256_ASN1, k),
        (Key::P384(k), Method::Ecdsa(Hash::Sha384)) => (&algorithms::ECDSA_P384_SHA384_ASN1, k),
        (Key::Ed25519(k), Method::Ed25519) => (&algorithms::ED25519, k),
        _ => return None,
    })
}

fn parts(der: &[u8]) -> Decoded<Parts<'_>> {
    let mut outer = Der::new(der).expect("Certificate", SEQUENCE)?.inside();
    let tbs = outer.expect("tbsCertificate", SEQUENCE)?;
    let algorithm = outer.expect("signatureAlgorithm", SEQUENCE)?;
    let (signature, _) = outer.expect("signatureValue", BIT_STRING)?.bits("signatureValue")?;
    let mut fields = tbs.inside();
    fields.optional("version", context_constructed(0))?;
    fields.next("serialNumber")?;
    let inner = fields.next("signature")?;
    let spki = public_key(&tbs)?;
    // Two algorithms that differ: whatever follows, the fault is another one.
    let method = if inner.raw == algorithm.raw { method(&algorithm)? } else { None };
    Ok(Parts { signed: tbs.raw, method, signature, key: key(&spki).unwrap_or(None) })
}

/// Content of the INTEGER that is the modulus of an RSA key.
pub(super) fn rsa_modulus(der: &[u8]) -> Option<&[u8]> {
    let read = || {
        let tbs = Der::new(der).expect("Certificate", SEQUENCE)?.inside().expect("tbsCertificate", SEQUENCE)?;
        let mut fields = public_key(&tbs)?.inside();
        let kind = fields.expect("algorithm", SEQUENCE)?.inside().expect("algorithm", OID)?.content;
        let (_, mut key) = fields.expect("subjectPublicKey", BIT_STRING)?.bits("subjectPublicKey")?;
        let is_rsa = RSA.is(kind) || RSASSA_PSS.is(kind);
        let mut numbers = key.expect("RSAPublicKey", SEQUENCE)?.inside();
        numbers.expect("modulus", INTEGER).map(|n| is_rsa.then_some(n.content))
    };
    read().ok().flatten()
}

/// SubjectPublicKeyInfo.
fn public_key<'a>(tbs: &Tlv<'a>) -> Decoded<Tlv<'a>> {
    let mut fields = tbs.inside();
    fields.optional("version", context_constructed(0))?;
    for what in ["serialNumber", "signature", "issuer", "validity", "subject"] {
        fields.next(what)?;
    }
    fields.next("subjectPublicKeyInfo")
}

fn method(algorithm: &Tlv<'_>) -> Decoded<Option<Method>> {
    let mut fields = algorithm.inside();
    let kind = fields.expect("algorithm", OID)?.content;
    if !RSASSA_PSS.is(kind) {
        return Ok(oid::find(METHODS, kind));
    }
    // RFC 4055, section 3.1; only the form that everybody uses: one hash for all, a salt as long as the hash.
    let mut p = fields.expect("RSASSA-PSS-params", SEQUENCE)?.inside();
    let hash_of = |t: &Tlv<'_>| -> Decoded<Option<(Hash, u8)>> {
        Ok(oid::find(PSS_HASHES, t.inside().expect("hashAlgorithm", OID)?.content))
    };
    let Some(hash) = p.optional("hashAlgorithm", context_constructed(0))? else { return Ok(None) };
    let hash = hash_of(&hash.inside().expect("hashAlgorithm", SEQUENCE)?)?;
    let Some(mask) = p.optional("maskGenAlgorithm", context_constructed(1))? else { return Ok(None) };
    let mut mask = mask.inside().expect("maskGenAlgorithm", SEQUENCE)?.inside();
    let is_mgf1 = MGF1.is(mask.expect("maskGenAlgorithm", OID)?.content);
    let mask_hash = hash_of(&mask.expect("hashAlgorithm", SEQUENCE)?)?;
    let Some(salt) = p.optional("saltLength", context_constructed(2))? else { return Ok(None) };
    let salt = salt.inside().expect("saltLength", INTEGER)?.content;
    let usual = is_mgf1 && mask_hash == hash && p.is_empty();
    Ok(hash.filter(|(_, len)| usual && salt == [*len]).map(|(h, _)| Method::Pss(h)))
}

fn key<'a>(spki: &Tlv<'a>) -> Decoded<Option<Key<'a>>> {
    let mut fields = spki.inside();
    let mut algorithm = fields.expect("algorithm", SEQUENCE)?.inside();
    let kind = algorithm.expect("algorithm", OID)?.content;
    let (bits, mut inner) = fields.expect("subjectPublicKey", BIT_STRING)?.bits("subjectPublicKey")?;
    Ok(if RSA.is(kind) || RSASSA_PSS.is(kind) {
        let mut numbers = inner.expect("RSAPublicKey", SEQUENCE)?.inside();
        let n = numbers.expect("modulus", INTEGER)?.content;
        let e = numbers.expect("publicExponent", INTEGER)?.content;
        // The verifier takes odd, positive numbers in their shortest form, exponents from 3 to 33 bits.
        let odd = |x: &[u8]| x.last().is_some_and(|b| b & 1 == 1);
        let short = |x: &[u8]| matches!(x, [0, 0x80..=0xff, ..] | [1..=0x7f, ..]);
        let usual = odd(n) && odd(e) && short(n) && short(e) && e.len() <= 4 && e != [1];
        usual.then_some(Key::Rsa(bits, super::der::bit_length(n)))
    } else if EC.is(kind) {
        let curve = algorithm.next("namedCurve")?;
        match bits {
            [4, ..] if P256.is(curve.content) && bits.len() == 65 => Some(Key::P256(bits)),
            [4, ..] if P384.is(curve.content) && bits.len() == 97 => Some(Key::P384(bits)),
            _ => None,
        }
    } else {
        (ED25519.is(kind) && bits.len() == 32).then_some(Key::Ed25519(bits))
    })
}

/// ECDSA-Sig-Value (RFC 3279, section 2.2.3), two positive numbers in their shortest form.
fn is_ecdsa_signature(der: &[u8]) -> bool {
    let read = || -> Decoded<bool> {
        let mut outer = Der::new(der);
        let mut numbers = outer.expect("ECDSA-Sig-Value", SEQUENCE)?.inside();
        let (r, s) = (numbers.expect("r", INTEGER)?.content, numbers.expect("s", INTEGER)?.content);
        let short = |x: &[u8]| matches!(x, [0, 0x80..=0xff, ..] | [1..=0x7f, ..]);
        Ok(short(r) && short(s) && numbers.is_empty() && outer.is_empty())
    };
    read().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::judge_chain;

    fn issued(name: &str, by: Option<&rcgen::Issuer<'_, rcgen::KeyPair>>, key: &rcgen::KeyPair, ca: bool) -> Vec<u8> {
        let mut p = rcgen::CertificateParams::new(vec![]).unwrap();
        p.distinguished_name = rcgen::DistinguishedName::new();
        p.distinguished_name.push(rcgen::DnType::CommonName, name);
        if ca {
            p.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }
        match by {
            Some(issuer) => p.signed_by(key, issuer).unwrap().der().to_vec(),
            None => p.self_signed(key).unwrap().der().to_vec(),
        }
    }

    /// A CA of each kind of key and a leaf that it signed.
    fn pairs() -> Vec<(Certificate, Certificate)> {
        [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519]
            .into_iter()
            .map(|alg| {
                let (ca_key, key) = (rcgen::KeyPair::generate_for(alg).unwrap(), rcgen::KeyPair::generate().unwrap());
                let mut p = rcgen::CertificateParams::new(vec![]).unwrap();
                p.distinguished_name = rcgen::DistinguishedName::new();
                p.distinguished_name.push(rcgen::DnType::CommonName, "CA");
                let ca = issued("CA", None, &ca_key, true);
                let issuer = rcgen::Issuer::new(p, ca_key);
                let leaf = issued("leaf", Some(&issuer), &key, false);
                (Certificate::parse(&leaf), Certificate::parse(&ca))
            })
            .collect()
    }

    #[test]
    fn who_signed_what() {
        let all = pairs();
        for (leaf, ca) in &all {
            assert_eq!(is_signed_by(leaf, ca), Verdict::Valid);
            assert_eq!(is_signed_by(ca, ca), Verdict::Valid);
            // One bit of what is signed: the last byte of the certificate's name lies in it.
            let mut der = leaf.der.to_vec();
            let at = der.windows(4).position(|w| w == b"leaf").unwrap();
            der[at] ^= 1;
            assert_eq!(is_signed_by(&Certificate::parse(&der), ca), Verdict::Invalid);
        }
        // Another key of the same kind did not; of another kind it cannot be judged.
        let (leaf, _) = &all[0];
        let (_, other) = &pairs()[0];
        assert_eq!(is_signed_by(leaf, other), Verdict::Invalid);
        assert_eq!(is_signed_by(leaf, &all[2].1), Verdict::NotJudged);
    }

    #[test]
    fn a_link_is_broken_only_when_nobody_sent_along_signed_it() {
        let arc = |c: &Certificate| Arc::new(c.clone());
        let all = pairs();
        let (leaf, ca) = &all[0];
        let (_, other) = &pairs()[0];
        let broken = |list: &[Arc<Certificate>]| broken_link(list, &judge_chain(list));
        assert_eq!(broken(&[arc(leaf), arc(ca)]), None);
        assert_eq!(broken(&[arc(leaf)]), None);
        assert_eq!(broken(&[arc(leaf), arc(other), arc(ca)]), None);
        assert_eq!(broken(&[arc(leaf), arc(other)]), Some((0, 1)));
        // A key of a kind that does not fit the algorithm is not judged.
        assert_eq!(broken(&[arc(leaf), arc(&all[2].1)]), None);
    }

    #[test]
    fn damage_is_not_judged() {
        let (leaf, ca) = &pairs()[0];
        for n in 0..leaf.der.len() {
            let cut = Certificate::parse(&leaf.der[..n]);
            assert_eq!(is_signed_by(&cut, ca), Verdict::NotJudged, "{n}");
            assert_ne!(is_signed_by(leaf, &Certificate::parse(&ca.der[..n.min(ca.der.len() - 1)])), Verdict::Invalid);
        }
        assert!(!is_ecdsa_signature(&[0x30, 6, 2, 1, 0x80, 2, 1, 1]), "a negative number");
        assert!(is_ecdsa_signature(&[0x30, 6, 2, 1, 0x7f, 2, 1, 1]));
    }
}
