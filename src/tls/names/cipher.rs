//! Cipher suites (IANA "TLS Cipher Suites"). What a suite does is read from its name, so that the table has no second
//! truth: `TLS_<key exchange>_<authentication>_WITH_<cipher>_<hash>`, in TLS 1.3 `TLS_<cipher>_<hash>`.

mod explain;
mod parse;

use std::sync::LazyLock;

use super::cipher_table::{SUITES, UNREGISTERED};
use super::{Entry, is_grease, registry_methods};

/// A cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CipherSuite(pub u16);

registry_methods!(CipherSuite(u16), "0x{:04x}", "0x{:04x}", is_grease);

/// How the session's secret comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyExchange {
    /// No key exchange (`TLS_NULL_WITH_NULL_NULL`, the state before a handshake).
    Null,
    /// The client encrypts the secret with the server's RSA key: no forward secrecy.
    Rsa,
    /// Ephemeral finite-field Diffie-Hellman; also the anonymous one.
    Dhe,
    /// Ephemeral elliptic-curve Diffie-Hellman; also the anonymous one.
    Ecdhe,
    /// Diffie-Hellman with the fixed key of a certificate.
    Dh,
    /// Elliptic-curve Diffie-Hellman with the fixed key of a certificate.
    Ecdh,
    /// A pre-shared key alone.
    Psk,
    /// A pre-shared key with ephemeral Diffie-Hellman.
    DhePsk,
    /// A pre-shared key with ephemeral elliptic-curve Diffie-Hellman.
    EcdhePsk,
    /// A pre-shared key with a secret that is encrypted with the server's RSA key.
    RsaPsk,
    /// Kerberos 5 (RFC 2712).
    Krb5,
    /// Secure Remote Password (RFC 5054).
    Srp,
    /// GOST R 34.10, ephemeral on the client's side only.
    Gost,
    /// Elliptic-curve password authentication (RFC 8492).
    EccPwd,
    /// Password authentication J-PAKE on an elliptic curve (Thread).
    EcJpake,
    /// Fortezza cards (SSL 3.0).
    Fortezza,
    /// X25519 with New Hope (Chrome's experiment of 2016).
    CecPq1,
    /// TLCP: the secret is encrypted with the server's SM2 key.
    Sm2,
    /// TLCP: identity-based SM9.
    Sm9,
    /// TLS 1.3: not part of the suite (see `key_share` and `pre_shared_key`).
    Tls13,
}

/// How the server proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Authentication {
    /// Not at all (`TLS_NULL_WITH_NULL_NULL`).
    Null,
    /// Not at all: anybody in between can take part.
    Anon,
    /// A certificate with an RSA key.
    Rsa,
    /// A certificate with a DSA key.
    Dss,
    /// A certificate with an elliptic-curve key, Ed25519 and Ed448 included.
    Ecdsa,
    /// A pre-shared key.
    Psk,
    /// Kerberos 5.
    Krb5,
    /// The password of Secure Remote Password.
    Srp,
    /// A certificate with a GOST key.
    Gost,
    /// A password (ECCPWD, EC J-PAKE).
    Password,
    /// A Fortezza certificate.
    Kea,
    /// A certificate with an SM2 key.
    Sm2,
    /// Identity-based SM9.
    Sm9,
    /// TLS 1.3: not part of the suite (see `signature_algorithms` and `pre_shared_key`).
    Tls13,
}

/// How the cipher works on records, which decides on the weaknesses it can have and on its overhead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CipherMode {
    /// No encryption.
    Null,
    /// A stream cipher, or a block cipher in counter mode, with a MAC.
    Stream,
    /// A block cipher in CBC mode with a MAC.
    Cbc,
    /// Authenticated encryption.
    Aead,
}

/// The cipher of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cipher {
    /// Its name as in the suite's, such as `AES_128_GCM`, `3DES_EDE_CBC`, `NULL`.
    pub name: &'static str,
    /// Secret bits of its key: 168 for triple DES, 40 for export ciphers, 0 for none.
    pub key_bits: u16,
    /// How it works.
    pub mode: CipherMode,
    /// Bytes of the AEAD tag; 0 for the others.
    pub tag_len: u8,
}

/// What protects a record from change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mac {
    /// Nothing.
    Null,
    /// HMAC (in SSL 3.0 its forerunner) with this hash.
    Hmac(Hash),
    /// The tag of the AEAD cipher.
    Aead,
    /// GOST 28147-89 IMIT: 4 bytes.
    GostImit,
    /// GOST OMAC: 16 bytes with Kuznyechik, 8 with Magma.
    GostOmac,
}

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hash {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SM3.
    Sm3,
    /// GOST R 34.11-94.
    Gost94,
    /// GOST R 34.11-2012 of 256 bits (Streebog).
    Gost2012,
    /// Ascon-Hash256.
    Ascon,
}

impl Hash {
    /// Length of its output in bytes.
    pub const fn len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 | Self::Sm3 | Self::Gost94 | Self::Gost2012 | Self::Ascon => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Never: clippy's companion of [`Hash::len`].
    pub const fn is_empty(self) -> bool {
        false
    }
}

/// What the name of a suite says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuiteAttributes {
    /// Key exchange.
    pub kx: KeyExchange,
    /// Authentication of the server.
    pub auth: Authentication,
    /// Cipher.
    pub cipher: Cipher,
    /// Protection from change.
    pub mac: Mac,
    /// Hash of the key schedule: of the PRF in TLS 1.2 (older versions use MD5 and SHA-1 together), of HKDF in 1.3.
    pub hash: Hash,
    /// Weakened for export from the USA before 2000.
    pub is_export: bool,
}

impl CipherSuite {
    /// The state before any handshake; must never be negotiated.
    pub const TLS_NULL_WITH_NULL_NULL: Self = Self(0x0000);
    /// Signals support for secure renegotiation (RFC 5746); no suite.
    pub const TLS_EMPTY_RENEGOTIATION_INFO_SCSV: Self = Self(0x00ff);
    /// Signals a retry with a lower version (RFC 7507); no suite.
    pub const TLS_FALLBACK_SCSV: Self = Self(0x5600);
    /// The suite every TLS 1.2 implementation must have (RFC 5246, section 9).
    pub const TLS_RSA_WITH_AES_128_CBC_SHA: Self = Self(0x002f);
    /// The suite every TLS 1.3 implementation must have (RFC 9846, section 9.1).
    pub const TLS_AES_128_GCM_SHA256: Self = Self(0x1301);
    /// TLS 1.3.
    pub const TLS_AES_256_GCM_SHA384: Self = Self(0x1302);
    /// TLS 1.3.
    pub const TLS_CHACHA20_POLY1305_SHA256: Self = Self(0x1303);
    /// TLS 1.3.
    pub const TLS_AES_128_CCM_SHA256: Self = Self(0x1304);
    /// TLS 1.3; tag of 8 bytes.
    pub const TLS_AES_128_CCM_8_SHA256: Self = Self(0x1305);

    const TABLE: &'static [Entry<u16>] = SUITES;

    /// True for the two signals that stand among the suites of a ClientHello but are none.
    pub const fn is_signal(self) -> bool {
        matches!(self, Self::TLS_EMPTY_RENEGOTIATION_INFO_SCSV | Self::TLS_FALLBACK_SCSV)
    }

    /// True where the number is in IANA's registry (and not only in use).
    pub fn is_registered(self) -> bool {
        self.name().is_some() && !UNREGISTERED.iter().any(|(first, last)| (*first..=*last).contains(&self.0))
    }

    /// What the suite does; `None` for unknown numbers, GREASE and signals.
    pub fn attributes(self) -> Option<SuiteAttributes> {
        // The ChaCha20 suites of a draft, as Chrome and OpenSSL spoke them in 2014: same construction, other nonce
        // and numbers, no names of their own.
        let suite = match self.0 {
            0xcc13 => Self(0xcca8),
            0xcc14 => Self(0xcca9),
            0xcc15 => Self(0xccaa),
            _ => self,
        };
        if suite.is_signal() {
            return None;
        }
        // Every hello asks this of dozens of suites, several times: each name is read once and found without a search.
        static READ: LazyLock<(Vec<Option<SuiteAttributes>>, Vec<u16>)> = LazyLock::new(|| {
            let read = SUITES.iter().map(|s| parse::parse(s.name)).collect();
            let at = |id| SUITES.binary_search_by_key(&id, |s| s.id).ok().and_then(|i| u16::try_from(i).ok());
            (read, (0..=u16::MAX).map(|id| at(id).unwrap_or(u16::MAX)).collect())
        });
        let (read, at) = &*READ;
        let at = at.get(usize::from(suite.0))?;
        read.get(usize::from(*at)).copied().flatten()
    }

    /// No encryption.
    pub fn is_null(self) -> bool {
        self.attributes().is_some_and(|a| a.cipher.mode == CipherMode::Null)
    }

    /// No authentication: anybody in between can read and change everything.
    pub fn is_anon(self) -> bool {
        self.attributes().is_some_and(|a| matches!(a.auth, Authentication::Anon | Authentication::Null))
    }

    /// Weakened for export (40 or 56 bits; FREAK, Logjam).
    pub fn is_export(self) -> bool {
        self.attributes().is_some_and(|a| a.is_export)
    }

    /// RC4, forbidden by RFC 7465.
    pub fn is_rc4(self) -> bool {
        self.attributes().is_some_and(|a| a.cipher.name.starts_with("RC4"))
    }

    /// Single DES (56 or 40 bits).
    pub fn is_des(self) -> bool {
        self.attributes().is_some_and(|a| a.cipher.name.starts_with("DES"))
    }

    /// Triple DES (Sweet32).
    pub fn is_3des(self) -> bool {
        self.attributes().is_some_and(|a| a.cipher.name.starts_with("3DES"))
    }

    /// CBC mode with blocks of 64 bits, where long connections give plaintext away (Sweet32).
    pub fn has_64_bit_blocks(self) -> bool {
        self.attributes()
            .is_some_and(|a| ["DES", "3DES", "RC2", "IDEA", "FORTEZZA"].iter().any(|p| a.cipher.name.starts_with(p)))
    }

    /// Records are protected with HMAC-MD5.
    pub fn has_md5_mac(self) -> bool {
        self.attributes().is_some_and(|a| a.mac == Mac::Hmac(Hash::Md5))
    }

    /// A block cipher in CBC mode (Lucky 13; BEAST before TLS 1.1; POODLE in SSL 3.0).
    pub fn is_cbc(self) -> bool {
        self.attributes().is_some_and(|a| a.cipher.mode == CipherMode::Cbc)
    }

    /// Authenticated encryption.
    pub fn is_aead(self) -> bool {
        self.attributes().is_some_and(|a| a.cipher.mode == CipherMode::Aead)
    }

    /// A suite of TLS 1.3.
    pub fn is_tls13(self) -> bool {
        self.attributes().is_some_and(|a| a.kx == KeyExchange::Tls13)
    }

    /// A recorded session stays secret when a long-term key leaks later. `None` for unknown suites and for TLS 1.3,
    /// where the key exchange is not part of the suite (it has forward secrecy unless it is a bare PSK).
    pub fn forward_secrecy(self) -> Option<bool> {
        match self.attributes()?.kx {
            KeyExchange::Tls13 => None,
            KeyExchange::Dhe
            | KeyExchange::Ecdhe
            | KeyExchange::DhePsk
            | KeyExchange::EcdhePsk
            | KeyExchange::EccPwd
            | KeyExchange::EcJpake
            | KeyExchange::CecPq1
            | KeyExchange::Srp => Some(true),
            _ => Some(false),
        }
    }

    /// True where the server proves itself with a certificate, false where not; `None` for unknown suites and for
    /// TLS 1.3, where a PSK may stand in.
    pub fn has_server_certificate(self) -> Option<bool> {
        match self.attributes()?.auth {
            Authentication::Tls13 => None,
            Authentication::Rsa
            | Authentication::Dss
            | Authentication::Ecdsa
            | Authentication::Gost
            | Authentication::Kea
            | Authentication::Sm2
            | Authentication::Sm9 => Some(true),
            _ => Some(false),
        }
    }

    /// Bytes of the AEAD tag, by which a protected record is longer than what it holds: 16, or 8 for CCM_8 and Magma.
    /// `None` where the suite is no AEAD or unknown.
    pub fn aead_tag_len(self) -> Option<usize> {
        let cipher = self.attributes()?.cipher;
        (cipher.mode == CipherMode::Aead).then_some(usize::from(cipher.tag_len))
    }

    /// Bytes that protection adds to a record's content: nonce and tag of an AEAD (RFC 5288, 6655, 7905), in TLS 1.3 content
    /// type and tag. `None` for CBC, where padding varies, and for what is not known.
    pub fn record_overhead(self, tls13: bool) -> Option<usize> {
        if tls13 {
            return self.tls13_expansion().map(|n| n.saturating_add(1));
        }
        let tag = self.aead_tag_len()?;
        let explicit_nonce = if self.attributes()?.cipher.name.contains("CHACHA20") { 0 } else { 8 };
        Some(tag.saturating_add(explicit_nonce))
    }

    /// Bytes by which a TLS 1.3 record's ciphertext is longer than its inner plaintext: the AEAD tag, or the MAC of an
    /// integrity-only suite (RFC 9150). `None` for other suites.
    pub fn tls13_expansion(self) -> Option<usize> {
        let a = self.attributes()?;
        match (a.kx, a.mac) {
            (KeyExchange::Tls13, Mac::Hmac(hash)) => Some(hash.len()),
            (KeyExchange::Tls13, _) => Some(usize::from(a.cipher.tag_len)),
            _ => None,
        }
    }

    /// Bytes of the hash of a TLS 1.3 suite, which is the length of Finished and of PSK binders. `None` for others.
    pub fn tls13_hash_len(self) -> Option<usize> {
        let a = self.attributes()?;
        (a.kx == KeyExchange::Tls13).then(|| a.hash.len())
    }

    /// What the suite is, in a few plain sentences.
    pub fn explain(self) -> String {
        match self {
            Self::TLS_EMPTY_RENEGOTIATION_INFO_SCSV => {
                return "No cipher suite but a signal: the client supports secure renegotiation (RFC 5746).".into();
            }
            Self::TLS_FALLBACK_SCSV => {
                return "No cipher suite but a signal: the client retries with a lower version after a failure, and the \
                        server shall refuse if it supports a higher one (RFC 7507)."
                    .into();
            }
            _ if self.is_grease() => return super::GREASE_TEXT.into(),
            _ => {}
        }
        match self.attributes() {
            Some(a) => explain::explain(self, a),
            None => super::UNKNOWN_TEXT.into(),
        }
    }
}

#[cfg(test)]
mod tests;
