//! Hellos in the format of SSL 2.0 (the Netscape specification of 1995; RFC 5246, appendix E.2). Later clients sent the
//! ClientHello in it to reach old servers.

use crate::reader::{Decoded, Reader};
use crate::span::Span;

use super::handshake::parts::{Notes, bytes_text, code_point, count_text, illegal, number, size_text, version};
use super::handshake::{ClientHello, DecodedHandshake, Handshake, ServerHello};
use super::names::{HandshakeType, Ssl2CipherKind};

/// MSG-CLIENT-HELLO.
const CLIENT_HELLO: u8 = 1;

/// MSG-SERVER-HELLO.
const SERVER_HELLO: u8 = 4;

/// Bytes of a cipher kind.
const SPEC_BYTES: usize = 3;

/// Names of the messages (the specification's section 2.5 and 2.6).
pub(crate) fn name(kind: u8) -> &'static str {
    match kind {
        0 => "SSL 2.0 ERROR",
        CLIENT_HELLO => "SSL 2.0 CLIENT-HELLO",
        2 => "SSL 2.0 CLIENT-MASTER-KEY",
        3 => "SSL 2.0 CLIENT-FINISHED",
        SERVER_HELLO => "SSL 2.0 SERVER-HELLO",
        5 => "SSL 2.0 SERVER-VERIFY",
        6 => "SSL 2.0 SERVER-FINISHED",
        7 => "SSL 2.0 REQUEST-CERTIFICATE",
        8 => "SSL 2.0 CLIENT-CERTIFICATE",
        _ => "SSL 2.0 message",
    }
}

/// Decodes the body of an SSL 2.0 record. Spans in the result are offsets in `body`. A message that is no hello is
/// `Other` with its number.
pub(crate) fn decode(body: &[u8]) -> DecodedHandshake {
    read(&mut Reader::new(body))
}

/// [`decode`] over a reader.
pub(crate) fn read(r: &mut Reader<'_>) -> DecodedHandshake {
    let mut notes = Notes::default();
    let kind = r.rest().first().copied().unwrap_or_default();
    let mut message = match kind {
        CLIENT_HELLO => Handshake::ClientHello(Box::new(ClientHello { ssl2_format: true, ..ClientHello::default() })),
        SERVER_HELLO => Handshake::ServerHello(Box::new(ServerHello { ssl2_format: true, ..ServerHello::default() })),
        _ => Handshake::Other(HandshakeType(kind)),
    };
    let result = r.u8("msg_type").and_then(|_| {
        r.meaning(|| name(kind).to_string());
        match &mut message {
            Handshake::ClientHello(m) => client_hello(r, m, &mut notes),
            Handshake::ServerHello(m) => server_hello(r, m, &mut notes),
            _ => {
                let b = r.remaining("body");
                r.meaning(|| bytes_text(b));
                Ok(())
            }
        }
    });
    if let Err(e) = result.and_then(|()| r.end("message")) {
        r.undecoded(&e);
        notes.add(e);
    }
    DecodedHandshake { message, error: notes.into_error() }
}

fn client_hello(r: &mut Reader<'_>, m: &mut ClientHello, notes: &mut Notes) -> Decoded<()> {
    m.length = r.left().saturating_add(1);
    m.legacy_version = code_point(r, "version", version)?;
    let specs = length(r, "cipher_spec_length")?;
    let session_id = length(r, "session_id_length")?;
    let challenge = length(r, "challenge_length")?;
    m.ssl2_specs = cipher_specs(r, specs, notes)?;
    m.cipher_suites = m.ssl2_specs.iter().filter_map(|s| Some(Ssl2CipherKind(*s).suite()?.0)).collect();
    m.session_id = r.bytes("session_id", session_id)?.to_vec();
    r.meaning(|| bytes_text(&m.session_id));
    let at = r.at();
    let b = r.bytes("challenge", challenge)?;
    r.meaning(|| bytes_text(b));
    // The challenge is the random of later versions, with zeros before it (RFC 5246, appendix E.2).
    let free = m.random.len().saturating_sub(b.len());
    match m.random.get_mut(free..).filter(|to| to.len() == b.len()) {
        Some(to) => to.copy_from_slice(b),
        None => notes.illegal("challenge", at),
    }
    Ok(())
}

fn server_hello(r: &mut Reader<'_>, m: &mut ServerHello, notes: &mut Notes) -> Decoded<()> {
    let hit = r.u8("session_id_hit")?;
    number(r, hit);
    let kind = r.u8("certificate_type")?;
    r.meaning(|| if kind == 1 { "X.509".into() } else { kind.to_string() });
    m.legacy_version = code_point(r, "server_version", version)?;
    let certificate = length(r, "certificate_length")?;
    let specs = length(r, "cipher_specs_length")?;
    let connection_id = length(r, "connection_id_length")?;
    let at = r.at();
    r.bytes("certificate", certificate)?;
    r.meaning(|| size_text(certificate));
    m.ssl2_certificate = (certificate > 0).then(|| Span::new(at, certificate));
    m.ssl2_specs = cipher_specs(r, specs, notes)?;
    let b = r.bytes("connection_id", connection_id)?;
    r.meaning(|| bytes_text(b));
    Ok(())
}

fn length(r: &mut Reader<'_>, what: &'static str) -> Decoded<usize> {
    let n = usize::from(r.u16(what)?);
    r.meaning(|| size_text(n));
    Ok(n)
}

fn cipher_specs(r: &mut Reader<'_>, len: usize, notes: &mut Notes) -> Decoded<Vec<u32>> {
    let at = r.at();
    let mut v = r.sub("cipher_specs", len)?;
    r.meaning(|| count_text(len / SPEC_BYTES));
    let mut out = Vec::with_capacity(len / SPEC_BYTES);
    while v.left() >= SPEC_BYTES {
        let spec = v.u24("cipher_spec")?;
        v.meaning(|| match Ssl2CipherKind(spec).suite() {
            Some(suite) => suite.to_string(),
            None => Ssl2CipherKind(spec).to_string(),
        });
        out.push(spec);
    }
    if !v.is_empty() {
        let e = illegal("cipher_specs", at);
        v.undecoded(&e);
        notes.add(e);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::DecodeErrorKind;

    /// As OpenSSL 0.9.8 sends it: version TLS 1.0, three cipher specs, no session id, a challenge of 16 bytes.
    fn client() -> Vec<u8> {
        let mut b = vec![1, 3, 1, 0, 9, 0, 0, 0, 16];
        b.extend([0x01, 0, 0x80, 0, 0, 0x2f, 0, 0, 0xff]);
        b.extend(1..=16);
        b
    }

    fn server() -> Vec<u8> {
        let mut b = vec![4, 0, 1, 0, 2, 0, 4, 0, 6, 0, 16];
        b.extend(b"cert");
        b.extend([0x07, 0, 0xc0, 0x01, 0, 0x80]);
        b.extend([9; 16]);
        b
    }

    #[test]
    fn a_client_hello() {
        let b = client();
        let d = decode(&b);
        let Handshake::ClientHello(h) = d.message else { panic!() };
        assert_eq!(d.error, None);
        assert!(h.ssl2_format);
        assert_eq!((h.legacy_version, h.length), (0x0301, b.len()));
        assert_eq!(h.ssl2_specs, [0x010080, 0x2f, 0xff]);
        assert_eq!(h.cipher_suites, [0x2f, 0xff]);
        assert_eq!(h.random[..16], [0; 16]);
        assert_eq!(h.random[16..], (1..=16).collect::<Vec<u8>>());
    }

    #[test]
    fn a_server_hello() {
        let d = decode(&server());
        let Handshake::ServerHello(h) = d.message else { panic!() };
        assert_eq!(d.error, None);
        assert_eq!(h.legacy_version, 0x0002);
        assert_eq!(h.ssl2_specs, [0x0700c0, 0x010080]);
        assert_eq!(h.ssl2_certificate, Some(Span::new(11, 4)));
    }

    #[test]
    fn damage_is_named() {
        for whole in [client(), server()] {
            for n in 0..whole.len() {
                assert!(matches!(decode(&whole[..n]).error.unwrap().kind, DecodeErrorKind::Short { .. }), "{n}");
            }
            let mut b = whole.clone();
            b.push(0);
            assert_eq!(decode(&b).error.unwrap().kind, DecodeErrorKind::Trailing(1));
        }
        // Specs that are no multiple of three bytes; a challenge of more than 32.
        let mut b = vec![1, 3, 1, 0, 4, 0, 0, 0, 33, 0, 0, 0x2f, 7];
        b.extend([1; 33]);
        let d = decode(&b);
        let Handshake::ClientHello(h) = d.message else { panic!() };
        assert_eq!(h.cipher_suites, [0x2f]);
        assert_eq!(d.error.unwrap().what, "cipher_specs");
        assert_eq!(h.random, [0; 32]);
    }
}
