//! A message as a tree of fields for a person: the decoders of the facts, run once more with a recorder.

use crate::reader::{Decoded, Field, Reader, Recorder, Topic};

use super::handshake::parts::size_text;
use super::handshake::{self, Context};
use super::names::{AlertDescription, AlertLevel, HandshakeType};
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
    let mut fields = recorder.into_fields();
    summarize(&mut fields);
    fields
}

/// Gives the headings of extensions the values below them, so that a folded tree still says what was sent.
fn summarize(fields: &mut [Field]) {
    let mut rest = fields;
    while let Some((field, below)) = rest.split_first_mut() {
        if matches!(field.topic, Some(Topic::Extension(_))) && field.meaning.is_empty() {
            field.meaning = summary(field.depth, below);
        }
        rest = below;
    }
}

/// The values of the leaves below a heading of that depth, behind its type and length.
fn summary(depth: u8, below: &[Field]) -> String {
    const SHOWN_CHARS: usize = 100;
    let end = below.iter().position(|f| f.depth <= depth).unwrap_or(below.len());
    let below = below.get(..end).unwrap_or_default();
    let mut out = String::new();
    for (i, field) in below.iter().enumerate() {
        let is_leaf = below.get(i.saturating_add(1)).is_none_or(|next| next.depth <= field.depth);
        if !is_leaf || field.depth <= depth.saturating_add(1) || field.name == "name_type" || field.meaning.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push_str(", ");
        }
        if out.len() > SHOWN_CHARS {
            out.push('…');
            break;
        }
        out.push_str(&field.meaning);
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(fields: &[Field]) -> Vec<String> {
        fields.iter().map(|f| format!("{}:{}+{} {}={}", f.depth, f.span.at, f.span.len, f.name, f.meaning)).collect()
    }

    #[test]
    fn alerts() {
        let f = explain_alert(&[2, 40]);
        assert_eq!(lines(&f), ["0:0+2 Alert=2 bytes", "1:0+1 level=fatal", "1:1+1 description=handshake_failure"]);
        assert_eq!(f[2].topic, Some(Topic::Alert(40)));
        let f = explain_alert(&[9]);
        assert_eq!(f.last().map(|f| f.name.as_ref()), Some("undecoded"));
        assert_eq!(lines(&explain_alert(&[9, 200]))[1..], ["1:0+1 level=0x09", "1:1+1 description=0xc8"]);
    }

    #[test]
    fn an_extension_heading_says_what_is_in_it() {
        let mut m = vec![1, 0, 0, 0, 3, 3];
        m.extend([0; 32]);
        m.extend([0, 0, 2, 0x13, 1, 1, 0, 0, 10, 0, 10, 0, 6, 0, 4, 0, 29, 0, 23]);
        let fields = explain(&m, &Context::default(), false);
        let heading = fields.iter().find(|f| f.name == "supported_groups").unwrap();
        assert_eq!(heading.meaning, "x25519, secp256r1");
        assert_eq!(heading.topic, Some(Topic::Extension(10)));
        assert_eq!(fields[0].topic, Some(Topic::Message(1)));
    }

    #[test]
    fn nothing_at_all() {
        assert_eq!(explain(&[], &Context::default(), false)[0].name, "Handshake");
        assert_eq!(explain(&[], &Context::default(), true).len(), 2);
    }
}
