//! The messages with little in them.

use crate::reader::{Decoded, Reader};
use crate::text;
use crate::tls::ext::Place;
use crate::tls::names::{CertificateCompressionAlgorithm, HandshakeType};

use super::Era;
use super::hello::extensions;
use super::parts::{Notes, bytes_text, code_point, opaque, size_text, small, version};
use super::types::{Context, Extensions, NewSessionTicket, Tail};

/// First draft of TLS 1.3 whose NewSessionTicket has a nonce.
const DRAFT_WITH_NONCE: u8 = 21;

/// Type of the message by which a client of NPN says what it chose (draft-agl-tls-nextprotoneg-04). Not registered.
const NEXT_PROTOCOL: HandshakeType = HandshakeType(67);

/// NewSessionTicket (RFC 8446, section 4.6.1; RFC 5077, section 3.3).
pub(super) fn new_session_ticket(
    r: &mut Reader<'_>,
    m: &mut NewSessionTicket,
    ctx: &Context,
    notes: &mut Notes,
) -> Decoded<()> {
    let is_tls13 = ctx.era() == Era::Tls13;
    m.lifetime = r.u32(if is_tls13 { "ticket_lifetime" } else { "ticket_lifetime_hint" })?;
    r.meaning(|| text::count(m.lifetime.into(), "second"));
    if !is_tls13 {
        ticket(r, m)?;
        return Ok(());
    }
    r.u32("ticket_age_add")?;
    if ctx.draft().is_none_or(|d| d >= DRAFT_WITH_NONCE) {
        opaque(r, "ticket_nonce", 1)?;
    }
    ticket(r, m)?;
    extensions(r, Place::NewSessionTicket, &mut Extensions::default(), notes)
}

fn ticket(r: &mut Reader<'_>, m: &mut NewSessionTicket) -> Decoded<()> {
    let ticket = opaque(r, "ticket", 2)?;
    m.ticket = ticket.len();
    m.tail = Tail::of(ticket);
    Ok(())
}

/// EncryptedExtensions (RFC 8446, section 4.3.1).
pub(super) fn encrypted_extensions(r: &mut Reader<'_>, m: &mut Extensions, notes: &mut Notes) -> Decoded<()> {
    extensions(r, Place::EncryptedExtensions, m, notes)
}

/// KeyUpdate (RFC 8446, section 4.6.3).
pub(super) fn key_update(r: &mut Reader<'_>, m: &mut u8) -> Decoded<()> {
    *m = small(r, "request_update", |v| match v {
        0 => "update_not_requested".into(),
        1 => "update_requested".into(),
        v => v.to_string(),
    })?;
    if *m > 1 {
        return Err(r.illegal("request_update"));
    }
    Ok(())
}

/// Finished.
pub(super) fn finished(r: &mut Reader<'_>) -> Decoded<()> {
    let b = r.remaining("verify_data");
    r.meaning(|| bytes_text(b));
    Ok(())
}

/// Messages that leave no facts.
pub(super) fn other(r: &mut Reader<'_>, kind: HandshakeType) -> Decoded<()> {
    match kind {
        HandshakeType::END_OF_EARLY_DATA => Ok(()),
        HandshakeType::HELLO_VERIFY_REQUEST => {
            code_point(r, "server_version", version)?;
            opaque(r, "cookie", 1).map(drop)
        }
        HandshakeType::COMPRESSED_CERTIFICATE => {
            code_point(r, "algorithm", |v| (CertificateCompressionAlgorithm(v).to_string(), None))?;
            let n = r.u24("uncompressed_length")?;
            r.meaning(|| size_text(n as usize));
            opaque(r, "compressed_certificate_message", 3).map(drop)
        }
        NEXT_PROTOCOL => {
            opaque(r, "selected_protocol", 1)?;
            opaque(r, "padding", 1).map(drop)
        }
        _ => {
            let b = r.remaining("body");
            r.meaning(|| bytes_text(b));
            Ok(())
        }
    }
}
