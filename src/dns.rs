//! DNS over UDP (RFC 1035, section 4.1): which name was asked for, and whether it exists. The answer's records are not read.

use crate::reader::Reader;

/// The port of DNS over UDP.
pub const PORT: u16 = 53;

/// Longest name (RFC 1035, section 2.3.4).
const NAME_BYTES: usize = 255;

/// `QTYPE` of an IPv4 address, an IPv6 address, and the records that say how to connect (RFC 1035; 3596; 9460).
const ADDRESS_KINDS: [u16; 4] = [1, 28, 64, 65];

/// `RCODE` of a good answer, and of a name that does not exist (RFC 1035, section 4.1.1).
const NO_ERROR: u8 = 0;
const NAME_ERROR: u8 = 3;

/// What a DNS message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A question.
    Query,
    /// The name exists, whether or not it has such a record.
    Found,
    /// The name does not exist (NXDOMAIN).
    NoSuchName,
    /// The server could not or would not say: its `RCODE`.
    Failed(u8),
}

/// A DNS message about one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: Kind,
    /// The name in question, in lower case, its labels joined with dots, without the root's.
    pub name: Box<[u8]>,
    /// The question asks how to reach the name: an address, or an HTTPS or SVCB record.
    pub for_address: bool,
}

/// Reads header and question; `None` for what is no standard query or answer with one question.
pub fn decode(payload: &[u8]) -> Option<Message> {
    let mut r = Reader::new(payload);
    r.u16("id").ok()?;
    let flags = r.u16("flags").ok()?;
    let questions = r.u16("qdcount").ok()?;
    r.bytes("counts", 6).ok()?;
    let opcode = (flags >> 11) & 15;
    if opcode != 0 || questions != 1 {
        return None;
    }
    let mut name = Vec::new();
    loop {
        let len = r.u8("label length").ok()?;
        match len {
            0 => break,
            1..=63 => {
                let label = r.bytes("label", len.into()).ok()?;
                if !name.is_empty() {
                    name.push(b'.');
                }
                name.extend(label.iter().map(u8::to_ascii_lowercase));
            }
            // The first name of a message has nothing to point back to.
            _ => return None,
        }
        if name.len() > NAME_BYTES {
            return None;
        }
    }
    let asked = r.u16("qtype").ok()?;
    r.u16("qclass").ok()?;
    let kind = match (flags & 0x8000 != 0, u8::try_from(flags & 15).unwrap_or(0)) {
        (false, _) => Kind::Query,
        (true, NO_ERROR) => Kind::Found,
        (true, NAME_ERROR) => Kind::NoSuchName,
        (true, code) => Kind::Failed(code),
    };
    Some(Message { kind, name: name.into(), for_address: ADDRESS_KINDS.contains(&asked) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(flags: u16, name: &[u8], kind: u16) -> Vec<u8> {
        let mut out = vec![0x12, 0x34];
        out.extend(flags.to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 0, 0, 0]);
        out.extend(name);
        out.extend(kind.to_be_bytes());
        out.extend([0, 1]);
        out
    }

    const NAME: &[u8] = b"\x03WWW\x07example\x00";

    #[test]
    fn questions_and_answers() {
        let query = decode(&message(0x0100, NAME, 1)).expect("a query");
        assert_eq!((query.kind, &*query.name, query.for_address), (Kind::Query, &b"www.example"[..], true));
        for (flags, kind) in [(0x8180, Kind::Found), (0x8183, Kind::NoSuchName), (0x8182, Kind::Failed(2))] {
            assert_eq!(decode(&message(flags, NAME, 28)).map(|m| m.kind), Some(kind));
        }
        assert_eq!(decode(&message(0x0100, NAME, 12)).map(|m| m.for_address), Some(false), "PTR");
    }

    #[test]
    fn what_is_no_dns_is_nothing() {
        let whole = message(0x0100, NAME, 1);
        for cut in 0..whole.len() {
            assert_eq!(decode(&whole[..cut]), None, "{cut}");
        }
        assert_eq!(decode(&message(0x2800, NAME, 1)), None, "an update");
        assert_eq!(decode(&message(0x0100, b"\xc0\x0c", 1)), None, "a pointer");
        assert_eq!(decode(&message(0x0100, &[&[b'\x3f'; 64][..]; 5].concat(), 1)), None, "too long");
    }
}
