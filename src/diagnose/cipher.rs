//! Weak cipher suites that were negotiated.

use super::{Blame, Hit, Policy, Rule, Severity, new, page, words};
use crate::facts::FlowFacts;
use crate::tls::names::CipherSuite;
use crate::tls::names::{Hash, KeyExchange, Mac};

const LIST: &str = "  openssl s_client -connect HOST:PORT -servername NAME -cipher SUITE -tls1_2 </dev/null\n  nmap --script ssl-enum-ciphers -p PORT HOST";
const FIX: &str = "Allow only AEAD suites with ephemeral keys. nginx: ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20; Apache: SSLCipherSuite; Java: jdk.tls.disabledAlgorithms; OpenSSL: CipherString in openssl.cnf. TLS 1.3 has no weak ones.";
const SURE: &str = "Read from the ServerHello in clear.";

pub(super) const RULES: &[Rule] = &[
    new(
        "cipher-null",
        Severity::Error,
        0,
        "Nothing is encrypted: a NULL cipher suite was negotiated",
        page(
            "The ServerHello chose a suite without encryption.",
            "Everybody on the path can read the data; only changes are noticed.",
            SURE,
            FIX,
            LIST,
            "RFC 9325, section 4.1",
        ),
        null,
    ),
    new(
        "cipher-anon",
        Severity::Error,
        0,
        "Nobody is authenticated: an anonymous cipher suite was negotiated",
        page(
            "The ServerHello chose a suite without certificates.",
            "Anybody on the path can stand between the two and read and change everything.",
            SURE,
            FIX,
            LIST,
            "RFC 9325, section 4.1; RFC 5246, appendix F.1.1.1",
        ),
        anon,
    ),
    new(
        "cipher-export",
        Severity::Error,
        0,
        "An export cipher suite was negotiated",
        page(
            "The ServerHello chose a suite that was weakened for export before 2000 (40 or 56 bits).",
            "Broken in hours (FREAK, Logjam).",
            SURE,
            FIX,
            LIST,
            "RFC 9325, section 4.1",
        ),
        export,
    ),
    new(
        "cipher-rc4",
        Severity::Error,
        0,
        "RC4 was negotiated",
        page(
            "The ServerHello chose a suite with RC4.",
            "Its keystream is biased, so that cookies can be recovered; forbidden in TLS.",
            SURE,
            FIX,
            LIST,
            "RFC 7465",
        ),
        rc4,
    ),
    new(
        "cipher-des",
        Severity::Error,
        0,
        "Single DES was negotiated",
        page(
            "The ServerHello chose a suite with DES (56-bit keys).",
            "A key is found in a day for a few dollars.",
            SURE,
            FIX,
            LIST,
            "RFC 5469; RFC 9325, section 4.1",
        ),
        des,
    ),
    new(
        "cipher-3des",
        Severity::Warning,
        0,
        "Triple DES was negotiated",
        page(
            "The ServerHello chose a suite with 3DES.",
            "Blocks of 64 bits repeat after some gigabytes (Sweet32), and it is slow. OpenSSL 3 no longer offers it by default.",
            SURE,
            FIX,
            LIST,
            "RFC 9325, section 4.1; CVE-2016-2183",
        ),
        tdes,
    ),
    new(
        "cipher-md5-mac",
        Severity::Warning,
        0,
        "Records are protected with HMAC-MD5",
        page(
            "The ServerHello chose a suite with MD5 as its MAC.",
            "Obsolete, though HMAC-MD5 itself is not broken; such suites have a weak cipher besides.",
            SURE,
            FIX,
            LIST,
            "RFC 6151; RFC 9325, section 4.1",
        ),
        md5,
    ),
    new(
        "cipher-cbc-sha1",
        Severity::Info,
        0,
        "A CBC suite with HMAC-SHA1 was negotiated",
        page(
            "The ServerHello chose a suite in CBC mode with SHA-1 as its MAC.",
            "Hard to implement without a padding oracle (Lucky 13, POODLE against TLS, BEAST in TLS 1.0); scanners and policies object to it.",
            SURE,
            FIX,
            LIST,
            "RFC 9325, section 4.2; RFC 7366",
        ),
        cbc_sha1,
    ),
    new(
        "cipher-cbc",
        Severity::Info,
        0,
        "A CBC suite was negotiated",
        page(
            "The ServerHello chose a suite in CBC mode (with a MAC of the SHA-2 family).",
            "Hard to implement without a padding oracle (Lucky 13); HTTP/2 forbids such suites and scanners object to them. AEAD suites are faster too.",
            SURE,
            FIX,
            LIST,
            "RFC 9325, section 4.2; RFC 7366",
        ),
        cbc,
    ),
    new(
        "no-forward-secrecy",
        Severity::Warning,
        0,
        "Whoever gets the server's key later can read this connection",
        page(
            "The key exchange has no forward secrecy: the session's secret is encrypted with, or derived from, the server's long-term key.",
            "A recorded connection can be decrypted when the key leaks. RSA key exchange is also where Bleichenbacher's attack returns (ROBOT); TLS 1.3 removed it.",
            SURE,
            "Prefer ECDHE suites or TLS 1.3: nginx ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20.",
            LIST,
            "RFC 9325, section 4.1; RFC 9847",
        ),
        no_fs,
    ),
    new(
        "bleichenbacher-risk",
        Severity::Info,
        0,
        "The client encrypts the session's secret with the server's RSA key",
        page(
            "The negotiated suite uses RSA key exchange (PKCS #1 v1.5 encryption).",
            "A server whose answers to badly padded secrets differ, in words or in time, lets an attacker decrypt recorded connections or sign in its name (Bleichenbacher 1998, DROWN, ROBOT, Marvin). Every server with this key is at risk while one of them is vulnerable.",
            "That RSA key exchange is in use is certain; whether this server can be attacked the capture does not show.",
            "Disable RSA key exchange on the server: nginx ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20; OpenSSL CipherString = DEFAULT:!kRSA; Java jdk.tls.disabledAlgorithms=…, TLS_RSA_*.",
            "  openssl s_client -connect HOST:PORT -tls1_2 -cipher kRSA </dev/null   should fail",
            "RFC 9325, section 4.1; RFC 9847; RFC 5246, section 7.4.7.1",
        ),
        rsa_kx,
    ),
];

/// The negotiated suite, when it has a property.
fn with(f: &FlowFacts, is: impl Fn(CipherSuite) -> bool, what: &str, remedy: &str) -> Option<Hit> {
    let (sh, suite) = (f.server_hello.as_ref()?, f.cipher_suite()?);
    if sh.message.ssl2_format || !is(suite) {
        return None;
    }
    let offered = f.client_hello.as_ref().map_or_else(String::new, |h| {
        let better: Vec<u16> = h
            .message
            .cipher_suites
            .iter()
            .copied()
            .filter(|s| CipherSuite(*s).is_aead() && CipherSuite(*s).forward_secrecy() == Some(true))
            .collect();
        if better.is_empty() {
            " The client offers no AEAD suite with ephemeral keys.".to_owned()
        } else {
            format!(" The client offers better ones, such as {}.", words::suites(better.get(..1).unwrap_or_default()))
        }
    });
    let blame = if offered.contains("no AEAD") { Blame::Client } else { Blame::Server };
    let detail = format!("The server chose {}: {what}.{offered}", words::suite(suite));
    Some(Hit::new(detail, remedy).at(sh.mark).blame(blame))
}

const AEAD: &str = "On the server: allow only AEAD suites with ephemeral keys (nginx: ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20) or TLS 1.3; on the client: offer them.";

fn null(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    with(f, CipherSuite::is_null, "it does not encrypt", AEAD)
}

fn anon(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    with(f, |s| s.is_anon() && s != CipherSuite::TLS_NULL_WITH_NULL_NULL, "nobody proves who they are", AEAD)
}

fn export(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    with(f, CipherSuite::is_export, "keys of 40 or 56 bits", AEAD)
}

fn rc4(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    with(f, |s| s.is_rc4() && !s.is_export(), "RC4 is forbidden in TLS", AEAD)
}

fn des(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    with(f, |s| s.is_des() && !s.is_export(), "keys of 56 bits", AEAD)
}

fn tdes(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    with(f, CipherSuite::is_3des, "blocks of 64 bits (Sweet32)", AEAD)
}

fn md5(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    with(f, |s| s.has_md5_mac() && !s.is_export() && !s.is_rc4(), "HMAC-MD5", AEAD)
}

fn cbc_sha1(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let sha1 = |s: CipherSuite| s.attributes().is_some_and(|a| a.mac == Mac::Hmac(Hash::Sha1));
    with(f, |s| s.is_cbc() && sha1(s) && !s.is_3des() && !s.is_des() && !s.is_export(), "CBC mode with HMAC-SHA1", AEAD)
}

fn cbc(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let old = |s: CipherSuite| s.attributes().is_none_or(|a| matches!(a.mac, Mac::Hmac(Hash::Sha1 | Hash::Md5)));
    with(f, |s| s.is_cbc() && !old(s) && !s.is_3des() && !s.is_des() && !s.is_export(), "CBC mode", AEAD)
}

fn rsa_kx(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    with(
        f,
        |s| s.attributes().is_some_and(|a| matches!(a.kx, KeyExchange::Rsa | KeyExchange::RsaPsk)),
        "RSA key exchange",
        "On the server: allow ECDHE suites only (nginx: ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20) or TLS 1.3.",
    )
}

fn no_fs(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    with(
        f,
        |s| s.forward_secrecy() == Some(false) && !s.is_anon() && s != CipherSuite::TLS_NULL_WITH_NULL_NULL,
        "a key exchange without forward secrecy",
        "On the server: prefer ECDHE suites (nginx: ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20) or TLS 1.3.",
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{established, find, server_hello, told};

    #[test]
    fn suites_by_their_weakness() {
        for (suite, code) in [
            (0x0002, "cipher-null"),
            (0x0034, "cipher-anon"),
            (0x0003, "cipher-export"),
            (0x0005, "cipher-rc4"),
            (0x0009, "cipher-des"),
            (0x000a, "cipher-3des"),
            (0x0001, "cipher-md5-mac"),
            (0xc013, "cipher-cbc-sha1"),
            (0xc027, "cipher-cbc"),
            (0x009c, "no-forward-secrecy"),
            (0x009c, "bleichenbacher-risk"),
        ] {
            let mut f = established(server_hello(0x0303));
            assert!(find(&f, code).is_none(), "{code}: ECDHE with GCM is sound");
            f.server_hello.as_mut().expect("there").message.cipher_suite = suite;
            assert!(find(&f, code).is_some_and(|x| !x.explains_failure), "{code}");
            assert!(told(&f).cause.is_none());
        }
    }
}
