//! Object identifiers: dotted text, and the names OpenSSL's object table gives to those that certificates use.

use std::fmt::Write as _;

/// Content bytes of an OBJECT IDENTIFIER known at compile time.
#[derive(Clone, Copy)]
pub(crate) struct Oid {
    bytes: [u8; 14],
    len: usize,
}

impl Oid {
    /// True when `content` is this identifier.
    pub(crate) fn is(&self, content: &[u8]) -> bool {
        self.bytes.get(..self.len) == Some(content)
    }
}

/// The encoding of a dotted identifier (X.690, section 8.19). Evaluated by the compiler only: a mistake does not build.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
pub(crate) const fn oid(dotted: &str) -> Oid {
    let text = dotted.as_bytes();
    let mut out = Oid { bytes: [0; 14], len: 0 };
    let mut first = None;
    let mut at = 0;
    while at < text.len() {
        let mut arc = 0u32;
        while at < text.len() && text[at] != b'.' {
            arc = arc * 10 + (text[at] - b'0') as u32;
            at += 1;
        }
        at += 1;
        match first {
            None => first = Some(arc),
            Some(root) => {
                let value = if out.len == 0 { root * 40 + arc } else { arc };
                let mut shift = 28;
                while shift > 0 {
                    if value >> shift != 0 {
                        out.bytes[out.len] = 0x80 | ((value >> shift) & 0x7f) as u8;
                        out.len += 1;
                    }
                    shift -= 7;
                }
                out.bytes[out.len] = (value & 0x7f) as u8;
                out.len += 1;
            }
        }
    }
    out
}

/// The entry of `table` for an identifier.
pub(crate) fn find<T: Copy>(table: &[(Oid, T)], content: &[u8]) -> Option<T> {
    table.iter().find(|(o, _)| o.is(content)).map(|(_, v)| *v)
}

/// Dotted text of an identifier's content bytes. An arc beyond 128 bits is written as `0x` and its base-128 digits, an
/// arc that is cut off as `?`, so that the text stays linear in the input.
pub(crate) fn dotted(content: &[u8]) -> String {
    let mut out = String::with_capacity(content.len().saturating_mul(3));
    let mut rest = content;
    if rest.is_empty() {
        return "?".into();
    }
    while !rest.is_empty() {
        let len = rest.iter().position(|b| b & 0x80 == 0);
        let (arc, tail) = rest.split_at(len.map_or(rest.len(), |n| n.saturating_add(1)));
        let first = out.is_empty();
        if !first {
            out.push('.');
        }
        rest = tail;
        if len.is_none() {
            out.push('?');
        } else if arc.len() > 18 {
            out.push_str("0x");
            arc.iter().for_each(|b| {
                let _ = write!(out, "{:02x}", b & 0x7f);
            });
        } else {
            let v = arc.iter().fold(0u128, |v, b| (v << 7) | u128::from(b & 0x7f));
            let _ = match (first, v) {
                (false, _) => write!(out, "{v}"),
                (true, 0..40) => write!(out, "0.{v}"),
                (true, 40..80) => write!(out, "1.{}", v.saturating_sub(40)),
                (true, _) => write!(out, "2.{}", v.saturating_sub(80)),
            };
        }
    }
    out
}

/// id-at-commonName.
pub(crate) const COMMON_NAME: Oid = oid("2.5.4.3");

/// Attribute types of names by OpenSSL's short names.
pub(crate) const ATTRIBUTES: &[(Oid, &str)] = &[
    (oid("2.5.4.3"), "CN"),
    (oid("2.5.4.6"), "C"),
    (oid("2.5.4.10"), "O"),
    (oid("2.5.4.11"), "OU"),
    (oid("2.5.4.8"), "ST"),
    (oid("2.5.4.7"), "L"),
    (oid("1.2.840.113549.1.9.1"), "emailAddress"),
    (oid("0.9.2342.19200300.100.1.25"), "DC"),
    (oid("0.9.2342.19200300.100.1.1"), "UID"),
    (oid("2.5.4.5"), "serialNumber"),
    (oid("2.5.4.9"), "street"),
    (oid("2.5.4.17"), "postalCode"),
    (oid("2.5.4.4"), "SN"),
    (oid("2.5.4.42"), "GN"),
    (oid("2.5.4.12"), "title"),
    (oid("2.5.4.13"), "description"),
    (oid("2.5.4.15"), "businessCategory"),
    (oid("2.5.4.97"), "organizationIdentifier"),
    (oid("1.3.6.1.4.1.311.60.2.1.1"), "jurisdictionL"),
    (oid("1.3.6.1.4.1.311.60.2.1.2"), "jurisdictionST"),
    (oid("1.3.6.1.4.1.311.60.2.1.3"), "jurisdictionC"),
    (oid("2.5.4.14"), "searchGuide"),
    (oid("2.5.4.16"), "postalAddress"),
    (oid("2.5.4.18"), "postOfficeBox"),
    (oid("2.5.4.19"), "physicalDeliveryOfficeName"),
    (oid("2.5.4.20"), "telephoneNumber"),
    (oid("2.5.4.21"), "telexNumber"),
    (oid("2.5.4.22"), "teletexTerminalIdentifier"),
    (oid("2.5.4.23"), "facsimileTelephoneNumber"),
    (oid("2.5.4.24"), "x121Address"),
    (oid("2.5.4.25"), "internationaliSDNNumber"),
    (oid("2.5.4.26"), "registeredAddress"),
    (oid("2.5.4.27"), "destinationIndicator"),
    (oid("2.5.4.28"), "preferredDeliveryMethod"),
    (oid("2.5.4.29"), "presentationAddress"),
    (oid("2.5.4.30"), "supportedApplicationContext"),
    (oid("2.5.4.31"), "member"),
    (oid("2.5.4.32"), "owner"),
    (oid("2.5.4.33"), "roleOccupant"),
    (oid("2.5.4.34"), "seeAlso"),
    (oid("2.5.4.35"), "userPassword"),
    (oid("2.5.4.36"), "userCertificate"),
    (oid("2.5.4.37"), "cACertificate"),
    (oid("2.5.4.38"), "authorityRevocationList"),
    (oid("2.5.4.39"), "certificateRevocationList"),
    (oid("2.5.4.40"), "crossCertificatePair"),
    (oid("2.5.4.41"), "name"),
    (oid("2.5.4.43"), "initials"),
    (oid("2.5.4.44"), "generationQualifier"),
    (oid("2.5.4.45"), "x500UniqueIdentifier"),
    (oid("2.5.4.46"), "dnQualifier"),
    (oid("2.5.4.47"), "enhancedSearchGuide"),
    (oid("2.5.4.48"), "protocolInformation"),
    (oid("2.5.4.49"), "distinguishedName"),
    (oid("2.5.4.50"), "uniqueMember"),
    (oid("2.5.4.51"), "houseIdentifier"),
    (oid("2.5.4.52"), "supportedAlgorithms"),
    (oid("2.5.4.53"), "deltaRevocationList"),
    (oid("2.5.4.54"), "dmdName"),
    (oid("2.5.4.65"), "pseudonym"),
    (oid("2.5.4.72"), "role"),
    (oid("2.5.4.98"), "c3"),
    (oid("2.5.4.99"), "n3"),
    (oid("2.5.4.100"), "dnsName"),
    (oid("1.2.840.113549.1.9.2"), "unstructuredName"),
    (oid("1.2.840.113549.1.9.3"), "contentType"),
    (oid("1.2.840.113549.1.9.4"), "messageDigest"),
    (oid("1.2.840.113549.1.9.5"), "signingTime"),
    (oid("1.2.840.113549.1.9.6"), "countersignature"),
    (oid("1.2.840.113549.1.9.7"), "challengePassword"),
    (oid("1.2.840.113549.1.9.8"), "unstructuredAddress"),
    (oid("1.2.840.113549.1.9.9"), "extendedCertificateAttributes"),
    (oid("1.2.840.113549.1.9.20"), "friendlyName"),
    (oid("1.2.840.113549.1.9.21"), "localKeyID"),
    (oid("0.9.2342.19200300.100.1.2"), "textEncodedORAddress"),
    (oid("0.9.2342.19200300.100.1.3"), "mail"),
    (oid("0.9.2342.19200300.100.1.4"), "info"),
    (oid("0.9.2342.19200300.100.1.5"), "favouriteDrink"),
    (oid("0.9.2342.19200300.100.1.6"), "roomNumber"),
    (oid("0.9.2342.19200300.100.1.7"), "photo"),
    (oid("0.9.2342.19200300.100.1.8"), "userClass"),
    (oid("0.9.2342.19200300.100.1.9"), "host"),
    (oid("0.9.2342.19200300.100.1.10"), "manager"),
    (oid("0.9.2342.19200300.100.1.11"), "documentIdentifier"),
    (oid("0.9.2342.19200300.100.1.12"), "documentTitle"),
    (oid("0.9.2342.19200300.100.1.13"), "documentVersion"),
    (oid("0.9.2342.19200300.100.1.14"), "documentAuthor"),
    (oid("0.9.2342.19200300.100.1.15"), "documentLocation"),
    (oid("0.9.2342.19200300.100.1.20"), "homeTelephoneNumber"),
    (oid("0.9.2342.19200300.100.1.21"), "secretary"),
    (oid("0.9.2342.19200300.100.1.22"), "otherMailbox"),
    (oid("0.9.2342.19200300.100.1.23"), "lastModifiedTime"),
    (oid("0.9.2342.19200300.100.1.24"), "lastModifiedBy"),
    (oid("0.9.2342.19200300.100.1.26"), "aRecord"),
    (oid("0.9.2342.19200300.100.1.27"), "pilotAttributeType27"),
    (oid("0.9.2342.19200300.100.1.28"), "mXRecord"),
    (oid("0.9.2342.19200300.100.1.29"), "nSRecord"),
    (oid("0.9.2342.19200300.100.1.30"), "sOARecord"),
    (oid("0.9.2342.19200300.100.1.31"), "cNAMERecord"),
    (oid("0.9.2342.19200300.100.1.37"), "associatedDomain"),
    (oid("0.9.2342.19200300.100.1.38"), "associatedName"),
    (oid("0.9.2342.19200300.100.1.39"), "homePostalAddress"),
    (oid("0.9.2342.19200300.100.1.40"), "personalTitle"),
    (oid("0.9.2342.19200300.100.1.41"), "mobileTelephoneNumber"),
    (oid("0.9.2342.19200300.100.1.42"), "pagerTelephoneNumber"),
    (oid("0.9.2342.19200300.100.1.43"), "friendlyCountryName"),
    (oid("0.9.2342.19200300.100.1.44"), "uid"),
    (oid("0.9.2342.19200300.100.1.45"), "organizationalStatus"),
    (oid("0.9.2342.19200300.100.1.46"), "janetMailbox"),
    (oid("0.9.2342.19200300.100.1.47"), "mailPreferenceOption"),
    (oid("0.9.2342.19200300.100.1.48"), "buildingName"),
    (oid("0.9.2342.19200300.100.1.49"), "dSAQuality"),
    (oid("0.9.2342.19200300.100.1.50"), "singleLevelQuality"),
    (oid("0.9.2342.19200300.100.1.51"), "subtreeMinimumQuality"),
    (oid("0.9.2342.19200300.100.1.52"), "subtreeMaximumQuality"),
    (oid("0.9.2342.19200300.100.1.53"), "personalSignature"),
    (oid("0.9.2342.19200300.100.1.54"), "dITRedirect"),
    (oid("0.9.2342.19200300.100.1.55"), "audio"),
    (oid("0.9.2342.19200300.100.1.56"), "documentPublisher"),
    (oid("1.3.6.1.4.1.311.20.2.3"), "msUPN"),
    (oid("1.2.643.3.131.1.1"), "INN"),
    (oid("1.2.643.100.1"), "OGRN"),
    (oid("1.2.643.100.3"), "SNILS"),
    (oid("1.2.643.100.5"), "OGRNIP"),
    (oid("1.2.643.100.111"), "subjectSignTool"),
    (oid("1.2.643.100.112"), "issuerSignTool"),
];

/// Key purposes by OpenSSL's short names (RFC 5280, section 4.2.1.12).
pub(crate) const PURPOSES: &[(Oid, &str)] = &[
    (oid("1.3.6.1.5.5.7.3.1"), "serverAuth"),
    (oid("1.3.6.1.5.5.7.3.2"), "clientAuth"),
    (oid("2.5.29.37.0"), "anyExtendedKeyUsage"),
    (oid("1.3.6.1.5.5.7.3.3"), "codeSigning"),
    (oid("1.3.6.1.5.5.7.3.4"), "emailProtection"),
    (oid("1.3.6.1.5.5.7.3.5"), "ipsecEndSystem"),
    (oid("1.3.6.1.5.5.7.3.6"), "ipsecTunnel"),
    (oid("1.3.6.1.5.5.7.3.7"), "ipsecUser"),
    (oid("1.3.6.1.5.5.7.3.8"), "timeStamping"),
    (oid("1.3.6.1.5.5.7.3.9"), "OCSPSigning"),
    (oid("1.3.6.1.5.5.7.3.10"), "DVCS"),
    (oid("1.3.6.1.5.5.7.3.17"), "ipsecIKE"),
    (oid("1.3.6.1.5.5.7.3.18"), "capwapAC"),
    (oid("1.3.6.1.5.5.7.3.19"), "capwapWTP"),
    (oid("1.3.6.1.5.5.7.3.21"), "secureShellClient"),
    (oid("1.3.6.1.5.5.7.3.22"), "secureShellServer"),
    (oid("1.3.6.1.5.5.7.3.27"), "cmcCA"),
    (oid("1.3.6.1.5.5.7.3.28"), "cmcRA"),
    (oid("1.3.6.1.5.5.7.3.29"), "cmcArchive"),
    (oid("1.3.6.1.5.5.7.3.32"), "cmKGA"),
    (oid("1.3.6.1.5.2.3.4"), "pkInitClientAuth"),
    (oid("1.3.6.1.5.2.3.5"), "pkInitKDC"),
    (oid("1.3.6.1.4.1.311.2.1.21"), "msCodeInd"),
    (oid("1.3.6.1.4.1.311.2.1.22"), "msCodeCom"),
    (oid("1.3.6.1.4.1.311.10.3.1"), "msCTLSign"),
    (oid("1.3.6.1.4.1.311.10.3.3"), "msSGC"),
    (oid("1.3.6.1.4.1.311.10.3.4"), "msEFS"),
    (oid("1.3.6.1.4.1.311.20.2.2"), "msSmartcardLogin"),
    (oid("2.16.840.1.113730.4.1"), "nsSGC"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_those_of_other_sources() {
        // X.690's own example (section 8.19.5) and the bytes of RFC 5280's id-at-commonName.
        assert!(oid("2.999.3").is(&[0x88, 0x37, 0x03]));
        assert!(oid("2.5.4.3").is(&[0x55, 4, 3]));
        assert!(oid("1.2.840.113549.1.1.11").is(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]));
        assert!(!oid("2.5.4.3").is(&[0x55, 4]));
        assert_eq!(dotted(&[0x88, 0x37, 0x03]), "2.999.3");
        assert_eq!(dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]), "1.2.840.113549.1.1.11");
        assert_eq!(dotted(&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25]), "0.9.2342.19200300.100.1.25");
    }

    #[test]
    fn tables_have_no_entry_twice() {
        for table in [ATTRIBUTES, PURPOSES] {
            for (i, (o, name)) in table.iter().enumerate() {
                assert_eq!(find(table, &o.bytes[..o.len]), Some(*name));
                assert!(!table[..i].iter().any(|(_, n)| n == name), "{name}");
            }
        }
    }

    #[test]
    fn damaged_identifiers_have_a_text() {
        assert_eq!(dotted(&[]), "?");
        assert_eq!(dotted(&[0x55, 0x84]), "2.5.?");
        let mut huge = vec![0x2a];
        huge.extend([0xff; 60]);
        huge.push(0x7f);
        let text = dotted(&huge);
        assert!(text.starts_with("1.2.0x7f7f") && text.len() == 6 + 122, "{text}");
        assert_eq!(dotted(&[0x83, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]), "2.36893488147419103151");
    }
}
