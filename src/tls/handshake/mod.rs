//! Handshake messages (RFC 8446, section 4; RFC 5246, section 7.4 and their extensions).
//!
//! Every message is read by one function over a [`Reader`]: for the facts here, and with a recorder attached for the
//! tree of fields in [`explain`](super::explain). A decoder goes on behind damage wherever the lengths allow it, so that
//! a damaged ClientHello still says which server it asked for.

mod certificate;
mod hello;
mod key_exchange;
mod other;
pub(crate) mod parts;
mod types;

pub use types::{
    CertificateMessage, CertificateRequest, ClientHello, Context, DecodedHandshake, Extensions, Handshake,
    NewSessionTicket, ServerHello, ServerKeyExchange, Tail,
};

use crate::reader::{Decoded, Reader, Topic};
use crate::tls::names::{HandshakeType, ProtocolVersion};
use parts::{Notes, size_text};

pub(crate) use certificate::ocsp_response;
pub(crate) use hello::is_hello_retry;

/// What a message's form depends on, beside its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Era {
    /// SSL 3.0 to TLS 1.1, and TLCP.
    Old,
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3 and its drafts.
    Tls13,
    /// Not known: the ServerHello was not seen.
    Unknown,
}

impl Context {
    fn era(&self) -> Era {
        match self.version {
            Some(v) if v.is_tls13_or_draft() => Era::Tls13,
            Some(ProtocolVersion::TLS12 | ProtocolVersion::DTLS12) => Era::Tls12,
            Some(v) if v.rank().is_some() => Era::Old,
            _ => Era::Unknown,
        }
    }

    /// The draft of TLS 1.3 that is spoken, where it is one.
    fn draft(&self) -> Option<u8> {
        self.version.and_then(ProtocolVersion::draft)
    }
}

/// Decodes a handshake message. `message` is its four-byte header and as much of its body as there is; `claimed` the
/// length of the body by the header. Spans in the result are offsets in `message`. Never fails: what was readable is
/// there, and the first damage is named. That the end of a long Certificate or CertificateRequest is missing, when
/// `message` is shorter than claimed, is not counted as damage.
pub fn decode(message: &[u8], claimed: usize, ctx: &Context) -> DecodedHandshake {
    read(&mut Reader::new(message), claimed, ctx)
}

/// [`decode`] over a reader at the first byte of the header.
pub(crate) fn read(r: &mut Reader<'_>, claimed: usize, ctx: &Context) -> DecodedHandshake {
    let kind = match read_header(r) {
        Ok(kind) => kind,
        Err(e) => {
            r.undecoded(&e);
            let kind = HandshakeType(r.rest().first().copied().unwrap_or_default());
            return DecodedHandshake { message: Handshake::Other(kind), error: Some(e) };
        }
    };
    let may_be_cut = matches!(kind, HandshakeType::CERTIFICATE | HandshakeType::CERTIFICATE_REQUEST);
    let mut notes = Notes::new(may_be_cut && claimed > r.left());
    let mut message = empty(kind);
    if let Err(e) = read_body(r, &mut message, kind, ctx, &mut notes).and_then(|()| r.end("message")) {
        r.undecoded(&e);
        notes.add(e);
    }
    DecodedHandshake { message, error: notes.into_error() }
}

fn read_header(r: &mut Reader<'_>) -> Decoded<HandshakeType> {
    let kind = HandshakeType(r.u8("msg_type")?);
    r.meaning(|| kind.to_string());
    r.topic(Topic::Message(kind.0));
    let length = r.u24("length")?;
    r.meaning(|| size_text(length as usize));
    Ok(kind)
}

/// The message of that type with nothing in it yet.
fn empty(kind: HandshakeType) -> Handshake {
    match kind {
        HandshakeType::HELLO_REQUEST => Handshake::HelloRequest,
        HandshakeType::CLIENT_HELLO => Handshake::ClientHello(Box::default()),
        HandshakeType::SERVER_HELLO | HandshakeType::HELLO_RETRY_REQUEST => Handshake::ServerHello(Box::default()),
        HandshakeType::NEW_SESSION_TICKET => Handshake::NewSessionTicket(NewSessionTicket::default()),
        HandshakeType::ENCRYPTED_EXTENSIONS => Handshake::EncryptedExtensions(Box::default()),
        HandshakeType::CERTIFICATE => Handshake::Certificate(CertificateMessage::default()),
        HandshakeType::SERVER_KEY_EXCHANGE => Handshake::ServerKeyExchange(ServerKeyExchange::default()),
        HandshakeType::CERTIFICATE_REQUEST => Handshake::CertificateRequest(Box::default()),
        HandshakeType::SERVER_HELLO_DONE => Handshake::ServerHelloDone,
        HandshakeType::CERTIFICATE_VERIFY => Handshake::CertificateVerify(None, crate::span::Span::default()),
        HandshakeType::CLIENT_KEY_EXCHANGE => Handshake::ClientKeyExchange,
        HandshakeType::FINISHED => Handshake::Finished,
        HandshakeType::CERTIFICATE_STATUS => Handshake::CertificateStatus(None),
        HandshakeType::KEY_UPDATE => Handshake::KeyUpdate(0),
        _ => Handshake::Other(kind),
    }
}

/// Fills `message` from the body. An error is damage behind which nothing can be read; other damage is noted.
fn read_body(
    r: &mut Reader<'_>,
    message: &mut Handshake,
    kind: HandshakeType,
    ctx: &Context,
    notes: &mut Notes,
) -> Decoded<()> {
    match message {
        Handshake::ClientHello(m) => hello::client_hello(r, m, notes),
        Handshake::ServerHello(m) if kind == HandshakeType::SERVER_HELLO => hello::server_hello(r, m, notes),
        Handshake::ServerHello(m) => hello::hello_retry_request(r, m, notes),
        Handshake::NewSessionTicket(m) => other::new_session_ticket(r, m, ctx, notes),
        Handshake::EncryptedExtensions(m) => other::encrypted_extensions(r, m, notes),
        Handshake::Certificate(m) => certificate::certificate(r, m, ctx, notes),
        Handshake::CertificateRequest(m) => certificate::certificate_request(r, m, ctx, notes),
        Handshake::CertificateVerify(scheme, value) => {
            (*scheme, *value) = certificate::signature(r, ctx)?;
            Ok(())
        }
        Handshake::CertificateStatus(m) => certificate::certificate_status(r, m, notes),
        Handshake::ServerKeyExchange(m) => key_exchange::server_key_exchange(r, m, ctx),
        Handshake::ClientKeyExchange => key_exchange::client_key_exchange(r, ctx),
        Handshake::KeyUpdate(m) => other::key_update(r, m),
        Handshake::Finished => other::finished(r),
        Handshake::HelloRequest | Handshake::ServerHelloDone => Ok(()),
        Handshake::Other(kind) => other::other(r, *kind),
    }
}

#[cfg(test)]
mod tests;
