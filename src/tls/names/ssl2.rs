//! Cipher kinds of SSL 2.0 (the Netscape specification of 1995; RFC 6101, appendix E has the numbers).
use super::{no_grease, registry};

registry! {
    /// A three-byte cipher kind of SSL 2.0. A value below 0x010000 in an SSL 2.0 ClientHello is a cipher suite of later
    /// versions.
    Ssl2CipherKind(u32), id "0x{:06x}", unknown "0x{:06x}", grease no_grease;
    0x010080 SSL_CK_RC4_128_WITH_MD5 "SSL_CK_RC4_128_WITH_MD5"
        "RC4 with a 128-bit key and MD5.";
    0x020080 SSL_CK_RC4_128_EXPORT40_WITH_MD5 "SSL_CK_RC4_128_EXPORT40_WITH_MD5"
        "RC4 with 40 secret bits of key (export) and MD5.";
    0x030080 SSL_CK_RC2_128_CBC_WITH_MD5 "SSL_CK_RC2_128_CBC_WITH_MD5"
        "RC2 with a 128-bit key and MD5.";
    0x040080 SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5 "SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5"
        "RC2 with 40 secret bits of key (export) and MD5.";
    0x050080 SSL_CK_IDEA_128_CBC_WITH_MD5 "SSL_CK_IDEA_128_CBC_WITH_MD5"
        "IDEA with a 128-bit key and MD5.";
    0x060040 SSL_CK_DES_64_CBC_WITH_MD5 "SSL_CK_DES_64_CBC_WITH_MD5"
        "Single DES with a 56-bit key and MD5.";
    0x060140 SSL_CK_DES_64_CBC_WITH_SHA "SSL_CK_DES_64_CBC_WITH_SHA"
        "Single DES with a 56-bit key and SHA-1. An addition of SSLeay.";
    0x0700c0 SSL_CK_DES_192_EDE3_CBC_WITH_MD5 "SSL_CK_DES_192_EDE3_CBC_WITH_MD5"
        "Triple DES and MD5.";
    0x0701c0 SSL_CK_DES_192_EDE3_CBC_WITH_SHA "SSL_CK_DES_192_EDE3_CBC_WITH_SHA"
        "Triple DES and SHA-1. An addition of SSLeay.";
    0x080080 SSL_CK_RC4_64_WITH_MD5 "SSL_CK_RC4_64_WITH_MD5"
        "RC4 with a 64-bit key and MD5. An addition of SSLeay.";
}

impl Ssl2CipherKind {
    /// The cipher suite of SSL 3.0 or TLS that this three-byte value stands for: those that begin with a zero byte.
    pub fn suite(self) -> Option<super::CipherSuite> {
        u16::try_from(self.0).ok().map(super::CipherSuite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_byte_suites() {
        assert_eq!(Ssl2CipherKind(0x00002f).suite(), Some(super::super::CipherSuite(0x2f)));
        assert_eq!(Ssl2CipherKind(0x010080).suite(), None);
        assert_eq!(Ssl2CipherKind(0x0700c0).to_string(), "SSL_CK_DES_192_EDE3_CBC_WITH_MD5");
    }
}
