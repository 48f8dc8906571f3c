//! Signature schemes (IANA "TLS SignatureScheme", RFC 9846 section 4.3.3).
//!
//! TLS 1.2 sends a hash and a signature algorithm in the same two bytes. The pairs that TLS 1.3 has no name for
//! (`rsa_pkcs1_sha224`, `ecdsa_md5`, `dsa_sha256`) are named in the manner of those that it has.
use super::{is_grease, registry};

registry! {
    /// A signature scheme, or a TLS 1.2 pair of hash (first byte) and signature algorithm (second byte).
    SignatureScheme(u16), id "0x{:04x}", unknown "0x{:04x}", grease is_grease;
    0x0101 RSA_PKCS1_MD5 "rsa_pkcs1_md5"
        "RSA with PKCS #1 v1.5 padding and MD5. MD5 is broken; TLS 1.2 only.";
    0x0102 DSA_MD5 "dsa_md5"
        "DSA with MD5. Removed from TLS 1.3 and deprecated.";
    0x0103 ECDSA_MD5 "ecdsa_md5"
        "ECDSA with MD5. MD5 is broken; TLS 1.2 only.";
    0x0201 RSA_PKCS1_SHA1 "rsa_pkcs1_sha1"
        "RSA with PKCS #1 v1.5 padding and SHA-1. SHA-1 is broken; for TLS 1.2 and old certificates only.";
    0x0202 DSA_SHA1 "dsa_sha1"
        "DSA with SHA-1. Removed from TLS 1.3 and deprecated.";
    0x0203 ECDSA_SHA1 "ecdsa_sha1"
        "ECDSA with SHA-1. SHA-1 is broken; for TLS 1.2 and old certificates only.";
    0x0301 RSA_PKCS1_SHA224 "rsa_pkcs1_sha224"
        "RSA with PKCS #1 v1.5 padding and SHA-224. TLS 1.2 only.";
    0x0302 DSA_SHA224 "dsa_sha224"
        "DSA with SHA-224. Removed from TLS 1.3 and deprecated.";
    0x0303 ECDSA_SHA224 "ecdsa_sha224"
        "ECDSA with SHA-224. TLS 1.2 only.";
    0x0401 RSA_PKCS1_SHA256 "rsa_pkcs1_sha256"
        "RSA with PKCS #1 v1.5 padding and SHA-256. In TLS 1.3 for certificates only, not for the handshake \
         signature.";
    0x0402 DSA_SHA256 "dsa_sha256"
        "DSA with SHA-256. Removed from TLS 1.3 and deprecated.";
    0x0403 ECDSA_SECP256R1_SHA256 "ecdsa_secp256r1_sha256"
        "ECDSA with SHA-256; in TLS 1.3 with the curve secp256r1 only (in TLS 1.2 with any).";
    0x0420 RSA_PKCS1_SHA256_LEGACY "rsa_pkcs1_sha256_legacy"
        "RSA with PKCS #1 v1.5 padding and SHA-256 for client certificates in TLS 1.3 whose keys cannot do PSS \
         (draft-ietf-tls-tls13-pkcs1).";
    0x0501 RSA_PKCS1_SHA384 "rsa_pkcs1_sha384"
        "RSA with PKCS #1 v1.5 padding and SHA-384. In TLS 1.3 for certificates only, not for the handshake \
         signature.";
    0x0502 DSA_SHA384 "dsa_sha384"
        "DSA with SHA-384. Removed from TLS 1.3 and deprecated.";
    0x0503 ECDSA_SECP384R1_SHA384 "ecdsa_secp384r1_sha384"
        "ECDSA with SHA-384; in TLS 1.3 with the curve secp384r1 only (in TLS 1.2 with any).";
    0x0520 RSA_PKCS1_SHA384_LEGACY "rsa_pkcs1_sha384_legacy"
        "RSA with PKCS #1 v1.5 padding and SHA-384 for client certificates in TLS 1.3 whose keys cannot do PSS \
         (draft-ietf-tls-tls13-pkcs1).";
    0x0601 RSA_PKCS1_SHA512 "rsa_pkcs1_sha512"
        "RSA with PKCS #1 v1.5 padding and SHA-512. In TLS 1.3 for certificates only, not for the handshake \
         signature.";
    0x0602 DSA_SHA512 "dsa_sha512"
        "DSA with SHA-512. Removed from TLS 1.3 and deprecated.";
    0x0603 ECDSA_SECP521R1_SHA512 "ecdsa_secp521r1_sha512"
        "ECDSA with SHA-512; in TLS 1.3 with the curve secp521r1 only (in TLS 1.2 with any).";
    0x0620 RSA_PKCS1_SHA512_LEGACY "rsa_pkcs1_sha512_legacy"
        "RSA with PKCS #1 v1.5 padding and SHA-512 for client certificates in TLS 1.3 whose keys cannot do PSS \
         (draft-ietf-tls-tls13-pkcs1).";
    0x0704 ECCSI_SHA256 "eccsi_sha256"
        "Identity-based signatures ECCSI with SHA-256 (RFC 6507).";
    0x0705 ISO_IBS1 "iso_ibs1"
        "Identity-based signatures IBS1 (ISO/IEC 14888-3).";
    0x0706 ISO_IBS2 "iso_ibs2"
        "Identity-based signatures IBS2 (ISO/IEC 14888-3).";
    0x0707 ISO_CHINESE_IBS "iso_chinese_ibs"
        "Chinese identity-based signatures, SM9 (ISO/IEC 14888-3).";
    0x0708 SM2SIG_SM3 "sm2sig_sm3"
        "Chinese signature scheme SM2 with the hash SM3 (RFC 8998).";
    0x0709 GOSTR34102012_256A "gostr34102012_256a"
        "Russian signature scheme GOST R 34.10-2012 of 256 bits, parameter set A (RFC 9367).";
    0x070a GOSTR34102012_256B "gostr34102012_256b"
        "Russian signature scheme GOST R 34.10-2012 of 256 bits, parameter set B (RFC 9367).";
    0x070b GOSTR34102012_256C "gostr34102012_256c"
        "Russian signature scheme GOST R 34.10-2012 of 256 bits, parameter set C (RFC 9367).";
    0x070c GOSTR34102012_256D "gostr34102012_256d"
        "Russian signature scheme GOST R 34.10-2012 of 256 bits, parameter set D (RFC 9367).";
    0x070d GOSTR34102012_512A "gostr34102012_512a"
        "Russian signature scheme GOST R 34.10-2012 of 512 bits, parameter set A (RFC 9367).";
    0x070e GOSTR34102012_512B "gostr34102012_512b"
        "Russian signature scheme GOST R 34.10-2012 of 512 bits, parameter set B (RFC 9367).";
    0x070f GOSTR34102012_512C "gostr34102012_512c"
        "Russian signature scheme GOST R 34.10-2012 of 512 bits, parameter set C (RFC 9367).";
    0x0804 RSA_PSS_RSAE_SHA256 "rsa_pss_rsae_sha256"
        "RSA with PSS padding and SHA-256, with an ordinary RSA key: the usual choice for RSA certificates (RFC \
         9846).";
    0x0805 RSA_PSS_RSAE_SHA384 "rsa_pss_rsae_sha384"
        "RSA with PSS padding and SHA-384, with an ordinary RSA key: the usual choice for RSA certificates (RFC \
         9846).";
    0x0806 RSA_PSS_RSAE_SHA512 "rsa_pss_rsae_sha512"
        "RSA with PSS padding and SHA-512, with an ordinary RSA key: the usual choice for RSA certificates (RFC \
         9846).";
    0x0807 ED25519 "ed25519"
        "EdDSA with Curve25519 (RFC 8032).";
    0x0808 ED448 "ed448"
        "EdDSA with Curve448 (RFC 8032).";
    0x0809 RSA_PSS_PSS_SHA256 "rsa_pss_pss_sha256"
        "RSA with PSS padding and SHA-256, with a key whose certificate permits PSS only (RFC 9846). Rare.";
    0x080a RSA_PSS_PSS_SHA384 "rsa_pss_pss_sha384"
        "RSA with PSS padding and SHA-384, with a key whose certificate permits PSS only (RFC 9846). Rare.";
    0x080b RSA_PSS_PSS_SHA512 "rsa_pss_pss_sha512"
        "RSA with PSS padding and SHA-512, with a key whose certificate permits PSS only (RFC 9846). Rare.";
    0x081a ECDSA_BRAINPOOLP256R1TLS13_SHA256 "ecdsa_brainpoolP256r1tls13_sha256"
        "ECDSA with the Brainpool curve of 256 bits and SHA-256 (RFC 8734).";
    0x081b ECDSA_BRAINPOOLP384R1TLS13_SHA384 "ecdsa_brainpoolP384r1tls13_sha384"
        "ECDSA with the Brainpool curve of 384 bits and SHA-384 (RFC 8734).";
    0x081c ECDSA_BRAINPOOLP512R1TLS13_SHA512 "ecdsa_brainpoolP512r1tls13_sha512"
        "ECDSA with the Brainpool curve of 512 bits and SHA-512 (RFC 8734).";
    0x0840 GOSTR34102012_256 "gostr34102012_256"
        "Russian signature scheme GOST R 34.10-2012 of 256 bits, for TLS 1.2 (RFC 9189).";
    0x0841 GOSTR34102012_512 "gostr34102012_512"
        "Russian signature scheme GOST R 34.10-2012 of 512 bits, for TLS 1.2 (RFC 9189).";
    0x0904 MLDSA44 "mldsa44"
        "Post-quantum signature scheme ML-DSA-44 (FIPS 204, draft-ietf-tls-mldsa).";
    0x0905 MLDSA65 "mldsa65"
        "Post-quantum signature scheme ML-DSA-65 (FIPS 204, draft-ietf-tls-mldsa).";
    0x0906 MLDSA87 "mldsa87"
        "Post-quantum signature scheme ML-DSA-87 (FIPS 204, draft-ietf-tls-mldsa).";
    0x0911 SLHDSA_SHA2_128S "slhdsa_sha2_128s"
        "Post-quantum signature scheme SLH-DSA-SHA2-128s, based on hashes (FIPS 205).";
    0x0912 SLHDSA_SHA2_128F "slhdsa_sha2_128f"
        "Post-quantum signature scheme SLH-DSA-SHA2-128f, based on hashes (FIPS 205).";
    0x0913 SLHDSA_SHA2_192S "slhdsa_sha2_192s"
        "Post-quantum signature scheme SLH-DSA-SHA2-192s, based on hashes (FIPS 205).";
    0x0914 SLHDSA_SHA2_192F "slhdsa_sha2_192f"
        "Post-quantum signature scheme SLH-DSA-SHA2-192f, based on hashes (FIPS 205).";
    0x0915 SLHDSA_SHA2_256S "slhdsa_sha2_256s"
        "Post-quantum signature scheme SLH-DSA-SHA2-256s, based on hashes (FIPS 205).";
    0x0916 SLHDSA_SHA2_256F "slhdsa_sha2_256f"
        "Post-quantum signature scheme SLH-DSA-SHA2-256f, based on hashes (FIPS 205).";
    0x0917 SLHDSA_SHAKE_128S "slhdsa_shake_128s"
        "Post-quantum signature scheme SLH-DSA-SHAKE-128s, based on hashes (FIPS 205).";
    0x0918 SLHDSA_SHAKE_128F "slhdsa_shake_128f"
        "Post-quantum signature scheme SLH-DSA-SHAKE-128f, based on hashes (FIPS 205).";
    0x0919 SLHDSA_SHAKE_192S "slhdsa_shake_192s"
        "Post-quantum signature scheme SLH-DSA-SHAKE-192s, based on hashes (FIPS 205).";
    0x091a SLHDSA_SHAKE_192F "slhdsa_shake_192f"
        "Post-quantum signature scheme SLH-DSA-SHAKE-192f, based on hashes (FIPS 205).";
    0x091b SLHDSA_SHAKE_256S "slhdsa_shake_256s"
        "Post-quantum signature scheme SLH-DSA-SHAKE-256s, based on hashes (FIPS 205).";
    0x091c SLHDSA_SHAKE_256F "slhdsa_shake_256f"
        "Post-quantum signature scheme SLH-DSA-SHAKE-256f, based on hashes (FIPS 205).";
    0xeded GOSTR34102001_GOSTR3411 "gostr34102001_gostr3411"
        "Russian signature scheme GOST R 34.10-2001, old number of OpenSSL and CryptoPro. Not registered.";
    0xeeee GOSTR34102012_256_GOSTR34112012_256 "gostr34102012_256_gostr34112012_256"
        "Russian signature scheme GOST R 34.10-2012 of 256 bits, old number of OpenSSL and CryptoPro. Not \
         registered.";
    0xefef GOSTR34102012_512_GOSTR34112012_512 "gostr34102012_512_gostr34112012_512"
        "Russian signature scheme GOST R 34.10-2012 of 512 bits, old number of OpenSSL and CryptoPro. Not \
         registered.";
}

impl SignatureScheme {
    /// True for schemes a quantum computer would not break, as far as is known: ML-DSA and SLH-DSA.
    pub const fn is_post_quantum(self) -> bool {
        matches!(self.0, 0x0904..=0x0906 | 0x0911..=0x091c)
    }

    /// True for signatures by RSA keys: RSASSA-PKCS1 and RSASSA-PSS.
    pub const fn is_rsa(self) -> bool {
        matches!(self.0, 0x0420 | 0x0520 | 0x0620 | 0x0804..=0x0806 | 0x0809..=0x080b)
            || self.0 & 0xff == 1 && self.0 < 0x0700
    }

    /// True for signatures by keys of an elliptic curve (ECDSA).
    pub const fn is_ecdsa(self) -> bool {
        matches!(self.0, 0x081a..=0x081c) || self.0 & 0xff == 3 && self.0 < 0x0700
    }

    /// True for signatures over a broken hash: MD5 or SHA-1.
    pub const fn has_broken_hash(self) -> bool {
        matches!(self.0, 0x0101..=0x0103 | 0x0201..=0x0203)
    }

    /// True for schemes that TLS 1.3 permits in CertificateVerify (RFC 9846, section 4.3.3: no PKCS #1 v1.5 but the
    /// legacy client ones, no DSA, no MD5, SHA-1 or SHA-224).
    pub fn is_tls13(self) -> bool {
        self.name().is_some()
            && !matches!(self.0, 0x0101..=0x0303 | 0x0840 | 0x0841 | 0xeded | 0xeeee | 0xefef)
            && !matches!(self.0, 0x0401 | 0x0402 | 0x0501 | 0x0502 | 0x0601 | 0x0602)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_told_apart() {
        assert!(SignatureScheme(0x0201).has_broken_hash());
        assert!(!SignatureScheme(0x0401).has_broken_hash());
        assert!(
            SignatureScheme(0x0401).is_rsa() && SignatureScheme(0x0804).is_rsa() && !SignatureScheme(0x0403).is_rsa()
        );
        assert!(SignatureScheme(0x0603).is_ecdsa() && !SignatureScheme(0x0807).is_ecdsa());
        assert!(!SignatureScheme::RSA_PKCS1_SHA256.is_tls13());
        assert!(SignatureScheme::RSA_PSS_RSAE_SHA256.is_tls13());
        assert!(SignatureScheme::ECDSA_SECP256R1_SHA256.is_tls13());
        assert!(!SignatureScheme(0x1234).is_tls13());
        assert!(SignatureScheme::MLDSA65.is_post_quantum());
        assert_eq!(SignatureScheme(0x0905).to_string(), "mldsa65");
        assert_eq!(SignatureScheme(0x091c).to_string(), "slhdsa_shake_256f");
        assert_eq!(SignatureScheme(0x0303).to_string(), "ecdsa_sha224");
    }
}
