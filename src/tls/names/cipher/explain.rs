//! A cipher suite in plain sentences, composed from what its name says.

use super::{Authentication, CipherMode, CipherSuite, Hash, KeyExchange, Mac, SuiteAttributes};

/// Sentences on the exchange, the cipher and the worst weakness.
pub(super) fn explain(suite: CipherSuite, a: SuiteAttributes) -> String {
    let mut out = String::with_capacity(256);
    out.push_str(match a.kx {
        KeyExchange::Null => "No key exchange",
        KeyExchange::Rsa => "The client encrypts the secret with the server's RSA key (no forward secrecy)",
        KeyExchange::Dhe => "Ephemeral Diffie-Hellman",
        KeyExchange::Ecdhe => "Ephemeral elliptic-curve Diffie-Hellman",
        KeyExchange::Dh => "Diffie-Hellman with the fixed key of a certificate (no forward secrecy)",
        KeyExchange::Ecdh => "Elliptic-curve Diffie-Hellman with the fixed key of a certificate (no forward secrecy)",
        KeyExchange::Psk => "A pre-shared key alone (no forward secrecy)",
        KeyExchange::DhePsk => "A pre-shared key with ephemeral Diffie-Hellman",
        KeyExchange::EcdhePsk => "A pre-shared key with ephemeral elliptic-curve Diffie-Hellman",
        KeyExchange::RsaPsk => "A pre-shared key and a secret encrypted with the server's RSA key (no forward secrecy)",
        KeyExchange::Krb5 => "Kerberos 5",
        KeyExchange::Srp => "Secure Remote Password",
        KeyExchange::Gost => "GOST R 34.10",
        KeyExchange::EccPwd => "Password authentication on an elliptic curve (ECCPWD)",
        KeyExchange::EcJpake => "Password authentication on an elliptic curve (EC J-PAKE)",
        KeyExchange::Fortezza => "Fortezza cards",
        KeyExchange::CecPq1 => "X25519 with New Hope (an experiment of 2016)",
        KeyExchange::Sm2 => "The client encrypts the secret with the server's SM2 key (no forward secrecy)",
        KeyExchange::Sm9 => "Identity-based SM9",
        KeyExchange::Tls13 => "A suite of TLS 1.3, where key exchange and authentication are negotiated on their own",
    });
    out.push_str(match a.auth {
        Authentication::Anon => ", nobody authenticated",
        Authentication::Rsa if a.kx != KeyExchange::Rsa => ", the server proves itself with an RSA certificate",
        Authentication::Dss => ", the server proves itself with a DSA certificate",
        Authentication::Ecdsa => ", the server proves itself with an elliptic-curve certificate",
        _ => "",
    });
    out.push_str("; ");
    match a.cipher.mode {
        CipherMode::Null => out.push_str("no encryption"),
        _ => {
            out.push_str(&a.cipher.name.replace('_', "-"));
            out.push_str(&format!(" ({} bits)", a.cipher.key_bits));
        }
    }
    match a.mac {
        Mac::Null => out.push_str(" and no protection from change"),
        Mac::Hmac(hash) => out.push_str(&format!(" with HMAC-{}", hash_name(hash))),
        Mac::Aead => out.push_str(", authenticated encryption"),
        Mac::GostImit => out.push_str(" with GOST IMIT"),
        Mac::GostOmac => out.push_str(" with OMAC"),
    }
    out.push('.');
    let weak = weakness(suite, a);
    if !weak.is_empty() {
        out.push(' ');
        out.push_str(weak);
    }
    if !suite.is_registered() {
        out.push_str(" The number is not in IANA's registry.");
    }
    out
}

/// The worst that can be said of a suite.
fn weakness(suite: CipherSuite, a: SuiteAttributes) -> &'static str {
    if suite.is_anon() {
        "Anybody in between can read and change everything: do not use."
    } else if a.cipher.mode == CipherMode::Null {
        "Everything is sent in the clear."
    } else if a.is_export {
        "Export grade: breakable by anybody."
    } else if suite.is_rc4() {
        "RC4 is broken and forbidden (RFC 7465)."
    } else if suite.is_des() {
        "Single DES is breakable by brute force."
    } else if suite.has_64_bit_blocks() {
        "Blocks of 64 bits: long connections give plaintext away (Sweet32)."
    } else if suite.has_md5_mac() {
        "HMAC-MD5 is outdated."
    } else if a.cipher.mode == CipherMode::Cbc {
        "CBC mode has a history of padding oracles; prefer AEAD suites."
    } else {
        ""
    }
}

const fn hash_name(hash: Hash) -> &'static str {
    match hash {
        Hash::Md5 => "MD5",
        Hash::Sha1 => "SHA-1",
        Hash::Sha256 => "SHA-256",
        Hash::Sha384 => "SHA-384",
        Hash::Sha512 => "SHA-512",
        Hash::Sm3 => "SM3",
        Hash::Gost94 => "GOST R 34.11-94",
        Hash::Gost2012 => "GOST R 34.11-2012",
        Hash::Ascon => "Ascon-Hash256",
    }
}
