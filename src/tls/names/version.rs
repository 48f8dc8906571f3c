//! Protocol versions, drafts and variants included.
use super::{is_grease, registry};

registry! {
    /// A protocol version as on the wire: in records, hellos and the supported_versions extension.
    ProtocolVersion(u16), id "0x{:04x}", unknown "0x{:04x}", grease is_grease;
    0x0002 SSL2 "SSL 2.0"
        "The first public version, of 1995. Broken and forbidden (RFC 6176).";
    0x0100 DTLS1_BAD "DTLS 1.0 (OpenSSL)"
        "DTLS 1.0 under the number that OpenSSL before 0.9.8f and old Cisco AnyConnect use. Deprecated with DTLS \
         1.0.";
    0x0101 TLCP11 "TLCP 1.1"
        "The Chinese transport layer cryptography protocol with SM2, SM3 and SM4 (GB/T 38636), also called GMTLS.";
    0x0300 SSL3 "SSL 3.0"
        "Of 1996; broken by POODLE and forbidden (RFC 7568).";
    0x0301 TLS10 "TLS 1.0"
        "Of 1999 (RFC 2246). Deprecated (RFC 8996); today refused by most.";
    0x0302 TLS11 "TLS 1.1"
        "Of 2006 (RFC 4346). Deprecated (RFC 8996); today refused by most.";
    0x0303 TLS12 "TLS 1.2"
        "Of 2008 (RFC 5246). Sound with AEAD suites and ephemeral keys; frozen (RFC 9851).";
    0x0304 TLS13 "TLS 1.3"
        "Of 2018 (RFC 8446, now RFC 9846): fewer round trips, all but the hellos encrypted, always forward secret \
         but for bare PSK.";
    0x7e01 TLS13_EXPERIMENT_1 "TLS 1.3 experiment 1"
        "A variant of TLS 1.3 that Google tried in 2017 to get past middleboxes.";
    0x7e02 TLS13_EXPERIMENT_2 "TLS 1.3 experiment 2"
        "A variant of TLS 1.3 that Google tried in 2017 to get past middleboxes.";
    0x7e03 TLS13_EXPERIMENT_3 "TLS 1.3 experiment 3"
        "A variant of TLS 1.3 that Google tried in 2017 to get past middleboxes.";
    0x7f01 TLS13_DRAFT_01 "TLS 1.3 draft 1"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-01). Does not work with the final TLS 1.3.";
    0x7f02 TLS13_DRAFT_02 "TLS 1.3 draft 2"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-02). Does not work with the final TLS 1.3.";
    0x7f03 TLS13_DRAFT_03 "TLS 1.3 draft 3"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-03). Does not work with the final TLS 1.3.";
    0x7f04 TLS13_DRAFT_04 "TLS 1.3 draft 4"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-04). Does not work with the final TLS 1.3.";
    0x7f05 TLS13_DRAFT_05 "TLS 1.3 draft 5"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-05). Does not work with the final TLS 1.3.";
    0x7f06 TLS13_DRAFT_06 "TLS 1.3 draft 6"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-06). Does not work with the final TLS 1.3.";
    0x7f07 TLS13_DRAFT_07 "TLS 1.3 draft 7"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-07). Does not work with the final TLS 1.3.";
    0x7f08 TLS13_DRAFT_08 "TLS 1.3 draft 8"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-08). Does not work with the final TLS 1.3.";
    0x7f09 TLS13_DRAFT_09 "TLS 1.3 draft 9"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-09). Does not work with the final TLS 1.3.";
    0x7f0a TLS13_DRAFT_10 "TLS 1.3 draft 10"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-10). Does not work with the final TLS 1.3.";
    0x7f0b TLS13_DRAFT_11 "TLS 1.3 draft 11"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-11). Does not work with the final TLS 1.3.";
    0x7f0c TLS13_DRAFT_12 "TLS 1.3 draft 12"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-12). Does not work with the final TLS 1.3.";
    0x7f0d TLS13_DRAFT_13 "TLS 1.3 draft 13"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-13). Does not work with the final TLS 1.3.";
    0x7f0e TLS13_DRAFT_14 "TLS 1.3 draft 14"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-14). Does not work with the final TLS 1.3.";
    0x7f0f TLS13_DRAFT_15 "TLS 1.3 draft 15"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-15). Does not work with the final TLS 1.3.";
    0x7f10 TLS13_DRAFT_16 "TLS 1.3 draft 16"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-16). Does not work with the final TLS 1.3.";
    0x7f11 TLS13_DRAFT_17 "TLS 1.3 draft 17"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-17). Does not work with the final TLS 1.3.";
    0x7f12 TLS13_DRAFT_18 "TLS 1.3 draft 18"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-18). Does not work with the final TLS 1.3.";
    0x7f13 TLS13_DRAFT_19 "TLS 1.3 draft 19"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-19). Does not work with the final TLS 1.3.";
    0x7f14 TLS13_DRAFT_20 "TLS 1.3 draft 20"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-20). Does not work with the final TLS 1.3.";
    0x7f15 TLS13_DRAFT_21 "TLS 1.3 draft 21"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-21). Does not work with the final TLS 1.3.";
    0x7f16 TLS13_DRAFT_22 "TLS 1.3 draft 22"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-22). Does not work with the final TLS 1.3.";
    0x7f17 TLS13_DRAFT_23 "TLS 1.3 draft 23"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-23). Does not work with the final TLS 1.3.";
    0x7f18 TLS13_DRAFT_24 "TLS 1.3 draft 24"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-24). Does not work with the final TLS 1.3.";
    0x7f19 TLS13_DRAFT_25 "TLS 1.3 draft 25"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-25). Does not work with the final TLS 1.3.";
    0x7f1a TLS13_DRAFT_26 "TLS 1.3 draft 26"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-26). Does not work with the final TLS 1.3.";
    0x7f1b TLS13_DRAFT_27 "TLS 1.3 draft 27"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-27). Does not work with the final TLS 1.3.";
    0x7f1c TLS13_DRAFT_28 "TLS 1.3 draft 28"
        "A draft of TLS 1.3 (draft-ietf-tls-tls13-28). Does not work with the final TLS 1.3.";
    0xfb12 TLS13_FB_18 "TLS 1.3 fb18"
        "A variant by Facebook of draft 18 of TLS 1.3.";
    0xfb13 TLS13_FB_19 "TLS 1.3 fb19"
        "A variant by Facebook of draft 19 of TLS 1.3.";
    0xfb14 TLS13_FB_20 "TLS 1.3 fb20"
        "A variant by Facebook of draft 20 of TLS 1.3.";
    0xfb15 TLS13_FB_21 "TLS 1.3 fb21"
        "A variant by Facebook of draft 21 of TLS 1.3.";
    0xfb16 TLS13_FB_22 "TLS 1.3 fb22"
        "A variant by Facebook of draft 22 of TLS 1.3.";
    0xfb17 TLS13_FB_23 "TLS 1.3 fb23"
        "A variant by Facebook of draft 23 of TLS 1.3.";
    0xfb18 TLS13_FB_24 "TLS 1.3 fb24"
        "A variant by Facebook of draft 24 of TLS 1.3.";
    0xfb19 TLS13_FB_25 "TLS 1.3 fb25"
        "A variant by Facebook of draft 25 of TLS 1.3.";
    0xfb1a TLS13_FB_26 "TLS 1.3 fb26"
        "A variant by Facebook of draft 26 of TLS 1.3.";
    0xfb1b TLS13_FB_27 "TLS 1.3 fb27"
        "A variant by Facebook of draft 27 of TLS 1.3.";
    0xfb1c TLS13_FB_28 "TLS 1.3 fb28"
        "A variant by Facebook of draft 28 of TLS 1.3.";
    0xfefc DTLS13 "DTLS 1.3"
        "Of 2022 (RFC 9147): TLS 1.3 over datagrams.";
    0xfefd DTLS12 "DTLS 1.2"
        "Of 2012 (RFC 6347): TLS 1.2 over datagrams.";
    0xfeff DTLS10 "DTLS 1.0"
        "Of 2006 (RFC 4347): TLS 1.1 over datagrams. Deprecated (RFC 8996).";
}

impl ProtocolVersion {
    /// The number of the draft of TLS 1.3, also of Facebook's variants; `None` for anything else.
    pub const fn draft(self) -> Option<u8> {
        let [high, low] = self.0.to_be_bytes();
        if matches!(high, 0x7f | 0xfb) && low != 0 && low <= 40 { Some(low) } else { None }
    }

    /// True for TLS 1.3, its drafts, experiments and variants, and DTLS 1.3.
    pub const fn is_tls13_or_draft(self) -> bool {
        matches!(self.0, 0x0304 | 0xfefc | 0x7e01..=0x7e0f) || self.draft().is_some()
    }

    /// True for the versions of DTLS.
    pub const fn is_dtls(self) -> bool {
        matches!(self.0, 0x0100 | 0xfefc | 0xfefd | 0xfeff)
    }

    /// A number that grows with age, youngest highest, to compare versions of TLS with those of DTLS: SSL 2.0 is 0,
    /// SSL 3.0 1, TLS 1.0 2, TLS 1.1, DTLS 1.0 and TLCP 3, TLS 1.2 and DTLS 1.2 4, TLS 1.3 5. Drafts of TLS 1.3
    /// count as TLS 1.3. `None` for GREASE and numbers that are no version.
    pub const fn rank(self) -> Option<u8> {
        match self.0 {
            0x0002 => Some(0),
            0x0300 => Some(1),
            0x0301 => Some(2),
            0x0302 | 0x0100 | 0x0101 | 0xfeff => Some(3),
            0x0303 | 0xfefd => Some(4),
            _ if self.is_tls13_or_draft() => Some(5),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_named_and_ordered() {
        assert_eq!(ProtocolVersion(0x7f17).to_string(), "TLS 1.3 draft 23");
        assert_eq!(ProtocolVersion(0xfb1a).to_string(), "TLS 1.3 fb26");
        assert_eq!(ProtocolVersion(0x7e01).to_string(), "TLS 1.3 experiment 1");
        assert_eq!(ProtocolVersion(0x0100).to_string(), "DTLS 1.0 (OpenSSL)");
        assert_eq!(ProtocolVersion(0x0002).to_string(), "SSL 2.0");
        assert_eq!(ProtocolVersion(0x0305).to_string(), "0x0305");
        assert!(ProtocolVersion(0x7f1c).is_tls13_or_draft());
        assert!(ProtocolVersion::TLS13_FB_26.is_tls13_or_draft());
        assert!(ProtocolVersion::DTLS13.is_tls13_or_draft());
        assert!(!ProtocolVersion::TLS12.is_tls13_or_draft());
        assert!(!ProtocolVersion(0x7a7a).is_tls13_or_draft());
        assert!(!ProtocolVersion(0x7fff).is_tls13_or_draft());
        assert_eq!(ProtocolVersion(0x7f12).draft(), Some(18));
        assert!(ProtocolVersion::DTLS13.rank() > ProtocolVersion::DTLS12.rank());
        assert!(ProtocolVersion::DTLS12.rank() > ProtocolVersion::DTLS10.rank());
        assert_eq!(ProtocolVersion::DTLS12.rank(), ProtocolVersion::TLS12.rank());
        assert_eq!(ProtocolVersion(0x4a4a).rank(), None);
    }
}
