//! The registries of TLS: numbers as types, their names as IANA spells them, and one plain sentence on each.
//!
//! Every type is the number from the wire, so that an unknown one is kept as it came. `Display` prints the name, or
//! `GREASE (0x4a4a)`, or the hexadecimal number. Names carry no registry notes such as `_RESERVED`. Where software in
//! the field uses numbers that IANA never registered (drafts, SSL 3.0, national suites), the table names them as their
//! authors did. State of the registries: September 2026.

mod alert;
mod cipher;
mod cipher_table;
mod extension;
mod group;
mod message;
mod signature;
mod small;
mod ssl2;
mod version;

pub use alert::{AlertDescription, AlertLevel};
pub use cipher::{Authentication, Cipher, CipherMode, CipherSuite, Hash, KeyExchange, Mac, SuiteAttributes};
pub use extension::ExtensionType;
pub use group::NamedGroup;
pub use message::{ContentType, HandshakeType};
pub use signature::SignatureScheme;
pub use small::{
    CertificateCompressionAlgorithm, CertificateStatusType, ClientCertificateType, CompressionMethod, EcCurveType,
    EcPointFormat, HeartbeatMessageType, PskKeyExchangeMode,
};
pub use ssl2::Ssl2CipherKind;
pub use version::ProtocolVersion;

/// What is said of every GREASE value.
pub(crate) const GREASE_TEXT: &str = "A GREASE value (RFC 8701): a random number without meaning that keeps peers \
    tolerant of numbers they do not know. It must be ignored.";

/// What is said of a number that is in no table.
pub(crate) const UNKNOWN_TEXT: &str = "Not in IANA's registry: private use, an experiment, or a damaged message.";

/// True for the 16 two-byte GREASE values `0x0a0a`, `0x1a1a` … `0xfafa` (RFC 8701, section 2).
pub const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// One line of a registry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<I> {
    /// The number.
    pub(crate) id: I,
    /// IANA's name.
    pub(crate) name: &'static str,
    /// One or two plain sentences.
    pub(crate) text: &'static str,
}

/// GREASE test for registries that have none.
pub(crate) const fn no_grease<I: Copy>(_: I) -> bool {
    false
}

/// Defines a registry: a newtype over the number, a documented constant and a table line for every entry, and the
/// methods that all registries share. Lines are sorted by number (a test holds them to it).
macro_rules! registry {
    (
        $(#[$meta:meta])*
        $T:ident($I:ty), id $id_format:literal, unknown $unknown:literal, grease $grease:path;
        $( $id:literal $C:ident $name:literal $text:literal; )*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $T(pub $I);

        impl $T {
            $(
                #[doc = concat!("`", $name, "`. ", $text)]
                pub const $C: Self = Self($id);
            )*

            const TABLE: &'static [$crate::tls::names::Entry<$I>] =
                &[$( $crate::tls::names::Entry { id: $id, name: $name, text: $text }, )*];
        }

        $crate::tls::names::registry_methods!($T($I), $id_format, $unknown, $grease);

        impl $T {
            /// What it is, in one or two plain sentences.
            pub fn explain(self) -> &'static str {
                match self.entry() {
                    Some(entry) => entry.text,
                    None if self.is_grease() => $crate::tls::names::GREASE_TEXT,
                    None => $crate::tls::names::UNKNOWN_TEXT,
                }
            }
        }
    };
}
pub(crate) use registry;

/// The methods that all registries share; the type has a sorted `TABLE`.
macro_rules! registry_methods {
    ($T:ident($I:ty), $id_format:literal, $unknown:literal, $grease:path) => {
        impl $T {
            fn entry(self) -> Option<&'static $crate::tls::names::Entry<$I>> {
                let at = Self::TABLE.binary_search_by_key(&self.0, |entry| entry.id).ok()?;
                Self::TABLE.get(at)
            }

            /// The registry's name; `None` for an unknown number and for GREASE.
            pub fn name(self) -> Option<&'static str> {
                self.entry().map(|entry| entry.name)
            }

            /// The number as lower-case hexadecimal of the registry's width, such as `0x1301`.
            pub fn id(self) -> String {
                format!($id_format, self.0)
            }

            /// True for a GREASE value of this registry (RFC 8701); false throughout where the registry has none.
            pub fn is_grease(self) -> bool {
                $grease(self.0)
            }

            /// Every value that has a name, by number.
            pub fn all() -> impl Iterator<Item = Self> {
                Self::TABLE.iter().map(|entry| Self(entry.id))
            }

            /// The value of that name, without regard to case. Where an unregistered number shares a name, the lower.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::TABLE.iter().find(|entry| entry.name.eq_ignore_ascii_case(name)).map(|entry| Self(entry.id))
            }
        }

        impl std::fmt::Display for $T {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None if self.is_grease() => f.pad(&format!(concat!("GREASE (", $id_format, ")"), self.0)),
                    None => f.pad(&format!($unknown, self.0)),
                }
            }
        }

        impl From<$I> for $T {
            fn from(value: $I) -> Self {
                Self(value)
            }
        }

        impl From<$T> for $I {
            fn from(value: $T) -> Self {
                value.0
            }
        }

        #[cfg(test)]
        impl $T {
            /// Sorted without duplicates, a name and a sentence for each, nothing that would need escaping.
            pub(crate) fn check_table() {
                for pair in Self::TABLE.windows(2) {
                    assert!(pair[0].id < pair[1].id, "{} after {}", pair[1].name, pair[0].name);
                }
                for entry in Self::TABLE {
                    assert!(!entry.name.is_empty() && entry.name.is_ascii(), "{}", entry.name);
                    assert!(!entry.text.contains("  ") && !entry.text.contains('\n'), "{}", entry.text);
                    assert!(entry.text.is_empty() || entry.text.ends_with('.'), "{}", entry.text);
                    assert_eq!(Self(entry.id).name(), Some(entry.name));
                    assert_eq!(Self(entry.id).to_string(), entry.name);
                    assert!(!Self(entry.id).is_grease(), "{}", entry.name);
                }
            }
        }
    };
}
pub(crate) use registry_methods;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grease_is_exact() {
        // RFC 8701, section 2, written out.
        let listed = [
            0x0a0a, 0x1a1a, 0x2a2a, 0x3a3a, 0x4a4a, 0x5a5a, 0x6a6a, 0x7a7a, 0x8a8a, 0x9a9a, 0xaaaa, 0xbaba, 0xcaca,
            0xdada, 0xeaea, 0xfafa,
        ];
        let found: Vec<u16> = (0..=u16::MAX).filter(|v| is_grease(*v)).collect();
        assert_eq!(found, listed);
    }

    #[test]
    fn grease_and_unknown_values_are_printed_with_their_number() {
        assert_eq!(CipherSuite(0x4a4a).to_string(), "GREASE (0x4a4a)");
        assert_eq!(CipherSuite(0x4a4a).name(), None);
        assert_eq!(ExtensionType(0xfafa).to_string(), "GREASE (0xfafa)");
        assert_eq!(NamedGroup(0x0a1a).to_string(), "0x0a1a");
        assert_eq!(ExtensionType(0xff03).to_string(), "0xff03");
        assert_eq!(AlertDescription(200).to_string(), "0xc8");
        assert_eq!(HandshakeType(67).to_string(), "type_67");
        assert_eq!(HandshakeType(9).id(), "0x09");
        assert_eq!(ExtensionType(5).id(), "0x0005");
        assert_eq!(Ssl2CipherKind(0x0700c0).id(), "0x0700c0");
        assert_eq!(NamedGroup(0x1a1a).explain(), GREASE_TEXT);
        assert_eq!(format!("{:<8}|", ContentType(21)), "alert   |");
    }

    #[test]
    fn psk_modes_have_their_own_grease() {
        // RFC 8701, section 2, written out.
        let listed = [0x0b, 0x2a, 0x49, 0x68, 0x87, 0xa6, 0xc5, 0xe4];
        let found: Vec<u8> = (0..=u8::MAX).filter(|v| PskKeyExchangeMode(*v).is_grease()).collect();
        assert_eq!(found, listed);
        assert_eq!(PskKeyExchangeMode(0x2a).to_string(), "GREASE (0x2a)");
    }

    #[test]
    fn tables_are_sorted_and_whole() {
        ContentType::check_table();
        HandshakeType::check_table();
        AlertLevel::check_table();
        AlertDescription::check_table();
        CipherSuite::check_table();
        Ssl2CipherKind::check_table();
        ExtensionType::check_table();
        NamedGroup::check_table();
        SignatureScheme::check_table();
        ProtocolVersion::check_table();
        CompressionMethod::check_table();
        EcPointFormat::check_table();
        EcCurveType::check_table();
        ClientCertificateType::check_table();
        CertificateCompressionAlgorithm::check_table();
        PskKeyExchangeMode::check_table();
        CertificateStatusType::check_table();
        HeartbeatMessageType::check_table();
    }

    #[test]
    fn names_lead_back() {
        for suite in CipherSuite::all() {
            let found = suite.name().and_then(CipherSuite::from_name);
            // The two FIPS suites of old Netscape have two numbers each.
            let expected = match suite.0 {
                0xffe0 => CipherSuite(0xfeff),
                0xffe1 => CipherSuite(0xfefe),
                _ => suite,
            };
            assert_eq!(found, Some(expected), "{suite}");
        }
        assert_eq!(ExtensionType::from_name("Server_Name"), Some(ExtensionType::SERVER_NAME));
        assert_eq!(NamedGroup::from_name("X25519"), Some(NamedGroup::X25519));
        assert_eq!(NamedGroup::from_name("nothing"), None);
    }
}
