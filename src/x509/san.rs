//! Alternative names (GeneralName, RFC 5280, section 4.2.1.6).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::reader::Decoded;
use crate::text;

use super::der::{self, Der, OID, Tlv, context, context_constructed};
use super::{name, oid};

/// One alternative name. Its [`Display`](fmt::Display) is what a report shows: `DNS:a.example`, `IP:10.0.0.1`,
/// `email:`, `URI:`, `dirName:`, `RID:`, `other:` and the identifier. Texts are escaped already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum San {
    /// dNSName.
    Dns(String),
    /// iPAddress.
    Ip(IpAddr),
    /// iPAddress of neither 4 nor 16 bytes, in hexadecimal: no address.
    BadIp(String),
    /// rfc822Name.
    Email(String),
    /// uniformResourceIdentifier.
    Uri(String),
    /// directoryName in RFC 4514 form.
    DirectoryName(String),
    /// registeredID, dotted.
    RegisteredId(String),
    /// otherName: its dotted type and, where it is a string (a Microsoft user principal name is), its value.
    Other {
        /// The dotted type.
        oid: String,
        /// The value as text.
        value: Option<String>,
    },
    /// Any other form (x400Address `[3]`, ediPartyName `[5]`, tags that do not exist) by its tag number.
    Unknown(u8),
}

impl fmt::Display for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(s) => write!(f, "DNS:{s}"),
            Self::Ip(a) => write!(f, "IP:{a}"),
            Self::BadIp(s) => write!(f, "IP:{s}"),
            Self::Email(s) => write!(f, "email:{s}"),
            Self::Uri(s) => write!(f, "URI:{s}"),
            Self::DirectoryName(s) => write!(f, "dirName:{s}"),
            Self::RegisteredId(s) => write!(f, "RID:{s}"),
            Self::Other { oid, .. } => write!(f, "other:{oid}"),
            Self::Unknown(tag) => write!(f, "other:[{tag}]"),
        }
    }
}

const DNS_NAME: u8 = context(2);
const RFC822_NAME: u8 = context(1);
pub(crate) const URI: u8 = context(6);
const IP_ADDRESS: u8 = context(7);
const REGISTERED_ID: u8 = context(8);
const OTHER_NAME: u8 = context_constructed(0);
const DIRECTORY_NAME: u8 = context_constructed(4);

/// Reads one GeneralName. A damaged one is an error of that name alone.
pub(crate) fn read(n: &Tlv<'_>) -> Decoded<San> {
    let plain = || text::escape_bytes(n.content).into_owned();
    Ok(match n.tag {
        DNS_NAME => San::Dns(plain()),
        RFC822_NAME => San::Email(plain()),
        URI => San::Uri(plain()),
        IP_ADDRESS => match (<[u8; 4]>::try_from(n.content), <[u8; 16]>::try_from(n.content)) {
            (Ok(b), _) => San::Ip(Ipv4Addr::from(b).into()),
            (_, Ok(b)) => San::Ip(Ipv6Addr::from(b).into()),
            _ => San::BadIp(text::hex(n.content)),
        },
        REGISTERED_ID => San::RegisteredId(oid::dotted(n.content)),
        DIRECTORY_NAME => {
            let mut outer = n.inside();
            let name = name::read(&outer.next("directoryName")?);
            outer.end("directoryName")?;
            San::DirectoryName(name.error.map_or(Ok(name.text), Err)?)
        }
        OTHER_NAME => {
            let mut fields = n.inside();
            let oid = oid::dotted(fields.expect("otherName type-id", OID)?.content);
            let value = fields.next("otherName value").ok().and_then(|explicit| explicit.inside().next("value").ok());
            San::Other { oid, value: value.filter(is_string).map(|v| name::plain(&v)) }
        }
        tag => San::Unknown(tag & 0x1f),
    })
}

/// True for the universal string types.
fn is_string(v: &Tlv<'_>) -> bool {
    matches!(v.tag, der::UTF8_STRING | 0x12..=0x16 | 0x1a..=0x1c | 0x1e)
}

/// The addresses (URIs) of a list of GeneralName; true when there are more than are kept.
pub(crate) fn uris(mut names: Der<'_>, out: &mut Vec<String>) -> Decoded<bool> {
    let mut more = false;
    while !names.is_empty() {
        let n = names.next("GeneralName")?;
        if n.tag == URI && out.len() < crate::limits::CERTIFICATE_LIST {
            out.push(text::escape_bytes(n.content).into_owned());
        } else {
            more |= n.tag == URI;
        }
    }
    Ok(more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::der::{UTF8_STRING, tlv};
    use crate::x509::name::tests::name;

    fn san(tag: u8, content: &[u8]) -> Decoded<San> {
        read(&Der::new(&tlv(tag, &[content])).next("n").unwrap())
    }

    fn shown(tag: u8, content: &[u8]) -> String {
        san(tag, content).unwrap().to_string()
    }

    #[test]
    fn all_kinds() {
        assert_eq!(shown(0x82, b"*.a.example"), "DNS:*.a.example");
        assert_eq!(shown(0x81, b"a@b.example"), "email:a@b.example");
        assert_eq!(shown(0x86, b"spiffe://a/b"), "URI:spiffe://a/b");
        assert_eq!(shown(0x87, &[10, 0, 0, 1]), "IP:10.0.0.1");
        assert_eq!(shown(0x87, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), "IP:2001:db8::1");
        assert_eq!(shown(0x88, &[0x2a, 3, 4]), "RID:1.2.3.4");
        assert_eq!(shown(0xa4, &name(&[(&[0x55, 4, 3], UTF8_STRING, b"x,y")])), "dirName:CN=x\\,y");
        let upn = [tlv(OID, &[&[0x2b, 6]]), tlv(0xa0, &[&tlv(UTF8_STRING, &[b"me@corp"])])].concat();
        assert_eq!(san(0xa0, &upn).unwrap(), San::Other { oid: "1.3.6".into(), value: Some("me@corp".into()) });
        assert_eq!(shown(0xa0, &upn), "other:1.3.6");
        assert_eq!(shown(0xa3, &[]), "other:[3]");
    }

    #[test]
    fn hostile_ones() {
        assert_eq!(shown(0x82, b"www.bank.example\0.evil\x1b"), "DNS:www.bank.example\\u{0}.evil\\u{1b}");
        assert_eq!(shown(0x82, b"\xffa\\"), "DNS:\\xffa\\\\");
        assert_eq!(shown(0x87, &[1, 2, 3]), "IP:010203");
        assert_eq!(shown(0x87, &[]), "IP:");
        assert!(san(0xa0, &[]).is_err());
        assert!(san(0xa4, &[]).is_err());
        assert!(san(0xa4, &[0x30, 5, 1]).is_err());
    }
}
