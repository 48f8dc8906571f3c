//! What a cipher suite's name says.

use super::{Authentication, Cipher, CipherMode, Hash, KeyExchange, Mac, SuiteAttributes};

/// Reads a suite's name.
pub(super) fn parse(name: &'static str) -> Option<SuiteAttributes> {
    let body = name.strip_prefix("TLS_").or_else(|| name.strip_prefix("SSL_"));
    let (left, right) = match body {
        Some(body) => match body.split_once("_WITH_") {
            Some((left, right)) => (Some(left), right),
            None => (None, body),
        },
        // TLCP: `ECDHE_SM4_CBC_SM3`, no `WITH`.
        None => name.split_once('_').map(|(left, right)| (Some(left), right))?,
    };
    let (kx, auth, is_export) = match left {
        None => (KeyExchange::Tls13, Authentication::Tls13, false),
        // The GOST suites of TLS 1.3 are named as if they were of TLS 1.2 (RFC 9367).
        Some(_) if right.contains("_MGM_") => (KeyExchange::Tls13, Authentication::Tls13, false),
        Some(left) if body.is_none() => {
            let (kx, auth) = tlcp_exchange(left)?;
            (kx, auth, false)
        }
        Some(left) => {
            // `KRB5_EXPORT`, `RSA_EXPORT1024`, `RSA_FIPS`: a qualifier at the end of the key exchange.
            let bare = ["_EXPORT1024", "_EXPORT", "_FIPS"].iter().find_map(|q| left.strip_suffix(q)).unwrap_or(left);
            let (kx, auth) = exchange(bare)?;
            (kx, auth, left.contains("_EXPORT"))
        }
    };
    let (cipher, rest) = CIPHERS.iter().find_map(|cipher| {
        // A cipher's name ends the text or is followed by `_`: `SALSA20` is no `SALSA2`.
        let (head, tail) = right.split_at_checked(cipher.name.len())?;
        let tail = if tail.is_empty() { Some(tail) } else { tail.strip_prefix('_') };
        (head == cipher.name).then_some(())?;
        Some((*cipher, tail?))
    })?;
    // RFC 9150: `TLS_SHA256_SHA256` encrypts nothing and has HMAC with the same hash.
    let cipher = if cipher.mode == CipherMode::Null { Cipher { name: "NULL", ..cipher } } else { cipher };
    let (mac, hash) = match (cipher.mode, rest) {
        // CCM suites without a hash in their name use SHA-256 (RFC 6655, RFC 7251).
        (CipherMode::Aead, "") => (Mac::Aead, Hash::Sha256),
        (CipherMode::Aead, "L" | "S") => (Mac::Aead, Hash::Gost2012),
        (CipherMode::Aead, rest) => (Mac::Aead, hash(rest)?),
        (CipherMode::Null, "NULL") => (Mac::Null, Hash::Sha256),
        // RFC 9189 for the number of 2018; the drafts before it used GOST R 34.11-94.
        (_, "IMIT") if name.contains("GOSTR341112") => (Mac::GostImit, Hash::Gost2012),
        (_, "IMIT") => (Mac::GostImit, Hash::Gost94),
        (_, "OMAC") => (Mac::GostOmac, Hash::Gost2012),
        (_, rest) => {
            let mac = hash(rest)?;
            // The PRF of TLS 1.2 has SHA-256 unless the suite says otherwise (RFC 5246, section 5).
            let prf = if matches!(mac, Hash::Md5 | Hash::Sha1) { Hash::Sha256 } else { mac };
            (Mac::Hmac(mac), prf)
        }
    };
    Some(SuiteAttributes { kx, auth, cipher, mac, hash, is_export })
}

fn hash(name: &str) -> Option<Hash> {
    Some(match name {
        "MD5" => Hash::Md5,
        "SHA" | "SHA1" => Hash::Sha1,
        "SHA256" => Hash::Sha256,
        "SHA384" => Hash::Sha384,
        "SHA512" => Hash::Sha512,
        "SM3" => Hash::Sm3,
        "GOSTR3411" => Hash::Gost94,
        "ASCONHASH256" => Hash::Ascon,
        _ => return None,
    })
}

fn exchange(name: &str) -> Option<(KeyExchange, Authentication)> {
    use Authentication as A;
    use KeyExchange as K;
    Some(match name {
        "NULL" => (K::Null, A::Null),
        "RSA" => (K::Rsa, A::Rsa),
        "DHE_RSA" => (K::Dhe, A::Rsa),
        "DHE_DSS" => (K::Dhe, A::Dss),
        "ECDHE_RSA" => (K::Ecdhe, A::Rsa),
        "ECDHE_ECDSA" => (K::Ecdhe, A::Ecdsa),
        // Anonymous suites are ephemeral, though their names lack the E (RFC 5246, section 7.4.3; RFC 8422).
        "DH_anon" => (K::Dhe, A::Anon),
        "ECDH_anon" => (K::Ecdhe, A::Anon),
        "DH_RSA" => (K::Dh, A::Rsa),
        "DH_DSS" => (K::Dh, A::Dss),
        "ECDH_RSA" => (K::Ecdh, A::Rsa),
        "ECDH_ECDSA" => (K::Ecdh, A::Ecdsa),
        "PSK" => (K::Psk, A::Psk),
        "DHE_PSK" | "PSK_DHE" => (K::DhePsk, A::Psk),
        "ECDHE_PSK" => (K::EcdhePsk, A::Psk),
        "RSA_PSK" => (K::RsaPsk, A::Rsa),
        "KRB5" => (K::Krb5, A::Krb5),
        "SRP_SHA" => (K::Srp, A::Srp),
        "SRP_SHA_RSA" => (K::Srp, A::Rsa),
        "SRP_SHA_DSS" => (K::Srp, A::Dss),
        "ECCPWD" => (K::EccPwd, A::Password),
        "ECJPAKE" => (K::EcJpake, A::Password),
        "GOSTR341094" | "GOSTR341001" | "GOSTR341112_256" => (K::Gost, A::Gost),
        "FORTEZZA_KEA" => (K::Fortezza, A::Kea),
        "CECPQ1_RSA" => (K::CecPq1, A::Rsa),
        "CECPQ1_ECDSA" => (K::CecPq1, A::Ecdsa),
        _ => return None,
    })
}

/// Key exchanges of TLCP (GB/T 38636, section 6.4.5.2.1).
fn tlcp_exchange(name: &str) -> Option<(KeyExchange, Authentication)> {
    Some(match name {
        "ECDHE" => (KeyExchange::Ecdhe, Authentication::Sm2),
        "ECC" => (KeyExchange::Sm2, Authentication::Sm2),
        "IBSDH" | "IBC" => (KeyExchange::Sm9, Authentication::Sm9),
        "RSA" => (KeyExchange::Rsa, Authentication::Rsa),
        _ => return None,
    })
}

const fn cipher(name: &'static str, key_bits: u16, mode: CipherMode, tag_len: u8) -> Cipher {
    Cipher { name, key_bits, mode, tag_len }
}

/// Ciphers by the text in the suite's name; of two that begin alike the longer comes first.
const CIPHERS: &[Cipher] = &[
    cipher("AES_128_GCM", 128, CipherMode::Aead, 16),
    cipher("AES_256_GCM", 256, CipherMode::Aead, 16),
    cipher("AES_128_CBC", 128, CipherMode::Cbc, 0),
    cipher("AES_256_CBC", 256, CipherMode::Cbc, 0),
    cipher("CHACHA20_POLY1305", 256, CipherMode::Aead, 16),
    cipher("3DES_EDE_CBC", 168, CipherMode::Cbc, 0),
    cipher("RC4_128", 128, CipherMode::Stream, 0),
    cipher("AES_128_CCM_8", 128, CipherMode::Aead, 8),
    cipher("AES_128_CCM", 128, CipherMode::Aead, 16),
    cipher("AES_256_CCM_8", 256, CipherMode::Aead, 8),
    cipher("AES_256_CCM", 256, CipherMode::Aead, 16),
    cipher("CAMELLIA_128_CBC", 128, CipherMode::Cbc, 0),
    cipher("CAMELLIA_256_CBC", 256, CipherMode::Cbc, 0),
    cipher("CAMELLIA_128_GCM", 128, CipherMode::Aead, 16),
    cipher("CAMELLIA_256_GCM", 256, CipherMode::Aead, 16),
    cipher("ARIA_128_CBC", 128, CipherMode::Cbc, 0),
    cipher("ARIA_256_CBC", 256, CipherMode::Cbc, 0),
    cipher("ARIA_128_GCM", 128, CipherMode::Aead, 16),
    cipher("ARIA_256_GCM", 256, CipherMode::Aead, 16),
    cipher("SEED_CBC", 128, CipherMode::Cbc, 0),
    cipher("IDEA_CBC", 128, CipherMode::Cbc, 0),
    cipher("DES_CBC_40", 40, CipherMode::Cbc, 0),
    cipher("DES40_CBC", 40, CipherMode::Cbc, 0),
    cipher("DES_CBC", 56, CipherMode::Cbc, 0),
    cipher("RC2_CBC_40", 40, CipherMode::Cbc, 0),
    cipher("RC2_CBC_56", 56, CipherMode::Cbc, 0),
    cipher("RC4_40", 40, CipherMode::Stream, 0),
    cipher("RC4_56", 56, CipherMode::Stream, 0),
    cipher("NULL", 0, CipherMode::Null, 0),
    cipher("SM4_GCM", 128, CipherMode::Aead, 16),
    cipher("SM4_CCM", 128, CipherMode::Aead, 16),
    cipher("SM4_CBC", 128, CipherMode::Cbc, 0),
    cipher("SM1", 128, CipherMode::Cbc, 0),
    cipher("AEGIS_128L", 128, CipherMode::Aead, 16),
    cipher("AEGIS_256", 256, CipherMode::Aead, 16),
    cipher("ASCONAEAD128", 128, CipherMode::Aead, 16),
    cipher("KUZNYECHIK_CTR", 256, CipherMode::Stream, 0),
    cipher("MAGMA_CTR", 256, CipherMode::Stream, 0),
    cipher("KUZNYECHIK_MGM", 256, CipherMode::Aead, 16),
    cipher("MAGMA_MGM", 256, CipherMode::Aead, 8),
    cipher("28147_CNT", 256, CipherMode::Stream, 0),
    cipher("FORTEZZA_CBC", 80, CipherMode::Cbc, 0),
    cipher("ESTREAM_SALSA20", 256, CipherMode::Stream, 0),
    cipher("SALSA20", 256, CipherMode::Stream, 0),
    // Integrity only (RFC 9150): the first hash of the name stands where a cipher would.
    cipher("SHA256", 0, CipherMode::Null, 0),
    cipher("SHA384", 0, CipherMode::Null, 0),
];
