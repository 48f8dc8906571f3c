//! The small registries.
use super::{no_grease, registry};

registry! {
    /// Compression of records (IANA "TLS Compression Method Identifiers").
    CompressionMethod(u8), id "0x{:02x}", unknown "0x{:02x}", grease no_grease;
    0x00 NULL "NULL"
        "No compression: the only method TLS 1.3 permits.";
    0x01 DEFLATE "DEFLATE"
        "DEFLATE (RFC 3749). Gives secrets away (CRIME); must not be used.";
    0x40 LZS "LZS"
        "LZS (RFC 3943). Gives secrets away; must not be used.";
}

registry! {
    /// Encoding of points (IANA "TLS EC Point Formats").
    EcPointFormat(u8), id "0x{:02x}", unknown "0x{:02x}", grease no_grease;
    0x00 UNCOMPRESSED "uncompressed"
        "Both coordinates in full: what everyone uses.";
    0x01 ANSIX962_COMPRESSED_PRIME "ansiX962_compressed_prime"
        "One coordinate, for prime curves. Deprecated (RFC 8422).";
    0x02 ANSIX962_COMPRESSED_CHAR2 "ansiX962_compressed_char2"
        "One coordinate, for binary curves. Deprecated (RFC 8422).";
}

registry! {
    /// How ServerKeyExchange names its curve (IANA "TLS EC Curve Types").
    EcCurveType(u8), id "0x{:02x}", unknown "0x{:02x}", grease no_grease;
    0x01 EXPLICIT_PRIME "explicit_prime"
        "A prime curve, its parameters spelled out. Deprecated and dangerous.";
    0x02 EXPLICIT_CHAR2 "explicit_char2"
        "A binary curve, its parameters spelled out. Deprecated and dangerous.";
    0x03 NAMED_CURVE "named_curve"
        "A curve by its number in the registry of groups.";
}

registry! {
    /// Kind of client certificate in the CertificateRequest of TLS 1.2 and older (IANA "TLS ClientCertificateType
    /// Identifiers").
    ClientCertificateType(u8), id "0x{:02x}", unknown "0x{:02x}", grease no_grease;
    0x01 RSA_SIGN "rsa_sign"
        "A certificate with an RSA key that signs.";
    0x02 DSS_SIGN "dss_sign"
        "A certificate with a DSA key that signs.";
    0x03 RSA_FIXED_DH "rsa_fixed_dh"
        "A certificate with a fixed Diffie-Hellman key, signed with RSA.";
    0x04 DSS_FIXED_DH "dss_fixed_dh"
        "A certificate with a fixed Diffie-Hellman key, signed with DSA.";
    0x05 RSA_EPHEMERAL_DH "rsa_ephemeral_dh"
        "Reserved: SSL 3.0 named it, nobody used it.";
    0x06 DSS_EPHEMERAL_DH "dss_ephemeral_dh"
        "Reserved: SSL 3.0 named it, nobody used it.";
    0x14 FORTEZZA_DMS "fortezza_dms"
        "Reserved: Fortezza cards, SSL 3.0.";
    0x15 GOST_SIGN94 "gost_sign94"
        "A certificate with a GOST R 34.10-94 key. An old draft; not registered.";
    0x16 GOST_SIGN01 "gost_sign01"
        "A certificate with a GOST R 34.10-2001 key. An old draft; not registered.";
    0x40 ECDSA_SIGN "ecdsa_sign"
        "A certificate with an elliptic-curve key that signs, Ed25519 and Ed448 included.";
    0x41 RSA_FIXED_ECDH "rsa_fixed_ecdh"
        "A certificate with a fixed ECDH key, signed with RSA. Deprecated.";
    0x42 ECDSA_FIXED_ECDH "ecdsa_fixed_ecdh"
        "A certificate with a fixed ECDH key, signed with ECDSA. Deprecated.";
    0x43 GOST_SIGN256 "gost_sign256"
        "A certificate with a GOST R 34.10-2012 key of 256 bits (RFC 9189).";
    0x44 GOST_SIGN512 "gost_sign512"
        "A certificate with a GOST R 34.10-2012 key of 512 bits (RFC 9189).";
    0x50 IBC_PARAMS "ibc_params"
        "Identity-based cryptography, in TLCP. Not registered.";
}

registry! {
    /// Compression of Certificate messages (IANA "TLS Certificate Compression Algorithm IDs", RFC 8879).
    CertificateCompressionAlgorithm(u16), id "0x{:04x}", unknown "0x{:04x}", grease no_grease;
    0x0001 ZLIB "zlib"
        "ZLIB (RFC 1950).";
    0x0002 BROTLI "brotli"
        "Brotli (RFC 7932).";
    0x0003 ZSTD "zstd"
        "Zstandard (RFC 8878).";
}

registry! {
    /// How a pre-shared key is used in TLS 1.3 (IANA "TLS PskKeyExchangeMode").
    PskKeyExchangeMode(u8), id "0x{:02x}", unknown "0x{:02x}", grease grease_mode;
    0x00 PSK_KE "psk_ke"
        "The pre-shared key alone: no forward secrecy.";
    0x01 PSK_DHE_KE "psk_dhe_ke"
        "The pre-shared key together with an ephemeral key exchange.";
}

registry! {
    /// Kind of certificate status (IANA "TLS Certificate Status Types").
    CertificateStatusType(u8), id "0x{:02x}", unknown "0x{:02x}", grease no_grease;
    0x01 OCSP "ocsp"
        "One OCSP answer, on the server certificate (RFC 6066).";
    0x02 OCSP_MULTI "ocsp_multi"
        "OCSP answers on the whole chain (RFC 6961). Deprecated.";
}

registry! {
    /// Type of a heartbeat message (IANA "TLS Heartbeat Message Types", RFC 6520).
    HeartbeatMessageType(u8), id "0x{:02x}", unknown "0x{:02x}", grease no_grease;
    0x01 HEARTBEAT_REQUEST "heartbeat_request"
        "Asks the peer to send the payload back.";
    0x02 HEARTBEAT_RESPONSE "heartbeat_response"
        "Sends the payload of a request back.";
}

/// The eight GREASE values of this registry (RFC 8701, section 2): `0x0b`, `0x2a` … `0xe4`.
const fn grease_mode(value: u8) -> bool {
    value % 0x1f == 0x0b
}
