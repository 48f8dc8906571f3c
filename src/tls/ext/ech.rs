//! Encrypted ClientHello and its forerunner.

use super::Place;
use crate::reader::{Decoded, Reader};
use crate::tls::handshake::Extensions;
use crate::tls::handshake::parts::{bytes_text, code_point, code_point_vector, group, illegal, opaque, small, suite};
use crate::tls::names::ExtensionType;

/// Bytes of the confirmation in a HelloRetryRequest (RFC 9849, section 5).
const CONFIRMATION_BYTES: usize = 8;

/// `encrypted_client_hello` (RFC 9849, section 5).
pub(super) fn encrypted_client_hello(r: &mut Reader<'_>, place: Place, out: &mut Extensions) -> Decoded<()> {
    out.encrypted_client_hello = true;
    match place {
        Place::HelloRetryRequest => {
            let b = r.bytes("confirmation", CONFIRMATION_BYTES)?;
            r.meaning(|| bytes_text(b));
            Ok(())
        }
        Place::EncryptedExtensions => opaque(r, "retry_configs", 2).map(drop),
        _ => client(r, out),
    }
}

/// ECHClientHello.
fn client(r: &mut Reader<'_>, out: &mut Extensions) -> Decoded<()> {
    const OUTER: u8 = 0;
    const INNER: u8 = 1;
    let at = r.at();
    let kind = small(r, "type", |t| match t {
        OUTER => "outer".into(),
        INNER => "inner".into(),
        t => format!("unknown ({t})"),
    })?;
    match kind {
        OUTER => {
            // IANA "HPKE KDF Identifiers" and "HPKE AEAD Identifiers".
            code_point(r, "kdf_id", |v| {
                let name = match v {
                    1 => "HKDF-SHA256".into(),
                    2 => "HKDF-SHA384".into(),
                    3 => "HKDF-SHA512".into(),
                    v => format!("0x{v:04x}"),
                };
                (name, None)
            })?;
            code_point(r, "aead_id", |v| {
                let name = match v {
                    1 => "AES-128-GCM".into(),
                    2 => "AES-256-GCM".into(),
                    3 => "ChaCha20Poly1305".into(),
                    v => format!("0x{v:04x}"),
                };
                (name, None)
            })?;
            let id = r.u8("config_id")?;
            r.meaning(|| id.to_string());
            out.ech_config = Some(id);
            opaque(r, "enc", 2)?;
            opaque(r, "payload", 2).map(drop)
        }
        INNER => Ok(()),
        _ => Err(illegal("type", at)),
    }
}

/// `ech_outer_extensions` (RFC 9849, section 5.1).
pub(super) fn ech_outer_extensions(r: &mut Reader<'_>, _: Place, _: &mut Extensions) -> Decoded<()> {
    let name = |v| (ExtensionType(v).to_string(), Some(crate::reader::Topic::Extension(v)));
    code_point_vector(r, "OuterExtensions", 1, "ExtensionType", name, &mut Vec::new())
}

/// `encrypted_server_name` (draft-ietf-tls-esni-02 to -06): the client's form; a server's answer has several.
pub(super) fn encrypted_server_name(r: &mut Reader<'_>, place: Place, _: &mut Extensions) -> Decoded<()> {
    if place != Place::ClientHello {
        super::opaque(r);
        return Ok(());
    }
    code_point(r, "suite", suite)?;
    code_point(r, "group", group)?;
    opaque(r, "key_exchange", 2)?;
    opaque(r, "record_digest", 2)?;
    opaque(r, "encrypted_sni", 2).map(drop)
}
