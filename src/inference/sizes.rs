//! The arithmetic of protected records (RFC 8446, section 5.2): what a message's record is long, for each habit of padding.

use crate::tls::names::CipherSuite;

/// Bytes of an alert.
pub(super) const ALERT: u16 = 2;
/// Bytes of an EndOfEarlyData message.
pub(super) const END_OF_EARLY_DATA: u16 = 4;
/// Bytes of a Certificate message without a certificate and with an empty context.
pub(super) const EMPTY_CERTIFICATE: u16 = 8;
/// The same with a context of 32 bytes, as OpenSSL sends after the handshake.
pub(super) const EMPTY_CERTIFICATE_AFTER: u16 = 40;
/// What stands around one certificate in a Certificate message: header, context, list length; length and extensions of the entry.
pub(super) const AROUND_CERTIFICATE: usize = 13;
/// Header, algorithm and length around the signature of a CertificateVerify.
const AROUND_SIGNATURE: u16 = 8;
/// The least a certificate has in practice, and the least a signature.
pub(super) const LEAST_CERTIFICATE: u16 = 200;
/// See above: Ed25519.
const LEAST_SIGNATURE: u16 = 64;
/// A record's largest content.
const MOST: u16 = 16_384;

/// How a stack pads its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Padding {
    /// So many zero bytes on every record: none for most, 16 for Java.
    Constant(u16),
    /// Up to a multiple of so many bytes, content type included: 16 for mbed TLS, any for OpenSSL's `block_padding`.
    Block(u16),
}

/// Habits that stacks have, the most usual first.
pub(super) const HABITS: &[Padding] = &[
    Padding::Constant(0),
    Padding::Constant(16),
    Padding::Block(16),
    Padding::Block(32),
    Padding::Block(64),
    Padding::Block(128),
    Padding::Block(256),
    Padding::Block(512),
    Padding::Block(1024),
    Padding::Block(4096),
];

/// Sizes under a cipher suite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Bytes of a Finished message.
    pub(super) finished: u16,
    /// Bytes that protection adds: the tag.
    tag: u16,
}

impl Sizes {
    /// For a suite of TLS 1.3.
    pub(super) fn of(suite: CipherSuite) -> Option<Self> {
        let hash = u16::try_from(suite.tls13_hash_len()?).ok()?;
        let tag = u16::try_from(suite.tls13_expansion()?).ok()?;
        Some(Self { finished: hash.saturating_add(4), tag })
    }

    /// Length of the record that holds `inner` bytes.
    pub(super) fn wire(self, inner: u16, padding: Padding) -> u16 {
        let with_type = inner.saturating_add(1);
        let padded = match padding {
            Padding::Constant(n) => with_type.saturating_add(n),
            Padding::Block(n) => with_type.checked_next_multiple_of(n).unwrap_or(u16::MAX),
        };
        padded.saturating_add(self.tag)
    }

    /// The most bytes that a record of this length can hold.
    pub(super) fn inner(self, len: u16, padding: Padding) -> u16 {
        let most = len.saturating_sub(self.tag).saturating_sub(1);
        match padding {
            Padding::Constant(n) => most.saturating_sub(n),
            Padding::Block(_) => most,
        }
    }

    /// A record of this length can be made by this habit at all.
    pub(super) fn fits(self, len: u16, padding: Padding) -> bool {
        match padding {
            Padding::Constant(n) => len > self.tag.saturating_add(n),
            Padding::Block(n) => len.checked_sub(self.tag).is_some_and(|c| c > 0 && (c.is_multiple_of(n) || c > MOST)),
        }
    }

    /// A record of an alert's size, as its sender pads; not at all where its habit is not known, as with stacks that put
    /// their whole flight into one record.
    pub(super) fn is_alert(self, len: u16, padding: Option<Padding>) -> bool {
        self.wire(ALERT, padding.unwrap_or(Padding::Constant(0))) == len
    }

    /// A record of this length can hold a CertificateVerify and nothing else.
    pub(super) fn is_certificate_verify(self, len: u16, padding: Padding) -> bool {
        SIGNATURES
            .iter()
            .flat_map(|(least, most)| *least..=*most)
            .any(|s| self.wire(s.saturating_add(AROUND_SIGNATURE), padding) == len)
    }

    /// The least length of a Certificate message with a certificate, followed by a CertificateVerify, in one record.
    pub(super) fn least_proof(self, padding: Padding) -> u16 {
        self.wire(EMPTY_CERTIFICATE + 5 + LEAST_CERTIFICATE + AROUND_SIGNATURE + LEAST_SIGNATURE, padding)
    }

    /// A record is as full as a sender's limit lets it be: the message goes on in the next one (RFC 8446, section 5.1;
    /// RFC 6066, section 4; RFC 8449).
    pub(super) fn is_full(self, len: u16, padding: Padding) -> bool {
        matches!(self.inner(len, padding), 512 | 1024 | 2048 | 4096 | 8192 | 16_384)
    }
}

/// Lengths of signatures: ECDSA's vary by the leading zeros of two numbers, below a byte of which is rare.
const SIGNATURES: &[(u16, u16)] = &[
    (64, 64),     // Ed25519
    (68, 72),     // ECDSA with P-256, SM2
    (100, 104),   // P-384
    (114, 114),   // Ed448
    (128, 128),   // RSA 1024
    (135, 139),   // P-521
    (256, 256),   // RSA 2048
    (384, 384),   // RSA 3072
    (512, 512),   // RSA 4096
    (1024, 1024), // RSA 8192
    (2420, 2420), // ML-DSA-44
    (3309, 3309), // ML-DSA-65
    (4627, 4627), // ML-DSA-87
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Record lengths that were measured on OpenSSL, Java and mbed TLS.
    #[test]
    fn lengths_are_those_of_real_stacks() {
        let s256 = Sizes::of(CipherSuite(0x1301)).expect("a suite of TLS 1.3");
        let s384 = Sizes::of(CipherSuite(0x1302)).expect("a suite of TLS 1.3");
        let plain = Padding::Constant(0);
        assert_eq!((s256.wire(s256.finished, plain), s384.wire(s384.finished, plain)), (53, 69));
        assert_eq!(s384.wire(s384.finished, Padding::Constant(16)), 85);
        assert_eq!((s256.wire(ALERT, plain), s256.wire(ALERT, Padding::Constant(16))), (19, 35));
        assert_eq!((s256.wire(ALERT, Padding::Block(16)), s256.wire(s256.finished, Padding::Block(16))), (32, 64));
        assert_eq!(s256.wire(EMPTY_CERTIFICATE, plain), 25);
        assert_eq!(s256.wire(END_OF_EARLY_DATA, plain), 21);
        assert_eq!(usize::from(s256.inner(849, plain)) - AROUND_CERTIFICATE, 819);
        for (len, signature) in
            [(281, "RSA 2048"), (409, "RSA 3072"), (537, "RSA 4096"), (97, "P-256"), (89, "Ed25519")]
        {
            assert!(s256.is_certificate_verify(len, plain), "{signature}");
        }
        assert!(!s256.is_certificate_verify(849, plain) && !s256.is_certificate_verify(53, plain));
        assert!(s256.is_certificate_verify(297, Padding::Constant(16)));
        // TLS_AES_128_CCM_8_SHA256 has a short tag.
        let ccm8 = Sizes::of(CipherSuite(0x1305)).expect("a suite of TLS 1.3");
        assert_eq!(ccm8.wire(ccm8.finished, plain), 45);
        assert!(Sizes::of(CipherSuite(0xc02f)).is_none());
    }

    #[test]
    fn a_block_is_recognised_by_its_multiples() {
        let s = Sizes::of(CipherSuite(0x1301)).expect("a suite of TLS 1.3");
        assert!(s.fits(80, Padding::Block(64)) && !s.fits(81, Padding::Block(64)));
        assert!(s.fits(80, Padding::Constant(0)) && !s.fits(20, Padding::Constant(16)));
    }
}
