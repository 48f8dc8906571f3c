use super::*;

fn attributes(id: u16) -> SuiteAttributes {
    CipherSuite(id).attributes().unwrap()
}

#[test]
fn every_suite_has_attributes() {
    for suite in CipherSuite::all() {
        assert_eq!(suite.attributes().is_none(), suite.is_signal(), "{suite}");
        assert!(suite.explain().ends_with('.'), "{suite}");
    }
    // IANA's registry of September 2026 has 356 suites, signals included.
    assert_eq!(CipherSuite::all().filter(|s| s.is_registered()).count(), 356);
}

#[test]
fn unknown_suites_have_none() {
    for id in [0x1308, 0x4a4a, 0x0072, 0xffff, 0xcc12] {
        let suite = CipherSuite(id);
        assert_eq!(suite.name(), None);
        assert_eq!(suite.attributes(), None);
        assert!(!suite.is_null() && !suite.is_anon() && !suite.is_aead());
        assert_eq!(suite.forward_secrecy(), None);
    }
}

#[test]
fn well_known_suites() {
    let a = attributes(0xc02f);
    assert_eq!((a.kx, a.auth, a.mac, a.hash), (KeyExchange::Ecdhe, Authentication::Rsa, Mac::Aead, Hash::Sha256));
    assert_eq!((a.cipher.name, a.cipher.key_bits, a.cipher.tag_len), ("AES_128_GCM", 128, 16));
    let a = attributes(0x0003);
    assert!(a.is_export && CipherSuite(3).is_rc4() && CipherSuite(3).has_md5_mac());
    assert_eq!(a.cipher.key_bits, 40);
    // The PRF of a CBC suite: SHA-256 for ..._SHA (RFC 5246), SHA-384 where named (RFC 5289).
    assert_eq!(attributes(0xc013).hash, Hash::Sha256);
    assert_eq!(attributes(0xc028).hash, Hash::Sha384);
    assert_eq!(attributes(0xc0ae).cipher.tag_len, 8);
    assert_eq!(attributes(0xc0ac).cipher.tag_len, 16);
    assert_eq!(attributes(0xcc13), attributes(0xcca8));
    assert_eq!(CipherSuite(0xcc13).name(), None);
    assert_eq!(attributes(0xe013).kx, KeyExchange::Sm2);
    assert_eq!(attributes(0xc0b4).mac, Mac::Hmac(Hash::Sha256));
    assert_eq!(attributes(0xc106).cipher.tag_len, 8);
    assert_eq!(attributes(0xc103).hash, Hash::Gost2012);
    assert!(CipherSuite(0xc106).is_tls13() && !CipherSuite(0xc102).is_tls13());
}

#[test]
fn questions_of_strength() {
    assert!(CipherSuite(0x0002).is_null() && !CipherSuite(0x0002).is_anon());
    assert!(CipherSuite(0x0018).is_anon() && CipherSuite(0xc018).is_anon());
    assert!(CipherSuite(0x0009).is_des() && !CipherSuite(0x000a).is_des());
    assert!(CipherSuite(0x000a).is_3des() && CipherSuite(0x000a).has_64_bit_blocks());
    assert!(CipherSuite(0x0008).is_des() && CipherSuite(0x0008).is_export());
    assert!(CipherSuite(0x002f).is_cbc() && !CipherSuite(0x002f).is_aead());
    assert_eq!(CipherSuite(0x002f).forward_secrecy(), Some(false));
    assert_eq!(CipherSuite(0xc030).forward_secrecy(), Some(true));
    assert_eq!(CipherSuite(0x1301).forward_secrecy(), None);
    assert_eq!(CipherSuite(0x1302).tls13_hash_len(), Some(48));
    assert_eq!(CipherSuite(0x1303).tls13_hash_len(), Some(32));
    assert_eq!(CipherSuite(0xc030).tls13_hash_len(), None);
    assert_eq!(CipherSuite(0x1305).aead_tag_len(), Some(8));
    assert_eq!(CipherSuite(0x1304).aead_tag_len(), Some(16));
    assert_eq!(CipherSuite(0x002f).aead_tag_len(), None);
    assert_eq!(CipherSuite(0xc0b5).tls13_expansion(), Some(48));
    assert_eq!(CipherSuite(0x1301).tls13_expansion(), Some(16));
    assert_eq!(CipherSuite(0x008c).has_server_certificate(), Some(false));
    assert_eq!(CipherSuite(0x0094).has_server_certificate(), Some(true));
    assert_eq!(CipherSuite(0x1301).has_server_certificate(), None);
    assert!(CipherSuite(0x00ff).is_signal() && CipherSuite(0x5600).is_signal());
}

/// Where tls-parser 0.12's table is not followed, and why.
const KNOWN_DIFFERENCES: &[(u16, &str)] = &[
    // ChaCha20 has keys of 256 bits (RFC 8439); they have 128.
    (0x1303, "key_bits"),
    // AEGIS is an AEAD cipher; they take the hash for a MAC.
    (0x1306, "mac"),
    (0x1307, "mac"),
    // `PSK_DHE` is `DHE_PSK` misspelled by the registry (RFC 6655); they have PSK with DHE authentication.
    (0xc0aa, "kx"),
    (0xc0ab, "kx"),
    // ChaCha20 again.
    (0xcca8, "key_bits"),
    (0xcca9, "key_bits"),
    (0xccaa, "key_bits"),
    (0xccab, "key_bits"),
    (0xccac, "key_bits"),
    (0xccad, "key_bits"),
    (0xccae, "key_bits"),
];

/// The attribute table of another implementation, for every suite both know.
#[test]
fn agrees_with_tls_parser() {
    let mut compared = 0;
    let mut different = Vec::new();
    for suite in CipherSuite::all().filter(|s| !s.is_signal()) {
        let Some(theirs) = tls_parser::TlsCipherSuite::from_id(suite.0) else { continue };
        compared += 1;
        assert_eq!(suite.name(), Some(theirs.name));
        for field in differences(suite.attributes().unwrap(), theirs) {
            different.push((suite.0, field));
        }
    }
    assert!(compared > 340, "{compared}");
    assert_eq!(different, KNOWN_DIFFERENCES);
}

/// The fields in which they differ, once both are put into the same words.
fn differences(ours: SuiteAttributes, theirs: &tls_parser::TlsCipherSuite) -> Vec<&'static str> {
    use tls_parser::{TlsCipherAu as Au, TlsCipherEnc as Enc, TlsCipherEncMode as Mode, TlsCipherKx as Kx};
    use tls_parser::{TlsCipherMac as TMac, TlsPRF as Prf};
    let mut found = Vec::new();
    let mut same = |field, same: bool| {
        if !same {
            found.push(field);
        }
    };
    let anon = ours.auth == Authentication::Anon;
    let kx = match theirs.kx {
        // They call the anonymous suites static, and file the PSK ones under the other half of the exchange.
        Kx::Dh if anon => KeyExchange::Dhe,
        Kx::Ecdh | Kx::Aecdh if anon => KeyExchange::Ecdhe,
        Kx::Dhe if theirs.au == Au::Psk => KeyExchange::DhePsk,
        Kx::Ecdhe if theirs.au == Au::Psk => KeyExchange::EcdhePsk,
        Kx::Rsa if theirs.au == Au::Psk => KeyExchange::RsaPsk,
        Kx::Null => KeyExchange::Null,
        Kx::Rsa => KeyExchange::Rsa,
        Kx::Dhe => KeyExchange::Dhe,
        Kx::Ecdhe => KeyExchange::Ecdhe,
        Kx::Dh => KeyExchange::Dh,
        Kx::Ecdh | Kx::Aecdh => KeyExchange::Ecdh,
        Kx::Psk => KeyExchange::Psk,
        Kx::Krb5 => KeyExchange::Krb5,
        Kx::Srp => KeyExchange::Srp,
        Kx::Eccpwd => KeyExchange::EccPwd,
        Kx::Tls13 => KeyExchange::Tls13,
    };
    same("kx", ours.kx == kx);
    let auth = match theirs.au {
        Au::Null if anon => Authentication::Anon,
        Au::Psk if ours.kx == KeyExchange::RsaPsk => Authentication::Rsa,
        Au::Null => Authentication::Null,
        Au::Rsa | Au::Srp_Rsa => Authentication::Rsa,
        Au::Dss | Au::Srp_Dss => Authentication::Dss,
        Au::Ecdsa => Authentication::Ecdsa,
        Au::Psk | Au::Dhe => Authentication::Psk,
        Au::Krb5 => Authentication::Krb5,
        Au::Srp => Authentication::Srp,
        Au::Eccpwd => Authentication::Password,
        Au::Tls13 => Authentication::Tls13,
    };
    same("auth", ours.auth == auth);
    same("key_bits", ours.cipher.key_bits == theirs.enc_size);
    let mode = match (theirs.enc_mode, theirs.enc) {
        (Mode::Cbc, _) => CipherMode::Cbc,
        (Mode::Ccm | Mode::Gcm, _) | (_, Enc::Chacha20_Poly1305 | Enc::Aegis) => CipherMode::Aead,
        (Mode::Null, Enc::Null) => CipherMode::Null,
        (Mode::Null, _) => CipherMode::Stream,
    };
    same("mode", ours.cipher.mode == mode);
    let mac = match theirs.mac {
        TMac::Null => Mac::Null,
        TMac::HmacMd5 => Mac::Hmac(Hash::Md5),
        TMac::HmacSha1 => Mac::Hmac(Hash::Sha1),
        TMac::HmacSha256 => Mac::Hmac(Hash::Sha256),
        TMac::HmacSha384 => Mac::Hmac(Hash::Sha384),
        TMac::HmacSha512 => Mac::Hmac(Hash::Sha512),
        TMac::Aead => Mac::Aead,
    };
    same("mac", ours.mac == mac);
    let hash = match theirs.prf {
        Prf::Default | Prf::Null | Prf::Md5AndSha1 | Prf::Sha1 | Prf::Sha256 => Hash::Sha256,
        Prf::Sha384 => Hash::Sha384,
        Prf::Sha512 => Hash::Sha512,
        Prf::Sm3 => Hash::Sm3,
    };
    same("hash", ours.hash == hash);
    found
}
