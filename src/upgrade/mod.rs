//! Where TLS begins in a stream: at its first byte ([`recognise`]), or at the start of a later segment of a connection that
//! spoke something else before ([`begins_tls`]), such as one that was upgraded (STARTTLS and its kin).

mod plain;

pub use plain::{Plain, proxy_header_len};

/// What the first bytes of a stream are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// TLS records (or SSL 3.0's, which have the same form).
    Tls,
    /// A hello in SSL 2.0's form.
    Ssl2,
    /// Too few bytes to say.
    Unsure,
    /// Something else.
    Not(Plain),
}

/// Bytes that always suffice for a verdict.
pub const PROBE_BYTES: usize = 16;

/// Judges the first bytes of one direction. `mid_stream`: the beginning of the connection was not captured, so any
/// record may come first; else a connection begins with a handshake message or an alert.
pub fn recognise(first: &[u8], mid_stream: bool) -> Verdict {
    let tls = match first {
        [] => return Verdict::Unsure,
        // Handshake record (RFC 8446, section 5.1). The record version of a first hello is 3.0 to 3.4.
        [22, rest @ ..] => match rest {
            [] | [3] | [3, 0..=4] | [3, 0..=4, _] | [3, 0..=4, _, _] => Some(Verdict::Unsure),
            [3, 0..=4, hi, lo, kind, ..] => {
                let len = u16::from_be_bytes([*hi, *lo]);
                let known = matches!(kind, 0..=6 | 8 | 11..=16 | 20..=25);
                (known && (1..=18_432).contains(&len)).then_some(Verdict::Tls)
            }
            _ => None,
        },
        // An alert in clear has two bytes.
        [21, rest @ ..] => match rest {
            [] | [3] | [3, 0..=4] | [3, 0..=4, 0] => Some(Verdict::Unsure),
            [3, 0..=4, 0, 2, ..] => Some(Verdict::Tls),
            [3, 0..=4, 0, 19..=80, ..] if mid_stream => Some(Verdict::Tls),
            _ => None,
        },
        [20 | 23 | 24, rest @ ..] if mid_stream => match rest {
            [] | [3] | [3, 0..=4] | [3, 0..=4, _] => Some(Verdict::Unsure),
            [3, 0..=4, hi, _, ..] => (*hi <= 0x48).then_some(Verdict::Tls),
            _ => None,
        },
        _ => ssl2(first),
    };
    tls.unwrap_or_else(|| Verdict::Not(Plain::of(first)))
}

/// True when TLS begins at the start of this segment of a connection that spoke something else before: a ClientHello
/// whose record and message lengths agree, or, once the peer speaks TLS, any first record of a server.
pub fn begins_tls(segment: &[u8], peer_is_tls: bool) -> bool {
    match segment {
        [22, 3, 0..=4, l1, l2, kind @ (1 | 2), 0, m1, m2, 3, 0..=4, ..] => {
            let n = |a: &u8, b: &u8| usize::from(u16::from_be_bytes([*a, *b]));
            let (record, message) = (n(l1, l2), n(m1, m2).saturating_add(4));
            let agree = if *kind == 1 { record == message } else { message <= record };
            agree && (*kind == 1 || peer_is_tls)
        }
        [21, 3, 0..=4, 0, 2, 1 | 2, _, ..] => peer_is_tls,
        _ => false,
    }
}

/// Hellos in SSL 2.0's format: a two-byte header with its top bit set, then CLIENT-HELLO (1) with a version, or
/// SERVER-HELLO (4) (RFC 6101, appendix E; RFC 5246, appendix E.2).
fn ssl2(first: &[u8]) -> Option<Verdict> {
    let [hi @ 0x80..=0xff, rest @ ..] = first else { return None };
    match rest {
        [] | [_] => Some(Verdict::Unsure),
        [lo, 1, rest @ ..] => {
            let len = (usize::from(hi & 0x7f) << 8) | usize::from(*lo);
            match rest {
                [0, 2, ..] | [3, 0..=4, ..] => match rest.get(2..8) {
                    // CIPHER-SPECS-LENGTH, SESSION-ID-LENGTH and CHALLENGE-LENGTH account for the whole message.
                    Some([c1, c2, s1, s2, h1, h2]) => {
                        let n = |a: &u8, b: &u8| usize::from(u16::from_be_bytes([*a, *b]));
                        let sum = n(c1, c2).saturating_add(n(s1, s2)).saturating_add(n(h1, h2)).saturating_add(9);
                        (sum == len && n(c1, c2) % 3 == 0 && n(c1, c2) > 0).then_some(Verdict::Ssl2)
                    }
                    _ => Some(Verdict::Unsure),
                },
                [] | [0 | 3] => Some(Verdict::Unsure),
                _ => None,
            }
        }
        // SERVER-HELLO: SESSION-ID-HIT, CERTIFICATE-TYPE, SERVER-VERSION 0x0002.
        [_, 4, 0 | 1, 0 | 1, 0, 2, ..] => Some(Verdict::Ssl2),
        [_, 4] | [_, 4, 0 | 1] | [_, 4, 0 | 1, 0 | 1] | [_, 4, 0 | 1, 0 | 1, 0] => Some(Verdict::Unsure),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_known_by_their_bytes() {
        let hello = [22, 3, 1, 2, 0, 1, 0, 1, 252];
        for n in 0..=6 {
            let want = if n == 6 { Verdict::Tls } else { Verdict::Unsure };
            assert_eq!(recognise(&hello[..n], false), want, "{n} bytes");
        }
        assert_eq!(recognise(&hello, false), Verdict::Tls);
        assert_eq!(recognise(&[21, 3, 3, 0, 2, 2, 40], false), Verdict::Tls);
        assert_eq!(recognise(&[23, 3, 3, 0, 40], true), Verdict::Tls);
        assert!(matches!(recognise(&[23, 3, 3, 0, 40], false), Verdict::Not(_)));
        assert!(matches!(recognise(&[22, 3, 1, 0xff, 0xff, 1], false), Verdict::Not(_)));
    }

    #[test]
    fn ssl2_hellos_account_for_their_length() {
        let mut hello = vec![0x80, 9 + 3 + 16, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 5];
        hello.extend([7; 16]);
        assert_eq!(recognise(&hello, false), Verdict::Ssl2);
        hello[1] += 1;
        assert!(matches!(recognise(&hello, false), Verdict::Not(_)));
        assert_eq!(recognise(&[0x83, 0, 4, 0, 1, 0, 2], false), Verdict::Ssl2);
    }
}
