//! The messages of a TLS 1.2 handshake as they were sent, for the signature of the client's CertificateVerify over them
//! (RFC 5246, section 7.4.8). Certificates are left out and put back in from the chains, which are kept anyway.

use crate::limits;
use crate::span::Side;
use crate::tls::names::HandshakeType;

use super::ChainFact;

/// A message: its bytes, or a Certificate message of a side with so many bytes of body.
#[derive(Clone, Debug)]
enum Piece {
    Bytes(Box<[u8]>),
    Certificate(Side, usize),
}

/// The messages so far.
#[derive(Clone, Debug)]
pub(crate) struct Transcript {
    hello: Box<[u8]>,
    /// All of the server's, then the client's from its Certificate on.
    server: Vec<Piece>,
    client: Vec<Piece>,
    held: usize,
}

impl Transcript {
    /// Begins with a ClientHello.
    pub(crate) fn new(hello: &[u8]) -> Self {
        Self { hello: hello.into(), server: Vec::new(), client: Vec::new(), held: hello.len() }
    }

    /// The next message; false when it is more than what is held.
    pub(crate) fn add(&mut self, from_client: bool, side: Side, kind: HandshakeType, bytes: &[u8]) -> bool {
        let piece = if kind == HandshakeType::CERTIFICATE {
            Piece::Certificate(side, bytes.len())
        } else {
            self.held = self.held.saturating_add(bytes.len());
            Piece::Bytes(bytes.into())
        };
        let list = if from_client { &mut self.client } else { &mut self.server };
        list.push(piece);
        self.held <= limits::TRANSCRIPT_BYTES && list.len() <= limits::TRANSCRIPT_MESSAGES
    }

    /// All of it in the order of the handshake; `None` when a Certificate message cannot be put together again.
    pub(crate) fn bytes<'a>(&self, chain: impl Fn(Side) -> Option<&'a ChainFact>) -> Option<Box<[u8]>> {
        let mut out = self.hello.to_vec();
        for piece in self.server.iter().chain(&self.client) {
            match piece {
                Piece::Bytes(b) => out.extend_from_slice(b),
                Piece::Certificate(side, len) => {
                    let whole = certificate(chain(*side)?)?;
                    if whole.len() != *len {
                        return None;
                    }
                    out.extend_from_slice(&whole);
                }
            }
        }
        Some(out.into())
    }
}

/// A Certificate message (RFC 5246, section 7.4.2) with its header.
fn certificate(sent: &ChainFact) -> Option<Vec<u8>> {
    let size = |n: usize| u32::try_from(n).ok().filter(|n| *n < 1 << 24).map(u32::to_be_bytes);
    let mut list = Vec::new();
    for c in &sent.chain {
        list.extend_from_slice(size(c.der.len())?.get(1..)?);
        list.extend_from_slice(&c.der);
    }
    let mut out = vec![HandshakeType::CERTIFICATE.0];
    out.extend_from_slice(size(list.len().checked_add(3)?)?.get(1..)?);
    out.extend_from_slice(size(list.len())?.get(1..)?);
    out.extend_from_slice(&list);
    (sent.omitted == 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::flow::Mark;
    use crate::x509::Certificate;

    #[test]
    fn messages_come_back_in_the_order_of_the_handshake() {
        let chain = ChainFact::new(vec![Arc::new(Certificate::parse(b"der"))], 0, Mark::default());
        // RFC 5246, section 7.4.2: type 11, length 9, list of 6, certificate of 3.
        let message = b"\x0b\0\0\x09\0\0\x06\0\0\x03der";
        let mut t = Transcript::new(b"hello");
        assert!(t.add(true, Side::A, HandshakeType::CLIENT_KEY_EXCHANGE, b"key"));
        assert!(t.add(false, Side::B, HandshakeType::CERTIFICATE, message));
        assert!(t.add(false, Side::B, HandshakeType::SERVER_HELLO_DONE, b"done"));
        let want = [&b"hello"[..], message, b"done", b"key"].concat();
        assert_eq!(t.bytes(|_| Some(&chain)).as_deref(), Some(&want[..]));
        assert!(t.bytes(|_| None).is_none());
        // A message that is not in its shortest form cannot be made again.
        assert!(t.add(false, Side::B, HandshakeType::CERTIFICATE, b"\x0b\0\0\0"));
        assert!(t.bytes(|_| Some(&chain)).is_none());
        assert!(!t.add(false, Side::B, HandshakeType::SERVER_KEY_EXCHANGE, &[0; limits::TRANSCRIPT_BYTES]));
    }
}
