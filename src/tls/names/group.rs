//! Groups of the key exchange (IANA "TLS Supported Groups", RFC 9846 section 4.3.7).
use super::{is_grease, registry};

registry! {
    /// A group for key exchange: an elliptic curve, a finite field, a post-quantum method or a hybrid.
    NamedGroup(u16), id "0x{:04x}", unknown "0x{:04x}", grease is_grease;
    0x0001 SECT163K1 "sect163k1"
        "Koblitz curve over a binary field of 163 bits (SEC 2). Deprecated; not for TLS 1.3.";
    0x0002 SECT163R1 "sect163r1"
        "Random curve over a binary field of 163 bits (SEC 2). Deprecated; not for TLS 1.3.";
    0x0003 SECT163R2 "sect163r2"
        "Random curve over a binary field of 163 bits (SEC 2). Deprecated; not for TLS 1.3.";
    0x0004 SECT193R1 "sect193r1"
        "Random curve over a binary field of 193 bits (SEC 2). Deprecated; not for TLS 1.3.";
    0x0005 SECT193R2 "sect193r2"
        "Random curve over a binary field of 193 bits (SEC 2). Deprecated; not for TLS 1.3.";
    0x0006 SECT233K1 "sect233k1"
        "Koblitz curve over a binary field of 233 bits (SEC 2). Deprecated; not for TLS 1.3.";
    0x0007 SECT233R1 "sect233r1"
        "Random curve over a binary field of 233 bits (SEC 2). Deprecated; not for TLS 1.3.";
    0x0008 SECT239K1 "sect239k1"
        "Koblitz curve over a binary field of 239 bits (SEC 2). Deprecated; not for TLS 1.3.";
    0x0009 SECT283K1 "sect283k1"
        "Koblitz curve over a binary field of 283 bits (SEC 2). Deprecated; not for TLS 1.3.";
    0x000a SECT283R1 "sect283r1"
        "Random curve over a binary field of 283 bits (SEC 2). Deprecated; not for TLS 1.3.";
    0x000b SECT409K1 "sect409k1"
        "Koblitz curve over a binary field of 409 bits (SEC 2). Deprecated; not for TLS 1.3.";
    0x000c SECT409R1 "sect409r1"
        "Random curve over a binary field of 409 bits (SEC 2). Deprecated; not for TLS 1.3.";
    0x000d SECT571K1 "sect571k1"
        "Koblitz curve over a binary field of 571 bits (SEC 2). Deprecated; not for TLS 1.3.";
    0x000e SECT571R1 "sect571r1"
        "Random curve over a binary field of 571 bits (SEC 2). Deprecated; not for TLS 1.3.";
    0x000f SECP160K1 "secp160k1"
        "Curve over a prime field of 160 bits (SEC 2). Too small today; not for TLS 1.3.";
    0x0010 SECP160R1 "secp160r1"
        "Curve over a prime field of 160 bits (SEC 2). Too small today; not for TLS 1.3.";
    0x0011 SECP160R2 "secp160r2"
        "Curve over a prime field of 160 bits (SEC 2). Too small today; not for TLS 1.3.";
    0x0012 SECP192K1 "secp192k1"
        "Curve over a prime field of 192 bits (SEC 2). Too small today; not for TLS 1.3.";
    0x0013 SECP192R1 "secp192r1"
        "Curve over a prime field of 192 bits (SEC 2). Too small today; not for TLS 1.3.";
    0x0014 SECP224K1 "secp224k1"
        "Curve over a prime field of 224 bits (SEC 2). Too small today; not for TLS 1.3.";
    0x0015 SECP224R1 "secp224r1"
        "Curve over a prime field of 224 bits (SEC 2). Too small today; not for TLS 1.3.";
    0x0016 SECP256K1 "secp256k1"
        "The curve of Bitcoin, over a prime field of 256 bits (SEC 2). Not for TLS 1.3.";
    0x0017 SECP256R1 "secp256r1"
        "NIST P-256, the most widely supported elliptic curve: about 128 bits of security (RFC 8422, RFC 9846).";
    0x0018 SECP384R1 "secp384r1"
        "NIST P-384: about 192 bits of security (RFC 8422, RFC 9846).";
    0x0019 SECP521R1 "secp521r1"
        "NIST P-521: about 256 bits of security (RFC 8422, RFC 9846).";
    0x001a BRAINPOOLP256R1 "brainpoolP256r1"
        "Brainpool curve of 256 bits (RFC 7027). TLS 1.2 and older.";
    0x001b BRAINPOOLP384R1 "brainpoolP384r1"
        "Brainpool curve of 384 bits (RFC 7027). TLS 1.2 and older.";
    0x001c BRAINPOOLP512R1 "brainpoolP512r1"
        "Brainpool curve of 512 bits (RFC 7027). TLS 1.2 and older.";
    0x001d X25519 "x25519"
        "Curve25519: fast, about 128 bits of security, the usual first choice without post-quantum protection \
         (RFC 7748, RFC 8422).";
    0x001e X448 "x448"
        "Curve448: about 224 bits of security (RFC 7748, RFC 8422).";
    0x001f BRAINPOOLP256R1TLS13 "brainpoolP256r1tls13"
        "Brainpool curve of 256 bits, for TLS 1.3 (RFC 8734).";
    0x0020 BRAINPOOLP384R1TLS13 "brainpoolP384r1tls13"
        "Brainpool curve of 384 bits, for TLS 1.3 (RFC 8734).";
    0x0021 BRAINPOOLP512R1TLS13 "brainpoolP512r1tls13"
        "Brainpool curve of 512 bits, for TLS 1.3 (RFC 8734).";
    0x0022 GC256A "GC256A"
        "Russian curve of 256 bits with GOST R 34.10-2012 parameters (RFC 9189, RFC 9367).";
    0x0023 GC256B "GC256B"
        "Russian curve of 256 bits with GOST R 34.10-2012 parameters (RFC 9189, RFC 9367).";
    0x0024 GC256C "GC256C"
        "Russian curve of 256 bits with GOST R 34.10-2012 parameters (RFC 9189, RFC 9367).";
    0x0025 GC256D "GC256D"
        "Russian curve of 256 bits with GOST R 34.10-2012 parameters (RFC 9189, RFC 9367).";
    0x0026 GC512A "GC512A"
        "Russian curve of 512 bits with GOST R 34.10-2012 parameters (RFC 9189, RFC 9367).";
    0x0027 GC512B "GC512B"
        "Russian curve of 512 bits with GOST R 34.10-2012 parameters (RFC 9189, RFC 9367).";
    0x0028 GC512C "GC512C"
        "Russian curve of 512 bits with GOST R 34.10-2012 parameters (RFC 9189, RFC 9367).";
    0x0029 CURVE_SM2 "curveSM2"
        "Chinese curve SM2 of 256 bits (RFC 8998).";
    0x0100 FFDHE2048 "ffdhe2048"
        "Finite-field Diffie-Hellman with a fixed prime of 2048 bits (RFC 7919).";
    0x0101 FFDHE3072 "ffdhe3072"
        "Finite-field Diffie-Hellman with a fixed prime of 3072 bits (RFC 7919).";
    0x0102 FFDHE4096 "ffdhe4096"
        "Finite-field Diffie-Hellman with a fixed prime of 4096 bits (RFC 7919).";
    0x0103 FFDHE6144 "ffdhe6144"
        "Finite-field Diffie-Hellman with a fixed prime of 6144 bits (RFC 7919).";
    0x0104 FFDHE8192 "ffdhe8192"
        "Finite-field Diffie-Hellman with a fixed prime of 8192 bits (RFC 7919).";
    0x0200 MLKEM512 "MLKEM512"
        "ML-KEM-512 alone: post-quantum key exchange without a classical part (FIPS 203, draft-ietf-tls-mlkem).";
    0x0201 MLKEM768 "MLKEM768"
        "ML-KEM-768 alone: post-quantum key exchange without a classical part (FIPS 203, draft-ietf-tls-mlkem).";
    0x0202 MLKEM1024 "MLKEM1024"
        "ML-KEM-1024 alone: post-quantum key exchange without a classical part (FIPS 203, draft-ietf-tls-mlkem).";
    0x11e9 SECP256R1_MLKEM512 "SecP256r1MLKEM512"
        "Post-quantum hybrid of P-256 and ML-KEM-512.";
    0x11ea MLKEM512_X25519 "MLKEM512X25519"
        "Post-quantum hybrid of ML-KEM-512 and X25519.";
    0x11eb SECP256R1_MLKEM768 "SecP256r1MLKEM768"
        "Post-quantum hybrid of P-256 and ML-KEM-768 (draft-ietf-tls-ecdhe-mlkem).";
    0x11ec X25519_MLKEM768 "X25519MLKEM768"
        "Post-quantum hybrid of ML-KEM-768 and X25519, the default of today's browsers \
         (draft-ietf-tls-ecdhe-mlkem). Its key share makes the ClientHello longer than one packet.";
    0x11ed SECP384R1_MLKEM1024 "SecP384r1MLKEM1024"
        "Post-quantum hybrid of P-384 and ML-KEM-1024 (draft-ietf-tls-ecdhe-mlkem).";
    0x11ee CURVE_SM2_MLKEM768 "curveSM2MLKEM768"
        "Post-quantum hybrid of the curve SM2 and ML-KEM-768 (draft-yang-tls-hybrid-sm2-mlkem).";
    0x4138 CECPQ2 "CECPQ2"
        "Experiment of 2019 by Chrome: X25519 with NTRU-HRSS. Not registered.";
    0x6399 X25519_KYBER768_DRAFT00 "X25519Kyber768Draft00"
        "Post-quantum hybrid of X25519 and Kyber768, the draft before ML-KEM. Obsolete; X25519MLKEM768 replaced \
         it.";
    0x639a SECP256R1_KYBER768_DRAFT00 "SecP256r1Kyber768Draft00"
        "Post-quantum hybrid of P-256 and Kyber768, the draft before ML-KEM. Obsolete.";
    0xff01 ARBITRARY_EXPLICIT_PRIME_CURVES "arbitrary_explicit_prime_curves"
        "The client takes any prime curve, its parameters spelled out (RFC 8422). Deprecated and dangerous.";
    0xff02 ARBITRARY_EXPLICIT_CHAR2_CURVES "arbitrary_explicit_char2_curves"
        "The client takes any binary curve, its parameters spelled out (RFC 8422). Deprecated and dangerous.";
}

impl NamedGroup {
    /// True where an eavesdropper who records today could not decrypt with a quantum computer later, as far as is
    /// known: ML-KEM, its drafts, and hybrids with them.
    pub const fn is_post_quantum(self) -> bool {
        matches!(self.0, 0x0200..=0x0202 | 0x11e9..=0x11ee | 0x4138 | 0x6399 | 0x639a)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_groups() {
        assert!(NamedGroup(0x11ec).is_post_quantum());
        assert!(NamedGroup(0x6399).is_post_quantum());
        assert!(NamedGroup(0x0201).is_post_quantum());
        assert!(!NamedGroup::X25519.is_post_quantum());
    }
}
