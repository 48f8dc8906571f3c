//! A message as a tree of fields for a person: the decoders of the facts, run once more with a recorder.

use crate::reader::{Decoded, Field, Reader, Recorder, Topic};

use super::handshake::parts::{bytes_text, size_text};
use super::handshake::{self, Context};
use super::names::{AlertDescription, AlertLevel, HandshakeType, HeartbeatMessageType};
use super::ssl2;

/// The fields of a handshake message, a parent before its children; the first is the message itself. `message` is its
/// header and body (of `ssl2` ones the body of the record); spans are offsets in it.
pub fn explain(message: &[u8], ctx: &Context, ssl2: bool) -> Vec<Field> {
    let kind = message.first().copied().unwrap_or_default();
    let name = if ssl2 { ssl2::name(kind) } else { message_name(message) };
    record(message, name, |r| {
        if ssl2 {
            ssl2::read(r);
        } else {
            r.topic(Topic::Message(kind));
            let claimed = message.first_chunk().map_or(0, |[_, a, b, c]| u32::from_be_bytes([0, *a, *b, *c]));
            handshake::read(r, claimed as usize, ctx);
        }
        Ok(())
    })
}

/// The fields of an alert record's body (RFC 8446, section 6). One that is encrypted is not to be given.
pub fn explain_alert(body: &[u8]) -> Vec<Field> {
    record(body, "Alert", |r| {
        while !r.is_empty() {
            let level = AlertLevel(r.u8("level")?);
            r.meaning(|| level.to_string());
            let description = AlertDescription(r.u8("description")?);
            r.meaning(|| description.to_string());
            r.topic(Topic::Alert(description.0));
        }
        Ok(())
    })
}

/// The fields of a change_cipher_spec record's body (RFC 5246, section 7.1).
pub fn explain_change_cipher_spec(body: &[u8]) -> Vec<Field> {
    record(body, "ChangeCipherSpec", |r| {
        let v = r.u8("type")?;
        r.meaning(|| if v == 1 { "change_cipher_spec".into() } else { v.to_string() });
        if v == 1 { Ok(()) } else { Err(r.illegal("type")) }
    })
}

/// The fields of a heartbeat record's body (RFC 6520, section 4). One that is encrypted is not to be given.
pub fn explain_heartbeat(body: &[u8]) -> Vec<Field> {
    record(body, "HeartbeatMessage", |r| {
        let kind = HeartbeatMessageType(r.u8("type")?);
        r.meaning(|| kind.to_string());
        let claimed = usize::from(r.u16("payload_length")?);
        r.meaning(|| match claimed.saturating_sub(r.left()) {
            0 => size_text(claimed),
            _ => format!("{}, but {} are there", size_text(claimed), size_text(r.left())),
        });
        let payload = r.bytes("payload", claimed)?;
        r.meaning(|| bytes_text(payload));
        let padding = r.remaining("padding");
        r.meaning(|| size_text(padding.len()));
        Ok(())
    })
}

fn record(bytes: &[u8], name: &'static str, read: impl FnOnce(&mut Reader<'_>) -> Decoded<()>) -> Vec<Field> {
    let recorder = Recorder::new();
    {
        let root = Reader::recording(bytes, &recorder);
        let mut r = root.group(name, bytes.len());
        root.meaning(|| size_text(bytes.len()));
        if let Err(e) = read(&mut r).and_then(|()| r.end(name)) {
            r.undecoded(&e);
        }
    }
    recorder.into_fields()
}

/// The RFCs' names of the structures.
fn message_name(message: &[u8]) -> &'static str {
    let Some(kind) = message.first().map(|t| HandshakeType(*t)) else { return "Handshake" };
    match kind {
        HandshakeType::HELLO_REQUEST => "HelloRequest",
        HandshakeType::CLIENT_HELLO => "ClientHello",
        HandshakeType::SERVER_HELLO if handshake::is_hello_retry(message) => "HelloRetryRequest",
        HandshakeType::SERVER_HELLO => "ServerHello",
        HandshakeType::HELLO_VERIFY_REQUEST => "HelloVerifyRequest",
        HandshakeType::NEW_SESSION_TICKET => "NewSessionTicket",
        HandshakeType::END_OF_EARLY_DATA => "EndOfEarlyData",
        HandshakeType::HELLO_RETRY_REQUEST => "HelloRetryRequest",
        HandshakeType::ENCRYPTED_EXTENSIONS => "EncryptedExtensions",
        HandshakeType::CERTIFICATE => "Certificate",
        HandshakeType::SERVER_KEY_EXCHANGE => "ServerKeyExchange",
        HandshakeType::CERTIFICATE_REQUEST => "CertificateRequest",
        HandshakeType::SERVER_HELLO_DONE => "ServerHelloDone",
        HandshakeType::CERTIFICATE_VERIFY => "CertificateVerify",
        HandshakeType::CLIENT_KEY_EXCHANGE => "ClientKeyExchange",
        HandshakeType::FINISHED => "Finished",
        HandshakeType::CERTIFICATE_URL => "CertificateURL",
        HandshakeType::CERTIFICATE_STATUS => "CertificateStatus",
        HandshakeType::SUPPLEMENTAL_DATA => "SupplementalData",
        HandshakeType::KEY_UPDATE => "KeyUpdate",
        HandshakeType::COMPRESSED_CERTIFICATE => "CompressedCertificate",
        _ => "Handshake",
    }
}
